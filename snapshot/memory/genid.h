/* SPDX-License-Identifier: LGPL-2.1-only */


/*
 * The generation id of a virtual machine (ms_vm_genid in xl.cfg) tells a guest
 * that it was put back in time.  libxl writes the one of the configuration
 * into a restored guest, so a revert restores a memory image whose
 * configuration has a new one.
 */

#ifndef SNAPSHOT_GENID_H
#define SNAPSHOT_GENID_H

#include <sys/types.h>

#include "sys/err.h"

/*
 * A source (proc.h) in front of that of a memory image.  What has no
 * generation id, or is no image, comes through as it is.
 *
 * Calling sequence: genid_begin(), genid_source() to the end, genid_end().
 */
struct genid {
    ssize_t (*source)(void *arg, void *buf, size_t len);
    void *arg;
    char *head;                 /* what is given before the source goes on */
    size_t len, done;
};

/* Reads the image's header; genid_end() is right after a failure too. */
int genid_begin(struct genid *g,
                ssize_t (*source)(void *arg, void *buf, size_t len),
                void *arg, struct err *e);
ssize_t genid_source(void *genid, void *buf, size_t len);
void genid_end(struct genid *g);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
