/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The snapshots of a domain as a tree: each snapshot.json names its parent
 * (doc/design.md 3), domain.json the current one.  Pure but for
 * tree_load().
 *
 * A parent that does not exist makes its child a root; a cycle is cut where
 * it closes.  Both are problems that are reported, because only damage or a
 * foreign hand makes them, but the snapshots stay usable.
 */

#ifndef SNAPSHOT_TREE_H
#define SNAPSHOT_TREE_H

#include "store/store.h"

#define TREE_NONE ((size_t)-1)

struct tree_node {
    struct snapshot s;
    size_t parent;              /* index, or TREE_NONE */
    size_t first_child, next;   /* by creation time; next sibling or root */
    size_t prev;                /* sibling or root before, or TREE_NONE */
    bool gone;                  /* tree_remove() */
    uint64_t size_on_disk;      /* bytes; only a list asks for it */
};

struct tree {
    struct tree_node *nodes;    /* sorted by name */
    size_t n;
    size_t first_root;
    bool whole;                 /* no damage, no ghost: it is as on disk */
    char *current;              /* a name, in nodes unless damaged; or NULL */
};

/*
 * Reads all committed snapshots.  Damaged ones are left out and added to
 * "problems" (zeroed by the caller); -1 only if nothing can be read at all.
 */
int tree_load(struct store *st, struct tree *t, struct err *problems,
              struct err *e);
/*
 * Links what t->nodes holds: sorts, finds parents, cuts cycles.  A parent or
 * current that is a ghost (being deleted) counts as the ghost's parent.
 */
void tree_link(struct tree *t, const struct snapshot *ghosts, size_t nghosts,
               struct err *problems);
void tree_free(struct tree *t);

/* Index or TREE_NONE. */
size_t tree_find(const struct tree *t, const char *name);
/*
 * Indices of the subtree below a node, children before their parents, the
 * node itself last.  The caller frees the array of *n_r.
 */
size_t *tree_subtree(const struct tree *t, size_t node, size_t *n_r);
/* Names of the children; the caller frees each and the array. */
char **tree_children(const struct tree *t, size_t node, size_t *n_r);
/* Takes a node out; its children, and current, become its parent's. */
void tree_remove(struct tree *t, size_t node);
/* All nodes, parents first, as a printed tree has them; depth_r may be NULL. */
size_t *tree_walk(const struct tree *t, size_t **depth_r);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
