/* SPDX-License-Identifier: LGPL-2.1-only */

/* Makes the list of steps of each operation. */

#include <stdlib.h>
#include <string.h>

#include "disk/disk.h"
#include "disk/kind.h"
#include "store/meta.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "txn/plan.h"
#include "xen/domain.h"

static const struct { const char *name, *text; } verbs[] = {
    [STEP_STAGE] = { "stage", "make a directory for the snapshot" },
    [STEP_PREPARE] = { "prepare", "prepare the disk snapshots" },
    [STEP_HOLD_MONITOR] = { "hold-monitor", "hold xl's monitor" },
    [STEP_SAVE] = { "save", "suspend the guest and save its memory" },
    [STEP_CLOSE] = { "close", "destroy the domain, which closes its disks" },
    [STEP_CAPTURE] = { "capture", "take all disk snapshots at once" },
    [STEP_REOPEN] = { "reopen", "restore the domain from its memory image" },
    [STEP_RESUME] = { "resume", "resume the guest" },
    [STEP_RELEASE_MONITOR] = { "release-monitor", "release xl's monitor" },
    [STEP_RECORD] = { "record", "write everything to disk" },
    [STEP_PUBLISH] = { "publish", "make the snapshot visible" },
    [STEP_SET_CURRENT] = { "set-current", "make it the current snapshot" },
    [STEP_READY] = { "ready", "prepare to put back the content of disk" },
    [STEP_DESTROY] = { "destroy", "destroy the domain if it runs" },
    [STEP_APPLY] = { "apply", "put back the content of disk" },
    [STEP_RESTORE] = { "restore", "restore the domain from its memory image" },
    [STEP_UNPAUSE] = { "unpause", "let the guest run" },
    [STEP_HIDE] = { "hide", NULL },
    [STEP_REMOVE] = { "remove", "delete the snapshot of disk" },
    [STEP_RELINK] = { "relink", "give its children to its parent" },
    [STEP_PURGE] = { "purge", "remove its memory image and directory" },
    [STEP_BUILD] = { "build", "make the image of disk" },
    [STEP_TAKE] = { "take", "take the snapshot of disk" },
    [STEP_BRING] = { "bring", "copy the memory image" },
    [STEP_WRITE] = { "write", "write the configuration for 'xl create'" },
    [STEP_PLACE] = { "place", "give these files their names" },
    [STEP_TIDY] = { "tidy", "remove the names that they had before" },
    [STEP_SET] = { "set", "write the snapshot's new settings" },
};

const char *plan_verb_name(enum verb v)
{
    return verbs[v].name;
}

enum verb plan_verb(const char *name)
{
    enum verb v;

    for (v = 0; v < STEP_COUNT; v++)
        if (!strcmp(verbs[v].name, name))
            return v;
    return STEP_COUNT;
}

bool plan_verb_has_disk(enum verb v)
{
    return v == STEP_READY || v == STEP_APPLY || v == STEP_REMOVE ||
           v == STEP_BUILD || v == STEP_TAKE;
}

char *plan_describe(const struct step *step, const struct snapshot *s)
{
    const struct snapshot_disk *d;

    if (step->verb == STEP_HIDE)
        return mem_printf("take snapshot %s out of the list", s->name);
    if (!plan_verb_has_disk(step->verb))
        return mem_strdup(verbs[step->verb].text);
    d = &s->disks[step->disk];
    return mem_printf("%s %s (%s, %s %s)", verbs[step->verb].text, d->vdev,
                      d->path, d->type, d->part);
}

static void add(struct plan *p, enum verb verb, size_t disk)
{
    p->steps = mem_grow(p->steps, p->n + 1, sizeof(*p->steps));
    p->steps[p->n++] = (struct step){ verb, disk };
}

static void add_commit(struct plan *p, enum verb verb)
{
    p->commit = p->n;
    add(p, verb, 0);
}

