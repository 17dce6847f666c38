/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a snapshot to a directory that does not need the store. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "image/content.h"
#include "image/image.h"
#include "image/nbd.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "op/export_dir.h"
#include "op/exported.h"
#include "op/reader.h"
#include "op/serve.h"
#include "op/session.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/report.h"

struct export {
    const struct snap_env *env;
    const struct snap_export *req;
    struct manifest m;          /* with the snapshot */
    struct export_dir dir;
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

/* A disk on its way. */
struct transfer {
    struct export *x;
    struct manifest_disk *d;
    struct content *from;
    struct content_writer *to;
    struct nbd_server *server;  /* of the new image */
    FILE *chunks, *earlier;     /* their sums: ours, and the earlier export's */
    struct digest *sums;        /* of ours */
    bool on_base;               /* the new image has a backing file */
};

/* A file that an export makes: its descriptor and what is in it. */
struct sink {
    struct export *x;
    int fd;
    const char *what;
    struct digest *sum;
    uint64_t size;
};

static void advance(struct export *x, uint64_t bytes)
{
    x->done += bytes;
    report_progress(x->env->rep, "export", x->done, x->total);
}

static int create_file(struct export *x, const char *name, struct err *e)
{
    int fd = openat(x->dir.fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
                    O_CLOEXEC, FILE_MODE);

    if (fd < 0)
        err_errno(e, "cannot make %s/%s", x->dir.building, name);
    return fd;
}

/* The sum of a file that is on disk, for its record. */
static int record_file(int fd, const char *what, struct manifest_file *f,
                       struct err *e)
{
    unsigned char sum[DIGEST_LEN];

    if (digest_file(fd, what, sum, &f->size, e))
        return -1;
    f->sha256 = digest_hex(sum);
    return 0;
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
    if (x->req->plain && !d->incremental)
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

/* QEMU writes compressed clusters as a whole: until the end the image has one. */
static uint64_t padded(const struct manifest_disk *d)
{
    if (!strcmp(d->format, "raw"))
        return d->virtual_size;
    return (d->virtual_size + CONTENT_ALIGN - 1) / CONTENT_ALIGN *
           CONTENT_ALIGN;
}

/* The earlier image as the new one names it. */
static char *backing_name(const struct export *x,
                          const struct manifest_disk *below)
{
    char *name = manifest_image_name(below);
    char *path = mem_printf("%s/%s", x->m.since, name);

    free(name);
    return path;
}

static int make_image(struct export *x, struct manifest_disk *d,
                      const char *path, struct err *e)
{
    const struct manifest_disk *below = NULL;
    const char *args[16];
    char *size = mem_printf("%" PRIu64, padded(d)), *backing = NULL;
    size_t k = 0;
    int rc;

    args[k++] = "create";
    args[k++] = "-q";
    args[k++] = "-f";
    args[k++] = d->format;
    if (!strcmp(d->format, "qcow2") && !x->req->plain) {
        args[k++] = "-o";
        args[k++] = "compression_type=zstd";
    }
    if (d->incremental) {
        below = manifest_find(&x->since.m, d->vdev);
        backing = backing_name(x, below);
        args[k++] = "-F";
        args[k++] = below->format;
        args[k++] = "-b";
        args[k++] = backing;
    }
    args[k++] = "--";
    args[k++] = path;
    args[k++] = size;
    args[k] = NULL;
    rc = image_make(args, e);
    free(backing);
    free(size);
    return rc;
}

static int resize_image(const struct manifest_disk *d, const char *path,
                        struct err *e)
{
    char *size = mem_printf("%" PRIu64, d->virtual_size);
    const char *args[] = { "resize", "-q", "-f", d->format, "--shrink", "--",
                           path, size, NULL };
    int rc = 0;

