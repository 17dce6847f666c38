/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The end of an external snapshot's frozen layer: its content goes where
 * other layers still need it (doc/design.md 4, delete).
 *
 * Every layer that stands on it either pulls its content or, if that is
 * cheaper or the only safe direction for a running QEMU, is written into it
 * and gives it its place; h->moved() is told, for QEMU's jobs also before.
 * All other snapshots and the domain read the same bytes before, after, and at
 * any time between, also if this is cut short and done again.
 */

#ifndef SNAPSHOT_DISK_MERGE_H
#define SNAPSHOT_DISK_MERGE_H

#include "disk/disk.h"

/* struct disk_ops, check_remove. */
int disk_check_merge(struct disk_host *h, struct snapshot_disk *d,
                     struct err *e);
/* struct disk_ops, remove. */
int disk_merge(struct disk_host *h, const struct snapshot_disk *d,
               struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
