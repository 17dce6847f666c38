/* SPDX-License-Identifier: LGPL-2.1-only */

/* Deletes snapshots: checks, plan, run. */

#include <stdlib.h>
#include <string.h>

#include "disk/census.h"
#include "disk/disk.h"
#include "op/delete.h"
#include "op/prune.h"
#include "op/reader.h"
#include "op/session.h"
#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/plan.h"
#include "txn/steps.h"
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

/* In the store, but not in the tree, as its record cannot be read. */
static bool is_damaged(struct session *s, const char *name)
{
    return tree_find(&s->tree, name) == TREE_NONE &&
           store_exists(&s->st, STORE_COMMITTED, name);
}

void delete_is_protected(const struct session *s, const char *name,
                         struct err *problems)
{
    err_add(problems, "snapshot '%s' of domain %s is protected: use --force, "
            "or 'xl snapshot-set --unprotect %s %s' first", name,
            s->st.domain, s->st.domain, name);
}

/* All that are protected are in the error. */
static int check_protected(struct session *s, const struct victims *v,
                           struct err *e)
{
    struct err problems = { 0 };
    size_t i;

    for (i = 0; i < v->n; i++)
        if (!is_damaged(s, v->names[i]) &&
            s->tree.nodes[tree_find(&s->tree, v->names[i])].s.protected)
            delete_is_protected(s, v->names[i], &problems);
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

static int check_damaged(struct session *s, const struct snap_delete *req,
                         struct err *e)
{
    size_t i;

    for (i = 0; i < req->nnames; i++)
        if (is_damaged(s, req->names[i]) && !req->force)
            return err_set(e, SNAP_FAILED, "the record of snapshot '%s' of "
                           "domain %s cannot be read: 'xl snapshot-delete "
                           "--force %s %s' takes it out of the list",
                           req->names[i], s->st.domain, s->st.domain,
                           req->names[i]);
    return 0;
}

static int choose_all(struct session *s, const struct snap_delete *req,
                      struct victims *v, struct err *e)
{
    size_t i;

    if (check_damaged(s, req, e) ||
        session_check_names(s, req->names, req->nnames, e))
        return -1;
    v->names = mem_zalloc(s->tree.n + req->nnames, sizeof(*v->names));
    v->chosen = mem_zalloc(s->tree.n, sizeof(*v->chosen));
    for (i = 0; i < req->nnames; i++)
        if (is_damaged(s, req->names[i]))
            v->names[v->n++] = mem_strdup(req->names[i]);
        else
            choose(&s->tree, tree_find(&s->tree, req->names[i]),
                   req->subtree, v);
    return req->force ? 0 : check_protected(s, v, e);
}

static bool has_layer(const struct snapshot *s)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++)
        if (s->disks[i].link)
            return true;
    return false;
}

/* The deletion of a part that does not stand alone is QEMU's, if it runs. */
static bool needs_qemu(const struct job *j)
{
    size_t i;

    for (i = 0; j->host.running && i < j->s.ndisks; i++)
        if (!disk_is_alone(&j->s.disks[i]))
            return true;
    return false;
}

/* The device model answers if it will be needed. */
static int check_qemu(struct session *s, struct job *j, struct err *e)
{
    if (!needs_qemu(j))
        return 0;
    if (!disk_host_qemu(&j->host, e)) {
        if (e->hot_only)
            err_wrap(e, "domain %s must be shut down first", j->st->domain);
        return -1;
    }
    if (s->env->plan || !has_layer(&j->s))
        return 0;
    return disk_clear_orphans(&j->host, e);
}

/* d: the domain, if it runs. */
static int check_parts(struct session *s, struct job *j,
                       const struct domain *d, struct err *e)
{
    const struct census *census;
    size_t i;

    if (session_census(s, &census, e) ||
        disk_check_free(&j->s, d, true, e) || step_open_host(j, e))
        return -1;
    j->host.census = census;
    j->host.domain = d;
    if (d)
        j->host.confined = d->confined;
    if (check_qemu(s, j, e))
        return -1;
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_check_remove(&j->host, &j->s.disks[i], e))
            return -1;
    return 0;
}

/* Nobody reads it, nor an image that is written to when it goes. */
static int wait_readers(struct session *s, const struct snapshot *snap,
                        struct err *e)
{
    size_t i;

    for (i = 0; i < snap->ndisks; i++)
        if (!disk_is_alone(&snap->disks[i]))
            return reader_wait_none(s, NULL, e);
    return reader_wait_none(s, snap->name, e);
}

/* It can go to its end, and nobody else is in the way. */
static int check(struct session *s, struct job *j, struct err *e)
{
    struct domain d;
    int rc;

    if (wait_readers(s, &j->s, e) || session_lock_disks(s, NULL, &j->s, e))
        return -1;
    rc = domain_find(j->st->domain, &d, e);
    if (rc < 0)
        return -1;
    rc = check_parts(s, j, rc ? &d : NULL, e);
    j->host.domain = NULL;
    domain_free(&d);
    return rc;
}

