/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * LVM: what lvs says of a volume group's logical volumes, and the commands
 * that change them.  A volume is named "VG/LV".
 */

#ifndef SNAPSHOT_VOLUME_H
#define SNAPSHOT_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys/err.h"

/* Every volume that holds a disk snapshot has this tag, and no other. */
#define VOLUME_TAG "xl-snapshot"

struct volume {
    char *name;             /* "VG/LV" */
    char *uuid;
    char *tags;             /* with commas between them */
    char *origin;           /* of a snapshot: the LV it was taken of, or "" */
    char *pool;             /* of a thin one: its pool's LV, or "" */
    char *health;           /* "" if well */
    bool thin, active;
    bool suspended;         /* all I/O to it waits */
    bool invalid;           /* a classic snapshot that has overflowed */
    bool check_needed;      /* a thin pool that must be repaired */
    uint64_t size;          /* of a classic snapshot: what it can hold */
    double used;            /* percent of that, or of a pool; -1: unknown */
    double metadata_used;
    uint64_t vg_free, extent;
};

struct volumes {
    struct volume *v;
    size_t n;
};

/*
 * The name of the volume that is behind a path of whatever form (the caller's
 * to free), or NULL: there is none, or one inside LVM.  Runs nothing.
 */
int volume_of_path(const char *path, char **name_r, struct err *e);
/* True if the path leads there by the volume's name, not by a number. */
bool volume_is_named_by(const char *path, const char *name);

/* All of the group, or none if there is no such group. */
int volumes_read(const char *vg, struct volumes *vs, struct err *e);
/* Of the group that the volume is in. */
int volumes_read_beside(const char *name, struct volumes *vs, struct err *e);
void volumes_free(struct volumes *vs);
const struct volume *volumes_find(const struct volumes *vs, const char *name);
/* "lv" is in the same group as "beside". */
const struct volume *volumes_find_lv(const struct volumes *vs,
                                     const char *beside, const char *lv);
bool volume_has_tag(const struct volume *v, const char *tag);

/*
 * A name for a snapshot volume, in the group of its origin: from its name,
 * the snapshot's and "unique", made to what LVM allows.
 */
char *volume_snapshot_name(const char *origin, const char *snapshot,
                           const char *unique);
/* Its device, /dev/mapper/...; layer is "" or "-cow". */
char *volume_device(const char *name, const char *layer);
/* Bytes with which a classic snapshot of so large a volume never overflows. */
uint64_t volume_full_size(uint64_t size, uint64_t extent);

struct volume_take {
    const char *origin, *name;
    uint64_t size;          /* classic; 0 for thin */
    const char *tags;       /* with commas between them */
    bool active;            /* thin: to be used, now and after a boot */
    bool test;              /* change nothing, say whether it would work */
};

/* Makes a snapshot volume. */
int volume_take(const struct volume_take *t, struct err *e);
/* Within its group; users of the volume do not notice. */
int volume_rename(const char *from, const char *to, struct err *e);
int volume_remove(const char *name, struct err *e);
/* To be read for a while: one that is skipped when its group is activated. */
int volume_activate(const char *name, bool yes, struct err *e);
/* Lets I/O go on that a command which died on its way left waiting. */
int volume_refresh(const char *name, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
