/*
 * Transactions, with a table of steps of this test in place of steps.c: a
 * world in shared memory that acts change and undos change back.  A crash is
 * a child process that ends in the middle.
 */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/sys/interrupt.h"
#include "snapshot/txn/journal.h"
#include "snapshot/sys/mem.h"
#include "snapshot/txn/steps.h"
#include "snapshot/txn/txn.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#define CRASHED 77

enum fate { NONE, FAIL_BEFORE, FAIL_AFTER, CRASH_BEFORE, CRASH_AFTER };

static struct world {
    bool done[STEP_COUNT];
    char log[4096];                 /* "+stage +prepare -prepare ..." */
    unsigned records[STEP_COUNT];   /* of the journal when the act ran */
    struct { enum verb verb; enum fate fate; } act, undo;
    bool probe_fails;
    bool superseded, held, given_up;
    int signal_at;                  /* verb whose act raises SIGTERM, or -1 */
} *world;

static struct store st;
static char *journal;
static const enum verb steps[] = {
    STEP_STAGE, STEP_PREPARE, STEP_SAVE, STEP_CAPTURE, STEP_RESUME,
    STEP_RECORD, STEP_PUBLISH, STEP_SET_CURRENT, STEP_UNPAUSE,
};
#define NSTEPS (sizeof(steps) / sizeof(steps[0]))
#define COMMIT 6

static void note_step(const char *sign, enum verb v)
{
    size_t len = strlen(world->log);

    snprintf(world->log + len, sizeof(world->log) - len, "%s%s%s",
             len ? " " : "", sign, plan_verb_name(v));
}

static unsigned journal_lines(void)
{
    char *text = unit_get(journal, NULL), *p;
    unsigned n = 0;

    for (p = text; p && *p; p++)
        n += *p == '\n';
    free(text);
    return n;
}

static int change(bool to, enum verb v, enum fate fate, struct err *e)
{
    note_step(to ? "+" : "-", v);
    if (fate == CRASH_BEFORE)
        _exit(CRASHED);
    if (fate == FAIL_BEFORE)
        return err_set(e, SNAP_FAILED, "no %s", plan_verb_name(v));
    world->done[v] = to;
    if (fate == CRASH_AFTER)
        _exit(CRASHED);
    if (fate == FAIL_AFTER)
        return err_set(e, SNAP_FAILED, "no %s", plan_verb_name(v));
    return 0;
}

static int act(struct job *j, const struct step *step, struct err *e)
{
    enum fate fate = NONE;

    (void)j;
    world->records[step->verb] = journal_lines();
    if (world->signal_at == (int)step->verb)
        raise(SIGTERM);
    if (step->verb == world->act.verb)
        fate = world->act.fate;
    return change(true, step->verb, fate, e);
}

static int undo(struct job *j, const struct step *step, struct err *e)
{
    enum fate fate = NONE;

    (void)j;
    if (step->verb == world->undo.verb)
        fate = world->undo.fate;
    return change(false, step->verb, fate, e);
}

static int happened(struct job *j, bool *yes_r, struct err *e)
{
    (void)j;
    if (world->probe_fails)
        return err_set(e, SNAP_FAILED, "cannot tell");
    *yes_r = world->done[STEP_PUBLISH];
    return 0;
}

/* The user's own work is in the place of the operation's. */
static int superseded(struct job *j, long begun, bool *yes_r, struct err *e)
{
    (void)j;
    (void)begun;
    (void)e;
    *yes_r = world->superseded;
    return 0;
}

int steps_give_up(struct job *j, long begun, struct err *e)
{
    (void)j;
    (void)begun;
    if (world->held)
        return err_set(e, SNAP_FAILED, "somebody holds a disk");
    world->given_up = true;
    return 0;
}

const struct step_ops *steps_find(enum verb v)
{
    static const struct step_ops plain = { .act = act, .undo = undo };
    static const struct step_ops joined = {
        .act = act, .undo = undo, .joined = true,
    };
    static const struct step_ops commit = {
        .act = act, .happened = happened, .superseded = superseded,
    };
    static const struct step_ops forward = { .act = act };

    switch (v) {
    case STEP_PUBLISH:
        return &commit;
    case STEP_SET_CURRENT:
    case STEP_UNPAUSE:
        return &forward;
    case STEP_CAPTURE:
    case STEP_RESUME:
        return &joined;
    default:
        return &plain;
    }
}

static void make_job(struct job *j)
{
    size_t i;

    memset(j, 0, sizeof(*j));
    j->op = OP_CREATE;
    j->st = &st;
    fixture_snapshot("snap1", NULL, &j->s);
    j->plan.steps = mem_zalloc(NSTEPS, sizeof(*j->plan.steps));
    j->plan.n = NSTEPS;
    j->plan.commit = COMMIT;
    for (i = 0; i < NSTEPS; i++)
        j->plan.steps[i].verb = steps[i];
}

