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

#include "mem.h"
#include "name.h"
#include "session.h"

/* One durable write: there is nothing to undo or complete. */
static int protect_one(struct session *s, const char *name, bool protect,
                       struct err *e)
{
    struct snapshot snap;
    int rc = 0;

    if (store_load(&s->st, STORE_COMMITTED, name, &snap, e))
        return -1;
    if (snap.protected != protect) {
        snap.protected = protect;
        rc = store_save(&s->st, STORE_COMMITTED, &snap, e);
    }
    meta_free(&snap);
    return rc;
}

static void plan_one(const struct session *s, const char *name, bool protect)
{
    char *text = mem_printf("%s snapshot %s", protect ? "protect" :
                            "no longer protect", name);

    s->env->plan(s->env->plan_arg, text);
    free(text);
}

static int protect_all(struct session *s, const struct snap_protect *req,
                       struct err *e)
{
    size_t i;

    if (session_check_names(s, req->names, req->nnames, e))
        return -1;
    for (i = 0; i < req->nnames; i++)
        if (s->env->plan)
            plan_one(s, req->names[i], req->protect);
        else if (protect_one(s, req->names[i], req->protect, e))
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
