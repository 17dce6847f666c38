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

/* Deleting inside another operation: retention's. */

#ifndef SNAPSHOT_DELETE_H
#define SNAPSHOT_DELETE_H

#include "session.h"

/* One after the other, under the session's lock; *n_r counts up. */
int delete_in_session(struct session *s, char *const *names, size_t n,
                      size_t *n_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
