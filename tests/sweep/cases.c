/* SPDX-License-Identifier: LGPL-2.1-only */

/* The cases of the sweep: every fault at every point that a run passes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sweep.h"
#include "snapshot/sys/mem.h"

struct point {
    char class[8];
    unsigned n;
    char what[128];
};

struct points {
    struct point *p;
    size_t n;
};

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

    op_prepare(w, op);
    run_program(&w->scene, op->argv, fault, recovery_fault ? NULL : log, 0,
                &r);
    scene_settle();
    if (recovery_fault)
        run_program(&w->scene, recovery, *recovery_fault ? recovery_fault :
                    NULL, log, 0, &r);
    op_end(w);
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

/* What this operation is swept with. */
static bool is_swept(const struct op *op, const char *class)
{
    return op->all || !strcmp(class, "txn") ||
           (op->also && strstr(op->also, class));
}

/* The mode after which a user would start his guest by hand. */
static const char *crash_of(size_t class)
{
    size_t m;

    for (m = 0; classes[class].modes[m]; m++)
        if (!strcmp(classes[class].modes[m], "kill"))
            return "kill";
    return classes[class].modes[0];
}

static size_t user_group(struct sweep *w, const struct op *op)
{
    size_t g = group_of(w, op, "the user meanwhile");

    w->groups[g].modes = 1;
    return g;
}

static void add_user_case(struct sweep *w, const struct op *op,
                          const struct point *p, const char *first,
                          const char *second, const char *third)
{
    size_t g = user_group(w, op);

    w->groups[g].points++;
    add_case(w, op, g, p->what, first, second, third);
}

/* Before the recovery the user acts: at every point of every class. */
static void add_user(struct sweep *w, const struct op *op,
                     const struct points *list)
{
    size_t c, i;

    for (c = 0; c < NCLASSES; c++)
        for (i = 0; is_swept(op, classes[c].class) && i < list->n; i++) {
            const struct point *p = &list->p[i];
            char *fault = fault_text(p, crash_of(c));

            if (!strcmp(p->class, classes[c].class) &&
                makes_sense(p, crash_of(c)))
                add_user_case(w, op, p, fault, USER, NULL);
            free(fault);
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
                if (m == 1)
                    add_user_case(w, op, &undo.p[k], both, USER, NULL);
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
                add_user_case(w, op, p, first, second, USER);
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
    op_prepare(w, op);
    run_program(&w->scene, argv, NULL, NULL, 0, &r);
    op_end(w);
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

void cases_make(struct sweep *w, const struct op *op)
{
    struct points list = passed(w, op, NULL, NULL);
    size_t c;

    if (!list.n)
        text_add(&w->problems, "%s passes no point; ", op->name);
    check_steps(w, op, &list);
    for (c = 0; c < NCLASSES; c++)
        if (is_swept(op, classes[c].class))
            add_class(w, op, &list, c);
    add_user(w, op, &list);
    if (!strncmp(op->name, "create", 6))
        add_rollback(w, op, &list);
    add_recovery(w, op, &list);
    free(list.p);
}

void cases_check_verbs(struct sweep *w)
{
    enum verb v;

    for (v = 0; v < STEP_COUNT; v++)
        if (!w->seen[v][0] || !w->seen[v][1])
            text_add(&w->problems, "no operation of the sweep passes step "
                     "'%s'; ", plan_verb_name(v));
}

void cases_print(const struct sweep *w, FILE *f)
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

void cases_parse(struct sweep *w, const char *text)
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
            c.op = op_find(word);
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

void cases_take_line(struct sweep *w, char *line, size_t base)
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
        add_case(w, op_find(word[2]), base + strtoul(word[1], NULL, 10),
                 word[3], word[4], *word[5] ? word[5] : NULL,
                 *word[6] ? word[6] : NULL);
    } else if (!strcmp(word[0], "seen")) {
        w->seen[strtoul(word[1], NULL, 10)][strtoul(word[2], NULL, 10)] =
            true;
    } else if (!strcmp(word[0], "problem")) {
        text_add(&w->problems, "%s", word[1]);
    }
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
