/* SPDX-License-Identifier: LGPL-2.1-only */

#include <stdlib.h>

#include "op/session.h"
#include "store/store.h"
#include "sys/name.h"
#include "txn/job.h"
#include "txn/plan.h"

static int protect_one(struct session *s, const char *name, bool protect,
                       struct err *e)
{
    struct job j;
    int rc;

    session_job(s, OP_PROTECT, &j);
    rc = store_load(&s->st, STORE_COMMITTED, name, &j.s, e);
    if (!rc && j.s.protected != protect) {
        j.s.protected = protect;
        rc = plan_protect(&j.plan) || session_run(s, &j, e) ? -1 : 0;
    }
    job_free(&j);
    return rc;
}

static int protect_all(struct session *s, const struct snap_protect *req,
                       struct err *e)
{
    size_t i;

    if (session_check_names(s, req->names, req->nnames, e))
        return -1;
    for (i = 0; i < req->nnames; i++)
        if (protect_one(s, req->names[i], req->protect, e))
            return -1;
    return 0;
}

int snap_protect(const struct snap_env *env, const struct snap_protect *req,
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
        rc = protect_all(&s, req, e);
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
