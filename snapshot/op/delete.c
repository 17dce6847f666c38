/* SPDX-License-Identifier: LGPL-2.1-only */

#include <stdlib.h>
#include <string.h>

#include "disk/disk.h"
#include "op/delete.h"
#include "op/prune.h"
#include "op/session.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "txn/job.h"
#include "txn/plan.h"
#include "xen/domain.h"

/* Names to delete, children before parents, each once. */
struct victims {
    char **names;
    size_t n;
    bool *chosen;               /* by index in the tree */
};

static void add_victim(struct victims *v, const struct tree *t, size_t node)
{
    if (v->chosen[node])
        return;
    v->chosen[node] = true;
    v->names[v->n++] = mem_strdup(t->nodes[node].s.name);
}

static void choose(const struct tree *t, size_t node,
                   enum snap_subtree subtree, struct victims *v)
{
    size_t *list, n, i;

    if (subtree == SNAP_ALONE) {
        add_victim(v, t, node);
        return;
    }
    list = tree_subtree(t, node, &n);
    for (i = 0; i < n; i++)
        if (list[i] != node || subtree == SNAP_WITH_CHILDREN)
            add_victim(v, t, list[i]);
    free(list);
}

/* All that are protected are in the error. */
static int check_protected(const struct session *s, const struct victims *v,
                           struct err *e)
{
    struct err problems = { 0 };
    size_t i;

    for (i = 0; i < v->n; i++)
        if (s->tree.nodes[tree_find(&s->tree, v->names[i])].s.protected)
            err_add(&problems, "snapshot %s of domain %s is protected: use "
                    "--force, or --unprotect before", v->names[i],
                    s->st.domain);
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

static int choose_all(struct session *s, const struct snap_delete *req,
                      struct victims *v, struct err *e)
{
    size_t i;

    if (session_check_names(s, req->names, req->nnames, e))
        return -1;
    v->names = mem_zalloc(s->tree.n, sizeof(*v->names));
    v->chosen = mem_zalloc(s->tree.n, sizeof(*v->chosen));
    for (i = 0; i < req->nnames; i++)
        choose(&s->tree, tree_find(&s->tree, req->names[i]), req->subtree, v);
    return req->force ? 0 : check_protected(s, v, e);
}

/* The device model answers if it will be needed; nobody else is in the way. */
static int check(struct job *j, struct err *e)
{
    struct domain d;
    const char *confined;
    size_t i;
    int rc = domain_find(j->s.domain.name, &d, e);

    if (rc >= 0)
        rc = disk_check_free(&j->s, rc ? &d : NULL, true, e);
    confined = d.confined;
    domain_free(&d);
    if (rc || disk_host_open(j->s.domain.name, &j->host, e))
        return -1;
    j->host.confined = confined;
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_aim(&j->host, NULL, NULL, &j->s.disks[i], e))
            return -1;
    for (i = 0; i < j->s.ndisks; i++)
        if (j->host.running && !disk_is_alone(&j->s.disks[i]))
            break;
    if (i == j->s.ndisks || disk_host_qemu(&j->host, e))
        return 0;
    return e->hot_only ? err_wrap(e, "domain %s must be shut down first",
                                  j->s.domain.name) : -1;
}

/*
 * The tree is kept as it will be on disk, so that a thousand deletions do not
 * read a thousand snapshots each.
 */
static int delete_one(struct session *s, const char *name, struct err *e)
{
    struct job j;
    size_t node;
    int rc = -1;

    if (s->stale && s->tree.whole && session_reload(s, e))
        return -1;
    node = tree_find(&s->tree, name);
    session_job(s, OP_DELETE, &j);
    j.knows_children = s->tree.whole && node != TREE_NONE;
    if (j.knows_children)
        j.children = tree_children(&s->tree, node, &j.nchildren);
    if (store_load(&s->st, STORE_COMMITTED, name, &j.s, e))
        goto out;
    if (plan_delete(&j.s, &j.plan) || check(&j, e) || session_run(s, &j, e))
        goto out;
    if (j.knows_children && s->stale) {
        tree_remove(&s->tree, node);
        s->stale = false;
    }
    rc = 0;

out:
    job_free(&j);
    return rc;
}

int delete_in_session(struct session *s, char *const *names, size_t n,
                      size_t *n_r, struct err *e)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (delete_one(s, names[i], e))
            return -1;
        ++*n_r;
    }
    return 0;
}

static int delete_named(struct session *s, const struct snap_delete *req,
                        size_t *n_r, struct err *e)
{
    struct victims v = { 0 };
    int rc = choose_all(s, req, &v, e);

    if (!rc)
        rc = delete_in_session(s, v.names, v.n, n_r, e);
    store_free_names(v.names, v.n);
    free(v.chosen);
    return rc;
}

/* Rules find nothing to delete where nothing is: 1, and -1 for an error. */
static int has_nothing(const struct snap_env *env, const char *word,
                       const char *domain, struct err *e)
{
    struct store st;
    int rc;

    if (store_open(&st, env->root, domain, false, e))
        return -1;
    rc = st.fd >= 0 ? 0 : session_check_known(word, &st, e) ? -1 : 1;
    store_close(&st);
    return rc;
}

int snap_delete(const struct snap_env *env, const struct snap_delete *req,
                size_t *n_r, struct err *e)
{
    struct session s;
    char *domain = NULL;
    size_t i;
    int rc = -1, nothing;

    *n_r = 0;
    for (i = 0; i < req->nnames; i++)
        if (name_check(req->names[i], e))
            return -1;
    if (session_domain_name(req->domain, &domain, e))
        goto out;
    nothing = req->keep ? has_nothing(env, req->domain, domain, e) : 0;
    if (nothing) {
        rc = nothing > 0 ? 0 : -1;
        goto out;
    }
    if (session_open(env, domain, false, false, req->wait_s, &s, e))
        goto out;
    rc = req->keep ? prune_in_session(&s, req->keep, NULL, n_r, e) :
                     delete_named(&s, req, n_r, e);
    session_close(&s);

out:
    free(domain);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