    if (padded(d) != d->virtual_size)
        rc = image_make(args, e);
    free(size);
    return rc;
}

/* Does the earlier export have the same here? */
static bool is_known(struct transfer *t, const unsigned char *sum)
{
    unsigned char earlier[DIGEST_LEN];

    if (!t->earlier || exported_next_chunk(t->earlier, earlier))
        return false;
    return !memcmp(earlier, sum, DIGEST_LEN);
}

static void sum_chunk(const void *data, size_t len, unsigned char *sum)
{
    static const char zeros[CONTENT_CHUNK];
    static unsigned char of_zeros[DIGEST_LEN];
    static size_t zeros_len;

    if (data) {
        digest_of(data, len, sum);
        return;
    }
    if (zeros_len != len)
        digest_of(zeros, len, of_zeros);
    zeros_len = len;
    memcpy(sum, of_zeros, DIGEST_LEN);
}

static int put_chunk(struct transfer *t, uint64_t offset, const void *data,
                     size_t len, struct err *e)
{
    unsigned char sum[DIGEST_LEN];

    sum_chunk(data, len, sum);
    digest_add(t->sums, sum, DIGEST_LEN);
    t->d->chunks.size += DIGEST_LEN;
    if (fwrite(sum, DIGEST_LEN, 1, t->chunks) != 1)
        return err_errno(e, "cannot write the checksums of disk %s",
                         t->d->vdev);
    if (is_known(t, sum) || (!data && !t->on_base))
        return 0;
    return content_put(t->to, offset, data, len, e);
}

static int put_chunks(struct transfer *t, struct err *e)
{
    uint64_t offset = 0;
    const void *data;
    size_t len;

    for (;;) {
        if (content_next(t->from, &data, &len, e))
            return -1;
        if (!len)
            return content_flush(t->to, e);
        if (put_chunk(t, offset, data, len, e))
            return -1;
        offset += len;
        advance(t->x, len);
    }
}

static int open_chunks(struct transfer *t, struct err *e)
{
    struct export *x = t->x;
    char *name = manifest_chunks_name(t->d);
    int fd = create_file(x, name, e);

    free(name);
    if (fd < 0)
        return -1;
    t->chunks = fdopen(fd, "w");
    if (!t->chunks) {
        close(fd);
        return err_errno(e, "cannot write the checksums of disk %s",
                         t->d->vdev);
    }
    if (digest_open(&t->sums, e))
        return -1;
    if (!t->d->incremental)
        return 0;
    t->on_base = true;
    t->earlier = exported_chunks(&x->since,
                                 manifest_find(&x->since.m, t->d->vdev), e);
    return t->earlier ? 0 : -1;
}

static int close_chunks(struct transfer *t, struct err *e)
{
    unsigned char sum[DIGEST_LEN];
    FILE *f = t->chunks;
    int rc = 0;

    t->chunks = NULL;
    digest_end(t->sums, sum);
    t->d->chunks.sha256 = digest_hex(sum);
    if (fflush(f))
        rc = err_errno(e, "cannot write the checksums of disk %s",
                       t->d->vdev);
    if (!rc)
        rc = file_sync(fileno(f), "the checksums of a disk", e);
    if (fclose(f) && !rc)
        rc = err_errno(e, "cannot write the checksums of disk %s",
                       t->d->vdev);
    return rc;
}

static int open_target(struct transfer *t, const char *path, struct err *e)
{
    struct export *x = t->x;
    struct nbd_image image = {
        .path = path, .format = t->d->format, .target = true,
        .compress = !x->req->plain,
    };
    char *socket = mem_printf("%s/%s.target", x->run, t->d->vdev);
    int rc = nbd_serve(&image, socket, &t->server, e);

    if (!rc)
        rc = content_write_open(socket, path, &t->to, e);
    free(socket);
    return rc;
}

static void close_transfer(struct transfer *t)
{
    content_close(t->from);
    content_write_close(t->to);
    t->from = NULL;
    t->to = NULL;
    nbd_end(t->server);
    t->server = NULL;
    if (t->chunks)
        fclose(t->chunks);
    if (t->earlier)
        fclose(t->earlier);
    t->chunks = NULL;
    t->earlier = NULL;
    digest_close(t->sums);
    t->sums = NULL;
}

/* On disk, and as long as the disk; then it is known what it is. */
static int settle_image(struct transfer *t, int fd, const char *path,
                        struct err *e)
{
    struct stat st;

