/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * External snapshots: the image is frozen under a name of its own and an
 * empty qcow2 layer on top of it takes the writes; the user's path becomes a
 * link to the live layer (layer.h).
 *
 * d->part     the frozen layer, whose content the snapshot is
 * d->link     the path that is, or becomes, the link
 * d->overlay  the live layer that the operation makes or, for a deletion,
 *             finds
 *
 * The link is turned while the guest is suspended, after QEMU's transaction:
 * that makes the node of the frozen layer read-only, for which QEMU opens it
 * again by the name that it was opened with, perhaps the link; and before the
 * guest writes to the new layer.
 */

#include <errno.h>
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
#include "image/identity.h"
#include "image/image.h"
#include "image/layer.h"
#include "image/same.h"
#include "qemu/block_job.h"
#include "qemu/chain.h"
#include "store/record.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
#include "sys/mem.h"

/* In the place of a snapshot's name in a file's, and never one itself. */
#define FIRST_LAYER "+base"

static const char *external_refuse(const struct domain_disk *disk,
                                   const struct disk_request *r)
{
    if (strcmp(disk->format, "qcow2"))
        return "an external snapshot needs a qcow2 image, as its format is "
               "what the new layer has";
    if (strcmp(disk->backend, "qdisk"))
        return "an external snapshot needs QEMU as the backend (qdisk)";
    if (disk->medium != MEDIUM_FILE)
        return "an external snapshot needs an image file";
    if (disk_others_have(r->others, "internal"))
        return "it has internal snapshots, which a revert to an external one "
               "would lose: use --internal, or delete those first";
    return NULL;
}

static void external_name(const struct domain_disk *disk,
                          const struct disk_request *r,
                          struct snapshot_disk *d)
{
    const char *link = disk->live;

    if (disk->link)
        link = disk->link;
    if (r->others && r->others->link)
        link = r->others->link;
    d->link = mem_strdup(link);
    /* The first one freezes the image itself, under a second name. */
    if (strcmp(disk->live, d->link))
        d->part = mem_strdup(disk->live);
    else
        d->part = layer_name(d->link, FIRST_LAYER, r->unique);
    if (r->path)
        d->overlay = mem_strdup(r->path);
    else
        d->overlay = layer_name(d->link, r->snapshot, r->unique);
}

/* Is the path still the image itself? */
static int is_first(const struct snapshot_disk *d, bool *first_r,
                    struct err *e)
{
    bool link;

    if (layer_is_link(d->link, &link, e))
        return -1;
    *first_r = !link;
    return 0;
}

static int check_paths(const struct snapshot_disk *d, struct err *e)
{
    bool first, there, fits;

    if (!record_path_is_safe(d->overlay))
        return err_set(e, SNAP_FAILED, "the path of the new layer, %s, is not "
                       "an absolute one without '..'", d->overlay);
    if (layer_exists(d->overlay, &there, e))
        return -1;
    if (there)
        return err_set(e, SNAP_FAILED, "%s is there already: choose another "
                       "path for the new layer", d->overlay);
    if (is_first(d, &first, e))
        return -1;
    if (first)
        fits = !layer_exists(d->part, &there, e) && !there;
    else if (layer_is_same(d->link, d->part, &fits, e))
        return -1;
    if (!fits)
        return err_set(e, SNAP_FAILED, "%s is not the link to the live layer "
                       "that it should be", d->link);
    return 0;
}

/*
 * What stands on the image by its path would, from the moment when that is a
 * link to the live overlay, read what the guest writes.
 */
static int check_clones(struct disk_host *h, const struct snapshot_disk *d,
                        struct err *e)
{
    const char *user = census_reader(h->census, d->path);
    char *clone;

    if (user && !h->force)
        return err_set(e, SNAP_FAILED, "%s is also used by %s, which an "
                       "external snapshot would harm: use --internal", d->path,
                       user);
    if (census_find_clone(d->path, NULL, 0, &clone, e))
        return -1;
    if (clone)
        err_set(e, SNAP_FAILED, "%s stands on %s, which an external snapshot "
                "would change under it: use --internal, or move it away",
                clone, d->path);
    free(clone);
    return clone ? -1 : 0;
}

