/* SPDX-License-Identifier: LGPL-2.1-only */

/* Creates a snapshot: checks, plan, run. */

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "disk/census.h"
#include "disk/disk.h"
#include "disk/medium.h"
#include "image/layer.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "memory/share.h"
#include "op/create.h"
#include "op/prune.h"
#include "op/retain.h"
#include "op/session.h"
#include "qemu/qemu.h"
#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/host.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/plan.h"
#include "xen/config.h"
#include "xen/domain.h"

/* Beside the guest's pages: the header and the state of its devices. */
#define IMAGE_OVERHEAD_KIB (16 * 1024)

static int no_domain(const char *word, struct err *e)
{
    return err_set(e, SNAP_FAILED, "there is no domain %s (see 'xl list')",
                   word);
}

static int find_domain(const char *word, struct domain *d, struct err *e)
{
    int rc = domain_find(word, d, e);

    if (rc < 0)
        return -1;
    if (rc == 0)
        return err_set(e, SNAP_FAILED, "domain %s is not running (see 'xl "
                       "list'): it has no memory to take a snapshot of", word);
    return 0;
}

/* One that does not run may still have something to be recovered. */
static int check_known(const struct snap_env *env, const char *word,
                       struct err *e)
{
    struct domain d;
    struct store st;
    bool known;
    int rc = domain_look(word, &d, e);

    if (rc)
        return rc < 0 ? -1 : 0;
    if (store_open(&st, env->root, word, false, e))
        return -1;
    known = st.fd >= 0;
    store_close(&st);
    return known ? 0 : no_domain(word, e);
}

/* Bytes that the memory image may take. */
static uint64_t memory_need(const struct job *j)
{
    return memory_room((j->memory_kib + IMAGE_OVERHEAD_KIB) * 1024,
                       j->memory_level);
}

/* One image behind two disks would have two snapshots of one name. */
static void check_twins(const struct snapshot *s, struct err *problems)
{
    struct err ignored;
    size_t i, k;
    bool same;

    for (i = 0; i < s->ndisks; i++)
        for (k = 0; k < i; k++) {
            const struct snapshot_disk *a = &s->disks[k], *b = &s->disks[i];

            if (meta_disk_has_part(a) && meta_disk_has_part(b) &&
                !layer_is_same(a->path, b->path, &same, &ignored) && same)
                err_add(problems, "disks %s and %s are the same image, %s: "
                        "leave one of them out with type=none", a->vdev,
                        b->vdev, a->path);
        }
}

/* Two that write to one image destroy it, whatever we do. */
static void check_sole(const struct snapshot *s, const struct census *c,
                       struct err *problems)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        const struct snapshot_disk *d = &s->disks[i];
        const char *who = NULL;

        if (meta_disk_has_part(d))
            who = census_runner(c, d->path);
        if (who)
            err_add(problems, "disk %s: %s is in use by %s, too: shut one of "
                    "the two down", d->vdev, d->path, who);
    }
}

/* Layers of a disk that was detached meanwhile. */
static int clear_orphans(struct session *s, struct job *j, struct err *e)
{
    size_t i;

    for (i = 0; i < j->s.ndisks; i++)
        if (j->s.disks[i].link && !j->host.cold && !s->env->plan)
            return disk_clear_orphans(&j->host, e);
    return 0;
}

/* Reads, and reports all that is wrong at once. */
static int check(struct session *s, struct job *j, const struct domain *d,
                 struct err *e)
{
    struct err problems = { 0 };
    struct err one;
    size_t i;

    memory_place_check_room(j->st, &j->s, memory_need(j), &problems);
    check_twins(&j->s, &problems);
    if (disk_host_open(d->name, &j->host, e) ||
        session_census(s, &j->host.census, e))
        return -1;
    check_sole(&j->s, j->host.census, &problems);
    j->host.cold = job_is_cold(j);
    j->host.confined = d->confined;
    /* What the restore of its domain will need. */
    if (j->host.cold)
        config_check_host(j->s.config, NULL, NULL, &problems);
    if (clear_orphans(s, j, e))
        return -1;
    for (i = 0; i < j->s.ndisks; i++)
        if (disk_check(&j->host, &j->s.disks[i], &one))
            err_join(&problems, &one);
    /* Cold, nobody but the domain may have the images when it is gone. */
    if (j->host.cold && disk_check_free(&j->s, d, false, &one))
        err_add(&problems, "%s", one.text);
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

/* What snapshots, of whatever domain, each disk's image has already. */
static int find_others(struct session *s, const struct domain *d,
                       struct disk_others **others_r, struct err *e)
{
    const struct census *c;
    size_t i;

