/* SPDX-License-Identifier: LGPL-2.1-only */

/* Retention's deeds: deleting what rules do not keep (retain.h). */

#ifndef SNAPSHOT_PRUNE_H
#define SNAPSHOT_PRUNE_H

#include "op/session.h"

/*
 * Reports what is kept and why, then deletes the rest, the oldest first;
 * *n_r is how many.  force: protected ones too, where *r does not keep them.
 * made, or NULL, is a snapshot that is not in the session's tree: the one that
 * a dry run would have taken.
 */
int prune_in_session(struct session *s, const struct retain *r, bool force,
                     const struct snapshot *made, size_t *n_r,
                     struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
