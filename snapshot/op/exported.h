/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A finished export: its manifest, and the earlier ones that it stands on
 * (doc/design.md 9).  It may be from anywhere: of what it names nothing is opened
 * by QEMU before exported_check_chain() has found it to be what it says.
 * Calling sequence: exported_open(), exported_check_chain(), the rest,
 * exported_close().
 */

#ifndef SNAPSHOT_OP_EXPORTED_H
#define SNAPSHOT_OP_EXPORTED_H

#include <stdio.h>

#include "store/manifest.h"

struct exported {
    char *path;                 /* absolute, without links */
    int fd;
    struct manifest m;
    char *sha256;               /* of its export.json, hex */
};

int exported_open(const char *path, struct exported *x, struct err *e);
void exported_close(struct exported *x);

/*
 * Each image has the backing file that the manifests give it, and no other, and
 * neither another size nor a data file; and so many more can stand on it.  The
 * content is not read.
 */
int exported_check_chain(const struct exported *x, unsigned more,
                         struct err *e);
/* Its file is as long as recorded, and has the recorded checksum, if any. */
int exported_check_file(const struct exported *x, const char *name,
                        const struct manifest_file *f, struct err *e);
/* The sums of a disk's chunks, found whole; the caller's to close.  Or NULL. */
FILE *exported_chunks(const struct exported *x,
                      const struct manifest_disk *d, struct err *e);
/* The next of them, DIGEST_LEN bytes; -1 if there is none. */
int exported_next_chunk(FILE *chunks, unsigned char *sum);
/* The sum of a chunk; data NULL: zeros.  After a digest_open(), as digest_of(). */
void exported_sum_chunk(const void *data, size_t len, unsigned char *sum);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
