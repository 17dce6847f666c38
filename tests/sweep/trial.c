/* SPDX-License-Identifier: LGPL-2.1-only */

/* One case of the sweep: the faults, the recoveries, and what must be so. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sweep.h"
#include "snapshot/sys/mem.h"

static bool has_word(const char *fault, const char *mode)
{
    return strstr(fault, mode) != NULL;
}

static bool ends_it(const char *fault)
{
    return has_word(fault, ":kill") || has_word(fault, ":torn") ||
           has_word(fault, ":late");
}

/* Where the first line that differs does so, for the message. */
static void add_difference(struct text *why, const char *got,
                           const char *want)
{
    const char *line = got;
    size_t same = 0, from;

    while (got[same] && got[same] == want[same])
        if (got[same++] == '\n')
            line = got + same;
    from = same > 30 && got + same - 30 > line ? same - 30 :
           (size_t)(line - got);
    text_add(why, "%.*s...'%.*s', not '%.*s'; ",
             (int)strcspn(line, " \n"), line,
             (int)strcspn(got + from, "\n") < 90 ?
             (int)strcspn(got + from, "\n") : 90, got + from,
             (int)strcspn(want + from, "\n") < 90 ?
             (int)strcspn(want + from, "\n") : 90, want + from);
}

static bool is_look(const char *look, const char *state)
{
    return state && !strcmp(look, state);
}

/*
 * "old", "new", "between", or NULL.  A revert that was cut short when the
 * domain was destroyed and nothing else done has not begun, and says so.
 */
static const char *which_state(const struct trial *t, const char *look)
{
    size_t i;

    if (is_look(look, t->st->old) ||
        (t->said_off && is_look(look, t->st->off)))
        return "old";
    if (is_look(look, t->st->new))
        return "new";
    for (i = 0; i < MAX_MIDS; i++)
        if (is_look(look, t->st->mids[i]) ||
            (t->said_off && is_look(look, t->st->mids_off[i])))
            return "between";
    return NULL;
}

static bool journal_there(struct trial *t)
{
    char *path = scene_path(&t->w->scene, "store/" DOMAIN "/.journal");
    bool there = !access(path, F_OK);

    free(path);
    return there;
}

/* doc/design.md 5, rule 2: whatever failed, the guest runs. */
static void check_guest_runs(struct trial *t, const char *fault)
{
    struct vm vm;
    bool found = vm_find(DOMAIN, &vm);

    /* The fault may be that the very undo of it is not done. */
    if (strncmp(t->op->name, "create", 6) ||
        strstr(t->c->about, "undo save") ||
        strstr(t->c->about, "undo close") ||
        (t->op->reopens && strchr(fault, '+')) ||
        strstr(t->c->about, "undo hold-monitor"))
        goto out;
    if (!found || (strcmp(vm.state, "running") &&
                   (!t->op->leaves || strcmp(vm.state, t->op->leaves))))
        text_add(&t->why, "the command left the guest %s; ",
                 found ? vm.state : "gone");
    else if (process_letter(vm.monitor) == 'T')
        text_add(&t->why, "the command left the monitor stopped; ");

out:
    vm_free(&vm);
}

static void note_said(struct trial *t, const struct run *r)
{
    t->said_off |= strstr(r->out, "its disks are untouched") != NULL;
}

static void check_status(struct trial *t, const struct run *r,
                         const char *fault, bool first)
{
    const char *state;
    char *look;

    note_said(t, r);
    if (r->timeout) {
        text_add(&t->why, "the command hangs: %s; ", r->out);
        return;
    }
    if (r->status == 256 + SIGKILL && ends_it(fault))
        return;
    if (r->status == 4) {
        /* While nothing can be read, it cannot tell that there is none. */
        if (!journal_there(t) && !strchr(fault, '+'))
            text_add(&t->why, "status 4 and nothing to recover: %s; ",
                     r->out);
        /* A recovery may not even have been able to read the journal. */
        if (first || strstr(r->out, "cannot be undone"))
            check_guest_runs(t, fault);
        return;
    }
    /* A recovery that did not get as far as the journal: no fault of Xen. */
    if (!first && r->status == 1 && !strstr(r->out, "has no snapshot") &&
        strncmp(fault, "xen:", 4))
        return;
    /* Nothing can be cleaned up on a file system that has gone bad. */
    if (r->status == 1 && strstr(fault, "+:eio"))
        return;
    if (journal_there(t))
        text_add(&t->why, "status %d leaves a journal: %s; ", r->status,
                 r->out);
    if (r->status > 1)
        text_add(&t->why, "status %d: %s; ", r->status, r->out);
    if (r->status > 1 || (!first && r->status == 0))
        return;
    check_guest_runs(t, fault);
    look = scene_look(&t->w->scene);
    state = which_state(t, look);
    if (!state) {
        text_add(&t->why, "after status %d, ", r->status);
        add_difference(&t->why, look, r->status ? t->st->old : t->st->new);
    } else if (first && r->status == 0 && strcmp(state, "new")) {
        text_add(&t->why, "status 0 and the state is %s; ", state);
    } else if (first && r->status && !strcmp(state, "new")) {
        text_add(&t->why, "status %d and it was done: %s; ", r->status,
                 r->out);
    }
    free(look);
}

