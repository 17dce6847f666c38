/* SPDX-License-Identifier: LGPL-2.1-only */

/* Makes a domain's images, configuration and first snapshot. */

#include <fcntl.h>
#include <inttypes.h>
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
#include "op/import_draft.h"
#include "op/new_domain.h"
#include "op/session.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "store/meta.h"
#include "store/store.h"
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

void new_domain_advance(struct new_domain *n, uint64_t bytes)
{
    n->done += bytes;
    report_progress(n->env->rep, n->what, n->done, n->total);
}

/*** For the source */

static int fill(struct new_domain *n, struct target *to,
                new_domain_next *next, void *from, struct err *e)
{
    uint64_t offset = 0;
    const void *data;
    size_t len;

    for (;;) {
        if (next(from, &data, &len, e))
            return -1;
        if (!len)
            return target_end(to, e);
        if (target_put(to, offset, data, len, e))
            return -1;
        offset += len;
        new_domain_advance(n, len);
    }
}

int new_domain_fill(struct new_domain *n, const struct target_image *image,
                    const char *socket, new_domain_next *next, void *from,
                    struct err *e)
{
    struct target *to = NULL;
    int rc = target_open(image, socket, &to, e);

    if (!rc)
        rc = fill(n, to, next, from, e);
    target_close(to);
    return rc;
}

static int copy_stream(struct new_domain *n, struct rewrite *w, int fd,
                       struct err *e)
{
    char *buf = mem_zalloc(CONTENT_CHUNK, 1);
    uint64_t total = 0;
    ssize_t got = 1;
    int rc = 0;

    while (!rc && got > 0) {
        got = interrupt_pending() ? -1 : rewrite_source(w, buf, CONTENT_CHUNK);
        if (got > 0 && file_write_all(fd, buf, (size_t)got))
            rc = err_errno(e, "cannot write the memory image");
        if (got > 0) {
            new_domain_advance(n, (uint64_t)got);
            total += (uint64_t)got;
        }
    }
    free(buf);
    if (got < 0 && interrupt_pending())
        return interrupt_error(e);
    if (got < 0)
        return err_set(e, SNAP_FAILED, "cannot read the memory image");
    if (!rc && !total)
        return err_set(e, SNAP_FAILED, "it ends behind its header");
    return rc;
}

int new_domain_copy_memory(struct new_domain *n, int dirfd, const char *what,
                           int fd, struct err *e)
{
    struct memory_reader *r = NULL;
    struct rewrite w = { 0 };
    int rc = memory_open(dirfd, &n->draft.m->s, what, NULL, &r, e);

    if (!rc)
        rc = rewrite_begin(&w, memory_source, r, NULL, NULL, e);
    if (!rc)
        rc = rewrite_drop_header(&w, e);
    if (!rc)
        rc = copy_stream(n, &w, fd, e);
    rewrite_end(&w);
    /* What the reader says has the path in it. */
    if (r && memory_failed(r, e))
        rc = -1;
    else if (r && rc)
        err_wrap(e, "%s", what);
    memory_reader_close(r);
    return rc;
}

/*** The checks */

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
static int image_need(struct new_domain *n, const struct import_disk *disk,
                      const struct snapshot *s, uint64_t *need_r,
                      struct err *e)
{
    size_t i;

    if (n->need(n->source.arg, disk->from, need_r, e))
        return -1;
    n->total += disk->from->virtual_size;
    for (i = 0; i < s->ndisks; i++)
        if (!strcmp(s->disks[i].vdev, disk->vdev) &&
            disk_is_alone(&s->disks[i]))
            *need_r *= 2;
    return 0;
}

/* Of all images in one file system together. */
static void check_images_room(struct new_domain *n, const struct snapshot *s,
                              struct err *problems)
{
    struct disk_host claims = { 0 };
    size_t i;

