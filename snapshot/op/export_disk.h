/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A disk of a snapshot on its way to an export: an image in the directory, all
 * of it or what differs from an earlier export, or a raw member with holes in a
 * tar; and the SHA-256 of each chunk (content.h) of what the guest saw.
 */

#ifndef SNAPSHOT_OP_EXPORT_DISK_H
#define SNAPSHOT_OP_EXPORT_DISK_H

#include "op/export_out.h"
#include "op/exported.h"

struct export_disk {
    struct export_out *out;
    const char *socket;         /* where the disk is served (serve.h) */
    const char *run;            /* a directory for the new image's socket */
    bool plain;                 /* no compression */
    const struct exported *since;   /* of an incremental one, and */
    const char *since_path;         /* its directory, from this one's */
    void (*advance)(void *arg, uint64_t bytes);
    void *arg;
};

/* d has vdev, format and "incremental"; the rest is filled in. */
int export_disk(const struct export_disk *x, struct manifest_disk *d,
                struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
