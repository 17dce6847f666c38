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

/* Creating inside another operation: revert's --save. */

#ifndef SNAPSHOT_CREATE_H
#define SNAPSHOT_CREATE_H

#include "session.h"

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
