/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

/*
 * The kinds of disk snapshot: a table of struct disk_ops, one file each.  A
 * new kind is a file disk_<kind>.c that ends in its table, and one line in
 * disk.c.  An operation that a kind leaves out (NULL) is one that it does
 * not support or need; disk.c says what follows.
 *
 * Order of calls for a snapshot: refuse, check, prepare - the guest is
 * suspended - one transaction of all prepared actions - the guest is resumed
 * - record.  For a revert: verify - the domain is destroyed - apply.  For a
 * deletion, and to undo a snapshot at any point: remove.
 */

#ifndef SNAPSHOT_DISK_H
#define SNAPSHOT_DISK_H

#include "domain.h"
#include "meta.h"
#include "qemu.h"

/* The running domain, if any, whose device model may hold the images. */
struct disk_host {
    bool running;
    uint32_t domid;
    struct qemu *qemu;          /* connected at the first use */
    json_object *actions;       /* QMP actions of all disks: prepare() */
};

int disk_host_open(const char *domain, struct disk_host *h, struct err *e);
/* Connects if need be; NULL with the error. */
struct qemu *disk_host_qemu(struct disk_host *h, struct err *e);
void disk_host_close(struct disk_host *h);

struct disk_ops {
    const char *type;
    /* Pure: why this kind cannot be used for the disk, or NULL. */
    const char *(*refuse)(const struct domain_disk *disk);
    /*
     * Read-only, before anything is touched: a new part d->part is possible.
     * Fills in virtual_size and inode.
     */
    int (*check)(struct disk_host *h, struct snapshot_disk *d,
                 struct err *e);
    /* Adds to h->actions what takes the part. */
    int (*prepare)(struct disk_host *h, const struct snapshot_disk *d,
                   struct err *e);
    /* The part was taken: makes it durable, fills in the stamp. */
    int (*record)(struct disk_host *h, struct snapshot_disk *d,
                  struct err *e);
    /* Read-only: the part is there and belongs to this image. */
    int (*verify)(const struct snapshot_disk *d, bool force, struct err *e);
    /* Puts the part's content back; nobody holds the image.  Repeatable. */
    int (*apply)(const struct snapshot_disk *d, struct err *e);
    /*
     * Deletes the part, whoever runs or not.  Repeatable; a part that is not
     * there, or is another one by its stamp, is left and no error.
     */
    int (*remove)(struct disk_host *h, const struct snapshot_disk *d,
                  struct err *e);
};

/* NULL if there is no such kind. */
const struct disk_ops *disk_find_kind(const char *type);

/*
 * Chooses the kind for a domain's disk and makes its record: for a disk that
 * is left out, type "none" and the reason.  -1 with the reason if the disk
 * cannot be snapshot.  Pure.
 */
int disk_choose(const struct domain_disk *disk, const char *wanted,
                const char *snapshot, struct snapshot_disk *d, struct err *e);

/* The hooks, with the disk's vdev put before an error; "none" does nothing. */
int disk_check(struct disk_host *h, struct snapshot_disk *d, struct err *e);
int disk_prepare(struct disk_host *h, const struct snapshot_disk *d,
                 struct err *e);
int disk_capture(struct disk_host *h, struct err *e);
int disk_record(struct disk_host *h, struct snapshot_disk *d, struct err *e);
int disk_verify(const struct snapshot_disk *d, bool force, struct err *e);
int disk_apply(const struct snapshot_disk *d, struct err *e);
int disk_remove(struct disk_host *h, const struct snapshot_disk *d,
                struct err *e);

/*
 * No domain or program but "but" (may be NULL) holds an image that a revert
 * or a deletion will change: found later, that would leave it half done.
 */
int disk_check_free(const struct snapshot *s, const struct domain *but,
                    struct err *e);

extern const struct disk_ops disk_internal;

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
