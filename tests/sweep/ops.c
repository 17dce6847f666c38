/* SPDX-License-Identifier: LGPL-2.1-only */

/* The operations that are swept, and the states that they lead to. */

#include <stdlib.h>
#include <string.h>

#include "sweep.h"

#define TICK { "bin/xl", "tick", DOMAIN, "2" }

/*
 * The layers of the tree: s1's, on it s2's, on that s3's and s4's, on s4's the
 * live one.  QEMU has opened the live one by the path, which is a link.
 */
const struct op ops[] = {
    { "create", { CREATE, DOMAIN, "new" }, TREE, .all = true,
      .snapshot = "new" },
    { "create-raw", { CREATE, "-znone", DOMAIN, "new" }, TREE,
      .also = "mem spool", .snapshot = "new" },
    { "create-path", { CREATE, "-P", PLACE, DOMAIN, "new" }, TREE,
      .snapshot = "new" },
    { "create-paused", { CREATE, "-p", DOMAIN, "new" }, TREE,
      .snapshot = "new", .leaves = "paused" },
    { "create-first", { CREATE, DOMAIN, "new", DISKS }, BARE,
      .also = "io qmp img", .snapshot = "new" },
    { "create-cold", { CREATE, "--cold", DOMAIN, "new" }, TREE, .all = true,
      .reopens = true, .snapshot = "new" },
    { "create-cold-first", { CREATE, "--cold", DOMAIN, "new", DISKS }, BARE,
      .also = "xl", .reopens = true, .snapshot = "new" },
    { "revert", { REVERT, DOMAIN, "s1" }, TREE, .all = true,
      .snapshot = "s1" },
    { "revert-off", { REVERT, DOMAIN, "s3" }, TREE, .off = true,
      .snapshot = "s3" },
    { "revert-save", { REVERT, "--save-as=kept", DOMAIN, "s1" }, TREE,
      .mids = { { CREATE, "-dstate before a revert", DOMAIN, "kept" } },
      .snapshot = "s1" },
    { "delete-leaf", { DELETE, DOMAIN, "s3" }, TREE, .snapshot = "s3" },
    /* A branch: both layers on it take what is in it. */
    { "delete-inner", { DELETE, DOMAIN, "s2" }, TREE, .all = true,
      .snapshot = "s2" },
    /* Takes what is in the one layer on it. */
    { "delete-below", { DELETE, DOMAIN, "s1" }, TREE, .also = "io qmp img",
      .snapshot = "s1" },
    { "delete-current", { DELETE, DOMAIN, "s4" }, TREE, .also = "qmp",
      .snapshot = "s4" },
    /* The layer on it is the one that QEMU opened by the link. */
    { "delete-stale", { DELETE, DOMAIN, "s4" }, TREE,
      .setup = { { CREATE, DOMAIN, "n1" }, TICK }, .also = "qmp",
      .snapshot = "s4" },
    /* It and the layer on it are nodes that we added. */
    { "delete-added", { DELETE, DOMAIN, "n2" }, TREE,
      .setup = { { CREATE, DOMAIN, "n1" }, TICK, { CREATE, DOMAIN, "n2" },
                 TICK, { CREATE, DOMAIN, "n3" }, TICK },
      .also = "qmp", .snapshot = "n2" },
    /* The layer is the one that QEMU opened by the link. */
    { "delete-first", { DELETE, DOMAIN, "n1" }, TREE,
      .setup = { { CREATE, DOMAIN, "n1" }, TICK }, .also = "qmp",
      .snapshot = "n1" },
    /* Those that QEMU began with above it are gone. */
    { "delete-lowest", { DELETE, DOMAIN, "s1" }, TREE,
      .setup = { { CREATE, DOMAIN, "n1" }, TICK, { DELETE, DOMAIN, "n1" },
                 { DELETE, DOMAIN, "s4" }, { DELETE, DOMAIN, "s3" } },
      .also = "qmp", .snapshot = "s1" },
    { "delete-last", { DELETE, DOMAIN, "s1" }, ONE, .also = "qmp",
      .snapshot = "s1" },
    { "delete-off", { DELETE, DOMAIN, "s2" }, TREE, .off = true, .all = true,
      .snapshot = "s2" },
    { "delete-below-off", { DELETE, DOMAIN, "s1" }, TREE, .off = true,
      .also = "io img", .snapshot = "s1" },
    { "delete-current-off", { DELETE, DOMAIN, "s4" }, TREE, .off = true,
      .also = "img", .snapshot = "s4" },
    { "delete-last-off", { DELETE, DOMAIN, "s1" }, ONE, .off = true,
      .also = "io img", .snapshot = "s1" },
    { "delete-tree", { DELETE, "-c", DOMAIN, "s2" }, TREE,
      /* One that fails does not keep the others. */
      .mids = { { DELETE, DOMAIN, "s4" }, { DELETE, DOMAIN, "s4", "s3" },
                { DELETE, DOMAIN, "s3", "s2" },
                { DELETE, DOMAIN, "s4", "s2" } },
      .snapshot = "s2" },
    { "create-keep", { CREATE, DOMAIN, "new", "keep_last=1",
                       "keep_match=s[12]" }, TREE,
      .mids = { { CREATE, DOMAIN, "new" } }, .snapshot = "new" },
    /* Of a domain that is not here: its export is all that there is of it. */
    { "import", { IMPORT, "--path=" IMPORTS, IMPORTS "/export" }, TREE, .off = true,
      .setup = { { EXPORT, "-q", DOMAIN, "s1", IMPORTS "/export" },
                 { DELETE, "--all", "-q", DOMAIN } },
      .all = true, .snapshot = "s1" },
    { "import-bare", { IMPORT, "--no-memory", "--path=" IMPORTS,
                       IMPORTS "/export" }, TREE, .off = true,
      .setup = { { EXPORT, "-q", DOMAIN, "s1", IMPORTS "/export" },
                 { DELETE, "--all", "-q", DOMAIN } }, .also = "io" },
    { "set", { SET, "--protect", DOMAIN, "s2" }, TREE, .also = "io",
      .snapshot = "s2" },
};

