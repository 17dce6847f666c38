/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The jobs of a running QEMU: those that merge two layers of a chain, and those
 * that copy an image (job-*, block-commit, block-stream and blockdev-backup in
 * QEMU's qapi/block-core.json and job.json).  Each has a name of its own, made
 * from the layer's or the copy's, by which a recovery finds it.
 */

#ifndef SNAPSHOT_QEMU_JOB_H
#define SNAPSHOT_QEMU_JOB_H

#include "qemu/chain.h"

/* Adds a node for an empty raw file. */
int qemu_add_copy(struct qemu *q, const char *path, struct err *e);
/* An action: a job copies what the node holds now into that file. */
json_object *qemu_copy_action(const char *node, const char *path);
/* Waits for it, unless a signal comes (interrupt.h). */
int qemu_wait_copy(struct qemu *q, const char *path, struct err *e);
/* Ends it, if it is there, and removes the node. */
int qemu_drop_copy(struct qemu *q, const char *path, struct err *e);

/*
 * Writes layer i-1 of the chain into layer i, which takes its place; waits.
 * i-1 is not the first.
 */
int qemu_commit(struct qemu *q, const struct chain *c, size_t i,
                struct err *e);
/* -1: the error of a commit of a layer that something else stands on. */
int qemu_refuse_shared(const char *layer, struct err *e);
/* Copies layer i into layer i-1, which then stands on layer i+1; waits. */
int qemu_pull(struct qemu *q, const struct chain *c, size_t i,
              struct err *e);
/*
 * Of such a job that a crash left: waits for it; cancels one that waits for
 * its end, which is then merged again.
 */
int qemu_end_merge(struct qemu *q, const char *layer, struct err *e);
/*
 * To be called after a merge, before the layer that was merged away is
 * removed: from then on the chain does without it, after a power cut too.
 */
int qemu_flush_chain(struct qemu *q, const struct chain *c, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
