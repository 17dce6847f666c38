/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

/*
 * The fault sweep: every operation, with every fault at every point, on the
 * fake host (tests/fake/host.h); faults: tests/fake/spec.h.
 *
 *   sweep [--part=N] [--jobs=N] [--only=WORD] [--case='OP / FAULT [/ FAULT]']
 *
 * --part=N: every N-th case of each group.  --case: one case, as a failure
 * names it; the second and later faults are for the recoveries.
 *
 * Points are not listed here: they are what a run without faults passes, so
 * a new step or call is swept without anyone remembering.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state.h"
#include "snapshot/clock.h"
#include "snapshot/mem.h"
#include "snapshot/plan.h"

#define MAX_MIDS 2
#define MAX_WORDS 8
#define MAX_SETUP 6
#define MAX_FAULTS 4
#define MAX_GROUPS 256
#define MAX_JOBS 16

typedef const char *const words[MAX_WORDS];

struct op {
    const char *name;
    words argv;
    enum layout layout;
    words setup[MAX_SETUP];     /* commands before it */
    /* What may have been done of a command that has several operations. */
    words mids[MAX_MIDS];
    bool off;                   /* the domain does not run */
    bool all;                   /* every class of fault, not only txn */
    const char *also;           /* classes beside txn */
    bool reopens;               /* the domain gets another id */
    const char *snapshot;       /* what it makes, goes back to, deletes */
    const char *leaves;         /* state of the domain, "running" if NULL */
};

#define XS "xl-snapshot"
#define CREATE XS, "snapshot-create"
#define REVERT XS, "snapshot-revert"
#define DELETE XS, "snapshot-delete"

#define TICK { "bin/xl", "tick", DOMAIN, "2" }

/*
 * The layers of the tree: s1's, on it s2's, on that s3's and s4's, on s4's the
 * live one.  QEMU has opened the live one by the path, which is a link.
 */
static const struct op ops[] = {
    { "create", { CREATE, DOMAIN, "new" }, TREE, .all = true,
      .snapshot = "new" },
    { "create-raw", { CREATE, "-znone", DOMAIN, "new" }, TREE,
      .also = "mem spool", .snapshot = "new" },
    { "create-path", { CREATE, "-P", PLACE, DOMAIN, "new" }, TREE,
      .snapshot = "new" },
    { "create-paused", { CREATE, "-p", DOMAIN, "new" }, TREE,
      .snapshot = "new", .leaves = "paused" },
    { "create-first", { CREATE, DOMAIN, "new", DISKS }, BARE,
      .also = "io qmp img", .snapshot = "new" },
    { "create-cold", { CREATE, "--cold", DOMAIN, "new" }, TREE, .all = true,
      .reopens = true, .snapshot = "new" },
    { "create-cold-first", { CREATE, "--cold", DOMAIN, "new", DISKS }, BARE,
      .also = "xl", .reopens = true, .snapshot = "new" },
    { "revert", { REVERT, DOMAIN, "s1" }, TREE, .all = true,
      .snapshot = "s1" },
    { "revert-off", { REVERT, DOMAIN, "s3" }, TREE, .off = true,
      .snapshot = "s3" },
    { "revert-save", { REVERT, "--save=kept", DOMAIN, "s1" }, TREE,
      .mids = { { CREATE, "-dstate before a revert", DOMAIN, "kept" } },
      .snapshot = "s1" },
    { "delete-leaf", { DELETE, DOMAIN, "s3" }, TREE, .snapshot = "s3" },
    /* A branch: both layers on it take what is in it. */
    { "delete-inner", { DELETE, DOMAIN, "s2" }, TREE, .all = true,
      .snapshot = "s2" },
    /* Takes what is in the one layer on it. */
    { "delete-below", { DELETE, DOMAIN, "s1" }, TREE, .also = "io qmp img",
      .snapshot = "s1" },
    { "delete-current", { DELETE, DOMAIN, "s4" }, TREE, .also = "qmp",
      .snapshot = "s4" },
    /* The layer on it is the one that QEMU opened by the link. */
    { "delete-stale", { DELETE, DOMAIN, "s4" }, TREE,
      .setup = { { CREATE, DOMAIN, "n1" }, TICK }, .also = "qmp",
      .snapshot = "s4" },
    /* It and the layer on it are nodes that we added. */
    { "delete-added", { DELETE, DOMAIN, "n2" }, TREE,
      .setup = { { CREATE, DOMAIN, "n1" }, TICK, { CREATE, DOMAIN, "n2" },
                 TICK, { CREATE, DOMAIN, "n3" }, TICK },
      .also = "qmp", .snapshot = "n2" },
    { "delete-last", { DELETE, DOMAIN, "s1" }, ONE, .also = "qmp",
      .snapshot = "s1" },
    { "delete-off", { DELETE, DOMAIN, "s2" }, TREE, .off = true, .all = true,
      .snapshot = "s2" },
    { "delete-below-off", { DELETE, DOMAIN, "s1" }, TREE, .off = true,
      .also = "io img", .snapshot = "s1" },
    { "delete-current-off", { DELETE, DOMAIN, "s4" }, TREE, .off = true,
      .also = "img", .snapshot = "s4" },
    { "delete-last-off", { DELETE, DOMAIN, "s1" }, ONE, .off = true,
      .also = "io img", .snapshot = "s1" },
    { "delete-tree", { DELETE, "-c", DOMAIN, "s2" }, TREE,
      .mids = { { DELETE, DOMAIN, "s4" }, { DELETE, DOMAIN, "s4", "s3" } },
      .snapshot = "s2" },
    { "create-keep", { CREATE, DOMAIN, "new", "keep_last=1",
                       "keep_match=s[12]" }, TREE,
      .mids = { { CREATE, DOMAIN, "new" } }, .snapshot = "new" },
    { "protect", { DELETE, "--protect", DOMAIN, "s2" }, TREE, .also = "io",
      .snapshot = "s2" },
};

