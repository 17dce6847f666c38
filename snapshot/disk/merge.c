/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Merges a frozen layer away: who stands on it, what becomes of each, in which
 * order.
 *
 * In QEMU's chain, the live layer first:
 *
 *     live -> U -> X -> B          X is the part that goes
 *
 *     commit: U is written into X, which takes U's place     live -> X' -> B
 *     pull:   U takes up what X has, and stands on B         live -> U' -> B
 *
 * merge_plan.c says which of the two.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/census.h"
#include "disk/disk.h"
#include "disk/kind.h"
#include "disk/merge.h"
#include "disk/merge_plan.h"
#include "image/identity.h"
#include "image/image.h"
#include "image/layer.h"
#include "image/same.h"
#include "qemu/block_job.h"
#include "qemu/chain.h"
#include "store/meta.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"

struct merge {
    struct disk_host *h;
    const struct snapshot_disk *d;
    struct qemu *q;             /* NULL: no QEMU has the disk */
    struct chain chain;
    char **above;               /* layers that stand on d->part */
    size_t nabove;
    char **ours;                /* all layers of the disk that we know */
    size_t nours;
};

static void merge_free(struct merge *m)
{
    qemu_chain_free(&m->chain);
    layer_free_chain(m->above, m->nabove);
    m->above = NULL;
    m->nabove = 0;
    layer_free_chain(m->ours, m->nours);
    m->ours = NULL;
    m->nours = 0;
}

/* Calls fn for each disk of the other snapshots that is a layer. */
static int each_layer(struct merge *m,
                      int (*fn)(struct merge *m,
                                const struct snapshot_disk *d, void *arg,
                                struct err *e), void *arg, struct err *e)
{
    size_t i, k;

    for (i = 0; i < m->h->nothers; i++)
        for (k = 0; k < m->h->others[i]->ndisks; k++) {
            const struct snapshot_disk *d = &m->h->others[i]->disks[k];

            if (d->link && fn(m, d, arg, e))
                return -1;
        }
    return 0;
}

/*
 * A create was cut short whose overlay is there, and perhaps the link not
 * turned.  One that stands elsewhere is somebody else's, who was given the same
 * path; one that is no image was not finished.
 */
static int is_new_overlay(const struct merge *m, bool *yes_r, struct err *e)
{
    char *below = NULL;
    enum id_match match;
    struct err bad;
    int rc = 0;

    *yes_r = false;
    if (!m->d->overlay)
        return 0;
    if (layer_exists(m->d->overlay, yes_r, e))
        return -1;
    if (!*yes_r)
        return 0;
    *yes_r = false;
    if (m->d->part_identity) {
        if (disk_compare(m->d->overlay, m->d->part_identity, 0, &match, e))
            return -1;
        if (match == ID_OTHER)
            return 0;
    }
    if (layer_backing(m->d->overlay, &below, &bad)) {
        if (bad.code != ERR_IO)
            return 0;
        *e = bad;
        return -1;
    }
    if (below)
        rc = layer_is_same(below, m->d->part, yes_r, e);
    free(below);
    return rc;
}

/* What QEMU has of the disk now. */
static int look_at_qemu(struct merge *m, struct err *e)
{
    bool new_overlay;
    char *live;
    int rc = -1;

    qemu_chain_free(&m->chain);
    m->q = NULL;
    if (!m->h->running)
        return 0;
    m->q = disk_host_qemu(m->h, e);
    if (!m->q || is_new_overlay(m, &new_overlay, e))
        return -1;
    live = new_overlay ? mem_strdup(m->d->overlay) :
           layer_live(m->d->link, e);
    if (live)
        rc = qemu_chain(m->q, m->d->path, m->d->link, live, &m->chain, e);
    if (rc == 0)
        m->q = NULL;
    free(live);
    return rc < 0 ? -1 : 0;
}

/* Is the layer there, and none of these? */
static int is_other(const char *layer, const char *part, char *const *seen,
                    size_t n, bool *yes_r, struct err *e)
{
    bool same;
    size_t i;

    if (layer_exists(layer, yes_r, e))
        return -1;
    if (!*yes_r)
        return 0;
    if (layer_is_same(layer, part, &same, e))
        return -1;
    for (i = 0; !same && i < n; i++)
        if (layer_is_same(layer, seen[i], &same, e))
            return -1;
    *yes_r = !same;
    return 0;
}

