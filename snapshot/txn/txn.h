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

/*
 * Undoes or completes what the journal of the store holds, and says so in
 * one note; 0 also if there is none.  Interrupted, it can be run again.
 * With -1, *op_r and *name_r (the caller's to free) tell what is unfinished,
 * if that could be read.
 */
int txn_recover(struct store *st, const struct reporter *rep, enum op *op_r,
                char **name_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
