/* SPDX-License-Identifier: LGPL-2.1-only */

/* Opens a domain for an operation: lock, recovery, tree. */

#include <stdlib.h>
#include <string.h>

#include "disk/census.h"
#include "disk/disk.h"
#include "image/identity.h"
#include "op/image_locks.h"
#include "op/rename.h"
#include "op/session.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/host.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"
#include "txn/journal.h"
#include "txn/plan.h"
#include "txn/txn.h"
#include "xen/domain.h"

void snap_init(void *libxl_ctx)
{
    disk_init();
    domain_init(libxl_ctx);
}

int session_domain_name(const char *word, char **name_r, struct err *e)
{
    *name_r = domain_name(word);
    if (!*name_r)
        *name_r = mem_strdup(word);
    return name_check_domain(*name_r, e);
}

int session_check_known(const char *word, const struct store *st,
                        struct err *e)
{
    char *name;

    if (st->fd >= 0)
        return 0;
    name = domain_name(word);
    if (!name)
        return err_set(e, SNAP_FAILED, "there is no domain %s, nor snapshots "
                       "of it", word);
    free(name);
    return 0;
}

int session_no_such(const struct session *s, const char *name, struct err *e)
{
    return err_set(e, SNAP_FAILED, "domain %s has no snapshot '%s' (see 'xl "
                   "snapshot-list %s')", s->st.domain, name, s->st.domain);
}

int session_check_names(struct session *s, char *const *names,
                        size_t n, struct err *e)
{
    struct err problems = { 0 };
    struct err one;
    size_t i;

    for (i = 0; i < n; i++)
        if (tree_find(&s->tree, names[i]) == TREE_NONE &&
            !store_exists(&s->st, STORE_COMMITTED, names[i])) {
            session_no_such(s, names[i], &one);
            err_add(&problems, "%s", one.text);
        }
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

/*
 * What a merge has in hand belongs together: it is finished first.  Of a
 * journal that cannot be read, a snapshot that is out of the list tells.
 */
static bool is_half_merged(struct session *s, const struct txn_pending *p)
{
    char **ghosts = NULL;
    struct err ignored;
    size_t n = 0;
    bool yes;

    if (p->op != OP_COUNT)
        return p->op == OP_DELETE;
    yes = store_names(&s->st, STORE_DELETED, &ghosts, &n, &ignored) || n > 0;
    store_free_names(ghosts, n);
    return yes;
}

static int give_up(struct session *s, const struct txn_pending *p,
                   struct err *why)
{
    struct err e;

    if (is_half_merged(s, p))
        return -1;
    report_note(s->env->rep, "what is unfinished on domain %s is given up for "
                "this revert: %s", s->st.domain, why->text);
    if (!txn_give_up(&s->st, s->env->rep, &e))
        return 0;
    *why = e;
    return -1;
}

static int recover(struct session *s, bool supersede, struct err *e)
{
    struct txn_pending pending;
    int rc;

    if (s->env->plan && journal_exists(&s->st))
        return err_set(e, SNAP_FAILED, "an interrupted operation on domain %s "
                       "is not recovered yet: any command without -N does "
                       "that first", s->st.domain);
    rc = txn_recover(&s->st, s->env->rep, &pending, e);
    if (rc && supersede)
        rc = give_up(s, &pending, e);
    free(pending.name);
    return rc;
}

static void drop_census(struct session *s)
{
    census_free(s->census);
    s->census = NULL;
}

int session_census(struct session *s, const struct census **c_r,
                   struct err *e)
{
    if (!s->census &&
        census_read(s->st.root, s->st.domain, &s->census, e))
        return -1;
    *c_r = s->census;
    return 0;
}

int session_lock_disks(struct session *s, const struct domain *d,
                       const struct snapshot *snap, struct err *e)
{
    /* What only looks needs no lock, and the lock is a file. */
    if (s->env->plan || image_locks_cover(&s->locks, d, snap))
        return 0;
    image_locks_drop(&s->locks);
    drop_census(s);
    return image_locks_take(s->st.root_fd, s->st.domain, d, snap, s->wait_s,
                            &s->locks, e);
}

int session_reload(struct session *s, struct err *e)
{
    struct err problems = { 0 };

    tree_free(&s->tree);
    drop_census(s);
    if (tree_load(&s->st, &s->tree, &problems, e))
        return -1;
    s->stale = false;
    if (problems.status != SNAP_OK)
        report_note(s->env->rep, "warning: %s", problems.text);
    return 0;
}

int session_open(const struct snap_env *env, const char *domain, bool create,
                 bool supersede, unsigned wait_s, struct session *s,
                 struct err *e)
{
    memset(s, 0, sizeof(*s));
    s->env = env;
    s->wait_s = wait_s;
    if (interrupt_catch(e) || rename_follow(env, domain, e) ||
        store_open(&s->st, env->root, domain, create && !env->plan, e))
        return -1;
    s->st.fixed = env->plan;
    if (s->st.fd < 0 && !create) {
        err_set(e, SNAP_FAILED, "domain %s has no snapshots", domain);
        goto fail;
    }
    if (s->st.fd >= 0 && store_lock(&s->st, wait_s, e))
        goto fail;
    /* Whoever had it may have waited for a storage to be mounted. */
    image_id_forget_mounts();
    if (recover(s, supersede, e) || session_reload(s, e))
        goto fail;
    return 0;

fail:
    session_close(s);
    return -1;
}

void session_close(struct session *s)
{
    image_locks_drop(&s->locks);
    census_free(s->census);
    tree_free(&s->tree);
    store_close(&s->st);
}

void session_job(struct session *s, enum op op, struct job *j)
{
    memset(j, 0, sizeof(*j));
    j->op = op;
    j->st = &s->st;
    j->rep = s->env->rep;
    j->boot = host_boot_id();
}

int session_run(struct session *s, struct job *j, struct err *e)
{
    size_t i;

    if (!s->env->plan) {
        s->stale = true;
        return txn_run(j, e);
    }
    for (i = 0; i < j->plan.n; i++) {
        char *text = plan_describe(&j->plan.steps[i], &j->s);

        s->env->plan(s->env->plan_arg, text);
        free(text);
    }
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
