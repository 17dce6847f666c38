/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The engine's front: the four operations (doc/design.md 4).  Everything
 * here returns 0, or -1 with the error and its exit status; nothing prints.
 *
 * Calling sequence: snap_init(), then any operation.  The signals of
 * interrupt.h are caught from the first one on.
 */

#ifndef SNAPSHOT_SNAPSHOT_H
#define SNAPSHOT_SNAPSHOT_H

#include "txn/plan.h"
#include "sys/report.h"
#include "op/retain.h"
#include "store/tree.h"

/* libxl_ctx stays the caller's. */
void snap_init(void *libxl_ctx);

/* What a dry run of a create tells beside its steps. */
struct snap_outlook {
    const struct snapshot *s;   /* as far as it is known before it is taken */
    bool cold, live;            /* live: if Xen can */
    uint64_t need, room;        /* bytes for memory at most, and free for it */
    const char *where;          /* the memory image will lie */
};

struct snap_env {
    const char *root;           /* of the store: STORE_ROOT */
    const struct reporter *rep;
    /*
     * Dry run: everything is checked, nothing changed.  plan() gets each
     * step in words instead, and outlook(), which may be NULL, is called before.
     */
    void (*plan)(void *arg, const char *step);
    void (*outlook)(void *arg, const struct snap_outlook *o);
    void *plan_arg;
};

/* How the guest is stopped: by itself, cold only where hot cannot be. */
enum snap_mode { SNAP_HOT_OR_COLD, SNAP_COLD };     /* hot may be live */

/*
 * Hot: whether memory is saved while the guest runs, which then stops only for
 * the last of it.  By itself where Xen can, and within bounds (memory.h); the
 * other two: never, or else the operation fails.
 */
enum snap_live { SNAP_LIVE_AUTO, SNAP_LIVE_NO, SNAP_LIVE_ONLY };

/* Of an expiry: it has none. */
#define SNAP_NEVER UINT64_MAX

struct snap_create {
    const char *domain;         /* name or id */
    const char *name;           /* may have strftime escapes; NULL: auto- */
    const char *description;    /* or NULL */
    const char *path;           /* where the memory image goes, or NULL */
    const char *compress;       /* none, zstd[:LEVEL]; NULL: the default */
    struct disk_wish disks;     /* which kind of snapshot for which disk */
    enum snap_mode mode;
    enum snap_live live;        /* cold, it is never live */
    bool paused;                /* leave the domain paused */
    bool protect;
    uint64_t expire_s;          /* it expires so long after; 0: never */
    const struct retain *keep;  /* then delete what these do not keep */
    unsigned wait_s;            /* for another operation on the domain */
};

/*
 * *made_r is the snapshot, the caller's to meta_free().  On failure it has a
 * name if the snapshot was taken but not all deleted that req->keep does not
 * keep.
 */
int snap_create(const struct snap_env *env, const struct snap_create *req,
                struct snapshot *made_r, struct err *e);

enum snap_run { SNAP_AS_IT_WAS, SNAP_RUNNING, SNAP_PAUSED };

struct snap_revert {
    const char *domain;
    const char *name;
    enum snap_run run;
    bool save;                  /* first snapshot the present state */
    const char *save_name;      /* or NULL: auto- */
    bool force;
    unsigned wait_s;
};

/* The downtime of a domain that ran goes to *downtime_ms_r. */
int snap_revert(const struct snap_env *env, const struct snap_revert *req,
                struct snapshot *to_r, uint64_t *downtime_ms_r,
                struct err *e);

enum snap_subtree { SNAP_ALONE, SNAP_WITH_CHILDREN, SNAP_ONLY_CHILDREN };

struct snap_delete {
    const char *domain;
    char *const *names;
    size_t nnames;
    enum snap_subtree subtree;
    const struct retain *keep;  /* instead of names: all that these do not */
    bool force;                 /* protected ones too */
    unsigned wait_s;
};

/*
 * One that cannot be deleted does not keep the others from it: the error names
 * all of these.  *n_r is how many were deleted, also on failure.
 */
int snap_delete(const struct snap_env *env, const struct snap_delete *req,
                size_t *n_r, struct err *e);

enum snap_protection { SNAP_LEAVE, SNAP_PROTECT, SNAP_UNPROTECT };

/* What may change in snapshots that exist; what is not given stays. */
struct snap_set {
    const char *domain;
    char *const *names;
    size_t nnames;
    const char *description;    /* "": none; or NULL */
    enum snap_protection protect;
    uint64_t expire_s;          /* from now on; SNAP_NEVER; or 0 */
    unsigned wait_s;
};

