/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * All that a snapshot has, opened to be read for long: its disks behind sockets
 * (serve.h), its memory image, and the reader's mark (doc/design.md 9).
 *
 * Calling sequence, of a zeroed struct with memory_dir -1: in the domain's
 * session sources_load(), which looks only, and sources_open(); from then on the
 * session is not needed; sources_close(), also after a failure.
 */

#ifndef SNAPSHOT_OP_SOURCES_H
#define SNAPSHOT_OP_SOURCES_H

#include "op/reader.h"
#include "op/serve.h"
#include "op/session.h"
#include "store/manifest.h"

struct sources {
    struct manifest m;          /* the snapshot; of its disks only the vdev */
    struct serve *serves;       /* one for each disk of the manifest */
    char run[SERVE_DIR_LEN];    /* of the sockets; "": not made */
    int memory_dir;             /* -1: none */
    char *memory_what;          /* the image's path, for errors */
    struct reader_mark mark;
    bool marked;
};

int sources_load(struct sources *x, struct session *s, const char *name,
                 struct err *e);
int sources_open(struct sources *x, struct session *s, bool memory,
                 struct err *e);
void sources_close(struct sources *x, const struct reporter *rep);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