    if (resize_image(t->d, path, e) || file_sync(fd, path, e))
        return -1;
    if (strcmp(t->d->format, "raw"))
        return record_file(fd, path, &t->d->image, e);
    if (fstat(fd, &st))
        return err_errno(e, "cannot look at %s", path);
    t->d->image.size = (uint64_t)st.st_size;
    return 0;
}

static int transfer(struct transfer *t, const char *path, struct err *e)
{
    struct export *x = t->x;
    const struct serve *from = &x->serves[t->d - x->m.disks];

    if (content_open(from->socket, t->d->vdev, &t->from, e))
        return -1;
    t->d->virtual_size = content_size(t->from);
    if (make_image(x, t->d, path, e) || open_chunks(t, e) ||
        open_target(t, path, e) || put_chunks(t, e) || close_chunks(t, e))
        return -1;
    return 0;
}

static int export_disk(struct export *x, struct manifest_disk *d,
                       struct err *e)
{
    struct transfer t = { .x = x, .d = d };
    char *name = manifest_image_name(d);
    char *path = mem_printf("%s/%s", x->dir.building, name);
    int fd = create_file(x, name, e), rc = -1;

    if (fd >= 0) {
        rc = transfer(&t, path, e);
        close_transfer(&t);
        if (!rc)
            rc = settle_image(&t, fd, path, e);
        close(fd);
    }
    free(name);
    free(path);
    if (rc)
        return err_wrap(e, "disk %s", d->vdev);
    return 0;
}

/*** The memory */

static int put_memory(void *arg, const void *data, size_t len, struct err *e)
{
    struct sink *s = arg;

    if (interrupt_pending())
        return interrupt_error(e);
    if (file_write_all(s->fd, data, len))
        return err_errno(e, "cannot write %s", s->what);
    digest_add(s->sum, data, len);
    s->size += len;
    advance(s->x, len);
    return 0;
}

static int write_memory(struct sink *s, struct err *e)
{
    struct export *x = s->x;
    unsigned char sum[DIGEST_LEN];

    if (digest_open(&s->sum, e))
        return -1;
    if (memory_copy(x->memory_dir, &x->m.s, x->memory_what, put_memory, s,
                    e) ||
        file_sync(s->fd, s->what, e))
        return -1;
    digest_end(s->sum, sum);
    x->m.memory.size = s->size;
    x->m.memory.sha256 = digest_hex(sum);
    return 0;
}

static int export_memory(struct export *x, struct err *e)
{
    const char *name = manifest_memory_name(&x->m);
    char *what = mem_printf("%s/%s", x->dir.building, name);
    struct sink s = { .x = x, .what = what };
    int rc = -1;

    s.fd = create_file(x, name, e);
    if (s.fd >= 0) {
        rc = write_memory(&s, e);
        digest_close(s.sum);
        close(s.fd);
    }
    free(what);
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
    x->m.since = export_dir_relative(&x->dir, x->since.path);
    x->m.since_sha256 = mem_strdup(x->since.sha256);
    return 0;
}

static void tell_plan(const struct export *x)
{
    const struct snap_env *env = x->env;
    char *line;
    size_t i;

    if (!x->req->no_memory) {
        line = mem_printf("write the memory to %s/%s", x->dir.path,
                          manifest_memory_name(&x->m));
        env->plan(env->plan_arg, line);
        free(line);
    }
    for (i = 0; i < x->m.ndisks; i++) {
        line = mem_printf("write disk %s to %s/%s.%s", x->m.disks[i].vdev,
                          x->dir.path, x->m.disks[i].vdev,
                          x->m.disks[i].format);
        env->plan(env->plan_arg, line);
        free(line);
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

        if (serve_open(&x->serves[i], disk, x->run, NULL, false, e))
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

static int write_all(struct export *x, struct err *e)
{
    char *what = mem_printf("%s/%s", x->dir.building, MANIFEST_FILE);
    char *text = NULL;
    size_t i;
    int rc = 0;

    if (!x->req->no_memory)
        rc = export_memory(x, e);
    for (i = 0; !rc && i < x->m.ndisks; i++)
        rc = export_disk(x, &x->m.disks[i], e);
    if (!rc) {
        text = manifest_text(&x->m);
        rc = file_write_durable(x->dir.fd, MANIFEST_FILE, text, strlen(text),
                                what, e);
    }
    free(text);
    free(what);
    if (rc)
        return -1;
    return export_dir_commit(&x->dir, e);
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
    export_dir_close(&x->dir);
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
        export_dir_open(req->dir, env->plan, &x.dir, e)) {
        free(domain);
        return -1;
    }
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
