/* SPDX-License-Identifier: LGPL-2.1-only */

/* Changes what may change in a snapshot: description, protection, expiry. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "op/session.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "txn/job.h"
#include "txn/plan.h"

static void set_text(char **where, const char *text)
{
    free(*where);
    *where = text[0] ? mem_strdup(text) : NULL;
}

/* *changed_r: the snapshot is another one than it was. */
static void change(struct snapshot *s, const struct snap_set *req,
                   bool *changed_r)
{
    struct snapshot old = *s;

    *changed_r = false;
    if (req->protect != SNAP_LEAVE)
        s->protected = req->protect == SNAP_PROTECT;
    if (req->expire_s == SNAP_NEVER)
        s->expires = 0;
    else if (req->expire_s)
        s->expires = (uint64_t)time(NULL) + req->expire_s;
    if (s->protected != old.protected || s->expires != old.expires)
        *changed_r = true;
    if (!req->description ||
        !strcmp(req->description, old.description ? old.description : ""))
        return;
    set_text(&s->description, req->description);
    *changed_r = true;
}

/* What a dry run prints, a line for each thing that would be set. */
static void plan_words(const struct session *s, const struct snap_set *req,
                       const struct snapshot *snap)
{
    const struct snap_env *env = s->env;
    char *line;

    if (req->description) {
        line = mem_printf("describe snapshot '%s' as '%s'", snap->name,
                          req->description);
        env->plan(env->plan_arg, line);
        free(line);
    }
    if (req->protect != SNAP_LEAVE) {
        line = mem_printf("%s snapshot '%s'", snap->protected ? "protect" :
                          "no longer protect", snap->name);
        env->plan(env->plan_arg, line);
        free(line);
    }
    if (req->expire_s) {
        line = mem_printf("let snapshot '%s' %s", snap->name, snap->expires ?
                          "expire" : "never expire");
        env->plan(env->plan_arg, line);
        free(line);
    }
}

static int set_one(struct session *s, const char *name,
                   const struct snap_set *req, struct err *e)
{
    struct job j;
    bool changed;
    int rc = -1;

    session_job(s, OP_SET, &j);
    if (store_load(&s->st, STORE_COMMITTED, name, &j.s, e))
        goto out;
    change(&j.s, req, &changed);
    if (s->env->plan)
        plan_words(s, req, &j.s);
    else if (changed && (plan_set(&j.plan) || session_run(s, &j, e)))
        goto out;
    rc = 0;

out:
    job_free(&j);
    return rc;
}

static int set_all(struct session *s, const struct snap_set *req,
                   struct err *e)
{
    size_t i;

    if (session_check_names(s, req->names, req->nnames, e))
        return -1;
    for (i = 0; i < req->nnames; i++)
        if (set_one(s, req->names[i], req, e)) {
            if (i)
                return err_wrap(e, "snapshot '%s' and those after it are not "
                                "changed, the ones before it are",
                                req->names[i]);
            return -1;
        }
    return 0;
}

int snap_set(const struct snap_env *env, const struct snap_set *req,
             struct err *e)
{
    struct session s;
    char *domain = NULL;
    size_t i;
    int rc = -1;

    for (i = 0; i < req->nnames; i++)
        if (name_check(req->names[i], e))
            return -1;
    if (!session_domain_name(req->domain, &domain, e) &&
        !session_open(env, domain, false, false, req->wait_s, &s, e)) {
        rc = set_all(&s, req, e);
        session_close(&s);
    }
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
