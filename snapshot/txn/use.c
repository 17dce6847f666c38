/* SPDX-License-Identifier: LGPL-2.1-only */

/* Seals of an operation's disks in its journal, and what they tell. */

#include <stdlib.h>

#include "disk/disk.h"
#include "image/seal.h"
#include "store/meta.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "txn/job.h"
#include "txn/use.h"

#define SEALS "seals"

static int add_seal(const struct job *j, size_t disk, json_object *seals,
                    struct err *e)
{
    const struct snapshot_disk *d = &j->s.disks[disk];
    char *seal;

    if (!meta_disk_has_part(d))
        return 0;
    if (disk_seal(d, &seal, e))
        return -1;
    if (seal)
        json_add_str(seals, d->vdev, seal);
    else
        json_object_object_del(seals, d->vdev);
    free(seal);
    return 0;
}

/* The seals in the notes, to be changed and noted anew; the caller's to put. */
static json_object *copy_seals(const struct job *j)
{
    json_object *old = NULL, *seals = NULL;

    if (j->notes && json_object_object_get_ex(j->notes, SEALS, &old) &&
        json_object_is_type(old, json_type_object) &&
        !json_object_deep_copy(old, &seals, NULL))
        return seals;
    return json_object_new_object();
}

int use_seal(struct job *j, const char *mark, struct err *e)
{
    json_object *seals = json_object_new_object();
    size_t i;

    for (i = 0; i < j->s.ndisks; i++)
        if (add_seal(j, i, seals, e)) {
            json_object_put(seals);
            return -1;
        }
    return job_note_all(j, mark, SEALS, seals, e);
}

int use_seal_disk(struct job *j, size_t disk, struct err *e)
{
    json_object *seals = copy_seals(j);

    if (add_seal(j, disk, seals, e)) {
        json_object_put(seals);
        return -1;
    }
    return job_note(j, SEALS, seals, e);
}

static int is_sealed(const struct job *j, const struct snapshot_disk *d,
                     bool *yes_r, struct err *e)
{
    enum seal_state state;
    json_object *seals;
    const char *seal;

    *yes_r = false;
    if (!job_is_of_this_boot(j) || !j->notes ||
        !json_object_object_get_ex(j->notes, SEALS, &seals) ||
        !json_object_is_type(seals, json_type_object))
        return 0;
    seal = json_text(seals, d->vdev);
    if (!seal[0])
        return 0;
    state = disk_check_seal(d, seal);
    *yes_r = state == SEAL_INTACT;
    if (state != SEAL_UNREADABLE)
        return 0;
    return err_set(e, SNAP_FAILED, "disk %s: %s cannot be read, so nobody can "
                   "tell whether it was used since: bring it back", d->vdev,
                   d->path);
}

int use_find(struct job *j, const char **vdev_r, struct err *e)
{
    size_t i;
    bool sealed, pristine;

    *vdev_r = NULL;
    for (i = 0; i < j->s.ndisks; i++) {
        const struct snapshot_disk *d = &j->s.disks[i];

        if (is_sealed(j, d, &sealed, e))
            return -1;
        if (sealed)
            continue;
        if (disk_is_pristine(d, &pristine, e))
            return -1;
        if (!pristine) {
            *vdev_r = d->vdev;
            return 0;
        }
    }
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
