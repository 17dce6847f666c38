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

#include <stdlib.h>
#include <unistd.h>

#include "disk.h"
#include "memory.h"
#include "memory_place.h"
#include "verify.h"

static int verify_memory(struct store *st, const struct snapshot *s,
                         struct err *e)
{
    char *what;
    int dirfd = memory_place_open(st, STORE_COMMITTED, s, &what, e);
    int rc = dirfd < 0 ? -1 : memory_verify(dirfd, s, what, e);

    if (dirfd >= 0)
        close(dirfd);
    free(what);
    return rc;
}

void verify_snapshot(struct store *st, const struct snapshot *s, bool force,
                     struct err *problems)
{
    struct err one;
    size_t i;

    if (verify_memory(st, s, &one))
        err_add(problems, "%s", one.text);
    if (domain_check_config(s->config, &one))
        err_add(problems, "%s", one.text);
    for (i = 0; i < s->ndisks; i++)
        if (disk_verify(&s->disks[i], force, &one))
            err_add(problems, "%s", one.text);
}


/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
