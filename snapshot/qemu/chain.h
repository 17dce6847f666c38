/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A running QEMU's chain of nodes for a disk with layers.
 *
 * A layer that QEMU opened through the user's path, which is a link, has a
 * stale name as soon as the link leads elsewhere.  QEMU would open the wrong
 * file if a job made such a node writable: it may only be the top of a
 * commit or the bottom of a stream (XEN-FACTS).
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
/* Adds a node for an empty layer without what is behind it. */
int qemu_add_layer(struct qemu *q, const char *layer, const char *like,
                   struct err *e);
/* Removes our node of a layer, if it is there. */
int qemu_drop_layer(struct qemu *q, const char *layer, struct err *e);
/*
 * Removes the node that QEMU began with for the disk, if a merge has taken it
 * out of the chain: it would keep all layers below it open, and in the way.
 */
int qemu_drop_first(struct qemu *q, const char *path, const char *link,
                    struct err *e);
/* An action: from now on the guest writes to the layer, not to the node. */
json_object *qemu_overlay_action(const char *node, const char *layer);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
