/* SPDX-License-Identifier: LGPL-2.1-only */

/* The steps of a create: hot, live or cold. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "qemu/qemu.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/host.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/steps.h"
#include "txn/use.h"
#include "xen/domain.h"
#include "xen/monitor.h"
#include "xen/watch.h"

static int stage(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    if (store_make_new(j->st, j->s.name, e))
        return -1;
    return memory_place_make(&j->s, e);
}

/* All that is left of a guest is not for us to remove. */
static int keep_lost(struct job *j, struct err *e)
{
    char *path;

    if (store_set_aside(j->st, STORE_NEW, j->s.name, STORE_LOST, &path, e))
        return -1;
    report_note(j->rep, "domain %s was destroyed for a cold snapshot that was "
                "cut short, and %s: its memory of that moment is kept in %s",
                j->st->domain, j->lost, path ? path : j->st->path);
    free(path);
    return 0;
}

static int stage_undo(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    memory_close(j->memory);
    j->memory = NULL;
    if (j->keep_memory)
        return err_set(e, SNAP_FAILED, "the guest's memory is kept in %s",
                       j->s.memory.file[0] == '/' ? j->s.memory.file :
                       j->st->path);
    if (j->lost)
        return keep_lost(j, e);
    if (memory_place_remove(&j->s, e))
        return -1;
    return store_remove(j->st, STORE_NEW, j->s.name, e);
}

/* What QEMU says of a domain that has ended is of no use to anybody. */
static int say_if_ended(struct job *j, struct err *e)
{
    enum domain_state state;
    struct err ignored;
    bool same;

    if (!job_is_cold(j) &&
        !domain_check(j->domid, j->s.domain.uuid, &same, &state, &ignored) &&
        (!same || state == DOMAIN_DYING))
        err_set(e, SNAP_FAILED, "domain %s has ended meanwhile",
                j->st->domain);
    return -1;
}

static int prepare(struct job *j, const struct step *step, struct err *e)
{
    size_t i;

    (void)step;
    j->host.cold = job_is_cold(j);
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_prepare(&j->host, &j->s.disks[i], e))
            return say_if_ended(j, e);
    return job_note_made(j, e);
}

/*
 * Until a domain that shuts down is gone, if its monitor ends it: its QEMU
 * must not be lost in the middle of something.
 */
static int await_its_end(struct job *j, struct err *e)
{
    enum domain_state state;
    bool same, waited;

    if (!job_is_of_this_boot(j))
        return 0;
    if (domain_check(j->domid, j->s.domain.uuid, &same, &state, e))
        return -1;
    if (!same || (state != DOMAIN_SHUTDOWN && state != DOMAIN_DYING))
        return 0;
    return monitor_await_end(j->domid, j->st->domain, &waited, e);
}

/* Removes the parts of all disks, whatever became of the domain. */
static int prepare_undo(struct job *j, const struct step *step,
                        struct err *e)
{
    struct err all = { 0 };
    size_t i;

    (void)step;
    /* The disks stay as their seals say until the guest is back. */
    if (j->keep_memory)
        return 0;
    if (await_its_end(j, e) || step_open_host(j, e))
        return -1;
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_remove(&j->host, &j->s.disks[i], e))
            err_add(&all, "%s", e->text);
    if (all.status != SNAP_OK) {
        *e = all;
        return -1;
    }
    return 0;
}

static int hold_monitor(struct job *j, const struct step *step,
                        struct err *e)
{
    bool found;

    (void)step;
    if (monitor_hold(j->domid, j->st->domain, &found, e))
        return -1;
    if (!found)
        report_note(j->rep, "warning: no xl process waits for domain %s, so "
                    "perhaps nothing will handle its poweroff or reboot",
                    j->st->domain);
    return 0;
}

static int release_monitor(struct job *j, const struct step *step,
                           struct err *e)
{
    (void)step;
    return monitor_release(j->domid, j->st->domain, e);
}

/* At the sight of a suspended guest it would end, and never come back. */
static int hold_undo(struct job *j, const struct step *step, struct err *e)
{
    enum domain_state state;
    bool same;

    /* In another boot the id may be another domain's. */
    if (!job_is_of_this_boot(j))
        return 0;
    if (domain_check(j->domid, j->s.domain.uuid, &same, &state, e))
        return -1;
    if (same && state == DOMAIN_SUSPENDED)
        return err_set(e, SNAP_FAILED, "the guest is still suspended");
    return release_monitor(j, step, e);
}