static void add_per_disk(struct plan *p, enum verb verb,
                         const struct snapshot *s)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++)
        if (meta_disk_has_part(&s->disks[i]))
            add(p, verb, i);
}

void plan_free(struct plan *p)
{
    free(p->steps);
    memset(p, 0, sizeof(*p));
}

static const char *state_word(enum domain_state state)
{
    if (state == DOMAIN_DYING)
        return "dying";
    if (state == DOMAIN_SUSPENDED)
        return "suspended";
    return "shutting down";
}

/* States in which memory cannot be saved. */
static void check_state(const struct domain *dom, struct err *problems)
{
    if (dom->domid == 0)
        err_add(problems, "domain %s is domain 0, the host's own, which "
                "cannot be saved", dom->name);
    else if (dom->state == DOMAIN_PAUSED)
        err_add(problems, "domain %s is paused and cannot answer a suspend "
                "request: run 'xl unpause %s' first", dom->name, dom->name);
    else if (dom->state != DOMAIN_RUNNING)
        err_add(problems, "domain %s is %s: a snapshot can be taken of a "
                "running domain only", dom->name, state_word(dom->state));
}

/* What the user wants of a disk. */
static void wanted(const struct disk_wish *wish, const char *vdev,
                   struct disk_request *r)
{
    size_t i;

    r->type = wish->all;
    for (i = 0; i < wish->neach; i++)
        if (!strcmp(wish->each[i].vdev, vdev)) {
            r->type = wish->each[i].type;
            r->path = wish->each[i].path;
            r->size = wish->each[i].size;
        }
}

static const struct domain_disk *domain_has(const struct domain *dom,
                                            const char *vdev)
{
    size_t i;

    for (i = 0; i < dom->ndisks; i++)
        if (!strcmp(dom->disks[i].vdev, vdev))
            return &dom->disks[i];
    return NULL;
}

static void check_wishes(const struct disk_wish *wish,
                         const struct domain *dom, struct err *problems)
{
    size_t i;

    for (i = 0; i < wish->neach; i++)
        if (!domain_has(dom, wish->each[i].vdev))
            err_add(problems, "domain %s has no disk %s", dom->name,
                    wish->each[i].vdev);
}

/* One file for two disks would lose the first one's. */
static void check_paths(const struct disk_wish *wish, struct err *problems)
{
    size_t i, k;

    for (i = 0; i < wish->neach; i++)
        for (k = 0; k < i; k++)
            if (wish->each[i].path && wish->each[k].path &&
                !strcmp(wish->each[i].path, wish->each[k].path))
                err_add(problems, "path=%s is given for disk %s and for disk "
                        "%s: each needs a file of its own",
                        wish->each[i].path, wish->each[k].vdev,
                        wish->each[i].vdev);
}

static void draft_disks(const struct plan_create *req,
                        const struct domain *dom, struct snapshot *draft,
                        struct err *problems)
{
    struct err e;
    size_t i;

    draft->disks = mem_zalloc(dom->ndisks, sizeof(*draft->disks));
    draft->ndisks = dom->ndisks;
    check_wishes(req->disks, dom, problems);
    check_paths(req->disks, problems);
    for (i = 0; i < dom->ndisks; i++) {
        struct disk_request r = {
            .snapshot = req->name, .unique = req->unique, .cold = req->cold,
        };

        wanted(req->disks, dom->disks[i].vdev, &r);
        if (req->others)
            r.others = &req->others[i];
        if (disk_choose(&dom->disks[i], &r, &draft->disks[i], &e))
            err_join(problems, &e);
    }
}

static char *memory_file(const struct plan_create *req,
                         const struct domain *dom)
{
    const char *file = req->compress ? META_MEMORY_ZSTD : META_MEMORY_FILE;

    if (!req->memory_dir)
        return mem_strdup(file);
    return mem_printf(META_PLACE_FORMAT, req->memory_dir, dom->name, req->name,
                      req->unique, file);
}

