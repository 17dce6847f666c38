/* SPDX-License-Identifier: LGPL-2.1-only */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "memory/memory.h"
#include "memory/save_file.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"
#include "sys/report.h"

/* Far above what the writer uses; bounds the memory of the reader. */
#define WINDOW_LOG_MAX 23

struct memory_reader {
    int fd;
    char *what;
    uint64_t done, size;        /* bytes given, and to be given */
    uint64_t taken, stored;     /* bytes of the file */
    const struct reporter *rep;
    ZSTD_DCtx *zstd;            /* NULL: not compressed */
    char *buf;
    ZSTD_inBuffer in;
    bool at_end;                /* of a frame, or before the first */
    bool holds;                 /* the decoder has more without input */
    struct err err;
};

static int damaged(struct memory_reader *r, const char *why)
{
    return err_set(&r->err, SNAP_FAILED, "%s: %s: the memory image is "
                   "damaged", r->what, why);
}

/* Of the file.  It may not be longer than recorded, or it could be endless. */
static ssize_t take(struct memory_reader *r, void *buf, size_t len)
{
    ssize_t n;

    do
        n = read(r->fd, buf, len);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return err_errno(&r->err, "cannot read %s", r->what);
    r->taken += (uint64_t)n;
    if (r->taken > r->stored)
        return damaged(r, "it is longer than recorded");
    return n;
}

static int refill(struct memory_reader *r)
{
    ssize_t n = take(r, r->buf, MEMORY_CHUNK);

    if (n < 0)
        return -1;
    r->in = (ZSTD_inBuffer){ r->buf, (size_t)n, 0 };
    return 0;
}

/* Of the decompressed image: bytes, 0 at its end, -1. */
static ssize_t expand(struct memory_reader *r, void *buf, size_t len)
{
    ZSTD_outBuffer out = { buf, len, 0 };
    size_t left;

    while (!out.pos) {
        if (r->in.pos == r->in.size && !r->holds) {
            if (refill(r))
                return -1;
            if (!r->in.size)
                return r->at_end ? 0 : damaged(r, "it ends too early");
        }
        left = ZSTD_decompressStream(r->zstd, &out, &r->in);
        if (ZSTD_isError(left))
            return damaged(r, ZSTD_getErrorName(left));
        r->at_end = !left;
        r->holds = left && out.pos == out.size;
    }
    return (ssize_t)out.pos;
}

static ssize_t next(struct memory_reader *r, void *buf, size_t len)
{
    return r->zstd ? expand(r, buf, len) : take(r, buf, len);
}

ssize_t memory_source(void *reader, void *buf, size_t len)
{
    struct memory_reader *r = reader;
    uint64_t room = r->size - r->done;
    char one;
    ssize_t n;

    if (!room) {
        n = next(r, &one, 1);
        return n > 0 ? damaged(r, "it holds more than recorded") : n;
    }
    n = next(r, buf, len < room ? len : room);
    if (n == 0)
        return damaged(r, "it holds less than recorded");
    if (n > 0) {
        r->done += (uint64_t)n;
        report_progress(r->rep, "restore", r->done, r->size);
    }
    return n;
}

bool memory_failed(const struct memory_reader *r, struct err *e)
{
    if (r->err.status == SNAP_OK)
        return false;
    *e = r->err;
    return true;
}

static int open_zstd(struct memory_reader *r, struct err *e)
{
    r->zstd = ZSTD_createDCtx();
    if (!r->zstd ||
        ZSTD_isError(ZSTD_DCtx_setParameter(r->zstd, ZSTD_d_windowLogMax,
                                            WINDOW_LOG_MAX)))
        return err_set(e, SNAP_FAILED, "libzstd does not start");
    r->at_end = true;
    return 0;
}

int memory_open(int dirfd, const struct snapshot *s, const char *what,
                const struct reporter *rep, struct memory_reader **r_r,
                struct err *e)
{
    bool plain = !strcmp(s->memory.compression, "none");
    struct memory_reader *r;

