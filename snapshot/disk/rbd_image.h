/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Ceph RBD: what the kernel's client (krbd) says of the images that this host
 * has mapped, and what the program "rbd" says of an image and does to it.
 *
 * An image is named "POOL/IMAGE" or "POOL/NAMESPACE/IMAGE"; every such name
 * and every word from sysfs, which come from the cluster, were checked by
 * name_is_rbd_image() or name_is_rbd_word() before they become arguments.
 *
 * A cluster that is full, or has lost its monitors or its OSDs, does not fail:
 * it lets everybody wait.  So every call has a deadline, and a call that meets
 * it is an error that says so; what was asked for may still happen later, when
 * the cluster goes on.  rbd's exit status is an errno.
 */

#ifndef SNAPSHOT_RBD_IMAGE_H
#define SNAPSHOT_RBD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/err.h"

/* Seconds.  While the guest is stopped: */
#ifndef RBD_SHORT_S
#define RBD_SHORT_S 10
#endif
/* While it runs: a dead client's watch, then its lock, is waited for. */
#ifndef RBD_PATIENT_S
#define RBD_PATIENT_S 60
#endif
/* For what goes through all objects of an image. */
#ifndef RBD_LONG_S
#define RBD_LONG_S (6 * 3600)
#endif

/* Images that are mapped on this host */

struct rbd_map {
    char *device;           /* "/dev/rbdN" */
    char *image;            /* by its present name; "" if that is no good */
    char *fsid;             /* of the cluster */
    char *id;               /* of the image: it keeps it when it is renamed */
    char *user;             /* of Ceph, as "admin" */
    uint64_t client;        /* by which the cluster knows us as a watcher */
    dev_t rdev;
    bool head;              /* the image itself, not one of its snapshots */
    bool exclusive;         /* mapped with -o exclusive */
};

struct rbd_maps {
    struct rbd_map *v;
    size_t n;
};

/* From sysfs; runs nothing, asks no cluster. */
int rbd_maps_read(struct rbd_maps *m, struct err *e);
void rbd_maps_free(struct rbd_maps *m);
/*
 * The map that a disk's path leads to: a device, or the name of an image that
 * is given to a script.  NULL if it is none.
 */
const struct rbd_map *rbd_maps_find(const struct rbd_maps *m,
                                    const char *path);
/* The first map after "after" (NULL: of all) of this image of this cluster. */
const struct rbd_map *rbd_maps_next(const struct rbd_maps *m,
                                    const struct rbd_map *after,
                                    const char *fsid, const char *id);
/* What the kernel has cached of the device is not true any more. */
int rbd_map_forget_cache(const struct rbd_map *map, struct err *e);

/* An image, and who asks */

struct rbd_at {
    const char *image;
    const char *user;       /* NULL: as Ceph's configuration has it */
};

/*
 * The image of this id that is in the pool and namespace of at->image, by the
 * name that it has now (the caller's to free), and its size in bytes.  NULL
 * without an error if there is none.
 */
int rbd_find_image(const struct rbd_at *at, const char *id, char **image_r,
                   uint64_t *size_r, struct err *e);

struct rbd_snap {
    uint64_t id;            /* never given twice to snapshots of an image */
    char *name;
    bool protected;
};

struct rbd_snaps {
    struct rbd_snap *v;
    size_t n;
};

/* None if there is no such image. */
int rbd_snaps_read(const struct rbd_at *at, struct rbd_snaps *s,
                   struct err *e);
void rbd_snaps_free(struct rbd_snaps *s);
const struct rbd_snap *rbd_snaps_find(const struct rbd_snaps *s,
                                      const char *name);

/*
 * Who has the image open, on whatever host, beside the clients of these maps:
 * "client 4184 at 192.0.2.7", the caller's to free, or NULL.  An image that is
 * open and idle is watched, though not locked.
 */
int rbd_other_watcher(const struct rbd_at *at, const struct rbd_maps *own,
                      char **who_r, struct err *e);
/*
 * Whether the image holds, byte for byte, what the snapshot has; takes as long
 * as to read both, and needs QEMU's driver for RBD (qemu-block-extra).
 */
int rbd_snap_is_same(const struct rbd_at *at, const char *snap, bool *same_r,
                     struct err *e);
/* The names of a snapshot's clones, the caller's to free, or NULL. */
int rbd_clones(const struct rbd_at *at, const char *snap, char **names_r,
               struct err *e);

/* Changing: none of these is interrupted by a signal. */

/* "seconds" is one of the deadlines above. */
int rbd_snap_create(const struct rbd_at *at, const char *snap,
                    unsigned seconds, struct err *e);
/* A snapshot that is gone, or unprotected, already is no error. */
int rbd_snap_remove(const struct rbd_at *at, const char *snap,
                    struct err *e);
/* An image without layering, which has no protection, is no error. */
int rbd_snap_protect(const struct rbd_at *at, const char *snap,
                     struct err *e);
int rbd_snap_unprotect(const struct rbd_at *at, const char *snap,
                       struct err *e);

/*
 * Repeatable; cut off, the image is half of each.  *locked_r is true, and
 * nothing was done, if a client holds the image's lock that does not give it
 * away unasked.
 */
int rbd_snap_rollback(const struct rbd_at *at, const char *snap,
                      bool *locked_r, struct err *e);

/*
 * How QEMU's tools read a snapshot, or with NULL the image (raw, needs the
 * package qemu-block-extra); the caller's to free.
 */
char *rbd_qemu_name(const struct rbd_at *at, const char *snap);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