static void reset(void)
{
    memset(world, 0, sizeof(*world));
    world->signal_at = -1;
    unit_remove(journal);
}

static int run(struct err *e)
{
    struct job j;
    int rc;

    memset(e, 0, sizeof(*e));
    make_job(&j);
    rc = txn_run(&j, e);
    job_free(&j);
    return rc;
}

static char note[3000];
static unsigned notes;

static void keep_note(void *arg, const char *line)
{
    (void)arg;
    notes++;
    snprintf(note, sizeof(note), "%s", line);
}

static int recover(struct err *e)
{
    static const struct reporter rep = { .note = keep_note };
    struct txn_pending pending;
    int rc;

    notes = 0;
    note[0] = '\0';
    memset(e, 0, sizeof(*e));
    rc = txn_recover(&st, &rep, &pending, e);
    if (rc && pending.name &&
        (pending.op != OP_CREATE || strcmp(pending.name, "snap1")))
        rc = -2;
    free(pending.name);
    return rc;
}

static int run_child(void *arg)
{
    struct err e;

    (void)arg;
    return run(&e) ? 1 : 0;
}

static int recover_child(void *arg)
{
    struct err e;

    (void)arg;
    return recover(&e) ? 1 : 0;
}

/* How many of the steps are done in the world. */
static size_t done(void)
{
    size_t i, n = 0;

    for (i = 0; i < NSTEPS; i++)
        n += world->done[steps[i]];
    return n;
}

static bool log_is(const char *want)
{
    if (!strcmp(world->log, want))
        return true;
    printf("# log '%s', want '%s'\n", world->log, want);
    return false;
}

/* What undoing from step "last" on logs: "-b -a", after the acts. */
static char *undo_log(size_t acts, size_t last)
{
    char *text = mem_strdup("");
    size_t i;

    for (i = 0; i < acts + last + 1; i++) {
        enum verb v = i < acts ? steps[i] : steps[last - (i - acts)];
        char *more;

        if (i >= acts && !steps_find(v)->undo)
            continue;
        more = mem_printf("%s%s%s%s", text, text[0] ? " " : "",
                          i < acts ? "+" : "-", plan_verb_name(v));
        free(text);
        text = more;
    }
    return text;
}

static void all_well(void)
{
    struct err e;

    reset();
    check_ok(run(&e), &e, "a transaction runs");
    check(log_is("+stage +prepare +save +capture +resume +record +publish "
                 "+set-current +unpause"), "its acts in order, no undo");
    check(!journal_exists(&st), "and leaves no journal");
    check(world->records[STEP_STAGE] == 2 &&
          world->records[STEP_PREPARE] == 3, "each step is journaled first");
    check(world->records[STEP_CAPTURE] == world->records[STEP_SAVE] &&
          world->records[STEP_RESUME] == world->records[STEP_SAVE] &&
          world->records[STEP_RECORD] == world->records[STEP_SAVE] + 1,
          "joined steps share the record of the one before");
    check(!recover(&e) && !notes, "nothing to recover, nothing to say");
}

static void failures(void)
{
    bool all = true;
    struct err e;
    size_t i;
    enum fate f;

    for (i = 0; i <= COMMIT; i++)
        for (f = FAIL_BEFORE; f <= FAIL_AFTER; f++) {
            char *why = mem_printf("no %s", plan_verb_name(steps[i]));
            char *want = undo_log(i + 1, i);

            if (i == COMMIT && f == FAIL_AFTER) {
                free(want);
                free(why);
                continue;
            }
            reset();
            world->act.verb = steps[i];
            world->act.fate = f;
            if (!is_err(run(&e), &e, SNAP_FAILED, why) || done() ||
                !log_is(want) || journal_exists(&st))
                all = false;
            free(want);
            free(why);
        }
    check(all, "a failure up to the commit point: the cause is told, all is "
          "undone, newest first, the failed step too");
}

static void late_failures(void)
{
    bool all = true;
    struct err e;
    size_t i;

    for (i = COMMIT; i < NSTEPS; i++) {
        reset();
        world->act.verb = steps[i];
        world->act.fate = FAIL_AFTER;
        if (!is_err(run(&e), &e, SNAP_NEEDS_USER, "the create of snapshot 'snap1' of domain g1 "
                    "is unfinished: no ") || !journal_exists(&st) ||
            strchr(world->log, '-') == world->log)
            all = false;
        world->act.fate = NONE;
        if (recover(&e) || done() != NSTEPS || journal_exists(&st) ||
            notes != 1 || !strstr(note, "completed"))
            all = false;
    }
    check(all, "a failure after it: the user is told, the next recovery "
          "completes and says so once");
    reset();
    world->act.verb = STEP_SET_CURRENT;
    world->act.fate = FAIL_BEFORE;
    run(&e);
    check_err(recover(&e), &e, SNAP_NEEDS_USER,
              "cannot be completed: no set-current",
              "a recovery that fails too");
    check(journal_exists(&st) && done() == COMMIT + 1, "undoes nothing");
}

