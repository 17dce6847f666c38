/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a snapshot to a directory or a tar that does not need the store. */

#include <stdlib.h>
#include <string.h>

#include "memory/memory.h"
#include "op/export_dir.h"
#include "op/export_disk.h"
#include "op/export_out.h"
#include "op/exported.h"
#include "op/session.h"
#include "op/sources.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "store/meta.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"

struct export {
    const struct snap_env *env;
    const struct snap_export *req;
    struct sources from;        /* with the manifest */
    struct export_out out;
    bool plain;
    struct exported since;
    bool incremental;
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

/* How each disk is written. */
static void choose_formats(struct export *x)
{
    size_t i;

    for (i = 0; i < x->from.m.ndisks; i++) {
        struct manifest_disk *d = &x->from.m.disks[i];

        d->incremental = x->incremental &&
                         manifest_find(&x->since.m, d->vdev);
        d->format = mem_strdup(x->plain && !d->incremental ? "raw" : "qcow2");
    }
}

static int write_disk(struct export *x, struct manifest_disk *d,
                      struct err *e)
{
    const struct export_disk disk = {
        .out = &x->out, .socket = x->from.serves[d - x->from.m.disks].socket,
        .run = x->from.run, .plain = x->plain,
        .since = x->incremental ? &x->since : NULL,
        .since_path = x->from.m.since, .advance = advance, .arg = x,
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
    int rc = export_file_open(&x->out, manifest_memory_name(&x->from.m),
                              x->from.m.s.memory.stored_size, &s.file, e);

    if (!rc)
        rc = memory_copy(x->from.memory_dir, &x->from.m.s, x->from.memory_what, put_memory,
                         &s, e);
    if (!rc)
        rc = export_file_end(&s.file, &x->from.m.memory, e);
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
    x->from.m.since = export_dir_relative(&x->out.dir, x->since.path);
    x->from.m.since_sha256 = mem_strdup(x->since.sha256);
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
        tell(x, "the memory", "", manifest_memory_name(&x->from.m));
    for (i = 0; i < x->from.m.ndisks; i++) {
        char *name = manifest_image_name(&x->from.m.disks[i]);

        tell(x, "disk ", x->from.m.disks[i].vdev, name);
        free(name);
    }
}

static int open_sources(struct export *x, struct session *s, struct err *e)
{
    const struct snapshot *snap = &x->from.m.s;
    size_t i;

    if (sources_open(&x->from, s, !x->req->no_memory, e))
        return -1;
    if (!x->req->no_memory)
        x->total += snap->memory.stored_size;
    for (i = 0; i < x->from.m.ndisks; i++) {
        const struct serve *v = &x->from.serves[i];

        if (export_out_spares(&x->out, v->disk->path, e) ||
            export_out_spares(&x->out, v->source.path, e))
            return -1;
        x->total += v->source.size;
    }
    return 0;
}

/* All that needs the domain's lock.  A dry run ends before the first file. */
static int begin(struct export *x, struct session *s, struct err *e)
{
    if (sources_load(&x->from, s, x->req->name, e))
        return -1;
    choose_formats(x);
    if (!x->env->plan)
        return open_sources(x, s, e);
    tell_plan(x);
    return 0;
}

static int write_manifest(struct export *x, struct err *e)
{
    char *text = manifest_text(&x->from.m);
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
    for (i = 0; i < x->from.m.ndisks; i++)
        if (write_disk(x, &x->from.m.disks[i], e))
            return -1;
    if (write_manifest(x, e))
        return -1;
    return export_out_commit(&x->out, e);
}

static void end(struct export *x)
{
    sources_close(&x->from, x->env->rep);
    if (x->incremental)
        exported_close(&x->since);
    export_out_close(&x->out);
    report_progress(x->env->rep, "export", 1, 1);
}

static uint64_t written(const struct export *x)
{
    uint64_t bytes = x->from.m.memory.size;
    size_t i;

    for (i = 0; i < x->from.m.ndisks; i++)
        bytes += x->from.m.disks[i].image.size;
    return bytes;
}

int snap_export(const struct snap_env *env, const struct snap_export *req,
                struct snap_exported *r, struct err *e)
{
    struct export x = { .env = env, .req = req, .from.memory_dir = -1 };
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
    r->ndisks = x.from.m.ndisks;
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
