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

#include "disk/census.h"
#include "disk/disk.h"
#include "disk/kind.h"
#include "image/identity.h"
#include "image/image.h"
#include "image/layer.h"
#include "image/same.h"
#include "qemu/block_job.h"
#include "qemu/chain.h"
#include "qemu/graph.h"
#include "store/record.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
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

static int no_room(const char *from, const char *to, uint64_t need,
                   uint64_t room, struct err *e)
{
    return err_set(e, SNAP_FAILED, "a copy of %s to %s needs %" PRIu64 " MiB, "
                   "and %" PRIu64 " MiB are free there", from, to,
                   (need >> 20) + 1, room >> 20);
}

static int free_room(const char *folder, uint64_t *room_r, struct err *e)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0)
        return err_errno(e, "cannot open %s", folder);
    rc = file_free_space(fd, room_r, e);
    close(fd);
    return rc;
}

/* Room for what the copies will hold, of all disks; a clone needs less. */
static int check_room(struct disk_host *h, const struct snapshot_disk *d,
                      const struct stat *image, struct err *e)
{
    char *dir = layer_folder(d->part);
    uint64_t room, need = (uint64_t)image->st_blocks * 512;
    int rc = free_room(dir, &room, e);

    if (S_ISBLK(image->st_mode))
        need = d->virtual_size;
    need = disk_claim(h, dir, need);
    if (!rc && room < need)
        rc = no_room(d->path, dir, need, room, e);
    free(dir);
    return rc;
}

static int copy_check(struct disk_host *h, struct snapshot_disk *d,
                      struct err *e)
{
    struct image_info info;
    struct stat st;

    if (!record_path_is_safe(d->part))
        return err_set(e, SNAP_FAILED, "the path of the copy, %s, is not an "
                       "absolute one without '..'", d->part);
    if (!lstat(d->part, &st) || errno != ENOENT)
        return err_set(e, SNAP_FAILED, "%s is there already: choose another "
                       "path for the copy", d->part);
    if (stat(d->path, &st))
        return err_errno(e, "cannot look at %s", d->path);
    if (strcmp(d->format, "raw")) {
        if (image_check_chain(d->path, d->format, &info, e))
            return -1;
        image_info_free(&info);
    }
    if (image_size(d->path, &d->virtual_size, e))
        return -1;
    if (d->virtual_size % 512)
        return err_set(e, SNAP_FAILED, "the size of %s is not a multiple of "
                       "512 bytes", d->path);
    if (disk_identify(d->path, &d->identity, e))
        return -1;
    return check_room(h, d, &st, e);
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

static int copy_prepare(struct disk_host *h, struct snapshot_disk *d,
                        struct err *e)
{
    int fd = open(d->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                  FILE_MODE);
    struct qemu *q;
    char *node;

    if (fd < 0)
        return err_errno(e, "cannot make %s", d->part);
    close(fd);
    if (disk_identify(d->part, &d->part_identity, e))
        return -1;
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

/*
 * Before it is finished, a file that is not there was never made; afterwards
 * its storage may be out of sight.
 */
static int find_part(const struct snapshot_disk *d, bool force, bool *there_r,
                     struct err *e)
{
    struct stat st;

