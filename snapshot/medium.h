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

/* What is behind the path of a disk: a file, a block device, a volume. */

#ifndef SNAPSHOT_MEDIUM_H
#define SNAPSHOT_MEDIUM_H

#include "domain.h"

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
