/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Locks on images by their identity, however a domain spells their paths
 * (doc/design.md 8): files in ROOT/.images.  Exclusive for what an operation
 * may write to or drop, shared for what is only read: a hundred clones of one
 * golden image are saved at the same time.  Files and directory go with the
 * last one who has a lock.
 *
 * They are taken after the domain's lock, in one order for all.
 */

#ifndef SNAPSHOT_OP_IMAGE_LOCKS_H
#define SNAPSHOT_OP_IMAGE_LOCKS_H

#include "store/meta.h"
#include "sys/lock.h"
#include "xen/domain.h"

#define IMAGE_LOCKS_DIR ".images"

struct image_locks {
    int root_fd;                /* the caller's */
    int dirfd;                  /* of ROOT/.images */
    struct lock *locks;
    size_t n;
};

/*
 * Of the disks of the domain and of the snapshot, either may be NULL.  Waits
 * for others at least for a while, at most wait_s seconds; then SNAP_BUSY.
 */
int image_locks_take(int root_fd, const char *domain,
                     const struct domain *d, const struct snapshot *s,
                     unsigned wait_s, struct image_locks *l, struct err *e);
/* Are they all locked already, each as it has to be?  Also of a zeroed one. */
bool image_locks_cover(const struct image_locks *l, const struct domain *d,
                       const struct snapshot *s);
/*
 * One that is there for another reason, beside them; "what" is for errors
 * (lock.h).
 */
int image_locks_take_one(int root_fd, const char *name, const char *what,
                         bool exclusive, unsigned wait_s,
                         struct image_locks *l, struct err *e);
/* Also of a zeroed one. */
void image_locks_drop(struct image_locks *l);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
