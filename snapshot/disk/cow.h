/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What a classic LVM snapshot holds.  Its device of kept chunks (VG-LV-cow)
 * has a table of the chunks of the origin that were written since, in the
 * format of the kernel's dm-snap-persistent.c, version 1:
 *
 *   chunk 0     le32 magic "SnAp", valid, version, chunk size in sectors
 *   chunk 1     a table: le64 pairs of a chunk of the origin and the chunk
 *               here that keeps it; the pair 0,0 ends it
 *   ...         as many chunks as a table has pairs; then the next table
 *
 * Only those chunks can differ between the snapshot and its origin.  Written
 * back to the origin they take no more room in the snapshot, which stays as
 * it is; unlike a merge, this can be cut off anywhere and be done again.
 */

#ifndef SNAPSHOT_COW_H
#define SNAPSHOT_COW_H

#include "sys/err.h"

/*
 * Makes the origin the same as the snapshot, durably.  Nobody writes to
 * either.  "cow" is the device with the table.
 */
int cow_put_back(const char *cow, const char *snapshot, const char *origin,
                 struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