#define NOPS (sizeof(ops) / sizeof(ops[0]))

/* Recovers, and says that there is nothing to delete. */
static words recovery = { DELETE, DOMAIN, "nothing" };

struct op_state {
    char *old, *new, *mids[MAX_MIDS];
};

struct point {
    char class[8];
    unsigned n;
    char what[128];
};

struct points {
    struct point *p;
    size_t n;
};

struct a_case {
    const struct op *op;
    char *faults[MAX_FAULTS];   /* of the command, of its recoveries */
    char *about;                /* of the point */
    size_t group;
};

/* One line of the result: an operation and a class of faults. */
struct group {
    char name[64];
    size_t points, modes, cases, ran, failed;
};

struct sweep {
    struct scene scene;
    struct op_state states[NOPS];
    struct a_case *cases;
    size_t ncases;
    struct group groups[MAX_GROUPS];
    size_t ngroups;
    bool seen[STEP_COUNT][3];   /* places of a verb: before, after, undo */
    struct text problems;       /* found while the cases are made */
    unsigned leaks;
};

/* The states of an operation. */

static void prepare(struct sweep *w, const struct op *op)
{
    struct run r;
    size_t i;

    scene_reset(&w->scene, op->layout, op->off);
    w->scene.reopened = op->reopens;
    for (i = 0; i < MAX_SETUP && op->setup[i][0]; i++) {
        run_program(&w->scene, op->setup[i], NULL, NULL, 0, &r);
        if (r.status)
            text_add(&w->problems, "%s: %s: status %d: %s", op->name,
                     op->setup[i][1], r.status, r.out);
    }
}

static bool clean_end(struct sweep *w)
{
    struct text why = { 0 };
    bool clean = scene_end(&w->scene, &why);

    text_free(&why);
    return clean;
}

static char *state_after(struct sweep *w, const struct op *op,
                         const char *const *argv)
{
    struct run r = { 0 };
    char *look;

    prepare(w, op);
    if (argv)
        run_program(&w->scene, argv, NULL, NULL, 0, &r);
    if (r.status)
        text_add(&w->problems, "%s without a fault: status %d: %s", op->name,
                 r.status, r.out);
    look = scene_look(&w->scene);
    clean_end(w);
    return look;
}

static struct op_state *states_of(struct sweep *w, const struct op *op)
{
    struct op_state *st = &w->states[op - ops];
    size_t i;

    if (st->old)
        return st;
    st->old = state_after(w, op, NULL);
    st->new = state_after(w, op, op->argv);
    for (i = 0; i < MAX_MIDS && op->mids[i][0]; i++)
        st->mids[i] = state_after(w, op, op->mids[i]);
    return st;
}

/* One case. */

struct trial {
    struct sweep *w;
    const struct op *op;
    const struct op_state *st;
    const struct a_case *c;
    struct text why;            /* what is wrong */
    bool qemu_died;             /* of a fault of its own: nothing to judge */
};

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

