/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Plans: what an operation will do, as a list of steps.  Pure: from the
 * domain, its disks, the tree and the request, nothing is read or changed.
 * The list printed by "xl -N" is the list that runs (txn.h).
 *
 * One step of a plan is its commit point: recovery after a crash undoes
 * everything before that step has happened, and completes everything after
 * (doc/design.md 1).
 */

#ifndef SNAPSHOT_PLAN_H
#define SNAPSHOT_PLAN_H

#include "disk/disk.h"
#include "store/tree.h"
#include "xen/domain.h"

enum verb {
    /* create */
    STEP_STAGE,             /* the directory .new-NAME */
    STEP_PREPARE,           /* all disks; its undo removes their parts */
    STEP_HOLD_MONITOR,
    STEP_SAVE,              /* suspends the guest, saves its memory */
    STEP_CLOSE,             /* cold: destroys the domain */
    STEP_CAPTURE,           /* all disks, as one */
    STEP_REOPEN,            /* cold: restores the domain, paused */
    STEP_RESUME,
    STEP_RELEASE_MONITOR,
    STEP_RECORD,            /* everything on disk, snapshot.json written */
    STEP_PUBLISH,
    STEP_SET_CURRENT,
    /* revert */
    STEP_READY,             /* one disk: what apply needs */
    STEP_DESTROY,
    STEP_APPLY,             /* one disk */
    STEP_RESTORE,           /* from memory, paused */
    STEP_UNPAUSE,
    /* delete */
    STEP_HIDE,
    STEP_REMOVE,            /* one disk */
    STEP_RELINK,            /* the children, to the parent */
    STEP_PURGE,
    /* import */
    STEP_BUILD,             /* one disk: its image, under a name of its own */
    STEP_TAKE,              /* one disk: its part, of that image */
    STEP_BRING,             /* the memory image; snapshot.json written */
    STEP_WRITE,             /* the configuration for xl, as an image */
    STEP_PLACE,             /* these get their names */
    STEP_TIDY,              /* and lose the others */
    /* set */
    STEP_SET,               /* writes snapshot.json */
    STEP_COUNT,
};

struct step {
    enum verb verb;
    size_t disk;            /* index, for the verbs of one disk */
};

struct plan {
    struct step *steps;
    size_t n;
    size_t commit;          /* index of the commit point */
};

struct plan_create {
    const char *name;
    const char *description;    /* or NULL */
    const struct disk_wish *disks;
    /* What each disk's image has snapshots of; NULL: none. */
    const struct disk_others *others;
    const char *unique;         /* kind.h, struct disk_request */
    bool compress;              /* the memory image */
    const char *memory_dir;     /* where it goes; NULL: the store */
    uint64_t now;               /* seconds since the epoch */
    bool cold;                  /* the domain is destroyed and restored */
    bool paused;                /* and left paused */
};

/*
 * Each fills in the plan, the caller's to free.  plan_create() may add reasons
 * against it to "problems" (a zeroed error) instead and return -1; draft
 * becomes the snapshot to be made, the caller's to free in any case.
 */
int plan_create(const struct plan_create *req, const struct domain *dom,
                const struct tree *t, struct snapshot *draft,
                struct plan *p, struct err *problems);
int plan_revert(const struct snapshot *s, bool paused, struct plan *p);
int plan_delete(const struct snapshot *s, struct plan *p);
/* bare: without memory, so that there is no snapshot. */
int plan_import(const struct snapshot *s, bool bare, struct plan *p);
int plan_set(struct plan *p);
void plan_free(struct plan *p);

/* The words of the journal for a verb; STEP_COUNT if there is none. */
const char *plan_verb_name(enum verb v);
enum verb plan_verb(const char *name);
/* True if a step of this verb is about one disk. */
bool plan_verb_has_disk(enum verb v);
/* A sentence for the user; the caller's to free. */
char *plan_describe(const struct step *step, const struct snapshot *s);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