static int add_above(struct merge *m, const char *layer, struct err *e)
{
    char *backing = NULL;
    bool yes;
    int rc;

    if (!layer)
        return 0;
    m->ours = mem_grow(m->ours, m->nours + 1, sizeof(*m->ours));
    m->ours[m->nours++] = mem_strdup(layer);
    if (is_other(layer, m->d->part, m->above, m->nabove, &yes, e))
        return -1;
    if (!yes)
        return 0;
    rc = layer_backing(layer, &backing, e);
    if (!rc && backing)
        rc = layer_is_same(backing, m->d->part, &yes, e);
    if (!rc && backing && yes) {
        m->above = mem_grow(m->above, m->nabove + 1, sizeof(*m->above));
        m->above[m->nabove++] = mem_strdup(layer);
    }
    free(backing);
    return rc;
}

/* Is it of the same disk, however the path of that is spelled? */
static int is_of_link(const struct merge *m, const struct snapshot_disk *d,
                      bool *yes_r, struct err *e)
{
    *yes_r = !strcmp(d->link, m->d->link);
    if (*yes_r)
        return 0;
    return layer_is_same(d->link, m->d->link, yes_r, e);
}

static int add_part(struct merge *m, const struct snapshot_disk *d, void *arg,
                    struct err *e)
{
    bool yes;

    (void)arg;
    if (is_of_link(m, d, &yes, e))
        return -1;
    return yes ? add_above(m, d->part, e) : 0;
}

/*
 * All in the live chain too: one may be of no snapshot that we know.  What the
 * user began with may stand on a file that is not qcow2, the last one.
 */
static int find_above(struct merge *m, struct err *e)
{
    char *live, **chain = NULL;
    size_t n = 0, i;
    int rc = -1;

    live = layer_live(m->d->link, e);
    if (live)
        rc = layer_chain(live, &chain, &n, e);
    for (i = 0; !rc && i + 1 < n; i++)
        rc = add_above(m, chain[i], e);
    layer_free_chain(chain, n);
    free(live);
    if (!rc)
        rc = add_above(m, m->d->overlay, e);
    if (rc)
        return -1;
    return each_layer(m, add_part, NULL, e);
}

/* Layers that stood on one that is merged away now stand on "to". */
struct rename {
    const char *from, *to;
};

static int rename_backing(struct merge *m, const char *layer,
                          const struct rename *r, struct err *e)
{
    char *backing;
    bool yes;
    int rc = 0;

    if (!layer || qemu_chain_find(&m->chain, layer) >= 0)
        return 0;
    if (is_other(layer, r->from, NULL, 0, &yes, e))
        return -1;
    if (!yes)
        return 0;
    if (layer_backing(layer, &backing, e))
        return -1;
    if (backing && layer_is_same(backing, r->from, &yes, e))
        rc = -1;
    else if (backing && yes)
        rc = layer_rename_backing(layer, r->to, e);
    free(backing);
    return rc;
}

static int rename_part(struct merge *m, const struct snapshot_disk *d,
                       void *arg, struct err *e)
{
    return rename_backing(m, d->part, arg, e);
}

/* The live chain's, also one that no snapshot knows. */
static int rename_live(struct merge *m, const struct rename *r, struct err *e)
{
    char *live = layer_live(m->d->link, e), **chain = NULL;
    size_t n = 0, i;
    int rc = -1;

    if (live)
        rc = layer_chain(live, &chain, &n, e);
    for (i = 0; !rc && i + 1 < n; i++)
        rc = rename_backing(m, chain[i], r, e);
    layer_free_chain(chain, n);
    free(live);
    return rc;
}

/* A layer that nothing stands on any more. */
static int drop(struct merge *m, const char *layer, struct err *e)
{
    if (m->q && (qemu_flush_chain(m->q, &m->chain, e) ||
                 qemu_drop_layer(m->q, layer, e) ||
                 qemu_drop_first(m->q, m->d->path, m->d->link, e)))
        return -1;
    return layer_unlink(layer, e);
}

/*
 * "upper" was written into the part, which takes its place in the snapshot
 * that has it; those that stand on upper follow, then it goes.
 */
