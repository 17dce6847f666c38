/* SPDX-License-Identifier: LGPL-2.1-only */

/* A memory image for "xl restore", and whether one is whole. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory/memory.h"
#include "memory/ring.h"
#include "memory/save_file.h"
#include "memory/unpack.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"
#include "sys/report.h"

/* As much as the frames of 16 MiB: more than a batch of libxl's. */
#define SLOTS (16 * MEMORY_CHUNK / PACK_FRAME)

struct memory_reader {
    int fd;
    char *what;
    bool compressed;
    uint64_t done, size;        /* bytes given, and to be given */
    uint64_t held;              /* of them kept back, at the end */
    uint64_t stored;            /* bytes of the file */
    char *checksum;             /* of these; "": not recorded */
    const struct reporter *rep;
    struct unpack *unpack;
    struct ring *ring;          /* NULL: nothing was asked for yet */
    struct ring_slot *slot;     /* what is given now, from "at" on */
    size_t at;
    /* memory_copy()'s */
    int (*put)(void *arg, const void *data, size_t len, struct err *e);
    void *put_arg;
    struct err err;
};

static int damaged(struct memory_reader *r, const char *why)
{
    return err_set(&r->err, SNAP_FAILED, "%s: %s: the memory image is "
                   "damaged", r->what, why);
}

/* Of the very bytes that were given: the file may have changed since a check. */
static int check_given(struct memory_reader *r)
{
    if (!r->checksum[0])
        return 0;
    return unpack_check_sum(r->unpack, r->checksum, &r->err);
}

static int start(struct memory_reader *r)
{
    unsigned n = 1;

    /* One processor is for libxl, which it must not wait for. */
    if (r->compressed)
        n = memory_spare_cpus();
    return ring_start(&unpack_ops, r->unpack, SLOTS, n, &r->ring, &r->err);
}

/*
 * Of the decompressed image: bytes, 0 at its end, -1.  For a look at its header
 * no thread is started, which would read on.
 */
static ssize_t next(struct memory_reader *r, void *buf, size_t len)
{
    size_t n;

    if (!r->ring && !r->compressed && r->done + len <= MEMORY_CHUNK) {
        if (unpack_some(r->unpack, buf, len, &n, &r->err))
            return -1;
        return (ssize_t)n;
    }
    if (!r->ring && start(r))
        return -1;
    while (!r->slot) {
        ring_next(r->ring, &r->slot);
        if (!r->slot)
            return 0;
        if (r->slot->err.status != SNAP_OK) {
            r->err = r->slot->err;
            return -1;
        }
        r->at = 0;
    }
    if (len > r->slot->out.len - r->at)
        len = r->slot->out.len - r->at;
    memcpy(buf, r->slot->out.data + r->at, len);
    r->at += len;
    if (r->at == r->slot->out.len) {
        ring_done(r->ring);
        r->slot = NULL;
    }
    return (ssize_t)len;
}

/* What is kept back is there, and nothing behind it. */
static int check_rest(struct memory_reader *r)
{
    uint64_t rest;

    if (ring_rest(r->ring, &rest, &r->err))
        return -1;
    if (r->slot)
        rest -= r->at;
    if (rest < r->held)
        return damaged(r, "it holds less than recorded");
    if (rest > r->held)
        return damaged(r, "it holds more than recorded");
    return check_given(r);
}

ssize_t memory_source(void *reader, void *buf, size_t len)
{
    struct memory_reader *r = reader;
    uint64_t room = r->size - r->done;
    char one;
    ssize_t n;

    if (r->err.status != SNAP_OK)
        return -1;
    if (!room) {
        n = next(r, &one, 1);
        if (n > 0)
            return damaged(r, "it holds more than recorded");
        return n < 0 ? n : check_given(r);
    }
    if (room <= r->held) {
        if (r->ring)
            return check_rest(r);
        return 0;
    }
    room -= r->held;
    if (len > room)
        len = room;
    n = next(r, buf, len);
    if (n == 0)
        return damaged(r, "it holds less than recorded");
    if (n > 0) {
        r->done += (uint64_t)n;
        report_progress(r->rep, "restore", r->done, r->size);
    }
    return n;
}

void memory_hold(struct memory_reader *r, uint64_t bytes)
{
    r->held = bytes;
}

