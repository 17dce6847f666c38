/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Proof by content: whether two images are the same to a guest, and whether
 * an overlay was never written to (doc/design.md 8, "use since").  It is
 * what holds across a boot, and what recovery asks before it puts back
 * memory.
 *
 * Everything is opened read-only by QEMU's own tools, with the format given
 * and without QEMU's locks, so also while somebody has it open.  That nobody
 * writes to it meanwhile is the caller's to see to.  A signal (interrupt.h)
 * ends either with an error.
 */

#ifndef SNAPSHOT_SAME_H
#define SNAPSHOT_SAME_H

#include <stdbool.h>

#include "sys/err.h"

/* The content of an image with its backing files, or of one in it. */
struct content {
    const char *path;           /* a file or block device */
    const char *format;         /* QEMU's name of it; of path alone */
    const char *snapshot;       /* an internal snapshot's name, or NULL */
};

/*
 * Compares every byte, which takes as long as to read both.  The shorter one
 * counts as if zeros stood behind it: an internal snapshot of an image that
 * grew since reads so.
 */
int image_same(const struct content *a, const struct content *b,
               bool *same_r, struct err *e);

/*
 * Whether no cluster of a qcow2 overlay is allocated: neither data nor
 * zeros, so that it reads as what is below it.  What is below is not looked
 * at, but by a QEMU older than 6.1.
 */
int image_is_empty_overlay(const char *path, bool *empty_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