static int take_place(struct merge *m, const char *upper, struct err *e)
{
    struct rename r = { upper, m->d->part };
    bool live;

    if (m->h->moved(m->h->moved_arg, upper, m->d->part, true, e) ||
        each_layer(m, rename_part, &r, e) ||
        layer_is_same(m->d->link, upper, &live, e))
        return -1;
    if (live && layer_point(m->d->link, m->d->part, e))
        return -1;
    if (!live && rename_live(m, &r, e))
        return -1;
    return drop(m, upper, e);
}

/* How each of m->above gets the part's content. */
static enum merge_way *plan_ways(const struct merge *m)
{
    size_t n = m->chain.n, i;
    enum merge_way *ways = mem_zalloc(m->nabove, sizeof(*ways));
    struct merge_node *nodes = mem_zalloc(n, sizeof(*nodes));
    long *above = mem_zalloc(m->nabove, sizeof(*above));
    struct merge_shape shape = {
        .nodes = nodes, .n = n, .above = above, .nabove = m->nabove,
        .part = qemu_chain_find(&m->chain, m->d->part),
    };

    for (i = 0; i < n; i++) {
        nodes[i].stale = m->chain.nodes[i].stale;
        nodes[i].shared = m->chain.nodes[i].shared;
    }
    for (i = 0; i < m->nabove; i++)
        above[i] = qemu_chain_find(&m->chain, m->above[i]);
    merge_plan(&shape, ways);
    free(above);
    free(nodes);
    return ways;
}

static int pull(struct merge *m, const char *layer, struct err *e)
{
    char *below = NULL, *format = NULL;
    int rc;

    if (layer_backing_format(m->d->part, &below, &format, e))
        return -1;
    rc = layer_pull(layer, below, format, e);
    free(below);
    free(format);
    return rc;
}

/* Noted before: afterwards QEMU still has upper open, out of the chain. */
static int commit_hot(struct merge *m, const char *upper, size_t at,
                      struct err *e)
{
    if (m->h->moved(m->h->moved_arg, upper, m->d->part, false, e))
        return -1;
    return qemu_commit(m->q, &m->chain, at, e);
}

static int take_committed(struct merge *m, const struct snapshot_disk *d,
                          void *arg, struct err *e)
{
    const char **upper = arg;

    (void)e;
    if (d->discard && !strcmp(d->discard, m->d->part) &&
        qemu_chain_find(&m->chain, d->part) < 0)
        *upper = d->part;
    return 0;
}

/* The layer that QEMU wrote into the part before a crash, or NULL. */
static int find_committed(struct merge *m, const char **upper_r,
                          struct err *e)
{
    *upper_r = NULL;
    if (qemu_chain_find(&m->chain, m->d->part) < 0)
        return 0;
    return each_layer(m, take_committed, upper_r, e);
}

static int pull_all(struct merge *m, const enum merge_way *ways,
                    struct err *e)
{
    size_t at = (size_t)qemu_chain_find(&m->chain, m->d->part), i;

    for (i = 0; i < m->nabove; i++) {
        if (ways[i] == MERGE_PULL_IN_QEMU &&
            qemu_pull(m->q, &m->chain, at, e))
            return -1;
        if (ways[i] == MERGE_PULL && pull(m, m->above[i], e))
            return -1;
    }
    return 0;
}

/* The one that the plan commits, or NULL. */
static const char *to_commit(const struct merge *m,
                             const enum merge_way *ways)
{
    size_t i;

    for (i = 0; i < m->nabove; i++)
        if (ways[i] == MERGE_COMMIT || ways[i] == MERGE_COMMIT_IN_QEMU)
            return m->above[i];
    return NULL;
}

static int commit(struct merge *m, const char *upper, struct err *e)
{
    long at = qemu_chain_find(&m->chain, m->d->part);

    if (at == MERGE_NOT_OPEN)
        return layer_commit(upper, e);
    return commit_hot(m, upper, (size_t)at, e);
}

static int follow(struct merge *m, const enum merge_way *ways, struct err *e)
{
    const char *upper = to_commit(m, ways);

    if (pull_all(m, ways, e))
        return -1;
    if (!upper)
        return drop(m, m->d->part, e);
    if (commit(m, upper, e))
        return -1;
    return take_place(m, upper, e);
}

/*
 * Another domain's snapshot, user, or a clone that the user made stands on it.
 */