static void crashes(void)
{
    bool old_or_new = true, silent = true, twice = true;
    struct err e;
    size_t i, n = 0;
    enum fate f;

    for (i = 0; i < NSTEPS; i++)
        for (f = CRASH_BEFORE; f <= CRASH_AFTER; f++, n++) {
            bool committed = i > COMMIT || (i == COMMIT && f == CRASH_AFTER);

            reset();
            world->act.verb = steps[i];
            world->act.fate = f;
            if (unit_child(run_child, NULL) != CRASHED)
                old_or_new = false;
            world->act.fate = NONE;
            if (recover(&e) || done() != (committed ? NSTEPS : 0) ||
                journal_exists(&st)) {
                printf("# crash in %s: %s\n", plan_verb_name(steps[i]),
                       e.text);
                old_or_new = false;
            }
            if (notes != 1 ||
                !strstr(note, committed ? "completed" : "undone"))
                silent = false;
            world->log[0] = '\0';
            if (recover(&e) || notes || world->log[0])
                twice = false;
        }
    check(old_or_new, "a crash at each of %zu points: the old state before "
          "the commit point, the new one after", n);
    check(silent, "with one note");
    check(twice, "and a second recovery finds nothing to do");
}

/* A crash of the recovery itself, at each of its undos and acts. */
static void crashes_twice(void)
{
    bool all = true;
    struct err e;
    size_t i, k, n = 0;
    enum fate f;

    for (i = 0; i < NSTEPS; i++)
        for (k = 0; k < NSTEPS; k++)
            for (f = CRASH_BEFORE; f <= CRASH_AFTER; f++) {
                reset();
                world->act.verb = steps[i];
                world->act.fate = CRASH_AFTER;
                unit_child(run_child, NULL);
                world->act.verb = world->undo.verb = steps[k];
                world->act.fate = world->undo.fate = f;
                n += unit_child(recover_child, NULL) == CRASHED;
                world->act.fate = world->undo.fate = NONE;
                if (recover(&e) || done() != (i < COMMIT ? 0 : NSTEPS) ||
                    journal_exists(&st))
                    all = false;
            }
    check(all && n > 20, "%zu crashes of the recovery change nothing", n);
}

static void undo_fails(void)
{
    struct err e;

    reset();
    world->act.verb = STEP_RECORD;
    world->undo.verb = STEP_PREPARE;
    world->act.fate = world->undo.fate = FAIL_BEFORE;
    check_err(run(&e), &e, SNAP_NEEDS_USER, "failed and cannot be undone: no "
              "prepare", "an undo that fails is told");
    check(!world->done[STEP_SAVE] && !world->done[STEP_STAGE] &&
          world->done[STEP_PREPARE], "all others are done");
    check(journal_exists(&st), "the journal stays");
    check_err(recover(&e), &e, SNAP_NEEDS_USER, "cannot be undone",
              "the next command tries again");
    world->undo.fate = NONE;
    check(!recover(&e) && !done() && !journal_exists(&st) &&
          strstr(note, "undone"), "and can once it is mended");
}

/* The user worked on while the operation was unfinished. */
static void superseded_by_user(void)
{
    struct err e;

    reset();
    world->act.verb = STEP_SET_CURRENT;
    world->act.fate = FAIL_BEFORE;
    run(&e);
    world->act.fate = NONE;
    world->superseded = true;
    world->log[0] = '\0';
    check(!recover(&e) && !world->log[0] && !journal_exists(&st),
          "what the user's work has replaced is neither completed nor undone");
}

static bool has_given_up(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *de;
    bool found = false;

    while (dir && !found && (de = readdir(dir)))
        found = !strncmp(de->d_name, STORE_GIVEN_UP, strlen(STORE_GIVEN_UP));
    if (dir)
        closedir(dir);
    return found;
}

static void given_up(void)
{
    static const struct reporter rep = { .note = keep_note };
    struct err e;
    char *path;

    reset();
    world->act.verb = STEP_SET_CURRENT;
    world->act.fate = FAIL_BEFORE;
    run(&e);
    world->held = true;
    check_err(txn_give_up(&st, &rep, &e), &e, SNAP_FAILED, "holds a disk",
              "nothing is given up while somebody holds a disk");
    check(journal_exists(&st), "and the journal stays");
    world->held = false;
    world->log[0] = '\0';
    check(!txn_give_up(&st, &rep, &e) && world->given_up &&
          !world->log[0] && !journal_exists(&st),
          "what is given up ends without its steps");
    path = unit_path("store/g1");
    check(has_given_up(path), "its journal is kept aside");
    free(path);
}

