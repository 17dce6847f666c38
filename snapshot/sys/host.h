/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * This host and this boot of it, as snapshots and journals record them
 * (doc/design.md 3 and 10).  Every string is the caller's to free, and NULL
 * if the host does not tell.
 */

#ifndef SNAPSHOT_HOST_H
#define SNAPSHOT_HOST_H

#include <stdbool.h>

/* Of this boot: no process or domain is older.  Never NULL; "" if unknown. */
char *host_boot_id(void);
/* False for NULL and "": of an unknown boot nothing is known. */
bool host_is_same_boot(const char *boot);

/* /etc/machine-id: the same for all boots of one installed host. */
char *host_machine_id(void);
char *host_name(void);
/* The processor, as /proc/cpuinfo names it. */
char *host_cpu_model(void);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
