/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What a domain's configuration from elsewhere, libxl's JSON, may ask of this
 * host (doc/design.md 9).  It is not trusted.  What is known to concern the guest
 * alone may pass; programs, paths, sockets and devices of the host, and what is
 * not known, may not.  Pure.
 */

#ifndef SNAPSHOT_XEN_PORTABLE_H
#define SNAPSHOT_XEN_PORTABLE_H

#include <stdbool.h>

#include "sys/json.h"

/*
 * Adds all that may not pass to "problems".  The path of a disk may if
 * ours(arg, vdev): it is one that the caller has put there, and no other disk has
 * this name.
 */
void portable_check(json_object *config,
                    bool (*ours)(const void *arg, const char *vdev),
                    const void *arg, struct err *problems);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
