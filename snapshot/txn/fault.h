/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Fault points, for tests: txn.c passes one before and after every act and
 * before every undo, so a new step has them by itself.  In a normal build
 * they are nothing.
 */

#ifndef SNAPSHOT_FAULT_H
#define SNAPSHOT_FAULT_H

#include "sys/err.h"
#include "txn/plan.h"

enum fault_place { FAULT_BEFORE, FAULT_AFTER, FAULT_UNDO };

#ifdef SNAPSHOT_FAULTS
int fault_point(enum fault_place place, enum verb verb, struct err *e);
#else
static inline int fault_point(enum fault_place place, enum verb verb,
                              struct err *e)
{
    (void)place;
    (void)verb;
    (void)e;
    return 0;
}
#endif

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
