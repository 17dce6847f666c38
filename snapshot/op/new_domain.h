/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A domain that is not here yet, made of a snapshot that comes from elsewhere, for
 * the import and the clone: its images, its configuration and, with memory, the
 * snapshot in the store.
 *
 * Calling sequence: the caller fills in all but done and total, opens the session
 * of the new name, and calls new_domain_make().
 */

#ifndef SNAPSHOT_OP_NEW_DOMAIN_H
#define SNAPSHOT_OP_NEW_DOMAIN_H

#include "image/target.h"
#include "op/import_draft.h"
#include "op/session.h"
#include "snapshot.h"
#include "txn/job.h"

struct new_domain {
    const struct snap_env *env;
    const char *what;           /* "import": of the progress */
    struct import_draft draft;  /* the caller's to import_draft_free() */
    struct job_source source;
    /* Bytes that the image of a disk will take at most; arg is source.arg. */
    int (*need)(void *arg, const struct manifest_disk *d, uint64_t *bytes_r,
                struct err *e);
    bool bare;                  /* without memory: no snapshot */
    uint64_t done, total;       /* bytes */
};

/* For the source: so much more is done. */
void new_domain_advance(struct new_domain *n, uint64_t bytes);
/* content_next(), of whatever the disk is read from. */
typedef int new_domain_next(void *from, const void **data_r, size_t *len_r,
                            struct err *e);
/* For its "image", which "from" fills; socket: target.h. */
int new_domain_fill(struct new_domain *n, const struct target_image *image,
                    const char *socket, new_domain_next *next, void *from,
                    struct err *e);
/*
 * For its "memory": the stream of the snapshot's image in that directory, whose
 * path is "what", to fd.
 */
int new_domain_copy_memory(struct new_domain *n, int dirfd, const char *what,
                           int fd, struct err *e);
/* All that is wrong is said before anything is made. */
int new_domain_make(struct new_domain *n, struct session *s,
                    struct snap_imported *r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
