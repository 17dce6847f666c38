/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a snapshot to a directory or a tar that does not need the store. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "op/export_dir.h"
#include "op/export_disk.h"
#include "op/export_out.h"
#include "op/exported.h"
#include "op/reader.h"
#include "op/serve.h"
#include "op/session.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"

struct export {
    const struct snap_env *env;
    const struct snap_export *req;
    struct manifest m;          /* with the snapshot */
    struct export_out out;
    bool plain;
    struct exported since;
    bool incremental;
    struct reader_mark mark;
    bool marked;
    char run[SERVE_DIR_LEN];    /* of the sockets; "": not made */
    struct serve *serves;       /* one for each disk of the manifest */
    int memory_dir;             /* -1: none */
    char *memory_what;
    uint64_t done, total;       /* bytes */
};

/* The memory image on its way. */
struct sink {
    struct export *x;
    struct export_file file;
};

static void advance(void *arg, uint64_t bytes)
{
    struct export *x = arg;

    x->done += bytes;
    report_progress(x->env->rep, "export", x->done, x->total);
}

/*** The disks */

static int add_disk(struct export *x, const struct snapshot_disk *disk,
                    struct err *e)
{
    struct manifest_disk *d = &x->m.disks[x->m.ndisks];
    const struct manifest_disk *earlier = NULL;

    if (!manifest_vdev_is_safe(disk->vdev) || manifest_find(&x->m, disk->vdev))
        return err_set(e, SNAP_FAILED, "disk '%s' has no name that a file "
                       "could have", disk->vdev);
    if (x->incremental)
        earlier = manifest_find(&x->since.m, disk->vdev);
    d->vdev = mem_strdup(disk->vdev);
    d->incremental = earlier != NULL;
    if (x->plain && !d->incremental)
        d->format = mem_strdup("raw");
    else
        d->format = mem_strdup("qcow2");
    x->m.ndisks++;
    return 0;
}

static int add_disks(struct export *x, struct err *e)
{
    size_t i;

    x->m.disks = mem_zalloc(x->m.s.ndisks + 1, sizeof(*x->m.disks));
    x->serves = mem_zalloc(x->m.s.ndisks + 1, sizeof(*x->serves));
    for (i = 0; i < x->m.s.ndisks; i++) {
        const struct snapshot_disk *disk = &x->m.s.disks[i];

        if (!meta_disk_has_part(disk))
            continue;
        if (disk_verify(disk, false, e) || add_disk(x, disk, e))
            return -1;
        x->serves[x->m.ndisks - 1].disk = disk;
    }
    return 0;
}

static int write_disk(struct export *x, struct manifest_disk *d,
                      struct err *e)
{
    const struct export_disk disk = {
        .out = &x->out, .socket = x->serves[d - x->m.disks].socket,
        .run = x->run, .plain = x->plain,
        .since = x->incremental ? &x->since : NULL,
        .since_path = x->m.since, .advance = advance, .arg = x,
    };

    return export_disk(&disk, d, e);
}

/*** The memory */

static int put_memory(void *arg, const void *data, size_t len, struct err *e)
{
    struct sink *s = arg;

    if (export_file_put(&s->file, data, len, e))
        return -1;
    advance(s->x, len);
    return 0;
}

static int write_memory(struct export *x, struct err *e)
{
    struct sink s = { .x = x };
    int rc = export_file_open(&x->out, manifest_memory_name(&x->m),
                              x->m.s.memory.stored_size, &s.file, e);

    if (!rc)
        rc = memory_copy(x->memory_dir, &x->m.s, x->memory_what, put_memory,
                         &s, e);
    if (!rc)
        rc = export_file_end(&s.file, &x->m.memory, e);
    export_file_close(&s.file);
    return rc;
}

/*** The whole */

static int open_since(struct export *x, struct err *e)
{
    if (!x->req->since)
        return 0;
    if (exported_open(x->req->since, &x->since, e))
        return -1;
    x->incremental = true;
    if (exported_check_chain(&x->since, 1, e))
        return -1;
    x->m.since = export_dir_relative(&x->out.dir, x->since.path);
    x->m.since_sha256 = mem_strdup(x->since.sha256);
    return 0;
}

/* One line: what goes to which file. */
static void tell(const struct export *x, const char *what, const char *vdev,
                 const char *name)
{
    char *place = export_out_place(&x->out, name);
    char *line = mem_printf("write %s%s to %s", what, vdev, place);

    x->env->plan(x->env->plan_arg, line);
    free(line);
    free(place);
}