/*
 * Nothing is known of a snapshot whose record cannot be read: no part of a disk
 * goes, and what may be left is named.
 */
static int forget_damaged(struct session *s, const char *name, struct err *e)
{
    struct job j;
    int rc;

    if (reader_wait_none(s, name, e))
        return -1;
    session_job(s, OP_DELETE, &j);
    meta_blank(name, s->st.domain, &j.s);
    plan_delete(&j.s, &j.plan);
    rc = session_run(s, &j, e);
    job_free(&j);
    if (!rc)
        report_note(s->env->rep, "the record of snapshot '%s' of domain %s "
                    "could not be read, so no disk was touched: internal "
                    "snapshots called '%s', and files beside the images with "
                    "'.%s-' in their names, may be left", name, s->st.domain,
                    name, name);
    return rc;
}

/*
 * The tree is kept as it will be on disk, so that a thousand deletions do not
 * read a thousand snapshots each.
 */
static int delete_one(struct session *s, const char *name,
                      enum delete_how how, struct err *e)
{
    struct job j;
    size_t node;
    int rc = -1;

    if (s->stale && s->tree.whole && session_reload(s, e))
        return -1;
    node = tree_find(&s->tree, name);
    if (how == DELETE_FORCE && is_damaged(s, name))
        return forget_damaged(s, name, e);
    session_job(s, OP_DELETE, &j);
    j.knows_children = s->tree.whole && node != TREE_NONE;
    if (j.knows_children)
        j.children = tree_children(&s->tree, node, &j.nchildren);
    if (store_load(&s->st, STORE_COMMITTED, name, &j.s, e))
        goto out;
    j.force = how == DELETE_FORCE;
    j.retire = how == DELETE_RETIRE;
    if (plan_delete(&j.s, &j.plan) || check(s, &j, e) ||
        session_run(s, &j, e))
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

/* Beside the others that failed, by its name. */
static void add_failure(struct err *failed, const char *name,
                        const struct err *one)
{
    enum snap_status worst = failed->status;

    if (one->status > worst)
        worst = one->status;
    err_add(failed, "snapshot '%s' is not deleted: %s", name, one->text);
    failed->status = worst;
}

/* After this failure nothing else can be done on the domain. */
static bool ends_all(const struct err *one)
{
    return one->status == SNAP_NEEDS_USER || interrupt_pending();
}

int delete_in_session(struct session *s, char *const *names, size_t n,
                      enum delete_how how, size_t *n_r, struct err *e)
{
    struct err failed = { 0 };
    struct err one;
    size_t i;

    for (i = 0; i < n; i++) {
        if (!delete_one(s, names[i], how, &one)) {
            ++*n_r;
            if (!s->env->plan)
                report_deleted(s->env->rep, names[i]);
            continue;
        }
        if (n == 1)
            failed = one;
        else
            add_failure(&failed, names[i], &one);
        if (ends_all(&one))
            break;
    }
    if (i + 1 < n)
        err_add(&failed, "%zu more are left as they are", n - i - 1);
    if (failed.status == SNAP_OK)
        return 0;
    *e = failed;
    return -1;
}

static int delete_named(struct session *s, const struct snap_delete *req,
                        size_t *n_r, struct err *e)
{
    struct victims v = { 0 };
    int rc = choose_all(s, req, &v, e);

    if (!rc)
        rc = delete_in_session(s, v.names, v.n, req->force ? DELETE_FORCE :
                               DELETE_PLAIN, n_r, e);
    store_free_names(v.names, v.n);
    free(v.chosen);
    return rc;
}

/* Rules find nothing to delete where nothing is. */
static int has_nothing(const struct snap_env *env, const char *word,
                       const char *domain, bool *yes_r, struct err *e)
{
    struct store st;
    int rc;

    *yes_r = false;
    if (store_open(&st, env->root, domain, false, e))
        return -1;
    *yes_r = st.fd < 0;
    rc = session_check_known(word, &st, e);
    store_close(&st);
    return rc;
}

int snap_delete(const struct snap_env *env, const struct snap_delete *req,
                size_t *n_r, struct err *e)
{
    struct session s;
    char *domain = NULL;
    size_t i;
    bool nothing = false;
    int rc = -1;

    *n_r = 0;
    for (i = 0; i < req->nnames; i++)
        if (name_check(req->names[i], e))
            return -1;
    if (session_domain_name(req->domain, &domain, e))
        goto out;
    if (req->keep && has_nothing(env, req->domain, domain, &nothing, e))
        goto out;
    if (nothing) {
        rc = 0;
        goto out;
    }
    if (session_open(env, domain, false, false, req->wait_s, &s, e))
        goto out;
    if (req->keep)
        rc = prune_in_session(&s, req->keep, req->force, NULL, n_r, e);
    else
        rc = delete_named(&s, req, n_r, e);
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
