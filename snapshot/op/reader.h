/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Who reads a snapshot for long, without the domain's lock: a mark keeps
 * deletions, and merges into what it reads, away (doc/design.md 9).  The mark is
 * a lock of the process, so none is left by one that was killed.
 *
 * Calling sequence, of a reader, in the domain's session:
 *     reader_mark(&session, name, &mark, e);
 *     session_close(&session);
 *     ... read ...
 *     reader_unmark(&mark);
 */

#ifndef SNAPSHOT_OP_READER_H
#define SNAPSHOT_OP_READER_H

#include "op/image_locks.h"
#include "op/session.h"

struct reader_mark {
    struct image_locks lock;
    int root_fd;
};

int reader_mark(struct session *s, const char *name,
                struct reader_mark *m, struct err *e);
void reader_unmark(struct reader_mark *m);

/*
 * Waits as long as the session does until nobody reads the snapshot, or with
 * NULL any of the domain; then SNAP_BUSY.  As readers begin under the domain's
 * lock, there is none until the session ends.
 */
int reader_wait_none(struct session *s, const char *name,
                     struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
