/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Ceph RBD: a snapshot inside the image, for images that the kernel's client
 * has mapped, on a device's path or by a script.
 *
 * The image's exclusive lock does not say who uses it: an idle holder has a
 * watch alone, and a rollback under it succeeds.  So the watchers decide,
 * those of other hosts too.  A client that died is one for half a minute.
 *
 * While a rollback runs another client may remove the snapshot that is being
 * put back, or take one of the half-done state, and everybody is told that all
 * went well.  The first is hindered by the snapshot's protection; both are
 * looked for afterwards.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "disk/census.h"
#include "disk/kind.h"
#include "disk/rbd_image.h"
#include "image/image.h"
#include "store/record.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/name.h"

/* A watch outlives its client, which was killed, by 30 s. */
#ifndef RBD_WATCH_S
#define RBD_WATCH_S 45
#endif
#define POLL_MS 500
/* Of the snapshot's own name in the part's, "xl.NAME.UNIQUE". */
#define NAME_ROOM 63
/* Behind the part's name: a snapshot taken only to see that it can be. */
#define TRIAL ".trial"

/* The record, in d->stamp: "FSID/IMAGE-ID/SNAPSHOT-ID/USER". */
struct record {
    char *fsid, *id;        /* the cluster's and the image's */
    uint64_t snap;          /* the snapshot's, 0: not taken yet */
    char *user;             /* "": as Ceph's configuration has it */
    char *text;             /* they are parts of it */
};

static char *record_text(const char *fsid, const char *id, uint64_t snap,
                         const char *user)
{
    return mem_printf("%s/%s/%" PRIu64 "/%s", fsid, id, snap, user);
}

/* A record that was read, and the image where it is found. */
struct target {
    struct record r;
    struct rbd_at at;
    char *image;            /* at.image, if its name had to be looked up */
};

/* The record is not trusted: each word becomes an argument or is compared. */
static int record_parse(const struct snapshot_disk *d, struct record *r,
                        struct err *e)
{
    char *word[4], *at, *end = NULL;
    size_t n = 0;

    memset(r, 0, sizeof(*r));
    r->text = at = mem_strdup(d->stamp ? d->stamp : "");
    while (at && n < 4)
        word[n++] = strsep(&at, "/");
    if (n == 4 && !at) {
        r->fsid = word[0];
        r->id = word[1];
        r->snap = strtoull(word[2], &end, 10);
        r->user = word[3];
    }
    if (end && !*end && name_is_rbd_word(r->fsid) &&
        name_is_rbd_word(r->id) && (!r->user[0] || name_is_rbd_word(r->user)))
        return 0;
    free(r->text);
    return err_set(e, SNAP_FAILED, "the record of the snapshot of %s does not "
                   "say of which image it is", d->origin);
}

/* By the name that was recorded, asking nobody. */
static int target_open(const struct snapshot_disk *d, struct target *t,
                       struct err *e)
{
    memset(t, 0, sizeof(*t));
    if (record_parse(d, &t->r, e))
        return -1;
    t->at.image = d->origin;
    t->at.user = t->r.user;
    return 0;
}

static void target_close(struct target *t)
{
    free(t->image);
    free(t->r.text);
}

/* By its id, which it keeps when it is renamed; t->image is NULL if gone. */
static int target_look(const struct snapshot_disk *d, struct target *t,
                       struct err *e)
{
    uint64_t size;

    if (target_open(d, t, e))
        return -1;
    if (rbd_find_image(&t->at, t->r.id, &t->image, &size, e)) {
        target_close(t);
        return -1;
    }
    if (t->image)
        t->at.image = t->image;
    return 0;
}

static int no_image(const struct rbd_at *at, const char *id, struct err *e)
{
    return err_set(e, SNAP_FAILED, "'rbd' does not find the image %s (id %s): "
                   "was it deleted, is it in the trash, or is it another "
                   "cluster's than that of Ceph's configuration here?",
                   at->image, id);
}

