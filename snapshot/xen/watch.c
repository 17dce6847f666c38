/* SPDX-License-Identifier: LGPL-2.1-only */

/* A thread that notes when libxl suspends a guest, or why it cannot. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/mem.h"
#include "sys/proc.h"
#include "xen/domain.h"
#include "xen/watch.h"

#define POLL_MS 2               /* the downtime's precision */
#define SELDOM_MS 50
#define PAUSED_MS 5000          /* somebody may pause it for a moment */
/* No host writes memory faster than so many bytes in a millisecond. */
#define FASTEST (16ull << 20)

struct watch {
    pthread_t thread;
    bool running;
    atomic_bool end;
    uint32_t domid;
    const char *uuid;
    int fd;
    uint64_t before;            /* it does not stop before so many bytes */
    uint64_t paused_ms;         /* since when it is; 0: it is not */
    uint64_t stopped_ms;
};

/* How long it certainly takes until the guest may stop. */
static unsigned pause_ms(const struct watch *w)
{
    off_t done = lseek(w->fd, 0, SEEK_CUR);
    uint64_t ms;

    if (done < 0 || (uint64_t)done >= w->before)
        return POLL_MS;
    ms = (w->before - (uint64_t)done) / FASTEST;
    if (ms > SELDOM_MS)
        return SELDOM_MS;
    if (ms < POLL_MS)
        return POLL_MS;
    return (unsigned)ms;
}

/* libxl would only notice when it has written all, and then wait for 60 s. */
static bool is_hopeless(struct watch *w, bool same, enum domain_state state)
{
    if (!same || state == DOMAIN_SHUTDOWN || state == DOMAIN_DYING)
        return true;
    if (state != DOMAIN_PAUSED) {
        w->paused_ms = 0;
        return false;
    }
    if (!w->paused_ms)
        w->paused_ms = clock_ms();
    return clock_ms() - w->paused_ms > PAUSED_MS;
}

static void *look(void *arg)
{
    struct watch *w = arg;

    while (!atomic_load(&w->end)) {
        enum domain_state state = DOMAIN_DYING;
        struct err e;
        bool same;
        int rc = domain_check(w->domid, w->uuid, &same, &state, &e);

        if (!rc && same && state == DOMAIN_SUSPENDED) {
            w->stopped_ms = clock_ms();
            break;
        }
        if (!rc && is_hopeless(w, same, state)) {
            proc_bar_writes();
            break;
        }
        clock_sleep_ms(pause_ms(w));
    }
    return NULL;
}

struct watch *watch_start(uint32_t domid, const char *uuid, int fd)
{
    struct watch *w = mem_zalloc(1, sizeof(*w));

    w->domid = domid;
    w->uuid = uuid;
    w->fd = fd;
    /* Less than all, as some pages may be free or not the guest's own. */
    w->before = domain_used_kib(domid) * 1024 / 8 * 7;
    w->running = !pthread_create(&w->thread, NULL, look, w);
    return w;
}

uint64_t watch_end(struct watch *w)
{
    uint64_t ms;

    atomic_store(&w->end, true);
    if (w->running)
        pthread_join(w->thread, NULL);
    ms = w->stopped_ms;
    if (!ms)
        ms = clock_ms();
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