/* The guest is stopped from j->stopped_ms on. */
static int suspend(struct job *j, struct err *e)
{
    struct watch *w = NULL;
    int rc;

    if (j->live && memory_bound(j->memory, e))
        return -1;
    if (j->live)
        w = watch_start(j->domid, j->s.domain.uuid, memory_fd(j->memory));
    j->stopped_ms = clock_ms();
    rc = domain_suspend(j->domid, memory_fd(j->memory), j->live, e);
    if (w)
        j->stopped_ms = watch_end(w);
    return rc;
}

static int save_once(struct job *j, struct err *e)
{
    char *what;
    int dirfd = memory_place_open(j->st, STORE_NEW, &j->s, &what, e);
    int rc = -1;
    struct err why;

    if (dirfd < 0 ||
        memory_create(dirfd, &j->s, what, j->memory_level,
                      j->memory_kib * 1024, j->rep, &j->memory, e))
        goto out;
    rc = suspend(j, e);
    /* The full disk is what the user needs to know of, not what libxl says. */
    if (memory_finish(j->memory, !rc, &why)) {
        *e = why;
        rc = -1;
    }
    if (rc && interrupt_pending())
        interrupt_error(e);

out:
    if (dirfd >= 0)
        close(dirfd);
    free(what);
    return rc;
}

/*
 * A live save that failed may have stopped the guest, if it was for its bound;
 * otherwise one that stopped is no case for another attempt.
 */
static bool runs_again(struct job *j, bool outgrown)
{
    enum domain_state state;
    struct err ignored;
    bool same;

    if (outgrown && domain_resume(j->domid, false, &ignored))
        return false;
    return !domain_check(j->domid, j->s.domain.uuid, &same, &state,
                         &ignored) && same && state == DOMAIN_RUNNING;
}

/* That a PV guest's writes cannot be logged is nothing new to anybody. */
static int save_stopped(struct job *j, bool outgrown, struct err *e)
{
    if (outgrown || strcmp(j->s.domain.type, "pv"))
        report_info(j->rep, "domain %s is saved with its guest stopped: %s",
                    j->st->domain, e->text);
    j->live = false;
    memory_close(j->memory);
    j->memory = NULL;
    return save_once(j, e);
}

static int save(struct job *j, const struct step *step, struct err *e)
{
    int rc = save_once(j, e);
    bool outgrown = rc && j->memory && memory_outgrown(j->memory);

    (void)step;
    if (rc && j->live_only)
        return err_wrap(e, "domain %s cannot be saved live", j->st->domain);
    if (rc && j->live && !interrupt_pending() && runs_again(j, outgrown))
        rc = save_stopped(j, outgrown, e);
    if (rc)
        return rc;
    free(j->s.mode);
    if (job_is_cold(j))
        j->s.mode = mem_strdup("cold");
    else
        j->s.mode = mem_strdup(j->live ? "live" : "hot");
    return 0;
}

/* The guest runs again, as before: doc/design.md 5, rule 2. */
static int save_undo(struct job *j, const struct step *step, struct err *e)
{
    enum domain_state state;
    bool same;

    (void)step;
    if (domain_check(j->domid, j->s.domain.uuid, &same, &state, e))
        return -1;
    if (!same)
        return 0;       /* it ended meanwhile: nothing to resume */
    if (state == DOMAIN_SUSPENDED &&
        (domain_resume(j->domid, false, e) ||
         domain_check(j->domid, j->s.domain.uuid, &same, &state, e)))
        return -1;
    /* Only our resume step can have paused it. */
    if (same && j->paused && state == DOMAIN_PAUSED)
        return domain_unpause(j->domid, e);
    return 0;
}

/* Notes of a cold create; each comes with the seals of all disks. */
#define CLOSING "closing"       /* the domain is about to be destroyed */
#define CLOSED "closed"
#define CAPTURED "captured"
#define UNCAPTURED "uncaptured" /* by the undo */
#define CAME_BACK "came-back"   /* the undo has restored the guest */

