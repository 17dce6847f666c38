/* SPDX-License-Identifier: LGPL-2.1-only */

/* Who holds an image: domains, processes, loop devices, the kernel. */

#ifndef SNAPSHOT_HOLDER_H
#define SNAPSHOT_HOLDER_H

#include "xen/domain.h"

/*
 * *who_r: who, in words, holds the file or block device, other than the domain
 * "but" (may be NULL) and its device model; the caller's to free.  NULL if
 * nobody does, and on failure, -1.  Asks again for wait_s seconds while
 * somebody does.
 */
int holder_find(const char *path, const struct domain *but, unsigned wait_s,
                char **who_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
