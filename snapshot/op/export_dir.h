/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The directory of an export, which appears complete or not at all: it is built
 * as .new-NAME beside its place (doc/design.md 9).
 * Calling sequence: export_dir_open(), files made in d->fd or under d->building,
 * each on disk, export_dir_commit(), export_dir_close(), which removes what is
 * not committed.  What a crash left is removed by the next of that name.
 */

#ifndef SNAPSHOT_OP_EXPORT_DIR_H
#define SNAPSHOT_OP_EXPORT_DIR_H

#include <stdbool.h>

#include "sys/err.h"
#include "sys/lock.h"

struct export_dir {
    char *path;                 /* where it will be, absolute */
    char *parent, *name;        /* the two parts of that */
    char *building;             /* where it is built, absolute */
    int parent_fd, fd;
    struct lock lock;           /* of who builds there */
    bool begun, committed;
};

/* Nothing is made if "only_look", and d->fd is -1 then. */
int export_dir_open(const char *path, bool only_look, struct export_dir *d,
                    struct err *e);
int export_dir_commit(struct export_dir *d, struct err *e);
void export_dir_close(struct export_dir *d);
/* How another directory is called from in the new one; the caller's to free. */
char *export_dir_relative(const struct export_dir *d, const char *absolute);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
