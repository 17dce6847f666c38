/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Internal snapshots of qcow2 images: through QMP while a QEMU holds the
 * image, by qemu-img when nobody does.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/disk.h"
#include "image/image.h"
#include "qemu/graph.h"
#include "qemu/qemu.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"

static const char *internal_refuse(const struct domain_disk *disk,
                                   const struct disk_request *r)
{
    if (strcmp(disk->format, "qcow2"))
        return "only qcow2 images can hold an internal snapshot";
    if (strcmp(disk->backend, "qdisk"))
        return "an internal snapshot needs QEMU as the backend (qdisk)";
    if (r->has_external)
        return "it has external snapshots, whose revert would lose an "
               "internal one: use --external, or delete those first";
    return NULL;
}

static void internal_name(const struct domain_disk *disk,
                          const struct disk_request *r,
                          struct snapshot_disk *d)
{
    (void)disk;
    d->part = mem_strdup(r->snapshot);
}

/* The node of a running domain's image, which must be there. */
static int find_node(struct disk_host *h, const struct snapshot_disk *d,
                     char **node_r, struct image_info *info, struct err *e)
{
    struct qemu *q = disk_host_qemu(h, e);
    int rc = q ? qemu_find_node(q, d->path, d->format, node_r, info, e) : -1;

    if (rc == 0)
        err_set(e, SNAP_FAILED, "the domain's QEMU does not have %s open",
                d->path);
    return rc > 0 ? 0 : -1;
}

static int internal_check(struct disk_host *h, struct snapshot_disk *d,
                          struct err *e)
{
    struct image_info info = { 0 };
    char *node = NULL;
    int rc = -1;

    if (h->cold ? image_info_read(d->path, d->format, &info, e) :
                  find_node(h, d, &node, &info, e))
        goto out;
    if (image_inode(d->path, &d->inode, e))
        goto out;
    d->virtual_size = info.virtual_size;
    if (info.corrupt)
        err_set(e, SNAP_FAILED, "%s is marked corrupt: stop the domain and "
                "run 'qemu-img check -r all' on it", d->path);
    else if (image_info_find(&info, d->part))
        err_set(e, SNAP_FAILED, "%s already has an internal snapshot named "
                "%s: choose another name", d->path, d->part);
    else
        rc = 0;

out:
    image_info_free(&info);
    free(node);
    return rc;
}

static int internal_prepare(struct disk_host *h,
                            const struct snapshot_disk *d, struct err *e)
{
    char *node = NULL;

    if (h->cold)
        return 0;
    if (find_node(h, d, &node, NULL, e))
        return -1;
    json_object_array_add(h->actions, qemu_snapshot_action(node, d->part));
    free(node);
    return 0;
}

static int internal_capture(struct disk_host *h,
                            const struct snapshot_disk *d, struct err *e)
{
    const char *const args[] = {
        "snapshot", "-c", d->part, d->path, NULL
    };

    return h->cold ? image_write(d->path, args, e) : 0;
}

static int internal_record(struct disk_host *h, struct snapshot_disk *d,
                           struct err *e)
{
    struct image_info info = { 0 };
    const struct image_snapshot *snap;
    char *node = NULL;
    int rc = -1;

    if (h->cold ? image_info_read(d->path, d->format, &info, e) :
                  find_node(h, d, &node, &info, e))
        goto out;
    if (file_sync_path(d->path, e))
        goto out;
    snap = image_info_find(&info, d->part);
    if (!snap) {
        err_set(e, SNAP_FAILED, "no internal snapshot was made in %s",
                d->path);
        goto out;
    }
    free(d->stamp);
    d->stamp = mem_strdup(snap->stamp);
    rc = 0;

out:
    image_info_free(&info);
    free(node);
    return rc;
}

static bool is_ours(const struct snapshot_disk *d,
                    const struct image_snapshot *snap)
{
    return snap && (!d->stamp || !strcmp(d->stamp, snap->stamp));
}

static int internal_verify(const struct snapshot_disk *d, bool force,
                           struct err *e)
{
    struct image_info info = { 0 };
    const struct image_snapshot *snap;
    uint64_t inode;
    int rc = -1;

    if (image_inode(d->path, &inode, e) ||
        image_info_read(d->path, d->format, &info, e))
        goto out;
    snap = image_info_find(&info, d->part);
    if (!snap)
        err_set(e, SNAP_FAILED, "%s has no internal snapshot %s: it was "
                "deleted, or the image was replaced", d->path, d->part);
    else if (!is_ours(d, snap))
        err_set(e, SNAP_FAILED, "the internal snapshot %s in %s is not the "
                "one that was taken (made at %s, not %s)", d->part, d->path,
                snap->stamp, d->stamp);
    else if (inode != d->inode && !force)
        err_set(e, SNAP_FAILED, "%s is not the file that was snapshot but "
                "perhaps a copy of it: use --force if it is right", d->path);
    else
        rc = 0;

out:
    image_info_free(&info);
    return rc;
}

static int internal_apply(const struct snapshot_disk *d, struct err *e)
{
    const char *const args[] = {
        "snapshot", "-a", d->part, d->path, NULL
    };

    if (image_write(d->path, args, e))
        return -1;
    return file_sync_path(d->path, e);
}

static int remove_cold(const struct snapshot_disk *d, struct err *e)
{
    const char *const args[] = {
        "snapshot", "-d", d->part, d->path, NULL
    };
    struct image_info info;
    int rc;

    if (image_info_read(d->path, d->format, &info, e))
        return -1;
    rc = is_ours(d, image_info_find(&info, d->part)) ?
         image_write(d->path, args, e) : 0;
    image_info_free(&info);
    return rc ? rc : file_sync_path(d->path, e);
}

static int internal_remove(struct disk_host *h, const struct snapshot_disk *d,
                           struct err *e)
{
    struct image_info info = { 0 };
    struct qemu *q = NULL;
    struct stat st;
    char *node = NULL;
    int rc = 0;

    if (stat(d->path, &st) && errno == ENOENT)
        return 0;           /* the image is gone, and its snapshots with it */
    if (h->running) {
        q = disk_host_qemu(h, e);
        rc = q ? qemu_find_node(q, d->path, d->format, &node, &info, e) : -1;
    }
    if (rc == 0)
        rc = remove_cold(d, e);
    else if (rc > 0)
        rc = is_ours(d, image_info_find(&info, d->part)) ?
             qemu_delete_snapshot(q, node, d->part, e) : 0;
    image_info_free(&info);
    free(node);
    return rc;
}

const struct disk_ops disk_internal = {
    .type = "internal",
    .refuse = internal_refuse,
    .name = internal_name,
    .check = internal_check,
    .prepare = internal_prepare,
    .capture = internal_capture,
    .record = internal_record,
    .verify = internal_verify,
    .apply = internal_apply,
    .remove = internal_remove,
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
