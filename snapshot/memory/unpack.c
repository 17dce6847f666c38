/* SPDX-License-Identifier: LGPL-2.1-only */

/* Decompresses a memory image: frames by threads, other files as a stream. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zstd.h>

#include "memory/ring.h"
#include "memory/save_file.h"
#include "memory/unpack.h"
#include "sys/err.h"
#include "sys/mem.h"

/* Far above what the writer uses; bounds the memory of a stream's decoder. */
#define WINDOW_LOG_MAX 23
/* Of a frame that is decoded at once, twice what the writer makes. */
#define FRAME_MAX (2 * PACK_FRAME)

struct unpack {
    int fd;
    const char *what;
    uint64_t taken, stored;     /* bytes of the file */
    XXH3_state_t *hash;         /* of what was taken */
    bool compressed;
    bool stream;                /* from here on it is not ours, frame by frame */
    char *buf;                  /* of the file: [at, len) is not used yet */
    size_t at, len, room;
    bool eof;
    ZSTD_DCtx *zstd;            /* of the stream */
    bool at_end;                /* of a frame, or before the first */
    bool holds;                 /* the decoder has more without input */
};

static int damaged(const struct unpack *u, const char *why, struct err *e)
{
    return err_set(e, SNAP_FAILED, "%s: %s: the memory image is damaged",
                   u->what, why);
}

/* Of the file.  It may not be longer than recorded, or it could be endless. */
static int take(struct unpack *u, void *buf, size_t len, size_t *n_r,
                struct err *e)
{
    ssize_t n;

    do
        n = read(u->fd, buf, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(e, "cannot read %s", u->what);
    XXH3_64bits_update(u->hash, buf, (size_t)n);
    u->taken += (uint64_t)n;
    if (u->taken > u->stored)
        return damaged(u, "it is longer than recorded", e);
    *n_r = (size_t)n;
    return 0;
}

/* Has at least so much in the buffer, unless the file ends. */
static int refill(struct unpack *u, size_t want, struct err *e)
{
    size_t n;

    if (u->len - u->at >= want || u->eof)
        return 0;
    memmove(u->buf, u->buf + u->at, u->len - u->at);
    u->len -= u->at;
    u->at = 0;
    while (u->len < want && !u->eof) {
        if (take(u, u->buf + u->len, u->room - u->len, &n, e))
            return -1;
        u->len += n;
        u->eof = !n;
    }
    return 0;
}

static int expand(struct unpack *u, void *buf, size_t len, size_t *n_r,
                  struct err *e)
{
    ZSTD_outBuffer out = { buf, len, 0 };

    while (!out.pos) {
        ZSTD_inBuffer in;
        size_t left;

        if (!u->holds && refill(u, 1, e))
            return -1;
        if (!u->holds && u->at == u->len) {
            if (!u->at_end)
                return damaged(u, "it ends too early", e);
            break;
        }
        in = (ZSTD_inBuffer){ u->buf, u->len, u->at };
        left = ZSTD_decompressStream(u->zstd, &out, &in);
        if (ZSTD_isError(left))
            return damaged(u, ZSTD_getErrorName(left), e);
        u->at = in.pos;
        u->at_end = !left;
        u->holds = left && out.pos == out.size;
    }
    *n_r = out.pos;
    return 0;
}

int unpack_some(struct unpack *u, void *buf, size_t len, size_t *n_r,
                struct err *e)
{
    if (u->compressed)
        return expand(u, buf, len, n_r, e);
    return take(u, buf, len, n_r, e);
}

/* The next frame goes into the slot, if it is one that can. */
static int next_frame(struct unpack *u, struct ring_slot *s, bool *end_r)
{
    size_t want = ZSTD_compressBound(FRAME_MAX), len;
    unsigned long long size;

    if (refill(u, want, &s->err))
        return -1;
    *end_r = u->at == u->len;
    if (*end_r)
        return 0;
    size = ZSTD_getFrameContentSize(u->buf + u->at, u->len - u->at);
    len = ZSTD_findFrameCompressedSize(u->buf + u->at, u->len - u->at);
    /* Unknown sizes and errors are large numbers; 0 may be no data at all. */
    u->stream = !size || size > FRAME_MAX || ZSTD_isError(len);
    if (u->stream)
        return 0;
    ring_room(&s->in, len);
    memcpy(s->in.data, u->buf + u->at, len);
    s->in.len = len;
    s->out.len = (size_t)size;
    u->at += len;
    return 0;
}

static int claim(void *unpack, struct ring_slot *s, bool *end_r)
{
    struct unpack *u = unpack;

    if (u->compressed && !u->stream && next_frame(u, s, end_r))
        return -1;
    if (*end_r || s->in.len)
        return 0;
    ring_room(&s->out, PACK_FRAME);
    if (unpack_some(u, s->out.data, PACK_FRAME, &s->out.len, &s->err))
        return -1;
    *end_r = !s->out.len;
    return 0;
}

static int work(void *unpack, struct ring_slot *s)
{
    size_t n;

    if (!s->in.len)
        return 0;
    ring_room(&s->out, s->out.len);
    n = ZSTD_decompress(s->out.data, s->out.len, s->in.data, s->in.len);
    if (ZSTD_isError(n))
        return damaged(unpack, ZSTD_getErrorName(n), &s->err);
    if (n != s->out.len)
        return damaged(unpack, "a frame's size is wrong", &s->err);
    return 0;
}

const struct ring_ops unpack_ops = { .claim = claim, .work = work };

int unpack_open(int fd, const char *what, uint64_t stored, bool compressed,
                struct unpack **u_r, struct err *e)
{
    struct unpack *u = mem_zalloc(1, sizeof(*u));

    u->fd = fd;
    u->what = what;
    u->stored = stored;
    u->compressed = compressed;
    u->at_end = true;
    *u_r = u;
    u->hash = memory_hash(e);
    if (!u->hash) {
        unpack_close(u);
        *u_r = NULL;
        return -1;
    }
    if (!compressed)
        return 0;
    u->room = 2 * ZSTD_compressBound(FRAME_MAX);
    u->buf = mem_zalloc(u->room, 1);
    u->zstd = ZSTD_createDCtx();
    if (u->zstd &&
        !ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax,
                                             WINDOW_LOG_MAX)))
        return 0;
    unpack_close(u);
    *u_r = NULL;
    return err_set(e, SNAP_FAILED, "cannot start libzstd");
}

int unpack_check_sum(struct unpack *u, const char *want, struct err *e)
{
    char *sum = memory_checksum(u->hash);
    int rc = 0;

    if (strcmp(sum, want))
        rc = damaged(u, "what was read has another checksum than recorded", e);
    free(sum);
    return rc;
}

void unpack_close(struct unpack *u)
{
    if (!u)
        return;
    ZSTD_freeDCtx(u->zstd);
    XXH3_freeState(u->hash);
    free(u->buf);
    free(u);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
