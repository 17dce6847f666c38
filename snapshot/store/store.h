/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The store of one domain's snapshots (doc/design.md 3):
 *
 *   ROOT/<domain>/domain.json        uuid, current
 *   ROOT/<domain>/<name>/            a committed snapshot
 *   ROOT/<domain>/.new-<name>/       one being made
 *   ROOT/<domain>/.del-<name>/       one being deleted: a ghost, whose
 *                                    children already count as its parent's
 *   ROOT/<domain>/.journal           an operation under way (journal.h)
 *   ROOT/<domain>/.lock
 *
 * A snapshot appears by the rename .new-<name> -> <name> and disappears by
 * <name> -> .del-<name>, so that whoever reads at any moment, also after a
 * power cut, sees the old state or the new one without recovery.
 *
 * Calling sequence: store_open(), store_lock() unless only reading, the
 * rest, store_close(), which unlocks.
 */

#ifndef SNAPSHOT_STORE_H
#define SNAPSHOT_STORE_H

#include "store/meta.h"

#ifndef STORE_ROOT
#define STORE_ROOT "/var/lib/xen/snapshots"
#endif
#define STORE_JOURNAL ".journal"
/* What was taken out of the way and not removed; a time follows. */
#define STORE_GIVEN_UP ".given-up-"
#define STORE_LOST ".lost-"

/* What a directory in the store is for. */
enum store_state { STORE_NEW, STORE_COMMITTED, STORE_DELETED };

struct store {
    char *domain;
    char *path;             /* ROOT/<domain>, for messages */
    char *root;
    int root_fd, fd, lock_fd;
    bool fixed;             /* who opened it only looks: set before the lock */
};

/*
 * Opens the domain's directory, making it if "create".  Without "create" a
 * domain that has none gives 0 with st->fd -1.
 */
int store_open(struct store *st, const char *root, const char *domain,
               bool create, struct err *e);
/*
 * The kernel's lock: it dies with this process and no child inherits it.
 * Waits up to wait_s seconds for another holder, then SNAP_BUSY.  Of a store
 * that is fixed only a lock whose file is there is taken: nothing is made, and
 * nothing that a crash left is removed.
 */
int store_lock(struct store *st, unsigned wait_s, struct err *e);
/* Removes the directory too if it is locked and holds nothing any more. */
void store_close(struct store *st);

/* Names of the domains that have a directory in the store; sorted. */
int store_domains(const char *root, char ***names_r, size_t *n_r,
                  struct err *e);
/* Names in one state; sorted.  The caller frees each and the array. */
int store_names(struct store *st, enum store_state state, char ***names_r,
                size_t *n_r, struct err *e);
void store_free_names(char **names, size_t n);

/* -1: that cannot be told. */
int store_is_there(struct store *st, enum store_state state, const char *name,
                   bool *there_r, struct err *e);
/* Where it does not matter which of the last two. */
bool store_exists(struct store *st, enum store_state state,
                  const char *name);
int store_load(struct store *st, enum store_state state, const char *name,
               struct snapshot *s, struct err *e);
/* Writes snapshot.json durably. */
int store_save(struct store *st, enum store_state state,
               const struct snapshot *s, struct err *e);
/* An open descriptor of the snapshot's directory, or -1. */
int store_dir(struct store *st, enum store_state state, const char *name,
              struct err *e);
/* Path of a file in it, for messages and progress; caller frees. */
char *store_file_path(struct store *st, enum store_state state,
                      const char *name, const char *file);

/* Bytes that its files take on disk, as far as that can be told. */
uint64_t store_size_on_disk(struct store *st, const char *name);

int store_make_new(struct store *st, const char *name, struct err *e);
/* One durable rename; done already is not an error. */
int store_move(struct store *st, const char *name, enum store_state from,
               enum store_state to, struct err *e);
/*
 * Takes a directory out of the way under a name that nobody looks for, prefix
 * STORE_GIVEN_UP or STORE_LOST, and nothing is removed.  *path_r, its path
 * then, is the caller's to free; NULL if there was none.
 */
int store_set_aside(struct store *st, enum store_state state,
                    const char *name, const char *prefix, char **path_r,
                    struct err *e);
/* Removes the files that we make in it, then the directory. */
int store_remove(struct store *st, enum store_state state, const char *name,
                 struct err *e);

/*
 * Gives the whole directory, which is locked, another domain's name; -1 if that
 * one has a directory already.
 */
int store_rename(struct store *st, const char *domain, struct err *e);

/* domain.json; *current_r is NULL if there is none, else the caller's. */
int store_get_current(struct store *st, char **current_r, struct err *e);
/* The uuid that the domain had when its current snapshot was made, or NULL. */
int store_get_uuid(struct store *st, char **uuid_r, struct err *e);
int store_set_current(struct store *st, const char *uuid,
                      const char *current, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
