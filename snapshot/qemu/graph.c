/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads a running QEMU's block nodes and what stands on what. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "image/image.h"
#include "qemu/graph.h"
#include "qemu/qemu.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

/* Of a node of the block graph that has a driver. */
struct id {
    uint64_t id;
    size_t node;
};

static int by_id(const void *a, const void *b)
{
    const struct id *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct graph_node *)a)->name,
                  ((const struct graph_node *)b)->name);
}

static json_object *member(json_object *o, const char *key, size_t *n_r)
{
    json_object *arr = NULL;

    if (!json_object_is_type(o, json_type_object) ||
        !json_object_object_get_ex(o, key, &arr) ||
        !json_object_is_type(arr, json_type_array))
        arr = NULL;
    *n_r = 0;
    if (arr)
        *n_r = json_object_array_length(arr);
    return arr;
}

static void take_nodes(struct graph *g, json_object *nodes)
{
    size_t i;

    g->n = json_object_array_length(nodes);
    g->nodes = mem_zalloc(g->n, sizeof(*g->nodes));
    for (i = 0; i < g->n; i++) {
        struct graph_node *node = &g->nodes[i];

        node->info = json_object_array_get_idx(nodes, i);
        node->name = json_text(node->info, "node-name");
        node->file = json_text(node->info, "file");
        node->driver = json_text(node->info, "drv");
        node->above = node->below = node->storage = GRAPH_NONE;
    }
    qsort(g->nodes, g->n, sizeof(*g->nodes), by_name);
}

size_t graph_find(const struct graph *g, const char *name)
{
    struct graph_node key = { .name = name };
    struct graph_node *found = bsearch(&key, g->nodes, g->n, sizeof(key),
                                       by_name);

    if (!found)
        return GRAPH_NONE;
    return (size_t)(found - g->nodes);
}

/* Those of the graph, in order of their ids; the caller's to free. */
static struct id *take_ids(const struct graph *g, json_object *graph,
                           size_t *n_r)
{
    size_t i, n;
    json_object *arr = member(graph, "nodes", &n);
    struct id *ids = mem_zalloc(n, sizeof(*ids));

    *n_r = 0;
    for (i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(arr, i);
        size_t node = GRAPH_NONE;

        if (!strcmp(json_text(o, "type"), "block-driver"))
            node = graph_find(g, json_text(o, "name"));
        if (node == GRAPH_NONE)
            continue;
        ids[*n_r].id = json_number(o, "id");
        ids[(*n_r)++].node = node;
    }
    qsort(ids, *n_r, sizeof(*ids), by_id);
    return ids;
}

static size_t node_of(const struct id *ids, size_t n, uint64_t id)
{
    struct id key = { .id = id };
    const struct id *found = bsearch(&key, ids, n, sizeof(key), by_id);

    if (!found)
        return GRAPH_NONE;
    return found->node;
}

/* parent: GRAPH_NONE if it is no node but a disk, a job or an export. */
static void take_edge(struct graph *g, size_t parent, size_t child,
                      const char *name)
{
    bool holder = parent != GRAPH_NONE &&
                  !strncmp(g->nodes[parent].name, GRAPH_HOLDER,
                           strlen(GRAPH_HOLDER));

    if (holder)
        g->nodes[child].held = true;
    else
        g->nodes[child].parents++;
    if (parent == GRAPH_NONE)
        return;
    if (!strcmp(name, "file"))
        g->nodes[parent].storage = child;
    if (!strcmp(name, "backing")) {
        g->nodes[child].above = parent;
        g->nodes[parent].below = child;
    }
}

static void take_edges(struct graph *g, json_object *graph,
                       const struct id *ids, size_t nids)
{
    size_t i, n;
    json_object *arr = member(graph, "edges", &n);

    for (i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(arr, i);
        size_t parent = node_of(ids, nids, json_number(o, "parent"));
        size_t child = node_of(ids, nids, json_number(o, "child"));

        if (child != GRAPH_NONE)
            take_edge(g, parent, child, json_text(o, "name"));
    }
}

int graph_get(struct qemu *q, struct graph *g, struct err *e)
{
    json_object *nodes, *graph;
    struct id *ids;
    size_t n;

    memset(g, 0, sizeof(*g));
    if (qemu_nodes(q, &nodes, e) || qemu_edges(q, &graph, e))
        return -1;
    take_nodes(g, nodes);
    ids = take_ids(g, graph, &n);
    take_edges(g, graph, ids, n);
    free(ids);
    return 0;
}

void graph_free(struct graph *g)
{
    free(g->nodes);
    memset(g, 0, sizeof(*g));
}

int graph_open_twice(const char *path, struct err *e)
{
    err_set(e, SNAP_FAILED, "QEMU has %s open twice: the guest still uses "
            "its emulated disks (its PV drivers are not up)", path);
    return err_hot_only(e);
}

static bool has_image(const struct graph_node *node, const struct stat *image,
                      const char *format)
{
    struct stat st;

    return !strcmp(node->driver, format) && node->file[0] == '/' &&
           !stat(node->file, &st) && st.st_dev == image->st_dev &&
           st.st_ino == image->st_ino;
}

/*
 * The one that the guest's disk stands on, or NULL.  After a merge a node may
 * be left that nothing stands on, and whose name, the user's path, leads
 * elsewhere.
 */
static int find(const struct graph *g, const char *path, const char *format,
                const struct graph_node **node_r, struct err *e)
{
    struct stat st;
    size_t i;

    *node_r = NULL;
    if (stat(path, &st))
        return err_errno(e, "cannot look at %s", path);
    for (i = 0; i < g->n; i++) {
        if (!g->nodes[i].parents || !has_image(&g->nodes[i], &st, format))
            continue;
        if (*node_r)
            return graph_open_twice(path, e);
        *node_r = &g->nodes[i];
    }
    return 0;
}

int qemu_find_node(struct qemu *q, const char *path, const char *format,
                   char **node_r, struct image_info *info, struct err *e)
{
    struct json_at at = { "QMP", "query-named-block-nodes" };
    const struct graph_node *node;
    json_object *image;
    struct graph g;
    int rc = -1;

    *node_r = NULL;
    if (graph_get(q, &g, e))
        return -1;
    if (find(&g, path, format, &node, e))
        goto out;
    rc = 0;
    if (!node)
        goto out;
    if (info && (json_obj(node->info, "image", at, &image, e) ||
                 image_info_parse(image, path, info, e))) {
        rc = -1;
        goto out;
    }
    *node_r = mem_strdup(node->name);
    rc = 1;

out:
    graph_free(&g);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
