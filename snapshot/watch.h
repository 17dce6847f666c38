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
