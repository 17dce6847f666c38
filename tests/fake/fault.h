/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The faults of the program itself (spec.h): at the points of txn.c
 * (point.c, which the program on the real Xen has too), and elsewhere
 * (fault.c, which also stands in for calls of the C library and of qmp.h by
 * the linker's --wrap, see fake.mk).
 */

#ifndef FAKE_FAULT_H
#define FAKE_FAULT_H

#include <stdbool.h>

/* Does what a mode that every class has says; true if it was one, or "". */
bool fault_mode(const char *mode);
void fault_die(void);

/* For this thread: calls are the fake host's own, not the program's. */
void fault_off(bool off);

enum fault { FAULT_NONE, FAULT_ERROR, FAULT_LOST, FAULT_LATE };

/* A call to the hypervisor begins; it may end the process. */
enum fault fault_xen(const char *what);
/* It is done: FAULT_LATE ends the process. */
void fault_xen_after(enum fault fault);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
