/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A tar of an export on the standard input, made a directory of (doc/design.md 9),
 * which is never finished: export_dir_close() removes it, and what a crash leaves
 * goes with the next one.
 */

#ifndef SNAPSHOT_OP_IMPORT_TAR_H
#define SNAPSHOT_OP_IMPORT_TAR_H

#include "op/export_dir.h"
#include "sys/err.h"

#define IMPORT_STREAM "-"

/*
 * folder: in which the directory, d->building, is made.  On failure nothing is
 * left.
 */
int import_tar_unpack(const char *folder, struct export_dir *d,
                      struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
