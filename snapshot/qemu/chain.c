/* SPDX-License-Identifier: LGPL-2.1-only */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "image/layer.h"
#include "qemu/chain.h"
#include "qemu/graph.h"
#include "qemu/qemu.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

char *qemu_node_name(const char *layer)
{
    return mem_printf("xls-%016" PRIx64,
                      (uint64_t)XXH3_64bits(layer, strlen(layer)));
}

/* The layers, as QEMU's nodes may have them. */
struct layers {
    const char *path, *link;    /* of the disk */
    char **files, **names;      /* our names of their nodes */
    size_t n;
};

static int get_layers(const char *live, struct layers *l, struct err *e)
{
    size_t i;

    if (layer_chain(live, &l->files, &l->n, e))
        return -1;
    l->names = mem_zalloc(l->n, sizeof(*l->names));
    for (i = 0; i < l->n; i++)
        l->names[i] = qemu_node_name(l->files[i]);
    return 0;
}

static void free_layers(struct layers *l)
{
    size_t i;

    for (i = 0; l->names && i < l->n; i++)
        free(l->names[i]);
    free(l->names);
    layer_free_chain(l->files, l->n);
}

static bool is_layer(const struct graph_node *node, const struct layers *l,
                     size_t i)
{
    return !strcmp(node->name, l->names[i]) ||
           !strcmp(node->file, l->files[i]);
}

/* Does the node have one of them open, by any of its names? */
static bool has_layer(const struct graph_node *node, const struct layers *l)
{
    size_t i;

    if (strcmp(node->driver, "qcow2"))
        return false;
    if (!strcmp(node->file, l->path) || !strcmp(node->file, l->link))
        return true;
    for (i = 0; i < l->n && !is_layer(node, l, i); i++)
        ;
    return i < l->n;
}

static int find_top(const struct graph *g, const struct layers *l,
                    size_t *top_r, struct err *e)
{
    size_t i;

    *top_r = GRAPH_NONE;
    for (i = 0; i < g->n; i++) {
        size_t at = i, steps = 0;

        if (!has_layer(&g->nodes[i], l))
            continue;
        while (g->nodes[at].above != GRAPH_NONE && steps++ < g->n)
            at = g->nodes[at].above;
        /* A layer that has not got the guest's writes yet, or not any more. */
        if (!g->nodes[at].parents)
            continue;
        if (*top_r != GRAPH_NONE && *top_r != at)
            return graph_open_twice(l->path, e);
        *top_r = at;
    }
    return 0;
}

/* QEMU's nodes mirror the files: the k-th node has the k-th file. */
static int match(const struct graph *g, size_t top, const struct layers *l,
                 struct chain *c, struct err *e)
{
    size_t depth = 0, i, skip, at;

    for (at = top; at != GRAPH_NONE && depth <= l->n; at = g->nodes[at].below)
        depth++;
    if (depth != l->n && depth + 1 != l->n)
        return err_set(e, SNAP_FAILED, "QEMU has %zu layers of %s open, and "
                       "on disk there are %zu", depth, l->files[0], l->n);
    skip = l->n - depth;
    c->nodes = mem_zalloc(depth, sizeof(*c->nodes));
    c->n = depth;
    for (at = top, i = 0; i < depth; at = g->nodes[at].below, i++) {
        c->nodes[i].name = mem_strdup(g->nodes[at].name);
        c->nodes[i].path = mem_strdup(l->files[skip + i]);
        c->nodes[i].stale = !is_layer(&g->nodes[at], l, skip + i);
        c->nodes[i].shared = g->nodes[at].parents > 1;
    }
    return 0;
}

int qemu_chain(struct qemu *q, const char *path, const char *link,
               const char *live, struct chain *c, struct err *e)
{
    struct layers l = { .path = path, .link = link };
    struct graph g = { 0 };
    size_t top;
    int rc = -1;

    memset(c, 0, sizeof(*c));
    if (!get_layers(live, &l, e) && !graph_get(q, &g, e) &&
        !find_top(&g, &l, &top, e))
        rc = top == GRAPH_NONE ? 0 : match(&g, top, &l, c, e) ? -1 : 1;
    graph_free(&g);
    free_layers(&l);
    return rc;
}

void qemu_chain_free(struct chain *c)
{
    size_t i;

    for (i = 0; i < c->n; i++) {
        free(c->nodes[i].name);
        free(c->nodes[i].path);
    }
    free(c->nodes);
    memset(c, 0, sizeof(*c));
}

long qemu_chain_find(const struct chain *c, const char *layer)
{
    size_t i;

    for (i = 0; i < c->n; i++)
        if (!strcmp(c->nodes[i].path, layer))
            return (long)i;
    return -1;
}

/* As the node of the layer before has it: xl's disks bypass the page cache. */
static bool cache_direct(struct qemu *q, const char *like)
{
    json_object *nodes, *cache;
    struct err ignored;
    bool direct = false;

    if (!qemu_nodes(q, &nodes, &ignored) &&
        json_object_object_get_ex(json_element(nodes, "node-name", like), "cache",
                                  &cache) &&
        json_object_is_type(cache, json_type_object))
        direct = json_true(cache, "direct");
    return direct;
}

int qemu_add_layer(struct qemu *q, const char *layer, const char *like,
                   struct err *e)
{
    json_object *args = json_object_new_object();
    json_object *file = json_object_new_object();
    json_object *cache = json_object_new_object();
    char *name = qemu_node_name(layer);

    json_add_bool(cache, "direct", cache_direct(q, like));
    json_add_str(file, "driver", "file");
    json_add_str(file, "filename", layer);
    json_add_str(file, "locking", "off");
    json_object_object_add(file, "cache", json_object_get(cache));
    json_add_str(args, "driver", "qcow2");
    json_add_str(args, "node-name", name);
    json_object_object_add(args, "cache", cache);
    json_object_object_add(args, "file", file);
    json_object_object_add(args, "backing", NULL);
    free(name);
    return qemu_run(q, "blockdev-add", args, NULL, e);
}

static int drop_node(struct qemu *q, const char *name, struct err *e)
{
    json_object *args = json_object_new_object();

    json_add_str(args, "node-name", name);
    return qemu_run(q, "blockdev-del", args, NULL, e);
}

int qemu_drop_layer(struct qemu *q, const char *layer, struct err *e)
{
    json_object *nodes;
    char *name = qemu_node_name(layer);
    int rc = qemu_nodes(q, &nodes, e);

    if (!rc && json_element(nodes, "node-name", name))
        rc = drop_node(q, name, e);
    free(name);
    return rc;
}

int qemu_drop_first(struct qemu *q, const char *path, const char *link,
                    struct err *e)
{
    struct layers l = { .path = path, .link = link };
    struct graph g = { 0 };
    char *name = NULL;
    size_t i;
    int rc = graph_get(q, &g, e);

    for (i = 0; !rc && !name && i < g.n; i++)
        if (!g.nodes[i].parents && has_layer(&g.nodes[i], &l))
            name = mem_strdup(g.nodes[i].name);
    graph_free(&g);
    if (name)
        rc = drop_node(q, name, e);
    free(name);
    return rc;
}

json_object *qemu_overlay_action(const char *node, const char *layer)
{
    json_object *action = json_object_new_object();
    json_object *data = json_object_new_object();
    char *name = qemu_node_name(layer);

    json_add_str(data, "node", node);
    json_add_str(data, "overlay", name);
    json_add_str(action, "type", "blockdev-snapshot");
    json_object_object_add(action, "data", data);
    free(name);
    return action;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