static int check_nobodys(const struct merge *m, const char *layer,
                         const char *user, struct err *e)
{
    const struct census *c = m->h->census;
    char *clone;

    if (user && !m->h->force)
        return err_set(e, SNAP_FAILED, "%s is also used by %s: delete or "
                       "revert that first", layer, user);
    if (census_unreadable(c) && !m->h->force)
        return err_set(e, SNAP_FAILED, "%s, so that nobody knows whether %s "
                       "is needed there: use --force to delete it all the "
                       "same", census_unreadable(c), layer);
    if (census_find_clone(layer, m->ours, m->nours, &clone, e))
        return -1;
    if (clone)
        err_set(e, SNAP_FAILED, "%s stands on %s, and is of no snapshot of "
                "this domain: move it away, or give it another backing file "
                "with 'qemu-img rebase'", clone, layer);
    free(clone);
    return clone ? -1 : 0;
}

/* What the user keeps in a file that goes would go with it. */
static int check_droppable(const struct merge *m, const char *layer,
                           struct err *e)
{
    struct image_info info;
    int rc = 0;

    if (m->h->force)
        return 0;
    if (image_info_read(layer, m->d->format, &info, e))
        return -1;
    if (info.nsnapshots)
        rc = err_set(e, SNAP_FAILED, "%s has the internal snapshot '%s', "
                     "which would be lost with it: delete that with 'qemu-img "
                     "snapshot -d' while the domain is shut down, or use "
                     "--force", layer, info.snapshots[0].name);
    else if (info.nbitmaps)
        rc = err_set(e, SNAP_FAILED, "%s has dirty bitmaps, which would be "
                     "lost with it: use --force if they are not needed",
                     layer);
    image_info_free(&info);
    return rc;
}

/*
 * "to" grows at the most by all that "from" takes, and not beyond the size of
 * the disk.
 */
static uint64_t growth(const struct merge *m, const struct stat *from,
                       const struct stat *to)
{
    uint64_t takes = (uint64_t)from->st_blocks * 512;
    uint64_t has = (uint64_t)to->st_blocks * 512;
    uint64_t most = m->d->virtual_size + m->d->virtual_size / 64;

    if (has >= most)
        return 0;
    return takes < most - has ? takes : most - has;
}

static int check_room(const struct merge *m, const char *from, const char *to,
                      struct err *e)
{
    char *folder = layer_folder(to);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
    uint64_t room, need;
    struct stat x, y;

    if (fd < 0 || stat(from, &x) || stat(to, &y)) {
        rc = err_errno(e, "cannot look at %s", from);
    } else {
        rc = file_free_space(fd, &room, e);
        need = disk_claim(m->h, folder, growth(m, &x, &y));
        if (!rc && room < need && !m->h->force)
            rc = err_set(e, SNAP_FAILED, "to merge %s into %s may take %"
                         PRIu64 " MiB, and %" PRIu64 " MiB are free there",
                         from, to, (need >> 20) + 1, room >> 20);
    }
    if (fd >= 0)
        close(fd);
    free(folder);
    return rc;
}

/* All that follow() would do, read-only. */
static int check_ways(struct merge *m, const enum merge_way *ways,
                      struct err *e)
{
    const char *upper = to_commit(m, ways);
    const struct census *c = m->h->census;
    size_t i;

    /* Whoever reads a file that is written to would get other bytes. */
    if (image_check_free(m->d->part, m->h->domain, 0, e))
        return -1;
    for (i = 0; i < m->nabove; i++) {
        if (ways[i] == MERGE_IN_USE)
            return qemu_refuse_shared(m->above[i], e);
        if (image_check_free(m->above[i], m->h->domain, 0, e))
            return -1;
        if (m->above[i] != upper &&
            check_room(m, m->d->part, m->above[i], e))
            return -1;
    }
    if (check_nobodys(m, m->d->part, census_user(c, m->d->part), e))
        return -1;
    if (!upper)
        return check_droppable(m, m->d->part, e);
    if (check_room(m, upper, m->d->part, e) ||
        check_droppable(m, upper, e))
        return -1;
    return check_nobodys(m, upper, census_user(c, upper), e);
}

static int merge_above(struct merge *m, struct err *e)
{
    enum merge_way *ways = plan_ways(m);
    size_t i;
    int rc = 0;

    for (i = 0; !rc && i < m->nabove; i++)
        if (ways[i] == MERGE_IN_USE)
            rc = qemu_refuse_shared(m->above[i], e);
    if (!rc)
        rc = follow(m, ways, e);
    free(ways);
    return rc;
}

