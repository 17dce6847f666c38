/* SPDX-License-Identifier: LGPL-2.1-only */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/disk.h"
#include "image/image.h"
#include "image/layer.h"
#include "qemu/qemu.h"
#include "store/meta.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "xen/domain.h"

/* A domain that has just ended may not have let go of its disks. */
#define LET_GO_S 5

static const struct disk_ops *const kinds[] = {
    &disk_internal,
    &disk_external,
    &disk_lvm,
    &disk_copy,
};

const struct disk_ops *disk_find_kind(const char *type)
{
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!strcmp(kinds[i]->type, type))
            return kinds[i];
    return NULL;
}

int disk_host_open(const char *domain, struct disk_host *h, struct err *e)
{
    struct domain d;
    int rc = domain_look(domain, &d, e);

    memset(h, 0, sizeof(*h));
    if (rc < 0)
        return -1;
    h->running = rc > 0;
    h->domid = d.domid;
    return 0;
}

struct qemu *disk_host_qemu(struct disk_host *h, struct err *e)
{
    if (h->confined) {
        err_set(e, SNAP_FAILED, "the domain's device model %s", h->confined);
        (void)err_hot_only(e);
        return NULL;
    }
    if (!h->qemu)
        (void)qemu_open(h->domid, &h->qemu, e);
    return h->qemu;
}

void disk_host_close(struct disk_host *h)
{
    qemu_close(h->qemu);
    json_object_put(h->actions);
    json_object_put(h->claims);
    free(h->others);
    memset(h, 0, sizeof(*h));
}

void disk_host_add_other(struct disk_host *h, const struct snapshot *s)
{
    h->others = mem_grow(h->others, h->nothers + 1, sizeof(*h->others));
    h->others[h->nothers++] = s;
}

int disk_has_part(const struct disk_host *h, const char *path,
                  struct err *e)
{
    size_t i, k;
    int rc = 0;

    for (i = 0; i < h->nothers; i++)
        for (k = 0; !rc && k < h->others[i]->ndisks; k++) {
            const struct snapshot_disk *d = &h->others[i]->disks[k];

            if (d->link)
                rc = layer_same(d->part, path, e);
        }
    return rc;
}

uint64_t disk_claim(struct disk_host *h, const char *place, uint64_t bytes)
{
    json_object *sum;

    if (!h->claims)
        h->claims = json_object_new_object();
    if (json_object_object_get_ex(h->claims, place, &sum))
        bytes += json_object_get_uint64(sum);
    json_add_u64(h->claims, place, bytes);
    return bytes;
}

bool disk_is_alone(const struct snapshot_disk *d)
{
    const struct disk_ops *ops = disk_find_kind(d->type);

    return !ops || ops->alone;
}

/* Why a disk has no part in any snapshot, or NULL. */
static const char *left_out(const struct domain_disk *disk,
                            const char *wanted)
{
    if (disk->cdrom)
        return "CD-ROM";
    if (disk->readonly)
        return "read-only";
    if (wanted && !strcmp(wanted, "none"))
        return "excluded";
    return NULL;
}

/* The first kind that takes the disk, or the last one's reason against it. */
static const struct disk_ops *first_fit(const struct domain_disk *disk,
                                        const struct disk_request *r,
                                        const char **why_r)
{
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        *why_r = kinds[i]->refuse(disk, r);
        if (!*why_r)
            return kinds[i];
    }
    return NULL;
}

/* Would it be all right if the domain were closed for it? */
static bool fits_cold(const struct domain_disk *disk,
                      const struct disk_request *r)
{
    const struct disk_ops *ops = r->type ? disk_find_kind(r->type) : NULL;
    struct disk_request cold = *r;
    const char *why;

    cold.cold = true;
    if (disk->foreign)
        return false;
    return r->type ? ops && !ops->refuse(disk, &cold) :
           first_fit(disk, &cold, &why) != NULL;
}

int disk_choose(const struct domain_disk *disk, const struct disk_request *r,
                struct snapshot_disk *d, struct err *e)
{
    const char *why = left_out(disk, r->type);
    const struct disk_ops *ops = NULL;

    memset(d, 0, sizeof(*d));
    d->vdev = mem_strdup(disk->vdev);
    d->path = mem_strdup(disk->path);
    d->format = mem_strdup(disk->format);
    d->backend = mem_strdup(disk->backend);
    d->reason = mem_strdup(why);
    if (why) {
        d->type = mem_strdup("none");
        return 0;
    }
    if (disk->foreign) {
        why = "its backend is in another domain";
    } else if (r->type) {
        ops = disk_find_kind(r->type);
        why = ops ? ops->refuse(disk, r) :
              "there is no such type of snapshot";
    } else {
        ops = first_fit(disk, r, &why);
    }
    if (why) {
        err_set(e, SNAP_FAILED, "disk %s (%s): %s", disk->vdev, disk->path,
                why);
        return fits_cold(disk, r) ? err_hot_only(e) : -1;
    }
    d->type = mem_strdup(ops->type);
    ops->name(disk, r, d);
    return 0;
}

