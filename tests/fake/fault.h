/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

/*
 * The faults of the program itself (spec.h).  fault.c also stands in for
 * calls of the C library and of qmp.h by the linker's --wrap (fake.mk).
 */

#ifndef FAKE_FAULT_H
#define FAKE_FAULT_H

#include <stdbool.h>

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
