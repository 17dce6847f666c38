/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What a file system is called that outlives the boot: device numbers do
 * not (doc/design.md 8).  From /proc/self/mountinfo (proc(5)) and the
 * superblock, by libblkid's probe, which keeps no cache and writes nothing.
 */

#ifndef SNAPSHOT_MOUNTS_H
#define SNAPSHOT_MOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

struct mounted {
    /*
     * "uuid:UUID", for btrfs with "/" and the subvolume's id behind it, whose
     * inode numbers are its own; "nfs:SERVER:/EXPORT", "ceph:SOURCE"; NULL
     * for those that have no such name (tmpfs, overlay, 9p, ZFS).
     */
    char *name;
    bool shared;        /* by another that is mounted now: a copy of it */
    dev_t device;       /* the block device that it is on, 0 if none */
};

/*
 * The file system that the descriptor, which may be O_PATH, is on.  What
 * cannot be found out is left NULL, false and 0.
 */
void mounted_read(int fd, struct mounted *m);
void mounted_free(struct mounted *m);
/* A network's: one export can be mounted under several names. */
bool mounted_is_remote(const char *name);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
