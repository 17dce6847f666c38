/* SPDX-License-Identifier: LGPL-2.1-only */

/* Internal snapshots: kept by QEMU inside the qcow2 image. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/census.h"
#include "disk/disk.h"
#include "disk/kind.h"
#include "image/image.h"
#include "image/same.h"
#include "qemu/graph.h"
#include "qemu/qemu.h"
#include "store/record.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
#include "sys/mem.h"

static const char *internal_refuse(const struct domain_disk *disk,
                                   const struct disk_request *r)
{
    if (strcmp(disk->format, "qcow2"))
        return "only qcow2 images can hold an internal snapshot";
    if (strcmp(disk->backend, "qdisk"))
        return "an internal snapshot needs QEMU as the backend (qdisk)";
    if (disk_others_have(r->others, "external"))
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

/* What would make a snapshot impossible, or one that nobody can revert to. */
static int check_image(const struct snapshot_disk *d,
                       const struct image_info *info, struct err *e)
{
    if (info->corrupt)
        return err_set(e, SNAP_FAILED, "%s is marked corrupt: shut the domain "
                       "down and run 'qemu-img check -r all' on it", d->path);
    if (info->data_file)
        return err_set(e, SNAP_FAILED, "%s keeps its data in another file, "
                       "which an internal snapshot does not cover", d->path);
    if (info->refcount_bits && info->refcount_bits < 16 &&
        info->nsnapshots + 2 > (1u << info->refcount_bits) - 1)
        return err_set(e, SNAP_FAILED, "%s has reference counts of %u bits, "
                       "too narrow for another internal snapshot: convert it "
                       "with 'qemu-img convert', or use --external", d->path,
                       info->refcount_bits);
    return 0;
}

/* QEMU reverts no image that has them. */
static int check_bitmaps(const struct snapshot_disk *d,
                         const struct image_info *info, struct err *e)
{
    if (!info->nbitmaps)
        return 0;
    return err_set(e, SNAP_FAILED, "%s has %u persistent dirty bitmap%s, with "
                   "which QEMU reverts to no internal snapshot: remove %s "
                   "with 'qemu-img bitmap --remove' while the domain is shut "
                   "down, or use --external", d->path, info->nbitmaps,
                   info->nbitmaps == 1 ? "" : "s",
                   info->nbitmaps == 1 ? "it" : "them");
}

static int internal_check(struct disk_host *h, struct snapshot_disk *d,
                          struct err *e)
{
    struct image_info info = { 0 };
    char *node = NULL;
    int rc = -1;

    if (image_check_chain(d->path, d->format, &info, e))
        return -1;
    if (!h->cold && find_node(h, d, &node, NULL, e))
        goto out;
    if (check_image(d, &info, e) || check_bitmaps(d, &info, e))
        goto out;
    if (image_info_find(&info, d->part)) {
        err_set(e, SNAP_FAILED, "%s already has an internal snapshot named "
                "'%s': choose another name", d->path, d->part);
        goto out;
    }
    d->virtual_size = info.virtual_size;
    rc = disk_identify(d->path, &d->identity, e);

out:
    image_info_free(&info);
    free(node);
    return rc;
}

static int internal_prepare(struct disk_host *h, struct snapshot_disk *d,
                            struct err *e)
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

    if (!h->cold)
        return 0;
    return image_write(d->path, args, e);
}

/* What QEMU, or qemu-img if it has not the image, says of it. */
static int read_info(struct disk_host *h, const struct snapshot_disk *d,
                     struct image_info *info, struct err *e)
{
    char *node = NULL;
    int rc;

    if (h->cold)
        return image_info_read(d->path, d->format, info, e);
    rc = find_node(h, d, &node, info, e);
    free(node);
    return rc;
}

static int internal_finish(struct disk_host *h, struct snapshot_disk *d,
                           struct err *e)
{
    struct image_info info = { 0 };
    const struct image_snapshot *snap;
    int rc = -1;

    if (read_info(h, d, &info, e) || file_sync_path(d->path, e))
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
    return rc;
}

static bool is_ours(const struct snapshot_disk *d,
                    const struct image_snapshot *snap)
{
    return snap && (!d->stamp || !strcmp(d->stamp, snap->stamp));
}

/*
 * The snapshot's own proof is its name and the moment when it was made; an
 * image that was copied to another place has it, too, and is as good.
 */
static int verify_info(const struct snapshot_disk *d,
                       const struct image_info *info, bool force,
                       struct err *e)
{
    const struct image_snapshot *snap = image_info_find(info, d->part);

    if (!snap)
        return err_set(e, SNAP_FAILED, "%s has no internal snapshot '%s': it "
                       "was deleted, or the image was replaced", d->path,
                       d->part);
    if (!is_ours(d, snap))
        return err_set(e, SNAP_FAILED, "the internal snapshot '%s' in %s is "
                       "not the one that was taken (made at %s, not %s)",
                       d->part, d->path, snap->stamp, d->stamp);
    if (info->virtual_size < d->virtual_size && !force)
        return err_set(e, SNAP_FAILED, "%s has been made smaller than it was: "
                       "use --force to revert to '%s' all the same", d->path,
                       d->part);
    if (!d->identity)
        return disk_check_identity(d->path, NULL, d->inode, force, e);
    return 0;
}

