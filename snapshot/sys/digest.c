/* SPDX-License-Identifier: LGPL-2.1-only */

/* SHA-256 of buffers and files. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <gcrypt.h>

#include "sys/digest.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"

#define BUFFER (1u << 20)

struct digest {
    gcry_md_hd_t md;
};

/* libgcrypt's manual wants this once, before anything else. */
static int begin(struct err *e)
{
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
        return 0;
    if (!gcry_check_version(NULL))
        return err_set(e, SNAP_FAILED, "cannot use libgcrypt");
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    return 0;
}

int digest_open(struct digest **d_r, struct err *e)
{
    struct digest *d;
    gcry_error_t why;

    *d_r = NULL;
    if (begin(e))
        return -1;
    d = mem_zalloc(1, sizeof(*d));
    why = gcry_md_open(&d->md, GCRY_MD_SHA256, 0);
    if (why) {
        free(d);
        return err_set(e, SNAP_FAILED, "cannot compute a checksum: %s",
                       gcry_strerror(why));
    }
    *d_r = d;
    return 0;
}

void digest_add(struct digest *d, const void *data, size_t len)
{
    gcry_md_write(d->md, data, len);
}

void digest_end(struct digest *d, unsigned char sum[DIGEST_LEN])
{
    const unsigned char *p = gcry_md_read(d->md, GCRY_MD_SHA256);
    size_t i;

    for (i = 0; i < DIGEST_LEN; i++)
        sum[i] = p[i];
}

void digest_close(struct digest *d)
{
    if (!d)
        return;
    gcry_md_close(d->md);
    free(d);
}

void digest_of(const void *data, size_t len, unsigned char sum[DIGEST_LEN])
{
    gcry_md_hash_buffer(GCRY_MD_SHA256, sum, data, len);
}

static int add_file(struct digest *d, int fd, void *buf, const char *what,
                    uint64_t *size_r, struct err *e)
{
    ssize_t n;

    while ((n = pread(fd, buf, BUFFER, (off_t)*size_r)) != 0) {
        if (interrupt_pending())
            return interrupt_error(e);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(e, "cannot read %s", what);
        digest_add(d, buf, (size_t)n);
        *size_r += (uint64_t)n;
    }
    return 0;
}

int digest_file(int fd, const char *what, unsigned char sum[DIGEST_LEN],
                uint64_t *size_r, struct err *e)
{
    struct digest *d;
    void *buf;
    int rc;

    *size_r = 0;
    if (digest_open(&d, e))
        return -1;
    buf = mem_zalloc(BUFFER, 1);
    rc = add_file(d, fd, buf, what, size_r, e);
    if (!rc)
        digest_end(d, sum);
    free(buf);
    digest_close(d);
    return rc;
}

char *digest_hex(const unsigned char sum[DIGEST_LEN])
{
    static const char digits[] = "0123456789abcdef";
    char *hex = mem_zalloc(DIGEST_HEX_LEN + 1, 1);
    size_t i;

    for (i = 0; i < DIGEST_LEN; i++) {
        hex[2 * i] = digits[sum[i] >> 4];
        hex[2 * i + 1] = digits[sum[i] & 15];
    }
    return hex;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
