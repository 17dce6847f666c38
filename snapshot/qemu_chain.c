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

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "clock.h"
#include "interrupt.h"
#include "layer.h"
#include "mem.h"
#include "qemu_chain.h"
#include "qmp.h"

#define POLL_MS 20
#define STALL_MS (300 * 1000)   /* a job that does nothing for so long hangs */

/* Both of the words of QEMU that tell its block graph. */
struct graph {
    json_object *nodes;         /* query-named-block-nodes, QEMU's */
    json_object *graph;         /* x-debug-query-block-graph */
};

char *qemu_node_name(const char *layer)
{
    return mem_printf("xls-%016" PRIx64,
                      (uint64_t)XXH3_64bits(layer, strlen(layer)));
}

static char *job_name(const char *layer)
{
    return mem_printf("xls-job-%016" PRIx64,
                      (uint64_t)XXH3_64bits(layer, strlen(layer)));
}

static int get_graph(struct qemu *q, struct graph *g, struct err *e)
{
    memset(g, 0, sizeof(*g));
    if (qemu_nodes(q, &g->nodes, e) ||
        qemu_run(q, "x-debug-query-block-graph", NULL, &g->graph, e))
        return -1;
    if (!json_object_is_type(g->graph, json_type_object))
        return err_set(e, SNAP_FAILED, "QMP: QEMU does not tell its block "
                       "graph");
    return 0;
}

static const char *text(json_object *o, const char *key)
{
    struct json_at at = { "QMP", "" };
    const char *s = NULL;
    struct err ignored;

    if (!json_object_is_type(o, json_type_object) ||
        json_str(o, key, at, &s, &ignored))
        return "";
    return s;
}

static json_object *list(json_object *o, const char *key)
{
    struct json_at at = { "QMP", "" };
    json_object *arr = NULL;
    struct err ignored;

    return json_arr(o, key, at, &arr, &ignored) ? NULL : arr;
}

static uint64_t number(json_object *o, const char *key)
{
    struct json_at at = { "QMP", "" };
    struct err ignored;
    uint64_t n = 0;

    if (!json_object_is_type(o, json_type_object) ||
        json_u64(o, key, at, UINT64_MAX, &n, &ignored))
        return 0;
    return n;
}

/* The element of an array whose "key" is that text. */
static json_object *element(json_object *arr, const char *key,
                            const char *value)
{
    size_t i, n = arr ? json_object_array_length(arr) : 0;

    for (i = 0; i < n; i++)
        if (!strcmp(text(json_object_array_get_idx(arr, i), key), value))
            return json_object_array_get_idx(arr, i);
    return NULL;
}

static const char *name_of_id(const struct graph *g, uint64_t id)
{
    json_object *arr = list(g->graph, "nodes");
    size_t i, n = arr ? json_object_array_length(arr) : 0;

    for (i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(arr, i);

        if (number(o, "id") == id && !strcmp(text(o, "type"), "block-driver"))
            return text(o, "name");
    }
    return NULL;
}

static uint64_t id_of_name(const struct graph *g, const char *name)
{
    json_object *arr = list(g->graph, "nodes");
    size_t i, n = arr ? json_object_array_length(arr) : 0;

    for (i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(arr, i);

        if (!strcmp(text(o, "type"), "block-driver") &&
            !strcmp(text(o, "name"), name))
            return number(o, "id");
    }
    return 0;
}

/* The node behind this one, or (up) in front of it; NULL at the end. */
static const char *neighbour(const struct graph *g, const char *name, bool up)
{
    json_object *arr = list(g->graph, "edges");
    size_t i, n = arr ? json_object_array_length(arr) : 0;
    uint64_t id = id_of_name(g, name);

    for (i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(arr, i);
        const char *other;

        if (strcmp(text(o, "name"), "backing") ||
            number(o, up ? "child" : "parent") != id)
            continue;
        other = name_of_id(g, number(o, up ? "parent" : "child"));
        if (other)
            return other;
    }
    return NULL;
}

/* Has the node anything in front of it, such as the guest's disk? */
static bool in_use(const struct graph *g, const char *name)
{
    json_object *arr = list(g->graph, "edges");
    size_t i, n = arr ? json_object_array_length(arr) : 0;
    uint64_t id = id_of_name(g, name);

    for (i = 0; i < n; i++)
        if (number(json_object_array_get_idx(arr, i), "child") == id)
            return true;
    return false;
}

