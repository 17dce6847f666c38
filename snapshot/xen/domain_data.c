/* SPDX-License-Identifier: LGPL-2.1-only */

/* Names the states of a domain, and frees a struct domain. */

#include <stdlib.h>
#include <string.h>

#include "xen/domain.h"

const char *domain_state_name(enum domain_state state)
{
    static const char *const names[] = {
        [DOMAIN_RUNNING] = "running", [DOMAIN_PAUSED] = "paused",
        [DOMAIN_SUSPENDED] = "suspended", [DOMAIN_SHUTDOWN] = "shutdown",
        [DOMAIN_DYING] = "dying",
    };

    return names[state];
}

void domain_free(struct domain *d)
{
    size_t i;

    for (i = 0; i < d->ndisks; i++) {
        free(d->disks[i].vdev);
        free(d->disks[i].path);
        free(d->disks[i].script);
        free(d->disks[i].live);
        free(d->disks[i].link);
        free(d->disks[i].volume);
    }
    free(d->disks);
    free(d->name);
    free(d->config);
    memset(d, 0, sizeof(*d));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
