/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Plans: what an operation will do, as a list of steps.  Pure: from the
 * domain, its disks, the tree and the request, nothing is read or changed.
 * The list printed by "xl -N" is the list that runs (txn.h).
 *
 * One step of a plan is its commit point: recovery after a crash undoes
 * everything before that step has happened, and completes everything after
 * (DESIGN section 1).
 */

#ifndef SNAPSHOT_PLAN_H
#define SNAPSHOT_PLAN_H

#include "xen/domain.h"
#include "store/tree.h"

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
    STEP_DESTROY,
    STEP_APPLY,             /* one disk */
    STEP_RESTORE,           /* from memory, paused */
    STEP_UNPAUSE,
    /* delete */
    STEP_HIDE,
    STEP_REMOVE,            /* one disk */
    STEP_RELINK,            /* the children, to the parent */
    STEP_PURGE,
    /* protect */
    STEP_PROTECT,           /* or no longer: writes snapshot.json */
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

/* The kinds that the user asked for. */
struct disk_wish {
    const char *all;            /* for every disk not named, or NULL */
    struct disk_choice {
        char *vdev, *type;
        char *path;             /* of the new file, or NULL */
        uint64_t size;          /* of the new volume in bytes, or 0 */
    } *each;
    size_t neach;
};

struct plan_create {
    const char *name;
    const char *description;    /* or NULL */
    const struct disk_wish *disks;
    const char *unique;         /* disk.h, struct disk_request */
    bool compress;              /* the memory image */
    const char *memory_dir;     /* where it goes; NULL: the store */
    uint64_t now;               /* seconds since the epoch */
    bool cold;                  /* the domain is destroyed and restored */
    bool paused;                /* and left paused */
};

/*
 * Each fills in the plan, or adds every reason against it to "problems" (a
 * zeroed error) and returns -1.  draft becomes the snapshot to be made; both
 * are the caller's to free.
 */
int plan_create(const struct plan_create *req, const struct domain *dom,
                const struct tree *t, struct snapshot *draft,
                struct plan *p, struct err *problems);
/* dom is NULL if no domain of that name runs. */
int plan_revert(const struct snapshot *s, const struct domain *dom,
                bool paused, bool force, struct plan *p,
                struct err *problems);
int plan_delete(const struct snapshot *s, struct plan *p);
int plan_protect(struct plan *p);
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
