/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * xl's monitor: the daemon that "xl create" leaves for each domain and that
 * handles its poweroff and reboot.  Before Xen 4.20 it ends when it sees the
 * domain suspended, and the domain's life cycle with it (XEN-FACTS).  It is
 * stopped (SIGSTOP) before the suspend and continued after the resume; then
 * it looks again and finds a running domain.
 *
 * It is found by what it is, an xl process whose stdout is
 * XEN_LOG_DIR/xl-<name>.log, so that release works after a crash too.
 */

#ifndef SNAPSHOT_MONITOR_H
#define SNAPSHOT_MONITOR_H

#include "sys/err.h"

/* Stops all monitors of the domain; returns once they have stopped. */
int monitor_hold(const char *domain, struct err *e);
/* Continues them; no monitor is not an error. */
int monitor_release(const char *domain, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
