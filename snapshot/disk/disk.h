/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The kinds of disk snapshot: a table of struct disk_ops, one file each.  A
 * new kind is a file disk_<kind>.c that ends in its table, and one line in
 * disk.c.  An operation that a kind leaves out (NULL) is one that it does
 * not support or need; disk.c says what follows.
 *
 * Order of calls for a snapshot: refuse, name, check, prepare - the guest is
 * suspended - one transaction of all prepared actions - capture - the guest
 * is resumed - record.  Cold, the domain is gone from before the capture until
 * after it.  For a revert: verify - the domain is destroyed - apply.  For a
 * deletion, and to undo a snapshot at any point: remove.
 */

#ifndef SNAPSHOT_DISK_H
#define SNAPSHOT_DISK_H

#include "xen/domain.h"
#include "store/meta.h"
#include "qemu/qemu.h"

/* The running domain, if any, whose device model may hold the images. */
struct disk_host {
    bool running;
    bool cold;                  /* a snapshot without its help */
    uint32_t domid;
    const char *confined;       /* domain.h; for who finds out what can be done */
    struct qemu *qemu;          /* connected at the first use */
    json_object *actions;       /* QMP actions of all disks: prepare() */
    /* The other snapshots of the domain, where layers are concerned. */
    const struct snapshot **others;
    size_t nothers;
    /*
     * Notes in all of them that layer "from" is about to be written into "to"
     * or, done, that "to" took its place.
     */
    int (*moved)(void *arg, const char *from, const char *to, bool done,
                 struct err *e);
    void *moved_arg;
    json_object *claims;        /* disk_claim() */
};

/* What is asked of a disk. */
struct disk_request {
    const char *snapshot;       /* its name */
    const char *type;           /* the kind that the user wants, or NULL */
    const char *path;           /* of the new file, or NULL */
    uint64_t size;              /* of the new volume in bytes, or 0 */
    const char *unique;         /* makes a file name unlike any other */
    bool cold;
    /* Kinds that other snapshots of this disk have. */
    bool has_internal, has_external;
    const char *link;           /* the link to the layers of those, or NULL */
};

int disk_host_open(const char *domain, struct disk_host *h, struct err *e);
/* Connects if need be; NULL with the error. */
struct qemu *disk_host_qemu(struct disk_host *h, struct err *e);
void disk_host_close(struct disk_host *h);
/* Adds to h->others, which does not own it. */
void disk_host_add_other(struct disk_host *h, const struct snapshot *s);
/* 1 if the file is a part of one of h->others, 0, or -1. */
int disk_has_part(const struct disk_host *h, const char *path,
                  struct err *e);
/*
 * For check(): the part needs so much room in a place that parts of other
 * disks may share.  Returns the sum of all that is needed there so far.
 */
uint64_t disk_claim(struct disk_host *h, const char *place, uint64_t bytes);

struct disk_ops {
    const char *type;
    /* Pure: why this kind cannot be used for the disk, or NULL. */
    const char *(*refuse)(const struct domain_disk *disk,
                          const struct disk_request *r);
    /* Pure: d->part, and what else is known before. */
    void (*name)(const struct domain_disk *disk,
                 const struct disk_request *r, struct snapshot_disk *d);
    /*
     * Read-only, before anything is touched: a new part d->part is possible.
     * Fills in virtual_size and inode.  The domain runs.
     */
    int (*check)(struct disk_host *h, struct snapshot_disk *d,
                 struct err *e);
    /*
     * Before the guest is suspended: makes what the part needs; unless cold,
     * adds to h->actions what takes it.
     */
    int (*prepare)(struct disk_host *h, const struct snapshot_disk *d,
                   struct err *e);
    /* The guest is suspended, or gone if cold: takes what QMP did not. */
    int (*capture)(struct disk_host *h, const struct snapshot_disk *d,
                   struct err *e);
    /*
     * After a failure between prepare and record, before a guest that is
     * still there goes on: what it will write must not be lost.  Repeatable.
     */
    int (*rescue)(struct disk_host *h, const struct snapshot_disk *d,
                  struct err *e);
    /* The part was taken: makes it durable, fills in the stamp. */
    int (*record)(struct disk_host *h, struct snapshot_disk *d,
                  struct err *e);
    /* Read-only: the part is there and belongs to this image. */
    int (*verify)(const struct snapshot_disk *d, bool force, struct err *e);
    /*
     * Read-only, before a revert is journaled: names what apply() makes after
     * the snapshot; before a deletion (snapshot is NULL): what it finds.
     */
    int (*aim)(struct disk_host *h, const char *snapshot, const char *unique,
               struct snapshot_disk *d, struct err *e);
    /* Puts the part's content back; nobody holds the image.  Repeatable. */
    int (*apply)(const struct snapshot_disk *d, struct err *e);
    /*
     * Deletes the part, whoever runs or not.  Repeatable; a part that is not
     * there, or is another one by its stamp, is left and no error.
     */
    int (*remove)(struct disk_host *h, const struct snapshot_disk *d,
                  struct err *e);
    /* The part stands alone: removing it does not concern the image. */
    bool alone;
};

/* NULL if there is no such kind. */
const struct disk_ops *disk_find_kind(const char *type);

/*
 * Chooses the kind for a domain's disk and makes its record: for a disk that
 * is left out, type "none" and the reason.  -1 with the reason if the disk
 * cannot be snapshot.  Pure.
 */
int disk_choose(const struct domain_disk *disk, const struct disk_request *r,
                struct snapshot_disk *d, struct err *e);

/* The deletion of its part does not concern the image, nor its QEMU. */
bool disk_is_alone(const struct snapshot_disk *d);

/* The hooks, with the disk's vdev put before an error; "none" does nothing. */
int disk_check(struct disk_host *h, struct snapshot_disk *d, struct err *e);
int disk_prepare(struct disk_host *h, const struct snapshot_disk *d,
                 struct err *e);
/* All disks of the snapshot, at one instant. */
int disk_capture(struct disk_host *h, const struct snapshot *s,
                 struct err *e);
/* Tries all of them; the errors are joined. */
int disk_rescue(struct disk_host *h, const struct snapshot *s,
                struct err *e);
int disk_record(struct disk_host *h, struct snapshot_disk *d, struct err *e);
int disk_verify(const struct snapshot_disk *d, bool force, struct err *e);
int disk_aim(struct disk_host *h, const char *snapshot, const char *unique,
             struct snapshot_disk *d, struct err *e);
int disk_apply(const struct snapshot_disk *d, struct err *e);
int disk_remove(struct disk_host *h, const struct snapshot_disk *d,
                struct err *e);

/*
 * No domain or program but "but" (may be NULL) holds an image that a revert
 * or a deletion will change: found later, that would leave it half done.
 */
int disk_check_free(const struct snapshot *s, const struct domain *but,
                    bool deletion, struct err *e);

/*
 * The domain is gone: waits until its QEMU, which takes a moment, has closed
 * the images.
 */
int disk_wait_closed(const struct snapshot *s, struct err *e);

extern const struct disk_ops disk_internal, disk_external, disk_lvm,
    disk_copy;

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
