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

#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "name.h"
#include "session.h"

/* Names to delete, children before parents, each once. */
struct victims {
    char **names;
    size_t n;
};

static void add_victim(struct victims *v, const char *name)
{
    size_t i;

    for (i = 0; i < v->n; i++)
        if (!strcmp(v->names[i], name))
            return;
    v->names = mem_grow(v->names, v->n + 1, sizeof(*v->names));
    v->names[v->n++] = mem_strdup(name);
}

static void choose(const struct tree *t, size_t node,
                   enum snap_subtree subtree, struct victims *v)
{
    size_t *list, n, i;

    if (subtree == SNAP_ALONE) {
        add_victim(v, t->nodes[node].s.name);
        return;
    }
    list = tree_subtree(t, node, &n);
    for (i = 0; i < n; i++)
        if (list[i] != node || subtree == SNAP_WITH_CHILDREN)
            add_victim(v, t->nodes[list[i]].s.name);
    free(list);
}

static int choose_all(struct session *s, const struct snap_delete *req,
                      struct victims *v, struct err *e)
{
    struct err problems = { 0 };
    size_t i;

    for (i = 0; i < req->nnames; i++) {
        size_t node = tree_find(&s->tree, req->names[i]);

        if (node == TREE_NONE)
            err_add(&problems, "domain %s has no snapshot %s (see 'xl "
                    "snapshot-list %s')", s->st.domain, req->names[i],
                    s->st.domain);
        else
            choose(&s->tree, node, req->subtree, v);
    }
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

/* The device model answers if it will be needed; nobody else is in the way. */
static int check(struct job *j, struct err *e)
{
    struct domain d;
    size_t i;
    int rc = domain_find(j->s.domain.name, &d, e);

    if (rc >= 0)
        rc = disk_check_free(&j->s, rc ? &d : NULL, e);
    domain_free(&d);
    if (rc || disk_host_open(j->s.domain.name, &j->host, e))
        return -1;
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_aim(&j->host, NULL, NULL, &j->s.disks[i], e))
            return -1;
    for (i = 0; i < j->s.ndisks; i++)
        if (j->host.running && meta_disk_has_part(&j->s.disks[i]))
            return disk_host_qemu(&j->host, e) ? 0 : -1;
    return 0;
}

static int delete_one(struct session *s, const char *name, struct err *e)
{
    struct job j;
    int rc = -1;

    session_job(s, OP_DELETE, &j);
    if (store_load(&s->st, STORE_COMMITTED, name, &j.s, e))
        goto out;
    if (plan_delete(&j.s, &j.plan) || check(&j, e) || session_run(s, &j, e))
        goto out;
    rc = 0;

out:
    job_free(&j);
    return rc;
}

int snap_delete(const struct snap_env *env, const struct snap_delete *req,
                size_t *n_r, struct err *e)
{
    struct victims v = { 0 };
    struct session s;
    char *domain = NULL;
    size_t i;
    int rc = -1;

    *n_r = 0;
    for (i = 0; i < req->nnames; i++)
        if (name_check(req->names[i], e))
            return -1;
    if (session_domain_name(req->domain, &domain, e) ||
        session_open(env, domain, false, false, req->wait_s, &s, e))
        goto out;
    rc = choose_all(&s, req, &v, e);
    for (i = 0; !rc && i < v.n; i++) {
        rc = delete_one(&s, v.names[i], e);
        if (!rc)
            ++*n_r;
    }
    session_close(&s);

out:
    store_free_names(v.names, v.n);
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