/* The same, if it must be there. */
static int target_find(const struct snapshot_disk *d, struct target *t,
                       struct err *e)
{
    if (target_look(d, t, e))
        return -1;
    if (t->image)
        return 0;
    no_image(&t->at, t->r.id, e);
    target_close(t);
    return -1;
}

/* Choosing */

static const char *kind_refuse(const struct domain_disk *disk,
                               const struct disk_request *r)
{
    if (disk->medium != MEDIUM_RBD)
        return "only a Ceph RBD image that the kernel's client has mapped can "
               "have an RBD snapshot";
    /* QEMU keeps their tables in memory. */
    if (strcmp(disk->format, "raw") && !r->cold)
        return "an RBD image that holds an image of this format can only have "
               "a snapshot with --cold";
    if (r->path || r->size)
        return "an RBD snapshot lies in the image: leave path= and size= out";
    return NULL;
}

static void kind_name(const struct domain_disk *disk,
                      const struct disk_request *r, struct snapshot_disk *d)
{
    d->origin = mem_strdup(disk->volume);
    d->part = mem_printf("xl.%.*s.%s", NAME_ROOM, r->snapshot, r->unique);
}

/* Checking */

/* The path leads to a map of this image, which is the only one here. */
static int check_map(const struct snapshot_disk *d,
                     const struct rbd_maps *maps, const struct rbd_map *map,
                     struct err *e)
{
    const struct rbd_map *first, *other;

    first = rbd_maps_next(maps, NULL, map->fsid, map->id);
    other = rbd_maps_next(maps, first, map->fsid, map->id);
    if (other)
        return err_set(e, SNAP_FAILED, "the image %s is mapped twice, as %s "
                       "and %s: unmap the one that the domain does not use "
                       "with 'rbd unmap'", d->origin, first->device,
                       other->device);
    if (map->exclusive)
        return err_set(e, SNAP_FAILED, "%s was mapped with '-o exclusive', "
                       "which keeps its lock from everybody: unmap %s and map "
                       "it without that", d->origin, map->device);
    return 0;
}

/* Nobody has it open but the kernel of this host. */
static int check_watchers(const struct rbd_at *at,
                          const struct rbd_maps *maps, struct err *e)
{
    char *who;

    if (rbd_other_watcher(at, maps, &who, e))
        return -1;
    if (who)
        err_set(e, SNAP_FAILED, "%s is in use by %s: shut down what uses it "
                "there, or wait half a minute if that died (see 'rbd status "
                "%s')", at->image, who, at->image);
    free(who);
    return who ? -1 : 0;
}

/* What was renamed since it was mapped is called by its present name. */
static int check_new(struct snapshot_disk *d, const struct rbd_maps *maps,
                     struct err *e)
{
    const struct rbd_map *map = rbd_maps_find(maps, d->path);
    struct rbd_at at;
    char *image;

    if (!map)
        return err_set(e, SNAP_FAILED, "%s does not lead to the image %s any "
                       "more", d->path, d->origin);
    at = (struct rbd_at){ .image = map->image, .user = map->user };
    if (check_map(d, maps, map, e) ||
        rbd_find_image(&at, map->id, &image, &d->virtual_size, e))
        return -1;
    if (!image)
        return no_image(&at, map->id, e);
    free(d->origin);
    at.image = d->origin = image;
    free(d->stamp);
    d->stamp = record_text(map->fsid, map->id, 0, map->user);
    return check_watchers(&at, maps, e);
}

static int kind_check(struct disk_host *h, struct snapshot_disk *d,
                      struct err *e)
{
    struct rbd_maps maps;
    int rc;

    (void)h;
    /* What a script maps has another device each time. */
    if (d->path[0] == '/' && disk_identify(d->path, &d->identity, e))
        return -1;
    if (rbd_maps_read(&maps, e))
        return -1;
    rc = check_new(d, &maps, e);
    rbd_maps_free(&maps);
    return rc;
}

/* Taking */

static int remove_trial(const struct snapshot_disk *d,
                        const struct rbd_at *at, struct err *e)
{
    char *trial = mem_printf("%s" TRIAL, d->part);
    int rc = rbd_snap_remove(at, trial, e);

    free(trial);
    return rc;
}

