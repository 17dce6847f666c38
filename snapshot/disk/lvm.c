/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * LVM snapshots: a volume beside the disk's own, which has a tag to prove
 * that it is one of ours.
 *
 * A revert never spends the snapshot, so that it may be cut off anywhere.
 * Classic: the chunks that were kept go back to the origin (cow.h).  Thin: a
 * new snapshot of the snapshot takes the name of the origin.  That changes
 * the uuid behind the name, so the new volume has a tag with the first one's.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/cow.h"
#include "disk/census.h"
#include "disk/disk.h"
#include "disk/kind.h"
#include "disk/volume.h"
#include "image/image.h"
#include "image/same.h"
#include "store/record.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
#include "sys/mem.h"

#define LINEAGE VOLUME_TAG ".origin."
/* In a revert, behind the snapshot volume's name. */
#define NEXT ".next"            /* thin: what becomes the origin */
#define OLD ".old"              /* thin: what was the origin */
#define FRESH ".fresh"          /* classic: what becomes the snapshot */
/* A classic snapshot this full, in percent, is made anew by a revert. */
#define WORN 50
/* lvs rounds percentages to hundredths. */
#define ROUNDING 0.01

static const char *lvm_refuse(const struct domain_disk *disk,
                              const struct disk_request *r)
{
    if (disk->medium != MEDIUM_LVM && disk->medium != MEDIUM_LVM_THIN)
        return "only a logical volume can have an LVM snapshot";
    /* QEMU keeps their tables in memory. */
    if (strcmp(disk->format, "raw") && !r->cold)
        return "a volume that holds an image of this format needs --cold";
    if (r->path)
        return "an LVM snapshot is a volume of the same group: leave path= "
               "out";
    if (r->size && disk->medium == MEDIUM_LVM_THIN)
        return "a thin snapshot has no size of its own: leave size= out";
    return NULL;
}

static void lvm_name(const struct domain_disk *disk,
                     const struct disk_request *r, struct snapshot_disk *d)
{
    d->origin = mem_strdup(disk->volume);
    d->part = volume_snapshot_name(disk->volume, r->snapshot, r->unique);
    d->room = r->size;
}

/* What stays the same of a volume over thin reverts: the first one's uuid. */
static char *lineage(const struct volume *v)
{
    const char *tag = strstr(v->tags, LINEAGE);

    if (!tag || (tag > v->tags && tag[-1] != ','))
        return mem_strdup(v->uuid);
    tag += strlen(LINEAGE);
    return mem_printf("%.*s", (int)strcspn(tag, ","), tag);
}

static bool is_lineage(const struct volume *v, const char *stamp)
{
    char *now = lineage(v);
    bool same = stamp && !strcmp(now, stamp);

    free(now);
    return same;
}

/* The snapshot's volume, if it is the one that was made. */
static const struct volume *find_ours(const struct volumes *vs,
                                      const char *name)
{
    const struct volume *v = volumes_find(vs, name);

    if (!v || !volume_has_tag(v, VOLUME_TAG))
        return NULL;
    return v;
}

static int check_pool(const struct volumes *vs, const struct volume *v,
                      struct err *e)
{
    const struct volume *pool = volumes_find_lv(vs, v->name, v->pool);
    const char *why;

    if (!pool)
        return err_set(e, SNAP_FAILED, "the pool %s of %s is not there",
                       v->pool, v->name);
    why = pool->health;
    if (!why[0] && pool->check_needed)
        why = "needs a check";
    if (why[0])
        return err_set(e, SNAP_FAILED, "the pool %s is not well (%s): see "
                       "'lvs -a' and lvmthin(7)", pool->name, why);
    if (pool->used >= 100 || pool->metadata_used >= 100)
        return err_set(e, SNAP_FAILED, "the pool %s is full: enlarge it with "
                       "lvextend", pool->name);
    return 0;
}

/* The group has room for this snapshot and those of other disks before it. */
static int check_room(struct disk_host *h, struct snapshot_disk *d,
                      const struct volume *origin, struct err *e)
{
    uint64_t full = volume_full_size(origin->size, origin->extent), all;
    char *vg = mem_printf("%.*s", (int)strcspn(d->origin, "/"), d->origin);
    int rc = 0;

    if (!d->room || d->room > full)
        d->room = full;
    all = disk_claim(h, vg, (d->room + origin->extent - 1) / origin->extent *
                     origin->extent);
    if (all > origin->vg_free)
        rc = err_set(e, SNAP_FAILED, "the snapshot of %s brings the room "
                     "needed in %s to %" PRIu64 " MiB, and %" PRIu64
                     " MiB are free: give a smaller size=", d->origin, vg,
                     all >> 20, origin->vg_free >> 20);
    free(vg);
    return rc;
}

