/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Where a memory image lies: in the snapshot's own directory in the store,
 * or where --path put it, in a directory of its own that meta.h describes
 * (META_PLACE_FORMAT).  Only that directory and what we make in it are ever
 * removed.
 */

#ifndef SNAPSHOT_MEMORY_PLACE_H
#define SNAPSHOT_MEMORY_PLACE_H

#include "store/store.h"

/*
 * An open descriptor of the directory that holds the image, or -1.  *what_r
 * is the image's path for messages, the caller's to free in any case.
 */
int memory_place_open(struct store *st, enum store_state state,
                      const struct snapshot *s, char **what_r,
                      struct err *e);
/* Of the directory in which there must be room for it, or -1. */
int memory_place_disk(struct store *st, const struct snapshot *s,
                      const char **what_r, struct err *e);
/* If so many bytes are not free there, "problems" gets a line that says so. */
void memory_place_check_room(struct store *st, const struct snapshot *s,
                             uint64_t need, struct err *problems);
/* The directory outside of the store; nothing to do if there is none. */
int memory_place_make(const struct snapshot *s, struct err *e);
/* Removes it with the image; what is gone already is not an error. */
int memory_place_remove(const struct snapshot *s, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
