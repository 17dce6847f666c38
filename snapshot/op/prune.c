/* SPDX-License-Identifier: LGPL-2.1-only */

/* Deletes the snapshots that retention rules do not keep. */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "memory/memory.h"
#include "memory/place.h"
#include "op/delete.h"
#include "op/prune.h"
#include "op/retain.h"
#include "store/store.h"
#include "sys/mem.h"
#include "sys/report.h"

/* A memory image that is gone or cut: nobody can revert to that. */
static bool is_damaged(struct session *s, const struct snapshot *snap)
{
    char *what;
    struct err e;
    int dirfd = memory_place_open(&s->st, STORE_COMMITTED, snap, &what, &e);
    bool bad = dirfd < 0 || memory_check_size(dirfd, snap, what, &e);

    if (bad)
        report_note(s->env->rep, "warning: snapshot %s is damaged: %s",
                    snap->name, e.text);
    if (dirfd >= 0)
        close(dirfd);
    free(what);
    return bad;
}

/* Room for one more than the tree has. */
static size_t gather(struct session *s, const struct retain *r,
                     const struct snapshot *made, struct retain_item *items)
{
    const struct tree *t = &s->tree;
    size_t n;

    for (n = 0; n < t->n; n++) {
        const struct snapshot *snap = &t->nodes[n].s;

        items[n] = (struct retain_item){
            .name = snap->name, .creation_time = snap->creation_time,
            .expires = snap->expires,
            .current = !made && t->current && !strcmp(t->current, snap->name),
            .protected = snap->protected,
            .damaged = r->what == RETAIN_BY_RULE && is_damaged(s, snap),
        };
    }
    if (made)
        items[n++] = (struct retain_item){
            .name = made->name, .creation_time = made->creation_time,
            .current = true, .protected = made->protected,
        };
    return n;
}

/* All that would be deleted though they are protected are in the error. */
static int check_protected(const struct session *s,
                           const struct retain_item *items, size_t n,
                           struct err *e)
{
    struct err problems = { 0 };
    size_t i;

    for (i = 0; i < n; i++)
        if (!items[i].why && items[i].protected)
            delete_is_protected(s, items[i].name, &problems);
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

/* Names of their own, as the tree may be read anew between deletions. */
static size_t report(struct session *s, const struct retain *r,
                     const struct retain_item *items, size_t n, char **names)
{
    size_t i, k = 0;

    for (i = 0; i < n; i++) {
        char *why = retain_why(r, &items[i]);

        report_verdict(s->env->rep, items[i].name, items[i].why, why);
        free(why);
    }
    while (n--)
        if (!items[n].why)
            names[k++] = mem_strdup(items[n].name);
    return k;
}

int prune_in_session(struct session *s, const struct retain *r, bool force,
                     const struct snapshot *made, size_t *n_r, struct err *e)
{
    size_t n = s->tree.n + 1, victims = 0;
    struct retain_item *items = mem_zalloc(n, sizeof(*items));
    char **names = mem_zalloc(n, sizeof(*names));
    enum delete_how how = DELETE_PLAIN;
    int rc = -1;

    n = gather(s, r, made, items);
    retain_choose(r, (uint64_t)time(NULL), items, n);
    if (!force && check_protected(s, items, n, e))
        goto out;
    victims = report(s, r, items, n, names);
    if (force)
        how = DELETE_FORCE;
    else if (r->what == RETAIN_NOTHING && !r->match)
        how = DELETE_RETIRE;
    rc = delete_in_session(s, names, victims, how, n_r, e);

out:
    store_free_names(names, victims);
    free(items);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
