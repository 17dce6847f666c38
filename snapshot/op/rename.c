/* SPDX-License-Identifier: LGPL-2.1-only */

/* Follows a renamed domain; takes over the snapshots of another name. */

#include <stdlib.h>
#include <string.h>

#include "disk/census.h"
#include "image/layer.h"
#include "op/rename.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/journal.h"
#include "xen/domain.h"

/* The same uuid, nothing unfinished, and nobody is called so any more. */
static int is_candidate(const struct snap_env *env, const char *old,
                        const struct domain *d, bool *yes_r, struct err *e)
{
    struct domain other;
    struct store st;
    char *uuid = NULL;
    int rc;

    *yes_r = false;
    if (!strcmp(old, d->name))
        return 0;
    if (store_open(&st, env->root, old, false, e))
        return -1;
    rc = store_get_uuid(&st, &uuid, e);
    *yes_r = !rc && uuid && !strcmp(uuid, d->uuid) && !journal_exists(&st);
    store_close(&st);
    free(uuid);
    if (rc || !*yes_r)
        return rc;
    rc = domain_look(old, &other, e);
    *yes_r = rc == 0;
    return rc < 0 ? -1 : 0;
}

/* Does a snapshot of the old name have a disk of the domain? */
static int shares_disk(const struct snap_env *env, const char *old,
                       const struct domain *d, bool *yes_r, struct err *e)
{
    struct census *c;
    size_t i;

    *yes_r = false;
    if (census_read(env->root, d->name, &c, e))
        return -1;
    for (i = 0; i < d->ndisks && !*yes_r; i++) {
        const char *owner = census_former_owner(c, &d->disks[i]);

        *yes_r = owner && !strcmp(owner, old);
    }
    census_free(c);
    return 0;
}

/* What an unfinished operation on another name has to do with the domain. */
enum tie { TIE_NONE, TIE_DOMAIN, TIE_DISKS };

static enum tie tie_to(const struct job *j, const struct domain *d)
{
    enum tie tie = TIE_NONE;
    struct err ignored;
    size_t i, k;
    bool same;

    if (j->uuid && !strcmp(j->uuid, d->uuid))
        return TIE_DOMAIN;
    for (i = 0; i < j->s.ndisks; i++)
        for (k = 0; k < d->ndisks; k++)
            if (meta_disk_has_part(&j->s.disks[i]) &&
                !layer_is_same(j->s.disks[i].path, d->disks[k].path, &same,
                               &ignored) && same)
                tie = TIE_DISKS;
    return tie;
}

/*
 * One that is under way has the lock, and finds out about the new name itself.
 */
static enum tie find_unfinished(const struct snap_env *env, const char *name,
                                const struct domain *d)
{
    struct journal log = { .fd = -1 };
    struct journal_content c;
    enum tie tie = TIE_NONE;
    struct err ignored;
    struct store st;
    struct job j = { .st = &st };

    if (store_open(&st, env->root, name, false, &ignored))
        return TIE_NONE;
    st.fixed = true;
    if (journal_exists(&st) && !store_lock(&st, 0, &ignored) &&
        !journal_read(&st, &log, &c, &ignored)) {
        if (!job_parse(c.header, STORE_JOURNAL, &j, &ignored))
            tie = tie_to(&j, d);
        json_object_put(c.header);
        json_object_put(c.notes);
        journal_close(&log);
        job_free(&j);
    }
    store_close(&st);
    return tie;
}

static int refuse_unfinished(const char *name, const char *other,
                             enum tie tie, struct err *e)
{
    if (tie == TIE_NONE)
        return 0;
    if (tie == TIE_DISKS)
        return err_set(e, SNAP_FAILED, "an operation on domain %s, which has "
                       "disks of domain %s, is unfinished: run 'xl "
                       "snapshot-recover %s' first", other, name, other);
    return err_set(e, SNAP_FAILED, "domain %s was called %s, and an operation "
                   "on it is unfinished: run 'xl rename %s %s', then 'xl "
                   "snapshot-recover %s'", name, other, name, other, other);
}

static bool has_journal(const struct snap_env *env, const char *name)
{
    struct err ignored;
    struct store st;
    bool there;

    if (store_open(&st, env->root, name, false, &ignored))
        return false;
    there = journal_exists(&st);
    store_close(&st);
    return there;
}

/* Its images may have more in them than any snapshot tells. */
static int check_unfinished(const struct snap_env *env, const char *name,
                            struct err *e)
{
    struct domain d = { 0 };
    char **names = NULL;
    size_t n = 0, i;
    int rc = 0;