static void tell_plan(const struct export *x)
{
    size_t i;

    if (!x->req->no_memory)
        tell(x, "the memory", "", manifest_memory_name(&x->m));
    for (i = 0; i < x->m.ndisks; i++) {
        char *name = manifest_image_name(&x->m.disks[i]);

        tell(x, "disk ", x->m.disks[i].vdev, name);
        free(name);
    }
}

static int open_sources(struct export *x, struct session *s, struct err *e)
{
    size_t i;

    if (reader_mark(s, x->req->name, &x->mark, e))
        return -1;
    x->marked = true;
    if (!x->req->no_memory) {
        x->memory_dir = memory_place_open(&s->st, STORE_COMMITTED, &x->m.s,
                                          &x->memory_what, e);
        if (x->memory_dir < 0)
            return -1;
        x->total += x->m.s.memory.stored_size;
    }
    if (serve_make_dir(x->run, e))
        return -1;
    for (i = 0; i < x->m.ndisks; i++) {
        const struct snapshot_disk *disk = x->serves[i].disk;

        if (serve_open(&x->serves[i], disk, x->run, NULL, false, e) ||
            export_out_spares(&x->out, disk->path, e) ||
            export_out_spares(&x->out, x->serves[i].source.path, e))
            return -1;
        x->total += x->serves[i].source.size;
    }
    return 0;
}

/* All that needs the domain's lock.  A dry run ends before the first file. */
static int begin(struct export *x, struct session *s, struct err *e)
{
    const struct snap_export *req = x->req;

    if (tree_find(&s->tree, req->name) == TREE_NONE)
        return session_no_such(s, req->name, e);
    if (store_load(&s->st, STORE_COMMITTED, req->name, &x->m.s, e) ||
        session_lock_disks(s, NULL, &x->m.s, e) || add_disks(x, e))
        return -1;
    if (!x->env->plan)
        return open_sources(x, s, e);
    tell_plan(x);
    return 0;
}

static int write_manifest(struct export *x, struct err *e)
{
    char *text = manifest_text(&x->m);
    struct export_file f;
    int rc = export_file_open(&x->out, MANIFEST_FILE, strlen(text), &f, e);

    if (!rc)
        rc = export_file_put(&f, text, strlen(text), e);
    if (!rc)
        rc = export_file_end(&f, NULL, e);
    export_file_close(&f);
    free(text);
    return rc;
}

/* The manifest is the last: a tar without it is refused. */
static int write_all(struct export *x, struct err *e)
{
    size_t i;

    if (!x->req->no_memory && write_memory(x, e))
        return -1;
    for (i = 0; i < x->m.ndisks; i++)
        if (write_disk(x, &x->m.disks[i], e))
            return -1;
    if (write_manifest(x, e))
        return -1;
    return export_out_commit(&x->out, e);
}

static void end(struct export *x)
{
    struct err e;
    size_t i;

    for (i = 0; x->serves && i < x->m.ndisks; i++)
        if (x->serves[i].socket && serve_close(&x->serves[i], &e))
            report_note(x->env->rep, "warning: %s", e.text);
    free(x->serves);
    if (x->run[0])
        rmdir(x->run);
    if (x->memory_dir >= 0)
        close(x->memory_dir);
    free(x->memory_what);
    if (x->marked)
        reader_unmark(&x->mark);
    if (x->incremental)
        exported_close(&x->since);
    export_out_close(&x->out);
    report_progress(x->env->rep, "export", 1, 1);
    manifest_free(&x->m);
}

static uint64_t written(const struct export *x)
{
    uint64_t bytes = x->m.memory.size;
    size_t i;

    for (i = 0; i < x->m.ndisks; i++)
        bytes += x->m.disks[i].image.size;
    return bytes;
}

int snap_export(const struct snap_env *env, const struct snap_export *req,
                struct snap_exported *r, struct err *e)
{
    struct export x = { .env = env, .req = req, .memory_dir = -1 };
    struct session s;
    char *domain = NULL;
    int rc = -1;

    memset(r, 0, sizeof(*r));
    if (interrupt_catch(e) || name_check(req->name, e) ||
        session_domain_name(req->domain, &domain, e) ||
        export_out_open(req->dir, env->plan, &x.out, e)) {
        free(domain);
        return -1;
    }
    x.plain = req->plain || x.out.stream;
    if (!open_since(&x, e) &&
        !session_open(env, domain, false, false, req->wait_s, &s, e)) {
        rc = begin(&x, &s, e);
        session_close(&s);
    }
    if (!rc && !env->plan)
        rc = write_all(&x, e);
    r->ndisks = x.m.ndisks;
    r->bytes = written(&x);
    end(&x);
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
