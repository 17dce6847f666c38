/* SPDX-License-Identifier: LGPL-2.1-only */

/* Serves a disk of a snapshot until a signal comes. */

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "image/image.h"
#include "image/nbd.h"
#include "op/reader.h"
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

#define DIR_TEMPLATE "/run/xl-snapshot-view-XXXXXX"
#define CHECK_MS 500

struct view {
    struct snapshot s;
    struct snapshot_disk *disk;
    struct disk_source source;
    struct reader_mark mark;
    bool marked;
    char dir[sizeof(DIR_TEMPLATE)];     /* "": not made */
    char *socket;
    /* What cannot be asked of one server is asked of one behind another. */
    struct nbd_server *inner, *outer;
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

static int make_socket_path(struct view *v, const char *wanted,
                            struct err *e)
{
    strcpy(v->dir, DIR_TEMPLATE);
    if (!mkdtemp(v->dir)) {
        v->dir[0] = '\0';
        return err_errno(e, "cannot make a directory in /run");
    }
    if (wanted)
        v->socket = mem_strdup(wanted);
    else
        v->socket = mem_printf("%s/%s", v->dir, v->disk->vdev);
    return 0;
}

/* An internal snapshot of an image that has grown reads at the new size. */
static int find_cut(const struct view *v, uint64_t *cut_r, struct err *e)
{
    struct image_info info;

    *cut_r = 0;
    if (!v->source.snapshot)
        return 0;
    if (image_info_read(v->source.path, v->source.format, &info, e))
        return -1;
    if (info.virtual_size != v->source.size)
        *cut_r = v->source.size;
    image_info_free(&info);
    return 0;
}

static int serve(struct view *v, bool writable, struct err *e)
{
    struct nbd_image image = {
        .path = v->source.path, .format = v->source.format,
        .snapshot = v->source.snapshot,
    };
    struct nbd_image behind = { .scratch = writable };
    char *inner;
    int rc;

    if (find_cut(v, &behind.cut, e))
        return -1;
    if (!behind.cut && !writable)
        return nbd_serve(&image, v->socket, &v->outer, e);
    inner = mem_printf("%s/source", v->dir);
    behind.path = inner;
    rc = nbd_serve(&image, inner, &v->inner, e);
    if (!rc)
        rc = nbd_serve(&behind, v->socket, &v->outer, e);
    free(inner);
    return rc;
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
    if (disk_source_open(v->disk, &v->source, e) ||
        make_socket_path(v, req->socket, e))
        return -1;
    return serve(v, req->writable, e);
}

static void close_view(const struct snap_env *env, struct view *v)
{
    struct err e;

    nbd_end(v->outer);
    nbd_end(v->inner);
    if (v->dir[0])
        rmdir(v->dir);
    if (v->disk && disk_source_close(v->disk, &v->source, &e))
        report_note(env->rep, "warning: %s", e.text);
    if (v->marked)
        reader_unmark(&v->mark);
    free(v->socket);
    meta_free(&v->s);
}

static int await_signal(struct view *v, struct err *e)
{
    struct pollfd fd = { .fd = interrupt_fd(), .events = POLLIN };

    while (!interrupt_pending()) {
        if (nbd_check_serves(v->outer, e) ||
            (v->inner && nbd_check_serves(v->inner, e)))
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
            .socket = v.socket, .size = v.source.size,
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