    if (session_census(s, &c, e))
        return -1;
    *others_r = mem_zalloc(d->ndisks, sizeof(**others_r));
    for (i = 0; i < d->ndisks; i++)
        if (!d->disks[i].cdrom)
            census_others(c, &d->disks[i], &(*others_r)[i]);
    return 0;
}

/* A domain that was made anew under another name is not followed, but told. */
static int tell_former_owner(struct session *s, const struct domain *d,
                             struct err *e)
{
    const struct census *c;
    const char *owner;
    size_t i;

    if (session_census(s, &c, e))
        return -1;
    for (i = 0; i < d->ndisks; i++) {
        owner = d->disks[i].cdrom ? NULL :
                census_former_owner(c, &d->disks[i]);
        if (!owner)
            continue;
        report_note(s->env->rep, "disk %s of domain %s has snapshots under the "
                    "domain name %s: 'xl snapshot-recover --adopt=%s %s' takes "
                    "them over", d->disks[i].vdev, d->name, owner, owner,
                    d->name);
    }
    return 0;
}

/* The job, checked; on failure nothing is left of it. */
static int prepare_job(struct session *s, const struct snap_create *req,
                       const char *name, bool cold, const struct domain *d,
                       struct job *j, struct err *e)
{
    char unique[NAME_UNIQUE_LEN + 1], *dir = NULL;
    struct plan_create what = {
        .name = name, .description = req->description, .unique = unique,
        .disks = &req->disks, .now = (uint64_t)time(NULL),
        .cold = cold, .paused = req->paused,
    };
    struct disk_others *others = NULL;
    struct err problems = { 0 };

    session_job(s, OP_CREATE, j);
    j->domid = d->domid;
    j->uuid = mem_strdup(d->uuid);
    j->paused = req->paused;
    j->live = req->live != SNAP_LIVE_NO && !cold;
    j->live_only = req->live == SNAP_LIVE_ONLY;
    j->memory_kib = d->max_kib;
    if (memory_level(req->compress, &j->memory_level, e) ||
        name_unique(unique, e))
        goto fail;
    what.compress = j->memory_level > 0;
    if (req->path && !(what.memory_dir = dir = realpath(req->path, NULL))) {
        err_errno(e, "cannot use %s", req->path);
        goto fail;
    }
    if (find_others(s, d, &others, e))
        goto fail;
    what.others = others;
    if (plan_create(&what, d, &s->tree, &j->s, &j->plan, &problems)) {
        *e = problems;
        goto fail;
    }
    if (!check(s, j, d, e)) {
        free(others);
        free(dir);
        return 0;
    }

fail:
    free(others);
    free(dir);
    job_free(j);
    return -1;
}

/* Hot if it can be, else cold; the reason against hot is what counts. */
static int choose_mode(struct session *s, const struct snap_create *req,
                       const char *name, const struct domain *d,
                       struct job *j, struct err *e)
{
    struct err cold;

