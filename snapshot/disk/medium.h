/* SPDX-License-Identifier: LGPL-2.1-only */

/* What is behind the path of a disk: a file, a block device, a volume. */

#ifndef SNAPSHOT_MEDIUM_H
#define SNAPSHOT_MEDIUM_H

#include "xen/domain.h"

/* Fills in medium, live and link of each disk of the domain; reads only. */
int medium_probe(struct domain *d, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
