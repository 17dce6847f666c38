/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What a domain's configuration, libxl's JSON (libxl_domain_config_to_json()),
 * names on this host.  The text comes from a file and is not trusted.
 */

#ifndef SNAPSHOT_XEN_CONFIG_H
#define SNAPSHOT_XEN_CONFIG_H

#include <stdbool.h>

#include "sys/err.h"

/*
 * Adds to "problems" each file, device, bridge and script that the domain needs
 * to be built, and that is not there: "xl restore" would fail on it after the
 * domain that ran was destroyed.  An image is not looked for if
 * makes_disk(arg, vdev): the caller makes it before.  It may be NULL.
 */
void config_check_host(const char *json,
                       bool (*makes_disk)(const void *arg, const char *vdev),
                       const void *arg, struct err *problems);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