static int check_origin(struct disk_host *h, struct snapshot_disk *d,
                        const struct volumes *vs, struct err *e)
{
    const struct volume *origin = volumes_find(vs, d->origin);

    if (!origin)
        return err_set(e, SNAP_FAILED, "there is no volume %s", d->origin);
    free(d->stamp);
    d->stamp = lineage(origin);
    if (!origin->thin)
        return check_room(h, d, origin, e);
    if (!volume_is_named_by(d->path, d->origin))
        return err_set(e, SNAP_FAILED, "a revert makes a new volume, to which "
                       "%s would not lead: name the disk /dev/%s in the "
                       "domain's configuration", d->path, d->origin);
    return check_pool(vs, origin, e);
}

static int take(const struct snapshot_disk *d, bool test, struct err *e)
{
    struct volume_take t = {
        .origin = d->origin, .name = d->part, .size = d->room,
        .tags = VOLUME_TAG, .test = test,
    };

    return volume_take(&t, e);
}

static int lvm_check(struct disk_host *h, struct snapshot_disk *d,
                     struct err *e)
{
    struct volumes vs;
    int rc;

    if (image_size(d->path, &d->virtual_size, e) ||
        disk_identify(d->path, &d->identity, e) ||
        volumes_read_beside(d->origin, &vs, e))
        return -1;
    rc = check_origin(h, d, &vs, e);
    volumes_free(&vs);
    /* What else LVM has against it is better heard before the guest stops. */
    if (rc)
        return -1;
    return take(d, true, e);
}

static int lvm_capture(struct disk_host *h, const struct snapshot_disk *d,
                       struct err *e)
{
    (void)h;
    /* QEMU as the backend of a volume writes to the page cache. */
    if (file_sync_path(d->path, e))
        return -1;
    return take(d, false, e);
}

static int lvm_finish(struct disk_host *h, struct snapshot_disk *d,
                      struct err *e)
{
    struct volumes vs;
    int rc = 0;

    (void)h;
    if (volumes_read_beside(d->part, &vs, e))
        return -1;
    if (!find_ours(&vs, d->part))
        rc = err_set(e, SNAP_FAILED, "no volume %s was made", d->part);
    volumes_free(&vs);
    if (rc)
        return -1;
    /* LVM leaves its own metadata in the cache of the group's disks. */
    return file_sync_path(d->path, e);
}

static int check_overflow(const struct volume *part, struct err *e)
{
    if (part->invalid || part->used >= 100)
        return err_set(e, SNAP_FAILED, "the snapshot volume %s has "
                       "overflowed: its size of %" PRIu64 " MiB was too small "
                       "for what was written to the disk since; the snapshot "
                       "cannot be used any more", part->name,
                       part->size >> 20);
    if (!part->active)
        return err_set(e, SNAP_FAILED, "the snapshot volume %s is not "
                       "active: run 'lvchange -ay %s'", part->name,
                       part->name);
    return 0;
}

/* What a revert writes to the origin, its other snapshots must keep. */
static int check_others(const struct volumes *vs, const struct volume *part,
                        const struct volume *origin, struct err *e)
{
    uint64_t full = volume_full_size(origin->size, origin->extent);
    double need = (part->used + ROUNDING) / 100 * (double)part->size;
    size_t i;

    for (i = 0; i < vs->n; i++) {
        const struct volume *v = &vs->v[i];
        double room = (100 - v->used - ROUNDING) / 100 * (double)v->size;

        if (v == part || v->thin || v->invalid || v->size >= full ||
            strcmp(v->origin, part->origin) || room >= need)
            continue;
        return err_set(e, SNAP_FAILED, "a revert to %s could overflow the "
                       "snapshot volume %s: enlarge it with 'lvextend -L "
                       "+%.0fM %s'", part->name, v->name,
                       (need - room) / (1 << 20) + 1, v->name);
    }
    return 0;
}

