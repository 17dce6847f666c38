/* SPDX-License-Identifier: LGPL-2.1-only */

/* Checks that every part of a snapshot exists and matches its record. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "op/verify.h"
#include "store/meta.h"
#include "sys/err.h"
#include "xen/config.h"
#include "xen/domain.h"

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

/* A revert makes what the domain runs on from the snapshot's part. */
static bool makes_disk(const void *snapshot, const char *vdev)
{
    const struct snapshot *s = snapshot;
    size_t i;

    for (i = 0; i < s->ndisks; i++)
        if (!strcmp(s->disks[i].vdev, vdev))
            return meta_disk_has_part(&s->disks[i]);
    return false;
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
    config_check_host(s->config, makes_disk, s, problems);
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
