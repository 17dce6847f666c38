/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A tar (pax) on a descriptor, by libarchive.  A signal (interrupt.h) ends a
 * write that nobody reads.
 * Calling sequence: tar_open(); for each member tar_begin() and tar_put() for
 * all of its bytes; tar_end(), without which the tar has no end; tar_close(),
 * also after a failure of any of these.
 */

#ifndef SNAPSHOT_TAR_H
#define SNAPSHOT_TAR_H

#include <stddef.h>
#include <stdint.h>

#include "sys/err.h"

struct tar;

/* Where a member has data, in bytes; what is between them is zero. */
struct tar_range {
    uint64_t offset, len;
};

/* The descriptor stays the caller's; "what" names it in errors. */
int tar_open(int fd, const char *what, struct tar **t_r, struct err *e);
/* data: in order, none twice; NULL: the member has no holes. */
int tar_begin(struct tar *t, const char *name, uint64_t size,
              const struct tar_range *data, size_t n, struct err *e);
/* The next bytes of the member, its holes too; data NULL: zeros. */
int tar_put(struct tar *t, const void *data, size_t len, struct err *e);
/* All is written, and on disk if it is a file or a block device. */
int tar_end(struct tar *t, struct err *e);
void tar_close(struct tar *t);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
