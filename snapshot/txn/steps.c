/* SPDX-License-Identifier: LGPL-2.1-only */


#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "image/image.h"
#include "memory/genid.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/mem.h"
#include "txn/steps.h"
#include "xen/domain.h"

static bool has_layers(const struct snapshot *s)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++)
        if (s->disks[i].link)
            return true;
    return false;
}

static int note_move(struct snapshot_disk *d, const char *to, bool done,
                     struct err *e)
{
    if (done && image_inode(to, &d->inode, e))
        return -1;
    free(d->discard);
    d->discard = done ? d->part : mem_strdup(to);
    if (done)
        d->part = mem_strdup(to);
    return 0;
}

/* struct disk_host, moved: done, the other snapshots name the layer "to". */
static int layer_moved(void *arg, const char *from, const char *to, bool done,
                       struct err *e)
{
    struct job *j = arg;
    size_t i, k;

    for (i = 0; i < j->nothers; i++) {
        struct snapshot *s = &j->others[i];
        bool changed = false;

        for (k = 0; k < s->ndisks; k++) {
            struct snapshot_disk *d = &s->disks[k];

            if (!d->link || strcmp(d->part, from))
                continue;
            if (note_move(d, to, done, e))
                return -1;
            changed = true;
        }
        if (changed && store_save(j->st, STORE_COMMITTED, s, e))
            return -1;
    }
    return 0;
}

int step_open_host(struct job *j, struct err *e)
{
    char **names = NULL;
    size_t n = 0, i;
    int rc;

    disk_host_close(&j->host);
    if (disk_host_open(j->s.domain.name, &j->host, e))
        return -1;
    j->host.moved = layer_moved;
    j->host.moved_arg = j;
    if (!has_layers(&j->s))
        return 0;
    while (j->nothers)
        meta_free(&j->others[--j->nothers]);
    rc = store_names(j->st, STORE_COMMITTED, &names, &n, e);
    free(j->others);
    j->others = mem_zalloc(n, sizeof(*j->others));
    for (i = 0; !rc && i < n; i++) {
        if (!strcmp(names[i], j->s.name))
            continue;
        rc = store_load(j->st, STORE_COMMITTED, names[i],
                        &j->others[j->nothers], e);
        if (!rc)
            disk_host_add_other(&j->host, &j->others[j->nothers++]);
    }
    store_free_names(names, n);
    return rc;
}

int step_restore_paused(struct job *j, enum store_state state,
                        struct err *e)
{
    struct genid g = { 0 };
    char *what;
    struct memory_reader *r = NULL;
    int dirfd = memory_place_open(j->st, state, &j->s, &what, e), rc = -1;

    if (dirfd < 0 || memory_open(dirfd, &j->s, what, j->rep, &r, e))
        goto out;
    /* A guest that goes back in time is to notice. */
    if (j->op != OP_REVERT)
        rc = domain_restore(memory_source, r, e);
    else if (!genid_begin(&g, memory_source, r, e))
        rc = domain_restore(genid_source, &g, e);
    if (memory_failed(r, e))
        rc = -1;

out:
    genid_end(&g);
    memory_reader_close(r);
    if (dirfd >= 0)
        close(dirfd);
    free(what);
    return rc;
}

int step_moved(struct job *j, enum store_state from, enum store_state to,
                 struct err *e)
{
    int is_new = store_there(j->st, to, j->s.name, e), is_old;

    if (is_new <= 0)
        return is_new;
    is_old = store_there(j->st, from, j->s.name, e);
    return is_old < 0 ? -1 : !is_old;
}

const struct step_ops *steps_find(enum verb v)
{
    static const struct step_ops *const tables[] = {
        steps_create, steps_revert, steps_delete,
    };
    size_t i;

    for (i = 0; i < 2 && !tables[i][v].act; i++)
        ;
    return &tables[i][v];
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