static int internal_verify(const struct snapshot_disk *d, bool force,
                           struct err *e)
{
    struct image_info info = { 0 };
    int rc = -1;

    if (image_check_chain(d->path, d->format, &info, e))
        return -1;
    if (!verify_info(d, &info, force, e) && !check_image(d, &info, e) &&
        !check_bitmaps(d, &info, e))
        rc = 0;
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

static int internal_source_open(const struct snapshot_disk *d,
                                struct disk_source *src, struct err *e)
{
    (void)e;
    src->path = mem_strdup(d->path);
    src->format = d->format;
    src->snapshot = d->part;
    return 0;
}

static int internal_is_pristine(const struct snapshot_disk *d, bool *yes_r,
                                struct err *e)
{
    struct content live = { d->path, d->format, NULL };
    struct content part = { d->path, d->format, d->part };
    struct image_info info;
    bool ours;

    *yes_r = false;
    if (image_info_read(d->path, d->format, &info, e))
        return -1;
    ours = is_ours(d, image_info_find(&info, d->part));
    image_info_free(&info);
    if (!ours)
        return 0;
    return image_same(&live, &part, yes_r, e);
}

/*
 * An image that is not to be seen may come back, with the snapshot in it: that
 * is not for a deletion to ignore.
 */
static int find_image(const struct disk_host *h,
                      const struct snapshot_disk *d, bool *there_r,
                      struct err *e)
{
    struct stat st;

    *there_r = !stat(d->path, &st);
    if (*there_r)
        return 0;
    if (errno != ENOENT && errno != ENOTDIR)
        return err_errno(e, "cannot look at %s", d->path);
    if (h->force || (h->retire && disk_is_gone(d->path, d->identity)))
        return 0;
    return disk_refuse_missing(d->path, e);
}

static int internal_check_remove(struct disk_host *h, struct snapshot_disk *d,
                                 struct err *e)
{
    const char *other = census_same_part(h->census, d);
    bool there;

    if (other && !h->force)
        return err_set(e, SNAP_FAILED, "the internal snapshot '%s' in %s is "
                       "also in the list of domain %s: use --force to delete "
                       "it all the same", d->part, d->path, other);
    return find_image(h, d, &there, e);
}

static int remove_cold(const struct snapshot_disk *d, struct err *e)
{
    const char *const args[] = {
        "snapshot", "-d", d->part, d->path, NULL
    };
    struct image_info info;
    bool ours;

    if (image_info_read(d->path, d->format, &info, e))
        return -1;
    ours = is_ours(d, image_info_find(&info, d->part));
    image_info_free(&info);
    if (ours && image_write(d->path, args, e))
        return -1;
    return file_sync_path(d->path, e);
}

static int remove_hot(struct qemu *q, const char *node,
                      const struct snapshot_disk *d,
                      const struct image_info *info, struct err *e)
{
    if (!is_ours(d, image_info_find(info, d->part)))
        return 0;
    return qemu_delete_snapshot(q, node, d->part, e);
}

/*
 * An undo has no stamp to know the snapshot by: in another image, one of that
 * name is the user's.
 */
static int look_for_same(const struct snapshot_disk *d, bool *there_r,
                       struct err *e)
{
    enum id_match match;

    if (d->stamp || !d->identity)
        return 0;
    if (disk_compare(d->path, d->identity, 0, &match, e))
        return -1;
    *there_r = match != ID_OTHER;
    return 0;
}

static int internal_remove(struct disk_host *h, const struct snapshot_disk *d,
                           struct err *e)
{
    struct image_info info = { 0 };
    struct qemu *q = NULL;
    char *node = NULL;
    bool there;
    int rc = 0;

    if (find_image(h, d, &there, e))
        return -1;
    if (there && look_for_same(d, &there, e))
        return -1;
    if (!there)
        return 0;
    if (h->running) {
        q = disk_host_qemu(h, e);
        if (!q)
            return -1;
        rc = qemu_find_node(q, d->path, d->format, &node, &info, e);
    }
    if (rc == 0)
        rc = remove_cold(d, e);
    else if (rc > 0)
        rc = remove_hot(q, node, d, &info, e);
    image_info_free(&info);
    free(node);
    return rc;
}

static int internal_parse(json_object *o, struct json_at at,
                          struct snapshot_disk *d, struct err *e)
{
    if (record_name(o, "snapshot", at, &d->part, e) ||
        record_opt_str(o, "stamp", at, &d->stamp, e))
        return -1;
    return 0;
}

static void internal_write(json_object *o, const struct snapshot_disk *d)
{
    json_add_str(o, "snapshot", d->part);
    record_set_str(o, "stamp", d->stamp);
}

const struct disk_ops disk_internal = {
    .record = { .type = "internal", .parse = internal_parse,
                .write = internal_write },
    .refuse = internal_refuse,
    .name = internal_name,
    .check = internal_check,
    .prepare = internal_prepare,
    .capture = internal_capture,
    .finish = internal_finish,
    .verify = internal_verify,
    .apply = internal_apply,
    .is_pristine = internal_is_pristine,
    .source_open = internal_source_open,
    .check_remove = internal_check_remove,
    .remove = internal_remove,
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