static void run_faulty(struct trial *t, const char *const *argv,
                       const char *fault, bool first)
{
    struct run r;

    run_program(&t->w->scene, argv, fault, NULL,
                has_word(fault, ":hang") ? 1 : 0, &r);
    scene_settle();
    if (has_word(fault, ":hang"))
        scene_wake();
    check_status(t, &r, fault, first);
}

void trial_expect(struct trial *t, const char *const *argv, int status,
                  const char *what)
{
    struct run r;

    run_program(&t->w->scene, argv, NULL, NULL, 0, &r);
    if (r.status != status)
        text_add(&t->why, "%s: %s %d: %s; ", what,
                 r.timeout ? "it hangs, status" : "status", r.status, r.out);
}

void trial_recover(struct trial *t)
{
    struct run r;

    run_program(&t->w->scene, recovery, NULL, NULL, 0, &r);
    note_said(t, &r);
    if (r.status != 1 || !strstr(r.out, "has no snapshot"))
        text_add(&t->why, "recovery: status %d: %s; ", r.status, r.out);
}

static void recover_again(struct trial *t, const char *look)
{
    struct run r;
    char *again;

    run_program(&t->w->scene, recovery, NULL, NULL, 0, &r);
    if (r.status != 1 || strstr(r.out, "recovery:"))
        text_add(&t->why, "second recovery: status %d: %s; ", r.status,
                 r.out);
    again = scene_look(&t->w->scene);
    if (strcmp(again, look)) {
        text_add(&t->why, "the second recovery changed ");
        add_difference(&t->why, again, look);
    }
    free(again);
}

/* The command can be given again, and its name used again. */
static void use_again(struct trial *t, const char *state)
{
    const char *name = t->op->snapshot;
    const char *const del[] = { DELETE, "-q", DOMAIN, name, NULL };
    const char *const create[] = { CREATE, "-q", DOMAIN, name, NULL };
    bool done = !strcmp(state, "new");

    if (!strncmp(t->op->name, "create", 6) && done)
        trial_expect(t, del, 0, "delete again");
    /* Its images stay, and nothing is overwritten. */
    if (!strncmp(t->op->name, "import", 6) && done) {
        if (name)
            trial_expect(t, del, 0, "the imported snapshot goes");
        return;
    }
    if (!strncmp(t->op->name, "delete", 6) && done) {
        if (!t->op->off)
            trial_expect(t, create, 0, "the name again");
        return;
    }
    if (t->op->leaves && done)
        return;                 /* a paused guest cannot be snapshot */
    if (!strcmp(state, "between"))
        return;
    if (t->op->mids[0][0] && done)
        return;                 /* the names of its parts are taken */
    trial_expect(t, t->op->argv, 0, "the command again");
}

static void check_tick(struct trial *t)
{
    static words tick = { "bin/xl", "tick", DOMAIN };
    static words unpause = { "bin/xl", "unpause", DOMAIN };
    struct vm vm;
    bool found = vm_find(DOMAIN, &vm);

    if (found && t->op->leaves && !strcmp(vm.state, t->op->leaves))
        trial_expect(t, unpause, 0, "unpause");
    vm_free(&vm);
    if (found)
        trial_expect(t, tick, 0, "the guest");
    else if (!t->op->off)
        text_add(&t->why, "the domain is gone; ");
}