static int open_twice(const char *path, struct err *e)
{
    err_set(e, SNAP_FAILED, "QEMU has %s open twice: the guest still uses "
            "its emulated disks (its PV drivers are not up)", path);
    return err_hot_only(e);
}

/* Is this element of query-named-block-nodes the image in that format? */
static bool node_matches(json_object *node, const struct stat *image,
                         const char *format)
{
    const char *file = text(node, "file");
    struct stat st;

    return !strcmp(text(node, "drv"), format) &&
           file[0] == '/' && !stat(file, &st) &&
           st.st_dev == image->st_dev && st.st_ino == image->st_ino;
}

/*
 * The one that the guest's disk stands on.  After a merge a node may be left
 * that nothing stands on, and whose name, the user's path, leads elsewhere.
 */
static int match_nodes(const struct graph *g, const char *path,
                       const char *format, json_object **node_r,
                       struct err *e)
{
    struct stat st;
    size_t i;

    *node_r = NULL;
    if (stat(path, &st))
        return err_errno(e, "cannot look at %s", path);
    for (i = 0; i < json_object_array_length(g->nodes); i++) {
        json_object *node = json_object_array_get_idx(g->nodes, i);

        if (!node_matches(node, &st, format) ||
            !in_use(g, text(node, "node-name")))
            continue;
        if (*node_r)
            return open_twice(path, e);
        *node_r = node;
    }
    return *node_r ? 1 : 0;
}

int qemu_find_node(struct qemu *q, const char *path, const char *format,
                   char **node_r, struct image_info *info, struct err *e)
{
    struct json_at at = { "QMP", "query-named-block-nodes" };
    json_object *node, *image;
    struct graph g;
    int rc;

    *node_r = NULL;
    if (get_graph(q, &g, e) ||
        (rc = match_nodes(&g, path, format, &node, e)) < 0 ||
        (rc && info && (json_obj(node, "image", at, &image, e) ||
                        image_info_parse(image, path, info, e))))
        rc = -1;
    else if (rc)
        *node_r = mem_strdup(text(node, "node-name"));
    json_object_put(g.graph);
    return rc;
}

/* Does a node of QEMU have one of these files open, by any of its names? */
static bool has_layer(json_object *node, const char *path, const char *link,
                      char *const *layers, size_t n)
{
    const char *file = text(node, "file"), *name = text(node, "node-name");
    size_t i;

    if (strcmp(text(node, "drv"), "qcow2"))
        return false;
    if (!strcmp(file, path) || !strcmp(file, link))
        return true;
    for (i = 0; i < n; i++) {
        char *ours = qemu_node_name(layers[i]);
        bool is_it = !strcmp(name, ours) || !strcmp(file, layers[i]);

        free(ours);
        if (is_it)
            return true;
    }
    return false;
}

static int find_top(const struct graph *g, const char *path,
                    const char *link, char *const *layers, size_t n,
                    const char **top_r, struct err *e)
{
    size_t i;

    *top_r = NULL;
    for (i = 0; i < json_object_array_length(g->nodes); i++) {
        json_object *node = json_object_array_get_idx(g->nodes, i);
        const char *at = text(node, "node-name"), *next;
        size_t steps = 0;

        if (!has_layer(node, path, link, layers, n))
            continue;
        while ((next = neighbour(g, at, true)) && steps++ < 1000)
            at = next;
        /* A layer that has not got the guest's writes yet, or not any more. */
        if (!in_use(g, at))
            continue;
        if (*top_r && strcmp(*top_r, at))
            return open_twice(path, e);
        *top_r = at;
    }
    return 0;
}

static bool is_stale(const struct graph *g, const char *name,
                     const char *layer)
{
    json_object *node = element(g->nodes, "node-name", name);
    char *ours = qemu_node_name(layer);
    bool fresh = !strcmp(name, ours) || !strcmp(text(node, "file"), layer);

    free(ours);
    return !fresh;
}

