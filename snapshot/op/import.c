/* SPDX-License-Identifier: LGPL-2.1-only */

/* Makes a snapshot in the store, and the images that it is of, from an export. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/content.h"
#include "image/target.h"
#include "op/export_dir.h"
#include "op/exported.h"
#include "op/exported_disk.h"
#include "op/import_draft.h"
#include "op/import_tar.h"
#include "op/new_domain.h"
#include "op/serve.h"
#include "op/session.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"

struct import {
    const struct snap_env *env;
    struct exported x;
    struct export_dir unpacked; /* of a tar */
    bool stream;
    struct new_domain n;
    char run[SERVE_DIR_LEN];    /* of the sockets; "": not made */
};

/*** What the steps ask for */

static int next(void *from, const void **data_r, size_t *len_r, struct err *e)
{
    return exported_disk_next(from, data_r, len_r, e);
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
    int rc = exported_disk_open(&im->x, disk, im->run, &from, e);

    if (!rc)
        rc = new_domain_fill(&im->n, &image, socket, next, &from, e);
    exported_disk_close(&from);
    free(socket);
    if (rc)
        return err_wrap(e, "disk %s", d->vdev);
    return 0;
}

/* struct job_source, memory */
static int copy_memory(void *arg, int fd, struct err *e)
{
    struct import *im = arg;
    char *what = mem_printf("%s/%s", im->x.path,
                            manifest_memory_name(&im->x.m));
    int rc = new_domain_copy_memory(&im->n, im->x.fd, what, fd, e);

    free(what);
    return rc;
}

/*** The checks */

/* struct new_domain, need: what is not zero, by its sums. */
static int count_data(void *arg, const struct manifest_disk *d,
                      uint64_t *bytes_r, struct err *e)
{
    unsigned char sum[DIGEST_LEN], zeros[DIGEST_LEN];
    struct import *im = arg;
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

/* Before the store is looked at: the export is whole, as far as it is short. */
static int check_export(const struct import *im, struct err *e)
{
    const struct manifest *m = &im->x.m;

    const char *name = im->n.draft.req->name;

    if (name && name_check_new_domain(name, e))
        return -1;
    if (name_check(m->s.name, e) || name_check_domain(m->s.domain.name, e) ||
        name_check_new_domain(im->n.draft.domain, e)) {
        e->status = SNAP_FAILED;
        return err_wrap(e, "%s", im->x.path);
    }
    if (!im->n.bare && !m->memory.sha256)
        return err_set(e, SNAP_FAILED, "%s has no memory, so no snapshot can "
                       "be made of it: --no-memory brings its disks and "
                       "configuration", im->x.path);
    if (im->stream && m->since)
        return err_set(e, SNAP_FAILED, "the tar has an increment, and not the "
                       "export that it stands on: unpack both, side by side");
    if (exported_check_chain(&im->x, 0, e))
        return -1;
    if (im->n.bare)
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

static int make(struct import *im, struct session *s, struct snap_imported *r,
                struct err *e)
{
    if (!im->env->plan && serve_make_dir(im->run, e))
        return -1;
    return new_domain_make(&im->n, s, r, e);
}

int snap_import(const struct snap_env *env, const struct snap_import *req,
                struct snap_imported *r, struct err *e)
{
    struct import im = {
        .env = env,
        .n = { .env = env, .what = "import", .bare = req->no_memory, .need = count_data,
               .source = { make_image, copy_memory, &im } },
    };
    struct session s;
    int rc = -1;

    memset(r, 0, sizeof(*r));
    if (interrupt_catch(e) || open_export(&im, req, e))
        return -1;
    im.n.draft.req = req;
    im.n.draft.m = &im.x.m;
    im.n.draft.what = im.x.path;
    im.n.draft.domain = req->name ? req->name : im.x.m.s.domain.name;
    if (!check_export(&im, e) &&
        !session_open(env, im.n.draft.domain, true, false, req->wait_s, &s,
                      e)) {
        rc = make(&im, &s, r, e);
        session_close(&s);
    }
    if (im.run[0])
        rmdir(im.run);
    import_draft_free(&im.n.draft);
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
