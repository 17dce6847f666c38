/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A kind of disk snapshot: one file that ends in its struct disk_ops, and a
 * line in the table of disk.c.  A hook that a kind leaves out (NULL) is one
 * that it does not support or need; disk.c says what follows.
 *
 * Order of calls for a snapshot: refuse, name, check, prepare - the guest is
 * suspended - one transaction of all prepared actions - capture - the guest
 * is resumed - finish.  Cold, the domain is gone from before the capture until
 * after it.  For a revert: verify, aim, ready - the domain is destroyed -
 * apply.  For a deletion: check_remove, remove; to undo a snapshot at any
 * point: remove.
 */

#ifndef SNAPSHOT_DISK_KIND_H
#define SNAPSHOT_DISK_KIND_H

#include "disk/disk.h"
#include "image/identity.h"
#include "store/record.h"

/* What is asked of a disk. */
struct disk_request {
    const char *snapshot;       /* its name */
    const char *type;           /* the kind that the user wants, or NULL */
    const char *path;           /* of the new file, or NULL */
    uint64_t size;              /* of the new volume in bytes, or 0 */
    const char *unique;         /* makes a file name unlike any other */
    bool cold;
    /* What the snapshots have that are of the same image, in any domain. */
    const struct disk_others *others;
};

struct disk_ops {
    struct record_ops record;   /* its word, and its part of snapshot.json */
    /* Pure: why this kind cannot be used for the disk, or NULL. */
    const char *(*refuse)(const struct domain_disk *disk,
                          const struct disk_request *r);
    /* Pure: d->part, and what else is known before. */
    void (*name)(const struct domain_disk *disk,
                 const struct disk_request *r, struct snapshot_disk *d);
    /*
     * Read-only, before anything is touched: a new part d->part is possible,
     * and a revert to it will be.  Fills in virtual_size.  The domain runs.
     */
    int (*check)(struct disk_host *h, struct snapshot_disk *d,
                 struct err *e);
    /*
     * Before the guest is suspended: makes what the part needs, with the
     * identity of a file in d->part_identity; unless cold, adds to h->actions
     * what takes it.
     */
    int (*prepare)(struct disk_host *h, struct snapshot_disk *d,
                   struct err *e);
    /* The guest is suspended, or gone if cold: takes what QMP did not. */
    int (*capture)(struct disk_host *h, const struct snapshot_disk *d,
                   struct err *e);
    /*
     * After a failure between prepare and finish, before a guest that is
     * still there goes on: what it will write must not be lost.  Repeatable.
     */
    int (*rescue)(struct disk_host *h, const struct snapshot_disk *d,
                  struct err *e);
    /*
     * An operation is given up while the domain runs: ends its jobs in QEMU.
     * No file goes.  Repeatable.
     */
    int (*stop)(struct disk_host *h, const struct snapshot_disk *d,
                struct err *e);
    /* The part was taken: makes it durable, fills in what proves it. */
    int (*finish)(struct disk_host *h, struct snapshot_disk *d,
                  struct err *e);
    /*
     * Read-only: the part is there, whole, and belongs to this image, and
     * nothing is in the way of apply().
     */
    int (*verify)(const struct snapshot_disk *d, bool force, struct err *e);
    /* Read-only, before a revert is journaled: names what ready() makes. */
    int (*aim)(struct disk_host *h, const char *snapshot, const char *unique,
               struct snapshot_disk *d, struct err *e);
    /*
     * Before the domain is destroyed: makes, or proves room for, what apply()
     * needs, so that a full disk is met while the guest still runs.  unready
     * removes it, unless it is in use by now.  Both are repeatable.
     */
    int (*ready)(const struct snapshot_disk *d, struct err *e);
    int (*unready)(const struct snapshot_disk *d, struct err *e);
    /* Puts the part's content back; nobody holds the image.  Repeatable. */
    int (*apply)(const struct snapshot_disk *d, struct err *e);
    /*
     * Read-only: the disk holds what the snapshot has of it, and nobody wrote
     * to it since, by its content alone.
     */
    int (*is_pristine)(const struct snapshot_disk *d, bool *yes_r,
                       struct err *e);
    /*
     * Read-only, before a deletion is journaled: remove() can go to its end,
     * and nobody else loses anything by it.  Absent: it is a matter of the
     * part alone.
     */
    int (*check_remove)(struct disk_host *h, struct snapshot_disk *d,
                        struct err *e);
    /*
     * Deletes the part, whoever runs or not.  Repeatable; a part that is not
     * there, or is another one by what proves it, is left and no error.
     */
    int (*remove)(struct disk_host *h, const struct snapshot_disk *d,
                  struct err *e);
    /*
     * Where the part can be read, in src->path, ->format and ->snapshot; what
     * had to be done for that, close ends, and src->activated notes.
     */
    int (*source_open)(const struct snapshot_disk *d, struct disk_source *src,
                       struct err *e);
    int (*source_close)(const struct snapshot_disk *d, struct err *e);
    /* The part stands alone: removing it does not concern the image. */
    bool alone;
};

/* True if a snapshot of the same image has a part of that kind. */
bool disk_others_have(const struct disk_others *o, const char *type);

/* Records the identity of the file or device at path in *o_r. */
int disk_identify(const char *path, json_object **o_r, struct err *e);
/*
 * Is the file or device at path the one that was recorded?  id NULL: a record
 * of before there were identities, which has the inode.  ID_OTHER also if it
 * is not there.
 */
int disk_compare(const char *path, json_object *id, uint64_t inode,
                 enum id_match *match_r, struct err *e);
/*
 * For verify(): -1 with an error that says what to do unless it is the one, or
 * force.
 */
int disk_check_identity(const char *path, json_object *id, uint64_t inode,
                        bool force, struct err *e);
/*
 * A missing file is gone for good, not merely out of sight: the file system
 * that it was on is where it was.  Without a recorded identity, that cannot be
 * told.
 */
bool disk_is_gone(const char *path, json_object *id);

/* -1, with an error that says what to do about a part that is out of sight. */
int disk_refuse_missing(const char *path, struct err *e);

extern const struct disk_ops disk_internal, disk_external, disk_lvm,
    disk_rbd, disk_copy;

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
