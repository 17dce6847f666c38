/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads and writes disks in chunks, several of them on their way at a time. */

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libnbd.h>

#include "image/content.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"

#define DEPTH 8                 /* chunks on their way */
#define POLL_MS 100
#define WINDOW (1u << 30)       /* bytes whose holes are asked for at a time */

struct request {
    void *buf;
    size_t len;
    int64_t cookie;
    bool zero;                  /* a read: nothing was asked for */
    bool busy;                  /* a write: under way */
};

struct extent {
    uint64_t begin, end;
    bool zero;
};

struct content {
    struct nbd_handle *nbd;
    char *what;
    uint64_t size, asked;
    struct request ring[DEPTH];
    unsigned first, n;
    bool lent;                  /* the first one is the caller's */
    struct extent *map;         /* up to "mapped" */
    size_t nmap, at;
    uint64_t mapped;
};

struct content_writer {
    struct nbd_handle *nbd;
    char *what;
    uint64_t size;
    struct request ring[DEPTH];
    unsigned next;
};

static int failed(const char *doing, const char *what, struct err *e)
{
    if (interrupt_pending())
        return interrupt_error(e);
    return err_set(e, SNAP_FAILED, "cannot %s %s: %s", doing, what,
                   nbd_get_error());
}

static int connect_to(const char *socket, const char *what,
                      struct nbd_handle **nbd_r, uint64_t *size_r,
                      struct err *e)
{
    struct nbd_handle *nbd = nbd_create();
    int64_t size;

    *nbd_r = nbd;
    if (!nbd || nbd_add_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) ||
        nbd_connect_unix(nbd, socket))
        return failed("open", what, e);
    size = nbd_get_size(nbd);
    if (size < 0)
        return failed("look at", what, e);
    *size_r = (uint64_t)size;
    return 0;
}

static void make_ring(struct request ring[DEPTH])
{
    unsigned i;

    for (i = 0; i < DEPTH; i++)
        ring[i].buf = mem_zalloc(CONTENT_CHUNK, 1);
}

static void free_ring(struct request ring[DEPTH])
{
    unsigned i;

    for (i = 0; i < DEPTH; i++)
        free(ring[i].buf);
}

static int await(struct nbd_handle *nbd, int64_t cookie, const char *doing,
                 const char *what, struct err *e)
{
    int done;

    while (!(done = nbd_aio_command_completed(nbd, (uint64_t)cookie))) {
        if (interrupt_pending())
            return interrupt_error(e);
        if (nbd_poll(nbd, POLL_MS) < 0)
            return failed(doing, what, e);
    }
    if (done < 0)
        return failed(doing, what, e);
    return 0;
}

int content_open(const char *socket, const char *what, struct content **c_r,
                 struct err *e)
{
    struct content *c = mem_zalloc(1, sizeof(*c));

    c->what = mem_strdup(what);
    if (connect_to(socket, what, &c->nbd, &c->size, e)) {
        content_close(c);
        return -1;
    }
    make_ring(c->ring);
    *c_r = c;
    return 0;
}

uint64_t content_size(const struct content *c)
{
    return c->size;
}

static int note_extents(void *arg, const char *context, uint64_t offset,
                        uint32_t *entries, size_t n, int *error)
{
    struct content *c = arg;
    size_t i;

    (void)error;
    if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION))
        return 0;
    for (i = 0; i + 1 < n; i += 2) {
        c->map = mem_grow(c->map, c->nmap + 1, sizeof(*c->map));
        c->map[c->nmap++] = (struct extent){
            .begin = offset, .end = offset + entries[i],
            .zero = entries[i + 1] & LIBNBD_STATE_ZERO,
        };
        offset += entries[i];
    }
    c->mapped = offset;
    return 0;
}

/* Where the holes are from here on; what is not told is read. */
static int look_ahead(struct content *c, struct err *e)
{
    uint64_t len = c->size - c->asked;

    if (c->asked < c->mapped)
        return 0;
    c->nmap = 0;
    c->at = 0;
    c->mapped = c->size;
    if (nbd_can_meta_context(c->nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) != 1)
        return 0;
    if (len > WINDOW)
        len = WINDOW;
    if (nbd_block_status(c->nbd, len, c->asked, (nbd_extent_callback){
            .callback = note_extents, .user_data = c }, 0))
        return failed("read", c->what, e);
    return 0;
}

static bool is_hole(struct content *c, uint64_t offset, size_t len)
{
    uint64_t end = offset + len;
    size_t i;

    while (c->at < c->nmap && c->map[c->at].end <= offset)
        c->at++;
    for (i = c->at; i < c->nmap && offset < end; i++) {
        if (!c->map[i].zero)
            return false;
        offset = c->map[i].end;
    }
    return offset >= end;
}

