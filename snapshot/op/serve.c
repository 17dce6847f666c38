/* SPDX-License-Identifier: LGPL-2.1-only */

/* Puts a disk of a snapshot behind a socket. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/disk.h"
#include "image/image.h"
#include "image/nbd.h"
#include "op/serve.h"
#include "sys/err.h"
#include "sys/mem.h"

#ifndef SERVE_RUN
#define SERVE_RUN "/run"
#endif

int serve_make_dir(char dir[SERVE_DIR_LEN], struct err *e)
{
    int len = snprintf(dir, SERVE_DIR_LEN, "%s/xl-snapshot-view-XXXXXX",
                       SERVE_RUN);

    if (len < SERVE_DIR_LEN && mkdtemp(dir))
        return 0;
    dir[0] = '\0';
    return err_errno(e, "cannot make a directory in %s", SERVE_RUN);
}

/* An internal snapshot of an image that has grown reads at the new size. */
static int find_cut(const struct serve *v, uint64_t *cut_r, struct err *e)
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

static int start(struct serve *v, const char *dir, bool writable,
                 struct err *e)
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
    inner = mem_printf("%s/%s.source", dir, v->disk->vdev);
    behind.path = inner;
    rc = nbd_serve(&image, inner, &v->inner, e);
    if (!rc)
        rc = nbd_serve(&behind, v->socket, &v->outer, e);
    free(inner);
    return rc;
}

int serve_open(struct serve *v, const struct snapshot_disk *disk,
               const char *dir, const char *socket, bool writable,
               struct err *e)
{
    memset(v, 0, sizeof(*v));
    v->disk = disk;
    if (socket)
        v->socket = mem_strdup(socket);
    else
        v->socket = mem_printf("%s/%s", dir, disk->vdev);
    if (disk_source_open(disk, &v->source, e))
        return -1;
    return start(v, dir, writable, e);
}

int serve_check(const struct serve *v, struct err *e)
{
    if (nbd_check_serves(v->outer, e))
        return -1;
    if (v->inner && nbd_check_serves(v->inner, e))
        return -1;
    return 0;
}

int serve_close(struct serve *v, struct err *e)
{
    int rc = 0;

    nbd_end(v->outer);
    nbd_end(v->inner);
    if (v->disk)
        rc = disk_source_close(v->disk, &v->source, e);
    free(v->socket);
    memset(v, 0, sizeof(*v));
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
