/* SPDX-License-Identifier: LGPL-2.1-only */

/* Hands pieces from one thread to several and back, in order. */

#include <pthread.h>
#include <stdlib.h>

#include "memory/ring.h"
#include "memory/save_file.h"
#include "sys/err.h"
#include "sys/mem.h"

struct ring {
    const struct ring_ops *ops;
    void *arg;
    pthread_mutex_t turn;       /* held by the one that claims */
    pthread_mutex_t lock;       /* of what follows */
    pthread_cond_t changed;
    struct ring_slot *slots;
    unsigned nslots;
    uint64_t head, tail;        /* pieces claimed, and done with */
    bool end;                   /* no more are claimed */
    bool stop;
    unsigned allowed, begun;
    pthread_t *threads;
    unsigned nthreads;
};

void ring_room(struct ring_buf *b, size_t size)
{
    if (b->room >= size)
        return;
    free(b->data);
    b->data = mem_zalloc(size, 1);
    b->room = size;
}

/* The slot of the next piece, once it is free; NULL: there is to be none. */
static struct ring_slot *wait_for_slot(struct ring *r)
{
    struct ring_slot *s = NULL;

    pthread_mutex_lock(&r->lock);
    while (!r->stop && !r->end && r->head - r->tail == r->nslots)
        pthread_cond_wait(&r->changed, &r->lock);
    if (!r->stop && !r->end)
        s = &r->slots[r->head % r->nslots];
    pthread_mutex_unlock(&r->lock);
    return s;
}

static bool wait_for_leave(struct ring *r, unsigned me)
{
    bool go;

    pthread_mutex_lock(&r->lock);
    while (!r->stop && !r->end && me >= r->allowed)
        pthread_cond_wait(&r->changed, &r->lock);
    go = !r->stop && !r->end;
    pthread_mutex_unlock(&r->lock);
    return go;
}

/* *s_r is NULL if there is no further piece. */
static int claim(struct ring *r, struct ring_slot **s_r)
{
    struct ring_slot *s;
    bool end = false;
    int rc = 0;

    pthread_mutex_lock(&r->turn);
    s = wait_for_slot(r);
    if (s) {
        s->in.len = s->out.len = 0;
        s->err.status = SNAP_OK;
        rc = r->ops->claim(r->arg, s, &end);
        pthread_mutex_lock(&r->lock);
        s->full = false;
        r->end = r->end || end || rc;
        if (rc || !end)
            r->head++;
        else
            s = NULL;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
    }
    pthread_mutex_unlock(&r->turn);
    *s_r = s;
    return rc;
}

static void *run(void *arg)
{
    struct ring *r = arg;
    struct ring_slot *s;
    unsigned me;
    int rc;

    pthread_mutex_lock(&r->lock);
    me = r->begun++;
    pthread_mutex_unlock(&r->lock);
    while (wait_for_leave(r, me)) {
        rc = claim(r, &s);
        if (!s)
            break;
        if (!rc)
            rc = r->ops->work(r->arg, s);
        pthread_mutex_lock(&r->lock);
        s->full = true;
        if (rc)
            r->end = true;
        pthread_cond_broadcast(&r->changed);
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

int ring_start(const struct ring_ops *ops, void *arg, unsigned nslots,
               unsigned nthreads, struct ring **r_r, struct err *e)
{
    struct ring *r = mem_zalloc(1, sizeof(*r));

    r->ops = ops;
    r->arg = arg;
    r->nslots = nslots;
    r->allowed = nthreads;
    r->slots = mem_zalloc(nslots, sizeof(*r->slots));
    r->threads = mem_zalloc(nthreads, sizeof(*r->threads));
    pthread_mutex_init(&r->turn, NULL);
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    /* Fewer than wished for do it too. */
    while (r->nthreads < nthreads &&
           !memory_thread(run, r, &r->threads[r->nthreads], e))
        r->nthreads++;
    if (!r->nthreads) {
        ring_stop(r);
        return -1;
    }
    *r_r = r;
    return 0;
}

void ring_allow(struct ring *r, unsigned nthreads)
{
    pthread_mutex_lock(&r->lock);
    r->allowed = nthreads;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

void ring_next(struct ring *r, struct ring_slot **s_r)
{
    struct ring_slot *s = &r->slots[r->tail % r->nslots];

    pthread_mutex_lock(&r->lock);
    while (!(r->tail < r->head && s->full) && !(r->end && r->tail == r->head))
        pthread_cond_wait(&r->changed, &r->lock);
    *s_r = NULL;
    if (r->tail < r->head)
        *s_r = s;
    pthread_mutex_unlock(&r->lock);
}

void ring_done(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->tail++;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

/* Of the pieces claimed and not done with: how many are not made yet. */
static unsigned unfinished(const struct ring *r)
{
    unsigned n = 0;
    uint64_t i;

    for (i = r->tail; i < r->head; i++)
        n += !r->slots[i % r->nslots].full;
    return n;
}

int ring_rest(struct ring *r, uint64_t *bytes_r, struct err *e)
{
    uint64_t i;
    int rc = 0;

    *bytes_r = 0;
    pthread_mutex_lock(&r->lock);
    while (unfinished(r) || (!r->end && r->head - r->tail < r->nslots))
        pthread_cond_wait(&r->changed, &r->lock);
    for (i = r->tail; !rc && i < r->head; i++) {
        const struct ring_slot *s = &r->slots[i % r->nslots];

        *bytes_r += s->out.len;
        if (s->err.status != SNAP_OK) {
            *e = s->err;
            rc = -1;
        }
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

void ring_stop(struct ring *r)
{
    unsigned i;

    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    for (i = 0; i < r->nthreads; i++)
        pthread_join(r->threads[i], NULL);
    for (i = 0; i < r->nslots; i++) {
        if (r->slots[i].tool)
            r->ops->drop(r->slots[i].tool);
        free(r->slots[i].in.data);
        free(r->slots[i].out.data);
    }
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->turn);
    free(r->threads);
    free(r->slots);
    free(r);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