/* Of the chunk that comes next. */
static size_t next_len(const struct content *c)
{
    if (c->size - c->asked < CONTENT_CHUNK)
        return (size_t)(c->size - c->asked);
    return CONTENT_CHUNK;
}

static int ask(struct content *c, struct err *e)
{
    while (c->n < DEPTH && c->asked < c->size) {
        struct request *r = &c->ring[(c->first + c->n) % DEPTH];

        if (look_ahead(c, e))
            return -1;
        r->len = next_len(c);
        r->zero = is_hole(c, c->asked, r->len);
        if (!r->zero)
            r->cookie = nbd_aio_pread(c->nbd, r->buf, r->len, c->asked,
                                      NBD_NULL_COMPLETION, 0);
        if (!r->zero && r->cookie < 0)
            return failed("read", c->what, e);
        c->asked += r->len;
        c->n++;
    }
    return 0;
}

static bool all_zero(const char *data, size_t len)
{
    return !data[0] && !memcmp(data, data + 1, len - 1);
}

int content_next(struct content *c, const void **data_r, size_t *len_r,
                 struct err *e)
{
    struct request *r;

    *data_r = NULL;
    *len_r = 0;
    if (interrupt_pending())
        return interrupt_error(e);
    if (c->lent) {
        c->first = (c->first + 1) % DEPTH;
        c->n--;
        c->lent = false;
    }
    if (ask(c, e))
        return -1;
    if (!c->n)
        return 0;
    r = &c->ring[c->first];
    if (!r->zero && await(c->nbd, r->cookie, "read", c->what, e))
        return -1;
    c->lent = true;
    *len_r = r->len;
    if (!r->zero && !all_zero(r->buf, r->len))
        *data_r = r->buf;
    return 0;
}

int content_map(struct content *c,
                void (*data)(void *arg, uint64_t offset, uint64_t len),
                void *arg, struct err *e)
{
    uint64_t begin = 0;         /* of the data before this chunk */
    size_t len;

    for (c->asked = 0; c->asked < c->size; c->asked += len) {
        len = next_len(c);
        if (interrupt_pending())
            return interrupt_error(e);
        if (look_ahead(c, e))
            return -1;
        if (!is_hole(c, c->asked, len))
            continue;
        if (c->asked > begin)
            data(arg, begin, c->asked - begin);
        begin = c->asked + len;
    }
    if (c->asked > begin)
        data(arg, begin, c->asked - begin);
    c->asked = 0;
    c->mapped = 0;
    return 0;
}

void content_close(struct content *c)
{
    if (!c)
        return;
    nbd_close(c->nbd);          /* before its buffers go */
    free_ring(c->ring);
    free(c->map);
    free(c->what);
    free(c);
}

int content_write_open(const char *socket, const char *what,
                       struct content_writer **w_r, struct err *e)
{
    struct content_writer *w = mem_zalloc(1, sizeof(*w));

    w->what = mem_strdup(what);
    if (connect_to(socket, what, &w->nbd, &w->size, e)) {
        content_write_close(w);
        return -1;
    }
    make_ring(w->ring);
    *w_r = w;
    return 0;
}

static int await_write(struct content_writer *w, struct request *r,
                       struct err *e)
{
    if (!r->busy)
        return 0;
    r->busy = false;
    return await(w->nbd, r->cookie, "write", w->what, e);
}

int content_put(struct content_writer *w, uint64_t offset, const void *data,
                size_t len, struct err *e)
{
    struct request *r = &w->ring[w->next];
    size_t whole = (len + CONTENT_ALIGN - 1) / CONTENT_ALIGN * CONTENT_ALIGN;

    if (interrupt_pending())
        return interrupt_error(e);
    if (await_write(w, r, e))
        return -1;
    if (whole > w->size - offset)
        whole = len;
    if (data) {
        memcpy(r->buf, data, len);
        memset((char *)r->buf + len, 0, whole - len);
        r->cookie = nbd_aio_pwrite(w->nbd, r->buf, whole, offset,
                                   NBD_NULL_COMPLETION, 0);
    } else {
        r->cookie = nbd_aio_zero(w->nbd, whole, offset, NBD_NULL_COMPLETION,
                                 0);
    }
    if (r->cookie < 0)
        return failed("write", w->what, e);
    r->busy = true;
    w->next = (w->next + 1) % DEPTH;
    return 0;
}

int content_flush(struct content_writer *w, struct err *e)
{
    unsigned i;

    for (i = 0; i < DEPTH; i++)
        if (await_write(w, &w->ring[i], e))
            return -1;
    if (nbd_can_flush(w->nbd) == 1 && nbd_flush(w->nbd, 0))
        return failed("write", w->what, e);
    return 0;
}

void content_write_close(struct content_writer *w)
{
    if (!w)
        return;
    nbd_close(w->nbd);
    free_ring(w->ring);
    free(w->what);
    free(w);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
