/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads a classic LVM snapshot's table of kept chunks and puts these back. */

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/cow.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"

#define MAGIC 0x70416e53u
#define VERSION 1
#define SECTOR 512u
#define MIN_CHUNK 4096u         /* O_DIRECT's unit on any disk */
#define MAX_CHUNK (1u << 20)
#define PAIR 16u                /* bytes of one in a table */
#define RUN_MAX (1u << 20)      /* bytes copied at once */

struct cow {
    const char *path[3];        /* of table, snapshot, origin */
    int table, snapshot, origin;
    uint64_t table_size, size;  /* bytes; of snapshot and origin */
    uint32_t chunk;             /* bytes */
    uint64_t nchunks;           /* in the origin */
    uint8_t *changed;           /* a bit for each of them */
    char *buf, *other;          /* RUN_MAX each */
};

static int damaged(const struct cow *c, const char *what, struct err *e)
{
    return err_set(e, SNAP_FAILED, "%s is not a snapshot's: %s", c->path[0],
                   what);
}

static int read_at(int fd, const char *path, void *buf, size_t len,
                   uint64_t at, struct err *e)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(fd, (char *)buf + done, len - done,
                          (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot read %s", path);
        if (n == 0)
            return err_set(e, SNAP_FAILED, "%s is too short", path);
        done += (size_t)n;
    }
    return 0;
}

static int write_at(int fd, const char *path, const void *buf, size_t len,
                    uint64_t at, struct err *e)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pwrite(fd, (const char *)buf + done, len - done,
                           (off_t)(at + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(e, "cannot write to %s", path);
        done += (size_t)n;
    }
    return 0;
}

static int open_one(const char *path, int flags, uint64_t *size_r,
                    struct err *e)
{
    /* Past the page cache: the kernel writes tables and chunks so. */
    int fd = open(path, flags | O_DIRECT | O_CLOEXEC);
    off_t end;

    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    end = lseek(fd, 0, SEEK_END);
    if (end < 0) {
        err_errno(e, "cannot open %s", path);
        close(fd);
        return -1;
    }
    *size_r = (uint64_t)end;
    return fd;
}

static int open_all(struct cow *c, struct err *e)
{
    uint64_t size;

    c->table = open_one(c->path[0], O_RDONLY, &c->table_size, e);
    if (c->table < 0)
        return -1;
    c->snapshot = open_one(c->path[1], O_RDONLY, &size, e);
    if (c->snapshot < 0)
        return -1;
    /* O_EXCL: nothing is mounted from the device meanwhile. */
    c->origin = open_one(c->path[2], O_RDWR | O_EXCL, &c->size, e);
    if (c->origin < 0)
        return -1;
    if (size != c->size)
        return err_set(e, SNAP_FAILED, "%s and its origin %s are not of one "
                       "size", c->path[1], c->path[2]);
    return 0;
}

static uint32_t le32_at(const char *buf, size_t i)
{
    uint32_t n;

    memcpy(&n, buf + i * sizeof(n), sizeof(n));
    return le32toh(n);
}

static uint64_t le64_at(const char *buf, size_t i)
{
    uint64_t n;

    memcpy(&n, buf + i * sizeof(n), sizeof(n));
    return le64toh(n);
}

static int read_header(struct cow *c, struct err *e)
{
    uint32_t sectors;

    if (read_at(c->table, c->path[0], c->buf, MIN_CHUNK, 0, e))
        return -1;
    if (le32_at(c->buf, 0) != MAGIC || le32_at(c->buf, 2) != VERSION)
        return damaged(c, "it begins with something else", e);
    if (!le32_at(c->buf, 1))
        return err_set(e, SNAP_FAILED, "%s has overflowed", c->path[1]);
    sectors = le32_at(c->buf, 3);
    if (sectors < MIN_CHUNK / SECTOR || sectors > MAX_CHUNK / SECTOR ||
        sectors & (sectors - 1))
        return damaged(c, "its chunk size makes no sense", e);
    c->chunk = sectors * SECTOR;
    c->nchunks = (c->size + c->chunk - 1) / c->chunk;
    c->changed = mem_zalloc(c->nchunks / 8 + 1, 1);
    return 0;
}

/* The table in c->buf; a full one is followed by another one. */
static int mark_changed(struct cow *c, bool *full_r, struct err *e)
{
    uint64_t i, n = c->chunk / PAIR;

    *full_r = false;
    for (i = 0; i < n; i++) {
        uint64_t chunk = le64_at(c->buf, i * 2);

        if (!le64_at(c->buf, i * 2 + 1))
            return 0;
        if (chunk >= c->nchunks)
            return damaged(c, "a chunk is beyond the end of the origin", e);
        c->changed[chunk / 8] |= (uint8_t)(1 << chunk % 8);
    }
    *full_r = true;
    return 0;
}

static int read_tables(struct cow *c, struct err *e)
{
    uint64_t at = c->chunk, step = (c->chunk / PAIR + 1) * (uint64_t)c->chunk;
    bool more = true;

    for (; more && at + c->chunk <= c->table_size; at += step)
        if (read_at(c->table, c->path[0], c->buf, c->chunk, at, e) ||
            mark_changed(c, &more, e))
            return -1;
    return 0;
}

static bool is_changed(const struct cow *c, uint64_t chunk)
{
    return chunk < c->nchunks && c->changed[chunk / 8] & 1 << chunk % 8;
}

static int copy(struct cow *c, uint64_t first, uint64_t end, struct err *e)
{
    uint64_t at = first * c->chunk, to = end * c->chunk;
    size_t len;

    if (to > c->size)
        to = c->size;
    len = (size_t)(to - at);
    if (read_at(c->snapshot, c->path[1], c->buf, len, at, e) ||
        read_at(c->origin, c->path[2], c->other, len, at, e))
        return -1;
    /* What is written takes room in the origin's other snapshots. */
    if (!memcmp(c->buf, c->other, len))
        return 0;
    return write_at(c->origin, c->path[2], c->buf, len, at, e);
}

static int copy_changed(struct cow *c, struct err *e)
{
    uint64_t i = 0, end;

    while (i < c->nchunks) {
        if (!(i % 8) && !c->changed[i / 8]) {
            i += 8;
            continue;
        }
        if (!is_changed(c, i)) {
            i++;
            continue;
        }
        for (end = i; is_changed(c, end) &&
             (end - i) * c->chunk < RUN_MAX; end++)
            ;
        if (copy(c, i, end, e))
            return -1;
        i = end;
    }
    return file_sync(c->origin, c->path[2], e);
}

static void close_all(struct cow *c)
{
    if (c->table >= 0)
        close(c->table);
    if (c->snapshot >= 0)
        close(c->snapshot);
    if (c->origin >= 0)
        close(c->origin);
    free(c->changed);
    free(c->buf);
    free(c->other);
}

int cow_put_back(const char *cow, const char *snapshot, const char *origin,
                 struct err *e)
{
    struct cow c = {
        .path = { cow, snapshot, origin },
        .table = -1, .snapshot = -1, .origin = -1,
    };
    int rc = -1;

    c.buf = aligned_alloc(MIN_CHUNK, RUN_MAX);
    c.other = aligned_alloc(MIN_CHUNK, RUN_MAX);
    if (!c.buf || !c.other)
        err_set(e, SNAP_FAILED, "cannot put %s back: no memory", snapshot);
    else if (!open_all(&c, e) && !read_header(&c, e) && !read_tables(&c, e))
        rc = copy_changed(&c, e);
    close_all(&c);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
