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

/* What a snapshot records of the host that it was taken on. */

#ifndef SNAPSHOT_HOST_H
#define SNAPSHOT_HOST_H

#include "meta.h"

/* Of this boot of the host: no process or domain is older.  Caller frees. */
char *host_boot_id(void);
bool host_is_same_boot(const char *boot);

/* qemu may be NULL. */
void host_describe(const char *qemu, struct snapshot *s);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