/* The kind of a recorded disk; NULL for "none". */
static int kind_of(const struct snapshot_disk *d,
                   const struct disk_ops **ops_r, struct err *e)
{
    *ops_r = NULL;
    if (!meta_disk_has_part(d))
        return 0;
    *ops_r = disk_find_kind(d->type);
    if (!*ops_r)
        return err_set(e, SNAP_FAILED, "disk %s: this version cannot handle "
                       "a disk snapshot of type %s", d->vdev, d->type);
    return 0;
}

static int named(int rc, const struct snapshot_disk *d, struct err *e)
{
    return rc ? err_wrap(e, "disk %s", d->vdev) : 0;
}

int disk_check(struct disk_host *h, struct snapshot_disk *d, struct err *e)
{
    const struct disk_ops *ops;

    if (kind_of(d, &ops, e))
        return -1;
    return named(ops && ops->check ? ops->check(h, d, e) : 0, d, e);
}

int disk_prepare(struct disk_host *h, const struct snapshot_disk *d,
                 struct err *e)
{
    const struct disk_ops *ops;

    if (!h->actions)
        h->actions = json_object_new_array();
    if (kind_of(d, &ops, e))
        return -1;
    return named(ops && ops->prepare ? ops->prepare(h, d, e) : 0, d, e);
}

static int run_actions(struct disk_host *h, struct err *e)
{
    json_object *actions = h->actions;

    h->actions = NULL;
    if (actions && json_object_array_length(actions))
        return qemu_transaction(h->qemu, actions, e);
    json_object_put(actions);
    return 0;
}

static int capture(struct disk_host *h, const struct snapshot_disk *d,
                   struct err *e)
{
    const struct disk_ops *ops;

    if (kind_of(d, &ops, e))
        return -1;
    return named(ops && ops->capture ? ops->capture(h, d, e) : 0, d, e);
}

int disk_capture(struct disk_host *h, const struct snapshot *s,
                 struct err *e)
{
    size_t i;

    if (run_actions(h, e))
        return -1;
    for (i = 0; i < s->ndisks; i++)
        if (capture(h, &s->disks[i], e))
            return -1;
    return 0;
}

int disk_rescue(struct disk_host *h, const struct snapshot *s,
                struct err *e)
{
    struct err all = { 0 }, one;
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        const struct disk_ops *ops;

        if (kind_of(&s->disks[i], &ops, &one) ||
            (ops && ops->rescue && ops->rescue(h, &s->disks[i], &one)))
            err_add(&all, "disk %s: %s", s->disks[i].vdev, one.text);
    }
    if (all.status == SNAP_OK)
        return 0;
    *e = all;
    return -1;
}

int disk_record(struct disk_host *h, struct snapshot_disk *d, struct err *e)
{
    const struct disk_ops *ops;

    if (kind_of(d, &ops, e))
        return -1;
    return named(ops && ops->record ? ops->record(h, d, e) : 0, d, e);
}

int disk_verify(const struct snapshot_disk *d, bool force, struct err *e)
{
    const struct disk_ops *ops;

    if (kind_of(d, &ops, e))
        return -1;
    return named(ops && ops->verify ? ops->verify(d, force, e) : 0, d, e);
}

int disk_aim(struct disk_host *h, const char *snapshot, const char *unique,
             struct snapshot_disk *d, struct err *e)
{
    const struct disk_ops *ops;

    if (kind_of(d, &ops, e))
        return -1;
    return named(ops && ops->aim ? ops->aim(h, snapshot, unique, d, e) : 0,
                 d, e);
}

int disk_apply(const struct snapshot_disk *d, struct err *e)
{
    const struct disk_ops *ops;

    if (kind_of(d, &ops, e))
        return -1;
    return named(ops && ops->apply ? ops->apply(d, e) : 0, d, e);
}

int disk_remove(struct disk_host *h, const struct snapshot_disk *d,
                struct err *e)
{
    const struct disk_ops *ops;

    if (kind_of(d, &ops, e))
        return -1;
    return named(ops && ops->remove ? ops->remove(h, d, e) : 0, d, e);
}

int disk_check_free(const struct snapshot *s, const struct domain *but,
                    bool deletion, struct err *e)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        const struct snapshot_disk *d = &s->disks[i];
        struct stat st;

        if (deletion && disk_is_alone(d))
            continue;
        /* Whether it has to be there is not the question here. */
        if (meta_disk_has_part(d) && !stat(d->path, &st) &&
            image_check_free(d->path, but, but ? 0 : LET_GO_S, e))
            return named(-1, d, e);
    }
    return 0;
}

int disk_wait_closed(const struct snapshot *s, struct err *e)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        const struct snapshot_disk *d = &s->disks[i];
        /* The path of an external one leads to the new layer by now. */
        const char *path = d->link ? d->part : d->path;

        if (meta_disk_has_part(d) &&
            image_check_free(path, NULL, HOLDER_WAIT_S, e))
            return named(-1, d, e);
    }
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
