/* SPDX-License-Identifier: LGPL-2.1-only */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "sys/clock.h"
#include "xen/domain.h"
#include "sys/mem.h"
#include "xen/watch.h"

#define POLL_MS 2

struct watch {
    pthread_t thread;
    bool running;
    atomic_bool end;
    uint32_t domid;
    const char *uuid;
    uint64_t stopped_ms;
};

static void *look(void *arg)
{
    struct watch *w = arg;

    while (!atomic_load(&w->end)) {
        enum domain_state state;
        struct err e;
        bool same;

        if (!domain_check(w->domid, w->uuid, &same, &state, &e) && same &&
            state == DOMAIN_SUSPENDED) {
            w->stopped_ms = clock_ms();
            break;
        }
        clock_sleep_ms(POLL_MS);
    }
    return NULL;
}

struct watch *watch_start(uint32_t domid, const char *uuid)
{
    struct watch *w = mem_zalloc(1, sizeof(*w));

    w->domid = domid;
    w->uuid = uuid;
    w->running = !pthread_create(&w->thread, NULL, look, w);
    return w;
}

uint64_t watch_end(struct watch *w)
{
    uint64_t ms;

    atomic_store(&w->end, true);
    if (w->running)
        pthread_join(w->thread, NULL);
    ms = w->stopped_ms ? w->stopped_ms : clock_ms();
    free(w);
    return ms;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