/*
 * From here on the memory image is all that there is of the guest: it must
 * be on disk before.
 */
static int close_domain(struct job *j, const struct step *step,
                        struct err *e)
{
    (void)step;
    if (memory_sync(j->memory, &j->s, e) ||
        store_save(j->st, STORE_NEW, &j->s, e) || use_seal(j, CLOSING, e))
        return -1;
    disk_host_close(&j->host);
    j->host.cold = true;
    if (domain_destroy(j->domid, e) || disk_wait_closed(&j->s, e))
        return -1;
    return use_seal(j, CLOSED, e);
}

/* Is a domain of the name there, and is it the one that was saved? */
static int find_ours(struct job *j, struct domain *d, bool *there_r,
                     bool *ours_r, struct err *e)
{
    int rc = domain_look(j->st->domain, d, e);

    if (rc < 0)
        return -1;
    *there_r = rc > 0;
    *ours_r = rc > 0 && !strcmp(d->uuid, j->s.domain.uuid);
    return 0;
}

/* Restores from what a crash left: the journal is older than the image. */
static int restore_new(struct job *j, struct err *e)
{
    struct snapshot whole;

    if (store_load(j->st, STORE_NEW, j->s.name, &whole, e))
        return -1;
    meta_free(&j->s);
    j->s = whole;
    job_take_notes(j);
    if (disk_wait_closed(&j->s, e))
        return -1;
    return step_restore_paused(j, STORE_NEW, e);
}

/* Lets the restored domain run, if it is there. */
static int unpause_ours(struct job *j, struct err *e)
{
    struct domain d;
    bool there, ours;

    if (find_ours(j, &d, &there, &ours, e))
        return -1;
    if (ours && d.state == DOMAIN_PAUSED)
        return domain_unpause(d.domid, e);
    return 0;
}

/* What an interrupted cold create has left of the guest. */
enum fate {
    FATE_THERE,                 /* it runs, or ran again, or somebody's does */
    FATE_RESTORE,               /* it is gone, and its disks are as it left them */
    FATE_LOST,                  /* its memory does not fit its disks any more */
};

/*
 * The guest ran again after its domain was destroyed: its memory is of the
 * past then, and so is what it knows of its disks.
 */
static bool came_back(const struct job *j)
{
    return job_is_noted(j, CAME_BACK) || j->back ||
           j->last > step_index(j, STEP_REOPEN);
}

static int find_use(struct job *j, enum fate *fate_r, struct err *e)
{
    const char *vdev;

    *fate_r = FATE_LOST;
    /* A guest that ended with the host is for its owner to start. */
    if (!job_is_of_this_boot(j)) {
        j->lost = "the host was started again since";
        return 0;
    }
    /* The undo itself writes to them: a second try could not tell. */
    if (!j->unused) {
        if (use_find(j, &vdev, e))
            return -1;
        j->unused = !vdev;
    }
    if (j->unused)
        *fate_r = FATE_RESTORE;
    else
        j->lost = "its disks were used since, or that cannot be ruled out";
    return 0;
}

static int find_fate(struct job *j, enum fate *fate_r, struct err *e)
{
    struct domain d;
    bool there, ours;

    *fate_r = FATE_THERE;
    if (came_back(j) || !job_is_noted(j, CLOSING))
        return 0;
    if (find_ours(j, &d, &there, &ours, e))
        return -1;
    /* In another boot the id, and a paused domain, are the user's own. */
    ours = ours && job_is_of_this_boot(j);
    if (ours && d.domid == j->domid)
        return 0;
    if (there && !(ours && d.state == DOMAIN_PAUSED)) {
        j->lost = "it was started since";
        *fate_r = FATE_LOST;
        return 0;
    }
    if (find_use(j, fate_r, e))
        return -1;
    if (*fate_r != FATE_RESTORE)
        return 0;
    /* What a restore that was cut short left has not run yet. */
    if (there && domain_destroy(d.domid, e))
        return -1;
    /*
     * Whoever has an image open now may be a domain of another name: it has
     * perhaps written nothing yet, but will.
     */
    return disk_check_free(&j->s, NULL, false, e);
}