bool memory_failed(const struct memory_reader *r, struct err *e)
{
    if (r->err.status == SNAP_OK)
        return false;
    *e = r->err;
    return true;
}

int memory_as_file(struct memory_reader *r, int *fd_r)
{
    struct stat sb;

    *fd_r = -1;
    if (r->compressed)
        return 0;
    if (fstat(r->fd, &sb))
        return err_errno(&r->err, "cannot look at %s", r->what);
    if ((uint64_t)sb.st_size != r->stored || r->stored != r->size)
        return damaged(r, "it is not as long as recorded");
    ring_stop(r->ring);
    r->ring = NULL;
    if (lseek(r->fd, 0, SEEK_SET))
        return err_errno(&r->err, "cannot read %s", r->what);
    *fd_r = r->fd;
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
    r->compressed = !plain;
    r->size = s->memory.size;
    r->stored = s->memory.stored_size;
    r->checksum = mem_strdup(s->memory.checksum);
    r->fd = file_open_read(dirfd, memory_name(s), what, e);
    if (r->fd < 0 ||
        unpack_open(r->fd, r->what, r->stored, r->compressed, &r->unpack, e)) {
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
    ring_stop(r->ring);
    unpack_close(r->unpack);
    if (r->fd >= 0)
        close(r->fd);
    free(r->checksum);
    free(r->what);
    free(r);
}

static int check_header(struct memory_reader *r)
{
    struct memory_header hdr = { .byteorder = 0 };
    size_t len = 0, n;

    do {
        if (unpack_some(r->unpack, (char *)&hdr + len, sizeof(hdr) - len, &n,
                        &r->err))
            return -1;
        len += n;
    } while (n && len < sizeof(hdr));
    if (memcmp(hdr.magic, memory_magic, sizeof(hdr.magic)) ||
        hdr.byteorder != MEMORY_BYTEORDER)
        return err_set(&r->err, SNAP_FAILED, "%s is not a memory image of "
                       "xl", r->what);
    return 0;
}

/* The stored bytes, from the first on; at most one more than recorded. */
static int sum_up(struct memory_reader *r, XXH3_state_t *hash,
                  uint64_t *size_r)
{
    char *buf = mem_zalloc(MEMORY_CHUNK, 1);
    ssize_t n = 1;
    int rc = 0;

    *size_r = 0;
    if (lseek(r->fd, 0, SEEK_SET))
        n = -1;
    while (!rc && n > 0 && *size_r <= r->stored) {
        do
            n = read(r->fd, buf, MEMORY_CHUNK);
        while (n < 0 && errno == EINTR);
        if (n > 0) {
            XXH3_64bits_update(hash, buf, (size_t)n);
            *size_r += (uint64_t)n;
            if (r->put)
                rc = r->put(r->put_arg, buf, (size_t)n, &r->err);
        }
    }
    if (n < 0)
        rc = err_errno(&r->err, "cannot read %s", r->what);
    free(buf);
    return rc;
}

/* Of what is stored: it says the same of what that holds, for less. */
static int check_sum(struct memory_reader *r, const char *want)
{
    XXH3_state_t *hash = memory_hash(&r->err);
    char *sum = NULL;
    uint64_t size;
    int rc = -1;

    if (!hash || sum_up(r, hash, &size))
        goto out;
    sum = memory_checksum(hash);
    if (size < r->stored)
        damaged(r, "it is shorter than recorded");
    else if (size > r->stored)
        damaged(r, "it is longer than recorded");
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
        rc = err_set(e, SNAP_FAILED, "%s has %" PRIu64 " bytes instead of %"
                     PRIu64 ": the memory image is damaged",
                     what, (uint64_t)sb.st_size, s->memory.stored_size);
    close(fd);
    return rc;
}

int memory_verify(int dirfd, const struct snapshot *s, const char *what,
                  struct err *e)
{
    return memory_copy(dirfd, s, what, NULL, NULL, e);
}

int memory_copy(int dirfd, const struct snapshot *s, const char *what,
                int (*put)(void *arg, const void *data, size_t len,
                           struct err *e), void *arg, struct err *e)
{
    struct memory_reader *r;
    int rc;

    if (memory_open(dirfd, s, what, NULL, &r, e))
        return -1;
    r->put = put;
    r->put_arg = arg;
    rc = check_header(r);
    if (!rc)
        rc = check_sum(r, s->memory.checksum);
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
