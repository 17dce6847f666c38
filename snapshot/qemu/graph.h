/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A running QEMU's nodes, and what stands on what: query-named-block-nodes and
 * x-debug-query-block-graph (QEMU's qapi/block-core.json) as one.
 */

#ifndef SNAPSHOT_QEMU_GRAPH_H
#define SNAPSHOT_QEMU_GRAPH_H

#include <stdbool.h>

#include "image/image.h"
#include "qemu/qemu.h"

#define GRAPH_NONE ((size_t)-1)
/* How the names of our nodes begin, and those of holders (chain.h). */
#define GRAPH_OURS "xls-"
#define GRAPH_HOLDER GRAPH_OURS "hold-"

struct graph_node {
    const char *name;
    const char *file;           /* "" if it has none */
    const char *driver;
    json_object *info;          /* of query-named-block-nodes */
    size_t above, below;        /* the neighbours in a chain of layers */
    size_t storage;             /* what a format's data is in, its "file" */
    size_t parents;             /* what stands on it: disks, nodes, jobs */
    bool held;                  /* by a holder (chain.h), which is no parent */
};

struct graph {
    struct graph_node *nodes;
    size_t n;
};

/* What is in it is q's, until the next command that is no query. */
int graph_get(struct qemu *q, struct graph *g, struct err *e);
void graph_free(struct graph *g);

/* The node of this name, or GRAPH_NONE. */
size_t graph_find(const struct graph *g, const char *name);

/* The error for an image that two of the guest's disks stand on. */
int graph_open_twice(const char *path, struct err *e);

/*
 * The node that has the image open, in this format: 1 with its name (the
 * caller's to free) and, if info is given, what it says of the image; 0 if
 * this QEMU does not have the image; -1.
 */
int qemu_find_node(struct qemu *q, const char *path, const char *format,
                   char **node_r, struct image_info *info, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
