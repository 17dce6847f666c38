/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * When a guest stops: libxl does not tell the moment at which a live save
 * suspends it, so a thread looks.  xenstored would tell, but late if it is
 * busy, and then the downtime that is reported would be too short.  The thread
 * looks seldom as long as libxl cannot be there yet: it writes all of the
 * guest's memory once before it suspends it (xg_sr_save.c), and how far it is
 * shows in the offset of the file.
 *
 * If the domain ends, or stays paused for some seconds, the thread makes libxl
 * give up (proc_bar_writes()).
 */

#ifndef SNAPSHOT_WATCH_H
#define SNAPSHOT_WATCH_H

#include <stdint.h>

struct watch;

/* fd: what libxl writes to.  uuid must live until watch_end(). */
struct watch *watch_start(uint32_t domid, const char *uuid, int fd);
/* Ends it: clock_ms() when the domain was first seen suspended, or now. */
uint64_t watch_end(struct watch *w);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
