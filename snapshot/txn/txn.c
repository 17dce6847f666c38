/* SPDX-License-Identifier: LGPL-2.1-only */

#include <stdlib.h>
#include <string.h>

#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/report.h"
#include "txn/fault.h"
#include "txn/job.h"
#include "txn/journal.h"
#include "txn/steps.h"
#include "txn/txn.h"

/* The last step that the record of this one covers. */
static size_t through(const struct plan *p, size_t i)
{
    while (i + 1 < p->n && steps_find(p->steps[i + 1].verb)->joined)
        i++;
    return i;
}

/*
 * Runs steps from "first" on.  On failure *at_r is the step that failed,
 * which may have been done in part.
 */
static int forward(struct job *j, struct journal *log, size_t first,
                   size_t *at_r, struct err *e)
{
    const struct plan *p = &j->plan;
    size_t i, covered = first;

    for (i = first; i < p->n; i++) {
        *at_r = i;
        if (i <= p->commit && interrupt_pending())
            return interrupt_error(e);
        if (i == p->commit)
            interrupt_defer(true);
        if (i == first || i > covered) {
            covered = through(p, i);
            if (journal_begin(log, i, covered, e))
                return -1;
        }
        if (fault_point(FAULT_BEFORE, p->steps[i].verb, e) ||
            steps_find(p->steps[i].verb)->act(j, &p->steps[i], e) ||
            fault_point(FAULT_AFTER, p->steps[i].verb, e))
            return -1;
    }
    return 0;
}

static int undo(struct job *j, const struct step *step, struct err *e)
{
    const struct step_ops *ops = steps_find(step->verb);

    if (fault_point(FAULT_UNDO, step->verb, e))
        return -1;
    return ops->undo ? ops->undo(j, step, e) : 0;
}

/*
 * Undoes step "last" and all before it.  An undo that fails is tried again,
 * as what failed may have been a passing trouble, and does not keep the
 * others from being tried: above all, the guest gets running.
 */
static int rollback(struct job *j, long last, struct err *e)
{
    struct err failed = { 0 };
    long i;

    j->last = last > 0 ? (size_t)last : 0;
    for (i = last; i >= 0; i--) {
        const struct step *step = &j->plan.steps[i];
        struct err one;

        if (undo(j, step, &one) && undo(j, step, &one))
            err_add(&failed, "%s", one.text);
    }
    if (failed.status == SNAP_OK)
        return 0;
    *e = failed;
    return -1;
}

static bool committed(struct job *j, long begun, bool *yes_r, struct err *e)
{
    const struct plan *p = &j->plan;
    int happened;

    *yes_r = begun > (long)p->commit;
    if (begun != (long)p->commit)
        return true;
    happened = steps_find(p->steps[p->commit].verb)->happened(j, e);
    *yes_r = happened > 0;
    return happened >= 0;
}

static int unfinished(struct job *j, const char *what, const char *text,
                      struct err *e)
{
    char *why = mem_strdup(text);

    err_set(e, SNAP_NEEDS_USER, "%s %s of domain %s %s: %s; mend this, then "
            "any snapshot command on the domain but snapshot-list tries "
            "again", job_op_name(j->op), j->s.name, j->s.domain.name, what,
            why);
    free(why);
    return -1;
}

/*
 * The one end of a failed or crashed operation.  0 if everything is as
 * before or complete; *done_r tells which.
 */
static int settle(struct job *j, struct journal *log, long begun,
                  bool recovering, bool *done_r, struct err *e)
{
    struct err why;
    size_t at;

    interrupt_defer(true);
    if (!committed(j, begun, done_r, &why))
        return unfinished(j, "is unfinished", why.text, e);
    if (*done_r && !recovering)
        return unfinished(j, "is unfinished", e->text, e);
    if (*done_r && forward(j, log, (size_t)begun, &at, &why)) {
        if (why.status == SNAP_NEEDS_USER) {
            *e = why;
            return -1;
        }
        return unfinished(j, "cannot be completed", why.text, e);
    }
    if (!*done_r && rollback(j, begun, &why))
        return unfinished(j, "failed and cannot be undone", why.text, e);
    if (journal_end(log, &why))
        return unfinished(j, "left its journal", why.text, e);
    return 0;
}

int txn_run(struct job *j, struct err *e)
{
    json_object *header = job_to_json(j);
    struct journal log;
    struct err why;
    bool done;
    size_t at = 0;
    int rc = journal_start(j->st, header, &log, e);

    json_object_put(header);
    if (rc)
        return -1;
    if (!forward(j, &log, 0, &at, e)) {
        rc = journal_end(&log, e);
        if (rc)
            unfinished(j, "left its journal", e->text, e);
    } else {
        rc = -1;
        why = *e;
        if (settle(j, &log, (long)at, false, &done, &why))
            *e = why;
    }
    journal_close(&log);
    interrupt_defer(false);
    return rc;
}

int txn_recover(struct store *st, const struct reporter *rep, enum op *op_r,
                char **name_r, struct err *e)
{
    struct job j = { .st = st, .rep = rep };
    struct journal log = { .fd = -1 };
    json_object *header = NULL;
    bool done = false;
    long begun;
    int rc = -1;

    *op_r = OP_COUNT;
    *name_r = NULL;
    if (!journal_exists(st))
        return 0;
    if (journal_read(st, &log, &header, &begun, e) ||
        job_parse(header, STORE_JOURNAL, &j, e))
        goto out;
    *op_r = j.op;
    *name_r = mem_strdup(j.s.name);
    if (begun >= (long)j.plan.n || strcmp(j.s.domain.name, st->domain) ||
        !steps_find(j.plan.steps[j.plan.commit].verb)->happened) {
        err_set(e, SNAP_NEEDS_USER, "%s/" STORE_JOURNAL " is damaged: it is "
                "not one of an operation on domain %s", st->path, st->domain);
        goto out;
    }
    rc = settle(&j, &log, begun, true, &done, e);
    if (!rc)
        report_note(rep, "recovery: an interrupted %s of snapshot %s of "
                    "domain %s was %s", job_op_name(j.op), j.s.name,
                    st->domain, done ? "completed" : "undone");

out:
    interrupt_defer(false);
    journal_close(&log);
    json_object_put(header);
    job_free(&j);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