/* What the end of the snapshot would lose, or QEMU refuse. */
static int check_image(const struct snapshot_disk *d,
                       const struct image_info *info, struct err *e)
{
    if (info->corrupt)
        return err_set(e, SNAP_FAILED, "%s is marked corrupt: shut the domain "
                       "down and run 'qemu-img check -r all' on it", d->path);
    if (info->data_file)
        return err_set(e, SNAP_FAILED, "%s keeps its data in another file, "
                       "which an external snapshot does not cover", d->path);
    if (info->encrypted)
        return err_set(e, SNAP_FAILED, "%s is encrypted: a layer on top of it "
                       "would not be; use --internal", d->path);
    if (info->nsnapshots)
        return err_set(e, SNAP_FAILED, "%s has internal snapshots ('%s'), "
                       "which would be out of reach behind an external one: "
                       "use --internal, or delete those with 'qemu-img "
                       "snapshot -d' while the domain is shut down", d->path,
                       info->snapshots[0].name);
    return 0;
}

/* The node that the guest writes to. */
static int live_node(struct disk_host *h, const struct snapshot_disk *d,
                     char **node_r, struct err *e)
{
    struct qemu *q = disk_host_qemu(h, e);
    char *live = layer_live(d->link, e);
    struct chain c = { 0 };
    int rc = -1;

    *node_r = NULL;
    if (q && live)
        rc = qemu_chain(q, d->path, d->link, live, &c, e);
    if (rc > 0)
        *node_r = mem_strdup(c.nodes[0].name);
    else if (rc == 0)
        rc = err_set(e, SNAP_FAILED, "the domain's QEMU does not have %s "
                     "open", d->path);
    qemu_chain_free(&c);
    free(live);
    return rc > 0 ? 0 : -1;
}

static int external_check(struct disk_host *h, struct snapshot_disk *d,
                          struct err *e)
{
    struct image_info info = { 0 };
    char *node = NULL;
    int rc = -1;

    if (check_paths(d, e) || check_clones(h, d, e) ||
        image_check_chain(d->link, d->format, &info, e))
        return -1;
    if (!h->cold && live_node(h, d, &node, e))
        goto out;
    if (check_image(d, &info, e))
        goto out;
    d->virtual_size = info.virtual_size;
    rc = disk_identify(d->link, &d->identity, e);

out:
    image_info_free(&info);
    free(node);
    return rc;
}

static int external_prepare(struct disk_host *h, struct snapshot_disk *d,
                            struct err *e)
{
    char *node = NULL;
    bool first;
    int rc = -1;

    if (is_first(d, &first, e) || (!h->cold && live_node(h, d, &node, e)))
        return -1;
    if (first && link(d->link, d->part)) {
        err_errno(e, "cannot give %s the second name %s", d->link, d->part);
        goto out;
    }
    if (layer_create(d->overlay, d->part, d->virtual_size, e) ||
        disk_identify(d->overlay, &d->part_identity, e))
        goto out;
    if (!h->cold) {
        if (qemu_add_layer(h->qemu, d->overlay, node, e))
            goto out;
        json_object_array_add(h->actions,
                              qemu_overlay_action(node, d->overlay));
    }
    rc = 0;

out:
    free(node);
    return rc;
}

static int external_capture(struct disk_host *h,
                            const struct snapshot_disk *d, struct err *e)
{
    (void)h;
    return layer_point(d->link, d->overlay, e);
}

