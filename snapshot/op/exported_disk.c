/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads a disk of an export. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "image/content.h"
#include "image/nbd.h"
#include "op/exported.h"
#include "op/exported_disk.h"
#include "store/manifest.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/mem.h"

static int serve(struct exported_disk *r, const struct manifest_disk *d,
                 const char *run, struct err *e)
{
    struct nbd_image image = { .path = r->path, .format = d->format };
    char *socket = mem_printf("%s/%s", run, d->vdev);
    int rc = nbd_serve(&image, socket, &r->server, e);

    if (!rc)
        rc = content_open(socket, r->path, &r->from, e);
    free(socket);
    return rc;
}

int exported_disk_open(const struct exported *x, const struct manifest_disk *d,
                       const char *run, struct exported_disk *r,
                       struct err *e)
{
    char *name = manifest_image_name(d);

    memset(r, 0, sizeof(*r));
    r->path = mem_printf("%s/%s", x->path, name);
    free(name);
    r->chunks = exported_chunks(x, d, e);
    if (!r->chunks || serve(r, d, run, e))
        return -1;
    if (content_size(r->from) == d->virtual_size)
        return 0;
    return err_set(e, SNAP_FAILED, "%s is not as large as the disk was",
                   r->path);
}

int exported_disk_next(struct exported_disk *r, const void **data_r,
                       size_t *len_r, struct err *e)
{
    unsigned char want[DIGEST_LEN], sum[DIGEST_LEN];

    if (content_next(r->from, data_r, len_r, e))
        return -1;
    if (!*len_r)
        return 0;
    exported_sum_chunk(*data_r, *len_r, sum);
    if (exported_next_chunk(r->chunks, want) ||
        memcmp(sum, want, DIGEST_LEN))
        return err_set(e, SNAP_FAILED, "%s gives other bytes at %" PRIu64
                       " MiB than the snapshot had: the export is damaged",
                       r->path, r->offset / CONTENT_CHUNK);
    r->offset += *len_r;
    return 0;
}

void exported_disk_close(struct exported_disk *r)
{
    content_close(r->from);
    nbd_end(r->server);
    if (r->chunks)
        fclose(r->chunks);
    free(r->path);
    memset(r, 0, sizeof(*r));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
