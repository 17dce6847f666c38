/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The device model of a running domain, as far as disks go: its block nodes
 * and the snapshot commands (qapi/block-core.json).
 *
 * A node is found by the image that it has open, compared by device and
 * inode, never by its name alone.  An image that is open in more than one
 * node (an HVM guest that still uses its emulated disks) is refused.
 */

#ifndef SNAPSHOT_QEMU_H
#define SNAPSHOT_QEMU_H

#include "image/image.h"

struct qemu;

/* Connects to the domain's QEMU. */
int qemu_open(uint32_t domid, struct qemu **q_r, struct err *e);
void qemu_close(struct qemu *q);
/* Any command: qmp_run(). */
int qemu_run(struct qemu *q, const char *command, json_object *args,
             json_object **ret_r, struct err *e);
/* Lets a stopped QEMU go on: it takes back images that it has let go of. */
int qemu_cont(struct qemu *q, struct err *e);
/* "7.2.19"; owned by q. */
const char *qemu_version(const struct qemu *q);

/*
 * query-named-block-nodes, an array, and x-debug-query-block-graph, whatever
 * it gave: q's, until the next command that is no query, after which QEMU is
 * asked anew.
 */
int qemu_nodes(struct qemu *q, json_object **nodes_r, struct err *e);
int qemu_edges(struct qemu *q, json_object **edges_r, struct err *e);
/*
 * One "transaction" of all actions, a JSON array that is taken over: all or
 * none of them happen.
 */
int qemu_transaction(struct qemu *q, json_object *actions, struct err *e);
/* An action for it. */
json_object *qemu_snapshot_action(const char *node, const char *name);
int qemu_delete_snapshot(struct qemu *q, const char *node, const char *name,
                         struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