/*
 * Rights, quota, room and the lock of a client that died are found out by
 * doing it; that also takes the lock from whoever gives it.
 */
static int try_out(const struct rbd_at *at, const struct snapshot_disk *d,
                   struct err *e)
{
    char *trial = mem_printf("%s" TRIAL, d->part);
    int rc = remove_trial(d, at, e);

    if (!rc)
        rc = rbd_snap_create(at, trial, RBD_PATIENT_S, e);
    free(trial);
    if (rc)
        return -1;
    return remove_trial(d, at, e);
}

static int kind_prepare(struct disk_host *h, struct snapshot_disk *d,
                        struct err *e)
{
    struct target t;
    int rc;

    (void)h;
    if (target_open(d, &t, e))
        return -1;
    rc = try_out(&t.at, d, e);
    target_close(&t);
    return rc;
}

static int kind_capture(struct disk_host *h, const struct snapshot_disk *d,
                        struct err *e)
{
    struct target t;
    int rc = 0;

    (void)h;
    if (target_open(d, &t, e))
        return -1;
    /* blkback writes past the page cache, QEMU may not. */
    if (strcmp(d->backend, "phy"))
        rc = file_sync_path(d->path, e);
    if (!rc)
        rc = rbd_snap_create(&t.at, d->part, RBD_SHORT_S, e);
    target_close(&t);
    return rc;
}

static int record(struct snapshot_disk *d, const struct target *t,
                  const struct rbd_snaps *snaps, struct err *e)
{
    const struct rbd_snap *snap = rbd_snaps_find(snaps, d->part);

    if (!snap)
        return err_set(e, SNAP_FAILED, "no snapshot %s of %s was made",
                       d->part, d->origin);
    free(d->stamp);
    d->stamp = record_text(t->r.fsid, t->r.id, snap->id, t->r.user);
    return rbd_snap_protect(&t->at, d->part, e);
}

static int kind_finish(struct disk_host *h, struct snapshot_disk *d,
                       struct err *e)
{
    struct rbd_snaps snaps;
    struct target t;
    int rc;

    (void)h;
    if (target_open(d, &t, e))
        return -1;
    rc = rbd_snaps_read(&t.at, &snaps, e);
    if (!rc)
        rc = record(d, &t, &snaps, e);
    rbd_snaps_free(&snaps);
    target_close(&t);
    return rc;
}

/* Putting back */

/* The snapshot that was recorded, and no other of its name. */
static int check_part(const struct snapshot_disk *d, const struct record *r,
                      const struct rbd_snaps *snaps, struct err *e)
{
    const struct rbd_snap *snap = rbd_snaps_find(snaps, d->part);

    if (!snap)
        return err_set(e, SNAP_FAILED, "the snapshot %s of %s is not there",
                       d->part, d->origin);
    if (snap->id != r->snap)
        return err_set(e, SNAP_FAILED, "the snapshot %s of %s is another one: "
                       "its id is %" PRIu64 ", not %" PRIu64, d->part,
                       d->origin, snap->id, r->snap);
    return 0;
}

/* A device that the domain's configuration names must lead to the image. */
static int verify_path(const struct snapshot_disk *d, const struct record *r,
                       const struct rbd_maps *maps, struct err *e)
{
    const struct rbd_map *map = rbd_maps_find(maps, d->path);

    if (!map && d->path[0] != '/')
        return 0;           /* the script maps it when the domain starts */
    if (!map && access(d->path, F_OK))
        return err_set(e, SNAP_FAILED, "%s is not there: map it with 'rbd map "
                       "%s'", d->path, d->origin);
    if (!map || strcmp(map->id, r->id) || strcmp(map->fsid, r->fsid))
        return err_set(e, SNAP_FAILED, "%s does not lead to the image %s",
                       d->path, d->origin);
    return check_map(d, maps, map, e);
}

static int kind_verify(const struct snapshot_disk *d, bool force,
                       struct err *e)
{
    struct rbd_snaps snaps = { 0 };
    struct rbd_maps maps = { 0 };
    struct target t;
    int rc = -1;

