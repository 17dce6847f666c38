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
 * Is a committed snapshot whole?  Read-only: what a revert asks before it
 * touches the domain, and snapshot-list --check.
 */

#ifndef SNAPSHOT_VERIFY_H
#define SNAPSHOT_VERIFY_H

#include "store.h"

/*
 * Adds to "problems" all that is wrong with its memory image, configuration
 * and disk snapshots.  force: a disk may be another file than it was.
 */
void verify_snapshot(struct store *st, const struct snapshot *s, bool force,
                     struct err *problems);

#endif


/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