/* LVM would remove it together with the volume that it is of. */
static int check_no_classic(const struct volumes *vs, const char *name,
                            struct err *e)
{
    size_t i;

    for (i = 0; i < vs->n; i++)
        if (!vs->v[i].thin && vs->v[i].origin[0] &&
            volumes_find_lv(vs, name, vs->v[i].origin) ==
            volumes_find(vs, name))
            return err_set(e, SNAP_FAILED, "%s has the classic snapshot %s, "
                           "which would be lost with it: remove that first",
                           name, vs->v[i].name);
    return 0;
}

static int verify_part(const struct snapshot_disk *d,
                       const struct volumes *vs, bool force, struct err *e)
{
    const struct volume *part = find_ours(vs, d->part);
    const struct volume *origin = volumes_find(vs, d->origin);

    if (!origin)
        return err_set(e, SNAP_FAILED, "there is no volume %s", d->origin);
    if (!part && volumes_find(vs, d->part))
        return err_set(e, SNAP_FAILED, "the snapshot volume %s is not the one "
                       "that was made: it lacks the tag " VOLUME_TAG,
                       d->part);
    if (!part)
        return err_set(e, SNAP_FAILED, "the snapshot volume %s is not there",
                       d->part);
    if (!d->stamp || (!is_lineage(origin, d->stamp) && !force))
        return err_set(e, SNAP_FAILED, "%s is not the volume that the "
                       "snapshot was taken of: use --force to replace it",
                       d->origin);
    if (part->thin) {
        if (check_no_classic(vs, d->origin, e))
            return -1;
        return check_pool(vs, part, e);
    }
    if (check_overflow(part, e))
        return -1;
    /* For example after "lvconvert --merge" by hand and a new volume. */
    if (volumes_find_lv(vs, part->name, part->origin) != origin)
        return err_set(e, SNAP_FAILED, "%s is a snapshot of %s, not of %s",
                       part->name, part->origin, d->origin);
    return check_others(vs, part, origin, e);
}

static int lvm_verify(const struct snapshot_disk *d, bool force,
                      struct err *e)
{
    struct volumes vs;
    char *now;
    int rc;

    if (volume_of_path(d->path, &now, e))
        return -1;
    if (!now || strcmp(now, d->origin)) {
        free(now);
        return err_set(e, SNAP_FAILED, "%s does not lead to the volume %s",
                       d->path, d->origin);
    }
    free(now);
    if (volumes_read_beside(d->part, &vs, e))
        return -1;
    rc = verify_part(d, &vs, force, e);
    volumes_free(&vs);
    return rc;
}

/* The group's volumes, none of those that matter here left suspended. */
static int read_awake(const struct snapshot_disk *d, struct volumes *vs,
                      struct err *e)
{
    size_t i;

    if (volumes_read_beside(d->part, vs, e))
        return -1;
    for (i = 0; i < vs->n; i++)
        if (vs->v[i].suspended && (!strcmp(vs->v[i].name, d->origin) ||
                                   !strcmp(vs->v[i].name, d->part)) &&
            volume_refresh(vs->v[i].name, e)) {
            volumes_free(vs);
            return -1;
        }
    return 0;
}

/* A volume of ours with this suffix: removed if it is there. */
static int drop(const struct volumes *vs, const struct snapshot_disk *d,
                const char *suffix, struct err *e)
{
    char *name = mem_printf("%s%s", d->part, suffix);
    int rc = 0;

    if (volumes_find(vs, name))
        rc = volume_remove(name, e);
    free(name);
    return rc;
}

/* The classic snapshot's place is taken by a new one of the same content. */
static int renew(const struct snapshot_disk *d, const struct volume *part,
                 const char *fresh, struct err *e)
{
    struct volume_take t = {
        .origin = d->origin, .name = fresh, .size = part->size,
        .tags = VOLUME_TAG,
    };

    if (volume_take(&t, e) || volume_remove(part->name, e))
        return -1;
    return volume_rename(fresh, part->name, e);
}

