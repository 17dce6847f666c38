/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What the parts of the fault sweep share: ops.c has the operations and the
 * states that they lead to, cases.c makes the cases, trial.c runs one, and
 * sweep.c has the workers, the result and main().
 */

#ifndef TESTS_SWEEP_H
#define TESTS_SWEEP_H

#include <stdbool.h>
#include <stdio.h>

#include "scene.h"
#include "snapshot/txn/plan.h"

#define XS "xl-snapshot"
#define CREATE XS, "snapshot-create"
#define REVERT XS, "snapshot-revert"
#define DELETE XS, "snapshot-delete"
#define SET XS, "snapshot-set"
#define EXPORT XS, "snapshot-export"
#define IMPORT XS, "snapshot-import"

/* In the place of a recovery's fault: the user acts, and it has none. */
#define USER "user"

#define MAX_MIDS 4
#define MAX_WORDS 8
#define MAX_SETUP 6
#define MAX_FAULTS 4
#define MAX_GROUPS 256
#define MAX_OPS 64

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

extern const struct op ops[];
extern const size_t nops;
/* Recovers, and says that there is nothing to delete. */
extern words recovery;

struct op_state {
    char *old, *new, *mids[MAX_MIDS];
    /* As old and mids, but the domain was destroyed; of reverts. */
    char *off, *mids_off[MAX_MIDS];
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
    struct op_state states[MAX_OPS];
    struct a_case *cases;
    size_t ncases;
    struct group groups[MAX_GROUPS];
    size_t ngroups;
    bool seen[STEP_COUNT][3];   /* places of a verb: before, after, undo */
    struct text problems;       /* found while the cases are made */
    unsigned leaks;
};

const struct op *op_find(const char *name);
/* The scene before the operation. */
void op_prepare(struct sweep *w, const struct op *op);
/* Ends the guest and all processes; false if one was left. */
bool op_end(struct sweep *w);
/* What the scene looks like before it and after it; found once. */
struct op_state *op_states(struct sweep *w, const struct op *op);

/* Adds the cases of an operation. */
void cases_make(struct sweep *w, const struct op *op);
/* Places that a step must have been seen at. */
void cases_check_verbs(struct sweep *w);
/* As lines, from one process to another. */
void cases_print(const struct sweep *w, FILE *f);
/* One line of cases_print(); base is the group that its first one got. */
void cases_take_line(struct sweep *w, char *line, size_t base);
/* "OP / FAULT / FAULT", as a failure names it. */
void cases_parse(struct sweep *w, const char *text);

struct trial {
    struct sweep *w;
    const struct op *op;
    const struct op_state *st;
    const struct a_case *c;
    struct text why;            /* what is wrong */
    bool said_off;              /* that the domain was destroyed for nothing */
    bool qemu_died;             /* of a fault of its own: nothing to judge */
};

/*
 * The user starts his guest from the untouched configuration, works and shuts
 * it down, or lets it run (user.c); the moment is what he leaves.  Then, after
 * the next command, what must be so.
 */
void user_acts(struct trial *t, bool shuts_down, struct moment *left);
void user_check(struct trial *t, const struct moment *left);

/* He starts it. */
void user_starts(struct trial *t);

/* The program ends with this status, or a reason is noted. */
void trial_expect(struct trial *t, const char *const *argv, int status,
                  const char *what);
/* The next command recovers, and says that there is nothing to delete. */
void trial_recover(struct trial *t);
/* One of the snapshots that are left gives back its bytes. */
void trial_revert(struct trial *t, size_t turn);

/* One case; "turn" tells which snapshot is gone back to at its end. */
void trial_run(struct trial *t, size_t turn);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