/*
 * qemu-img wrote "upper" into the part before a crash, and the domain was
 * started since: its QEMU has the old chain open, and only QEMU may change it.
 */
static int commit_once_more(struct merge *m, const char *upper, struct err *e)
{
    long at = qemu_chain_find(&m->chain, upper);

    if (at == MERGE_NOT_OPEN)
        return 0;
    if (at == 0 || qemu_chain_find(&m->chain, m->d->part) != at + 1)
        return qemu_refuse_shared(upper, e);
    return qemu_commit(m->q, &m->chain, (size_t)at + 1, e);
}

static int finish_one(struct merge *m, const struct snapshot_disk *d,
                      void *arg, struct err *e)
{
    bool there;

    (void)arg;
    if (strcmp(d->part, m->d->part) || !d->discard)
        return 0;
    if (layer_exists(d->discard, &there, e))
        return -1;
    if (!there)
        return 0;
    if (commit_once_more(m, d->discard, e))
        return -1;
    return take_place(m, d->discard, e);
}

/* Cut off before it was an image: an empty file of a name of our making. */
static int drop_unfinished(const struct snapshot_disk *d, struct err *e)
{
    struct stat st;

    if (!d->overlay || !layer_is_ours(d->link, d->overlay) ||
        lstat(d->overlay, &st) || !S_ISREG(st.st_mode) || st.st_size)
        return 0;
    return layer_unlink(d->overlay, e);
}

/* The guest never wrote to the overlay: it is as if it had not been made. */
static int drop_overlay(struct merge *m, struct err *e)
{
    const struct snapshot_disk *d = m->d;
    bool same, needed, live, ours;

    if (is_new_overlay(m, &ours, e))
        return -1;
    if (!ours)
        return drop_unfinished(d, e);
    if (layer_is_same(d->overlay, d->part, &same, e))
        return -1;
    if (same)
        return 0;
    if (layer_is_same(d->link, d->overlay, &live, e))
        return -1;
    if (live && layer_point(d->link, d->part, e))
        return -1;
    if (disk_has_part(m->h, d->overlay, &needed, e))
        return -1;
    return needed ? 0 : drop(m, d->overlay, e);
}

/* It leads to a layer of ours: the user may have turned it since. */
static bool is_our_link(const char *link)
{
    char *found = layer_find_link(link);
    bool ours = found && !strcmp(found, link);

    free(found);
    return ours;
}

static int same_link(struct merge *m, const struct snapshot_disk *d,
                     void *arg, struct err *e)
{
    bool *used = arg, yes;

    if (is_of_link(m, d, &yes, e))
        return -1;
    *used = *used || yes;
    return 0;
}

/*
 * No layers are left: the path is a plain file again, on what its image stood
 * on before.  Not while a QEMU has the layer open by its own name.
 */
static int make_plain(struct merge *m, struct err *e)
{
    const struct snapshot_disk *d = m->d;
    char *live, *below = NULL;
    bool link, used = false;
    int rc = -1;

    if (layer_is_link(d->link, &link, e))
        return -1;
    if (!link || !is_our_link(d->link) ||
        (m->q && !(m->chain.n && m->chain.nodes[0].stale)))
        return 0;
    if (each_layer(m, same_link, &used, e))
        return -1;
    if (used)
        return 0;
    live = layer_live(d->link, e);
    if (live)
        rc = layer_backing(live, &below, e);
    if (!rc && !(below && layer_is_ours(d->link, below))) {
        if (!rename(live, d->link))
            rc = file_sync_parent(d->link, e);
        else if (errno != EXDEV)        /* a path= elsewhere stays there */
            rc = err_errno(e, "cannot make %s a plain file again", d->link);
    }
    free(live);
    free(below);
    return rc;
}

/* The guest's disk is the part itself: there is nothing to merge. */
static int keep_live(struct merge *m, struct err *e)
{
    const struct snapshot_disk *d = m->d;
    bool link;

    if (drop_overlay(m, e) || layer_is_link(d->link, &link, e))
        return -1;
    if (link)
        return make_plain(m, e);
    /* A second name of the plain file that the path still is. */
    return strcmp(d->link, d->part) ? layer_unlink(d->part, e) : 0;
}

