/* SPDX-License-Identifier: LGPL-2.1-only */

/* Loads the snapshots of a domain and links children to parents. */

#include <stdlib.h>
#include <string.h>

#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/mem.h"

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tree_node *)a)->s.name,
                  ((const struct tree_node *)b)->s.name);
}

static int name_is(const void *key, const void *node)
{
    return strcmp(key, ((const struct tree_node *)node)->s.name);
}

size_t tree_find(const struct tree *t, const char *name)
{
    struct tree_node *node = NULL;

    if (name && t->n)
        node = bsearch(name, t->nodes, t->n, sizeof(*t->nodes), name_is);
    if (!node || node->gone)
        return TREE_NONE;
    return (size_t)(node - t->nodes);
}

/* Follows ghosts up to a name that is none.  Ghosts are few. */
static const char *resolve(const char *name, const struct snapshot *ghosts,
                           size_t nghosts)
{
    size_t hops, i;

    for (hops = 0; name && hops <= nghosts; hops++) {
        for (i = 0; i < nghosts && strcmp(ghosts[i].name, name); i++)
            ;
        if (i == nghosts)
            return name;
        name = ghosts[i].parent;
    }
    return NULL;
}

static void set_name(char **where, const char *name)
{
    char *copy = mem_strdup(name);

    free(*where);
    *where = copy;
}

static void find_parents(struct tree *t, const struct snapshot *ghosts,
                         size_t nghosts, struct err *problems)
{
    size_t i;

    for (i = 0; i < t->n; i++) {
        struct tree_node *node = &t->nodes[i];

        set_name(&node->s.parent, resolve(node->s.parent, ghosts, nghosts));
        node->parent = tree_find(t, node->s.parent);
        if (node->s.parent && node->parent == TREE_NONE)
            err_add(problems, "snapshot %s: its parent %s does not exist",
                    node->s.name, node->s.parent);
    }
}

/* Each node is walked over once: colour 0 not seen, 1 on this walk, 2 done. */
static void cut_cycles(struct tree *t, struct err *problems)
{
    unsigned char *colour = mem_zalloc(t->n, 1);
    size_t i, k;

    for (i = 0; i < t->n; i++) {
        for (k = i; k != TREE_NONE && !colour[k]; k = t->nodes[k].parent) {
            size_t up = t->nodes[k].parent;

            colour[k] = 1;
            if (up != TREE_NONE && colour[up] == 1) {
                err_add(problems, "snapshot %s: it is its own ancestor",
                        t->nodes[up].s.name);
                t->nodes[k].parent = TREE_NONE;
            }
        }
        for (k = i; k != TREE_NONE && colour[k] == 1; k = t->nodes[k].parent)
            colour[k] = 2;
    }
    free(colour);
}

static int newest_first(const void *a, const void *b, void *tree)
{
    const struct tree_node *nodes = ((const struct tree *)tree)->nodes;
    const struct snapshot *x = &nodes[*(const size_t *)a].s;
    const struct snapshot *y = &nodes[*(const size_t *)b].s;

    if (x->creation_time < y->creation_time)
        return 1;
    if (x->creation_time > y->creation_time)
        return -1;
    return -strcmp(x->name, y->name);
}

static size_t *list_of(struct tree *t, size_t parent)
{
    if (parent == TREE_NONE)
        return &t->first_root;
    return &t->nodes[parent].first_child;
}

static void put_first(struct tree *t, size_t node, size_t parent)
{
    size_t *head = list_of(t, parent);

    t->nodes[node].parent = parent;
    t->nodes[node].prev = TREE_NONE;
    t->nodes[node].next = *head;
    if (*head != TREE_NONE)
        t->nodes[*head].prev = node;
    *head = node;
}

/* Children lists grow at the head, so the newest goes in first. */
static void link_children(struct tree *t)
{
    size_t *order = mem_zalloc(t->n, sizeof(*order)), i;

    t->first_root = TREE_NONE;
    for (i = 0; i < t->n; i++) {
        order[i] = i;
        t->nodes[i].first_child = TREE_NONE;
    }
    if (t->n)
        qsort_r(order, t->n, sizeof(*order), newest_first, t);
    for (i = 0; i < t->n; i++)
        put_first(t, order[i], t->nodes[order[i]].parent);
    free(order);
}

void tree_link(struct tree *t, const struct snapshot *ghosts, size_t nghosts,
               struct err *problems)
{
    if (t->n)
        qsort(t->nodes, t->n, sizeof(*t->nodes), by_name);
    find_parents(t, ghosts, nghosts, problems);
    cut_cycles(t, problems);
    link_children(t);
    set_name(&t->current, resolve(t->current, ghosts, nghosts));
    if (t->current && tree_find(t, t->current) == TREE_NONE) {
        err_add(problems, "the current snapshot %s does not exist",
                t->current);
        set_name(&t->current, NULL);
    }
}

char **tree_children(const struct tree *t, size_t node, size_t *n_r)
{
    char **names = NULL;
    size_t n = 0, room = 0, at;

    for (at = t->nodes[node].first_child; at != TREE_NONE;
         at = t->nodes[at].next) {
        if (n == room) {
            room = 2 * room + 8;
            names = mem_grow(names, room, sizeof(*names));
        }
        names[n++] = mem_strdup(t->nodes[at].s.name);
    }
    *n_r = n;
    return names;
}

