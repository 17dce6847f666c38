/* SPDX-License-Identifier: LGPL-2.1-only */

/* The steps of a revert. */

#include <stdlib.h>
#include <string.h>

#include "disk/disk.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/steps.h"
#include "txn/use.h"
#include "xen/domain.h"
#include "xen/monitor.h"

/*
 * A note that comes with the seals of all disks: the domain is gone and its
 * images are closed.
 */
#define DESTROYED "destroyed"

static int ready(struct job *j, const struct step *step, struct err *e)
{
    return disk_ready(&j->s.disks[step->disk], e);
}

static int ready_undo(struct job *j, const struct step *step, struct err *e)
{
    return disk_unready(&j->s.disks[step->disk], e);
}

/* Is the domain that the operation was begun with called otherwise now? */
static int check_renamed(struct job *j, struct err *e)
{
    enum domain_state state;
    bool same;

    if (domain_check(j->domid, j->uuid, &same, &state, e))
        return -1;
    if (!same || state == DOMAIN_DYING)
        return 0;
    return err_set(e, SNAP_FAILED, "domain %s was renamed meanwhile: nothing "
                   "was changed", j->st->domain);
}

/*
 * The domain that is to go, found once more.  One that ran a moment ago and is
 * gone may be between two lives, as its guest reboots: it has not ended before
 * its monitor says so, and would come back while its disks are written.
 */
static int find_victim(struct job *j, struct domain *d, bool *there_r,
                       struct err *e)
{
    int rc = domain_look(j->st->domain, d, e);
    bool waited;

    if (!rc && j->uuid) {
        if (check_renamed(j, e) ||
            monitor_await_end(MONITOR_NO_DOMID, j->st->domain, &waited, e))
            return -1;
        rc = domain_look(j->st->domain, d, e);
    }
    if (rc < 0)
        return -1;
    *there_r = rc > 0;
    if (*there_r && !j->uuid)
        return err_set(e, SNAP_FAILED, "domain %s was started meanwhile: "
                       "nothing was changed", j->st->domain);
    if (*there_r && strcmp(d->uuid, j->uuid))
        return err_set(e, SNAP_FAILED, "another domain is called %s by now: "
                       "nothing was changed", j->st->domain);
    return 0;
}

static int destroy(struct job *j, const struct step *step, struct err *e)
{
    struct domain d;
    bool there, waited;

    (void)step;
    for (;;) {
        if (find_victim(j, &d, &there, e))
            return -1;
        if (!there)
            break;
        j->stopped_ms = clock_ms();
        if (domain_destroy(d.domid, e) ||
            monitor_await_end(d.domid, j->st->domain, &waited, e))
            return -1;
    }
    if (disk_wait_closed(&j->s, e))
        return -1;
    return use_seal(j, DESTROYED, e);
}

/* The revert has not begun; the domain may be gone all the same. */
static int destroy_undo(struct job *j, const struct step *step,
                        struct err *e)
{
    struct domain d;
    int rc = domain_look(j->st->domain, &d, e);

    (void)step;
    if (rc < 0)
        return -1;
    if (!rc && j->uuid)
        report_note(j->rep, "domain %s does not run: it was destroyed for a "
                    "revert to '%s' that then did not begin; its disks are "
                    "untouched: 'xl create' starts it, or revert again",
                    j->st->domain, j->s.name);
    return 0;
}

static int destroy_happened(struct job *j, bool *yes_r, struct err *e)
{
    (void)e;
    *yes_r = job_is_noted(j, DESTROYED);
    return 0;
}

/* What our restore leaves, paused; the user may have paused it himself. */
static bool is_half_restored(const struct job *j, const struct domain *d)
{
    return d->state == DOMAIN_PAUSED && !strcmp(d->uuid, j->s.domain.uuid);
}

/* The disks whose apply is behind us, or not; the caller's to free. */
static char *list_disks(const struct job *j, long begun, bool done)
{
    char *list = NULL;
    size_t i;

    for (i = 0; i < j->plan.n; i++) {
        const struct step *step = &j->plan.steps[i];
        char *more;

        if (step->verb != STEP_APPLY || (begun > (long)i) != done)
            continue;
        more = mem_printf("%s%s%s", list ? list : "", list ? ", " : "",
                          j->s.disks[step->disk].vdev);
        free(list);
        list = more;
    }
    return list ? list : mem_strdup("none");
}

static void say_left(struct job *j, long begun, const char *why)
{
    char *back = list_disks(j, begun, true);
    char *left = list_disks(j, begun, false);

    report_note(j->rep, "the interrupted revert of domain %s to '%s' is "
                "dropped, as %s: disks put back: %s; not put back: %s; 'xl "
                "snapshot-revert %s %s' reverts all of them", j->st->domain,
                j->s.name, why, back, left, j->st->domain, j->s.name);
    free(back);
    free(left);
}

