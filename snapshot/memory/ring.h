/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Threads that make the pieces of a stream beside each other, and hand them
 * over in order: compression and its reverse, each piece a frame of zstd.
 *
 * Calling sequence: ring_start(); ring_next() and ring_done() in turns until
 * there is no more, all from one thread; ring_stop(), right at any point.
 * What is ready and not taken yet is bounded by the number of slots.
 */

#ifndef SNAPSHOT_MEMORY_RING_H
#define SNAPSHOT_MEMORY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/err.h"

/* A buffer that grows as it needs to (ring_room()). */
struct ring_buf {
    char *data;
    size_t len, room;
};

struct ring_slot {
    struct ring_buf in, out;    /* the piece before, and after the work */
    uint64_t end;               /* for the user: where the piece ends */
    struct err err;             /* if claim() or work() failed */
    void *tool;                 /* the user's, for the slot's life */
    /* the ring's own */
    bool full;                  /* made, and not taken yet */
};

struct ring_ops {
    /*
     * What the next piece is made of.  Called in order, by one thread at a
     * time.  *end_r: there is none, and will not be.  0, or -1 with s->err.
     */
    int (*claim)(void *arg, struct ring_slot *s, bool *end_r);
    /* Makes it, beside others; 0, or -1 with s->err. */
    int (*work)(void *arg, struct ring_slot *s);
    void (*drop)(void *tool);   /* or NULL */
};

struct ring;

/* At least one thread starts, or -1.  ops and arg must live until the end. */
int ring_start(const struct ring_ops *ops, void *arg, unsigned nslots,
               unsigned nthreads, struct ring **r_r, struct err *e);
/* How many of the threads may work; all at first. */
void ring_allow(struct ring *r, unsigned nthreads);
/*
 * The next piece, waiting for it; *s_r is NULL at the end, and its error has
 * what went wrong where it went wrong.  It is the caller's until ring_done().
 */
void ring_next(struct ring *r, struct ring_slot **s_r);
void ring_done(struct ring *r);
/*
 * Waits until all pieces are made, or as many as the slots hold: their bytes,
 * or -1 with the error of the first that failed.
 */
int ring_rest(struct ring *r, uint64_t *bytes_r, struct err *e);
void ring_stop(struct ring *r);

/* Sees to it that the buffer has so many bytes; what is in it is lost. */
void ring_room(struct ring_buf *b, size_t size);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
