/* SPDX-License-Identifier: LGPL-2.1-only */

/* Deleting inside another operation: retention's. */

#ifndef SNAPSHOT_DELETE_H
#define SNAPSHOT_DELETE_H

#include "op/session.h"

enum delete_how {
    DELETE_PLAIN,
    DELETE_RETIRE,      /* all of the domain's, also of images that are gone */
    DELETE_FORCE,       /* damaged ones, and what others may need, too */
};

/*
 * One after the other, under the session's lock; *n_r counts up.  The error
 * names all that could not be deleted, with the worst status of them.
 */
int delete_in_session(struct session *s, char *const *names, size_t n,
                      enum delete_how how, size_t *n_r, struct err *e);
/* Adds to the problems that a snapshot is protected, and what to do. */
void delete_is_protected(const struct session *s, const char *name,
                         struct err *problems);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
