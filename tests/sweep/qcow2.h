/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */


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