/* Does the guest write to the new layer, which the link does not lead to? */
static int external_rescue(struct disk_host *h,
                           const struct snapshot_disk *d, struct err *e)
{
    struct chain c = { 0 };
    struct qemu *q;
    bool there, linked;
    int rc;

    if (layer_exists(d->overlay, &there, e))
        return -1;
    if (!there)
        return 0;
    if (layer_is_same(d->link, d->overlay, &linked, e))
        return -1;
    if (linked)
        return 0;
    q = disk_host_qemu(h, e);
    if (!q)
        return -1;
    rc = qemu_chain(q, d->path, d->link, d->overlay, &c, e);
    if (rc > 0) {
        rc = 0;
        if (qemu_chain_find(&c, d->overlay) == 0)
            rc = layer_point(d->link, d->overlay, e);
    }
    qemu_chain_free(&c);
    return rc;
}

static int external_stop(struct disk_host *h, const struct snapshot_disk *d,
                         struct err *e)
{
    if (!disk_host_qemu(h, e) || qemu_end_merge(h->qemu, d->part, e))
        return -1;
    return d->overlay ? qemu_let_layer(h->qemu, d->overlay, e) : 0;
}

static int external_finish(struct disk_host *h, struct snapshot_disk *d,
                           struct err *e)
{
    if (!h->cold && qemu_let_layer(h->qemu, d->overlay, e))
        return -1;
    if (disk_identify(d->part, &d->identity, e) ||
        file_sync_path(d->part, e) || file_sync_path(d->overlay, e))
        return -1;
    return 0;
}

/* A file that has taken the place of the link is the user's. */
static int check_link(const struct snapshot_disk *d, struct err *e)
{
    bool there, first, same;

    if (layer_exists(d->link, &there, e))
        return -1;
    if (!there)
        return 0;
    if (is_first(d, &first, e))
        return -1;
    if (!first)
        return 0;
    if (layer_is_same(d->link, d->part, &same, e))
        return -1;
    if (same)
        return 0;
    return err_set(e, SNAP_FAILED, "%s is not a link any more but a file of "
                   "its own, which a revert would lose: move it away first",
                   d->link);
}

static int external_verify(const struct snapshot_disk *d, bool force,
                           struct err *e)
{
    struct image_info info;
    bool smaller;

    if (disk_check_identity(d->part, d->identity, d->inode, force, e) ||
        check_link(d, e) || image_check_chain(d->part, d->format, &info, e))
        return -1;
    smaller = info.virtual_size < d->virtual_size;
    image_info_free(&info);
    if (smaller && !force)
        return err_set(e, SNAP_FAILED, "%s has been made smaller than it was: "
                       "use --force to revert to it all the same", d->part);
    return 0;
}

/* Did we make the layer: by its name, or as a snapshot's overlay? */
static int is_made(const struct disk_host *h, const struct snapshot_disk *d,
                   const char *live, bool *yes_r, struct err *e)
{
    const char *slash = strrchr(live, '/'), *name = strrchr(d->link, '/');
    size_t i, k;

    *yes_r = slash && name && layer_is_ours(name, slash);
    for (i = 0; !*yes_r && i < h->nothers; i++)
        for (k = 0; !*yes_r && k < h->others[i]->ndisks; k++) {
            const char *overlay = h->others[i]->disks[k].overlay;

            if (overlay && layer_is_same(overlay, live, yes_r, e))
                return -1;
        }
    return 0;
}

/*
 * Is the live layer nobody's?  One that another domain, a clone of the user's
 * or an internal snapshot of his needs stays.  A domain for which it is only
 * what the link leads to gets the new one.
 */
static int is_unneeded(struct disk_host *h, const struct snapshot_disk *d,
                       const char *live, bool *yes_r, struct err *e)
{
    struct image_info info;
    struct err ignored;
    char *clone;
    bool needed, linked, made;

    *yes_r = false;
    if (!strcmp(live, d->part))
        return 0;
    if (layer_is_link(d->link, &linked, e) ||
        disk_has_part(h, live, &needed, e) ||
        is_made(h, d, live, &made, e))
        return -1;
    if (!linked || needed || !made || !h->census ||
        census_unreadable(h->census) || census_reader(h->census, live))
        return 0;
    if (census_find_clone(live, NULL, 0, &clone, e))
        return -1;
    /* One that is damaged is what a revert gets away from. */
    if (!clone && !image_info_read(live, d->format, &info, &ignored)) {
        *yes_r = !info.nsnapshots && !info.nbitmaps;
        image_info_free(&info);
    }
    free(clone);
    return 0;
}

