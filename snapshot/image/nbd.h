/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * An image served by qemu-nbd on a Unix socket (doc/design.md 9), by a program
 * beside us that ends with us (proc.h).
 *
 * Calling sequence: nbd_serve() returns when clients can connect; from time to
 * time nbd_check_serves(); nbd_end().
 */

#ifndef SNAPSHOT_NBD_H
#define SNAPSHOT_NBD_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/err.h"

/* What is served; read-only unless "scratch" or "target". */
struct nbd_image {
    /*
     * Opened without QEMU's locks, so also while somebody has it open.  With
     * format NULL it is another server's socket.
     */
    const char *path, *format;
    const char *snapshot;       /* an internal one's name, or NULL */
    uint64_t cut;               /* no more than so many bytes; 0: all */
    bool scratch;               /* writes go to a file that ends with it */
    bool target;                /* writes go to the image, with QEMU's locks */
    bool compress;              /* a target: by whole clusters */
};

struct nbd_server;

/*
 * socket: a path where nothing is yet, or a socket that nobody serves; only its
 * owner can connect.  Waits for the server; a signal (interrupt.h) ends the wait.
 */
int nbd_serve(const struct nbd_image *image, const char *socket,
              struct nbd_server **n_r, struct err *e);
/* -1 with the reason if it has ended. */
int nbd_check_serves(struct nbd_server *n, struct err *e);
/* Ends it and removes its socket; NULL is none. */
void nbd_end(struct nbd_server *n);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
