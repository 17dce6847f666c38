/* SPDX-License-Identifier: LGPL-2.1-only */


/*
 * Reads images without qemu-img, which would take most of the sweep's time:
 * what QEMU writes of qcow2 here, not all that the format can have.
 */

#ifndef SWEEP_QCOW2_H
#define SWEEP_QCOW2_H

#include <stdbool.h>
#include <stdint.h>

/*
 * XXH3 of the whole content, a raw image's too; of a qcow2 image with what is
 * behind it.  False if it cannot be read.
 */
bool image_sum(const char *path, bool raw, uint64_t *sum_r);
/* The same of an internal snapshot of a qcow2 image. */
bool image_snapshot_sum(const char *path, const char *snapshot,
                        uint64_t *sum_r);
/* Calls fn for the image and each that is behind it, as far as they are. */
void image_chain(const char *path, void (*fn)(void *arg, const char *path),
                 void *arg);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
