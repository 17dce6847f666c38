/* SPDX-License-Identifier: LGPL-2.1-only */

/* Finds a step by its verb, and has what several steps share. */


#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "image/layer.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "memory/rewrite.h"
#include "sys/err.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/mem.h"
#include "txn/job.h"
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
    if (done && disk_record_identity(d, to, e))
        return -1;
    free(d->discard);
    if (done) {
        d->discard = d->part;
        d->part = mem_strdup(to);
    } else {
        d->discard = mem_strdup(to);
    }
    return 0;
}

/* A file is one, in however many ways its path is spelled. */
static int has_part(const struct snapshot_disk *d, const char *path,
                    bool *yes_r, struct err *e)
{
    *yes_r = false;
    if (!d->link)
        return 0;
    *yes_r = !strcmp(d->part, path);
    if (*yes_r)
        return 0;
    return layer_is_same(d->part, path, yes_r, e);
}

/* struct disk_host, moved: done, the other snapshots name the layer "to". */
static int layer_moved(void *arg, const char *from, const char *to, bool done,
                       struct err *e)
{
    struct job *j = arg;
    size_t i, k;

    for (i = 0; i < j->nothers; i++) {
        struct snapshot *s = &j->others[i];
        bool changed = false, yes;

        for (k = 0; k < s->ndisks; k++) {
            struct snapshot_disk *d = &s->disks[k];

            if (has_part(d, from, &yes, e))
                return -1;
            if (!yes)
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

/*
 * A record that cannot be read may name a layer that goes: only --force, which
 * the user gave after a message that says so, passes it over.
 */
static int load_other(struct job *j, const char *name, struct err *e)
{
    if (store_load(j->st, STORE_COMMITTED, name, &j->others[j->nothers], e)) {
        if (j->force)
            return 0;
        return err_wrap(e, "snapshot '%s' cannot be read; 'xl snapshot-delete "
                        "--force %s %s' takes it away", name, j->st->domain,
                        name);
    }
    disk_host_add_other(&j->host, &j->others[j->nothers++]);
    return 0;
}

char *step_domain_name(const struct job *j)
{
    char *id = mem_printf("%u", j->domid), *name = NULL;
    struct err ignored;
    struct domain d;

    if (j->uuid && job_is_of_this_boot(j))
        name = domain_name(id);
    free(id);
    if (name && domain_look(name, &d, &ignored) > 0 && d.domid == j->domid &&
        !strcmp(d.uuid, j->uuid))
        return name;
    free(name);
    return mem_strdup(j->st->domain);
}

static int open_domain(struct job *j, struct err *e)
{
    char *name = step_domain_name(j);
    int rc;

    disk_host_close(&j->host);
    rc = disk_host_open(name, &j->host, e);
    free(name);
    return rc;
}

int step_open_host(struct job *j, struct err *e)
{
    char **names = NULL;
    size_t n = 0, i;
    int rc;

    if (open_domain(j, e))
        return -1;
    j->host.moved = layer_moved;
    j->host.moved_arg = j;
    j->host.force = j->force;
    j->host.retire = j->retire;
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
        rc = load_other(j, names[i], e);
    }
    store_free_names(names, n);
    return rc;
}

/* The image as it is read, with the header that the domain is to have. */
static int restore_from(struct job *j, struct memory_reader *r,
                        struct err *e)
{
    /* A guest that goes back in time is to notice. */
    struct rewrite_edit edit = { .genid = j->op == OP_REVERT };
    struct rewrite w;
    int rc = -1, fd = -1;

    /* It was called otherwise when the snapshot was taken. */
    if (strcmp(j->s.domain.name, j->st->domain))
        edit.name = j->st->domain;
    if (rewrite_begin(&w, memory_source, r, rewrite_config, &edit, e) ||
        (!w.changed && memory_as_file(r, &fd)))
        goto out;
    if (fd >= 0)
        rc = domain_restore_file(fd, e);
    else
        rc = domain_restore(rewrite_source, &w, e);

out:
    rewrite_end(&w);
    if (memory_failed(r, e))
        rc = -1;
    return rc;
}

int step_restore_paused(struct job *j, enum store_state state,
                        struct err *e)
{
    char *what;
    struct memory_reader *r = NULL;
    int dirfd = memory_place_open(j->st, state, &j->s, &what, e), rc = -1;

    if (dirfd < 0 || memory_open(dirfd, &j->s, what, j->rep, &r, e))
        goto out;
    rc = restore_from(j, r, e);

out:
    memory_reader_close(r);
    if (dirfd >= 0)
        close(dirfd);
    free(what);
    return rc;
}

int step_moved(struct job *j, enum store_state from, enum store_state to,
               bool *yes_r, struct err *e)
{
    bool is_new, is_old;

    if (store_is_there(j->st, to, j->s.name, &is_new, e) ||
        store_is_there(j->st, from, j->s.name, &is_old, e))
        return -1;
    *yes_r = is_new && !is_old;
    return 0;
}

size_t step_index(const struct job *j, enum verb verb)
{
    size_t i;

    for (i = 0; i < j->plan.n && j->plan.steps[i].verb != verb; i++)
        ;
    return i;
}

const struct step_ops *steps_find(enum verb v)
{
    static const struct step_ops *const tables[] = {
        steps_create, steps_revert, steps_delete, steps_import,
    };
    const size_t ntables = sizeof(tables) / sizeof(tables[0]);
    size_t i;

    for (i = 0; i + 1 < ntables && !tables[i][v].act; i++)
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
