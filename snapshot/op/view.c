/* SPDX-License-Identifier: LGPL-2.1-only */

/* Serves a disk of a snapshot until a signal comes. */

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "op/reader.h"
#include "op/serve.h"
#include "op/session.h"
#include "snapshot.h"
#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"

#define CHECK_MS 500

struct view {
    struct snapshot s;
    struct snapshot_disk *disk;
    struct serve serve;
    struct reader_mark mark;
    bool marked;
    char dir[SERVE_DIR_LEN];            /* "": not made */
};

static char *list_disks(const struct snapshot *s)
{
    char *list = NULL, *more;
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        if (!meta_disk_has_part(&s->disks[i]))
            continue;
        more = mem_printf("%s%s%s", list ? list : "", list ? ", " : "",
                          s->disks[i].vdev);
        free(list);
        list = more;
    }
    return list;
}

/* The named one, or the only one. */
static int choose_disk(struct view *v, const char *vdev, struct err *e)
{
    size_t i, found = 0;
    char *list;

    for (i = 0; i < v->s.ndisks; i++) {
        struct snapshot_disk *d = &v->s.disks[i];

        if (meta_disk_has_part(d) && (!vdev || !strcmp(vdev, d->vdev))) {
            v->disk = d;
            found++;
        }
    }
    if (found == 1)
        return 0;
    list = list_disks(&v->s);
    if (!list)
        err_set(e, SNAP_FAILED, "snapshot '%s' has no disks", v->s.name);
    else if (vdev)
        err_set(e, SNAP_FAILED, "snapshot '%s' has no disk %s, but %s",
                v->s.name, vdev, list);
    else
        err_set(e, SNAP_USAGE, "which disk of snapshot '%s': %s?", v->s.name,
                list);
    free(list);
    v->disk = NULL;
    return -1;
}

static void tell_plan(const struct snap_env *env, const struct view *v)
{
    char *line = mem_printf("serve disk %s of snapshot '%s'", v->disk->vdev,
                            v->s.name);

    env->plan(env->plan_arg, line);
    free(line);
}

/* All that needs the domain's lock.  A dry run ends before the first file. */
static int open_view(struct session *s, const struct snap_view *req,
                     struct view *v, struct err *e)
{
    if (tree_find(&s->tree, req->name) == TREE_NONE)
        return session_no_such(s, req->name, e);
    if (store_load(&s->st, STORE_COMMITTED, req->name, &v->s, e) ||
        choose_disk(v, req->vdev, e) ||
        session_lock_disks(s, NULL, &v->s, e) ||
        disk_verify(v->disk, false, e))
        return -1;
    if (s->env->plan) {
        tell_plan(s->env, v);
        return 0;
    }
    if (reader_mark(s, req->name, &v->mark, e))
        return -1;
    v->marked = true;
    if (serve_make_dir(v->dir, e))
        return -1;
    return serve_open(&v->serve, v->disk, v->dir, req->socket, req->writable,
                      e);
}

static void close_view(const struct snap_env *env, struct view *v)
{
    struct err e;

    if (serve_close(&v->serve, &e))
        report_note(env->rep, "warning: %s", e.text);
    if (v->dir[0])
        rmdir(v->dir);
    if (v->marked)
        reader_unmark(&v->mark);
    meta_free(&v->s);
}

static int await_signal(struct view *v, struct err *e)
{
    struct pollfd fd = { .fd = interrupt_fd(), .events = POLLIN };

    while (!interrupt_pending()) {
        if (serve_check(&v->serve, e))
            return -1;
        (void)poll(&fd, 1, CHECK_MS);
    }
    return 0;
}

int snap_view(const struct snap_env *env, const struct snap_view *req,
              struct err *e)
{
    struct view v = { 0 };
    struct session s;
    char *domain = NULL;
    int rc = -1;

    if (name_check(req->name, e) ||
        session_domain_name(req->domain, &domain, e) ||
        session_open(env, domain, false, false, req->wait_s, &s, e))
        goto out;
    rc = open_view(&s, req, &v, e);
    session_close(&s);
    if (!rc && !env->plan) {
        req->ready(req->ready_arg, &(struct snap_served){
            .domain = domain, .snapshot = req->name, .vdev = v.disk->vdev,
            .socket = v.serve.socket, .size = v.serve.source.size,
        });
        rc = await_signal(&v, e);
    }
    close_view(env, &v);

out:
    free(domain);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
