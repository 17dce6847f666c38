/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A tar that comes from a descriptor, by libarchive; it is not trusted.  Only
 * regular files come out of it.  A signal (interrupt.h) ends any wait.
 * Calling sequence: untar_open(); untar_next() until it is 0, and after each 1
 * untar_file(); untar_close(), also after a failure.
 */

#ifndef SNAPSHOT_UNTAR_H
#define SNAPSHOT_UNTAR_H

#include "sys/err.h"

struct untar;

/* The descriptor stays the caller's; "what" names it in errors. */
int untar_open(int fd, const char *what, struct untar **u_r, struct err *e);
/*
 * 1: *name_r is the next file's, without "./", good until the next call; 0: the
 * tar has come to its end, and what was behind that is read; -1.
 */
int untar_next(struct untar *u, const char **name_r, struct err *e);
/* Writes its content to a new file, with its holes; path is for errors. */
int untar_file(struct untar *u, int fd, const char *path, struct err *e);
void untar_close(struct untar *u);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
