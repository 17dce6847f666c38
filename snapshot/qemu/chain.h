/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A running QEMU's chain of nodes for a disk with layers.
 *
 * A layer that QEMU opened through the user's path, which is a link, has a
 * stale name as soon as the link leads elsewhere.  QEMU would open the wrong
 * file if a job made such a node writable: it may only be the top of a
 * commit or the bottom of a stream (doc/xen.md).
 */

#ifndef SNAPSHOT_QEMU_CHAIN_H
#define SNAPSHOT_QEMU_CHAIN_H

#include "qemu/graph.h"

struct chain_node {
    char *name;             /* of the node */
    char *path;             /* of its layer */
    bool stale;
    bool shared;            /* not only the node before it stands on it */
};

struct chain {
    struct chain_node *nodes;   /* the one that the guest writes to first */
    size_t n;
};

/*
 * The chain of the disk whose path is "link", found by the layers that the
 * live one, "live", stands on: 1 and *c filled in, 0 if this QEMU does not
 * have the disk, -1.  The live layer may be one that QEMU has not got yet.
 */
int qemu_chain(struct qemu *q, const char *path, const char *link,
               const char *live, struct chain *c, struct err *e);
void qemu_chain_free(struct chain *c);
/* Index of a layer in it, or -1. */
long qemu_chain_find(const struct chain *c, const char *layer);

/* The name that our node for a layer has; the caller's to free. */
char *qemu_node_name(const char *layer);

/*
 * A new layer for what is now written to the node "like".  A node that QMP
 * made lives until QMP removes it: on top of a disk, it would keep the whole
 * chain open after the disk is detached, and in the way when it is attached
 * again.  So QMP makes a holder, a node of ours on which nothing stands, and the
 * layer's as a part of it.  Once the disk stands on the layer the holder goes
 * (qemu_let_layer()), and the layer ends with the disk:
 *
 *   qemu_add_layer()        before the guest is stopped
 *   qemu_overlay_action()   in a transaction
 *   qemu_let_layer()        when the guest runs again
 *   qemu_drop_layer()       instead, if the transaction did not happen
 *
 * An empty layer, without what is behind it, with the cache and aio modes and
 * detect-zeroes of "like".  It discards what it is told to: whether the guest
 * may do that is the disk's affair.
 */
int qemu_add_layer(struct qemu *q, const char *layer, const char *like,
                   struct err *e);
/* An action: from now on the guest writes to the layer, not to the node. */
json_object *qemu_overlay_action(const char *node, const char *layer);
/* Does nothing if there is no holder. */
int qemu_let_layer(struct qemu *q, const char *layer, struct err *e);
/* Removes our nodes of a layer that nothing stands on, if they are there. */
int qemu_drop_layer(struct qemu *q, const char *layer, struct err *e);

/*
 * Removes all nodes of ours that nothing stands on, and from the top what was
 * below them: what a crash or a detached disk left.  To be called when no
 * operation on this domain is under way.  *n_r: how many.
 */
int qemu_drop_orphans(struct qemu *q, size_t *n_r, struct err *e);
/*
 * Removes the node that QEMU began with for the disk, if a merge has taken it
 * out of the chain: it would keep all layers below it open, and in the way.
 */
int qemu_drop_first(struct qemu *q, const char *path, const char *link,
                    struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
