/* SPDX-License-Identifier: LGPL-2.1-only */

/* Asks a domain's QEMU for its block nodes and gives it snapshot commands. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "qemu/qemu.h"
#include "qemu/qmp.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "xen/domain.h"

struct qemu {
    struct qmp *qmp;
    char *version;
    /* As told, until something changes them. */
    json_object *nodes, *edges;
};

static int get_version(struct qemu *q, struct err *e)
{
    struct json_at at = { "QMP", "query-version" };
    json_object *v = NULL, *n = NULL;
    uint64_t major, minor, micro;
    int rc = -1;

    if (qemu_run(q, "query-version", NULL, &v, e))
        return -1;
    if (!json_obj(v, "qemu", at, &n, e) &&
        !json_u64(n, "major", at, 999, &major, e) &&
        !json_u64(n, "minor", at, 999, &minor, e) &&
        !json_u64(n, "micro", at, 9999, &micro, e)) {
        q->version = mem_printf("%" PRIu64 ".%" PRIu64 ".%" PRIu64, major,
                                minor, micro);
        rc = 0;
    }
    json_object_put(v);
    return rc;
}

int qemu_open(uint32_t domid, struct qemu **q_r, struct err *e)
{
    struct qemu *q = mem_zalloc(1, sizeof(*q));
    char *path = domain_qmp_path(domid);
    int rc = qmp_open(path, &q->qmp, e);

    free(path);
    if (!rc)
        rc = get_version(q, e);
    if (rc) {
        qemu_close(q);
        q = NULL;
    }
    *q_r = q;
    return rc;
}

static void forget(struct qemu *q)
{
    json_object_put(q->nodes);
    json_object_put(q->edges);
    q->nodes = q->edges = NULL;
}

void qemu_close(struct qemu *q)
{
    if (!q)
        return;
    forget(q);
    qmp_close(q->qmp);
    free(q->version);
    free(q);
}

int qemu_run(struct qemu *q, const char *command, json_object *args,
             json_object **ret_r, struct err *e)
{
    if (strncmp(command, "query-", 6) && strncmp(command, "x-debug-query", 13))
        forget(q);
    return qmp_run(q->qmp, command, args, ret_r, e);
}

int qemu_cont(struct qemu *q, struct err *e)
{
    return qemu_run(q, "cont", NULL, NULL, e);
}

const char *qemu_version(const struct qemu *q)
{
    return q->version;
}

/*
 * Flat: an element has not all that is below it within itself once more, as
 * deep and, all in all, as large as the square of the number of layers.  It
 * may take QEMU a good part of a second even so.
 */
int qemu_nodes(struct qemu *q, json_object **nodes_r, struct err *e)
{
    json_object *args;

    if (!q->nodes) {
        args = json_object_new_object();
        json_add_bool(args, "flat", true);
        if (qemu_run(q, "query-named-block-nodes", args, &q->nodes, e))
            return -1;
    }
    if (!json_object_is_type(q->nodes, json_type_array)) {
        forget(q);
        return err_set(e, SNAP_FAILED, "QMP: query-named-block-nodes returned "
                       "no array");
    }
    *nodes_r = q->nodes;
    return 0;
}

int qemu_edges(struct qemu *q, json_object **edges_r, struct err *e)
{
    if (!q->edges &&
        qemu_run(q, "x-debug-query-block-graph", NULL, &q->edges, e))
        return -1;
    *edges_r = q->edges;
    return 0;
}

int qemu_transaction(struct qemu *q, json_object *actions, struct err *e)
{
    json_object *args = json_object_new_object();

    json_object_object_add(args, "actions", actions);
    return qemu_run(q, "transaction", args, NULL, e);
}

/* blockdev-snapshot-internal-sync and its deletion name a node "device". */
static json_object *snapshot_args(const char *node, const char *name)
{
    json_object *args = json_object_new_object();

    json_add_str(args, "device", node);
    json_add_str(args, "name", name);
    return args;
}

json_object *qemu_snapshot_action(const char *node, const char *name)
{
    json_object *action = json_object_new_object();

    json_add_str(action, "type", "blockdev-snapshot-internal-sync");
    json_object_object_add(action, "data", snapshot_args(node, name));
    return action;
}

int qemu_delete_snapshot(struct qemu *q, const char *node, const char *name,
                         struct err *e)
{
    return qemu_run(q, "blockdev-snapshot-delete-internal-sync",
                    snapshot_args(node, name), NULL, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
