/* SPDX-License-Identifier: LGPL-2.1-only */

/* Snapshots for people and for scripts: table, tree, names, JSON. */

#ifndef SNAPSHOT_SHOW_H
#define SNAPSHOT_SHOW_H

#include "snapshot.h"

enum show_style { SHOW_TABLE, SHOW_LONG, SHOW_TREE, SHOW_NAMES, SHOW_JSON };

/* A list on stdout: show_domain() for each domain, then show_end(). */
struct show {
    enum show_style style;
    bool headings;              /* of several domains: says whose */
    bool begun;                 /* there is a list, be it empty */
    size_t columns;             /* to fit into; 0: nothing is cut */
    /* A check's result, instead of the table: by the tree's index, or NULL. */
    char **problems;
    size_t printed;             /* snapshots so far */
};

/* Only the snapshot "name" if that is given; as a tree, with what is below. */
void show_domain(struct show *sh, const char *domain, const struct tree *t,
                 const char *name);
void show_end(struct show *sh);

/* How the guest is stopped, and what each part is and takes; on stdout. */
void show_outlook(const struct snap_outlook *o);

/* "12.3 MiB"; the caller's to free, as all of these. */
char *show_size(uint64_t bytes);
/* "2026-11-23 02:02:03 +0100" */
char *show_moment(uint64_t seconds);
/* "xvda internal, xvdb none (read-only)" */
char *show_disks(const struct snapshot *s);
/* "memory: 32 of 128 MiB (25%), 64 MiB/s, 2 s left" */
char *show_progress(const char *what, uint64_t done, uint64_t total,
                    uint64_t elapsed_ms);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
