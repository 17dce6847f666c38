/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The bytes of a stored image, decompressed: for memory/reader.c alone.
 *
 * pack.c makes frames of PACK_FRAME bytes, and each says how much it holds:
 * such frames are decoded beside each other.  Any other file of zstd is read as
 * one stream, by whichever thread: images of earlier versions, and those that
 * the user packed anew.  Nothing of the file is trusted; what is buffered is
 * bounded whatever it says.
 */

#ifndef SNAPSHOT_MEMORY_UNPACK_H
#define SNAPSHOT_MEMORY_UNPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/ring.h"

struct unpack;

/* The descriptor stays the caller's.  stored: bytes it may have at most. */
int unpack_open(int fd, const char *what, uint64_t stored, bool compressed,
                struct unpack **u_r, struct err *e);
/* For ring_start(), with the struct unpack as arg. */
extern const struct ring_ops unpack_ops;
/* Without a ring: the next piece, at most len bytes; *n_r is 0 at the end. */
int unpack_some(struct unpack *u, void *buf, size_t len, size_t *n_r,
                struct err *e);
/* At the end: all that was read has this checksum (save_file.h). */
int unpack_check_sum(struct unpack *u, const char *want, struct err *e);
void unpack_close(struct unpack *u);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