    if (store_domains(env->root, &names, &n, e))
        return -1;
    for (i = 0; i < n && !rc; i++) {
        if (!strcmp(names[i], name) || !has_journal(env, names[i]))
            continue;
        /* Only then: it takes libxl long. */
        if (!d.name) {
            rc = domain_find(name, &d, e);
            if (rc <= 0)
                break;
        }
        rc = refuse_unfinished(name, names[i],
                               find_unfinished(env, names[i], &d), e);
    }
    store_free_names(names, n);
    domain_free(&d);
    return rc;
}

static int search(const struct snap_env *env, const struct domain *d,
                  char **old_r, struct err *e)
{
    char **names = NULL;
    size_t n = 0, i;
    struct err skipped;
    bool yes;

    if (store_domains(env->root, &names, &n, e))
        return -1;
    for (i = 0; i < n && !*old_r; i++) {
        if (is_candidate(env, names[i], d, &yes, &skipped) || !yes)
            continue;
        if (shares_disk(env, names[i], d, &yes, &skipped) || !yes)
            continue;
        *old_r = mem_strdup(names[i]);
    }
    store_free_names(names, n);
    return 0;
}

static int has_store(const struct snap_env *env, const char *name,
                     bool *yes_r, struct err *e)
{
    struct store st;

    *yes_r = false;
    if (name_check_domain(name, e) ||
        store_open(&st, env->root, name, false, e))
        return -1;
    *yes_r = st.fd >= 0;
    store_close(&st);
    return 0;
}

int rename_find(const struct snap_env *env, const char *name, char **old_r,
                struct err *e)
{
    struct domain d;
    bool known;
    int rc;

    *old_r = NULL;
    if (has_store(env, name, &known, e))
        return -1;
    if (known)
        return 0;
    rc = domain_find(name, &d, e);
    if (rc <= 0)
        return rc;
    rc = search(env, &d, old_r, e);
    domain_free(&d);
    return rc;
}

/* A journal is of the name that the domain had. */
static int check_settled(struct store *st, struct err *e)
{
    if (!journal_exists(st))
        return 0;
    return err_set(e, SNAP_FAILED, "an operation on domain %s is not "
                   "recovered yet: run 'xl snapshot-recover %s' first",
                   st->domain, st->domain);
}

/* Under the old name's lock; the new name must be free in the store. */
static int move(const struct snap_env *env, const char *old,
                const char *name, unsigned wait_s, struct err *e)
{
    struct store st;
    int rc = -1;

    if (store_open(&st, env->root, old, false, e))
        return -1;
    if (st.fd < 0)
        err_set(e, SNAP_FAILED, "there are no snapshots of a domain %s", old);
    else if (!store_lock(&st, wait_s, e) && !check_settled(&st, e))
        rc = store_rename(&st, name, e);
    store_close(&st);
    return rc;
}

int rename_follow(const struct snap_env *env, const char *name,
                  struct err *e)
{
    char *old;
    int rc = 0;

    if (check_unfinished(env, name, e) || rename_find(env, name, &old, e))
        return -1;
    if (!old)
        return 0;
    if (env->plan)
        rc = err_set(e, SNAP_FAILED, "domain %s was called %s, and so are its "
                     "snapshots in the list: any command without -N gives "
                     "them the new name", name, old);
    else
        rc = move(env, old, name, 0, e);
    if (!rc)
        report_note(env->rep, "domain %s was called %s: its snapshots have the "
                    "new name now", name, old);
    free(old);
    return rc;
}

/* All that is against it is said at once. */
static int check_adoption(const struct snap_env *env, const char *old,
                          const char *name, struct err *e)
{
    struct err problems = { 0 };
    struct domain d;
    bool known;
    int rc;

    if (has_store(env, name, &known, e))
        return -1;
    if (known)
        err_add(&problems, "domain %s has snapshots of its own: delete those "
                "first", name);
    rc = domain_look(old, &d, e);
    if (rc < 0)
        return -1;
    if (rc)
        err_add(&problems, "a domain called %s runs, whose snapshots these "
                "are", old);
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

int rename_adopt(const struct snap_env *env, const char *old,
                 const char *name, unsigned wait_s, struct err *e)
{
    struct store st;
    char *line;
    int rc;

    if (check_adoption(env, old, name, e))
        return -1;
    if (!env->plan)
        return move(env, old, name, wait_s, e);
    if (store_open(&st, env->root, old, false, e))
        return -1;
    rc = check_settled(&st, e);
    store_close(&st);
    if (rc)
        return -1;
    line = mem_printf("give the snapshots of domain %s to domain %s", old,
                      name);
    env->plan(env->plan_arg, line);
    free(line);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
