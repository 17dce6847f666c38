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
    /* Commit points only. */
    int (*happened)(struct job *j, bool *yes_r, struct err *e);
    /*
     * Commit points only: what was interrupted after it must not be completed,
     * as the user's own work stands in its place.  It is said then, and what
     * the operation had prepared is cleared away.  Absent: never.
     */
    int (*superseded)(struct job *j, long begun, bool *yes_r,
                      struct err *e);
    /*
     * Journaled together with the step before: while the guest is stopped,
     * nothing waits for the disk.
     */
    bool joined;
};

const struct step_ops *steps_find(enum verb v);

/* By verb; an import has the ends of a create, too.  steps_find() looks in all. */
extern const struct step_ops steps_create[STEP_COUNT];
extern const struct step_ops steps_revert[STEP_COUNT];
extern const struct step_ops steps_delete[STEP_COUNT];
extern const struct step_ops steps_import[STEP_COUNT];

/*
 * All that giving up takes but the journal (txn.h): -1 if somebody else holds a
 * disk or the guest does not get running.
 */
int steps_give_up(struct job *j, long begun, struct err *e);

/* For more than one of them: */

/*
 * What the domain that the operation was begun with is called now; the caller's
 * to free.  Its store's name if it is gone.
 */
char *step_domain_name(const struct job *j);
/*
 * Connects j->host to what holds the disks.  A layer may only go if it is
 * known who stands on it: each of the other snapshots must be readable then.
 */
int step_open_host(struct job *j, struct err *e);
/* Restores the domain from the memory image of the snapshot, paused. */
int step_restore_paused(struct job *j, enum store_state state,
                        struct err *e);
/* Has the snapshot gone from one state to the other? */
int step_moved(struct job *j, enum store_state from, enum store_state to,
               bool *yes_r, struct err *e);
/* The index of the (first) step of that verb, or the number of all steps. */
size_t step_index(const struct job *j, enum verb verb);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