static int apply_classic(const struct snapshot_disk *d,
                         const struct volume *part,
                         const struct volume *origin, struct err *e)
{
    char *cow = volume_device(part->name, "-cow");
    char *from = volume_device(part->name, "");
    char *to = volume_device(d->origin, "");
    char *fresh = mem_printf("%s%s", part->name, FRESH);
    int rc = check_overflow(part, e);

    if (!rc)
        rc = cow_put_back(cow, from, to, e);
    if (!rc && part->used >= WORN && origin->vg_free >= part->size)
        rc = renew(d, part, fresh, e);
    free(cow);
    free(from);
    free(to);
    free(fresh);
    return rc;
}

/* The tags that the origin had go over to what takes its place. */
static char *next_tags(const struct snapshot_disk *d,
                       const struct volume *origin)
{
    char *tags = mem_printf("%s%s", LINEAGE, d->stamp);
    char *all, *tag, *save = NULL;

    if (!origin)
        return tags;
    all = mem_strdup(origin->tags);
    for (tag = strtok_r(all, ",", &save); tag;
         tag = strtok_r(NULL, ",", &save)) {
        char *more;

        if (!strncmp(tag, VOLUME_TAG, strlen(VOLUME_TAG)))
            continue;
        more = mem_printf("%s,%s", tags, tag);
        free(tags);
        tags = more;
    }
    free(all);
    return tags;
}

static int take_next(const struct snapshot_disk *d, const char *next,
                     const struct volume *origin, struct err *e)
{
    char *tags = next_tags(d, origin);
    struct volume_take t = {
        .origin = d->part, .name = next, .tags = tags, .active = true,
    };
    int rc = volume_take(&t, e);

    free(tags);
    return rc;
}

/*
 * The name is without a volume only between the two renames; that, and all
 * else that a crash leaves, is told by which of the three there are.
 */
static int apply_thin(const struct snapshot_disk *d, const struct volumes *vs,
                      struct err *e)
{
    const struct volume *origin = volumes_find(vs, d->origin);
    char *next = mem_printf("%s%s", d->part, NEXT);
    char *old = mem_printf("%s%s", d->part, OLD);
    const struct volume *was = volumes_find(vs, old), *model = was;
    int rc = drop(vs, d, NEXT, e);

    if (origin)
        model = origin;
    if (!rc && origin && was)
        rc = volume_remove(old, e);
    if (!rc)
        rc = take_next(d, next, model, e);
    if (!rc && origin)
        rc = volume_rename(d->origin, old, e);
    if (!rc)
        rc = volume_rename(next, d->origin, e);
    if (!rc && (origin || was))
        rc = volume_remove(old, e);
    free(next);
    free(old);
    return rc;
}

/* Crashed while the classic snapshot was renewed: ends that. */
static int end_renewal(const struct snapshot_disk *d, struct volumes *vs,
                       struct err *e)
{
    char *fresh = mem_printf("%s%s", d->part, FRESH);
    int rc = 0;

    if (find_ours(vs, fresh)) {
        if (volumes_find(vs, d->part))
            rc = volume_remove(fresh, e);
        else
            rc = volume_rename(fresh, d->part, e);
        volumes_free(vs);
        if (!rc)
            rc = volumes_read_beside(d->part, vs, e);
    }
    free(fresh);
    return rc;
}

static int apply(const struct snapshot_disk *d, struct volumes *vs,
                 struct err *e)
{
    const struct volume *part, *origin;

    if (end_renewal(d, vs, e))
        return -1;
    part = find_ours(vs, d->part);
    origin = volumes_find(vs, d->origin);
    if (!part)
        return err_set(e, SNAP_FAILED, "the volume %s is not there", d->part);
    if (part->thin)
        return apply_thin(d, vs, e);
    if (!origin)
        return err_set(e, SNAP_FAILED, "the volume %s is not there",
                       d->origin);
    return apply_classic(d, part, origin, e);
}

/* A path that a crash left without its volume has no holder. */
static int check_free(const struct snapshot_disk *d, struct err *e)
{
    struct stat st;

    if (stat(d->path, &st))
        return 0;
    return image_wait_free(d->path, e);
}

static int lvm_apply(const struct snapshot_disk *d, struct err *e)
{
    struct volumes vs;
    int rc;

    /* LVM itself renames a volume under its users. */
    if (check_free(d, e) || read_awake(d, &vs, e))
        return -1;
    rc = apply(d, &vs, e);
    volumes_free(&vs);
    if (rc)
        return -1;
    return file_sync_path(d->path, e);
}

