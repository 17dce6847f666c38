/* SPDX-License-Identifier: LGPL-2.1-only */

/* Makes a domain of a snapshot, with images of its own, and starts it. */

#include <stdlib.h>
#include <string.h>

#include "image/content.h"
#include "image/target.h"
#include "op/import_draft.h"
#include "op/new_domain.h"
#include "op/session.h"
#include "op/sources.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "store/meta.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "xen/domain.h"

struct clone {
    struct sources from;
    struct new_domain n;
};

/*** What the steps ask for */

static int next(void *from, const void **data_r, size_t *len_r, struct err *e)
{
    return content_next(from, data_r, len_r, e);
}

static const struct serve *serve_of(const struct clone *c, const char *vdev)
{
    return &c->from.serves[manifest_find(&c->from.m, vdev) - c->from.m.disks];
}

/* struct job_source, image */
static int make_image(void *arg, const struct snapshot_disk *d,
                      const char *path, int fd, struct err *e)
{
    struct clone *c = arg;
    const struct serve *v = serve_of(c, d->vdev);
    struct target_image image = { .path = path, .fd = fd, .format = d->format };
    char *socket = mem_printf("%s/%s.target", c->from.run, d->vdev);
    struct content *from = NULL;
    int rc = content_open(v->socket, d->vdev, &from, e);

    if (!rc) {
        image.size = content_size(from);
        rc = new_domain_fill(&c->n, &image, socket, next, from, e);
    }
    content_close(from);
    free(socket);
    if (rc)
        return err_wrap(e, "disk %s", d->vdev);
    return 0;
}

/* struct job_source, memory */
static int copy_memory(void *arg, int fd, struct err *e)
{
    struct clone *c = arg;

    return new_domain_copy_memory(&c->n, c->from.memory_dir,
                                  c->from.memory_what, fd, e);
}

static void add_len(void *arg, uint64_t offset, uint64_t len)
{
    uint64_t *bytes = arg;

    (void)offset;
    *bytes += len;
}

/* struct new_domain, need */
static int count_data(void *arg, const struct manifest_disk *d,
                      uint64_t *bytes_r, struct err *e)
{
    struct clone *c = arg;
    const struct serve *v = serve_of(c, d->vdev);
    struct content *from = NULL;
    int rc;

    *bytes_r = 0;
    if (!v->socket)
        return 0;               /* a dry run, which opens nothing */
    rc = content_open(v->socket, d->vdev, &from, e);
    if (!rc)
        rc = content_map(from, add_len, bytes_r, e);
    content_close(from);
    return rc;
}

/*** The whole */

/* In the original's session: what is read stays, until it is closed. */
static int open_sources(struct clone *c, const struct snap_env *env,
                        const struct snap_clone *req, struct err *e)
{
    struct session s;
    char *domain = NULL;
    size_t i;
    int rc = session_domain_name(req->domain, &domain, e);

    if (!rc)
        rc = session_open(env, domain, false, false, req->wait_s, &s, e);
    free(domain);
    if (rc)
        return -1;
    rc = sources_load(&c->from, &s, req->name, e);
    if (!rc && !env->plan)
        rc = sources_open(&c->from, &s, req->memory, e);
    session_close(&s);
    for (i = 0; !rc && i < c->from.m.ndisks; i++)
        c->from.m.disks[i].virtual_size = c->from.serves[i].source.size;
    return rc;
}

static int make(struct clone *c, const struct snap_env *env,
                const struct snap_clone *req, struct snap_imported *r,
                struct err *e)
{
    struct session s;
    int rc;

    if (session_open(env, req->clone, true, false, req->wait_s, &s, e))
        return -1;
    rc = new_domain_make(&c->n, &s, r, e);
    session_close(&s);
    return rc;
}

/* With memory it is a revert to the only snapshot that the new domain has. */
static int start(const struct snap_env *env, const struct snap_clone *req,
                 const struct snap_imported *r, struct err *e)
{
    const struct snap_revert revert = {
        .domain = req->clone, .name = r->s.name, .run = SNAP_PAUSED,
    };
    struct snapshot to;
    uint64_t downtime_ms;
    int rc;

    if (!req->memory) {
        rc = domain_create(r->cfg, req->paused, e);
    } else {
        rc = snap_revert(env, &revert, &to, &downtime_ms, e);
        if (!rc)
            meta_free(&to);
    }
    if (rc)
        return err_wrap(e, "domain %s was made, but it cannot be started",
                        req->clone);
    return 0;
}

int snap_clone(const struct snap_env *env, const struct snap_clone *req,
               struct snap_imported *r, struct err *e)
{
    const struct snap_import as_import = {
        .disks = req->disks, .ndisks = req->ndisks, .force = true,
    };
    struct clone c = {
        .from = { .memory_dir = -1 },
        .n = {
            .env = env, .what = "clone", .bare = !req->memory, .need = count_data,
            .source = { make_image, copy_memory, &c },
            .draft = {
                .req = &as_import, .domain = req->clone, .m = &c.from.m,
                .what = "the snapshot", .clone = true,
                .no_nics = req->memory,
            },
        },
    };
    int rc = -1;

    memset(r, 0, sizeof(*r));
    if (interrupt_catch(e) || name_check(req->name, e) ||
        name_check_new_domain(req->clone, e))
        return -1;
    if (!open_sources(&c, env, req, e))
        rc = make(&c, env, req, r, e);
    import_draft_free(&c.n.draft);
    sources_close(&c.from, env->rep);
    if (rc || env->plan)
        return rc;
    return start(env, req, r, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
