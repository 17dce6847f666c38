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

/* Retention's deeds: deleting what rules do not keep (retain.h). */

#ifndef SNAPSHOT_PRUNE_H
#define SNAPSHOT_PRUNE_H

#include "session.h"

/*
 * Reports what is kept and why, then deletes the rest, the oldest first;
 * *n_r is how many.  made, or NULL, is a snapshot that is not in the session's
 * tree: the one that a dry run would have taken.
 */
int prune_in_session(struct session *s, const struct retain *r,
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
