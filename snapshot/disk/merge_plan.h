/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * How a frozen layer ("the part") of an external snapshot is merged away: a
 * pure decision, from QEMU's chain of nodes and the overlays that stand on
 * the part.
 *
 * Each overlay either pulls the part's content into itself, or, one of them
 * at most, is committed into the part, which then takes its place.  With no
 * overlay there is nothing to do but to drop the part.
 *
 * What a running QEMU restricts: it opens a node that it has to write to anew,
 * by the name that it was opened with.  A stale name leads to another file by
 * now, so such a node may only be read: it is the upper one of a commit or the
 * lower one of a pull.  The live overlay is writable as it is, but cannot be
 * committed.
 */

#ifndef SNAPSHOT_DISK_MERGE_PLAN_H
#define SNAPSHOT_DISK_MERGE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#define MERGE_NOT_OPEN (-1L)    /* QEMU's chain does not have the layer */

struct merge_node {
    bool stale;             /* opened by a name that leads elsewhere now */
    bool shared;            /* not only the node before it stands on it */
};

/*
 * A place is an index in QEMU's chain, or MERGE_NOT_OPEN.  Without a QEMU
 * the chain is empty.
 */
struct merge_shape {
    const struct merge_node *nodes;     /* the live overlay first */
    size_t n;
    long part;                          /* its place */
    const long *above;                  /* of each overlay on the part */
    size_t nabove;
};

enum merge_way {
    MERGE_PULL,             /* qemu-img copies the part into the overlay */
    MERGE_PULL_IN_QEMU,     /* a job of QEMU's does */
    MERGE_COMMIT,           /* qemu-img writes the overlay into the part */
    MERGE_COMMIT_IN_QEMU,   /* a job of QEMU's does */
    MERGE_IN_USE,           /* such a job is needed, but would end QEMU */
};

/*
 * Fills in a way for each overlay.  Pulls come first, then the commit.  With
 * MERGE_IN_USE nothing may be done.
 */
void merge_plan(const struct merge_shape *s, enum merge_way *ways);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