const size_t nops = sizeof(ops) / sizeof(ops[0]);
_Static_assert(sizeof(ops) / sizeof(ops[0]) <= MAX_OPS, "MAX_OPS");

words recovery = { DELETE, DOMAIN, "nothing" };

const struct op *op_find(const char *name)
{
    size_t i;

    for (i = 0; i < nops; i++)
        if (!strcmp(ops[i].name, name))
            return &ops[i];
    return NULL;
}

void op_prepare(struct sweep *w, const struct op *op)
{
    struct run r;
    size_t i;

    scene_reset(&w->scene, op->layout, op->off);
    w->scene.reopened = op->reopens;
    for (i = 0; i < MAX_SETUP && op->setup[i][0]; i++) {
        run_program(&w->scene, op->setup[i], NULL, NULL, 0, &r);
        if (r.status)
            text_add(&w->problems, "%s: %s: %s %d: %s", op->name,
                     op->setup[i][1],
                     r.timeout ? "it hangs, status" : "status", r.status,
                     r.out);
    }
}

bool op_end(struct sweep *w)
{
    struct text why = { 0 };
    bool clean = scene_end(&w->scene, &why);

    text_free(&why);
    return clean;
}

static char *state_after(struct sweep *w, const struct op *op,
                         const char *const *argv, bool off)
{
    static words destroy = { "bin/xl", "destroy", DOMAIN };
    struct run r = { 0 };
    char *look;

    op_prepare(w, op);
    if (argv)
        run_program(&w->scene, argv, NULL, NULL, 0, &r);
    if (r.status)
        text_add(&w->problems, "%s without a fault: status %d: %s", op->name,
                 r.status, r.out);
    if (off)
        run_program(&w->scene, destroy, NULL, NULL, 0, &r);
    look = scene_look(&w->scene);
    op_end(w);
    return look;
}

struct op_state *op_states(struct sweep *w, const struct op *op)
{
    struct op_state *st = &w->states[op - ops];
    bool ends_guest = !strncmp(op->name, "revert", 6) && !op->off;
    size_t i;

    if (st->old)
        return st;
    st->old = state_after(w, op, NULL, false);
    st->new = state_after(w, op, op->argv, false);
    if (ends_guest)
        st->off = state_after(w, op, NULL, true);
    for (i = 0; i < MAX_MIDS && op->mids[i][0]; i++) {
        st->mids[i] = state_after(w, op, op->mids[i], false);
        if (ends_guest)
            st->mids_off[i] = state_after(w, op, op->mids[i], true);
    }
    return st;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
