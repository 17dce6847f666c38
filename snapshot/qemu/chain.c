/* SPDX-License-Identifier: LGPL-2.1-only */

/* Matches QEMU's nodes with the layers of a disk, adds and removes them. */

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
    return mem_printf(GRAPH_OURS "%016" PRIx64,
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

/* By another spelling of the path than any that we know. */
static bool leads_to_live(const struct graph_node *node,
                          const struct layers *l)
{
    struct err ignored;
    bool same = false;
    size_t i;

    if (strcmp(node->driver, "qcow2") || node->file[0] != '/')
        return false;
    /* QEMU may not have the newest one yet. */
    for (i = 0; i < l->n && i < 2 && !same; i++)
        if (layer_is_same(node->file, l->files[i], &same, &ignored))
            same = false;
    return same;
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
        /* Below, two disks may stand on one base. */
        if (!has_layer(&g->nodes[at], l) && !leads_to_live(&g->nodes[at], l))
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
        return err_set(e, SNAP_FAILED, "QEMU has %zu layers of %s open, but "
                       "there are %zu on disk", depth, l->files[0], l->n);
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
    if (get_layers(live, &l, e) || graph_get(q, &g, e) ||
        find_top(&g, &l, &top, e))
        goto out;
    rc = 0;
    if (top == GRAPH_NONE)
        goto out;
    rc = 1;
    if (match(&g, top, &l, c, e))
        rc = -1;

out:
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

static char *holder_name(const char *layer)
{
    return mem_printf(GRAPH_HOLDER "%016" PRIx64,
                      (uint64_t)XXH3_64bits(layer, strlen(layer)));
}

/* "cache" of a node, as blockdev-add takes it. */
static json_object *take_cache(const struct graph_node *like)
{
    json_object *cache = json_object_new_object(), *from;

    if (json_object_object_get_ex(like->info, "cache", &from) &&
        json_object_is_type(from, json_type_object)) {
        json_add_bool(cache, "direct", json_true(from, "direct"));
        json_add_bool(cache, "no-flush", json_true(from, "no-flush"));
    }
    return cache;
}

/* The node of a layer's file. */
static json_object *file_node(const char *layer, const struct graph_node *like)
{
    json_object *file = json_object_new_object();
    json_object *cache = take_cache(like);

    json_add_str(file, "driver", "file");
    json_add_str(file, "filename", layer);
    json_add_str(file, "locking", "off");
    json_add_str(file, "discard", "unmap");
    /* The two come together: "direct-io-safe" in hw/block/xen-block.c. */
    if (json_true(cache, "direct"))
        json_add_str(file, "aio", "native");
    json_object_object_add(file, "cache", cache);
    return file;
}

static json_object *layer_node(const char *layer, const struct graph *g,
                               const struct graph_node *like)
{
    json_object *node = json_object_new_object();
    const char *zeroes = json_text(like->info, "detect_zeroes");
    const struct graph_node *storage = like;
    char *name = qemu_node_name(layer);

    if (like->storage != GRAPH_NONE)
        storage = &g->nodes[like->storage];
    json_add_str(node, "driver", "qcow2");
    json_add_str(node, "node-name", name);
    json_add_str(node, "discard", "unmap");
    if (zeroes[0])
        json_add_str(node, "detect-zeroes", zeroes);
    json_object_object_add(node, "cache", take_cache(like));
    json_object_object_add(node, "file", file_node(layer, storage));
    json_object_object_add(node, "backing", NULL);
    free(name);
    return node;
}

int qemu_add_layer(struct qemu *q, const char *layer, const char *like,
                   struct err *e)
{
    json_object *args;
    struct graph g;
    char *name;
    size_t i;

    if (graph_get(q, &g, e))
        return -1;
    i = graph_find(&g, like);
    if (i == GRAPH_NONE) {
        graph_free(&g);
        return err_set(e, SNAP_FAILED, "QEMU no longer has node %s", like);
    }
    args = json_object_new_object();
    name = holder_name(layer);
    json_add_str(args, "driver", "raw");
    json_add_str(args, "node-name", name);
    json_object_object_add(args, "file", layer_node(layer, &g, &g.nodes[i]));
    graph_free(&g);
    free(name);
    return qemu_run(q, "blockdev-add", args, NULL, e);
}

static int drop_node(struct qemu *q, const char *name, struct err *e)
{
    json_object *args = json_object_new_object();

    json_add_str(args, "node-name", name);
    return qemu_run(q, "blockdev-del", args, NULL, e);
}

static int has_node(struct qemu *q, const char *name, bool *has_r,
                    struct err *e)
{
    json_object *nodes;

    if (qemu_nodes(q, &nodes, e))
        return -1;
    *has_r = json_element(nodes, "node-name", name) != NULL;
    return 0;
}

/* If it is there; QEMU refuses to if something stands on it. */
static int drop_if_there(struct qemu *q, const char *name, struct err *e)
{
    bool has;

    if (has_node(q, name, &has, e))
        return -1;
    if (!has)
        return 0;
    return drop_node(q, name, e);
}

int qemu_let_layer(struct qemu *q, const char *layer, struct err *e)
{
    char *name = holder_name(layer);
    int rc = drop_if_there(q, name, e);

    free(name);
    return rc;
}

int qemu_drop_layer(struct qemu *q, const char *layer, struct err *e)
{
    char *name = qemu_node_name(layer);
    int rc = qemu_let_layer(q, layer, e);

    if (!rc)
        rc = drop_if_there(q, name, e);
    free(name);
    return rc;
}

static size_t find_orphan(const struct graph *g)
{
    size_t i;

    for (i = 0; i < g->n; i++)
        if (!g->nodes[i].parents && !g->nodes[i].held &&
            !strncmp(g->nodes[i].name, GRAPH_OURS, strlen(GRAPH_OURS)))
            return i;
    return GRAPH_NONE;
}

/*
 * What is below an orphan.  Most of it ends with it; the node that QEMU began
 * with for a disk does not.
 */
static char **names_below(const struct graph *g, size_t i, size_t *n_r)
{
    char **names = NULL;
    size_t n = 0;

    if (g->nodes[i].below == GRAPH_NONE && g->nodes[i].storage != GRAPH_NONE)
        i = g->nodes[i].storage;        /* of a holder */
    for (i = g->nodes[i].below; i != GRAPH_NONE && n < g->n;
         i = g->nodes[i].below) {
        names = mem_grow(names, n + 1, sizeof(*names));
        names[n++] = mem_strdup(g->nodes[i].name);
    }
    *n_r = n;
    return names;
}

static int drop_unused(struct qemu *q, const char *name, struct err *e)
{
    struct graph g;
    bool unused;
    size_t i;

    if (graph_get(q, &g, e))
        return -1;
    i = graph_find(&g, name);
    unused = i != GRAPH_NONE && !g.nodes[i].parents;
    graph_free(&g);
    if (!unused)
        return 0;
    return drop_node(q, name, e);
}

/* One orphan with its chain; false in *any_r if there is none. */
static int drop_chain(struct qemu *q, bool *any_r, size_t *count,
                      struct err *e)
{
    struct graph g;
    char **below = NULL, *name = NULL;
    size_t n = 0, i;
    int rc = graph_get(q, &g, e);

    *any_r = false;
    if (rc)
        return -1;
    i = find_orphan(&g);
    if (i != GRAPH_NONE) {
        name = mem_strdup(g.nodes[i].name);
        below = names_below(&g, i, &n);
        *any_r = true;
    }
    graph_free(&g);
    if (name) {
        rc = drop_node(q, name, e);
        *count += !rc;
    }
    for (i = 0; i < n; i++) {
        if (!rc)
            rc = drop_unused(q, below[i], e);
        free(below[i]);
    }
    free(below);
    free(name);
    return rc;
}

int qemu_drop_orphans(struct qemu *q, size_t *n_r, struct err *e)
{
    bool any = true;
    int rc = 0;

    *n_r = 0;
    while (!rc && any)
        rc = drop_chain(q, &any, n_r, e);
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
