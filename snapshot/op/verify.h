/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Is a committed snapshot whole?  Read-only: what a revert asks before it
 * touches the domain, and snapshot-list --check.
 */

#ifndef SNAPSHOT_VERIFY_H
#define SNAPSHOT_VERIFY_H

#include "store/store.h"

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