    (void)force;            /* nothing here is a matter of taste */
    if (target_find(d, &t, e))
        return -1;
    if (!rbd_maps_read(&maps, e) && !verify_path(d, &t.r, &maps, e) &&
        !rbd_snaps_read(&t.at, &snaps, e))
        rc = check_part(d, &t.r, &snaps, e);
    rbd_snaps_free(&snaps);
    rbd_maps_free(&maps);
    target_close(&t);
    return rc;
}

static int check_clones(const struct snapshot_disk *d,
                        const struct rbd_at *at, struct err *e)
{
    char *names;

    if (rbd_clones(at, d->part, &names, e))
        return -1;
    if (names)
        err_set(e, SNAP_FAILED, "the snapshot %s of %s has clones, which need "
                "it: %s; delete them, or run 'rbd flatten' on them", d->part,
                at->image, names);
    free(names);
    return names ? -1 : 0;
}

/* Nobody else has the image open: a rollback would be under him. */
static int check_unwatched(const struct rbd_at *at, struct err *e)
{
    struct rbd_maps maps;
    int rc;

    if (rbd_maps_read(&maps, e))
        return -1;
    rc = check_watchers(at, &maps, e);
    rbd_maps_free(&maps);
    return rc;
}

/* Not a part of verify(): who has it open is no fault of the snapshot's. */
static int kind_aim(struct disk_host *h, const char *snapshot,
                    const char *unique, struct snapshot_disk *d,
                    struct err *e)
{
    struct target t;
    int rc;

    (void)h;
    (void)snapshot;
    (void)unique;
    if (target_find(d, &t, e))
        return -1;
    rc = check_unwatched(&t.at, e);
    target_close(&t);
    return rc;
}

static int kind_ready(const struct snapshot_disk *d, struct err *e)
{
    struct target t;
    int rc;

    if (target_find(d, &t, e))
        return -1;
    rc = check_unwatched(&t.at, e);
    if (!rc)
        rc = try_out(&t.at, d, e);
    target_close(&t);
    return rc;
}

static int kind_unready(const struct snapshot_disk *d, struct err *e)
{
    struct target t;
    int rc = 0;

    if (target_look(d, &t, e))
        return -1;
    if (t.image)
        rc = remove_trial(d, &t.at, e);
    target_close(&t);
    return rc;
}

/* Waits for the watch of a client that died, or is about to end. */
static int wait_unwatched(const struct rbd_at *at, bool *waited_r,
                          struct err *e)
{
    uint64_t until = clock_ms() + RBD_WATCH_S * 1000ull;

    *waited_r = false;
    while (check_unwatched(at, e)) {
        if (clock_ms() >= until)
            return -1;
        *waited_r = true;
        clock_sleep_ms(POLL_MS);
    }
    return 0;
}

/* Nobody on this host uses a map of it, whichever that is. */
static int wait_unused(const struct record *r, struct err *e)
{
    const struct rbd_map *map = NULL;
    struct rbd_maps maps;
    int rc = rbd_maps_read(&maps, e);

    while (!rc && (map = rbd_maps_next(&maps, map, r->fsid, r->id)))
        /* The domain's script may be unmapping it right now. */
        if (!access(map->device, F_OK) && image_wait_free(map->device, e) &&
            !access(map->device, F_OK))
            rc = -1;
    rbd_maps_free(&maps);
    return rc;
}

/*
 * Our own kernel may still hold the lock: it gives it to who takes a snapshot,
 * not to a rollback.
 */
static int roll_back(const struct snapshot_disk *d, const struct rbd_at *at,
                     struct err *e)
{
    bool locked;
    int rc = rbd_snap_rollback(at, d->part, &locked, e);

    if (!locked)
        return rc;
    if (try_out(at, d, e))
        return -1;
    return rbd_snap_rollback(at, d->part, &locked, e);
}

static int forget_caches(const struct record *r, struct err *e)
{
    const struct rbd_map *map = NULL;
    struct rbd_maps maps;
    int rc = rbd_maps_read(&maps, e);

    while (!rc && (map = rbd_maps_next(&maps, map, r->fsid, r->id)))
        rc = rbd_map_forget_cache(map, e);
    rbd_maps_free(&maps);
    return rc;
}

