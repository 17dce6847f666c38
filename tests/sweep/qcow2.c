/* SPDX-License-Identifier: LGPL-2.1-only */


#include <endian.h>
#include <fcntl.h>
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
#define MAX_CHAIN 32
#define OFFSET 0x00fffffffffffe00ull
#define COMPRESSED (1ull << 62)
#define ZERO 1ull

struct header {
    uint32_t magic, version;
    uint64_t backing_at;
    uint32_t backing_len, cluster_bits;
    uint64_t size;
    uint32_t crypt, l1_size;
    uint64_t l1_at;
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

static bool read_layer(int fd, const struct header *h, char *buf,
                       uint64_t size)
{
    unsigned bits = be32toh(h->cluster_bits);
    size_t n = be32toh(h->l1_size), i;
    uint64_t *l1, own = be64toh(h->size);
    bool ok;

    if (bits < 9 || bits > 21 || n > 4096)
        return false;
    l1 = mem_zalloc(n, sizeof(*l1));
    ok = get(fd, be64toh(h->l1_at), l1, n * sizeof(*l1));
    for (i = 0; ok && i < n; i++)
        if (be64toh(l1[i]) & OFFSET)
            ok = read_l2(fd, be64toh(l1[i]) & OFFSET, bits,
                         (uint64_t)i << (2 * bits - 3), buf,
                         own < size ? own : size);
    free(l1);
    return ok;
}

/* From the lowest layer up into buf, which the first call makes. */
static bool read_chain(const char *path, char **buf, uint64_t *size,
                       unsigned depth)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char backing[1024] = "";
    struct header h;
    bool ok = fd >= 0 && depth < MAX_CHAIN && get(fd, 0, &h, sizeof(h)) &&
              be32toh(h.magic) == MAGIC &&
              be32toh(h.backing_len) < sizeof(backing) &&
              be64toh(h.size) <= MAX_SIZE;

    if (ok && !*buf) {
        *size = be64toh(h.size);
        *buf = mem_zalloc(1, *size);
    }
    if (ok && h.backing_at)
        ok = get(fd, be64toh(h.backing_at), backing,
                 be32toh(h.backing_len)) &&
             read_chain(backing, buf, size, depth + 1);
    ok = ok && read_layer(fd, &h, *buf, *size);
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

bool image_sum(const char *path, bool raw, uint64_t *sum_r)
{
    char *buf = NULL;
    uint64_t size = 0;
    bool ok = raw ? read_raw(path, &buf, &size) :
              read_chain(path, &buf, &size, 0);

    *sum_r = ok ? XXH3_64bits(buf, size) : 0;
    free(buf);
    return ok;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
