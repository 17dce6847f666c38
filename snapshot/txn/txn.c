/* SPDX-License-Identifier: LGPL-2.1-only */

/* Runs the steps of a plan, and undoes or completes what was cut off. */

#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static int is_committed(struct job *j, long begun, bool *yes_r,
                        struct err *e)
{
    const struct plan *p = &j->plan;

    *yes_r = begun > (long)p->commit;
    if (begun != (long)p->commit)
        return 0;
    return steps_find(p->steps[p->commit].verb)->happened(j, yes_r, e);
}

static int unfinished(struct job *j, const char *what, const char *text,
                      struct err *e)
{
    char *why = mem_strdup(text);

    err_set(e, SNAP_NEEDS_USER, "the %s of snapshot '%s' of domain %s %s: %s; "
            "the next snapshot command on the domain tries again, 'xl "
            "snapshot-recover --give-up %s' ends it", job_op_name(j->op),
            j->s.name, j->st->domain, what, why, j->st->domain);
    free(why);
    return -1;
}

/* Completes what was interrupted, unless the user's own work is in its place. */
static int complete(struct job *j, struct journal *log, long begun,
                    enum txn_end *end_r, struct err *e)
{
    const struct step_ops *ops =
        steps_find(j->plan.steps[j->plan.commit].verb);
    struct err why;
    bool superseded = false;
    size_t at;

    if (ops->superseded && ops->superseded(j, begun, &superseded, &why))
        return unfinished(j, "cannot be completed", why.text, e);
    if (superseded) {
        *end_r = TXN_DROPPED;
        return 0;
    }
    *end_r = TXN_COMPLETED;
    if (!forward(j, log, (size_t)begun, &at, &why))
        return 0;
    if (why.status != SNAP_NEEDS_USER)
        return unfinished(j, "cannot be completed", why.text, e);
    *e = why;
    return -1;
}

/*
 * The one end of a failed or crashed operation.  0 if everything is as
 * before or complete; *end_r tells which.
 */
static int settle(struct job *j, struct journal *log, long begun,
                  bool recovering, enum txn_end *end_r, struct err *e)
{
    struct err why;
    bool done;

    *end_r = TXN_UNDONE;
    interrupt_defer(true);
    if (is_committed(j, begun, &done, &why))
        return unfinished(j, "is unfinished", why.text, e);
    if (done && !recovering)
        return unfinished(j, "is unfinished", e->text, e);
    if (done && complete(j, log, begun, end_r, e))
        return -1;
    if (!done && rollback(j, begun, &why))
        return unfinished(j, "failed and cannot be undone", why.text, e);
    if (journal_end(log, &why))
        return unfinished(j, "left its journal", why.text, e);
    return 0;
}

/*
 * A record that finds no room when the domain is destroyed would leave the guest
 * stopped.  Others go without: a deletion is what makes room.
 */
static int start(struct job *j, struct journal *log, struct err *e)
{
    json_object *header = job_to_json(j);
    struct err ignored;
    int rc = journal_start(j->st, header, log, e);

    json_object_put(header);
    if (rc || !job_destroys(j) || !journal_reserve(log, e))
        return rc;
    (void)journal_end(log, &ignored);
    journal_close(log);
    return -1;
}

int txn_run(struct job *j, struct err *e)
{
    struct journal log;
    struct err why;
    enum txn_end end;
    size_t at = 0;
    int rc = start(j, &log, e);

    if (rc)
        return -1;
    j->log = &log;
    if (!forward(j, &log, 0, &at, e)) {
        rc = journal_end(&log, e);
        if (rc)
            unfinished(j, "left its journal", e->text, e);
    } else {
        rc = -1;
        why = *e;
        if (settle(j, &log, (long)at, false, &end, &why))
            *e = why;
    }
    j->log = NULL;
    journal_close(&log);
    interrupt_defer(false);
    return rc;
}

/* A journal without a name is of before a domain could be renamed. */
static bool is_of_domain(const struct job *j)
{
    const char *name = j->domain ? j->domain : j->s.domain.name;

    return !strcmp(name, j->st->domain);
}

/* Reads the journal; *log is open after 0. */
static int load(struct store *st, struct job *j, struct journal *log,
                long *begun_r, struct err *e)
{
    struct journal_content c;
    int rc = -1;

    if (journal_read(st, log, &c, e))
        return -1;
    if (job_parse(c.header, STORE_JOURNAL, j, e))
        goto out;
    j->notes = c.notes;
    c.notes = NULL;
    j->log = log;
    job_take_notes(j);
    *begun_r = c.begun;
    if (c.begun >= (long)j->plan.n || !is_of_domain(j) ||
        !steps_find(j->plan.steps[j->plan.commit].verb)->happened)
        err_set(e, SNAP_NEEDS_USER, "%s/" STORE_JOURNAL " is damaged: it is "
                "not one of an operation on domain %s; 'xl snapshot-recover "
                "--give-up %s' puts it aside", st->path, st->domain,
                st->domain);
    else
        rc = 0;

out:
    json_object_put(c.header);
    json_object_put(c.notes);
    return rc;
}

static void say_end(const struct reporter *rep, const struct job *j,
                    enum txn_end end)
{
    static const char *const words[] = {
        [TXN_UNDONE] = "undone", [TXN_COMPLETED] = "completed",
    };

    if (end != TXN_DROPPED)
        report_note(rep, "recovery: an interrupted %s of snapshot '%s' of "
                    "domain %s was %s", job_op_name(j->op), j->s.name,
                    j->st->domain, words[end]);
}

int txn_recover(struct store *st, const struct reporter *rep,
                struct txn_pending *pending_r, struct err *e)
{
    struct job j = { .st = st, .rep = rep };
    struct journal log = { .fd = -1 };
    enum txn_end end;
    long begun;
    int rc = -1;

    memset(pending_r, 0, sizeof(*pending_r));
    pending_r->op = OP_COUNT;
    if (!journal_exists(st))
        return 0;
    if (!load(st, &j, &log, &begun, e)) {
        pending_r->op = j.op;
        pending_r->name = mem_strdup(j.s.name);
        rc = settle(&j, &log, begun, true, &end, e);
        if (!rc)
            say_end(rep, &j, end);
    }
    interrupt_defer(false);
    journal_close(&log);
    job_free(&j);
    return rc;
}

int txn_give_up(struct store *st, const struct reporter *rep, struct err *e)
{
    struct job j = { .st = st, .rep = rep };
    struct journal log = { .fd = -1 };
    char when[sizeof("20261123T010203Z")];
    time_t now = time(NULL);
    struct err why;
    long begun;
    int rc = 0;

    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime(&now));
    interrupt_defer(true);
    if (load(st, &j, &log, &begun, &why))
        report_note(rep, "warning: %s", why.text);
    else
        rc = steps_give_up(&j, begun, e);
    if (!rc)
        rc = journal_give_up(st, when, e);
    interrupt_defer(false);
    journal_close(&log);
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