static void probe_fails(void)
{
    struct err e;

    reset();
    world->act.verb = STEP_PUBLISH;
    world->act.fate = FAIL_BEFORE;
    world->probe_fails = true;
    check_err(run(&e), &e, SNAP_NEEDS_USER, "cannot tell",
              "if the commit point cannot be told, the user is");
    check(journal_exists(&st) && done() == COMMIT &&
          !strchr(world->log, '-'), "and nothing is undone on a guess");
    world->probe_fails = false;
    check(!recover(&e) && !done(), "until it can be told");
}

static int interrupted(void *arg)
{
    struct err e;

    interrupt_catch(&e);
    world->signal_at = *(int *)arg;
    if (!run(&e))
        return 0;
    return strstr(e.text, "interrupted by signal 15") ? e.status : 99;
}

static void signals(void)
{
    int early = STEP_PREPARE, late = STEP_PUBLISH;

    reset();
    check(unit_child(interrupted, &early) == SNAP_FAILED && !done() &&
          !journal_exists(&st), "a signal before the commit point: undone");
    reset();
    check(unit_child(interrupted, &late) == 0 && done() == NSTEPS,
          "at the commit point or after: completed");
}

/* As a full disk: no room for another record in the journal. */
static int no_room(void *arg)
{
    struct rlimit lim = { 0, 0 };
    char *text = unit_get(journal, NULL);
    struct err e;

    (void)arg;
    lim.rlim_cur = lim.rlim_max = strlen(text) + 40;
    signal(SIGXFSZ, SIG_IGN);
    free(text);
    setrlimit(RLIMIT_FSIZE, &lim);
    if (!run(&e))
        return 0;
    return strstr(e.text, journal) ? e.status : 99;
}

static void no_journal(void)
{
    struct job j;
    struct journal log;
    json_object *o;
    struct err e;

    reset();
    mkdir(journal, 0700);
    check_err(run(&e), &e, SNAP_FAILED, journal, "no journal can be written");
    check(log_is(""), "then no step is done");
    rmdir(journal);
    make_job(&j);
    o = job_to_json(&j);
    journal_start(&st, o, &log, &e);
    journal_close(&log);
    json_object_put(o);
    job_free(&j);
    check(unit_child(no_room, NULL) == SNAP_FAILED && !done() &&
          !journal_exists(&st), "a journal that cannot grow: all is undone");
}

/* A journal that is whole but not of this domain, or not of an operation. */
static void hostile(void (*change_job)(struct job *j), long begin,
                    const char *what)
{
    struct journal log;
    struct job j;
    json_object *o;
    struct err e;

    reset();
    make_job(&j);
    change_job(&j);
    o = job_to_json(&j);
    journal_start(&st, o, &log, &e);
    if (begin >= 0)
        journal_begin(&log, (size_t)begin, (size_t)begin, &e);
    journal_close(&log);
    json_object_put(o);
    job_free(&j);
    check_err(recover(&e), &e, SNAP_NEEDS_USER, "", "%s", what);
    check(log_is("") && journal_exists(&st), "nothing is done for it");
}

static void other_domain(struct job *j)
{
    static struct store other = { .domain = (char *)"g2" };

    j->st = &other;
}

static void other_commit(struct job *j)
{
    j->plan.commit = 2;
}

static void no_change(struct job *j)
{
    (void)j;
}

static void no_disk(struct job *j)
{
    j->plan.steps[0].verb = STEP_APPLY;
    j->plan.steps[0].disk = j->s.ndisks;
}

static void no_steps(struct job *j)
{
    j->plan.n = 0;
    j->plan.commit = 0;
}

static void bad_name(struct job *j)
{
    json_add_str(j->s.raw, "name", "../../etc");
}

int main(void)
{
    char *root = unit_path("store");
    size_t before;
    struct err e;

    world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (world == MAP_FAILED || store_open(&st, root, "g1", true, &e))
        return 2;
    journal = unit_path("store/g1/.journal");
    before = unit_open_fds();
    all_well();
    failures();
    late_failures();
    crashes();
    crashes_twice();
    undo_fails();
    superseded_by_user();
    given_up();
    probe_fails();
    signals();
    no_journal();
    hostile(other_domain, 2, "a journal of another domain");
    hostile(other_commit, 2, "a commit point that is none");
    hostile(no_change, 9, "a step that the plan does not have");
    hostile(no_disk, 0, "a step on a disk that is not there");
    hostile(no_steps, 0, "a plan without steps");
    hostile(bad_name, 2, "a name that leads elsewhere");
    check(unit_open_fds() == before, "no descriptor is left open");
    store_close(&st);
    free(journal);
    free(root);
    return unit_done();
}
