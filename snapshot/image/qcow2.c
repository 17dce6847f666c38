/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads the name of the backing file from a qcow2 header. */

#include <endian.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/qcow2.h"
#include "sys/err.h"
#include "sys/mem.h"

#define MAGIC 0x514649fbu           /* "QFI\xfb" */
#define MIN_CLUSTER_BITS 9
#define MAX_CLUSTER_BITS 21
#define MAX_NAME 1023
#define BACKING_FORMAT 0xe2792acau  /* a header extension */
#define V2_LENGTH 72
#define MAX_FORMAT 15

struct header {
    uint32_t magic, version;
    uint64_t backing_at;
    uint32_t backing_len, cluster_bits;
    unsigned char between[76];
    uint32_t length;                /* from version 3 on */
} __attribute__((packed));

struct extension {
    uint32_t type, len;
};

static int bad(struct err *e, const char *image, const char *what)
{
    return err_set(e, SNAP_FAILED, "%s %s", image, what);
}

static int get(int fd, const char *image, uint64_t at, void *buf, size_t len,
               struct err *e)
{
    ssize_t n = pread(fd, buf, len, (off_t)at);

    if (n < 0)
        return err_errno(e, "cannot read %s", image);
    if ((size_t)n < len)
        return bad(e, image, "ends in its qcow2 header");
    return 0;
}

static int check(const struct header *h, const char *image, struct err *e)
{
    uint32_t version = be32toh(h->version), bits = be32toh(h->cluster_bits);
    uint32_t len = be32toh(h->backing_len);
    uint64_t at = be64toh(h->backing_at);

    if (be32toh(h->magic) != MAGIC)
        return bad(e, image, "is not a qcow2 image");
    if (version < 2 || version > 3)
        return bad(e, image, "is a qcow2 image of an unknown version");
    /* All of the header lies in the first cluster. */
    if (bits < MIN_CLUSTER_BITS || bits > MAX_CLUSTER_BITS ||
        (at && (!len || len > MAX_NAME || len > (1u << bits) ||
                at > (1u << bits) - len)))
        return bad(e, image, "has a damaged qcow2 header");
    return 0;
}

/* "" if the header does not tell the format of the backing file. */
static int get_format(int fd, const char *image, const struct header *h,
                      char format[MAX_FORMAT + 1], struct err *e)
{
    uint64_t at = be32toh(h->length), end = be64toh(h->backing_at);
    struct extension x;

    format[0] = '\0';
    if (be32toh(h->version) == 2)
        at = V2_LENGTH;
    while (at + sizeof(x) <= end) {
        uint32_t len;

        if (get(fd, image, at, &x, sizeof(x), e))
            return -1;
        len = be32toh(x.len);
        at += sizeof(x);
        if (!x.type)
            break;
        if (be32toh(x.type) == BACKING_FORMAT) {
            if (len > MAX_FORMAT || len > end - at)
                return bad(e, image, "has a damaged qcow2 header");
            format[len] = '\0';
            return get(fd, image, at, format, len, e);
        }
        at += ((uint64_t)len + 7) & ~7ull;
    }
    return 0;
}

bool qcow2_is_protocol(const char *name)
{
    return name[strcspn(name, ":/")] == ':';
}

static char *from_folder_of(const char *image, const char *name)
{
    const char *slash = strrchr(image, '/');

    if (name[0] == '/' || !slash || qcow2_is_protocol(name))
        return mem_strdup(name);
    return mem_printf("%.*s/%s", (int)(slash - image), image, name);
}

static int read_header(int fd, const char *image, struct qcow2_backing *b,
                       struct err *e)
{
    struct header h = { 0 };
    char name[MAX_NAME + 1] = "", format[MAX_FORMAT + 1];
    size_t len;

    if (get(fd, image, 0, &h, offsetof(struct header, between), e) ||
        check(&h, image, e))
        return -1;
    if (!h.backing_at)
        return 0;
    len = be32toh(h.backing_len);
    if (get(fd, image, 0, &h, sizeof(h), e) ||
        get(fd, image, be64toh(h.backing_at), name, len, e) ||
        get_format(fd, image, &h, format, e))
        return -1;
    if (strlen(name) != len)
        return bad(e, image, "has a damaged qcow2 header");
    b->path = from_folder_of(image, name);
    if (format[0])
        b->format = mem_strdup(format);
    return 0;
}

void qcow2_backing_free(struct qcow2_backing *b)
{
    free(b->path);
    free(b->format);
    b->path = b->format = NULL;
}

int qcow2_backing(const char *image, struct qcow2_backing *b, struct err *e)
{
    int fd = open(image, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;

    b->path = NULL;
    b->format = NULL;
    if (fd < 0)
        return err_errno(e, "cannot open %s", image);
    rc = read_header(fd, image, b, e);
    close(fd);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
