/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What the header of a qcow2 image says of the image behind it (QEMU's
 * docs/interop/qcow2.txt).  Read without qemu-img, as a chain of a hundred
 * layers would take a hundred of its runs.
 */

#ifndef SNAPSHOT_QCOW2_H
#define SNAPSHOT_QCOW2_H

#include <stdbool.h>

#include "sys/err.h"

struct qcow2_backing {
    char *path;         /* NULL: nothing is behind it */
    char *format;       /* NULL: not recorded, and never guessed */
};

/*
 * Of a file, also while it is in use.  A relative path becomes one from the
 * folder of the image, as QEMU has it.
 */
void qcow2_backing_free(struct qcow2_backing *b);
/* QEMU's own ways to name an image: "nbd://...", "json:{...}". */
bool qcow2_is_protocol(const char *name);
int qcow2_backing(const char *image, struct qcow2_backing *b, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
