/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Copies: a file beside the image with the same bytes, shared with it where
 * the file system can (btrfs, XFS).  The copy is made while nothing writes to
 * the image: the guest is suspended or, cold, gone.  Where QEMU has the image,
 * a job of its copies what the guest has not overwritten yet, and the guest
 * need not wait.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "image/image.h"
#include "qemu/block_job.h"
#include "qemu/chain.h"
#include "qemu/graph.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"

static const char *copy_refuse(const struct domain_disk *disk,
                               const struct disk_request *r)
{
    if (!strcmp(disk->format, "qcow2"))
        return "a qcow2 image has internal or external snapshots, no copies";
    if (disk->medium != MEDIUM_FILE && !(r->type && r->path))
        return "a block device can only be copied to a file: give it "
               "type=copy,path=FILE";
    /* QEMU keeps their tables in memory. */
    if (strcmp(disk->format, "raw") && !r->cold)
        return "an image of this format can only be copied with --cold";
    return NULL;
}

static void copy_name(const struct domain_disk *disk,
                      const struct disk_request *r, struct snapshot_disk *d)
{
    (void)disk;
    d->part = r->path ? mem_strdup(r->path) :
              mem_printf("%s.%s-%s", d->path, r->snapshot, r->unique);
}

/* Room for what the copy will hold; a clone needs less. */
static int check_room(const struct snapshot_disk *d, const struct stat *image,
                      struct err *e)
{
    char *dir = mem_strdup(d->part);
    uint64_t room, need = S_ISBLK(image->st_mode) ? d->virtual_size :
                          (uint64_t)image->st_blocks * 512;
    int fd, rc;

    *strrchr(dir, '/') = '\0';
    fd = open(dir[0] ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        rc = err_errno(e, "cannot open the directory of %s", d->part);
    else
        rc = file_free_space(fd, &room, e);
    if (!rc && room < need)
        rc = err_set(e, SNAP_FAILED, "a copy of %s needs %" PRIu64 " MiB in "
                     "%s, and %" PRIu64 " MiB are free", d->path,
                     need >> 20, dir, room >> 20);
    if (fd >= 0)
        close(fd);
    free(dir);
    return rc;
}

static int copy_check(struct disk_host *h, struct snapshot_disk *d,
                      struct err *e)
{
    struct stat st;

    (void)h;
    if (d->part[0] != '/')
        return err_set(e, SNAP_FAILED, "the path of the copy, %s, is not an "
                       "absolute one", d->part);
    if (!lstat(d->part, &st) || errno != ENOENT)
        return err_set(e, SNAP_FAILED, "%s is there already: choose another "
                       "path for the copy", d->part);
    if (stat(d->path, &st))
        return err_errno(e, "cannot look at %s", d->path);
    d->inode = st.st_ino;
    if (image_size(d->path, &d->virtual_size, e))
        return -1;
    if (d->virtual_size % 512)
        return err_set(e, SNAP_FAILED, "the size of %s is not a multiple of "
                       "512 bytes", d->path);
    return check_room(d, &st, e);
}

/* A job of the domain's QEMU makes the copy. */
static bool by_qemu(const struct disk_host *h, const struct snapshot_disk *d)
{
    return !h->cold && !strcmp(d->backend, "qdisk");
}

static int copy_node(struct qemu *q, const struct snapshot_disk *d,
                     char **node_r, struct err *e)
{
    int rc = qemu_find_node(q, d->path, d->format, node_r, NULL, e);

    if (rc == 0)
        err_set(e, SNAP_FAILED, "the domain's QEMU does not have %s open",
                d->path);
    return rc > 0 ? 0 : -1;
}

static int copy_prepare(struct disk_host *h, const struct snapshot_disk *d,
                        struct err *e)
{
    int fd = open(d->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                  FILE_MODE);
    struct qemu *q;
    char *node;