static int clear_ready(struct job *j, struct err *e)
{
    size_t i;

    for (i = 0; i < j->plan.n; i++)
        if (j->plan.steps[i].verb == STEP_READY &&
            ready_undo(j, &j->plan.steps[i], e))
            return -1;
    return 0;
}

/* All disks descend from the snapshot if all of them were put back. */
static int end_left(struct job *j, long begun, struct err *e)
{
    if (clear_ready(j, e))
        return -1;
    if (begun < (long)step_index(j, STEP_SET_CURRENT))
        return 0;
    return store_set_current(j->st, j->s.domain.uuid, j->s.name, e);
}

/*
 * Why the revert must not go on, or NULL.  A domain that our restore left has
 * never run; whether it is that one, its disks tell.
 */
static int find_reason(struct job *j, long begun, const char **why_r,
                       struct err *e)
{
    bool restored = begun >= (long)step_index(j, STEP_RESTORE);
    const char *vdev = NULL;
    struct domain d;
    int rc = domain_look(j->st->domain, &d, e);

    *why_r = NULL;
    if (rc < 0)
        return -1;
    if (rc > 0 && !(restored && is_half_restored(j, &d))) {
        *why_r = "the domain was started since";
        return 0;
    }
    if (!rc && disk_check_free(&j->s, NULL, false, e))
        return -1;
    if (use_find(j, &vdev, e))
        return -1;
    if (vdev)
        *why_r = "its disks were used since, or that cannot be ruled out";
    return 0;
}

static int destroy_superseded(struct job *j, long begun, bool *yes_r,
                              struct err *e)
{
    const char *why;

    *yes_r = false;
    if (begun >= (long)step_index(j, STEP_UNPAUSE))
        return 0;
    if (find_reason(j, begun, &why, e))
        return -1;
    if (!why)
        return 0;
    say_left(j, begun, why);
    *yes_r = true;
    return end_left(j, begun, e);
}

/*
 * What was written of a disk before it failed is ours too, so that the recovery
 * does not take it for somebody's work.
 */
static void seal_failed(struct job *j, size_t disk)
{
    struct err ignored;

    if (!disk_check_free(&j->s, NULL, false, &ignored))
        (void)use_seal_disk(j, disk, &ignored);
}

static int apply(struct job *j, const struct step *step, struct err *e)
{
    if (disk_apply(&j->s.disks[step->disk], e)) {
        seal_failed(j, step->disk);
        return -1;
    }
    return use_seal_disk(j, step->disk, e);
}

/* What a restore that was cut short left has not run yet. */
static int clear_half_restored(struct job *j, struct err *e)
{
    struct domain d;
    int rc = domain_look(j->st->domain, &d, e);

    if (rc <= 0)
        return rc;
    if (is_half_restored(j, &d))
        return domain_destroy(d.domid, e);
    return err_set(e, SNAP_NEEDS_USER, "domain %s was started while its "
                   "revert to '%s' was unfinished: shut it down, then run "
                   "'xl snapshot-revert %s %s'", j->st->domain,
                   j->s.name, j->st->domain, j->s.name);
}

static int restore(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    if (clear_half_restored(j, e))
        return -1;
    return step_restore_paused(j, STORE_COMMITTED, e);
}

/*
 * A domain that is gone, as the host went down for example, may have run
 * before: its memory image is not put beside disks that it wrote to since.
 */
static int unpause(struct job *j, const struct step *step, struct err *e)
{
    struct domain d;
    int rc = domain_look(j->st->domain, &d, e);

    (void)step;
    if (!rc)
        report_note(j->rep, "domain %s does not run: it ended when it had been "
                    "reverted to '%s'; 'xl create' starts it from its disks, "
                    "'xl snapshot-revert %s %s' from the snapshot",
                    j->st->domain, j->s.name, j->st->domain, j->s.name);
    if (rc <= 0)
        return rc;
    if (is_half_restored(j, &d) && domain_unpause(d.domid, e))
        return -1;
    if (j->stopped_ms)
        j->downtime_ms = clock_ms() - j->stopped_ms;
    return 0;
}

const struct step_ops steps_revert[STEP_COUNT] = {
    [STEP_READY] = { .act = ready, .undo = ready_undo },
    [STEP_DESTROY] = { .act = destroy, .undo = destroy_undo,
                       .happened = destroy_happened,
                       .superseded = destroy_superseded },
    [STEP_APPLY] = { .act = apply },
    [STEP_RESTORE] = { .act = restore },
    [STEP_UNPAUSE] = { .act = unpause },
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
