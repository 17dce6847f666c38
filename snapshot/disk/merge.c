/* SPDX-License-Identifier: LGPL-2.1-only */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "disk/merge.h"
#include "disk/merge_plan.h"
#include "image/layer.h"
#include "qemu/block_job.h"
#include "qemu/chain.h"
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
};

static void merge_free(struct merge *m)
{
    qemu_chain_free(&m->chain);
    layer_free_chain(m->above, m->nabove);
    m->above = NULL;
    m->nabove = 0;
}

/*
 * 1 if a create was cut short whose layer is there, and perhaps the link not
 * turned; 0, or -1.  One that cannot be read was not finished.
 */
static int is_new_layer(const struct merge *m, struct err *e)
{
    char *below = NULL;
    struct err ignored;
    int rc = m->d->overlay ? layer_exists(m->d->overlay, e) : 0;

    if (rc > 0)
        rc = !layer_backing(m->d->overlay, &below, &ignored) && below ?
             layer_same(below, m->d->part, e) : 0;
    free(below);
    return rc;
}

/* What QEMU has of the disk now. */
static int look_at_qemu(struct merge *m, struct err *e)
{
    char *live;
    int rc;

    qemu_chain_free(&m->chain);
    m->q = NULL;
    if (!m->h->running)
        return 0;
    m->q = disk_host_qemu(m->h, e);
    rc = m->q ? is_new_layer(m, e) : -1;
    live = rc < 0 ? NULL : rc ? mem_strdup(m->d->overlay) :
           layer_live(m->d->link, e);
    rc = live ? qemu_chain(m->q, m->d->path, m->d->link, live, &m->chain, e) :
         -1;
    if (rc == 0)
        m->q = NULL;
    free(live);
    return rc < 0 ? -1 : 0;
}

/* The layer is there, and is not one of these; or -1. */
static int is_other(const char *layer, const char *part, char *const *seen,
                    size_t n, struct err *e)
{
    int rc = layer_exists(layer, e), same;
    size_t i;

    if (rc <= 0)
        return rc;
    same = layer_same(layer, part, e);
    for (i = 0; !same && i < n; i++)
        same = layer_same(layer, seen[i], e);
    return same < 0 ? -1 : !same;
}

static int add_above(struct merge *m, const char *layer, struct err *e)
{
    char *backing = NULL;
    int rc = layer ? is_other(layer, m->d->part, m->above, m->nabove, e) : 0;

    if (rc > 0)
        rc = layer_backing(layer, &backing, e) ? -1 :
             backing ? layer_same(backing, m->d->part, e) : 0;
    free(backing);
    if (rc > 0) {
        m->above = mem_grow(m->above, m->nabove + 1, sizeof(*m->above));
        m->above[m->nabove++] = mem_strdup(layer);
    }
    return rc < 0 ? -1 : 0;
}

/* Calls fn for each layer of this disk that another snapshot has. */
static int each_part(struct merge *m,
                     int (*fn)(struct merge *m, const char *layer,
                               struct err *e), struct err *e)
{
    size_t i, k;

    for (i = 0; i < m->h->nothers; i++)
        for (k = 0; k < m->h->others[i]->ndisks; k++) {
            const struct snapshot_disk *d = &m->h->others[i]->disks[k];

            if (d->link && !strcmp(d->link, m->d->link) &&
                fn(m, d->part, e))
                return -1;
        }
    return 0;
}

static int find_above(struct merge *m, struct err *e)
{
    char *live, **chain = NULL;
    size_t n = 0, i;
    int rc;

    live = layer_live(m->d->link, e);
    /* All below the live one too, lest one is of no snapshot that we know. */
    rc = live ? layer_chain(live, &chain, &n, e) : -1;
    for (i = 0; !rc && i < n; i++)
        rc = add_above(m, chain[i], e);
    layer_free_chain(chain, n);
    free(live);
    if (!rc)
        rc = add_above(m, m->d->overlay, e);
    return rc ? rc : each_part(m, add_above, e);
}

