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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "disk/merge.h"
#include "image/image.h"
#include "image/layer.h"
#include "qemu/chain.h"
#include "sys/err.h"
#include "sys/file.h"
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
    if (r->has_internal)
        return "it has internal snapshots, which a revert to an external one "
               "would lose: use --internal, or delete those first";
    return NULL;
}

static void external_name(const struct domain_disk *disk,
                          const struct disk_request *r,
                          struct snapshot_disk *d)
{
    d->link = mem_strdup(r->link ? r->link :
                         disk->link ? disk->link : disk->live);
    /* The first one freezes the image itself, under a second name. */
    d->part = strcmp(disk->live, d->link) ? mem_strdup(disk->live) :
              layer_name(d->link, FIRST_LAYER, r->unique);
    d->overlay = r->path ? mem_strdup(r->path) :
                 layer_name(d->link, r->snapshot, r->unique);
}

/* 1 if the path is still the image itself, 0, or -1. */
static int is_first(const struct snapshot_disk *d, struct err *e)
{
    int rc = layer_is_link(d->link, e);

    return rc < 0 ? -1 : !rc;
}

static int check_paths(const struct snapshot_disk *d, struct err *e)
{
    int rc, first;

    if (d->overlay[0] != '/')
        return err_set(e, SNAP_FAILED, "the path of the new layer, %s, is not "
                       "an absolute one", d->overlay);
    rc = layer_exists(d->overlay, e);
    if (rc)
        return rc < 0 ? -1 :
               err_set(e, SNAP_FAILED, "%s is there already: choose another "
                       "path for the new layer", d->overlay);
    first = is_first(d, e);
    rc = first < 0 ? -1 : first ? layer_exists(d->part, e) :
         layer_same(d->link, d->part, e);
    if (rc < 0)
        return -1;
    if (rc == first)
        return err_set(e, SNAP_FAILED, "%s is not the link to the live layer "
                       "that it should be", d->link);
    return 0;
}

/* The node that the guest writes to; 0 if QEMU does not have the disk. */
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
    struct image_info info;
    char *node = NULL;
    int rc;

    if (check_paths(d, e) || (!h->cold && live_node(h, d, &node, e)) ||
        image_inode(d->link, &d->inode, e) ||
        image_info_read(d->link, d->format, &info, e)) {
        free(node);
        return -1;
    }
    free(node);
    d->virtual_size = info.virtual_size;
    rc = info.corrupt ? err_set(e, SNAP_FAILED, "%s is marked corrupt: stop "
                                "the domain and run 'qemu-img check -r all' "
                                "on it", d->path) : 0;
    image_info_free(&info);
    return rc;
}

static int external_prepare(struct disk_host *h,
                            const struct snapshot_disk *d, struct err *e)
{
    int rc = -1, first = is_first(d, e);
    char *node = NULL;

    if (first < 0 || (!h->cold && live_node(h, d, &node, e)))
        return -1;
    if (first && link(d->link, d->part)) {
        err_errno(e, "cannot give %s the second name %s", d->link, d->part);
        goto out;
    }
    if (layer_create(d->overlay, d->part, d->virtual_size, e))
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

/* Before the guest goes on after a failure: does it write to the new layer? */
static int external_rescue(struct disk_host *h,
                           const struct snapshot_disk *d, struct err *e)
{
    struct chain c = { 0 };
    struct qemu *q;
    int rc;

    rc = layer_exists(d->overlay, e);
    if (rc > 0) {
        rc = layer_same(d->link, d->overlay, e);
        rc = rc < 0 ? -1 : !rc;
    }
    if (rc <= 0)
        return rc;
    q = disk_host_qemu(h, e);
    rc = q ? qemu_chain(q, d->path, d->link, d->overlay, &c, e) : -1;
    if (rc > 0)
        rc = qemu_chain_find(&c, d->overlay) == 0 ?
             layer_point(d->link, d->overlay, e) : 0;
    qemu_chain_free(&c);
    return rc;
}

static int external_record(struct disk_host *h, struct snapshot_disk *d,
                           struct err *e)
{
    (void)h;
    return image_inode(d->part, &d->inode, e) || file_sync_path(d->part, e) ||
           file_sync_path(d->overlay, e) ? -1 : 0;
}

static int external_verify(const struct snapshot_disk *d, bool force,
                           struct err *e)
{
    struct stat st;
    char **layers;
    size_t n;
    int rc;

    if (lstat(d->part, &st))
        return err_errno(e, "cannot look at %s, the layer of the snapshot",
                         d->part);
    if (!S_ISREG(st.st_mode) || (st.st_ino != d->inode && !force))
        return err_set(e, SNAP_FAILED, "%s is not the file that was snapshot "
                       "but perhaps a copy of it: use --force if it is right",
                       d->part);
    rc = layer_exists(d->link, e);
    if (rc > 0)
        rc = is_first(d, e);
    if (rc > 0) {
        rc = layer_same(d->link, d->part, e);
        rc = rc < 0 ? -1 : !rc;
    }
    if (rc < 0)
        return -1;
    if (rc)
        return err_set(e, SNAP_FAILED, "%s is not a link any more but a file "
                       "of its own, which a revert would lose: move it away "
                       "first", d->link);
    if (layer_chain(d->part, &layers, &n, e))
        return -1;
    layer_free_chain(layers, n);
    return 0;
}

/* Before a revert: a new live layer; the present one goes if nobody needs it. */
static int external_aim(struct disk_host *h, const char *snapshot,
                        const char *unique, struct snapshot_disk *d,
                        struct err *e)
{
    int rc = layer_exists(d->link, e);
    char *live = rc > 0 ? layer_live(d->link, e) : NULL;

    if (rc < 0 || (rc && !live))
        return -1;
    free(d->overlay);
    free(d->discard);
    d->discard = NULL;
    if (!snapshot) {
        d->overlay = live;
        return 0;
    }
    d->overlay = layer_name(d->link, snapshot, unique);
    rc = live && strcmp(live, d->part) ? layer_is_link(d->link, e) : 0;
    if (rc > 0) {
        rc = disk_has_part(h, live, e);
        if (!rc)
            d->discard = mem_strdup(live);
    }
    free(live);
    return rc < 0 ? -1 : 0;
}

/* The live layer becomes a new one on top of the snapshot's. */
static int start_again(const struct snapshot_disk *d, struct err *e)
{
    struct image_info info;
    int rc = layer_exists(d->link, e);

    if (rc < 0 ||
        (rc && image_check_free(d->link, NULL, HOLDER_WAIT_S, e)) ||
        image_info_read(d->part, d->format, &info, e))
        return -1;
    rc = layer_create(d->overlay, d->part, info.virtual_size, e);
    image_info_free(&info);
    return rc ? rc : layer_point(d->link, d->overlay, e);
}

static int external_apply(const struct snapshot_disk *d, struct err *e)
{
    int rc = layer_same(d->link, d->overlay, e);

    /* It is made once: later its user may have started from it. */
    if (rc < 0 || (!rc && start_again(d, e)))
        return -1;
    return d->discard ? layer_unlink(d->discard, e) : 0;
}

const struct disk_ops disk_external = {
    .type = "external",
    .refuse = external_refuse,
    .name = external_name,
    .check = external_check,
    .prepare = external_prepare,
    .capture = external_capture,
    .rescue = external_rescue,
    .record = external_record,
    .verify = external_verify,
    .aim = external_aim,
    .apply = external_apply,
    .remove = disk_merge,
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
