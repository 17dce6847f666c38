/* SPDX-License-Identifier: LGPL-2.1-only */

/* Makes a snapshot in the store, and the images that it is of, from an export. */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "image/content.h"
#include "image/layer.h"
#include "image/target.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "memory/rewrite.h"
#include "op/export_dir.h"
#include "op/exported.h"
#include "op/exported_disk.h"
#include "op/import_draft.h"
#include "op/import_tar.h"
#include "op/serve.h"
#include "op/session.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "store/meta.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/host.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/plan.h"
#include "xen/domain.h"
#include "xen/xl_cfg.h"

struct import {
    const struct snap_env *env;
    struct exported x;
    struct export_dir unpacked; /* of a tar */
    bool stream;
    bool bare;                  /* without memory: disks and configuration */
    struct import_draft draft;
    char run[SERVE_DIR_LEN];    /* of the sockets; "": not made */
    uint64_t done, total;       /* bytes */
};

static void advance(struct import *im, uint64_t bytes)
{
    im->done += bytes;
    report_progress(im->env->rep, "import", im->done, im->total);
}

/*** What the steps ask for */

static int fill(struct import *im, struct exported_disk *from,
                struct target *to, struct err *e)
{
    uint64_t offset = 0;
    const void *data;
    size_t len;

    for (;;) {
        if (exported_disk_next(from, &data, &len, e))
            return -1;
        if (!len)
            return target_end(to, e);
        if (target_put(to, offset, data, len, e))
            return -1;
        offset += len;
        advance(im, len);
    }
}

/* struct job_source, image */
static int make_image(void *arg, const struct snapshot_disk *d,
                      const char *path, int fd, struct err *e)
{
    struct import *im = arg;
    const struct manifest_disk *disk = manifest_find(&im->x.m, d->vdev);
    const struct target_image image = {
        .path = path, .fd = fd, .format = d->format,
        .size = disk->virtual_size,
    };
    char *socket = mem_printf("%s/%s.target", im->run, d->vdev);
    struct exported_disk from;
    struct target *to = NULL;
    int rc = exported_disk_open(&im->x, disk, im->run, &from, e);

    if (!rc)
        rc = target_open(&image, socket, &to, e);
    if (!rc)
        rc = fill(im, &from, to, e);
    target_close(to);
    exported_disk_close(&from);
    free(socket);
    if (rc)
        return err_wrap(e, "disk %s", d->vdev);
    return 0;
}

static int copy_stream(struct import *im, struct rewrite *w, int fd,
                       struct err *e)
{
    char *buf = mem_zalloc(CONTENT_CHUNK, 1);
    ssize_t n = 1;
    int rc = 0;

    while (!rc && n > 0) {
        n = interrupt_pending() ? -1 : rewrite_source(w, buf, CONTENT_CHUNK);
        if (n > 0 && file_write_all(fd, buf, (size_t)n))
            rc = err_errno(e, "cannot write the memory image");
        if (n > 0)
            advance(im, (uint64_t)n);
    }
    free(buf);
    if (n < 0 && interrupt_pending())
        return interrupt_error(e);
    if (n < 0)
        return err_set(e, SNAP_FAILED, "cannot read the memory image");
    return rc;
}

/* struct job_source, memory */
static int copy_memory(void *arg, int fd, struct err *e)
{
    struct import *im = arg;
    char *what = mem_printf("%s/%s", im->x.path,
                            manifest_memory_name(&im->x.m));
    struct memory_reader *r = NULL;
    struct rewrite w = { 0 };
    int rc = memory_open(im->x.fd, &im->x.m.s, what, NULL, &r, e);

    if (!rc)
        rc = rewrite_begin(&w, memory_source, r, NULL, NULL, e);
    if (!rc)
        rc = rewrite_drop_header(&w, e);
    if (!rc)
        rc = copy_stream(im, &w, fd, e);
    rewrite_end(&w);
    if (r && memory_failed(r, e))
        rc = -1;
    memory_reader_close(r);
    if (rc)
        err_wrap(e, "%s", what);
    free(what);
    return rc;
}

/*** The checks */

