/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Who has an image: all snapshots of all domains in the store, and the disks
 * of all domains that run, with everything that these stand on (doc/design.md
 * 8, "The whole store answers").  Images are compared by identity, however
 * their paths are spelled.
 *
 * Calling sequence: census_read() once a session, the questions,
 * census_free().  Texts that are returned are the census's.
 */

#ifndef SNAPSHOT_DISK_CENSUS_H
#define SNAPSHOT_DISK_CENSUS_H

#include "disk/disk.h"

struct census;

/* domain is the one that asks; root is the store's. */
int census_read(const char *root, const char *domain, struct census **c_r,
                struct err *e);
void census_free(struct census *c);

/* The kinds that snapshots of any domain have of the image of this disk. */
void census_others(const struct census *c, const struct domain_disk *disk,
                   struct disk_others *o_r);
/*
 * Another domain whose snapshots have the image of this disk though the domain
 * that asks has none of it, or NULL: it was called so, or had the disk.
 */
const char *census_former_owner(const struct census *c,
                                const struct domain_disk *disk);
/* Which other domain needs the file or device at path, in words, or NULL. */
const char *census_user(const struct census *c, const char *path);
/* The same, but not for one that has it as its own live disk. */
const char *census_reader(const struct census *c, const char *path);
/* Another domain that runs and writes to it, in words, or NULL. */
const char *census_runner(const struct census *c, const char *path);
/*
 * The same for a part that is known by its own proof, as an internal snapshot:
 * another domain's snapshot names the very same one.
 */
const char *census_same_part(const struct census *c,
                             const struct snapshot_disk *d);
/*
 * A record of another domain that cannot be read, in words, or NULL.  Nothing
 * is dropped or merged then, as it may name what would go.
 */
const char *census_unreadable(const struct census *c);

/*
 * A qcow2 file in the folder of the image at path that stands on it and is not
 * in "but", nbut paths: *found_r is the caller's to free, or NULL.  The store
 * cannot know the clones that a user makes by hand; these lie beside their
 * base as a rule.
 */
int census_find_clone(const char *path, char *const *but, size_t nbut,
                      char **found_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
