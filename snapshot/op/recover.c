/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What is unfinished: finish, undo or give it up; take over the snapshots that
 * a domain's disks have under another name.
 */

#include <stdlib.h>
#include <string.h>

#include "op/rename.h"
#include "op/session.h"
#include "snapshot.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/report.h"
#include "txn/journal.h"
#include "txn/txn.h"

/* Is there something unfinished of the domain? */
static int is_pending(const struct snap_env *env, const char *domain,
                      bool *yes_r, struct err *e)
{
    struct store st;

    if (store_open(&st, env->root, domain, false, e))
        return -1;
    *yes_r = journal_exists(&st);
    store_close(&st);
    return 0;
}

static int give_up_locked(const struct snap_env *env, struct store *st,
                          struct err *e)
{
    char *line;

    if (!journal_exists(st))
        return 0;
    if (!env->plan)
        return txn_give_up(st, env->rep, e);
    line = mem_printf("give up what is unfinished on domain %s", st->domain);
    env->plan(env->plan_arg, line);
    free(line);
    return 0;
}

static int give_up(const struct snap_env *env, const char *domain,
                   unsigned wait_s, struct err *e)
{
    struct store st;
    int rc = -1;

    if (interrupt_catch(e) ||
        store_open(&st, env->root, domain, false, e))
        return -1;
    st.fixed = env->plan;
    if (st.fd < 0)
        err_set(e, SNAP_FAILED, "domain %s has no snapshots", domain);
    else if (!store_lock(&st, wait_s, e))
        rc = give_up_locked(env, &st, e);
    store_close(&st);
    return rc;
}

static int recover(const struct snap_env *env, const char *domain,
                   unsigned wait_s, struct err *e)
{
    struct session s;

    if (session_open(env, domain, false, false, wait_s, &s, e))
        return -1;
    session_close(&s);
    return 0;
}

/* A domain that fails does not keep the others waiting. */
static int recover_all(const struct snap_env *env,
                       const struct snap_recover *req, struct err *e)
{
    struct err failed = { 0 }, one;
    char **names = NULL;
    size_t n = 0, i;
    bool yes;

    if (store_domains(env->root, &names, &n, e))
        return -1;
    for (i = 0; i < n; i++) {
        int rc = is_pending(env, names[i], &yes, &one);

        if (!rc && !yes)
            continue;
        if (!rc && req->give_up)
            rc = give_up(env, names[i], req->wait_s, &one);
        else if (!rc)
            rc = recover(env, names[i], req->wait_s, &one);
        if (rc)
            err_join_worst(&failed, &one);
    }
    store_free_names(names, n);
    if (failed.status == SNAP_OK)
        return 0;
    *e = failed;
    return -1;
}

static int list_pending(const struct snap_env *env, struct err *e)
{
    char **names = NULL;
    struct err one;
    size_t n = 0, i;
    bool yes;

    if (store_domains(env->root, &names, &n, e))
        return -1;
    for (i = 0; i < n; i++)
        if (is_pending(env, names[i], &yes, &one))
            report_note(env->rep, "domain %s: %s", names[i], one.text);
        else if (yes)
            report_note(env->rep, "an operation on domain %s is under way or "
                        "was interrupted: 'xl snapshot-recover %s' recovers",
                        names[i], names[i]);
    store_free_names(names, n);
    return 0;
}

int snap_recover(const struct snap_env *env, const struct snap_recover *req,
                 struct err *e)
{
    char *domain = NULL;
    int rc;

    if (req->all)
        return recover_all(env, req, e);
    if (!req->domain)
        return list_pending(env, e);
    if (session_domain_name(req->domain, &domain, e)) {
        free(domain);
        return -1;
    }
    if (req->adopt)
        rc = rename_adopt(env, req->adopt, domain, req->wait_s, e);
    else if (req->give_up)
        rc = give_up(env, domain, req->wait_s, e);
    else
        rc = recover(env, domain, req->wait_s, e);
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
