/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A disk of a snapshot behind a socket, as the guest saw it (doc/design.md 9):
 * for the view and the export.
 * Calling sequence: serve_make_dir() for the sockets; in the domain's session,
 * with the reader's mark (reader.h) set, serve_open(); serve_close() after that,
 * also when it failed.
 */

#ifndef SNAPSHOT_OP_SERVE_H
#define SNAPSHOT_OP_SERVE_H

#include "disk/disk.h"
#include "image/nbd.h"

#define SERVE_DIR_LEN 80

struct serve {
    const struct snapshot_disk *disk;
    struct disk_source source;
    char *socket;
    /* What cannot be asked of one server is asked of one behind another. */
    struct nbd_server *inner, *outer;
};

/* A directory of ours in /run; rmdir() is its end.  dir is "" on failure. */
int serve_make_dir(char dir[SERVE_DIR_LEN], struct err *e);
/* socket: where clients connect, or NULL: in dir, named after the disk. */
int serve_open(struct serve *v, const struct snapshot_disk *disk,
               const char *dir, const char *socket, bool writable,
               struct err *e);
/* -1 with the reason if it has ended. */
int serve_check(const struct serve *v, struct err *e);
int serve_close(struct serve *v, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
