/* SPDX-License-Identifier: LGPL-2.1-only */


#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "qcow2.h"
#include "snapshot/sys/mem.h"

#define MAGIC 0x514649fbu
#define MAX_SIZE (64u << 20)
#define MAX_CHAIN 64
#define OFFSET 0x00fffffffffffe00ull
#define COMPRESSED (1ull << 62)
#define ZERO 1ull

struct header {
    uint32_t magic, version;
    uint64_t backing_at;
    uint32_t backing_len, cluster_bits;
    uint64_t size;
    uint32_t crypt, l1_size;
    uint64_t l1_at, refcounts_at;
    uint32_t refcount_clusters, nsnaps;
    uint64_t snaps_at;
} __attribute__((packed));

/* The head of an internal snapshot; extra data, id and name follow. */
struct snap_header {
    uint64_t l1_at;
    uint32_t l1_size;
    uint16_t id_len, name_len;
    uint32_t date_s, date_ns;
    uint64_t clock_ns;
    uint32_t state_size, extra_len;
} __attribute__((packed));

static bool get(int fd, uint64_t at, void *buf, size_t len)
{
    return pread(fd, buf, len, (off_t)at) == (ssize_t)len;
}

/* The clusters that one L2 table has, over what is in buf. */
static bool read_l2(int fd, uint64_t table, unsigned bits, uint64_t at,
                    char *buf, uint64_t size)
{
    size_t n = (size_t)1 << (bits - 3), i;
    uint64_t *l2 = mem_zalloc(n, sizeof(*l2));
    bool ok = get(fd, table, l2, n * sizeof(*l2));

    for (i = 0; ok && i < n; i++, at += 1ull << bits) {
        uint64_t entry = be64toh(l2[i]), len = 1ull << bits;

        if (at >= size)
            break;
        if (len > size - at)
            len = size - at;
        if (entry & COMPRESSED)
            ok = false;
        else if (entry & ZERO)
            memset(buf + at, 0, len);
        else if (entry & OFFSET)
            ok = get(fd, entry & OFFSET, buf + at, len);
    }
    free(l2);
    return ok;
}

/* The head of the snapshot of that name; false if there is none. */
static bool find_snapshot(int fd, const struct header *h, const char *name,
                          struct snap_header *snap)
{
    uint64_t at = be64toh(h->snaps_at);
    size_t n = be32toh(h->nsnaps), i;

    for (i = 0; i < n && i < 1000; i++) {
        char its[256] = "";
        size_t id, len;

        if (!get(fd, at, snap, sizeof(*snap)))
            return false;
        id = be16toh(snap->id_len);
        len = be16toh(snap->name_len);
        at += sizeof(*snap) + be32toh(snap->extra_len) + id;
        if (len < sizeof(its) && get(fd, at, its, len) &&
            !strcmp(its, name))
            return true;
        at = (at + len + 7) & ~7ull;
    }
    return false;
}

/* The layer itself, or one of its internal snapshots. */
static bool read_layer(int fd, const struct header *h,
                       const struct snap_header *snap, char *buf,
                       uint64_t size)
{
    unsigned bits = be32toh(h->cluster_bits);
    size_t n = be32toh(snap ? snap->l1_size : h->l1_size), i;
    uint64_t *l1, own = be64toh(h->size);
    bool ok;

    if (bits < 9 || bits > 21 || n > 4096)
        return false;
    l1 = mem_zalloc(n, sizeof(*l1));
    ok = get(fd, be64toh(snap ? snap->l1_at : h->l1_at), l1,
             n * sizeof(*l1));
    for (i = 0; ok && i < n; i++)
        if (be64toh(l1[i]) & OFFSET)
            ok = read_l2(fd, be64toh(l1[i]) & OFFSET, bits,
                         (uint64_t)i << (2 * bits - 3), buf,
                         own < size ? own : size);
    free(l1);
    return ok;
}

