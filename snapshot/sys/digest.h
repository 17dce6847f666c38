/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * SHA-256, by libgcrypt.
 * Calling sequence: digest_open(), digest_add(), digest_end(), digest_close().
 */

#ifndef SNAPSHOT_DIGEST_H
#define SNAPSHOT_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include "sys/err.h"

#define DIGEST_LEN 32           /* bytes */
#define DIGEST_HEX_LEN 64       /* as text, without its NUL */

struct digest;

int digest_open(struct digest **d_r, struct err *e);
void digest_add(struct digest *d, const void *data, size_t len);
/* Of all that was added. */
void digest_end(struct digest *d, unsigned char sum[DIGEST_LEN]);
void digest_close(struct digest *d);

/* Of one buffer; after a digest_open() that succeeded. */
void digest_of(const void *data, size_t len, unsigned char sum[DIGEST_LEN]);
/* Of a file, from its first byte on; a signal (interrupt.h) ends it. */
int digest_file(int fd, const char *what, unsigned char sum[DIGEST_LEN],
                uint64_t *size_r, struct err *e);
/* The caller's to free. */
char *digest_hex(const unsigned char sum[DIGEST_LEN]);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