    if (fd < 0)
        return err_errno(e, "cannot make %s", d->part);
    close(fd);
    if (!by_qemu(h, d))
        return 0;
    q = disk_host_qemu(h, e);
    if (!q || truncate(d->part, (off_t)d->virtual_size))
        return q ? err_errno(e, "cannot make %s", d->part) : -1;
    if (copy_node(q, d, &node, e))
        return -1;
    if (qemu_add_copy(q, d->part, e)) {
        free(node);
        return -1;
    }
    json_object_array_add(h->actions, qemu_copy_action(node, d->part));
    free(node);
    return 0;
}

static int copy_capture(struct disk_host *h, const struct snapshot_disk *d,
                        struct err *e)
{
    if (by_qemu(h, d))
        return 0;
    return image_copy(d->path, d->part, true, e);
}

/* Changes if anyone writes to the copy. */
static int stamp(const char *path, char **stamp_r, struct err *e)
{
    struct stat st;

    if (lstat(path, &st))
        return err_errno(e, "cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, SNAP_FAILED, "%s is not a regular file", path);
    *stamp_r = mem_printf("%" PRIu64 ".%" PRIu64 ".%" PRId64 ".%09ld",
                          (uint64_t)st.st_ino, (uint64_t)st.st_size,
                          (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return 0;
}

static int copy_record(struct disk_host *h, struct snapshot_disk *d,
                       struct err *e)
{
    free(d->stamp);
    d->stamp = NULL;
    if (by_qemu(h, d) && (qemu_wait_copy(h->qemu, d->part, e) ||
                          qemu_drop_layer(h->qemu, d->part, e)))
        return -1;
    if (file_sync_path(d->part, e) || file_sync_parent(d->part, e))
        return -1;
    return stamp(d->part, &d->stamp, e);
}

static int copy_verify(const struct snapshot_disk *d, bool force,
                       struct err *e)
{
    char *now = NULL;
    struct stat st;
    int rc = stamp(d->part, &now, e);

    if (!rc && (!d->stamp || strcmp(now, d->stamp)) && !force)
        rc = err_set(e, SNAP_FAILED, "%s was changed since it was copied from "
                     "%s: use --force if it is right", d->part, d->path);
    if (!rc && stat(d->path, &st))
        rc = err_errno(e, "cannot look at %s, which its copy is to replace",
                       d->path);
    if (!rc && S_ISREG(st.st_mode) && st.st_ino != d->inode && !force)
        rc = err_set(e, SNAP_FAILED, "%s is not the file that was copied: use "
                     "--force if it is to be replaced", d->path);
    free(now);
    return rc;
}

static int copy_apply(const struct snapshot_disk *d, struct err *e)
{
    if (image_copy(d->part, d->path, false, e))
        return -1;
    return file_sync_path(d->path, e);
}

static int copy_remove(struct disk_host *h, const struct snapshot_disk *d,
                       struct err *e)
{
    struct stat st;

    if (h->running && !strcmp(d->backend, "qdisk") &&
        (!disk_host_qemu(h, e) || qemu_drop_copy(h->qemu, d->part, e)))
        return -1;
    if (lstat(d->part, &st))
        return errno == ENOENT ? 0 :
               err_errno(e, "cannot look at %s", d->part);
    if (!S_ISREG(st.st_mode))
        return err_set(e, SNAP_FAILED, "%s is not a regular file: it is not "
                       "the copy that was made", d->part);
    if (unlink(d->part))
        return err_errno(e, "cannot remove %s", d->part);
    return file_sync_parent(d->part, e);
}

const struct disk_ops disk_copy = {
    .type = "copy",
    .refuse = copy_refuse,
    .name = copy_name,
    .check = copy_check,
    .prepare = copy_prepare,
    .capture = copy_capture,
    .record = copy_record,
    .verify = copy_verify,
    .apply = copy_apply,
    .remove = copy_remove,
    .alone = true,
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