    if (!plain && strcmp(s->memory.compression, "zstd"))
        return err_set(e, SNAP_FAILED, "%s is compressed with '%s', which "
                       "this version does not know", what,
                       s->memory.compression);
    r = mem_zalloc(1, sizeof(*r));
    r->what = mem_strdup(what);
    r->rep = rep;
    r->size = s->memory.size;
    r->stored = s->memory.stored_size;
    r->buf = mem_zalloc(MEMORY_CHUNK, 1);
    r->fd = file_open_read(dirfd, memory_name(s), what, e);
    if (r->fd < 0 || (!plain && open_zstd(r, e))) {
        memory_reader_close(r);
        return -1;
    }
    *r_r = r;
    return 0;
}

void memory_reader_close(struct memory_reader *r)
{
    if (!r)
        return;
    if (r->fd >= 0)
        close(r->fd);
    ZSTD_freeDCtx(r->zstd);
    free(r->buf);
    free(r->what);
    free(r);
}

static int check_header(struct memory_reader *r)
{
    struct memory_header hdr = { .byteorder = 0 };
    size_t len = 0;
    ssize_t n;

    do {
        n = memory_source(r, (char *)&hdr + len, sizeof(hdr) - len);
        if (n < 0)
            return -1;
        len += (size_t)n;
    } while (n && len < sizeof(hdr));
    if (memcmp(hdr.magic, memory_magic, sizeof(hdr.magic)) ||
        hdr.byteorder != MEMORY_BYTEORDER)
        return err_set(&r->err, SNAP_FAILED, "%s is not a memory image of "
                       "xl", r->what);
    return 0;
}

/* Of what is stored: it says the same of what that holds, for less. */
static int check_sum(struct memory_reader *r, const char *want)
{
    XXH3_state_t *hash = memory_hash(&r->err);
    char *sum = NULL;
    ssize_t n;
    int rc = -1;

    if (!hash)
        return -1;
    r->taken = 0;
    if (lseek(r->fd, 0, SEEK_SET)) {
        err_errno(&r->err, "cannot read %s", r->what);
        goto out;
    }
    while ((n = take(r, r->buf, MEMORY_CHUNK)) > 0)
        XXH3_64bits_update(hash, r->buf, (size_t)n);
    if (n < 0)
        goto out;
    sum = memory_checksum(hash);
    if (r->taken != r->stored)
        damaged(r, "it is shorter than recorded");
    else if (strcmp(sum, want))
        err_set(&r->err, SNAP_FAILED, "%s has checksum %s, not %s: the "
                "memory image is damaged", r->what, sum, want);
    else
        rc = 0;

out:
    XXH3_freeState(hash);
    free(sum);
    return rc;
}

int memory_check_size(int dirfd, const struct snapshot *s, const char *what,
                      struct err *e)
{
    int fd = file_open_read(dirfd, memory_name(s), what, e), rc = 0;
    struct stat sb;

    if (fd < 0)
        return -1;
    if (fstat(fd, &sb))
        rc = err_errno(e, "cannot look at %s", what);
    else if ((uint64_t)sb.st_size != s->memory.stored_size)
        rc = err_set(e, SNAP_FAILED, "%s has %" PRIu64 " bytes, not the %"
                     PRIu64 " of the snapshot: the memory image is damaged",
                     what, (uint64_t)sb.st_size, s->memory.stored_size);
    close(fd);
    return rc;
}

int memory_verify(int dirfd, const struct snapshot *s, const char *what,
                  struct err *e)
{
    struct memory_reader *r;
    int rc;

    if (memory_open(dirfd, s, what, NULL, &r, e))
        return -1;
    rc = check_header(r) || check_sum(r, s->memory.checksum) ? -1 : 0;
    (void)memory_failed(r, e);
    memory_reader_close(r);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