/* Is the guest's disk the part itself? */
static int is_live(const struct merge *m, bool *yes_r, struct err *e)
{
    *yes_r = m->chain.n && qemu_chain_find(&m->chain, m->d->part) == 0;
    if (*yes_r)
        return 0;
    return layer_is_same(m->d->link, m->d->part, yes_r, e);
}

static int merge_part(struct merge *m, struct err *e)
{
    const char *found;
    char *upper;
    bool live;
    int rc;

    if (is_live(m, &live, e))
        return -1;
    if (live)
        return keep_live(m, e);
    if (find_committed(m, &found, e))
        return -1;
    upper = mem_strdup(found);
    if (upper)
        rc = take_place(m, upper, e);
    else
        rc = find_above(m, e) ? -1 : merge_above(m, e);
    free(upper);
    if (rc)
        return -1;
    return make_plain(m, e);
}

static int merge(struct merge *m, struct err *e)
{
    struct disk_host *h = m->h;
    bool needed;

    if (h->running && (!disk_host_qemu(h, e) ||
                       qemu_end_merge(h->qemu, m->d->part, e) ||
                       (m->d->overlay &&
                        qemu_let_layer(h->qemu, m->d->overlay, e)) ||
                       qemu_drop_first(h->qemu, m->d->path, m->d->link, e)))
        return -1;
    if (look_at_qemu(m, e) || disk_has_part(h, m->d->part, &needed, e))
        return -1;
    /* Is the part another snapshot's by now?  What it replaced has to go. */
    if (needed)
        return each_layer(m, finish_one, NULL, e);
    return merge_part(m, e);
}

/*
 * A layer that was never made, or is gone, is no error; but one that is merely
 * out of sight would come back.
 */
static int check_sight(const struct disk_host *h,
                       const struct snapshot_disk *d, bool *there_r,
                       struct err *e)
{
    if (layer_exists(d->part, there_r, e))
        return -1;
    if (*there_r || h->force || !d->identity ||
        disk_is_gone(d->part, d->identity))
        return 0;
    return err_set(e, SNAP_FAILED, "%s is not there, nor its storage: mount "
                   "that, or use --force if it is gone for good", d->part);
}

int disk_merge(struct disk_host *h, const struct snapshot_disk *d,
               struct err *e)
{
    struct merge m = { .h = h, .d = d };
    bool there, link;
    int rc;

    if (check_sight(h, d, &there, e) || layer_exists(d->link, &link, e))
        return -1;
    if (!link)
        return 0;
    if (there)
        rc = merge(&m, e);
    else
        rc = look_at_qemu(&m, e) ? -1 : make_plain(&m, e);
    merge_free(&m);
    if (rc)
        return -1;
    return layer_tidy(d->link, e);
}

/* The live layer gets another name: who has it by the one that it has now? */
static int check_plain(struct merge *m, struct err *e)
{
    bool used = false;
    char *live;
    int rc;

    if (each_layer(m, same_link, &used, e))
        return -1;
    if (used || !is_our_link(m->d->link))
        return 0;
    live = layer_live(m->d->link, e);
    if (!live)
        return -1;
    rc = check_nobodys(m, live, census_reader(m->h->census, live), e);
    free(live);
    return rc;
}

static int check(struct merge *m, struct err *e)
{
    enum merge_way *ways;
    bool needed, live;
    int rc;

    if (look_at_qemu(m, e) ||
        disk_has_part(m->h, m->d->part, &needed, e) || is_live(m, &live, e))
        return -1;
    if (needed)
        return 0;
    if (find_above(m, e) || check_plain(m, e))
        return -1;
    if (live)
        return 0;
    ways = plan_ways(m);
    rc = check_ways(m, ways, e);
    free(ways);
    return rc;
}

int disk_check_merge(struct disk_host *h, struct snapshot_disk *d,
                     struct err *e)
{
    struct merge m = { .h = h, .d = d };
    bool there, link;
    int rc = 0;

    if (check_sight(h, d, &there, e) || layer_exists(d->link, &link, e))
        return -1;
    if (!link && !h->force && !h->retire)
        return disk_refuse_missing(d->link, e);
    if (!there && !h->force && !h->retire)
        return disk_refuse_missing(d->part, e);
    if (!link)
        return 0;
    /* What a deletion finds live, should it be cut short. */
    free(d->overlay);
    d->overlay = layer_live(d->link, e);
    if (!d->overlay)
        return -1;
    if (there)
        rc = check(&m, e);
    merge_free(&m);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
