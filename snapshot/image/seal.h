/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Seals: what proves that nobody wrote to an image or device since the tool
 * let go of it (doc/design.md 8, "use since").
 *
 * A seal is a text, for the journal.  It holds within the boot in which it
 * was taken: across a boot timestamps prove use, but never its absence.  For
 * a file it is the size, the times and the inode; for a block device the
 * kernel's count of written and discarded sectors; for a loop device that of
 * its file as well.  What changes a file's ctime alone, such as chmod or
 * another link, breaks a seal too.
 *
 * Not seen are writes around what was sealed: to the whole disk of a sealed
 * partition, or through a second host.
 */

#ifndef SNAPSHOT_SEAL_H
#define SNAPSHOT_SEAL_H

#include "sys/err.h"

/*
 * fsyncs the image and seals it; nobody writes to it meanwhile.  Takes up to
 * one tick of the kernel's clock, or two seconds for a file that was just
 * written on a file system that keeps whole seconds.  *seal_r is the
 * caller's to free.  Where nothing would prove a write, it is a seal that is
 * always SEAL_UNKNOWN.
 */
int seal_take(const char *path, char **seal_r, struct err *e);

enum seal_state {
    SEAL_INTACT,        /* nobody wrote */
    SEAL_BROKEN,        /* somebody did, or it is another file */
    SEAL_UNKNOWN,       /* another boot, or no seal of ours */
    SEAL_UNREADABLE,    /* perhaps only now: ask again later */
};

enum seal_state seal_check(const char *path, const char *seal);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