/* One of the scene's snapshots that are left gives back its bytes. */
void trial_revert(struct trial *t, size_t turn)
{
    struct scene *s = &t->w->scene;
    size_t n = s->nmoments, i;

    for (i = 0; i < n; i++) {
        const struct moment *m = &s->moments[(turn + i) % n];
        const char *const argv[] = { REVERT, "-pq", DOMAIN, m->name, NULL };
        static words unpause = { "bin/xl", "unpause", DOMAIN };
        char *dir = mem_printf("%s/store/" DOMAIN "/%s", s->dir, m->name);
        bool there = !access(dir, F_OK);

        free(dir);
        /* A deleted name may have been used again for another moment. */
        if (!there || !strcmp(m->name, t->op->snapshot))
            continue;
        trial_expect(t, argv, 0, m->name);
        if (!scene_is_at(s, m))
            text_add(&t->why, "%s does not give back its bytes; ", m->name);
        trial_expect(t, unpause, 0, "unpause");
        check_tick(t);
        return;
    }
}

static void check_list(struct trial *t)
{
    static words list = { XS, "snapshot-list", "-n", DOMAIN };
    struct run r;

    run_program(&t->w->scene, list, NULL, NULL, 0, &r);
    /* The last snapshot is gone, and there is no domain either. */
    if (r.status && !(t->op->off && strstr(r.out, "nor snapshots")))
        text_add(&t->why, "snapshot-list: status %d: %s; ", r.status, r.out);
}

/* No fault kills it; QEMU 7.2's daemon crashes if a job loses its client. */
static bool qemu_is_dead(void)
{
    struct vm vm;
    bool dead = vm_find(DOMAIN, &vm) && vm.qemu > 0 &&
                !process_is(vm.qemu, "qemu-storage-da");

    vm_free(&vm);
    return dead;
}

/* The rest of a case in which the user acts before the recovery. */
static void run_user(struct trial *t, size_t turn)
{
    struct scene *s = &t->w->scene;
    struct moment left;

    s->user = true;
    t->qemu_died = qemu_is_dead();
    if (!t->qemu_died) {
        user_acts(t, turn % 2, &left);
        trial_recover(t);
        user_check(t, &left);
        check_list(t);
        scene_strays(s, &t->why);
        trial_revert(t, turn);
        scene_strays(s, &t->why);
    }
    scene_end(s, &t->why);
    if (!t->qemu_died)
        scene_check_images(s, &t->why, &t->w->leaks);
}

void trial_run(struct trial *t, size_t turn)
{
    struct sweep *w = t->w;
    struct vm vm = { 0 };
    const char *state;
    char *look;
    size_t i;

    text_free(&w->problems);
    if (strstr(t->st->new, "(unknown)") || strstr(t->st->new, "(not the"))
        text_add(&t->why, "without a fault, metadata and images differ; ");
    op_prepare(w, t->op);
    if (w->problems.len)
        text_add(&t->why, "before the fault: %s; ", w->problems.s);
    text_free(&w->problems);
    run_faulty(t, t->op->argv, t->c->faults[0], true);
    check_list(t);
    for (i = 1; i < MAX_FAULTS && t->c->faults[i]; i++)
        if (strcmp(t->c->faults[i], USER))
            run_faulty(t, recovery, t->c->faults[i], false);
    if (!strcmp(t->c->faults[i - 1], USER)) {
        run_user(t, turn);
        return;
    }
    trial_recover(t);
    t->qemu_died = qemu_is_dead();
    if (t->qemu_died) {
        scene_end(&w->scene, &t->why);
        return;
    }
    look = scene_look(&w->scene);
    state = which_state(t, look);
    if (!state) {
        text_add(&t->why, "after recovery, against the old state ");
        add_difference(&t->why, look, t->st->old);
        text_add(&t->why, "against the new state ");
        add_difference(&t->why, look, t->st->new);
        state = "?";
    }
    recover_again(t, look);
    free(look);
    scene_strays(&w->scene, &t->why);
    if (t->said_off && !vm_find(DOMAIN, &vm))
        user_starts(t);
    vm_free(&vm);
    use_again(t, state);
    check_tick(t);
    trial_revert(t, turn);
    scene_strays(&w->scene, &t->why);
    scene_end(&w->scene, &t->why);
    scene_check_images(&w->scene, &t->why, &w->leaks);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
