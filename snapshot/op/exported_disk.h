/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A disk of a finished export, read as its guest saw it, and found to be what was
 * exported (doc/design.md 9).
 * Calling sequence: after exported_check_chain(), exported_disk_open(),
 * exported_disk_next() until *len_r is 0, exported_disk_close().
 */

#ifndef SNAPSHOT_OP_EXPORTED_DISK_H
#define SNAPSHOT_OP_EXPORTED_DISK_H

#include <stdio.h>

#include "image/content.h"
#include "image/nbd.h"
#include "op/exported.h"

struct exported_disk {
    char *path;                 /* of its image */
    FILE *chunks;
    struct nbd_server *server;
    struct content *from;
    uint64_t offset;            /* bytes */
};

/* run: a directory for the socket; exported_disk_close() is right after -1, too. */
int exported_disk_open(const struct exported *x, const struct manifest_disk *d,
                       const char *run, struct exported_disk *r,
                       struct err *e);
/* content_next(), and -1 for bytes that the snapshot did not have. */
int exported_disk_next(struct exported_disk *r, const void **data_r,
                       size_t *len_r, struct err *e);
void exported_disk_close(struct exported_disk *r);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
