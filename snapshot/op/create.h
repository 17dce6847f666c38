/* SPDX-License-Identifier: LGPL-2.1-only */

/* Creating inside another operation: revert's --save. */

#ifndef SNAPSHOT_CREATE_H
#define SNAPSHOT_CREATE_H

#include "op/session.h"

/* As snap_create(), of the session's domain, under the session's lock. */
int create_in_session(struct session *s, const struct snap_create *req,
                      struct snapshot *made_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
