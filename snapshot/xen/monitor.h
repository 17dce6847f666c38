/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * xl's monitor: the daemon that "xl create" leaves for each domain and that
 * handles its poweroff and reboot (create_domain(), tools/xl/xl_vmcontrol.c).
 * Before Xen 4.20 it ends when it sees the domain suspended, and the domain's
 * life cycle with it (doc/xen.md).  It is stopped (SIGSTOP) before the suspend,
 * continued after the resume; then it looks again and finds a running domain.
 * From 4.20 on it goes on by itself and is left alone.
 *
 * It is found by what it is, an xl process whose log says that it waits for
 * this domid, so that release works after a crash too.  The log's name tells
 * nothing: the domain may have been renamed or have come by a migration, the
 * file may have been renamed or removed since.  A monitor whose log was
 * truncated does not say for which domain it waits: if no other one is found,
 * all of these are meant.
 *
 * It is never left stopped while it holds a lock: xl has one for the whole
 * host, for the time of a create, a restore and a guest's reboot.
 */

#ifndef SNAPSHOT_MONITOR_H
#define SNAPSHOT_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/err.h"

/*
 * Stops all monitors of the domain that runs as domid; returns once they have
 * stopped.  "name" is for messages.  None is not an error: *found_r is false.
 * On failure some may have been stopped: release them.
 */
int monitor_hold(uint32_t domid, const char *name, bool *found_r,
                 struct err *e);
/* Continues them; no monitor is not an error. */
int monitor_release(uint32_t domid, const char *name, struct err *e);

/* No domain has this id. */
#define MONITOR_NO_DOMID UINT32_MAX

/*
 * After the end of the domain: until no monitor waits for it any more, or is
 * about to start a domain of this name again.  If the guest just rebooted,
 * there is another domain of the name then.  A monitor that is stopped, or
 * hangs, is not waited for longer than 30 s.  *waited_r: there was one.
 */
int monitor_await_end(uint32_t domid, const char *name, bool *waited_r,
                      struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
