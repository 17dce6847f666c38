/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What every changing operation begins with: the domain's lock, the recovery
 * of what a crash left, the tree (doc/design.md 4).
 */

#ifndef SNAPSHOT_SESSION_H
#define SNAPSHOT_SESSION_H

#include "txn/job.h"
#include "disk/census.h"
#include "op/image_locks.h"
#include "snapshot.h"

struct session {
    const struct snap_env *env;
    struct store st;
    struct tree tree;
    bool stale;                 /* the tree is of before a change */
    struct census *census;      /* session_census() */
    struct image_locks locks;   /* session_lock_disks() */
    unsigned wait_s;
};

/*
 * Opens the session of a domain by its name, following a domain that was
 * renamed.  create: the store may be made.  supersede: what is unfinished and
 * cannot be completed or undone is given up, as the caller begins a revert, but
 * for a merge that is half done.  On failure nothing stays open.  In a dry run
 * nothing is made, and s->st.fd may be -1.
 */
int session_open(const struct snap_env *env, const char *domain, bool create,
                 bool supersede, unsigned wait_s, struct session *s,
                 struct err *e);
/* After a change by a job: reads the tree again. */
int session_reload(struct session *s, struct err *e);
void session_close(struct session *s);

/*
 * Who has an image, in any domain; the session's, until the next call of
 * session_lock_disks().
 */
int session_census(struct session *s, const struct census **c_r,
                   struct err *e);
/*
 * Locks the images that an operation is about, with all that they stand on,
 * until the session ends.  What was locked before is let go, and the census
 * with it, unless that covers them.  Before the first look at them.
 */
int session_lock_disks(struct session *s, const struct domain *d,
                       const struct snapshot *snap, struct err *e);

/* The name behind what the user typed: a domain's, or of one not running. */
int session_domain_name(const char *word, char **name_r, struct err *e);

/* A domain without snapshots is fine; one that nobody knows is not. */
int session_check_known(const char *word, const struct store *st,
                        struct err *e);
/* The error that the domain has no such snapshot. */
int session_no_such(const struct session *s, const char *name,
                    struct err *e);
/* All that do not exist are in the error; one that is damaged exists. */
int session_check_names(struct session *s, char *const *names,
                        size_t n, struct err *e);

/*
 * A job for this session.  Its snapshot and plan are filled in by the
 * caller; job_free() ends it.
 */
void session_job(struct session *s, enum op op, struct job *j);
/* Runs it, or in a dry run prints its plan. */
int session_run(struct session *s, struct job *j, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