int snap_set(const struct snap_env *env, const struct snap_set *req,
             struct err *e);

struct snap_recover {
    const char *domain;         /* or NULL: what is unfinished is said */
    bool all;                   /* of all domains */
    bool give_up;               /* end what can be neither finished nor undone */
    const char *adopt;          /* take over the snapshots of this name */
    unsigned wait_s;
};

int snap_recover(const struct snap_env *env, const struct snap_recover *req,
                 struct err *e);

/* What a view serves, once clients can connect. */
struct snap_served {
    const char *domain, *snapshot, *vdev;
    const char *socket;
    uint64_t size;              /* bytes */
};

struct snap_view {
    const char *domain, *name;
    const char *vdev;           /* NULL: the only disk that it has */
    const char *socket;         /* a path that is not there yet, or NULL */
    bool writable;              /* writes are lost when it ends */
    unsigned wait_s;
    void (*ready)(void *arg, const struct snap_served *served);
    void *ready_arg;
};

/*
 * Serves a disk of a snapshot by NBD until a signal comes, which is its end and
 * no error.  Deletions, reverts, and merges into what it reads, wait meanwhile.
 */
int snap_view(const struct snap_env *env, const struct snap_view *req,
              struct err *e);

struct snap_export {
    const char *domain, *name;
    const char *dir;            /* to be made; "-": a tar to stdout instead */
    const char *since;          /* an earlier export's, or NULL; not with "-" */
    bool plain;                 /* no compression: raw images, as in a tar */
    bool no_memory;
    unsigned wait_s;
};

struct snap_exported {
    size_t ndisks;
    uint64_t bytes;             /* of memory and images, written */
};

/*
 * Writes a snapshot to a directory of its own, or a tar (doc/design.md 9), as the
 * guest runs on.  Deletions, reverts and merges into what it reads wait meanwhile.
 */
int snap_export(const struct snap_env *env, const struct snap_export *req,
                struct snap_exported *r, struct err *e);
/* Reads all of an export, and what it stands on. */
int snap_export_check(const struct snap_env *env, const char *dir,
                      struct err *e);

struct snap_import {
    const char *dir;            /* an export; "-": a tar of one on stdin */
    const char *name;           /* of the domain here; NULL: as it was */
    const char *const *disks;   /* "VDEV=PATH" each, ndisks */
    size_t ndisks;
    /* The folder of other images, NULL: theirs.  Of a tar, too; NULL: "." */
    const char *path;
    bool force;                 /* whatever its configuration asks for */
    bool no_memory;             /* disks and configuration: no snapshot */
    unsigned wait_s;
};

struct snap_imported {
    struct snapshot s;          /* the caller's to meta_free() */
    bool memory;                /* it is in the store */
    char *cfg;                  /* the file for xl; the caller's to free */
};

/*
 * Makes images, a configuration for xl, and in the store the snapshot that they
 * are of, of a domain that is not here.  *r is filled in after 0, in a dry run
 * with what would be made.
 */
int snap_import(const struct snap_env *env, const struct snap_import *req,
                struct snap_imported *r, struct err *e);

struct snap_clone {
    const char *domain;
    const char *name;           /* of the snapshot */
    const char *clone;          /* the name of the new domain */
    const char *const *disks;   /* "VDEV=PATH" each, ndisks */
    size_t ndisks;
    bool memory;                /* goes on where it was; else it boots */
    bool paused;                /* it boots paused; with memory it always is */
    unsigned wait_s;
};

/*
 * Makes another domain of a snapshot, with images of its own, and starts it.  *r
 * is filled in, too, if it was made and could not be started.
 */
int snap_clone(const struct snap_env *env, const struct snap_clone *req,
               struct snap_imported *r, struct err *e);

/*
 * The committed snapshots of a domain; takes no lock.  sizes: also what they
 * take on disk.  What is damaged is in "problems".  *pending_r tells that an
 * operation is unfinished or under way.  The caller frees *domain_r and the
 * tree.
 */
int snap_list(const struct snap_env *env, const char *domain, bool sizes,
              char **domain_r, struct tree *t_r, bool *pending_r,
              struct err *problems, struct err *e);

/* A look for hints in messages: the domain has a snapshot of this name. */
bool snap_exists(const struct snap_env *env, const char *domain,
                 const char *name);

/*
 * Reads all that belongs to a listed snapshot; what is wrong is added to
 * "problems" (a zeroed error).
 */
int snap_check(const struct snap_env *env, const char *domain,
               const struct snapshot *s,
               struct err *problems, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
