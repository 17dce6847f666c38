/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Snapshots of a domain that is called otherwise now (doc/design.md 8,
 * "Renamed domains").
 */

#ifndef SNAPSHOT_OP_RENAME_H
#define SNAPSHOT_OP_RENAME_H

#include "snapshot.h"

/*
 * The name under which the store has the snapshots of the domain that runs as
 * "name": the same uuid, a disk that they have too, and no domain of the old
 * name.  NULL if there is none; the caller's to free.
 */
int rename_find(const struct snap_env *env, const char *name, char **old_r,
                struct err *e);
/* Gives them the new name, by one rename, and says so. */
int rename_follow(const struct snap_env *env, const char *name,
                  struct err *e);
/*
 * The same when the user says that the domain "old" is "name" now: -1 with all
 * that is against it.
 */
int rename_adopt(const struct snap_env *env, const char *old,
                 const char *name, unsigned wait_s, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