static void draft_snapshot(const struct plan_create *req,
                           const struct domain *dom, const struct tree *t,
                           struct snapshot *draft)
{
    draft->name = mem_strdup(req->name);
    draft->description = mem_strdup(req->description);
    draft->creation_time = req->now;
    draft->parent = mem_strdup(t->current);
    draft->domain.name = mem_strdup(dom->name);
    draft->domain.uuid = mem_strdup(dom->uuid);
    draft->domain.type = mem_strdup(dom->type);
    draft->domain.state = mem_strdup(domain_state_name(dom->state));
    draft->memory.file = memory_file(req, dom);
    draft->memory.compression = mem_strdup(req->compress ? "zstd" : "none");
    draft->memory.checksum = mem_strdup("");
    draft->config = mem_strdup(dom->config ? dom->config : "{}");
}

int plan_create(const struct plan_create *req, const struct domain *dom,
                const struct tree *t, struct snapshot *draft,
                struct plan *p, struct err *problems)
{
    memset(p, 0, sizeof(*p));
    memset(draft, 0, sizeof(*draft));
    check_state(dom, problems);
    if (tree_find(t, req->name) != TREE_NONE)
        err_add(problems, "domain %s already has a snapshot named '%s': choose "
                "another name or delete that one", dom->name, req->name);
    draft_snapshot(req, dom, t, draft);
    draft_disks(req, dom, draft, problems);
    if (problems->status != SNAP_OK)
        return -1;
    add(p, STEP_STAGE, 0);
    add(p, STEP_PREPARE, 0);
    add(p, STEP_HOLD_MONITOR, 0);
    add(p, STEP_SAVE, 0);
    if (req->cold) {
        add(p, STEP_CLOSE, 0);
        add(p, STEP_RELEASE_MONITOR, 0);
        add(p, STEP_CAPTURE, 0);
        add(p, STEP_REOPEN, 0);
        if (!req->paused)
            add(p, STEP_UNPAUSE, 0);
    } else {
        add(p, STEP_CAPTURE, 0);
        add(p, STEP_RESUME, 0);
        add(p, STEP_RELEASE_MONITOR, 0);
    }
    add(p, STEP_RECORD, 0);
    add_commit(p, STEP_PUBLISH);
    add(p, STEP_SET_CURRENT, 0);
    return 0;
}

int plan_revert(const struct snapshot *s, bool paused, struct plan *p)
{
    size_t i;

    memset(p, 0, sizeof(*p));
    for (i = 0; i < s->ndisks; i++)
        if (disk_needs_ready(&s->disks[i]))
            add(p, STEP_READY, i);
    add_commit(p, STEP_DESTROY);
    add_per_disk(p, STEP_APPLY, s);
    add(p, STEP_SET_CURRENT, 0);
    add(p, STEP_RESTORE, 0);
    if (!paused)
        add(p, STEP_UNPAUSE, 0);
    return 0;
}

int plan_delete(const struct snapshot *s, struct plan *p)
{
    memset(p, 0, sizeof(*p));
    add_commit(p, STEP_HIDE);
    add_per_disk(p, STEP_REMOVE, s);
    add(p, STEP_RELINK, 0);
    add(p, STEP_PURGE, 0);
    return 0;
}

/* From the commit point on there are files that somebody may use already. */
int plan_import(const struct snapshot *s, bool bare, struct plan *p)
{
    memset(p, 0, sizeof(*p));
    if (!bare)
        add(p, STEP_STAGE, 0);
    add_per_disk(p, STEP_BUILD, s);
    if (!bare) {
        add_per_disk(p, STEP_TAKE, s);
        add(p, STEP_BRING, 0);
    }
    add(p, STEP_WRITE, 0);
    add_commit(p, STEP_PLACE);
    if (!bare) {
        add(p, STEP_PUBLISH, 0);
        add(p, STEP_SET_CURRENT, 0);
    }
    add(p, STEP_TIDY, 0);
    return 0;
}

int plan_set(struct plan *p)
{
    memset(p, 0, sizeof(*p));
    add_commit(p, STEP_SET);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
