/* SPDX-License-Identifier: LGPL-2.1-only */

/* Fills a new image. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "image/content.h"
#include "image/image.h"
#include "image/nbd.h"
#include "image/target.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"

struct target {
    const struct target_image *image;
    /* Unless it is raw. */
    struct nbd_server *server;
    struct content_writer *to;
};

static bool is_raw(const struct target_image *image)
{
    return !strcmp(image->format, "raw");
}

/* QEMU writes compressed clusters as a whole: until the end the image has one. */
static uint64_t padded(const struct target_image *image)
{
    return (image->size + CONTENT_ALIGN - 1) / CONTENT_ALIGN * CONTENT_ALIGN;
}

static int make(const struct target_image *image, struct err *e)
{
    const char *args[16];
    char *size = mem_printf("%" PRIu64, padded(image));
    size_t k = 0;
    int rc;

    args[k++] = "create";
    args[k++] = "-q";
    args[k++] = "-f";
    args[k++] = image->format;
    if (image->compress) {
        args[k++] = "-o";
        args[k++] = "compression_type=zstd";
    }
    if (image->backing) {
        args[k++] = "-F";
        args[k++] = image->backing_format;
        args[k++] = "-b";
        args[k++] = image->backing;
    }
    args[k++] = "--";
    args[k++] = image->path;
    args[k++] = size;
    args[k] = NULL;
    rc = image_make(args, e);
    free(size);
    return rc;
}

static int cut(const struct target_image *image, struct err *e)
{
    char *size = mem_printf("%" PRIu64, image->size);
    const char *args[] = { "resize", "-q", "-f", image->format, "--shrink",
                           "--", image->path, size, NULL };
    int rc = 0;

    if (padded(image) != image->size)
        rc = image_make(args, e);
    free(size);
    return rc;
}

static int serve(struct target *t, const char *socket, struct err *e)
{
    struct nbd_image server = {
        .path = t->image->path, .format = t->image->format, .target = true,
        .compress = t->image->compress,
    };

    if (make(t->image, e) || nbd_serve(&server, socket, &t->server, e))
        return -1;
    return content_write_open(socket, t->image->path, &t->to, e);
}

int target_open(const struct target_image *image, const char *socket,
                struct target **t_r, struct err *e)
{
    struct target *t = mem_zalloc(1, sizeof(*t));
    int rc;

    t->image = image;
    if (!is_raw(image))
        rc = serve(t, socket, e);
    else if ((rc = ftruncate(image->fd, (off_t)image->size)))
        err_errno(e, "cannot write %s", image->path);
    if (rc) {
        target_close(t);
        return -1;
    }
    *t_r = t;
    return 0;
}

int target_put(struct target *t, uint64_t offset, const void *data,
               size_t len, struct err *e)
{
    if (!data && !t->image->backing)
        return 0;
    if (t->to)
        return content_put(t->to, offset, data, len, e);
    if (lseek(t->image->fd, (off_t)offset, SEEK_SET) < 0 ||
        file_write_all(t->image->fd, data, len))
        return err_errno(e, "cannot write %s", t->image->path);
    return 0;
}

/* The server has to let go of it. */
static void let_go(struct target *t)
{
    content_write_close(t->to);
    t->to = NULL;
    nbd_end(t->server);
    t->server = NULL;
}

int target_end(struct target *t, struct err *e)
{
    if (t->to) {
        if (content_flush(t->to, e))
            return -1;
        let_go(t);
        if (cut(t->image, e))
            return -1;
    }
    return file_sync(t->image->fd, t->image->path, e);
}

void target_close(struct target *t)
{
    if (!t)
        return;
    let_go(t);
    free(t);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