/* One that another client took while the image was half of each. */
static int check_none_new(const struct snapshot_disk *d,
                          const struct rbd_snaps *before,
                          const struct rbd_snaps *after, struct err *e)
{
    uint64_t newest = 0;
    size_t i;

    for (i = 0; i < before->n; i++)
        if (before->v[i].id > newest)
            newest = before->v[i].id;
    for (i = 0; i < after->n; i++)
        if (after->v[i].id > newest)
            return err_set(e, SNAP_FAILED, "another client took the snapshot "
                           "'%s' of %s while its content was put back: it "
                           "holds some of the old and some of the new, delete "
                           "it with 'rbd snap rm'; then run this again",
                           after->v[i].name, d->origin);
    return 0;
}

/* All that others may have done meanwhile, without being told. */
static int check_undisturbed(const struct snapshot_disk *d,
                             const struct target *t,
                             const struct rbd_snaps *before, struct err *e)
{
    struct rbd_snaps after;
    int rc;

    if (rbd_snaps_read(&t->at, &after, e))
        return -1;
    rc = check_part(d, &t->r, &after, e);
    if (rc)
        err_wrap(e, "another client changed the snapshot while it was put "
                 "back, the disk's content is lost");
    else
        rc = check_none_new(d, before, &after, e);
    rbd_snaps_free(&after);
    if (rc)
        return -1;
    return check_unwatched(&t->at, e);
}

static int read_part(const struct snapshot_disk *d, const struct target *t,
                     struct rbd_snaps *snaps, struct err *e)
{
    if (rbd_snaps_read(&t->at, snaps, e))
        return -1;
    if (!check_part(d, &t->r, snaps, e))
        return 0;
    rbd_snaps_free(snaps);
    return -1;
}

/*
 * The domain is gone, and each rbd that is run takes its time: the name that
 * was recorded will do, if the image of that name has the very snapshot.
 */
static int find_part(const struct snapshot_disk *d, struct target *t,
                     struct rbd_snaps *snaps, struct err *e)
{
    if (target_open(d, t, e))
        return -1;
    if (!read_part(d, t, snaps, e))
        return 0;
    target_close(t);
    if (target_find(d, t, e))
        return -1;
    if (!read_part(d, t, snaps, e))
        return 0;
    target_close(t);
    return -1;
}

static int apply(const struct snapshot_disk *d, const struct target *t,
                 struct rbd_snaps *before, struct err *e)
{
    bool waited;

    if (wait_unused(&t->r, e) || wait_unwatched(&t->at, &waited, e))
        return -1;
    if (waited) {
        rbd_snaps_free(before);
        if (read_part(d, t, before, e))
            return -1;
    }
    if (!rbd_snaps_find(before, d->part)->protected &&
        rbd_snap_protect(&t->at, d->part, e))
        return -1;
    if (roll_back(d, &t->at, e) || forget_caches(&t->r, e))
        return -1;
    return check_undisturbed(d, t, before, e);
}

static int kind_apply(const struct snapshot_disk *d, struct err *e)
{
    struct rbd_snaps before;
    struct target t;
    int rc;

    if (find_part(d, &t, &before, e))
        return -1;
    rc = apply(d, &t, &before, e);
    rbd_snaps_free(&before);
    target_close(&t);
    return rc;
}

/* Deleting */

static int remove_snaps(const struct snapshot_disk *d,
                        const struct target *t,
                        const struct rbd_snaps *snaps, struct err *e)
{
    const struct rbd_snap *snap = rbd_snaps_find(snaps, d->part);

    if (remove_trial(d, &t->at, e))
        return -1;
    if (!snap || (t->r.snap && snap->id != t->r.snap))
        return 0;
    if (check_clones(d, &t->at, e) ||
        (snap->protected && rbd_snap_unprotect(&t->at, d->part, e)))
        return -1;
    return rbd_snap_remove(&t->at, d->part, e);
}