    *there_r = !lstat(d->part, &st);
    if (*there_r)
        return 0;
    if (errno != ENOENT && errno != ENOTDIR)
        return err_errno(e, "cannot look at %s", d->part);
    if (force || !d->stamp || !d->part_identity ||
        disk_is_gone(d->part, d->part_identity))
        return 0;
    return err_set(e, SNAP_FAILED, "%s is not there, nor its storage: mount "
                   "that, or use --force if it is gone for good", d->part);
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

static int copy_finish(struct disk_host *h, struct snapshot_disk *d,
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

/* The copy is there and as it was made. */
static int verify_part(const struct snapshot_disk *d, bool force,
                       struct err *e)
{
    char *now = NULL;
    int rc = stamp(d->part, &now, e);

    if (!rc && (!d->stamp || strcmp(now, d->stamp)) && !force)
        rc = err_set(e, SNAP_FAILED, "%s was changed since it was copied from "
                     "%s: use --force if it is right", d->part, d->path);
    free(now);
    return rc;
}

/*
 * It is written over in place: its holes may have to be filled.  With h, those
 * of the disks before it, too.
 */
static int check_room_back(struct disk_host *h, const struct snapshot_disk *d,
                           struct err *e)
{
    struct stat part, image;
    uint64_t need, has, room;
    char *dir;
    int rc;

    if (stat(d->part, &part) || stat(d->path, &image))
        return err_errno(e, "cannot look at %s", d->path);
    if (!S_ISREG(image.st_mode))
        return 0;
    need = (uint64_t)part.st_blocks * 512;
    has = (uint64_t)image.st_blocks * 512;
    if ((uint64_t)part.st_size < has)
        need = 0;
    else if (need > (uint64_t)part.st_size - has)
        need = (uint64_t)part.st_size - has;
    dir = layer_folder(d->path);
    if (h)
        need = disk_claim(h, dir, need);
    rc = free_room(dir, &room, e);
    if (!rc && room < need)
        rc = no_room(d->part, d->path, need, room, e);
    free(dir);
    return rc;
}

static int copy_verify(const struct snapshot_disk *d, bool force,
                       struct err *e)
{
    uint64_t size;

    if (verify_part(d, force, e) ||
        disk_check_identity(d->path, d->identity, d->inode, force, e) ||
        image_size(d->path, &size, e))
        return -1;
    if (size != d->virtual_size && !force)
        return err_set(e, SNAP_FAILED, "%s had %" PRIu64 " bytes and now has %"
                       PRIu64 ": use --force to put the copy back all the "
                       "same", d->path, d->virtual_size, size);
    return check_room_back(NULL, d, e);
}

static int copy_aim(struct disk_host *h, const char *snapshot,
                    const char *unique, struct snapshot_disk *d,
                    struct err *e)
{
    (void)snapshot;
    (void)unique;
    return check_room_back(h, d, e);
}

static int copy_apply(const struct snapshot_disk *d, struct err *e)
{
    if (image_copy(d->part, d->path, false, e))
        return -1;
    return file_sync_path(d->path, e);
}

static int copy_source_open(const struct snapshot_disk *d,
                            struct disk_source *src, struct err *e)
{
    (void)e;
    src->path = mem_strdup(d->part);
    src->format = d->format;
    return 0;
}

static int copy_is_pristine(const struct snapshot_disk *d, bool *yes_r,
                            struct err *e)
{
    struct content live = { d->path, "raw", NULL };
    struct content part = { d->part, "raw", NULL };

    return image_same(&live, &part, yes_r, e);
}

/* Who else has it in a list; a folder that is not mounted is no deletion. */
static int copy_check_remove(struct disk_host *h, struct snapshot_disk *d,
                             struct err *e)
{
    const char *user = census_user(h->census, d->part);
    bool there;

    if (user && !h->force)
        return err_set(e, SNAP_FAILED, "%s is also used by %s", d->part,
                       user);
    if (find_part(d, h->force, &there, e))
        return -1;
    if (!there && !h->force && !h->retire)
        return disk_refuse_missing(d->part, e);
    return 0;
}

static int copy_stop(struct disk_host *h, const struct snapshot_disk *d,
                     struct err *e)
{
    if (!h->running || strcmp(d->backend, "qdisk"))
        return 0;
    if (!disk_host_qemu(h, e))
        return -1;
    return qemu_drop_copy(h->qemu, d->part, e);
}

static int copy_remove(struct disk_host *h, const struct snapshot_disk *d,
                       struct err *e)
{
    enum id_match match;
    struct stat st;
    bool there;

    if (copy_stop(h, d, e) || find_part(d, h->force, &there, e))
        return -1;
    if (!there)
        return 0;
    if (lstat(d->part, &st))
        return err_errno(e, "cannot look at %s", d->part);
    if (!S_ISREG(st.st_mode))
        return err_set(e, SNAP_FAILED, "%s is not a regular file: it is not "
                       "the copy that was made", d->part);
    /* One that somebody else made at that path is left alone. */
    if (!d->part_identity && !d->stamp && !layer_is_ours(d->path, d->part))
        return 0;
    if (d->part_identity &&
        disk_compare(d->part, d->part_identity, 0, &match, e))
        return -1;
    if (d->part_identity && match == ID_OTHER)
        return 0;
    if (unlink(d->part))
        return err_errno(e, "cannot remove %s", d->part);
    return file_sync_parent(d->part, e);
}

static int copy_parse(json_object *o, struct json_at at,
                      struct snapshot_disk *d, struct err *e)
{
    if (record_path(o, "file", at, &d->part, e) ||
        record_opt_str(o, "stamp", at, &d->stamp, e) ||
        record_opt_obj(o, "file_identity", at, &d->part_identity, e))
        return -1;
    return 0;
}

static void copy_write(json_object *o, const struct snapshot_disk *d)
{
    json_add_str(o, "file", d->part);
    record_set_str(o, "stamp", d->stamp);
    record_set_obj(o, "file_identity", d->part_identity);
}

const struct disk_ops disk_copy = {
    .record = { .type = "copy", .parse = copy_parse, .write = copy_write },
    .refuse = copy_refuse,
    .name = copy_name,
    .check = copy_check,
    .prepare = copy_prepare,
    .capture = copy_capture,
    .stop = copy_stop,
    .finish = copy_finish,
    .verify = copy_verify,
    .aim = copy_aim,
    .apply = copy_apply,
    .is_pristine = copy_is_pristine,
    .source_open = copy_source_open,
    .check_remove = copy_check_remove,
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
