/* SPDX-License-Identifier: LGPL-2.1-only */

/* Deleting inside another operation: retention's. */

#ifndef SNAPSHOT_DELETE_H
#define SNAPSHOT_DELETE_H

#include "op/session.h"

/* One after the other, under the session's lock; *n_r counts up. */
int delete_in_session(struct session *s, char *const *names, size_t n,
                      bool force, size_t *n_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