/* A thin one is not in use while nobody reads it. */
static int lvm_source_open(const struct snapshot_disk *d,
                           struct disk_source *src, struct err *e)
{
    char *device = volume_device(d->part, "");
    struct stat st;

    if (stat(device, &st)) {
        if (volume_activate(d->part, true, e)) {
            free(device);
            return -1;
        }
        src->activated = true;
    }
    src->path = device;
    src->format = "raw";
    return 0;
}

static int lvm_source_close(const struct snapshot_disk *d, struct err *e)
{
    return volume_activate(d->part, false, e);
}

/*
 * While the name of the origin is between two volumes, nobody can have used
 * it.  Else the two are compared, byte by byte.
 */
static int lvm_is_pristine(const struct snapshot_disk *d, bool *yes_r,
                           struct err *e)
{
    char *origin = volume_device(d->origin, "");
    char *part = volume_device(d->part, "");
    struct content live = { origin, "raw", NULL };
    struct content then = { part, "raw", NULL };
    struct stat st;
    int rc = 0;

    if (stat(origin, &st) && errno == ENOENT)
        *yes_r = true;
    else if (!stat(part, &st))
        rc = image_same(&live, &then, yes_r, e);
    free(origin);
    free(part);
    return rc;
}

/* The group has to be there, or the volume would only be forgotten. */
static int check_group(const struct snapshot_disk *d,
                       const struct volumes *vs, bool force, struct err *e)
{
    if (vs->n || force)
        return 0;
    return err_set(e, SNAP_FAILED, "the volume group of %s is not there: "
                   "bring it back, or use --force if it is gone for good",
                   d->part);
}

static int lvm_check_remove(struct disk_host *h, struct snapshot_disk *d,
                            struct err *e)
{
    const char *other = census_same_part(h->census, d);
    struct volumes vs;
    int rc;

    if (other && !h->force)
        return err_set(e, SNAP_FAILED, "the volume %s is also in the list of "
                       "domain %s: use --force to delete it all the same",
                       d->part, other);
    if (volumes_read_beside(d->part, &vs, e))
        return -1;
    rc = check_group(d, &vs, h->force, e);
    volumes_free(&vs);
    return rc;
}

static int remove_volumes(const struct snapshot_disk *d, struct volumes *vs,
                          struct err *e)
{
    if (end_renewal(d, vs, e))
        return -1;
    /* A revert that was given up may have left these. */
    if (drop(vs, d, NEXT, e))
        return -1;
    if (volumes_find(vs, d->origin) && drop(vs, d, OLD, e))
        return -1;
    if (!find_ours(vs, d->part))
        return 0;
    if (check_no_classic(vs, d->part, e))
        return -1;
    return volume_remove(d->part, e);
}

static int lvm_remove(struct disk_host *h, const struct snapshot_disk *d,
                      struct err *e)
{
    struct volumes vs;
    struct stat st;
    int rc;

    if (read_awake(d, &vs, e))
        return -1;
    rc = check_group(d, &vs, h->force, e);
    if (!rc)
        rc = remove_volumes(d, &vs, e);
    volumes_free(&vs);
    if (rc || stat(d->path, &st))
        return rc;
    return file_sync_path(d->path, e);
}

static int lvm_parse(json_object *o, struct json_at at,
                     struct snapshot_disk *d, struct err *e)
{
    if (record_volume(o, "volume", at, &d->part, e) ||
        record_volume(o, "origin", at, &d->origin, e) ||
        record_opt_str(o, "stamp", at, &d->stamp, e))
        return -1;
    return 0;
}

static void lvm_write(json_object *o, const struct snapshot_disk *d)
{
    json_add_str(o, "volume", d->part);
    json_add_str(o, "origin", d->origin);
    record_set_str(o, "stamp", d->stamp);
}

const struct disk_ops disk_lvm = {
    .record = { .type = "lvm", .parse = lvm_parse, .write = lvm_write },
    .alone = true,
    .refuse = lvm_refuse,
    .name = lvm_name,
    .check = lvm_check,
    .capture = lvm_capture,
    .finish = lvm_finish,
    .verify = lvm_verify,
    .apply = lvm_apply,
    .is_pristine = lvm_is_pristine,
    .source_open = lvm_source_open,
    .source_close = lvm_source_close,
    .check_remove = lvm_check_remove,
    .remove = lvm_remove,
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
