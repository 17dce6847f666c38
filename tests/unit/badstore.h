/*
 * A store with one snapshot, for the tests that damage it: what they damage is
 * refused with an error that names file and field, without a crash or a hang,
 * and nothing outside the store is followed or changed.  No domain runs here.
 *
 * bad_begin(), for each case bad_fresh(), the damage, and the operations that a
 * user starts; bad_done() is the program's exit status.
 */

#ifndef TESTS_UNIT_BADSTORE_H
#define TESTS_UNIT_BADSTORE_H

#include "snapshot/snapshot.h"

struct badstore {
    char *root, *snap_dir, *snap_json, *dom_json, *journal;
    char *outside;              /* a directory that nobody may touch */
    struct snap_env env;
    unsigned long tried;        /* operations on something damaged */
};

extern struct badstore bad;

/* Any JSON in the place of another. */
#define BAD_NVALUES 18
extern const char *const bad_values[BAD_NVALUES];

void bad_begin(void);
int bad_done(void);
/* One snapshot "a" in the store, and the files outside. */
void bad_fresh(void);
bool bad_outside_is_whole(void);

/* Lists; how many snapshots, or -1.  What is damaged is in *problems. */
long bad_list(struct err *problems, struct err *e);
/* Deletes "a", or goes back to it; its status. */
enum snap_status bad_delete(struct err *e);
enum snap_status bad_revert(struct err *e);
/* The damaged snapshot is told by its file, and neither goes nor is used. */
bool bad_refused(const char *part);
bool bad_stays(void);

#endif
