/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A new image that is filled with what a guest is to see, in chunks
 * (content.h): a raw one by writing, another by QEMU.
 *
 * Calling sequence: target_open(), target_put(), target_end(), after which it is
 * on disk and nobody has it open; target_close(), also after a failure.
 */

#ifndef SNAPSHOT_TARGET_H
#define SNAPSHOT_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/err.h"

struct target_image {
    const char *path;           /* a new, empty file, */
    int fd;                     /* which is open for writing: the caller's */
    const char *format;         /* raw or qcow2 */
    uint64_t size;              /* bytes that the guest is to see */
    bool compress;              /* qcow2 alone */
    /* qcow2 alone: what it stands on, as its header is to name it; or NULL. */
    const char *backing, *backing_format;
};

struct target;

/* socket: where nothing is yet; the image and it must outlive the target. */
int target_open(const struct target_image *image, const char *socket,
                struct target **t_r, struct err *e);
/*
 * At most a chunk; data NULL: zeros.  What is not put is as it is below it, or
 * zero.
 */
int target_put(struct target *t, uint64_t offset, const void *data,
               size_t len, struct err *e);
int target_end(struct target *t, struct err *e);
void target_close(struct target *t);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
