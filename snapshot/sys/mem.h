/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Small allocations.  They end the process when memory is out: the journal
 * makes that the same as a crash, from which the next command recovers
 * (txn.h).  What is returned is freed by the caller with free().
 */

#ifndef SNAPSHOT_MEM_H
#define SNAPSHOT_MEM_H

#include <stddef.h>

void *mem_zalloc(size_t n, size_t size);
void *mem_grow(void *p, size_t n, size_t size);
char *mem_strdup(const char *s);                /* NULL stays NULL */
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
