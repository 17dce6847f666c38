/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * When a guest stops: libxl does not tell the moment at which a live save
 * suspends it, so a thread looks.
 */

#ifndef SNAPSHOT_WATCH_H
#define SNAPSHOT_WATCH_H

#include <stdint.h>

struct watch;

/* uuid must live until watch_end(). */
struct watch *watch_start(uint32_t domid, const char *uuid);
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
