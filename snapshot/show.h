/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

/* Snapshots for people and for scripts: table, tree, names, JSON. */

#ifndef SNAPSHOT_SHOW_H
#define SNAPSHOT_SHOW_H

#include "tree.h"

enum show_style { SHOW_TABLE, SHOW_LONG, SHOW_TREE, SHOW_NAMES, SHOW_JSON };

/* To stdout; only the snapshot "name" if that is given. */
void show_tree(const struct tree *t, const char *name, enum show_style style);

/* "12.3 MiB"; the caller's to free. */
char *show_size(uint64_t bytes);
/* "xvda internal, xvdb none (read-only)"; the caller's to free. */
char *show_disks(const struct snapshot *s);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
