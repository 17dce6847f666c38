/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What each step of a plan does: its act, its undo and, for a commit point,
 * how to tell whether it has happened.  All may run twice, and an undo may
 * run although its act never started or stopped half-way: that is what a
 * crash leaves (txn.h).
 */

#ifndef SNAPSHOT_STEPS_H
#define SNAPSHOT_STEPS_H

#include "txn/job.h"

struct step_ops {
    int (*act)(struct job *j, const struct step *step, struct err *e);
    /* Absent: nothing to undo, or an earlier step's undo does it. */
    int (*undo)(struct job *j, const struct step *step, struct err *e);
    /* Commit points only: 1 it has happened, 0 it has not, -1. */
    int (*happened)(struct job *j, struct err *e);
    /*
     * Journaled together with the step before: while the guest is stopped,
     * nothing waits for the disk.
     */
    bool joined;
};

const struct step_ops *steps_find(enum verb v);

/* By verb; each has those of one operation, steps_find() looks in all. */
extern const struct step_ops steps_create[STEP_COUNT];
extern const struct step_ops steps_revert[STEP_COUNT];
extern const struct step_ops steps_delete[STEP_COUNT];

/* For more than one of them: */

/*
 * Connects j->host to what holds the disks.  A layer may only go if it is
 * known who stands on it: each of the other snapshots must be readable then.
 */
int step_open_host(struct job *j, struct err *e);
/* Restores the domain from the memory image of the snapshot, paused. */
int step_restore_paused(struct job *j, enum store_state state,
                        struct err *e);
/* 1 if the snapshot went from one state to the other, 0 if not yet, -1. */
int step_moved(struct job *j, enum store_state from, enum store_state to,
               struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