/* A raw image below a qcow2 one. */
static bool read_flat(int fd, char *buf, uint64_t size)
{
    struct stat st;
    uint64_t len;

    if (fstat(fd, &st))
        return false;
    len = (uint64_t)st.st_size < size ? (uint64_t)st.st_size : size;
    return get(fd, 0, buf, len);
}

/* What an image stands on, "" if on nothing; false if unreadable. */
static bool backing_of(int fd, const struct header *h, const char *path,
                       char *name, size_t size)
{
    size_t len = be32toh(h->backing_len);
    const char *base = strrchr(path, '/');
    char text[1024] = "";

    *name = '\0';
    if (!h->backing_at)
        return true;
    if (len >= sizeof(text) || !get(fd, be64toh(h->backing_at), text, len))
        return false;
    if (text[0] == '/' || !base)
        snprintf(name, size, "%s", text);
    else
        snprintf(name, size, "%.*s/%s", (int)(base - path), path, text);
    return true;
}

/*
 * From the lowest layer up into buf, which the first call makes; of the
 * first, the internal snapshot, if one is named.
 */
static bool read_chain(const char *path, const char *snapshot, char **buf,
                       uint64_t *size, unsigned depth)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char backing[2048] = "";
    struct snap_header snap;
    struct header h = { 0 };
    bool ok = fd >= 0 && depth < MAX_CHAIN && get(fd, 0, &h, sizeof(h)) &&
              be32toh(h.magic) == MAGIC && be64toh(h.size) <= MAX_SIZE;

    if (fd >= 0 && depth && be32toh(h.magic) != MAGIC) {
        ok = read_flat(fd, *buf, *size);
        close(fd);
        return ok;
    }
    if (ok && !*buf) {
        *size = be64toh(h.size);
        *buf = mem_zalloc(1, *size);
    }
    ok = ok && backing_of(fd, &h, path, backing, sizeof(backing));
    if (ok && backing[0])
        ok = read_chain(backing, NULL, buf, size, depth + 1);
    if (ok && snapshot)
        ok = find_snapshot(fd, &h, snapshot, &snap);
    ok = ok && read_layer(fd, &h, snapshot ? &snap : NULL, *buf, *size);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool read_raw(const char *path, char **buf, uint64_t *size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    bool ok = fd >= 0 && !fstat(fd, &st) && st.st_size <= MAX_SIZE;

    if (ok) {
        *size = (uint64_t)st.st_size;
        *buf = mem_zalloc(1, *size + 1);
        ok = get(fd, 0, *buf, *size);
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool sum_of(bool ok, char *buf, uint64_t size, uint64_t *sum_r)
{
    *sum_r = ok ? XXH3_64bits(buf, size) : 0;
    free(buf);
    return ok;
}

bool image_sum(const char *path, bool raw, uint64_t *sum_r)
{
    char *buf = NULL;
    uint64_t size = 0;
    bool ok = raw ? read_raw(path, &buf, &size) :
              read_chain(path, NULL, &buf, &size, 0);

    return sum_of(ok, buf, size, sum_r);
}

bool image_snapshot_sum(const char *path, const char *snapshot,
                        uint64_t *sum_r)
{
    char *buf = NULL;
    uint64_t size = 0;
    bool ok = read_chain(path, snapshot, &buf, &size, 0);

    return sum_of(ok, buf, size, sum_r);
}

void image_chain(const char *path, void (*fn)(void *arg, const char *path),
                 void *arg)
{
    char name[2048], *real = realpath(path, NULL);
    unsigned depth;

    for (depth = 0; real && depth < MAX_CHAIN; depth++) {
        int fd = open(real, O_RDONLY | O_CLOEXEC);
        struct header h = { 0 };
        bool more = fd >= 0 && get(fd, 0, &h, sizeof(h)) &&
                    be32toh(h.magic) == MAGIC &&
                    backing_of(fd, &h, real, name, sizeof(name)) && name[0];

        fn(arg, real);
        if (fd >= 0)
            close(fd);
        free(real);
        real = more ? realpath(name, NULL) : NULL;
    }
    free(real);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
