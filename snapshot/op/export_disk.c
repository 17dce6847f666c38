/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a disk of a snapshot to an export. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "image/content.h"
#include "image/image.h"
#include "image/nbd.h"
#include "op/export_disk.h"
#include "op/export_out.h"
#include "op/exported.h"
#include "store/manifest.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"
#include "sys/tar.h"

/* A disk on its way. */
struct transfer {
    const struct export_disk *x;
    struct manifest_disk *d;
    struct content *from;
    /* Of a new image: a raw file, or what is behind the server. */
    int fd;
    struct content_writer *to;
    struct nbd_server *server;
    FILE *earlier;              /* the sums of the earlier export */
    unsigned char (*sums)[DIGEST_LEN];
    struct tar_range *data;     /* of a member: where it has no holes */
    size_t ndata, at;
};

/* QEMU writes compressed clusters as a whole: until the end the image has one. */
static uint64_t padded(const struct manifest_disk *d)
{
    return (d->virtual_size + CONTENT_ALIGN - 1) / CONTENT_ALIGN *
           CONTENT_ALIGN;
}

/* The earlier image as the new one names it. */
static char *backing_name(const struct export_disk *x,
                          const struct manifest_disk *below)
{
    char *name = manifest_image_name(below);
    char *path = mem_printf("%s/%s", x->since_path, name);

    free(name);
    return path;
}

