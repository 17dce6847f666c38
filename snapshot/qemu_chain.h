/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

/*
 * A running QEMU's node of an image, its chain of nodes for a disk with layers,
 * and its jobs: those that merge two layers, and those that copy an image.
 *
 * A layer that QEMU opened through the user's path, which is a link, has a
 * stale name as soon as the link leads elsewhere.  QEMU would open the wrong
 * file if a job made such a node writable: it may only be the top of a
 * commit or the bottom of a stream (XEN-FACTS).
 */

#ifndef SNAPSHOT_QEMU_CHAIN_H
#define SNAPSHOT_QEMU_CHAIN_H

#include "qemu.h"

/*
 * The node that has the image open, in this format: 1 with its name (the
 * caller's to free) and, if info is given, what it says of the image; 0 if
 * this QEMU does not have the image; -1.
 */
int qemu_find_node(struct qemu *q, const char *path, const char *format,
                   char **node_r, struct image_info *info, struct err *e);

struct chain_node {
    char *name;             /* of the node */
    char *path;             /* of its layer */
    bool stale;
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
/* An action: from now on the guest writes to the layer, not to the node. */
json_object *qemu_overlay_action(const char *node, const char *layer);

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
