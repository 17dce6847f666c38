/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The snapshot that an import makes of an export, or a clone of a snapshot: its
 * name, its disks' new places, and the configuration with them (doc/design.md 9).
 * Reads only.
 * Calling sequence: import_draft(), import_check(); the caller frees the snapshot,
 * and the draft by import_draft_free().
 */

#ifndef SNAPSHOT_OP_IMPORT_DRAFT_H
#define SNAPSHOT_OP_IMPORT_DRAFT_H

#include "snapshot.h"
#include "store/manifest.h"
#include "sys/json.h"

/* A disk that gets a path on this host. */
struct import_disk {
    const char *vdev;
    const struct manifest_disk *from;   /* NULL: a file that is there */
    char *path;                         /* absolute */
};

struct import_draft {
    const struct snap_import *req;
    const struct manifest *m;           /* with the snapshot */
    const char *what;                   /* it comes from, in errors */
    /*
     * A clone: images beside the originals, network interfaces with other
     * addresses, or with memory none, another generation id.
     */
    bool clone, no_nics;
    const char *domain;                 /* its name here */
    struct import_disk *disks;
    size_t ndisks;
    json_object *config;
    char *cfg;                          /* path of the file for xl */
};

/* All that is wrong is added to "problems"; *s_r is as far as it got. */
void import_draft(struct import_draft *d, const char *unique,
                  struct snapshot *s_r, struct err *problems);
/*
 * What this host lacks for the domain is added to "problems", and what its
 * configuration may not have, unless that is forced.
 */
void import_check(const struct import_draft *d, const struct snapshot *s,
                  struct err *problems);
void import_draft_free(struct import_draft *d);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