/* "old", "new", "between", or NULL. */
static const char *which_state(const struct trial *t, const char *look)
{
    size_t i;

    if (!strcmp(look, t->st->old))
        return "old";
    if (!strcmp(look, t->st->new))
        return "new";
    for (i = 0; i < MAX_MIDS && t->st->mids[i]; i++)
        if (!strcmp(look, t->st->mids[i]))
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

/* DESIGN section 5, rule 2: whatever failed, the guest runs. */
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

static void check_status(struct trial *t, const struct run *r,
                         const char *fault, bool first)
{
    const char *state;
    char *look;

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

static void expect(struct trial *t, const char *const *argv, int status,
                   const char *what)
{
    struct run r;

    run_program(&t->w->scene, argv, NULL, NULL, 0, &r);
    if (r.status != status)
        text_add(&t->why, "%s: status %d: %s; ", what, r.status, r.out);
}

static void recover(struct trial *t)
{
    struct run r;

    run_program(&t->w->scene, recovery, NULL, NULL, 0, &r);
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
        expect(t, del, 0, "delete again");
    if (!strncmp(t->op->name, "delete", 6) && done) {
        if (!t->op->off)
            expect(t, create, 0, "the name again");
        return;
    }
    if (t->op->leaves && done)
        return;                 /* a paused guest cannot be snapshot */
    if (!strcmp(state, "between"))
        return;
    if (t->op->mids[0][0] && done)
        return;                 /* the names of its parts are taken */
    expect(t, t->op->argv, 0, "the command again");
}

static void check_tick(struct trial *t)
{
    static words tick = { "bin/xl", "tick", DOMAIN };
    static words unpause = { "bin/xl", "unpause", DOMAIN };
    struct vm vm;
    bool found = vm_find(DOMAIN, &vm);

    if (found && t->op->leaves && !strcmp(vm.state, t->op->leaves))
        expect(t, unpause, 0, "unpause");
    vm_free(&vm);
    if (found)
        expect(t, tick, 0, "the guest");
    else if (!t->op->off)
        text_add(&t->why, "the domain is gone; ");
}

/* One of the scene's snapshots that are left gives back its bytes. */
static void check_revert(struct trial *t, size_t turn)
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
        expect(t, argv, 0, m->name);
        if (!scene_is_at(s, m))
            text_add(&t->why, "%s does not give back its bytes; ", m->name);
        expect(t, unpause, 0, "unpause");
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

static void run_case(struct trial *t, size_t turn)
{
    struct sweep *w = t->w;
    const char *state;
    char *look;
    size_t i;

    if (strstr(t->st->new, "(unknown)") || strstr(t->st->new, "(not the"))
        text_add(&t->why, "without a fault, metadata and images differ; ");
    prepare(w, t->op);
    run_faulty(t, t->op->argv, t->c->faults[0], true);
    check_list(t);
    for (i = 1; i < MAX_FAULTS && t->c->faults[i]; i++)
        run_faulty(t, recovery, t->c->faults[i], false);
    recover(t);
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
    use_again(t, state);
    check_tick(t);
    check_revert(t, turn);
    scene_strays(&w->scene, &t->why);
    scene_end(&w->scene, &t->why);
    scene_check_images(&w->scene, &t->why, &w->leaks);
}

/* Making the cases. */

static struct points read_log(const char *file)
{
    struct points list = { 0 };
    char line[256];
    FILE *f = fopen(file, "re");

    while (f && fgets(line, sizeof(line), f)) {
        struct point p;

        line[strcspn(line, "\n")] = '\0';
        if (sscanf(line, "%7s %u %127[^\n]", p.class, &p.n, p.what) != 3)
            continue;
        list.p = mem_grow(list.p, list.n + 1, sizeof(*list.p));
        list.p[list.n++] = p;
    }
    if (f)
        fclose(f);
    unlink(file);
    return list;
}

static void note_verb(struct sweep *w, const struct point *p)
{
    static const char *const places[] = { "before ", "after ", "undo " };
    size_t i;

    for (i = 0; i < 3; i++)
        if (!strncmp(p->what, places[i], strlen(places[i])) &&
            plan_verb(p->what + strlen(places[i])) < STEP_COUNT)
            w->seen[plan_verb(p->what + strlen(places[i]))][i] = true;
}

/* What the last of the commands passes; the others have their faults. */
static struct points passed(struct sweep *w, const struct op *op,
                            const char *fault, const char *recovery_fault)
{
    char *log = scene_path(&w->scene, "points");
    struct points list;
    struct run r;
    size_t i;

    prepare(w, op);
    run_program(&w->scene, op->argv, fault, recovery_fault ? NULL : log, 0,
                &r);
    scene_settle();
    if (recovery_fault)
        run_program(&w->scene, recovery, *recovery_fault ? recovery_fault :
                    NULL, log, 0, &r);
    clean_end(w);
    list = read_log(log);
    for (i = 0; i < list.n; i++)
        if (!strcmp(list.p[i].class, "txn"))
            note_verb(w, &list.p[i]);
    free(log);
    return list;
}

static size_t group_of(struct sweep *w, const struct op *op,
                       const char *what)
{
    char name[64];
    size_t i;

    snprintf(name, sizeof(name), "%s, %s", op->name, what);
    for (i = 0; i < w->ngroups; i++)
        if (!strcmp(w->groups[i].name, name))
            return i;
    if (i == MAX_GROUPS)
        abort();
    memset(&w->groups[i], 0, sizeof(w->groups[i]));
    memcpy(w->groups[i].name, name, sizeof(name));
    return w->ngroups++;
}

static void add_case(struct sweep *w, const struct op *op, size_t group,
                     const char *about, const char *first,
                     const char *second, const char *third)
{
    struct a_case c = { .op = op, .group = group };

    c.faults[0] = mem_strdup(first);
    c.faults[1] = mem_strdup(second);
    c.faults[2] = mem_strdup(third);
    c.about = mem_strdup(about);
    w->cases = mem_grow(w->cases, w->ncases + 1, sizeof(*w->cases));
    w->cases[w->ncases++] = c;
    w->groups[group].cases++;
}

/* The classes of faults and their modes (tests/fake/spec.h). */
static const struct { const char *class, *title, *modes[12]; } classes[] = {
    { "txn", "steps", { "error", "kill", "int", "term", "hup" } },
    { "io", "file I/O", { "eio", "enospc", "kill", "torn", "+eio",
                          "+enospc" } },
    { "mem", "writing memory", { "eio", "enospc", "kill", "int" } },
    { "spool", "spooling memory", { "eio", "enospc", "kill", "int" } },
    { "qmp", "QEMU's monitor", { "error", "lost", "gone", "kill", "late",
                                 "hang" } },
    { "xen", "libxl", { "error", "lost", "kill", "late" } },
    { "img", "qemu-img", { "fail", "lost", "hang" } },
    { "xl", "xl restore", { "early", "fail", "half", "late", "+early",
                            "+half", "+late" } },
};

#define NCLASSES (sizeof(classes) / sizeof(classes[0]))

static bool makes_sense(const struct point *p, const char *mode)
{
    if (!strcmp(p->class, "txn") && !strncmp(p->what, "undo", 4))
        return false;
    /* A kill there is one before the next call that changes something. */
    if ((!strcmp(mode, "kill") || !strcmp(mode, "enospc")) &&
        !strcmp(p->class, "io") &&
        (!strncmp(p->what, "stat", 4) || !strncmp(p->what, "open", 4) ||
         !strncmp(p->what, "read", 4)))
        return false;
    if (!strcmp(mode, "torn"))
        return !strncmp(p->what, "write", 5);
    if (strstr(mode, "enospc") && !strcmp(p->class, "io"))
        return !strncmp(p->what, "write", 5) ||
               !strncmp(p->what, "create", 6) ||
               !strncmp(p->what, "mkdir", 5) ||
               !strncmp(p->what, "rename", 6) ||
               !strncmp(p->what, "link", 4) ||
               !strncmp(p->what, "symlink", 7) ||
               !strncmp(p->what, "truncate", 8) ||
               !strncmp(p->what, "fsync", 5);
    return true;
}

static char *fault_text(const struct point *p, const char *mode)
{
    bool on = mode[0] == '+';

    return mem_printf("%s:%u%s:%s", p->class, p->n, on ? "+" : "",
                      mode + on);
}

static void add_class(struct sweep *w, const struct op *op,
                      const struct points *list, size_t class)
{
    size_t g = group_of(w, op, classes[class].title), i, m;

    for (m = 0; classes[class].modes[m]; m++)
        w->groups[g].modes = m + 1;
    for (i = 0; i < list->n; i++) {
        if (strcmp(list->p[i].class, classes[class].class))
            continue;
        w->groups[g].points++;
        for (m = 0; classes[class].modes[m]; m++) {
            char *fault = fault_text(&list->p[i], classes[class].modes[m]);

            if (makes_sense(&list->p[i], classes[class].modes[m]))
                add_case(w, op, g, list->p[i].what, fault, NULL, NULL);
            free(fault);
        }
    }
}

static bool is_step(const struct point *p)
{
    return !strcmp(p->class, "txn") && strncmp(p->what, "undo", 4);
}

/* The guest must come back from its memory image, and that fails, too. */
static void add_bad_restores(struct sweep *w, const struct op *op, size_t g,
                             const char *about, const char *fault)
{
    static const char *const modes[] = {
        "1:early", "1:half", "1:late", "1+:half", "1+:late",
    };
    size_t m;

    for (m = 0; m < sizeof(modes) / sizeof(modes[0]); m++) {
        char *both = mem_printf("%s,xl:%s", fault, modes[m]);

        add_case(w, op, g, about, both, NULL, NULL);
        free(both);
    }
}

/*
 * A second fault in the rollback that the first one, an error, begins.  Half
 * of them for an operation that is another one's variant.
 */
static void add_rollback(struct sweep *w, const struct op *op,
                         const struct points *list)
{
    static const char *const modes[] = { "error", "kill", "int" };
    size_t g = group_of(w, op, "rollback"), i, k, m;

    w->groups[g].modes = 3;
    for (i = 0; i < list->n; i++) {
        struct points undo;
        char *fault;

        if (!is_step(&list->p[i]))
            continue;
        fault = fault_text(&list->p[i], "error");
        undo = passed(w, op, fault, NULL);
        for (k = 0; k < undo.n; k++) {
            if (strcmp(undo.p[k].class, "txn") ||
                strncmp(undo.p[k].what, "undo", 4))
                continue;
            w->groups[g].points++;
            for (m = 0; m < 3; m++) {
                char *both = mem_printf("%s,txn:%u:%s", fault, undo.p[k].n,
                                        modes[m]);

                if (op->all || (i / 2 + k + m) % 2)
                    add_case(w, op, g, undo.p[k].what, both, NULL, NULL);
                free(both);
            }
            if (!strcmp(undo.p[k].what, "undo close"))
                add_bad_restores(w, op, g, undo.p[k].what, fault);
        }
        free(undo.p);
        free(fault);
    }
}

/* Around a commit point, and some of the others. */
static bool is_telling(const struct point *p)
{
    return p->n % 5 == 0 || strstr(p->what, "publish") ||
           strstr(p->what, "destroy") || strstr(p->what, "hide");
}

/* Faults while recovering from a kill at each step; half of them, too. */
static void add_recovery(struct sweep *w, const struct op *op,
                         const struct points *list)
{
    static const char *const txn_modes[] = { "error", "kill", "int", NULL };
    static const char *const other_modes[] = { "eio", "kill", NULL };
    static const char *const call_modes[] = { "error", "late", NULL };
    static const char *const restore_modes[] = {
        "half", "late", "+half", NULL
    };
    size_t steps = group_of(w, op, "recovery, steps"), other, i, k, m;

    other = op->all ? group_of(w, op, "recovery, calls") : steps;
    w->groups[steps].modes = 3;
    if (op->all)
        w->groups[other].modes = 2;
    for (i = 0; i < list->n; i++) {
        struct points again;
        char *first;

        if (!is_step(&list->p[i]))
            continue;
        first = fault_text(&list->p[i], "kill");
        again = passed(w, op, first, "");
        for (k = 0; k < again.n; k++) {
            const struct point *p = &again.p[k];
            bool txn = !strcmp(p->class, "txn");
            const char *const *modes = txn ? txn_modes :
                !strcmp(p->class, "io") ? other_modes : call_modes;
            size_t g = txn ? steps : other;

            if (op->reopens && !strcmp(p->class, "xl"))
                modes = restore_modes;
            /* Calls: not from every place, as most repeat. */
            else if (!txn && (!op->all || !is_telling(&list->p[i]) ||
                              !strcmp(p->class, "img") ||
                              !strcmp(p->class, "xl")))
                continue;
            w->groups[g].points++;
            for (m = 0; modes[m]; m++) {
                char *second = fault_text(p, modes[m]);

                if (txn ? op->all || (i / 2 + k + m) % 2 :
                          makes_sense(p, modes[m]))
                    add_case(w, op, g, p->what, first, second, NULL);
                free(second);
            }
            /* And the recovery's recovery is cut short, too. */
            if (txn && op->all && k % 3 == 0) {
                char *second = fault_text(p, "kill");

                add_case(w, op, g, p->what, first, second, second);
                free(second);
            }
        }
        free(again.p);
        free(first);
    }
}

/* Every step of the plan has its points, as many as "xl -N" prints lines. */
static void check_steps(struct sweep *w, const struct op *op,
                        const struct points *list)
{
    const char *argv[MAX_WORDS + 2] = { XS, "-N" };
    size_t i, before = 0, after = 0, lines = 0;
    struct run r;
    char *p;

    for (i = 1; i < MAX_WORDS && op->argv[i]; i++)
        argv[i + 1] = op->argv[i];
    prepare(w, op);
    run_program(&w->scene, argv, NULL, NULL, 0, &r);
    clean_end(w);
    for (p = r.out; *p; p += strcspn(p, "\n") + (strchr(p, '\n') != NULL))
        lines += strtoul(p, NULL, 10) > 0;
    for (i = 0; i < list->n; i++) {
        before += is_step(&list->p[i]) &&
                  !strncmp(list->p[i].what, "before ", 7);
        after += is_step(&list->p[i]) &&
                 !strncmp(list->p[i].what, "after ", 6);
    }
    if (before != lines || after != lines)
        text_add(&w->problems, "%s: %zu steps in the plan, fault points "
                 "before %zu and after %zu; ", op->name, lines, before,
                 after);
}

static void make_cases(struct sweep *w, const struct op *op)
{
    struct points list = passed(w, op, NULL, NULL);
    size_t c;

    if (!list.n)
        text_add(&w->problems, "%s passes no point; ", op->name);
    check_steps(w, op, &list);
    for (c = 0; c < NCLASSES; c++)
        if (op->all || !strcmp(classes[c].class, "txn") ||
            (op->also && strstr(op->also, classes[c].class)))
            add_class(w, op, &list, c);
    if (!strncmp(op->name, "create", 6))
        add_rollback(w, op, &list);
    add_recovery(w, op, &list);
    free(list.p);
}

/* Places that a step must have been seen at. */
static void check_verbs(struct sweep *w)
{
    enum verb v;

    for (v = 0; v < STEP_COUNT; v++)
        if (!w->seen[v][0] || !w->seen[v][1])
            text_add(&w->problems, "no operation of the sweep passes step "
                     "'%s'; ", plan_verb_name(v));
}

/* Workers.  First each makes the cases of some operations, as lines. */

/* Ctrl-C: the workers end their processes and go. */
static volatile sig_atomic_t stop;
static pid_t workers[MAX_JOBS];

static void note_stop(int sig)
{
    size_t i;

    stop = sig;
    for (i = 0; i < MAX_JOBS; i++)
        if (workers[i] > 0)
            kill(workers[i], SIGTERM);
}

static void catch_stop(void)
{
    struct sigaction sa = { .sa_handler = note_stop };

    memset(workers, 0, sizeof(workers));
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

struct options {
    size_t part, jobs;
    const char *only, *one;
};

struct result {
    size_t index, group;
    bool failed, skipped, last;
    unsigned leaks;
    char text[3000];
};

static void send_result(int fd, const struct result *r)
{
    const char *p = (const char *)r;
    size_t done = 0;

    while (done < sizeof(*r)) {
        ssize_t n = write(fd, p + done, sizeof(*r) - done);

        if (n <= 0)
            _exit(70);
        done += (size_t)n;
    }
}

static void describe(const struct a_case *c, char *text, size_t size)
{
    size_t i, len;

    snprintf(text, size, "%s / %s", c->op->name, c->faults[0]);
    for (i = 1; i < MAX_FAULTS && c->faults[i]; i++) {
        len = strlen(text);
        snprintf(text + len, size - len, " / %s", c->faults[i]);
    }
    len = strlen(text);
    snprintf(text + len, size - len, " (%s)", c->about);
}

static void one_case(struct sweep *w, size_t i, int out)
{
    struct a_case *c = &w->cases[i];
    struct trial t = { .w = w, .op = c->op, .c = c };
    struct result r = { .index = i, .group = c->group };
    size_t len;

    t.st = states_of(w, c->op);
    if (getenv("SWEEP_SHOW"))
        printf("--- old\n%s--- new\n%s", t.st->old, t.st->new);
    run_case(&t, i);
    r.skipped = t.qemu_died;
    r.failed = !r.skipped && t.why.len != 0;
    if (r.skipped)
        describe(c, r.text, sizeof(r.text));
    if (r.failed) {
        describe(c, r.text, sizeof(r.text));
        len = strlen(r.text);
        snprintf(r.text + len, sizeof(r.text) - len, ": %s", t.why.s);
    }
    for (len = 0; r.text[len]; len++)
        if (r.text[len] == '\n')
            r.text[len] = ' ';
    text_free(&t.why);
    send_result(out, &r);
}

static bool selected(const struct sweep *w, const struct options *o, size_t i,
                     size_t nth)
{
    const struct a_case *c = &w->cases[i];

    if (o->only && !strstr(w->groups[c->group].name, o->only))
        return false;
    /* Scattered, or the same mode would come up at every point. */
    return o->part == 1 || (nth * 2654435761u >> 7) % o->part == 0 ||
           nth == c->group * 37 % w->groups[c->group].cases;
}

static void work(struct sweep *w, const struct options *o, size_t me,
                 int out)
{
    struct result end = { .last = true };
    size_t *nth = mem_zalloc(MAX_GROUPS, sizeof(*nth));
    size_t i, mine = 0;

    for (i = 0; i < w->ncases && !stop; i++)
        if (selected(w, o, i, nth[w->cases[i].group]++) &&
            mine++ % o->jobs == me)
            one_case(w, i, out);
    end.leaks = w->leaks;
    send_result(out, &end);
    free(nth);
}

static void print_cases(const struct sweep *w, FILE *f)
{
    size_t i;
    int k;

    for (i = 0; i < w->ngroups; i++)
        fprintf(f, "group\t%s\t%zu\t%zu\n", w->groups[i].name,
                w->groups[i].points, w->groups[i].modes);
    for (i = 0; i < w->ncases; i++) {
        const struct a_case *c = &w->cases[i];

        fprintf(f, "case\t%zu\t%s\t%s\t%s\t%s\t%s\n", c->group,
                c->op->name, c->about, c->faults[0],
                c->faults[1] ? c->faults[1] : "",
                c->faults[2] ? c->faults[2] : "");
    }
    for (i = 0; i < STEP_COUNT; i++)
        for (k = 0; k < 3; k++)
            if (w->seen[i][k])
                fprintf(f, "seen\t%zu\t%d\n", i, k);
    if (w->problems.s)
        fprintf(f, "problem\t%s\n", w->problems.s);
}

static const struct op *find_op(const char *name)
{
    size_t i;

    for (i = 0; i < NOPS; i++)
        if (!strcmp(ops[i].name, name))
            return &ops[i];
    return NULL;
}

/* "OP / FAULT / FAULT" */
static void parse_case(struct sweep *w, const char *text)
{
    char *copy = mem_strdup(text), *word, *save = NULL;
    struct a_case c = { 0 };
    size_t n = 0;

    c.about = mem_strdup("");
    for (word = strtok_r(copy, " /", &save); word;
         word = strtok_r(NULL, " /", &save)) {
        if (word[0] == '(')
            break;
        if (c.op && n < MAX_FAULTS)
            c.faults[n++] = mem_strdup(word);
        if (!c.op)
            c.op = find_op(word);
    }
    free(copy);
    if (!c.op || !n) {
        fprintf(stderr, "sweep: no such case: %s\n", text);
        exit(2);
    }
    c.group = group_of(w, c.op, "one case");
    w->cases = mem_grow(w->cases, 1, sizeof(*w->cases));
    w->cases[w->ncases++] = c;
}

/* One line of print_cases(); base is the group that its first one got. */
static void take_line(struct sweep *w, char *line, size_t base)
{
    char *word[8] = { 0 };
    struct group *g;
    size_t n;

    line[strcspn(line, "\n")] = '\0';
    for (n = 0; n < 8 && line; n++)
        word[n] = strsep(&line, "\t");
    if (!strcmp(word[0], "group") && w->ngroups < MAX_GROUPS) {
        g = &w->groups[w->ngroups++];
        snprintf(g->name, sizeof(g->name), "%s", word[1]);
        g->points = strtoul(word[2], NULL, 10);
        g->modes = strtoul(word[3], NULL, 10);
    } else if (!strcmp(word[0], "case")) {
        add_case(w, find_op(word[2]), base + strtoul(word[1], NULL, 10),
                 word[3], word[4], *word[5] ? word[5] : NULL,
                 *word[6] ? word[6] : NULL);
    } else if (!strcmp(word[0], "seen")) {
        w->seen[strtoul(word[1], NULL, 10)][strtoul(word[2], NULL, 10)] =
            true;
    } else if (!strcmp(word[0], "problem")) {
        text_add(&w->problems, "%s", word[1]);
    }
}

static void begin_worker(struct sweep *w, const char *base,
                         const char *tools, const char *name, size_t me)
{
    char *dir = mem_printf("%s/%s%zu", base, name, me);

    catch_stop();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (mkdir(dir, 0700)) {
        perror(dir);
        _exit(70);
    }
    scene_make(&w->scene, dir, tools);
    free(dir);
}

/* Each operation's lines in a file of their own. */
static void maker(const struct options *o, const char *base,
                  const char *tools, size_t me)
{
    struct sweep *w = mem_zalloc(1, sizeof(*w));
    size_t i;

    begin_worker(w, base, tools, "m", me);
    for (i = me; i < NOPS && !stop; i += o->jobs) {
        char *file = mem_printf("%s/%s", base, ops[i].name);
        FILE *f;

        if (o->only && strchr(o->only, ',') &&
            strncmp(o->only, ops[i].name, strcspn(o->only, ",")))
            continue;
        w->ncases = w->ngroups = 0;
        text_free(&w->problems);
        memset(w->seen, 0, sizeof(w->seen));
        make_cases(w, &ops[i]);
        f = fopen(file, "we");
        if (!f)
            _exit(70);
        print_cases(w, f);
        if (fclose(f))
            _exit(70);
        free(file);
    }
    scene_remove(&w->scene);
    _exit(0);
}

static int gather(struct sweep *w, const struct options *o, const char *base,
                  const char *tools)
{
    char line[4096];
    size_t i;
    int status, rc = 0;

    fflush(NULL);
    for (i = 0; i < o->jobs; i++) {
        workers[i] = fork();
        if (workers[i] == 0)
            maker(o, base, tools, i);
    }
    while (wait(&status) > 0 || errno == EINTR)
        rc |= status;
    for (i = 0; i < NOPS && !rc; i++) {
        char *file = mem_printf("%s/%s", base, ops[i].name);
        FILE *f = fopen(file, "re");
        size_t first = w->ngroups;

        while (f && fgets(line, sizeof(line), f))
            take_line(w, line, first);
        if (f)
            fclose(f);
        free(file);
    }
    if (!o->only)
        check_verbs(w);
    return rc;
}

static void worker(struct sweep *w, const struct options *o,
                   const char *base, const char *tools, size_t me, int out)
{
    begin_worker(w, base, tools, "w", me);
    work(w, o, me, out);
    scene_remove(&w->scene);
    _exit(0);
}

static bool receive(int fd, struct result *r)
{
    char *p = (char *)r;
    size_t done = 0;

    while (done < sizeof(*r)) {
        ssize_t n = read(fd, p + done, sizeof(*r) - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static int report(const struct sweep *w, const struct options *o)
{
    size_t i, points = 0, ran = 0, cases = 0, failed = 0;

    for (i = 0; i < w->ngroups; i++) {
        const struct group *g = &w->groups[i];

        if (!g->ran && (o->only || !g->cases))
            continue;
        printf("note - sweep: %s: %zu points x %zu modes, %zu faults, %zu "
               "run\n", g->name, g->points, g->modes, g->cases, g->ran);
        printf("%s - sweep: %s%s\n", g->failed ? "not ok" : "ok", g->name,
               g->failed ? ": see above" : "");
        points += g->points;
        cases += g->cases;
        ran += g->ran;
        failed += g->failed;
    }
    printf("note - sweep: %zu points, %zu faults, %zu run, %zu failed\n",
           points, cases,
           ran, failed);
    return failed ? 1 : 0;
}

static int collect(struct sweep *w, const struct options *o, const int *fds)
{
    struct result r;
    size_t i;
    int rc = 0;

    for (i = 0; i < o->jobs; i++) {
        bool last = false;

        while (!last && receive(fds[i], &r)) {
            last = r.last;
            w->leaks += r.leaks;
            if (last)
                continue;
            w->groups[r.group].ran++;
            w->groups[r.group].failed += r.failed;
            if (r.failed)
                printf("not ok - sweep: %s\n", r.text);
            if (r.skipped)
                printf("skip - sweep: %s: qemu-storage-daemon crashed\n",
                       r.text);
            fflush(stdout);
        }
        if (!last) {
            printf("not ok - sweep: a worker ended early\n");
            rc = 1;
        }
    }
    if (w->leaks)
        printf("# qemu-img check: clusters leaked in %u images\n",
               w->leaks);
    return report(w, o) || rc;
}

static int run_all(struct sweep *w, const struct options *o,
                   const char *base, const char *tools)
{
    int in[MAX_JOBS], fds[2], rc, status = 0;
    size_t i;

    fflush(NULL);
    for (i = 0; i < o->jobs; i++) {
        if (pipe(fds))
            return 70;
        workers[i] = fork();
        if (workers[i] == 0) {
            close(fds[0]);
            worker(w, o, base, tools, i, fds[1]);
        }
        close(fds[1]);
        in[i] = fds[0];
    }
    rc = collect(w, o, in);
    while (wait(&status) > 0 || errno == EINTR)
        if (status)
            printf("note - sweep: a worker ended with wait status %#x\n",
                   (unsigned)status);
    return stop ? 130 : rc;
}

static char *tools_dir(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        abort();
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return mem_printf("%s/../fake", self);
}

static void parse_options(int argc, char **argv, struct options *o)
{
    static const struct option opts[] = {
        { "part", 1, 0, 'p' }, { "jobs", 1, 0, 'j' }, { "only", 1, 0, 'o' },
        { "case", 1, 0, 'c' }, { 0, 0, 0, 0 },
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1)
        switch (opt) {
        case 'p':
            o->part = strtoul(optarg, NULL, 10);
            break;
        case 'j':
            o->jobs = strtoul(optarg, NULL, 10);
            break;
        case 'o':
            o->only = optarg;
            break;
        case 'c':
            o->one = optarg;
            o->jobs = 1;
            break;
        default:
            exit(2);
        }
    if (!o->part || !o->jobs || o->jobs > MAX_JOBS)
        exit(2);
}

int main(int argc, char **argv)
{
    struct options o = { .part = 1, .jobs = 2 };
    struct sweep *w = mem_zalloc(1, sizeof(*w));
    char *base = mem_strdup(access("/dev/shm", W_OK) ?
                            "/tmp/sweepXXXXXX" : "/dev/shm/sweepXXXXXX");
    char *tools = tools_dir();
    int rc = 0;

    parse_options(argc, argv, &o);
    catch_stop();
    if (!mkdtemp(base)) {
        perror(base);
        return 70;
    }
    if (o.one) {
        parse_case(w, o.one);
    } else if (gather(w, &o, base, tools)) {
        printf("not ok - sweep: the cases cannot be made\n");
        rc = 1;
    } else {
        printf("%s - sweep: every step of every plan has its fault points"
               "%s%s\n", w->problems.s ? "not ok" : "ok",
               w->problems.s ? ": " : "", w->problems.s ? w->problems.s : "");
        rc = w->problems.s ? 1 : 0;
    }
    if (w->ncases && !stop && run_all(w, &o, base, tools))
        rc = 1;
    remove_tree(base);
    free(base);
    free(tools);
    free(w);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