void tree_remove(struct tree *t, size_t node)
{
    struct tree_node *gone = &t->nodes[node];
    size_t at, next;

    if (gone->prev == TREE_NONE)
        *list_of(t, gone->parent) = gone->next;
    else
        t->nodes[gone->prev].next = gone->next;
    if (gone->next != TREE_NONE)
        t->nodes[gone->next].prev = gone->prev;
    for (at = gone->first_child; at != TREE_NONE; at = next) {
        next = t->nodes[at].next;
        put_first(t, at, gone->parent);
        set_name(&t->nodes[at].s.parent, gone->s.parent);
    }
    if (t->current && !strcmp(t->current, gone->s.name))
        set_name(&t->current, gone->s.parent);
    gone->gone = true;
}

/* Loads all of one state; damaged ones become problems. */
static int load_state(struct store *st, enum store_state state,
                      struct snapshot **all_r, size_t *n_r,
                      struct err *problems, struct err *e)
{
    char **names;
    size_t n, i, k = 0;

    if (store_names(st, state, &names, &n, e))
        return -1;
    *all_r = mem_zalloc(n, sizeof(**all_r));
    for (i = 0; i < n; i++) {
        struct err bad;

        if (!store_load(st, state, names[i], &(*all_r)[k], &bad))
            k++;
        else if (store_exists(st, state, names[i]))
            err_add(problems, "snapshot %s is damaged: %s", names[i],
                    bad.text);
    }
    store_free_names(names, n);
    *n_r = k;
    return 0;
}

/*
 * What stands in domain.json can be lost: no snapshot is the current one then,
 * until the next one is.
 */
static int get_current(struct store *st, char **current_r,
                       struct err *problems, struct err *e)
{
    if (!store_get_current(st, current_r, e))
        return 0;
    if (e->code != ERR_GARBAGE)
        return -1;
    err_add(problems, "%s", e->text);
    return 0;
}

int tree_load(struct store *st, struct tree *t, struct err *problems,
              struct err *e)
{
    struct snapshot *ghosts = NULL, *all = NULL;
    size_t nghosts = 0, n = 0, i;
    struct err ignored = { 0 };
    char *current = NULL;
    int rc = -1;

    memset(t, 0, sizeof(*t));
    t->first_root = TREE_NONE;
    /* Ghosts last: a snapshot deleted meanwhile is then seen as one. */
    if (get_current(st, &t->current, problems, e) ||
        load_state(st, STORE_COMMITTED, &all, &n, problems, e) ||
        load_state(st, STORE_DELETED, &ghosts, &nghosts, &ignored, e))
        goto out;
    t->nodes = mem_zalloc(n, sizeof(*t->nodes));
    while (t->n < n) {
        t->nodes[t->n].s = all[t->n];
        t->n++;
    }
    current = mem_strdup(t->current);
    tree_link(t, ghosts, nghosts, problems);
    t->whole = problems->status == SNAP_OK && ignored.status == SNAP_OK &&
               !nghosts;
    /* One that cannot be read now is still what the disks descend from. */
    if (!t->current && current &&
        store_exists(st, STORE_COMMITTED, current)) {
        t->current = current;
        current = NULL;
    }
    rc = 0;

out:
    free(current);
    for (i = t->n; i < n; i++)
        meta_free(&all[i]);
    for (i = 0; i < nghosts; i++)
        meta_free(&ghosts[i]);
    free(ghosts);
    free(all);
    return rc;
}

void tree_free(struct tree *t)
{
    size_t i;

    for (i = 0; i < t->n; i++)
        meta_free(&t->nodes[i].s);
    free(t->nodes);
    free(t->current);
    memset(t, 0, sizeof(*t));
}

/* Next in a walk that has parents first, staying below "top". */
static size_t step(const struct tree *t, size_t at, size_t top, size_t *depth)
{
    if (t->nodes[at].first_child != TREE_NONE) {
        ++*depth;
        return t->nodes[at].first_child;
    }
    while (at != top && t->nodes[at].next == TREE_NONE) {
        at = t->nodes[at].parent;
        if (at == TREE_NONE)
            return TREE_NONE;
        --*depth;
    }
    if (at == top)
        return TREE_NONE;
    return t->nodes[at].next;
}

size_t *tree_subtree(const struct tree *t, size_t node, size_t *n_r)
{
    size_t *list = mem_zalloc(t->n, sizeof(*list)), n = 0, depth = 0, at, i;

    for (at = node; at != TREE_NONE; at = step(t, at, node, &depth))
        list[n++] = at;
    /* Parents first, reversed. */
    for (i = 0; i < n / 2; i++) {
        at = list[i];
        list[i] = list[n - 1 - i];
        list[n - 1 - i] = at;
    }
    *n_r = n;
    return list;
}

size_t *tree_walk(const struct tree *t, size_t **depth_r)
{
    size_t *list = mem_zalloc(t->n, sizeof(*list)), n = 0, depth = 0, at;
    size_t *depths = mem_zalloc(t->n, sizeof(*depths));

    for (at = t->first_root; at != TREE_NONE;
         at = step(t, at, TREE_NONE, &depth)) {
        depths[n] = depth;
        list[n++] = at;
    }
    if (depth_r)
        *depth_r = depths;
    else
        free(depths);
    return list;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