/* QEMU's nodes mirror the files: the k-th node has the k-th file. */
static int match(const struct graph *g, const char *top, char *const *layers,
                 size_t n, struct chain *c, struct err *e)
{
    const char *at;
    size_t depth = 0, i, skip;

    for (at = top; at && depth <= n; at = neighbour(g, at, false))
        depth++;
    if (depth != n && depth + 1 != n)
        return err_set(e, SNAP_FAILED, "QEMU has %zu layers of %s open, and "
                       "on disk there are %zu", depth, layers[0], n);
    skip = n - depth;
    c->nodes = mem_zalloc(depth, sizeof(*c->nodes));
    c->n = depth;
    for (at = top, i = 0; i < depth; at = neighbour(g, at, false), i++) {
        c->nodes[i].name = mem_strdup(at);
        c->nodes[i].path = mem_strdup(layers[skip + i]);
        c->nodes[i].stale = is_stale(g, at, layers[skip + i]);
    }
    return 0;
}

int qemu_chain(struct qemu *q, const char *path, const char *link,
               const char *live, struct chain *c, struct err *e)
{
    struct graph g = { 0 };
    char **layers = NULL;
    const char *top = NULL;
    size_t n = 0;
    int rc = -1;

    memset(c, 0, sizeof(*c));
    if (layer_chain(live, &layers, &n, e) ||
        get_graph(q, &g, e) ||
        find_top(&g, path, link, layers, n, &top, e))
        goto out;
    rc = !top ? 0 : match(&g, top, layers, n, c, e) ? -1 : 1;

out:
    layer_free_chain(layers, n);
    json_object_put(g.graph);
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
        json_object_object_get_ex(element(nodes, "node-name", like), "cache",
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

static json_object *member(const char *key, const char *value)
{
    json_object *o = json_object_new_object();

    json_add_str(o, key, value);
    return o;
}

int qemu_add_copy(struct qemu *q, const char *path, struct err *e)
{
    json_object *args = member("driver", "file");
    char *name = qemu_node_name(path);

    json_add_str(args, "node-name", name);
    json_add_str(args, "filename", path);
    json_add_str(args, "locking", "off");
    json_add_str(args, "discard", "unmap");     /* holes stay holes */
    free(name);
    return qemu_run(q, "blockdev-add", args, NULL, e);
}

json_object *qemu_copy_action(const char *node, const char *path)
{
    json_object *action = member("type", "blockdev-backup");
    json_object *data = member("device", node);
    char *name = qemu_node_name(path), *job = job_name(path);

    json_add_str(data, "job-id", job);
    json_add_str(data, "target", name);
    json_add_str(data, "sync", "full");
    json_add_bool(data, "auto-dismiss", false);
    json_object_object_add(action, "data", data);
    free(job);
    free(name);
    return action;
}

int qemu_drop_layer(struct qemu *q, const char *layer, struct err *e)
{
    json_object *args, *nodes;
    char *name = qemu_node_name(layer);
    int rc = qemu_nodes(q, &nodes, e);

    if (!rc && element(nodes, "node-name", name)) {
        args = json_object_new_object();
        json_add_str(args, "node-name", name);
        rc = qemu_run(q, "blockdev-del", args, NULL, e);
    }
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

static int dismiss(struct qemu *q, const char *job, json_object *o,
                   struct err *e)
{
    json_object *args = json_object_new_object();
    char *why = mem_strdup(text(o, "error"));
    int rc;

    json_add_str(args, "id", job);
    rc = qemu_run(q, "job-dismiss", args, NULL, e);
    if (!rc && why[0])
        rc = err_set(e, SNAP_FAILED, "QEMU's job failed: %s", why);
    free(why);
    return rc;
}

/*
 * What QEMU holds in its caches of a node gets to disk, which only the guest
 * asks for otherwise.  There is no QMP command for it.
 */
static int flush(struct qemu *q, const char *node, struct err *e)
{
    json_object *args = json_object_new_object(), *said = NULL;
    char *line = mem_printf("qemu-io %s flush", node);
    int rc;

    json_add_str(args, "command-line", line);
    rc = qemu_run(q, "human-monitor-command", args, &said, e);
    if (!rc && (!json_object_is_type(said, json_type_string) ||
                json_object_get_string_len(said)))
        rc = err_set(e, SNAP_FAILED, "QEMU does not flush its node %s: %s",
                     node, json_object_get_string(said));
    json_object_put(said);
    free(line);
    return rc;
}

/*
 * Until the job is over, or, if that is asked for, waits to be finalized.
 * One that is not there is over.
 */
static int wait_job(struct qemu *q, const char *job, bool interruptible,
                    bool *pending_r, struct err *e)
{
    uint64_t seen = UINT64_MAX, since = clock_ms();
    bool pending = false;

    for (;;) {
        json_object *jobs = NULL, *o;
        int rc = qemu_run(q, "query-jobs", NULL, &jobs, e);
        bool over, stalls;

        if (rc)
            return -1;
        o = json_object_is_type(jobs, json_type_array) ?
            element(jobs, "id", job) : NULL;
        over = o && !strcmp(text(o, "status"), "concluded");
        if (pending_r)
            *pending_r = pending = o && !strcmp(text(o, "status"), "pending");
        if (o && number(o, "current-progress") != seen) {
            seen = number(o, "current-progress");
            since = clock_ms();
        }
        stalls = clock_ms() - since > STALL_MS;
        if (over)
            rc = dismiss(q, job, o, e);
        else if (stalls && !pending)
            rc = err_set(e, SNAP_FAILED, "QEMU's job %s does nothing any "
                         "more", job);
        json_object_put(jobs);
        if (!o || over || pending || stalls)
            return rc;
        if (interruptible && interrupt_pending())
            return interrupt_error(e);
        clock_sleep_ms(POLL_MS);
    }
}

/*
 * Merges into "target".  A power cut must not leave a chain without a layer
 * whose content has not got to disk elsewhere, so that is flushed before the
 * job changes the chain.
 */
static int run_merge(struct qemu *q, const char *command, const char *layer,
                     const char *target, json_object *args, struct err *e)
{
    char *job = job_name(layer);
    bool pending = false;
    int rc;

    json_add_str(args, "job-id", job);
    json_add_bool(args, "auto-dismiss", false);
    json_add_bool(args, "auto-finalize", false);
    rc = qemu_run(q, command, args, NULL, e) ||
         wait_job(q, job, false, &pending, e) ? -1 : 0;
    if (!rc && pending)
        rc = flush(q, target, e) ||
             qemu_run(q, "job-finalize", member("id", job), NULL, e) ||
             wait_job(q, job, false, NULL, e) ? -1 : 0;
    free(job);
    return rc;
}

int qemu_end_merge(struct qemu *q, const char *layer, struct err *e)
{
    char *job = job_name(layer);
    struct err canceled;
    bool pending = false;
    int rc = wait_job(q, job, false, &pending, e);

    if (!rc && pending) {
        rc = qemu_run(q, "job-cancel", member("id", job), NULL, e);
        if (!rc)
            (void)wait_job(q, job, false, NULL, &canceled);
    }
    free(job);
    return rc;
}

int qemu_flush_chain(struct qemu *q, const struct chain *c, struct err *e)
{
    return flush(q, c->nodes[0].name, e);
}

int qemu_wait_copy(struct qemu *q, const char *path, struct err *e)
{
    char *job = job_name(path);
    int rc = wait_job(q, job, true, NULL, e);

    free(job);
    return rc;
}

int qemu_drop_copy(struct qemu *q, const char *path, struct err *e)
{
    char *job = job_name(path);
    json_object *args = member("device", job);
    struct err ignored;

    json_add_bool(args, "force", true);
    /* One that is over, or was cancelled, tells an error that is of no use. */
    (void)(qemu_run(q, "block-job-cancel", args, NULL, &ignored) ||
           wait_job(q, job, false, NULL, &ignored));
    free(job);
    return qemu_drop_layer(q, path, e);
}

int qemu_commit(struct qemu *q, const struct chain *c, size_t i,
                struct err *e)
{
    json_object *args = json_object_new_object();

    json_add_str(args, "device", c->nodes[0].name);
    json_add_str(args, "top-node", c->nodes[i - 1].name);
    json_add_str(args, "base-node", c->nodes[i].name);
    /* What QEMU would write by itself may be a stale name. */
    json_add_str(args, "backing-file", c->nodes[i].path);
    return run_merge(q, "block-commit", c->nodes[i].path, c->nodes[i].name,
                     args, e);
}

int qemu_pull(struct qemu *q, const struct chain *c, size_t i,
              struct err *e)
{
    json_object *args = json_object_new_object();

    json_add_str(args, "device", c->nodes[i - 1].name);
    if (i + 1 < c->n) {
        json_add_str(args, "base-node", c->nodes[i + 1].name);
        json_add_str(args, "backing-file", c->nodes[i + 1].path);
    }
    return run_merge(q, "block-stream", c->nodes[i].path,
                     c->nodes[i - 1].name, args, e);
}


/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
