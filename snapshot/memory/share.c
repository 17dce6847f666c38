/* SPDX-License-Identifier: LGPL-2.1-only */

/* Equal parts of memory images, on disk once. */

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "memory/place.h"
#include "memory/save_file.h"
#include "memory/share.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/interrupt.h"
#include "sys/mem.h"

#define BLOCK 4096u
/* Shorter ones would leave the file in pieces for little. */
#define RUN_MIN (4 * BLOCK)
#define EXTENTS 256u

struct share {
    int from, to;               /* the parent's image, and the new one */
    char *a, *b;                /* a piece of each */
    uint64_t shared;
};

static bool is_plain(const struct snapshot *s)
{
    return !strcmp(s->memory.compression, "none");
}

/* -1 if there is none, which is no error here. */
static int open_image(struct store *st, const struct snapshot *s, int flags)
{
    char *what;
    struct err ignored;
    int dir = memory_place_open(st, STORE_COMMITTED, s, &what, &ignored);
    int fd = -1;

    if (dir >= 0) {
        fd = openat(dir, memory_name(s), flags | O_NOFOLLOW | O_CLOEXEC);
        close(dir);
    }
    free(what);
    return fd;
}

static ssize_t read_piece(int fd, char *buf, uint64_t at)
{
    size_t len = 0;
    ssize_t n = 1;

    while (len < MEMORY_CHUNK && n > 0) {
        n = pread(fd, buf + len, MEMORY_CHUNK - len, (off_t)(at + len));
        if (n > 0)
            len += (size_t)n;
    }
    if (n < 0)
        return -1;
    return (ssize_t)len;
}

/* -1 if the file system does not do it. */
static int share_run(struct share *s, uint64_t at, uint64_t len)
{
    struct file_dedupe_range *arg = mem_zalloc(1, sizeof(*arg) +
                                               sizeof(arg->info[0]));
    int rc = 0;

    arg->src_offset = at;
    arg->src_length = len;
    arg->dest_count = 1;
    arg->info[0].dest_fd = s->to;
    arg->info[0].dest_offset = at;
    if (ioctl(s->from, FIDEDUPERANGE, arg) || arg->info[0].status < 0)
        rc = -1;
    /* It may differ by now; that is for the kernel to say. */
    else if (arg->info[0].status == FILE_DEDUPE_RANGE_SAME)
        s->shared += arg->info[0].bytes_deduped;
    free(arg);
    return rc;
}

/* The runs of equal blocks in a piece. */
static int share_piece(struct share *s, uint64_t at, size_t len)
{
    size_t begin = 0, i;

    for (i = 0; i <= len; i += BLOCK) {
        if (i + BLOCK <= len && !memcmp(s->a + i, s->b + i, BLOCK))
            continue;
        if (i - begin >= RUN_MIN && share_run(s, at + begin, i - begin))
            return -1;
        begin = i + BLOCK;
    }
    return 0;
}

static void share_all(struct share *s)
{
    uint64_t at;

    for (at = 0; !interrupt_pending(); at += MEMORY_CHUNK) {
        ssize_t n = read_piece(s->from, s->a, at);
        ssize_t m = read_piece(s->to, s->b, at);

        if (n > m)
            n = m;
        if (n <= 0 || share_piece(s, at, (size_t)n))
            break;
    }
}

static void share_with(struct store *st, const struct snapshot *s,
                       const struct snapshot *parent, struct share *share)
{
    share->from = open_image(st, parent, O_RDONLY);
    share->to = open_image(st, s, O_RDWR);
    if (share->from >= 0 && share->to >= 0) {
        share->a = mem_zalloc(MEMORY_CHUNK, 1);
        share->b = mem_zalloc(MEMORY_CHUNK, 1);
        share_all(share);
        free(share->a);
        free(share->b);
    }
    if (share->from >= 0)
        close(share->from);
    if (share->to >= 0)
        close(share->to);
}

uint64_t memory_share(struct store *st, const struct snapshot *s)
{
    struct share share = { .shared = 0 };
    struct snapshot parent;
    struct err ignored;

    if (!s->parent || !is_plain(s) ||
        store_load(st, STORE_COMMITTED, s->parent, &parent, &ignored))
        return 0;
    if (is_plain(&parent))
        share_with(st, s, &parent, &share);
    meta_free(&parent);
    return share.shared;
}

uint64_t memory_shared_size(struct store *st, const struct snapshot *s)
{
    struct fiemap *map;
    uint64_t shared = 0, at = 0;
    bool more = is_plain(s);
    int fd = -1;
    unsigned i;

    if (more)
        fd = open_image(st, s, O_RDONLY);
    map = mem_zalloc(1, sizeof(*map) + EXTENTS * sizeof(map->fm_extents[0]));
    while (fd >= 0 && more) {
        map->fm_start = at;
        map->fm_length = FIEMAP_MAX_OFFSET - at;
        map->fm_extent_count = EXTENTS;
        if (ioctl(fd, FS_IOC_FIEMAP, map))
            break;
        more = map->fm_mapped_extents == EXTENTS;
        for (i = 0; i < map->fm_mapped_extents && i < EXTENTS; i++) {
            const struct fiemap_extent *x = &map->fm_extents[i];

            if (x->fe_flags & FIEMAP_EXTENT_SHARED)
                shared += x->fe_length;
            at = x->fe_logical + x->fe_length;
        }
    }
    free(map);
    if (fd >= 0)
        close(fd);
    return shared;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