/* Before a revert: a new live layer; the present one goes if nobody needs it. */
static int external_aim(struct disk_host *h, const char *snapshot,
                        const char *unique, struct snapshot_disk *d,
                        struct err *e)
{
    char *live = realpath(d->link, NULL);
    bool drop = false;
    int rc = -1;

    /* A link that leads nowhere is put right by the revert. */
    if (live && is_unneeded(h, d, live, &drop, e))
        goto out;
    free(d->overlay);
    free(d->discard);
    d->overlay = layer_name(d->link, snapshot, unique);
    d->discard = drop ? mem_strdup(live) : NULL;
    rc = 0;

out:
    free(live);
    return rc;
}

static int external_ready(const struct snapshot_disk *d, struct err *e)
{
    struct image_info info;
    int rc;

    if (image_info_read(d->part, d->format, &info, e))
        return -1;
    rc = layer_create(d->overlay, d->part, info.virtual_size, e);
    image_info_free(&info);
    return rc;
}

/*
 * Once the link leads to it, it is the guest's disk, and the one before has
 * nobody any more.
 */
static int external_unready(const struct snapshot_disk *d, struct err *e)
{
    bool linked;

    if (layer_is_same(d->link, d->overlay, &linked, e) ||
        layer_tidy(d->link, e))
        return -1;
    if (!linked)
        return layer_unlink(d->overlay, e);
    return d->discard ? layer_unlink(d->discard, e) : 0;
}

static int external_apply(const struct snapshot_disk *d, struct err *e)
{
    struct stat st;
    bool linked;

    if (layer_is_same(d->link, d->overlay, &linked, e))
        return -1;
    if (!linked && !stat(d->link, &st) &&
        image_check_free(d->link, NULL, HOLDER_WAIT_S, e))
        return -1;
    if (!linked && layer_point(d->link, d->overlay, e))
        return -1;
    return d->discard ? layer_unlink(d->discard, e) : 0;
}

static int external_source_open(const struct snapshot_disk *d,
                                struct disk_source *src, struct err *e)
{
    (void)e;
    src->path = mem_strdup(d->part);
    src->format = d->format;
    return 0;
}

static int external_is_pristine(const struct snapshot_disk *d, bool *yes_r,
                                struct err *e)
{
    bool linked;

    *yes_r = false;
    if (!d->overlay)
        return 0;
    if (layer_is_same(d->link, d->overlay, &linked, e))
        return -1;
    if (!linked)
        return 0;
    return image_is_empty_overlay(d->overlay, yes_r, e);
}

static int external_parse(json_object *o, struct json_at at,
                          struct snapshot_disk *d, struct err *e)
{
    if (record_path(o, "file", at, &d->part, e) ||
        record_path(o, "link", at, &d->link, e) ||
        record_opt_path(o, "overlay", at, &d->overlay, e) ||
        record_opt_path(o, "discard", at, &d->discard, e))
        return -1;
    return 0;
}

static void external_write(json_object *o, const struct snapshot_disk *d)
{
    json_add_str(o, "file", d->part);
    record_set_str(o, "link", d->link);
    record_set_str(o, "overlay", d->overlay);
    record_set_str(o, "discard", d->discard);
}

const struct disk_ops disk_external = {
    .record = { .type = "external", .parse = external_parse,
                .write = external_write },
    .refuse = external_refuse,
    .name = external_name,
    .check = external_check,
    .prepare = external_prepare,
    .capture = external_capture,
    .rescue = external_rescue,
    .stop = external_stop,
    .finish = external_finish,
    .verify = external_verify,
    .aim = external_aim,
    .ready = external_ready,
    .unready = external_unready,
    .apply = external_apply,
    .is_pristine = external_is_pristine,
    .source_open = external_source_open,
    .check_remove = disk_check_merge,
    .remove = disk_merge,
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
