/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads a finished export, and says whether it is what was exported. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/content.h"
#include "image/nbd.h"
#include "op/exported.h"
#include "op/serve.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/report.h"

struct check {
    const struct snap_env *env;
    struct exported x;
    char run[SERVE_DIR_LEN];
    uint64_t done, total;       /* bytes */
};

static int compare(struct check *c, struct content *from, FILE *chunks,
                   const char *path, struct err *e)
{
    unsigned char want[DIGEST_LEN], sum[DIGEST_LEN];
    const void *data;
    uint64_t offset = 0;
    size_t len;
    int rc;

    while (!(rc = content_next(from, &data, &len, e)) && len) {
        exported_sum_chunk(data, len, sum);
        if (exported_next_chunk(chunks, want) ||
            memcmp(sum, want, DIGEST_LEN))
            return err_set(e, SNAP_FAILED, "%s gives other bytes at %" PRIu64
                           " MiB than the snapshot had: the export is damaged",
                           path, offset / CONTENT_CHUNK);
        offset += len;
        c->done += len;
        report_progress(c->env->rep, "check", c->done, c->total);
    }
    return rc;
}

static int check_size(const struct content *from,
                      const struct manifest_disk *d, const char *path,
                      struct err *e)
{
    if (content_size(from) == d->virtual_size)
        return 0;
    return err_set(e, SNAP_FAILED, "%s is not as large as the disk was", path);
}

static int check_content(struct check *c, const struct manifest_disk *d,
                         FILE *chunks, const char *path, struct err *e)
{
    struct nbd_image image = { .path = path, .format = d->format };
    char *socket = mem_printf("%s/%s", c->run, d->vdev);
    struct nbd_server *server = NULL;
    struct content *from = NULL;
    int rc = nbd_serve(&image, socket, &server, e);

    if (!rc)
        rc = content_open(socket, path, &from, e);
    if (!rc)
        rc = check_size(from, d, path, e);
    if (!rc)
        rc = compare(c, from, chunks, path, e);
    content_close(from);
    nbd_end(server);
    free(socket);
    return rc;
}

static int check_disk(struct check *c, const struct manifest_disk *d,
                      struct err *e)
{
    char *name = manifest_image_name(d);
    char *path = mem_printf("%s/%s", c->x.path, name);
    FILE *chunks = NULL;
    int rc = exported_check_file(&c->x, name, &d->image, e);

    if (!rc) {
        chunks = exported_chunks(&c->x, d, e);
        rc = chunks ? check_content(c, d, chunks, path, e) : -1;
    }
    if (chunks)
        fclose(chunks);
    free(path);
    free(name);
    return rc;
}

static int check_all(struct check *c, struct err *e)
{
    struct err problems = { 0 }, one;
    const struct manifest *m = &c->x.m;
    size_t i;

    /* QEMU is not given what is not what it says. */
    if (exported_check_chain(&c->x, 0, e) || serve_make_dir(c->run, e))
        return -1;
    if (m->memory.sha256 &&
        exported_check_file(&c->x, manifest_memory_name(m), &m->memory, &one))
        err_join(&problems, &one);
    for (i = 0; i < m->ndisks; i++)
        c->total += m->disks[i].virtual_size;
    for (i = 0; i < m->ndisks; i++)
        if (check_disk(c, &m->disks[i], &one))
            err_join(&problems, &one);
    report_progress(c->env->rep, "check", 1, 1);
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

int snap_export_check(const struct snap_env *env, const char *dir,
                      struct err *e)
{
    struct check c = { .env = env };
    int rc;

    if (interrupt_catch(e) || exported_open(dir, &c.x, e))
        return -1;
    rc = check_all(&c, e);
    if (c.run[0])
        rmdir(c.run);
    exported_close(&c.x);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