/* Bytes of a disk that are not zero, by its sums. */
static int count_data(const struct import *im, const struct manifest_disk *d,
                      uint64_t *bytes_r, struct err *e)
{
    unsigned char sum[DIGEST_LEN], zeros[DIGEST_LEN];
    FILE *chunks = exported_chunks(&im->x, d, e);

    if (!chunks)
        return -1;
    *bytes_r = 0;
    exported_sum_chunk(NULL, CONTENT_CHUNK, zeros);
    while (!exported_next_chunk(chunks, sum))
        if (memcmp(sum, zeros, DIGEST_LEN))
            *bytes_r += CONTENT_CHUNK;
    fclose(chunks);
    return 0;
}

static void check_room(const char *folder, int fd, uint64_t need,
                       struct err *problems)
{
    uint64_t room;
    struct err e;

    if (file_free_space(fd, &room, &e))
        err_add(problems, "%s", e.text);
    else if (room < need)
        err_add(problems, "the images need up to %" PRIu64 " MiB in %s, and %"
                PRIu64 " MiB are free there", (need >> 20) + 1, folder,
                room >> 20);
}

/* An image of a raw disk has a copy beside it. */
static int image_need(struct import *im, const struct import_disk *disk,
                      const struct snapshot *s, uint64_t *need_r,
                      struct err *e)
{
    size_t i;

    if (count_data(im, disk->from, need_r, e))
        return -1;
    im->total += disk->from->virtual_size;
    for (i = 0; i < s->ndisks; i++)
        if (!strcmp(s->disks[i].vdev, disk->vdev) &&
            disk_is_alone(&s->disks[i]))
            *need_r *= 2;
    return 0;
}

/* Of all images in one file system together. */
static void check_images_room(struct import *im, const struct snapshot *s,
                              struct err *problems)
{
    struct disk_host claims = { 0 };
    size_t i;

    for (i = 0; i < im->draft.ndisks; i++) {
        const struct import_disk *disk = &im->draft.disks[i];
        char *folder = layer_folder(disk->path), *place;
        int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st;
        struct err e;
        uint64_t need;

        if (disk->from && image_need(im, disk, s, &need, &e)) {
            err_add(problems, "%s", e.text);
        } else if (disk->from && fd >= 0 && !fstat(fd, &st)) {
            place = mem_printf("%ju", (uintmax_t)st.st_dev);
            check_room(folder, fd, disk_claim(&claims, place, need),
                       problems);
            free(place);
        }
        if (fd >= 0)
            close(fd);
        free(folder);
    }
    disk_host_close(&claims);
}

/* What is there of that name is somebody's. */
static void check_new(struct session *s, struct err *problems)
{
    struct domain d;
    struct err e;
    int rc = domain_look(s->st.domain, &d, &e);

    if (rc < 0)
        err_add(problems, "%s", e.text);
    if (rc > 0 || s->tree.n)
        err_add(problems, "domain %s %s here: choose another name with "
                "--name=DOMAIN", s->st.domain,
                rc > 0 ? "runs" : "has snapshots");
}

/* Neither is a reason against it: perhaps it is only to be looked at. */
static void warn(const struct import *im, const struct snapshot *s)
{
    char *cpu = host_cpu_model(), *xen = domain_xen_version();

    if (s->host.cpu && cpu && strcmp(s->host.cpu, cpu))
        report_note(im->env->rep, "warning: the snapshot was taken on another "
                    "CPU, %s: its guest may not go on on this one",
                    s->host.cpu);
    if (s->host.xen && xen && strcmp(s->host.xen, xen))
        report_note(im->env->rep, "warning: the snapshot was taken on Xen %s, "
                    "and this is %s", s->host.xen, xen);
    free(cpu);
    free(xen);
}

static int prepare(struct import *im, struct session *s, struct job *j,
                   struct err *e)
{
    struct err problems = { 0 };

    check_new(s, &problems);
    import_draft(&im->draft, j->unique, &j->s, &problems);
    if (problems.status == SNAP_OK) {
        import_check(&im->draft, &j->s, &problems);
        check_images_room(im, &j->s, &problems);
        if (!im->bare)
            memory_place_check_room(j->st, &j->s,
                                    memory_room(j->s.memory.size,
                                                j->memory_level), &problems);
    }
    if (problems.status == SNAP_OK)
        return plan_import(&j->s, im->bare, &j->plan);
    *e = problems;
    return -1;
}

