/* SPDX-License-Identifier: LGPL-2.1-only */


/* The steps of a revert. */

#include <string.h>

#include "disk/disk.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/report.h"
#include "txn/steps.h"
#include "xen/domain.h"

static int destroy(struct job *j, const struct step *step, struct err *e)
{
    struct domain d;
    int rc = domain_look(j->s.domain.name, &d, e);

    (void)step;
    if (rc <= 0)
        return rc;
    j->stopped_ms = clock_ms();
    return domain_destroy(d.domid, e);
}

/* As long as a domain of the name runs, its user has lost nothing. */
static int destroy_happened(struct job *j, struct err *e)
{
    struct domain d;
    int rc = domain_look(j->s.domain.name, &d, e);

    return rc < 0 ? -1 : !rc;
}

static int apply(struct job *j, const struct step *step, struct err *e)
{
    return disk_apply(&j->s.disks[step->disk], e);
}

/*
 * What a restore that was cut short left.  A paused domain with the
 * snapshot's uuid has not run yet; any other one is somebody's, who started
 * it while the revert was unfinished.
 */
static int clear_half_restored(struct job *j, struct err *e)
{
    struct domain d;
    int rc = domain_look(j->s.domain.name, &d, e);

    if (rc <= 0)
        return rc;
    if (d.state == DOMAIN_PAUSED && !strcmp(d.uuid, j->s.domain.uuid))
        return domain_destroy(d.domid, e);
    return err_set(e, SNAP_NEEDS_USER, "domain %s was started while its "
                   "revert to %s was unfinished: shut it down, then run "
                   "'xl snapshot-revert %s %s'", j->s.domain.name,
                   j->s.name, j->s.domain.name, j->s.name);
}

static int restore(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    return clear_half_restored(j, e) ? -1 :
           step_restore_paused(j, STORE_COMMITTED, e);
}

/*
 * A domain that is gone, as the host went down for example, may have run
 * before: its memory image is not put beside disks that it wrote to since.
 */
static int unpause(struct job *j, const struct step *step, struct err *e)
{
    struct domain d;
    int rc = domain_look(j->s.domain.name, &d, e);

    (void)step;
    if (!rc)
        report_note(j->rep, "domain %s does not run: it ended when it was "
                    "back at snapshot %s; 'xl create' starts it from its "
                    "disks, 'xl snapshot-revert %s %s' from the snapshot",
                    j->s.domain.name, j->s.name, j->s.domain.name, j->s.name);
    if (rc <= 0)
        return rc;
    if (d.state == DOMAIN_PAUSED && !strcmp(d.uuid, j->s.domain.uuid) &&
        domain_unpause(d.domid, e))
        return -1;
    if (j->stopped_ms)
        j->downtime_ms = clock_ms() - j->stopped_ms;
    return 0;
}

const struct step_ops steps_revert[STEP_COUNT] = {
    [STEP_DESTROY] = { .act = destroy, .happened = destroy_happened },
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
