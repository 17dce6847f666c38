/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What a guest sees of a disk, in chunks, from and to a server (nbd.h), by
 * libnbd.  A signal (interrupt.h) ends any call.
 *
 * Calling sequence, of a reader: content_open(), content_next() until *len_r is
 * 0, content_close().  Of a writer: content_write_open(), content_put(),
 * content_flush(), content_write_close().
 */

#ifndef SNAPSHOT_CONTENT_H
#define SNAPSHOT_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "sys/err.h"

#define CONTENT_CHUNK (1u << 20)        /* bytes; the last one may be shorter */
/* A size of which QEMU can write the last cluster compressed. */
#define CONTENT_ALIGN (1u << 16)

struct content;

/* "what" names the disk in errors. */
int content_open(const char *socket, const char *what, struct content **c_r,
                 struct err *e);
uint64_t content_size(const struct content *c);
/* *data_r is NULL for zeros, else good until the next call. */
int content_next(struct content *c, const void **data_r, size_t *len_r,
                 struct err *e);
/*
 * Before the first of these: tells where there may be something else than zeros,
 * in whole chunks and in order.
 */
int content_map(struct content *c,
                void (*data)(void *arg, uint64_t offset, uint64_t len),
                void *arg, struct err *e);
void content_close(struct content *c);

struct content_writer;

int content_write_open(const char *socket, const char *what,
                       struct content_writer **w_r, struct err *e);
/*
 * At most a chunk; data NULL: zeros.  It is copied, and written later.  The
 * rest of a last cluster becomes zeros if the image has it.
 */
int content_put(struct content_writer *w, uint64_t offset, const void *data,
                size_t len, struct err *e);
/* All is written. */
int content_flush(struct content_writer *w, struct err *e);
void content_write_close(struct content_writer *w);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
