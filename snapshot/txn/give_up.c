/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Giving an interrupted operation up (doc/design.md 5, rule 8): the guest runs,
 * and nothing that may be of use is removed.
 */

#include <stdlib.h>
#include <string.h>

#include "disk/disk.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/steps.h"
#include "xen/domain.h"

/* The parts of an undo that concern the guest; their undo says what failed. */
static const enum verb guest_steps[] = {
    STEP_CLOSE, STEP_SAVE, STEP_HOLD_MONITOR,
};

static int free_guest(struct job *j, long begun, struct err *e)
{
    size_t i, k;

    for (k = 0; k < sizeof(guest_steps) / sizeof(guest_steps[0]); k++) {
        i = step_index(j, guest_steps[k]);
        if ((long)i > begun)
            continue;
        if (steps_find(guest_steps[k])->undo(j, &j->plan.steps[i], e))
            return -1;
    }
    return 0;
}

/*
 * Before the guest goes on: what it writes is what the user's path leads to.
 * Not step_open_host(): a damaged record is no reason against giving up.
 */
static int rescue_disks(struct job *j, long begun, struct err *e)
{
    char *name = step_domain_name(j);
    int rc;

    disk_host_close(&j->host);
    rc = disk_host_open(name, &j->host, e);
    free(name);
    if (rc)
        return -1;
    if (!j->host.running || j->op != OP_CREATE || job_is_cold(j) ||
        begun < (long)step_index(j, STEP_CAPTURE))
        return 0;
    return disk_rescue(&j->host, &j->s, e);
}

/* A QEMU that does not answer has no job that anybody could end. */
static void stop_jobs(struct job *j)
{
    struct err e;
    size_t i;

    if (!j->host.running || (j->op != OP_CREATE && j->op != OP_DELETE))
        return;
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_stop(&j->host, &j->s.disks[i], &e))
            report_note(j->rep, "warning: %s", e.text);
}

/*
 * Memory and disks are the snapshot's from "unpause" on.  Before, the restore
 * may have been cut short: such a domain cannot run.
 */
static int free_reverted(struct job *j, long begun, struct err *e)
{
    size_t i = step_index(j, STEP_UNPAUSE);
    struct domain d;
    int rc;

    if (i < j->plan.n && begun >= (long)i)
        return steps_find(STEP_UNPAUSE)->act(j, &j->plan.steps[i], e);
    rc = domain_look(j->st->domain, &d, e);
    if (rc > 0 && d.state == DOMAIN_PAUSED &&
        begun >= (long)step_index(j, STEP_RESTORE))
        report_note(j->rep, "domain %s is paused, perhaps restored in part: "
                    "'xl snapshot-revert %s %s' restores it anew",
                    j->st->domain, j->st->domain, j->s.name);
    return rc < 0 ? -1 : 0;
}

/* Somebody else's writing to a disk is not to be called an end. */
static int check_held(struct job *j, struct err *e)
{
    struct domain d = { 0 };
    char *name = step_domain_name(j);
    int rc = domain_find(name, &d, e);

    free(name);
    if (rc < 0)
        return -1;
    rc = disk_check_free(&j->s, rc ? &d : NULL, false, e);
    domain_free(&d);
    return rc;
}

static int set_aside(struct job *j, enum store_state state, struct err *e)
{
    char *path;

    if (store_set_aside(j->st, state, j->s.name, STORE_GIVEN_UP, &path, e))
        return -1;
    if (path)
        report_note(j->rep, "what there is of snapshot '%s' of domain %s is "
                    "kept in %s", j->s.name, j->st->domain, path);
    free(path);
    return 0;
}

static const char *word_of(enum op op)
{
    switch (op) {
    case OP_CREATE:
        return "may hold a part of the snapshot that is in no list";
    case OP_REVERT:
        return "may hold the content of the snapshot or that of before";
    case OP_DELETE:
        return "may still hold the snapshot's part";
    default:
        return "is as it was";
    }
}

static void say_disks(struct job *j, long begun)
{
    size_t i;

    if (j->op == OP_IMPORT) {
        report_note(j->rep, "what there is of it has %s%s behind its name, and "
                    "can be removed; images that have their own names are "
                    "complete", JOB_IMPORT_NAME, j->unique);
        return;
    }
    for (i = 0; i < j->s.ndisks; i++) {
        const struct snapshot_disk *d = &j->s.disks[i];

        if (meta_disk_has_part(d) && begun >= 0)
            report_note(j->rep, "disk %s (%s) %s", d->vdev, d->path,
                        word_of(j->op));
    }
}

/* Children of a snapshot that is gone have its parent. */
static int relink(struct job *j, struct err *e)
{
    const struct step step = { STEP_RELINK, 0 };
    bool hidden;

    if (store_is_there(j->st, STORE_DELETED, j->s.name, &hidden, e))
        return -1;
    if (!hidden)
        return 0;
    return steps_find(STEP_RELINK)->act(j, &step, e);
}

int steps_give_up(struct job *j, long begun, struct err *e)
{
    if (begun > 0)
        j->last = (size_t)begun;
    /* First of all the guest, whoever has its disks. */
    if (rescue_disks(j, begun, e))
        return -1;
    if (j->op == OP_CREATE && free_guest(j, begun, e))
        return -1;
    if (check_held(j, e))
        return -1;
    if (j->op == OP_REVERT && free_reverted(j, begun, e))
        return -1;
    stop_jobs(j);
    if (j->op == OP_DELETE && relink(j, e))
        return -1;
    say_disks(j, begun);
    if (set_aside(j, STORE_NEW, e))
        return -1;
    return set_aside(j, STORE_DELETED, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