    for (i = 0; i < n->draft.ndisks; i++) {
        const struct import_disk *disk = &n->draft.disks[i];
        char *folder = layer_folder(disk->path), *place;
        int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat st;
        struct err e;
        uint64_t need;

        if (disk->from && image_need(n, disk, s, &need, &e)) {
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

/* Damaged ones, too, which the tree does not have. */
static int count_snapshots(struct session *s, size_t *n_r, struct err *e)
{
    char **names = NULL;

    *n_r = 0;
    if (s->st.fd < 0)
        return 0;
    if (store_names(&s->st, STORE_COMMITTED, &names, n_r, e))
        return -1;
    store_free_names(names, *n_r);
    return 0;
}

/* What is there of that name is somebody's. */
static void check_new(struct session *s, struct err *problems)
{
    struct domain d;
    struct err e;
    size_t n;
    int rc = domain_look(s->st.domain, &d, &e);

    if (rc < 0 || count_snapshots(s, &n, &e))
        err_add(problems, "%s", e.text);
    else if (rc > 0 || n)
        err_add(problems, "domain %s %s here: choose another name for the new "
                "one", s->st.domain, rc > 0 ? "runs" : "has snapshots");
}

/* Neither is a reason against it: perhaps it is only to be looked at. */
static void warn(const struct new_domain *n, const struct snapshot *s)
{
    char *cpu = host_cpu_model(), *xen = domain_xen_version();

    if (s->host.cpu && cpu && strcmp(s->host.cpu, cpu))
        report_note(n->env->rep, "warning: the snapshot was taken on another "
                    "CPU, %s: its guest may not go on on this one",
                    s->host.cpu);
    if (s->host.xen && xen && strcmp(s->host.xen, xen))
        report_note(n->env->rep, "warning: the snapshot was taken on Xen %s, "
                    "and this is %s", s->host.xen, xen);
    free(cpu);
    free(xen);
}

static int prepare(struct new_domain *n, struct session *s, struct job *j,
                   struct err *e)
{
    struct err problems = { 0 };

    check_new(s, &problems);
    import_draft(&n->draft, j->unique, &j->s, &problems);
    if (problems.status == SNAP_OK) {
        import_check(&n->draft, &j->s, &problems);
        check_images_room(n, &j->s, &problems);
        if (!n->bare)
            memory_place_check_room(j->st, &j->s,
                                    memory_room(j->s.memory.size,
                                                j->memory_level), &problems);
    }
    if (problems.status == SNAP_OK)
        return plan_import(&j->s, n->bare, &j->plan);
    *e = problems;
    return -1;
}

static char *make_cfg(const struct new_domain *n)
{
    const struct snapshot *was = &n->draft.m->s;
    char *about = mem_printf("Domain %s as it was in snapshot '%s'.",
                             was->domain.name, was->name);
    char *text = xl_cfg_text(n->draft.config, about);

    free(about);
    return text;
}

int new_domain_make(struct new_domain *n, struct session *s,
                    struct snap_imported *r, struct err *e)
{
    char unique[NAME_UNIQUE_LEN + 1];
    struct job j;
    int rc = -1;

    session_job(s, OP_IMPORT, &j);
    j.source = &n->source;
    if (name_unique(unique, e))
        goto out;
    j.unique = mem_strdup(unique);
    if (strcmp(n->draft.m->s.memory.compression, "none"))
        j.memory_level = MEMORY_LEVEL_DEFAULT;
    if (prepare(n, s, &j, e))
        goto out;
    warn(n, &j.s);
    j.cfg = mem_strdup(n->draft.cfg);
    j.cfg_text = make_cfg(n);
    if (!n->bare)
        n->total += j.s.memory.size;
    rc = session_run(s, &j, e);
    if (rc)
        goto out;
    r->s = j.s;
    memset(&j.s, 0, sizeof(j.s));
    r->memory = !n->bare;
    r->cfg = j.cfg;
    j.cfg = NULL;

out:
    job_free(&j);
    report_progress(n->env->rep, n->what, 1, 1);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
