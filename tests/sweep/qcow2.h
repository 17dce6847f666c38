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

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
