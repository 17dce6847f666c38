/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Two uncompressed images of one guest are mostly equal.  Where the file system
 * can (XFS, btrfs), the new one shares what it has in common with its parent's:
 * FIDEDUPERANGE, ioctl_fideduperange(2).  The kernel compares before it shares;
 * each stays a file of its own, and is deleted in any order.
 */

#ifndef SNAPSHOT_MEMORY_SHARE_H
#define SNAPSHOT_MEMORY_SHARE_H

#include <stdint.h>

#include "store/store.h"

/*
 * After the commit: it may end at any point, of a signal too, and nothing is
 * lost but room.  Says how many bytes are shared now; 0 where it cannot be.
 */
uint64_t memory_share(struct store *st, const struct snapshot *s);
/* Bytes of the image that lie on disk once for it and for others. */
uint64_t memory_shared_size(struct store *st, const struct snapshot *s);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