/* 1 if "layer" belongs to another snapshot or is the live one, 0, or -1. */
static int needed(struct merge *m, const char *layer, struct err *e)
{
    int rc = disk_has_part(m->h, layer, e);

    return rc ? rc : layer_same(m->d->link, layer, e);
}

/* Layers that stood on one that is merged away now stand on "to". */
struct rename {
    const char *from, *to;
};

static int rename_backing(struct merge *m, const char *layer,
                          const struct rename *r, struct err *e)
{
    char *backing;
    int rc = layer && qemu_chain_find(&m->chain, layer) < 0 ?
             is_other(layer, r->from, NULL, 0, e) : 0;

    if (rc <= 0)
        return rc;
    rc = 0;
    if (layer_backing(layer, &backing, e))
        return -1;
    if (backing && !strcmp(backing, r->from))
        rc = layer_rename_backing(layer, r->to, e);
    free(backing);
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
    char *live = NULL;
    size_t i, k;
    int rc;

    if (m->h->moved(m->h->moved_arg, upper, m->d->part, true, e))
        return -1;
    for (i = 0; i < m->h->nothers; i++)
        for (k = 0; k < m->h->others[i]->ndisks; k++)
            if (m->h->others[i]->disks[k].link &&
                rename_backing(m, m->h->others[i]->disks[k].part, &r, e))
                return -1;
    live = layer_live(m->d->link, e);
    rc = live ? layer_same(live, upper, e) : -1;
    if (rc >= 0)
        rc = rc ? layer_point(m->d->link, m->d->part, e) :
             rename_backing(m, live, &r, e);
    free(live);
    return rc ? rc : drop(m, upper, e);
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
    char *below = NULL;
    int rc;

    if (layer_backing(m->d->part, &below, e))
        return -1;
    rc = layer_pull(layer, below, e);
    free(below);
    return rc;
}

/* Noted before: afterwards QEMU still has upper open, out of the chain. */
static int commit_hot(struct merge *m, const char *upper, size_t at,
                      struct err *e)
{
    return m->h->moved(m->h->moved_arg, upper, m->d->part, false, e) ||
           qemu_commit(m->q, &m->chain, at, e) ? -1 : 0;
}