/* A full disk, on which nothing can be noted, does not keep the guest paused. */
static int restore_back(struct job *j, struct err *e)
{
    struct err ignored;

    if (restore_new(j, e))
        return -1;
    j->back = true;
    if (!job_note_flag(j, CAME_BACK, e))
        return 0;
    (void)unpause_ours(j, &ignored);
    return -1;
}

/*
 * The guest runs again from its memory image, once: the user may shut it down
 * while something else is not undone yet.
 */
static int close_undo(struct job *j, const struct step *step, struct err *e)
{
    enum fate fate;
    int rc = find_fate(j, &fate, e);

    (void)step;
    if (!rc && fate == FATE_RESTORE)
        rc = restore_back(j, e);
    if (!rc && fate != FATE_LOST)
        rc = unpause_ours(j, e);
    j->keep_memory = rc != 0;
    return rc;
}

static int capture(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    /* A live save of an HVM guest makes QEMU let go of its images. */
    if (j->live && !strcmp(j->s.domain.type, "hvm") && j->host.qemu &&
        qemu_cont(j->host.qemu, e))
        return say_if_ended(j, e);
    if (disk_capture(&j->host, &j->s, e))
        return say_if_ended(j, e);
    return job_is_cold(j) ? use_seal(j, CAPTURED, e) : 0;
}

/*
 * Cold, some parts are in the way of the guest that is restored; they go while
 * the images are closed.
 */
static int capture_undo_cold(struct job *j, const struct step *step,
                             struct err *e)
{
    enum fate fate;

    if (find_fate(j, &fate, e))
        return -1;
    if (fate != FATE_RESTORE)
        return 0;
    if (prepare_undo(j, step, e))
        return -1;
    return use_seal(j, UNCAPTURED, e);
}

/* Before the guest goes on: what it then writes must be safe. */
static int capture_undo(struct job *j, const struct step *step,
                        struct err *e)
{
    if (job_is_cold(j))
        return capture_undo_cold(j, step, e);
    if (step_open_host(j, e))
        return -1;
    return j->host.running ? disk_rescue(&j->host, &j->s, e) : 0;
}

static int reopen(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    return step_restore_paused(j, STORE_NEW, e);
}

static int resume(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    if (domain_resume(j->domid, j->paused, e))
        return -1;
    if (j->stopped_ms)
        j->downtime_ms = clock_ms() - j->stopped_ms;
    return 0;
}

static int record(struct job *j, const struct step *step, struct err *e)
{
    size_t i;

    (void)step;
    j->s.downtime_ms = j->downtime_ms;
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_finish(&j->host, &j->s.disks[i], e))
            return -1;
    if (memory_sync(j->memory, &j->s, e))
        return -1;
    return store_save(j->st, STORE_NEW, &j->s, e);
}

static int publish(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    return store_move(j->st, j->s.name, STORE_NEW, STORE_COMMITTED, e);
}

static int publish_happened(struct job *j, bool *yes_r, struct err *e)
{
    return step_moved(j, STORE_NEW, STORE_COMMITTED, yes_r, e);
}

static int set_current(struct job *j, const struct step *step,
                       struct err *e)
{
    (void)step;
    return store_set_current(j->st, j->s.domain.uuid, j->s.name, e);
}

const struct step_ops steps_create[STEP_COUNT] = {
    [STEP_STAGE] = { .act = stage, .undo = stage_undo },
    [STEP_PREPARE] = { .act = prepare, .undo = prepare_undo },
    [STEP_HOLD_MONITOR] = { .act = hold_monitor, .undo = hold_undo },
    [STEP_SAVE] = { .act = save, .undo = save_undo },
    [STEP_CLOSE] = { .act = close_domain, .undo = close_undo },
    [STEP_CAPTURE] = { .act = capture, .undo = capture_undo, .joined = true },
    [STEP_REOPEN] = { .act = reopen },
    [STEP_RESUME] = { .act = resume, .joined = true },
    [STEP_RELEASE_MONITOR] = { .act = release_monitor, .joined = true },
    [STEP_RECORD] = { .act = record },
    [STEP_PUBLISH] = { .act = publish, .happened = publish_happened },
    [STEP_SET_CURRENT] = { .act = set_current },
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
