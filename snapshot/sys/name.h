/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Names of snapshots and domains (doc/design.md 2).  A snapshot's name is
 * also a directory's and a qcow2 snapshot's name, where digits alone would
 * be read as an id.
 */

#ifndef SNAPSHOT_NAME_H
#define SNAPSHOT_NAME_H

#include <stdbool.h>
#include <time.h>

#include "sys/err.h"

#define NAME_MAX_LEN 63
#define NAME_UNIQUE_LEN 8

/* SNAP_USAGE with the reason if the name is not allowed. */
int name_check(const char *name, struct err *e);
/* A domain's name becomes a directory: no '/', no leading dot. */
int name_check_domain(const char *name, struct err *e);
/*
 * The same for one that we name: digits alone, which xl takes for an id, would lead
 * to another domain.
 */
int name_check_new_domain(const char *name, struct err *e);
/*
 * Expands strftime escapes of the template at the time given (UTC), or
 * makes auto-YYYYMMDDTHHMMSSZ if there is none; the result is checked.
 * *name_r is the caller's to free.
 */
int name_expand(const char *template, time_t now, char **name_r,
                struct err *e);

/* "VG/LV" in the characters that LVM allows, which no option begins with. */
bool name_is_volume(const char *name);
/*
 * "POOL/IMAGE" or "POOL/NAMESPACE/IMAGE" in characters that neither Ceph nor
 * QEMU gives a meaning, and which no option begins with.
 */
bool name_is_rbd_image(const char *name);
/* The same for one word: of a snapshot of an image, or of a Ceph user. */
bool name_is_rbd_word(const char *name);

/* Random hex digits that make a file's name unlike any other, and a NUL. */
int name_unique(char unique[NAME_UNIQUE_LEN + 1], struct err *e);
/* It could be of it. */
bool name_is_unique(const char *text);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
