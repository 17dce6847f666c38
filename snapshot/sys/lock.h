/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Locks between processes, on files that are there for nothing else
 * (doc/design.md 8).  They are OFD locks (fcntl(2)): the kernel drops them
 * with the descriptor, so also when the process dies, and not, as it drops
 * POSIX locks, when any other descriptor of the file is closed.
 *
 * Calling sequence:
 *     struct lock l = LOCK_NONE;
 *
 *     if (lock_take(dirfd, name, what, true, 1000, &l, &busy, e))
 *         ...
 *     lock_drop(&l, dirfd);
 *
 * Two descriptions of one file exclude each other in one process too: who
 * takes several locks sorts their names and takes each name once.  A child
 * that is forked and does not exec shares the lock; exec closes it.
 */

#ifndef SNAPSHOT_LOCK_H
#define SNAPSHOT_LOCK_H

#include <stdbool.h>

#include "sys/err.h"

struct lock {
    int fd;             /* ours; -1: not taken */
    char *name;         /* in the directory; NULL: not taken */
    bool exclusive;
};

#define LOCK_NONE { -1, NULL, false }

/*
 * Takes the lock "name" in the directory, whose file it makes if need be.
 * Waits up to wait_ms for those who hold it; a signal (interrupt.h) ends the
 * wait.  "what" says in errors what is locked, as in "what is in use by ...".
 *
 * -1 with *busy_r: somebody holds it, and the error is SNAP_BUSY.  After any
 * failure *l is LOCK_NONE.
 */
int lock_take(int dirfd, const char *name, const char *what, bool exclusive,
              unsigned wait_ms, struct lock *l, bool *busy_r, struct err *e);

/*
 * Lets go, and removes the file if nobody else has the lock.  *l is then
 * LOCK_NONE; a lock that was not taken is left as it is.
 */
void lock_drop(struct lock *l, int dirfd);

/*
 * Removes the files of locks that nobody has, as a process that was killed
 * leaves them: all empty files in the directory that are not locked.
 */
void lock_clean(int dirfd);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