static char *make_cfg(const struct import *im)
{
    const struct snapshot *was = &im->x.m.s;
    char *about = mem_printf("Domain %s as it was in snapshot '%s'.",
                             was->domain.name, was->name);
    char *text = xl_cfg_text(im->draft.config, about);

    free(about);
    return text;
}

static int run(struct import *im, struct session *s, struct snap_imported *r,
               struct err *e)
{
    const struct job_source source = { make_image, copy_memory, im };
    char unique[NAME_UNIQUE_LEN + 1];
    struct job j;
    int rc = -1;

    session_job(s, OP_IMPORT, &j);
    j.source = &source;
    if (name_unique(unique, e))
        goto out;
    j.unique = mem_strdup(unique);
    if (strcmp(im->x.m.s.memory.compression, "none"))
        j.memory_level = MEMORY_LEVEL_DEFAULT;
    if (prepare(im, s, &j, e))
        goto out;
    warn(im, &j.s);
    j.cfg = mem_strdup(im->draft.cfg);
    j.cfg_text = make_cfg(im);
    if (!im->bare)
        im->total += j.s.memory.size;
    if (!im->env->plan && serve_make_dir(im->run, e))
        goto out;
    rc = session_run(s, &j, e);
    if (rc)
        goto out;
    r->s = j.s;
    memset(&j.s, 0, sizeof(j.s));
    r->memory = !im->bare;
    r->cfg = j.cfg;
    j.cfg = NULL;

out:
    job_free(&j);
    report_progress(im->env->rep, "import", 1, 1);
    return rc;
}

/* Before the store is looked at: the export is whole, as far as it is short. */
static int check_export(const struct import *im, struct err *e)
{
    const struct manifest *m = &im->x.m;

    if (im->draft.req->name && name_check_domain(im->draft.req->name, e))
        return -1;
    if (name_check(m->s.name, e) || name_check_domain(im->draft.domain, e)) {
        e->status = SNAP_FAILED;
        return err_wrap(e, "%s", im->x.path);
    }
    if (!im->bare && !m->memory.sha256)
        return err_set(e, SNAP_FAILED, "%s has no memory, so no snapshot can "
                       "be made of it: --no-memory brings its disks and "
                       "configuration", im->x.path);
    if (im->stream && m->since)
        return err_set(e, SNAP_FAILED, "the tar has an increment, and not the "
                       "export that it stands on: unpack both, side by side");
    if (exported_check_chain(&im->x, 0, e))
        return -1;
    if (im->bare)
        return 0;
    return exported_check_file(&im->x, manifest_memory_name(m), &m->memory, e);
}

static int open_export(struct import *im, const struct snap_import *req,
                       struct err *e)
{
    im->stream = !strcmp(req->dir, IMPORT_STREAM);
    if (!im->stream)
        return exported_open(req->dir, &im->x, e);
    if (im->env->plan)
        return err_set(e, SNAP_USAGE, "a dry run makes no files, so it cannot "
                       "look into a tar: unpack it, and give the directory");
    if (import_tar_unpack(req->path ? req->path : ".", &im->unpacked, e))
        return -1;
    if (!exported_open(im->unpacked.building, &im->x, e))
        return 0;
    export_dir_close(&im->unpacked);
    return -1;
}

int snap_import(const struct snap_env *env, const struct snap_import *req,
                struct snap_imported *r, struct err *e)
{
    struct import im = { .env = env, .bare = req->no_memory };
    struct session s;
    int rc = -1;

    memset(r, 0, sizeof(*r));
    if (interrupt_catch(e) || open_export(&im, req, e))
        return -1;
    im.draft.req = req;
    im.draft.x = &im.x;
    im.draft.domain = req->name ? req->name : im.x.m.s.domain.name;
    if (!check_export(&im, e) &&
        !session_open(env, im.draft.domain, true, false, req->wait_s, &s, e)) {
        rc = run(&im, &s, r, e);
        session_close(&s);
    }
    if (im.run[0])
        rmdir(im.run);
    import_draft_free(&im.draft);
    exported_close(&im.x);
    if (im.stream)
        export_dir_close(&im.unpacked);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
