/* SPDX-License-Identifier: LGPL-2.1-only */

/* Opens what a snapshot has. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "memory/place.h"
#include "op/reader.h"
#include "op/serve.h"
#include "op/session.h"
#include "op/sources.h"
#include "store/manifest.h"
#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "sys/report.h"

static int add_disk(struct sources *x, const struct snapshot_disk *disk,
                    struct err *e)
{
    if (!manifest_vdev_is_safe(disk->vdev) || manifest_find(&x->m, disk->vdev))
        return err_set(e, SNAP_FAILED, "disk '%s' has no name that a file "
                       "could have", disk->vdev);
    x->serves[x->m.ndisks].disk = disk;
    x->m.disks[x->m.ndisks++].vdev = mem_strdup(disk->vdev);
    return 0;
}

int sources_load(struct sources *x, struct session *s, const char *name,
                 struct err *e)
{
    size_t i;

    if (tree_find(&s->tree, name) == TREE_NONE)
        return session_no_such(s, name, e);
    if (store_load(&s->st, STORE_COMMITTED, name, &x->m.s, e) ||
        session_lock_disks(s, NULL, &x->m.s, e))
        return -1;
    x->m.disks = mem_zalloc(x->m.s.ndisks + 1, sizeof(*x->m.disks));
    x->serves = mem_zalloc(x->m.s.ndisks + 1, sizeof(*x->serves));
    for (i = 0; i < x->m.s.ndisks; i++) {
        const struct snapshot_disk *disk = &x->m.s.disks[i];

        if (meta_disk_has_part(disk) &&
            (disk_verify(disk, false, e) || add_disk(x, disk, e)))
            return -1;
    }
    return 0;
}

int sources_open(struct sources *x, struct session *s, bool memory,
                 struct err *e)
{
    size_t i;

    if (reader_mark(s, x->m.s.name, &x->mark, e))
        return -1;
    x->marked = true;
    if (memory) {
        x->memory_dir = memory_place_open(&s->st, STORE_COMMITTED, &x->m.s,
                                          &x->memory_what, e);
        if (x->memory_dir < 0)
            return -1;
    }
    if (serve_make_dir(x->run, e))
        return -1;
    for (i = 0; i < x->m.ndisks; i++) {
        const struct snapshot_disk *disk = x->serves[i].disk;

        if (serve_open(&x->serves[i], disk, x->run, NULL, false, e))
            return -1;
    }
    return 0;
}

void sources_close(struct sources *x, const struct reporter *rep)
{
    struct err e;
    size_t i;

    for (i = 0; x->serves && i < x->m.ndisks; i++)
        if (x->serves[i].socket && serve_close(&x->serves[i], &e))
            report_note(rep, "warning: %s", e.text);
    free(x->serves);
    x->serves = NULL;
    if (x->run[0])
        rmdir(x->run);
    if (x->memory_dir >= 0)
        close(x->memory_dir);
    x->memory_dir = -1;
    free(x->memory_what);
    x->memory_what = NULL;
    if (x->marked)
        reader_unmark(&x->mark);
    x->marked = false;
    manifest_free(&x->m);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