static int kind_check_remove(struct disk_host *h, struct snapshot_disk *d,
                             struct err *e)
{
    const char *other = NULL;
    struct target t;
    int rc = 0;

    if (h->census)
        other = census_same_part(h->census, d);
    if (other && !h->force)
        return err_set(e, SNAP_FAILED, "the snapshot %s of %s is also in the "
                       "list of domain %s: use --force to delete it all the "
                       "same", d->part, d->origin, other);
    if (target_look(d, &t, e))
        return -1;
    if (t.image)
        rc = check_clones(d, &t.at, e);
    target_close(&t);
    return rc;
}

/* An image that is gone took its snapshots with it. */
static int check_gone(const struct target *t, struct err *e)
{
    struct rbd_maps maps;
    bool mapped;

    if (rbd_maps_read(&maps, e))
        return -1;
    mapped = rbd_maps_next(&maps, NULL, t->r.fsid, t->r.id);
    rbd_maps_free(&maps);
    if (mapped)
        return no_image(&t->at, t->r.id, e);
    return 0;
}

static int kind_remove(struct disk_host *h, const struct snapshot_disk *d,
                       struct err *e)
{
    struct rbd_snaps snaps = { 0 };
    struct target t;
    int rc = -1;

    (void)h;
    if (target_look(d, &t, e))
        return -1;
    if (!t.image)
        rc = check_gone(&t, e);
    else if (!rbd_snaps_read(&t.at, &snaps, e))
        rc = remove_snaps(d, &t, &snaps, e);
    rbd_snaps_free(&snaps);
    target_close(&t);
    return rc;
}

/*
 * A seal of the device does not see what another host writes, and there is
 * none of an image that a script maps.
 */
static int kind_source_open(const struct snapshot_disk *d,
                            struct disk_source *src, struct err *e)
{
    struct target t;

    if (target_find(d, &t, e))
        return -1;
    src->path = rbd_qemu_name(&t.at, d->part);
    src->format = "raw";
    target_close(&t);
    return 0;
}

static int kind_is_pristine(const struct snapshot_disk *d, bool *yes_r,
                            struct err *e)
{
    struct target t;
    int rc;

    if (target_find(d, &t, e))
        return -1;
    rc = rbd_snap_is_same(&t.at, d->part, yes_r, e);
    target_close(&t);
    return rc;
}

/* The record */

static int kind_parse(json_object *o, struct json_at at,
                      struct snapshot_disk *d, struct err *e)
{
    struct record r;

    if (record_str(o, "image", at, &d->origin, e) ||
        record_str(o, "image_snapshot", at, &d->part, e) ||
        record_str(o, "stamp", at, &d->stamp, e))
        return -1;
    if (!record_path_is_safe(d->path) && !name_is_rbd_image(d->path))
        return err_set(e, SNAP_FAILED, "%s: '%s.path' is neither an absolute "
                       "path without '..' nor the name of an RBD image",
                       at.what, at.where);
    if (!name_is_rbd_image(d->origin) || !name_is_rbd_word(d->part))
        return err_set(e, SNAP_FAILED, "%s: '%s' does not name a snapshot of "
                       "an RBD image", at.what, at.where);
    if (record_parse(d, &r, e))
        return -1;
    free(r.text);
    return 0;
}

static void kind_write(json_object *o, const struct snapshot_disk *d)
{
    json_add_str(o, "image", d->origin);
    json_add_str(o, "image_snapshot", d->part);
    json_add_str(o, "stamp", d->stamp);
}

const struct disk_ops disk_rbd = {
    .record = { .type = "rbd", .parse = kind_parse, .write = kind_write,
                .checks_path = true },
    .alone = true,
    .refuse = kind_refuse,
    .name = kind_name,
    .check = kind_check,
    .prepare = kind_prepare,
    .capture = kind_capture,
    .finish = kind_finish,
    .verify = kind_verify,
    .aim = kind_aim,
    .ready = kind_ready,
    .unready = kind_unready,
    .apply = kind_apply,
    .is_pristine = kind_is_pristine,
    .source_open = kind_source_open,
    .check_remove = kind_check_remove,
    .remove = kind_remove,
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