/* The layer that QEMU wrote into the part before a crash, or NULL. */
static const char *committed(const struct merge *m)
{
    size_t i, k;

    if (qemu_chain_find(&m->chain, m->d->part) < 0)
        return NULL;
    for (i = 0; i < m->h->nothers; i++)
        for (k = 0; k < m->h->others[i]->ndisks; k++) {
            const struct snapshot_disk *d = &m->h->others[i]->disks[k];

            if (d->link && d->discard && !strcmp(d->discard, m->d->part) &&
                qemu_chain_find(&m->chain, d->part) < 0)
                return d->part;
        }
    return NULL;
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

/* Is the part another snapshot's by now?  What it replaced has to go. */
static int finish_commit(struct merge *m, struct err *e)
{
    size_t i, k;
    int rc = 0;

    for (i = 0; i < m->h->nothers; i++)
        for (k = 0; !rc && k < m->h->others[i]->ndisks; k++) {
            const struct snapshot_disk *d = &m->h->others[i]->disks[k];

            if (!d->link || strcmp(d->part, m->d->part) || !d->discard)
                continue;
            rc = layer_exists(d->discard, e);
            if (rc > 0)
                rc = take_place(m, d->discard, e);
        }
    return rc;
}

/* The guest never wrote to the overlay: it is as if it had not been made. */
static int drop_overlay(struct merge *m, struct err *e)
{
    const struct snapshot_disk *d = m->d;
    int rc;

    if (!d->overlay)
        return 0;
    rc = layer_same(d->overlay, d->part, e);
    if (rc)
        return rc < 0 ? -1 : 0;
    rc = layer_same(d->link, d->overlay, e);
    if (rc > 0)
        rc = layer_point(d->link, d->part, e);
    if (!rc)
        rc = needed(m, d->overlay, e);
    return rc ? rc < 0 ? -1 : 0 : drop(m, d->overlay, e);
}

/* It leads to a layer of ours: the user may have turned it since. */
static bool is_our_link(const char *link)
{
    char *found = layer_find_link(link);
    bool ours = found && !strcmp(found, link);

    free(found);
    return ours;
}

/*
 * No layers are left: the path is a plain file again.  Not while a QEMU has
 * the layer open by its own name.
 */
static int make_plain(struct merge *m, struct err *e)
{
    const struct snapshot_disk *d = m->d;
    char *live, *below = NULL;
    size_t i, k;
    int rc = layer_is_link(d->link, e);

    if (rc <= 0)
        return rc;
    if (!is_our_link(d->link) ||
        (m->h->running && !(m->chain.n == 1 && m->chain.nodes[0].stale)))
        return 0;
    for (i = 0; i < m->h->nothers; i++)
        for (k = 0; k < m->h->others[i]->ndisks; k++)
            if (m->h->others[i]->disks[k].link &&
                !strcmp(m->h->others[i]->disks[k].link, d->link))
                return 0;
    live = layer_live(d->link, e);
    rc = live ? layer_backing(live, &below, e) : -1;
    if (!rc && !below && rename(live, d->link))
        rc = err_errno(e, "cannot make %s a plain file again", d->link);
    else if (!rc && !below)
        rc = file_sync_parent(d->link, e);
    free(live);
    free(below);
    return rc;
}

/* The guest's disk is the part itself: there is nothing to merge. */
static int keep_live(struct merge *m, struct err *e)
{
    const struct snapshot_disk *d = m->d;
    int rc;

    if (drop_overlay(m, e))
        return -1;
    rc = layer_is_link(d->link, e);
    if (rc)
        return rc < 0 ? -1 : make_plain(m, e);
    /* A second name of the plain file that the path still is. */
    return strcmp(d->link, d->part) ? layer_unlink(d->part, e) : 0;
}

/* 1 if the guest's disk is the part itself, 0, or -1. */
static int is_live(const struct merge *m, struct err *e)
{
    if (m->chain.n && qemu_chain_find(&m->chain, m->d->part) == 0)
        return 1;
    return layer_same(m->d->link, m->d->part, e);
}

static int merge(struct merge *m, struct err *e)
{
    struct disk_host *h = m->h;
    char *upper;
    int rc;

    if (h->running && (!disk_host_qemu(h, e) ||
                       qemu_end_merge(h->qemu, m->d->part, e) ||
                       qemu_drop_first(h->qemu, m->d->path, m->d->link, e)))
        return -1;
    if (look_at_qemu(m, e))
        return -1;
    rc = disk_has_part(h, m->d->part, e);
    if (rc)
        return rc < 0 ? -1 : finish_commit(m, e);
    rc = is_live(m, e);
    if (rc)
        return rc < 0 ? -1 : keep_live(m, e);
    upper = mem_strdup(committed(m));
    if (upper)
        rc = take_place(m, upper, e);
    else
        rc = find_above(m, e) || merge_above(m, e) ? -1 : 0;
    free(upper);
    return rc ? rc : make_plain(m, e);
}

int disk_merge(struct disk_host *h, const struct snapshot_disk *d,
               struct err *e)
{
    struct merge m = { .h = h, .d = d };
    int rc = layer_exists(d->link, e);

    if (rc <= 0)
        return rc;
    rc = layer_exists(d->part, e);
    /* Already gone, or never made. */
    if (rc >= 0)
        rc = rc ? merge(&m, e) : make_plain(&m, e);
    merge_free(&m);
    return rc ? rc : layer_tidy(d->link, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