    if (req->mode == SNAP_COLD)
        return prepare_job(s, req, name, true, d, j, e);
    if (!prepare_job(s, req, name, false, d, j, e))
        return 0;
    if (req->live == SNAP_LIVE_ONLY)
        return err_wrap(e, "domain %s cannot be saved live", d->name);
    if (!e->hot_only || prepare_job(s, req, name, true, d, j, &cold))
        return -1;
    report_info(s->env->rep, "the snapshot is taken cold (the domain is saved "
                "and restored), because it cannot be taken hot: %s", e->text);
    return 0;
}

/* What it is taken on; qemu may be NULL. */
static void describe_host(const char *qemu, struct snapshot *s)
{
    s->host.hostname = host_name();
    s->host.xen = domain_xen_version();
    s->host.qemu = mem_strdup(qemu);
    s->host.cpu = host_cpu_model();
}

static void tell_outlook(const struct snap_env *env, const struct job *j)
{
    struct snap_outlook o = {
        .s = &j->s, .cold = job_is_cold(j), .live = j->live,
        .need = memory_need(j),
    };
    struct err e;
    int fd = memory_place_disk(j->st, &j->s, &o.where, &e);

    /* That it can be told has been checked. */
    if (fd >= 0 && !file_free_space(fd, &o.room, &e))
        env->outlook(env->plan_arg, &o);
    if (fd >= 0)
        close(fd);
}

static int create(struct session *s, const struct snap_create *req,
                  const char *name, const struct domain *d,
                  struct snapshot *made_r, struct err *e)
{
    struct job j;
    int rc = -1;

    if (choose_mode(s, req, name, d, &j, e))
        return -1;
    j.s.protected = req->protect;
    if (req->expire_s)
        j.s.expires = j.s.creation_time + req->expire_s;
    describe_host(j.host.qemu ? qemu_version(j.host.qemu) : NULL, &j.s);
    if (s->env->outlook)
        tell_outlook(s->env, &j);
    if (session_run(s, &j, e))
        goto out;
    if (!s->env->plan)
        (void)memory_share(&s->st, &j.s);
    *made_r = j.s;
    memset(&j.s, 0, sizeof(j.s));
    rc = 0;

out:
    job_free(&j);
    return rc;
}

/* Two that nobody named may be taken within one second. */
static int expand_name(struct session *s, const char *word, char **name_r,
                       struct err *e)
{
    unsigned n = 1;
    char *first;

    if (name_expand(word, time(NULL), name_r, e) || word)
        return *name_r ? 0 : -1;
    first = mem_strdup(*name_r);
    while (tree_find(&s->tree, *name_r) != TREE_NONE) {
        free(*name_r);
        *name_r = mem_printf("%s-%u", first, ++n);
    }
    free(first);
    return 0;
}

int create_in_session(struct session *s, const struct snap_create *req,
                      struct snapshot *made_r, struct err *e)
{
    struct domain d = { 0 };
    char *name = NULL;
    int rc = -1;

    memset(made_r, 0, sizeof(*made_r));
    if (!expand_name(s, req->name, &name, e) &&
        !find_domain(s->st.domain, &d, e) &&
        !session_lock_disks(s, &d, NULL, e) && !medium_probe(&d, e) &&
        !tell_former_owner(s, &d, e))
        rc = create(s, req, name, &d, made_r, e);
    domain_free(&d);
    free(name);
    return rc;
}

/* A failure here does not undo the snapshot that was taken. */
static int prune(struct session *s, const struct retain *keep,
                 const struct snapshot *made, struct err *e)
{
    bool dry = s->env->plan;
    size_t n = 0;

    if (!keep || !retain_has_rule(keep))
        return 0;
    if ((!dry && session_reload(s, e)) ||
        prune_in_session(s, keep, false, dry ? made : NULL, &n, e))
        return err_wrap(e, "snapshot %s was taken, but not all was deleted "
                        "that the rules do not keep", made->name);
    return 0;
}

int snap_create(const struct snap_env *env, const struct snap_create *req,
                struct snapshot *made_r, struct err *e)
{
    struct session s;
    char *name = NULL, *domain = NULL;
    unsigned level;
    int rc = -1;

    memset(made_r, 0, sizeof(*made_r));
    if (req->mode == SNAP_COLD && req->live == SNAP_LIVE_ONLY)
        return err_set(e, SNAP_USAGE, "a cold snapshot cannot be live");
    /* What can be said before waiting for the lock is said before. */
    if (name_expand(req->name, time(NULL), &name, e) ||
        memory_level(req->compress, &level, e) ||
        session_domain_name(req->domain, &domain, e) ||
        check_known(env, domain, e) ||
        session_open(env, domain, true, false, req->wait_s, &s, e))
        goto out;
    rc = create_in_session(&s, req, made_r, e);
    if (!rc)
        rc = prune(&s, req->keep, made_r, e);
    session_close(&s);

out:
    free(domain);
    free(name);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
