/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The user's configuration of a snapshot (doc/design.md 2): xl.cfg syntax,
 * read by libxlutil (libxlutil.h, xlu_cfg_*).  Key=Value arguments of the
 * command line are read after the file and so win over it.
 */

#ifndef SNAPSHOT_CFG_H
#define SNAPSHOT_CFG_H

#include "snapshot.h"

struct cfg {
    char *name, *description, *compress, *path;     /* NULL if not given */
    enum snap_mode mode;
    enum snap_live live;
    struct disk_choice *disks;
    size_t ndisks;
    struct retain keep;
    char *match;                    /* of keep */
};

/* file may be NULL.  SNAP_USAGE with file and line, or key, on error. */
int cfg_read(const char *file, char *const *settings, size_t nsettings,
             struct cfg *c, struct err *e);
void cfg_free(struct cfg *c);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
