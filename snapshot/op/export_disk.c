/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a disk of a snapshot to an export. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/content.h"
#include "image/target.h"
#include "op/export_disk.h"
#include "op/export_out.h"
#include "op/exported.h"
#include "store/manifest.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "sys/tar.h"

/* A disk on its way. */
struct transfer {
    const struct export_disk *x;
    struct manifest_disk *d;
    struct content *from;
    struct target *to;          /* of a new image */
    FILE *earlier;              /* the sums of the earlier export */
    unsigned char (*sums)[DIGEST_LEN];
    struct tar_range *data;     /* of a member: where it has no holes */
    size_t ndata, at;
};

/* The earlier image as the new one names it. */
static char *backing_name(const struct export_disk *x,
                          const struct manifest_disk *below)
{
    char *name = manifest_image_name(below);
    char *path = mem_printf("%s/%s", x->since_path, name);

    free(name);
    return path;
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
    if (is_known(t, sum))
        return 0;
    return target_put(t->to, offset, data, len, e);
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

static void close_transfer(struct transfer *t)
{
    content_close(t->from);
    target_close(t->to);
    t->from = NULL;
    t->to = NULL;
    if (t->earlier)
        fclose(t->earlier);
    t->earlier = NULL;
}

/* What it is, now that nothing changes it any more. */
static int measure(struct transfer *t, int fd, const char *path,
                   struct err *e)
{
    unsigned char sum[DIGEST_LEN];

    if (is_raw(t->d)) {
        t->d->image.size = t->d->virtual_size;
        return 0;
    }
    if (digest_file(fd, path, sum, &t->d->image.size, e))
        return -1;
    t->d->image.sha256 = digest_hex(sum);
    return 0;
}

static int fill(struct transfer *t, const struct target_image *image,
                struct err *e)
{
    char *socket = mem_printf("%s/%s.target", t->x->run, t->d->vdev);
    int rc = target_open(image, socket, &t->to, e);

    if (!rc)
        rc = put_chunks(t, e);
    if (!rc)
        rc = target_end(t->to, e);
    free(socket);
    return rc;
}

/* On what the earlier export has, and only what that has not. */
static int fill_increment(struct transfer *t, struct target_image *image,
                          struct err *e)
{
    const struct manifest_disk *below = manifest_find(&t->x->since->m,
                                                      t->d->vdev);
    char *backing = backing_name(t->x, below);
    int rc = -1;

    image->backing = backing;
    image->backing_format = below->format;
    t->earlier = exported_chunks(t->x->since, below, e);
    if (t->earlier)
        rc = fill(t, image, e);
    free(backing);
    return rc;
}

static int write_image(struct transfer *t, struct err *e)
{
    struct export_out *out = t->x->out;
    char *name = manifest_image_name(t->d);
    char *path = mem_printf("%s/%s", out->dir.building, name);
    struct target_image image = {
        .path = path, .format = t->d->format, .size = t->d->virtual_size,
        .compress = !t->x->plain, .fd = export_out_create(out, name, e),
    };
    int rc = -1;

    if (image.fd >= 0) {
        if (t->d->incremental)
            rc = fill_increment(t, &image, e);
        else
            rc = fill(t, &image, e);
        close_transfer(t);
        if (!rc)
            rc = measure(t, image.fd, path, e);
        close(image.fd);
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
