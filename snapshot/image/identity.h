/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What proves that an image, layer, volume or device is the one that a
 * snapshot was taken of, however its path is spelled, and after a reboot of
 * dom0 (doc/design.md 8).
 *
 * Calling sequence:
 *     struct image_id now;
 *
 *     if (image_id_read(path, &now, e))
 *         return -1;
 *     match = image_id_compare(&recorded, &now);
 *     image_id_free(&now);
 *
 * An identity holds everything that could be found out of the file when it
 * was read.  Two are compared by what both know: numbers of devices hold
 * within one boot, the names of file systems and devices for ever.  It says
 * nothing of content, size or format.
 *
 * Used by one thread.
 */

#ifndef SNAPSHOT_IDENTITY_H
#define SNAPSHOT_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/err.h"
#include "sys/json.h"

enum image_kind {
    IMAGE_KIND_NONE,    /* not given */
    IMAGE_KIND_FILE,
    IMAGE_KIND_BLOCK,
};

/* Read by image_id_read() or image_id_parse(), freed by image_id_free(). */
struct image_id {
    enum image_kind kind;
    char *boot;         /* in which the device numbers hold (host.h) */
    uint64_t dev;       /* st_dev of a file; a block device's own number */

    /* a file */
    uint64_t inode;
    bool has_generation;
    uint32_t generation;        /* another one in a reused inode */
    char *birth;        /* "seconds.nanoseconds"; NULL: none is kept */
    char *fs;           /* the file system (mounts.h); NULL: it has no name */
    char *fs_device;    /* the device that it is on; NULL: it has no name */

    /* a block device */
    char *device;       /* its name (device.h); NULL: it has none */
    struct image_id *behind;    /* the file that a loop device stands for */
    uint64_t offset;    /* of a partition or loop device, in bytes */

    /*
     * At the time of reading another file system or device had this name,
     * which proves nothing then.  Never in what was parsed.
     */
    bool shared;
};

/*
 * Follows links.  Neither a regular file nor a block device is an error.
 * With errno ENOENT in a failure nothing is there.
 */
int image_id_read(const char *path, struct image_id *id, struct err *e);
/* "what" names the file in errors. */
int image_id_read_fd(int fd, const char *what, struct image_id *id,
                     struct err *e);
void image_id_free(struct image_id *id);        /* zeroes it too */
void image_id_copy(struct image_id *to, const struct image_id *from);

enum id_match {
    ID_SAME,
    ID_OTHER,
    ID_UNKNOWN,         /* "cannot be identified": nothing proves either */
};

/*
 * A loop device without an offset is the file behind it: the bytes are the
 * same.  A file system that was unmounted and mounted again in one boot has
 * another number, but the same name and device: its files are the same.
 */
enum id_match image_id_compare(const struct image_id *a,
                               const struct image_id *b);
/* False for a zeroed one, from a record of an older version. */
bool image_id_given(const struct image_id *id);

/* The caller's to put.  NULL, to be written as null, if it is not given. */
json_object *image_id_to_json(const struct image_id *id);
/* The member "key" of o; zeroed if it is absent or null. */
int image_id_parse(json_object *o, const char *key, struct json_at at,
                   struct image_id *id, struct err *e);

/*
 * A text that is safe as a file's name and, in one boot, the same for the
 * same image.  Different images may rarely share one: who takes locks named
 * so takes each name once.  The caller's to free.
 */
char *image_id_key(const struct image_id *id);

/*
 * True if the directory of path, or the nearest above it that exists, is on
 * the file system that this file was on: what is not there is gone, not just
 * unmounted.  False also where that cannot be proved; always for devices.
 */
bool image_id_fs_here(const struct image_id *id, const char *path);

/*
 * Forgets what is mounted where, which is otherwise looked up once for each
 * device number: for a process that waited while others could mount.
 */
void image_id_forget_mounts(void);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
