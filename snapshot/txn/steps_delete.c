/* SPDX-License-Identifier: LGPL-2.1-only */

/* The steps of a deletion, and of a change of settings. */

#include <stdlib.h>
#include <string.h>

#include "disk/disk.h"
#include "memory/place.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/mem.h"
#include "txn/steps.h"

static int hide(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    return store_move(j->st, j->s.name, STORE_COMMITTED, STORE_DELETED, e);
}

static int hide_happened(struct job *j, bool *yes_r, struct err *e)
{
    return step_moved(j, STORE_COMMITTED, STORE_DELETED, yes_r, e);
}

static int remove_part(struct job *j, const struct step *step,
                       struct err *e)
{
    if (!j->host.moved && step_open_host(j, e))
        return -1;
    return disk_remove(&j->host, &j->s.disks[step->disk], e);
}

static bool is_parent(const struct snapshot *child, const char *name)
{
    return child->parent && !strcmp(child->parent, name);
}

static int relink_one(struct job *j, const char *name, struct err *e)
{
    struct snapshot child;
    struct err damaged;
    int rc = 0;

    /*
     * A damaged snapshot has no parent that could be read either.  One that
     * cannot be read now may be a child: it is tried again.
     */
    if (store_load(j->st, STORE_COMMITTED, name, &child, &damaged)) {
        if (damaged.code != ERR_IO)
            return 0;
        *e = damaged;
        return -1;
    }
    if (is_parent(&child, j->s.name)) {
        free(child.parent);
        child.parent = mem_strdup(j->s.parent);
        disk_complete_records(&child);
        rc = store_save(j->st, STORE_COMMITTED, &child, e);
    }
    meta_free(&child);
    return rc;
}

/* The domain's uuid stays: what the snapshot has may be of another life. */
static int relink_current(struct job *j, struct err *e)
{
    char *current = NULL, *uuid = NULL;
    int rc = store_get_current(j->st, &current, e);

    if (!rc && current && !strcmp(current, j->s.name)) {
        rc = store_get_uuid(j->st, &uuid, e);
        if (!rc && uuid)
            rc = store_set_current(j->st, uuid, j->s.parent, e);
        else if (!rc)
            rc = store_set_current(j->st, j->s.domain.uuid, j->s.parent, e);
    }
    free(uuid);
    free(current);
    return rc;
}

/*
 * The tree already sees the children as the parent's (tree_link); this
 * makes it so on disk, before the ghost goes.  After a crash nobody knows
 * the children: they are among all.
 */
static int relink(struct job *j, const struct step *step, struct err *e)
{
    size_t i;
    int rc = 0;

    (void)step;
    if (!j->knows_children) {
        store_free_names(j->children, j->nchildren);
        rc = store_names(j->st, STORE_COMMITTED, &j->children,
                         &j->nchildren, e);
    }
    for (i = 0; !rc && i < j->nchildren; i++)
        rc = relink_one(j, j->children[i], e);
    if (rc)
        return -1;
    return relink_current(j, e);
}

static int purge(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    if (memory_place_remove(&j->s, e))
        return -1;
    return store_remove(j->st, STORE_DELETED, j->s.name, e);
}

static int set(struct job *j, const struct step *step, struct err *e)
{
    bool there;

    (void)step;
    if (store_is_there(j->st, STORE_COMMITTED, j->s.name, &there, e))
        return -1;
    if (!there)
        return 0;
    disk_complete_records(&j->s);
    return store_save(j->st, STORE_COMMITTED, &j->s, e);
}

/* As it is, written anew: what a cut-off write left goes with that. */
static int set_undo(struct job *j, const struct step *step, struct err *e)
{
    struct snapshot now;
    bool there;
    int rc;

    (void)step;
    if (store_is_there(j->st, STORE_COMMITTED, j->s.name, &there, e))
        return -1;
    if (!there)
        return 0;
    if (store_load(j->st, STORE_COMMITTED, j->s.name, &now, e))
        return -1;
    rc = store_save(j->st, STORE_COMMITTED, &now, e);
    meta_free(&now);
    return rc;
}

static bool same_text(const char *a, const char *b)
{
    return !strcmp(a ? a : "", b ? b : "");
}

/* A snapshot that somebody took away needs nothing any more. */
static int set_happened(struct job *j, bool *yes_r, struct err *e)
{
    struct snapshot now;
    bool there;

    *yes_r = true;
    if (store_is_there(j->st, STORE_COMMITTED, j->s.name, &there, e))
        return -1;
    if (!there)
        return 0;
    if (store_load(j->st, STORE_COMMITTED, j->s.name, &now, e))
        return -1;
    *yes_r = now.protected == j->s.protected && now.expires == j->s.expires &&
             same_text(now.description, j->s.description);
    meta_free(&now);
    return 0;
}

const struct step_ops steps_delete[STEP_COUNT] = {
    [STEP_HIDE] = { .act = hide, .happened = hide_happened },
    [STEP_REMOVE] = { .act = remove_part },
    [STEP_RELINK] = { .act = relink },
    [STEP_PURGE] = { .act = purge },
    [STEP_SET] = { .act = set, .undo = set_undo,
                   .happened = set_happened },
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