static int make_image(struct transfer *t, const char *path, struct err *e)
{
    const struct manifest_disk *d = t->d, *below = NULL;
    const char *args[16];
    char *size = mem_printf("%" PRIu64, padded(d)), *backing = NULL;
    size_t k = 0;
    int rc;

    args[k++] = "create";
    args[k++] = "-q";
    args[k++] = "-f";
    args[k++] = d->format;
    if (!t->x->plain) {
        args[k++] = "-o";
        args[k++] = "compression_type=zstd";
    }
    if (d->incremental) {
        below = manifest_find(&t->x->since->m, d->vdev);
        backing = backing_name(t->x, below);
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

/*** A member of a tar */

static bool has_data(struct transfer *t, uint64_t offset)
{
    while (t->at < t->ndata &&
           t->data[t->at].offset + t->data[t->at].len <= offset)
        t->at++;
    return t->at < t->ndata && t->data[t->at].offset <= offset;
}

static void add_data(void *arg, uint64_t offset, uint64_t len)
{
    struct transfer *t = arg;

    t->data = mem_grow(t->data, t->ndata + 1, sizeof(*t->data));
    t->data[t->ndata++] = (struct tar_range){ offset, len };
}

static int begin_member(struct transfer *t, struct err *e)
{
    char *name = manifest_image_name(t->d);
    int rc;

    t->data = mem_zalloc(1, sizeof(*t->data));  /* it may be one hole */
    rc = content_map(t->from, add_data, t, e);
    if (!rc)
        rc = tar_begin(t->x->out->tar, name, t->d->virtual_size,
                       t->data, t->ndata, e);
    t->d->image.size = t->d->virtual_size;
    free(name);
    return rc;
}

static int put_member(struct transfer *t, uint64_t offset, const void *data,
                      size_t len, struct err *e)
{
    if (data && !has_data(t, offset))
        return err_set(e, SNAP_FAILED, "its content changed while it was "
                       "read, at byte %" PRIu64 ": try again", offset);
    return tar_put(t->x->out->tar, data, len, e);
}

/*** An image in the directory */

static bool is_raw(const struct manifest_disk *d)
{
    return !strcmp(d->format, "raw");
}

static int put_image(struct transfer *t, uint64_t offset, const void *data,
                     size_t len, const unsigned char *sum, struct err *e)
{
    if (is_known(t, sum) || (!data && !t->d->incremental))
        return 0;
    if (t->to)
        return content_put(t->to, offset, data, len, e);
    if (lseek(t->fd, (off_t)offset, SEEK_SET) < 0 ||
        file_write_all(t->fd, data, len))
        return err_errno(e, "cannot write %s.%s", t->d->vdev, t->d->format);
    return 0;
}

/*** Either */

static int put_chunks(struct transfer *t, struct err *e)
{
    uint64_t offset = 0;
    const void *data;
    size_t len;
    int rc;

    for (;;) {
        unsigned char *sum = t->sums[offset / CONTENT_CHUNK];

        if (content_next(t->from, &data, &len, e))
            return -1;
        if (!len)
            return 0;
        exported_sum_chunk(data, len, sum);
        if (t->x->out->stream)
            rc = put_member(t, offset, data, len, e);
        else
            rc = put_image(t, offset, data, len, sum, e);
        if (rc)
            return -1;
        offset += len;
        t->x->advance(t->x->arg, len);
    }
}

static size_t count_chunks(const struct transfer *t)
{
    return (size_t)((t->d->virtual_size + CONTENT_CHUNK - 1) / CONTENT_CHUNK);
}

static int write_sums(struct transfer *t, struct err *e)
{
    struct export_file f;
    char *name = manifest_chunks_name(t->d);
    size_t len = count_chunks(t) * DIGEST_LEN;
    int rc = export_file_open(t->x->out, name, len, &f, e);

    if (!rc)
        rc = export_file_put(&f, t->sums, len, e);
    if (!rc)
        rc = export_file_end(&f, &t->d->chunks, e);
    export_file_close(&f);
    free(name);
    return rc;
}

static int open_source(struct transfer *t, struct err *e)
{
    struct digest *begun;

    if (content_open(t->x->socket, t->d->vdev, &t->from, e) ||
        digest_open(&begun, e))
        return -1;
    digest_close(begun);
    t->d->virtual_size = content_size(t->from);
    t->sums = mem_zalloc(count_chunks(t) + 1, DIGEST_LEN);
    return 0;
}

static int open_target(struct transfer *t, const char *path, struct err *e)
{
    const struct export_disk *x = t->x;
    struct nbd_image image = {
        .path = path, .format = t->d->format, .target = true,
        .compress = !x->plain,
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
    if (t->earlier)
        fclose(t->earlier);
    t->earlier = NULL;
}

/* On disk, and as long as the disk; then it is known what it is. */
static int settle_image(struct transfer *t, const char *path, struct err *e)
{
    unsigned char sum[DIGEST_LEN];

    if (is_raw(t->d)) {
        t->d->image.size = t->d->virtual_size;
        return file_sync(t->fd, path, e);
    }
    if (resize_image(t->d, path, e) || file_sync(t->fd, path, e))
        return -1;
    if (digest_file(t->fd, path, sum, &t->d->image.size, e))
        return -1;
    t->d->image.sha256 = digest_hex(sum);
    return 0;
}

static int fill_raw(struct transfer *t, const char *path, struct err *e)
{
    if (ftruncate(t->fd, (off_t)t->d->virtual_size))
        return err_errno(e, "cannot write %s", path);
    return put_chunks(t, e);
}

static int fill_image(struct transfer *t, const char *path, struct err *e)
{
    if (t->d->incremental) {
        t->earlier = exported_chunks(t->x->since,
                                     manifest_find(&t->x->since->m,
                                                   t->d->vdev), e);
        if (!t->earlier)
            return -1;
    }
    if (make_image(t, path, e) || open_target(t, path, e) ||
        put_chunks(t, e) || content_flush(t->to, e))
        return -1;
    return 0;
}

static int write_image(struct transfer *t, struct err *e)
{
    struct export_out *out = t->x->out;
    char *name = manifest_image_name(t->d);
    char *path = mem_printf("%s/%s", out->dir.building, name);
    int rc = -1;

    t->fd = export_out_create(out, name, e);
    if (t->fd >= 0) {
        if (is_raw(t->d))
            rc = fill_raw(t, path, e);
        else
            rc = fill_image(t, path, e);
        close_transfer(t);      /* the server has to let go of it */
        if (!rc)
            rc = settle_image(t, path, e);
        close(t->fd);
    }
    free(name);
    free(path);
    return rc;
}

static int write_member(struct transfer *t, struct err *e)
{
    if (begin_member(t, e))
        return -1;
    return put_chunks(t, e);
}

int export_disk(const struct export_disk *x, struct manifest_disk *d,
                struct err *e)
{
    struct transfer t = { .x = x, .d = d };
    int rc = open_source(&t, e);

    if (!rc && x->out->stream)
        rc = write_member(&t, e);
    else if (!rc)
        rc = write_image(&t, e);
    if (!rc)
        rc = write_sums(&t, e);
    close_transfer(&t);
    free(t.sums);
    free(t.data);
    if (rc)
        return err_wrap(e, "disk %s", d->vdev);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
