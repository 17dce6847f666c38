#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/memory/ring.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

#define SLOTS 4

/* A stream of numbers: piece i is made of i, and is i * i. */
struct squares {
    unsigned n;                 /* of them all */
    int fail_claim, fail_work;  /* at that piece, or -1 */
    unsigned next;
    atomic_uint claiming, working, most, dropped;
    atomic_bool twice;          /* two threads claimed at a time */
};

static void number(struct ring_buf *b, unsigned n)
{
    ring_room(b, sizeof(n));
    memcpy(b->data, &n, sizeof(n));
    b->len = sizeof(n);
}

static unsigned value(const struct ring_buf *b)
{
    unsigned n;

    memcpy(&n, b->data, sizeof(n));
    return n;
}

static int claim(void *arg, struct ring_slot *s, bool *end_r)
{
    struct squares *q = arg;
    int rc = 0;

    if (atomic_fetch_add(&q->claiming, 1))
        atomic_store(&q->twice, true);
    *end_r = q->next == q->n;
    if ((int)q->next == q->fail_claim)
        rc = err_set(&s->err, SNAP_FAILED, "claim");
    else if (!*end_r)
        number(&s->in, q->next++);
    atomic_fetch_sub(&q->claiming, 1);
    return rc;
}

static int work(void *arg, struct ring_slot *s)
{
    struct squares *q = arg;
    unsigned n = value(&s->in), now = atomic_fetch_add(&q->working, 1) + 1;
    int rc = 0;

    if (now > atomic_load(&q->most))
        atomic_store(&q->most, now);
    if (!s->tool)
        s->tool = q;
    /* The later ones are ready first. */
    if (n % SLOTS == 0)
        clock_sleep_ms(1);
    number(&s->out, n * n);
    if ((int)n == q->fail_work)
        rc = err_set(&s->err, SNAP_FAILED, "work");
    atomic_fetch_sub(&q->working, 1);
    return rc;
}

static void drop(void *tool)
{
    struct squares *q = tool;

    atomic_fetch_add(&q->dropped, 1);
}

static const struct ring_ops ops = { claim, work, drop };

/* How many came, right and in order; the error is the last one's. */
static unsigned count(struct squares *q, unsigned threads, struct err *e)
{
    struct ring *r;
    struct ring_slot *s;
    unsigned n = 0;

    e->status = SNAP_OK;
    if (ring_start(&ops, q, SLOTS, threads, &r, e))
        return 0;
    for (ring_next(r, &s); s; ring_next(r, &s)) {
        *e = s->err;
        if (e->status != SNAP_OK || value(&s->out) != n * n)
            break;
        n++;
        ring_done(r);
    }
    ring_stop(r);
    return n;
}

static void in_order(void)
{
    unsigned threads;
    struct err e;

    for (threads = 1; threads <= 4; threads++) {
        struct squares q = { .n = 500, .fail_claim = -1, .fail_work = -1 };

        check(count(&q, threads, &e) == 500 && e.status == SNAP_OK,
              "%u threads: all pieces, in order", threads);
        check(!atomic_load(&q.twice), "what they are made of one at a time");
        check(threads == 1 || atomic_load(&q.most) > 1, "but made together");
        check(atomic_load(&q.dropped) <= SLOTS && atomic_load(&q.dropped),
              "a tool for each slot, dropped at the end");
    }
}

static void failures(void)
{
    struct squares none = { .fail_claim = -1, .fail_work = -1 };
    struct err e;
    int at;

    check(!count(&none, 2, &e) && e.status == SNAP_OK, "nothing at all");
    for (at = 0; at < 9; at += 4) {
        struct squares a = { .n = 50, .fail_claim = at, .fail_work = -1 };
        struct squares b = { .n = 50, .fail_claim = -1, .fail_work = at };

        check(count(&a, 3, &e) == (unsigned)at && !strcmp(e.text, "claim"),
              "all before the one that is not there, %d, then why", at);
        check(count(&b, 3, &e) == (unsigned)at && !strcmp(e.text, "work"),
              "or cannot be made");
    }
}

/* Nobody takes anything, then all is left. */
static void left_alone(void)
{
    struct squares q = { .n = 50, .fail_claim = -1, .fail_work = -1 };
    struct squares few = { .n = 3, .fail_claim = -1, .fail_work = -1 };
    struct squares bad = { .n = 3, .fail_claim = -1, .fail_work = 2 };
    struct ring *r;
    struct err e;
    uint64_t rest;

    check(!ring_start(&ops, &q, SLOTS, 2, &r, &e) &&
          !ring_rest(r, &rest, &e) && rest == SLOTS * sizeof(unsigned),
          "no more is made than there are slots");
    ring_stop(r);
    check(q.next == SLOTS, "and no more claimed");
    check(!ring_start(&ops, &few, SLOTS, 2, &r, &e) &&
          !ring_rest(r, &rest, &e) && rest == 3 * sizeof(unsigned),
          "the rest, if it is less");
    ring_stop(r);
    check(!ring_start(&ops, &bad, SLOTS, 2, &r, &e) &&
          ring_rest(r, &rest, &e) == -1 && !strcmp(e.text, "work"),
          "what failed in it");
    ring_stop(r);
    ring_stop(NULL);
}

/* One thread is let work, then the others too. */
static void allowed(void)
{
    struct squares q = { .n = 400, .fail_claim = -1, .fail_work = -1 };
    struct ring_slot *s;
    struct ring *r;
    struct err e;
    unsigned n = 0;

    check(!ring_start(&ops, &q, SLOTS, 3, &r, &e), "three threads");
    ring_allow(r, 1);
    for (ring_next(r, &s); s; ring_next(r, &s)) {
        if (value(&s->out) != n * n)
            break;
        ring_done(r);
        if (++n == 200)
            ring_allow(r, 3);
    }
    ring_stop(r);
    check(n == 400, "the number of threads changes under way");
}

int main(void)
{
    in_order();
    failures();
    left_alone();
    allowed();
    return unit_done();
}
