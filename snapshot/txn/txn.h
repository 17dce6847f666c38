/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The one way in which an operation changes anything: its plan's steps, each
 * journaled before it is done.  A failure and a crash take the same path:
 *
 *   before the commit point has happened   undo, newest step first
 *   after                                  complete, from the step that was
 *                                          begun last
 *
 * The commit point is a thing in the world (a rename, a domain that is
 * gone), not a mark in the journal, so nothing can come between the two.
 *
 * What the guest does: a plan whose undo resumes it is undone by
 * txn_recover() too, so the next command after a crash gets it running.
 */

#ifndef SNAPSHOT_TXN_H
#define SNAPSHOT_TXN_H

#include "txn/job.h"

/*
 * Runs j->plan.  0: all done.  -1 with the first error's status if all was
 * undone; SNAP_NEEDS_USER if something could not be undone or completed,
 * which the journal keeps for the next command.
 */
int txn_run(struct job *j, struct err *e);

/* How an interrupted operation ended. */
enum txn_end {
    TXN_UNDONE,
    TXN_COMPLETED,
    TXN_DROPPED,            /* the user's own work stands in its place */
};

/* What is unfinished, as far as that could be read. */
struct txn_pending {
    enum op op;             /* OP_COUNT: nothing, or nobody knows */
    char *name;             /* of the snapshot, the caller's to free; or NULL */
};

/*
 * Undoes or completes what the journal of the store holds, and says so in
 * one note; 0 also if there is none.  Interrupted, it can be run again.
 */
int txn_recover(struct store *st, const struct reporter *rep,
                struct txn_pending *pending_r, struct err *e);

/*
 * Ends what can be neither completed nor undone: the guest and its monitor get
 * running, our jobs in QEMU end, the journal and unfinished directories are
 * set aside, and nothing is removed.  Says for each disk what that means.  -1
 * if somebody else holds a disk, or the guest does not get running.
 */
int txn_give_up(struct store *st, const struct reporter *rep, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
