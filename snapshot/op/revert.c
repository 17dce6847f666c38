/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reverts a domain to a snapshot: checks, plan, run. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "disk/census.h"
#include "disk/disk.h"
#include "image/layer.h"
#include "op/create.h"
#include "op/reader.h"
#include "op/session.h"
#include "op/verify.h"
#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/plan.h"
#include "xen/domain.h"

/*
 * Enough memory once the running domain, if any, is gone.  The stream of a live
 * snapshot is longer than the memory, as it has pages more than once.
 */
static int check_free_memory(const struct job *j, const struct domain *d,
                             struct err *e)
{
    uint64_t have, need;

    if (domain_free_memory(&have, e) ||
        domain_need_memory(j->s.config, &need, e))
        return -1;
    have += d ? d->used_kib : 0;
    if (have < need)
        return err_set(e, SNAP_FAILED, "domain %s needs %" PRIu64 " MiB of "
                       "memory, and %" PRIu64 " MiB are free",
                       j->s.domain.name, need / 1024, have / 1024);
    return 0;
}

static const struct domain_disk *find_disk(const struct domain *d,
                                           const char *vdev)
{
    size_t i;

    for (i = 0; i < d->ndisks; i++)
        if (!strcmp(d->disks[i].vdev, vdev))
            return &d->disks[i];
    return NULL;
}

/* The domain that runs must be the one of the snapshot, not a namesake. */
static void check_same_disks(const struct snapshot *s,
                             const struct domain *dom, struct err *problems)
{
    struct err ignored;
    size_t i;
    bool same;

    for (i = 0; i < s->ndisks; i++) {
        const struct snapshot_disk *d = &s->disks[i];
        const struct domain_disk *now = find_disk(dom, d->vdev);

        if (!meta_disk_has_part(d))
            continue;
        same = now && !strcmp(now->path, d->path);
        if (now && !same &&
            layer_is_same(now->path, d->path, &same, &ignored))
            same = false;
        if (!same)
            err_add(problems, "the running domain %s has %s as disk %s, not "
                    "the snapshot's %s: use --force if it is to be replaced",
                    dom->name, now ? now->path : "nothing", d->vdev, d->path);
    }
}

/* What a revert writes over may be what others stand on. */
static void check_users(const struct snapshot *s, const struct census *c,
                        struct err *problems)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        const struct snapshot_disk *d = &s->disks[i];
        const char *user = NULL;

        if (meta_disk_has_part(d) && !d->unknown)
            user = census_reader(c, d->path);
        if (user)
            err_add(problems, "disk %s: %s is also used by %s, which needs it "
                    "as it is: use --force to revert all the same", d->vdev,
                    d->path, user);
    }
}

/* Everything that could fail later, before the domain is touched. */
static int check(struct job *j, const struct domain *d, bool force,
                 struct err *e)
{
    struct err problems = { 0 };
    struct err one;

    if (d && !force)
        check_same_disks(&j->s, d, &problems);
    if (!force)
        check_users(&j->s, j->host.census, &problems);
    verify_snapshot(j->st, &j->s, force, &problems);
    if (check_free_memory(j, d, &one))
        err_add(&problems, "%s", one.text);
    if (disk_check_free(&j->s, d, false, &one))
        err_add(&problems, "%s", one.text);
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

/* The snapshot, read anew so that the job owns it. */
static int load(struct session *s, const char *name, struct snapshot *snap,
                struct err *e)
{
    if (tree_find(&s->tree, name) == TREE_NONE)
        return session_no_such(s, name, e);
    return store_load(&s->st, STORE_COMMITTED, name, snap, e);
}

static bool wants_pause(const struct snap_revert *req,
                        const struct snapshot *s)
{
    if (req->run == SNAP_AS_IT_WAS)
        return !strcmp(s->domain.state,
                       domain_state_name(DOMAIN_PAUSED));
    return req->run == SNAP_PAUSED;
}

/* The kind has its own proof then, or the user's --force. */
static void tell_copies(struct session *s, const struct job *j)
{
    size_t i;

    for (i = 0; i < j->s.ndisks; i++)
        if (disk_is_another(&j->s.disks[i]))
            report_note(s->env->rep, "disk %s: %s is not the file that "
                        "snapshot '%s' is of, but has all that it takes to "
                        "revert", j->s.disks[i].vdev, j->s.disks[i].path,
                        j->s.name);
}

/* Names what the disks' new content goes to, for the journal. */
static int aim(struct session *s, struct job *j, struct err *e)
{
    char unique[NAME_UNIQUE_LEN + 1];
    size_t i;

    if (name_unique(unique, e))
        return -1;
    for (i = 0; i < s->tree.n; i++)
        disk_host_add_other(&j->host, &s->tree.nodes[i].s);
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_aim(&j->host, j->s.name, unique, &j->s.disks[i], e))
            return -1;
    return 0;
}

static int revert_in(struct session *s, const struct snap_revert *req,
                     struct snapshot *to_r, uint64_t *downtime_ms_r,
                     struct err *e)
{
    struct domain d = { 0 };
    struct job j;
    int found = domain_find(s->st.domain, &d, e), rc = -1;

    session_job(s, OP_REVERT, &j);
    if (found < 0 || load(s, req->name, &j.s, e) ||
        reader_wait_none(s, NULL, e) ||
        session_lock_disks(s, found ? &d : NULL, &j.s, e) ||
        session_census(s, &j.host.census, e))
        goto out;
    if (found) {
        j.domid = d.domid;
        j.uuid = mem_strdup(d.uuid);
    }
    j.paused = wants_pause(req, &j.s);
    plan_revert(&j.s, j.paused, &j.plan);
    if (check(&j, found ? &d : NULL, req->force, e) || aim(s, &j, e))
        goto out;
    tell_copies(s, &j);
    if (session_run(s, &j, e))
        goto out;
    *downtime_ms_r = j.downtime_ms;
    /* It may have been called otherwise. */
    free(j.s.domain.name);
    j.s.domain.name = mem_strdup(s->st.domain);
    *to_r = j.s;
    memset(&j.s, 0, sizeof(j.s));
    rc = 0;

out:
    domain_free(&d);
    job_free(&j);
    return rc;
}

/* --save: the present state becomes a snapshot of its own. */
static int save_present(struct session *s, const struct snap_revert *req,
                        struct err *e)
{
    struct snap_create create = {
        .domain = s->st.domain, .name = req->save_name,
        .description = "state before a revert",
    };
    struct snapshot made;
    int rc;

    /* A revert that cannot be is said before, not after. */
    if (tree_find(&s->tree, req->name) == TREE_NONE)
        return session_no_such(s, req->name, e);
    rc = create_in_session(s, &create, &made, e);
    if (rc)
        return err_wrap(e, "cannot save the present state");
    report_note(s->env->rep, "the present state of domain %s is saved as "
                "snapshot %s", s->st.domain, made.name);
    meta_free(&made);
    return session_reload(s, e);
}

int snap_revert(const struct snap_env *env, const struct snap_revert *req,
                struct snapshot *to_r, uint64_t *downtime_ms_r,
                struct err *e)
{
    struct session s;
    char *domain = NULL;
    int rc = -1;

    memset(to_r, 0, sizeof(*to_r));
    *downtime_ms_r = 0;
    if (name_check(req->name, e) ||
        session_domain_name(req->domain, &domain, e) ||
        session_open(env, domain, false, true, req->wait_s, &s, e))
        goto out;
    if (!req->save || !save_present(&s, req, e))
        rc = revert_in(&s, req, to_r, downtime_ms_r, e);
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
