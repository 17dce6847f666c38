/* SPDX-License-Identifier: LGPL-2.1-only */

/* The table of kinds, the choice between them, and calls of their hooks. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/disk.h"
#include "disk/kind.h"
#include "image/identity.h"
#include "image/image.h"
#include "image/layer.h"
#include "image/seal.h"
#include "qemu/chain.h"
#include "qemu/qemu.h"
#include "store/meta.h"
#include "store/record.h"
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
    &disk_rbd,
    &disk_copy,
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct disk_ops *find_kind(const char *type)
{
    size_t i;

    for (i = 0; i < NKINDS; i++)
        if (!strcmp(kinds[i]->record.type, type))
            return kinds[i];
    return NULL;
}

static const struct record_ops *find_record(const char *type)
{
    const struct disk_ops *ops = find_kind(type);

    return ops ? &ops->record : NULL;
}

void disk_init(void)
{
    record_set_kinds(find_record);
}

bool disk_knows_kind(const char *type)
{
    return find_kind(type) != NULL;
}

int disk_host_open(const char *domain, struct disk_host *h, struct err *e)
{
    struct domain d;
    int rc;

    memset(h, 0, sizeof(*h));
    if (!domain)
        return 0;
    rc = domain_look(domain, &d, e);
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

int disk_clear_orphans(struct disk_host *h, struct err *e)
{
    struct qemu *q;
    size_t n;

    if (!h->running || h->confined)
        return 0;
    q = disk_host_qemu(h, e);
    if (!q)
        return -1;
    return qemu_drop_orphans(q, &n, e);
}

/* Room that is wanted in one place. */
struct disk_claim {
    char *place;
    uint64_t bytes;
};

void disk_host_close(struct disk_host *h)
{
    qemu_close(h->qemu);
    json_object_put(h->actions);
    while (h->nclaims)
        free(h->claims[--h->nclaims].place);
    free(h->claims);
    free(h->others);
    memset(h, 0, sizeof(*h));
}

void disk_host_add_other(struct disk_host *h, const struct snapshot *s)
{
    h->others = mem_grow(h->others, h->nothers + 1, sizeof(*h->others));
    h->others[h->nothers++] = s;
}

int disk_has_part(const struct disk_host *h, const char *path, bool *yes_r,
                  struct err *e)
{
    size_t i, k;

    *yes_r = false;
    for (i = 0; i < h->nothers; i++)
        for (k = 0; k < h->others[i]->ndisks; k++) {
            const struct snapshot_disk *d = &h->others[i]->disks[k];

            if (d->link && layer_is_same(d->part, path, yes_r, e))
                return -1;
            if (*yes_r)
                return 0;
        }
    return 0;
}

uint64_t disk_claim(struct disk_host *h, const char *place, uint64_t bytes)
{
    size_t i;

    for (i = 0; i < h->nclaims && strcmp(h->claims[i].place, place); i++)
        ;
    if (i == h->nclaims) {
        h->claims = mem_grow(h->claims, i + 1, sizeof(*h->claims));
        h->claims[i] = (struct disk_claim){ mem_strdup(place), 0 };
        h->nclaims++;
    }
    h->claims[i].bytes += bytes;
    return h->claims[i].bytes;
}

bool disk_others_have(const struct disk_others *o, const char *type)
{
    size_t i;

    for (i = 0; o && i < o->ntypes; i++)
        if (!strcmp(o->types[i], type))
            return true;
    return false;
}

bool disk_is_alone(const struct snapshot_disk *d)
{
    const struct disk_ops *ops = find_kind(d->type);

    return !ops || ops->alone;
}

bool disk_needs_ready(const struct snapshot_disk *d)
{
    const struct disk_ops *ops = find_kind(d->type);

    return ops && ops->ready;
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

/* What no kind gets over. */
static const char *impossible(const struct domain_disk *disk)
{
    if (disk->foreign)
        return "its backend is in another domain";
    if (disk->medium == MEDIUM_RBD && disk->script)
        return NULL;        /* an image's name, which was looked up */
    if (disk->path[0] != '/')
        return "its path in the domain's configuration is a relative one, "
               "which leads elsewhere from another folder: give the whole "
               "path there, and start the domain again";
    if (!record_path_is_safe(disk->path))
        return "its path in the domain's configuration has '..' in it: give "
               "it without, and start the domain again";
    return NULL;
}

/* The first kind that takes the disk, or the last one's reason against it. */
static const struct disk_ops *first_fit(const struct domain_disk *disk,
                                        const struct disk_request *r,
                                        const char **why_r)
{
    size_t i;

    for (i = 0; i < NKINDS; i++) {
        *why_r = kinds[i]->refuse(disk, r);
        if (!*why_r)
            return kinds[i];
    }
    return NULL;
}

static const struct disk_ops *choose_kind(const struct domain_disk *disk,
                                          const struct disk_request *r,
                                          const char **why_r)
{
    const struct disk_ops *ops;

    *why_r = impossible(disk);
    if (*why_r)
        return NULL;
    if (!r->type)
        return first_fit(disk, r, why_r);
    ops = find_kind(r->type);
    *why_r = "there is no such type of snapshot";
    if (ops)
        *why_r = ops->refuse(disk, r);
    return *why_r ? NULL : ops;
}

/* Would it be all right if the domain were closed for it? */
static bool fits_cold(const struct domain_disk *disk,
                      const struct disk_request *r)
{
    struct disk_request cold = *r;
    const char *why;

    cold.cold = true;
    return choose_kind(disk, &cold, &why) != NULL;
}

int disk_choose(const struct domain_disk *disk, const struct disk_request *r,
                struct snapshot_disk *d, struct err *e)
{
    const char *why = left_out(disk, r->type);
    const struct disk_ops *ops;

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
    ops = choose_kind(disk, r, &why);
    if (!ops) {
        d->type = mem_strdup("none");
        err_set(e, SNAP_FAILED, "disk %s (%s): %s", disk->vdev, disk->path,
                why);
        if (fits_cold(disk, r))
            (void)err_hot_only(e);
        return -1;
    }
    d->type = mem_strdup(ops->record.type);
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
    *ops_r = find_kind(d->type);
    if (!*ops_r)
        return err_set(e, SNAP_FAILED, "disk %s: this version cannot handle "
                       "a disk snapshot of type %s", d->vdev, d->type);
    return 0;
}

static int named(int rc, const struct snapshot_disk *d, struct err *e)
{
    if (rc)
        err_wrap(e, "disk %s", d->vdev);
    return rc;
}

/* Calls a hook of the disk's kind, if there is one. */
#define CALL(hook, d, e, ...)                                       \
    do {                                                            \
        const struct disk_ops *ops_;                                \
                                                                    \
        if (kind_of(d, &ops_, e))                                   \
            return -1;                                              \
        if (!ops_ || !ops_->hook)                                   \
            return 0;                                               \
        return named(ops_->hook(__VA_ARGS__), d, e);                \
    } while (0)

int disk_check(struct disk_host *h, struct snapshot_disk *d, struct err *e)
{
    CALL(check, d, e, h, d, e);
}

int disk_prepare(struct disk_host *h, struct snapshot_disk *d,
                 struct err *e)
{
    if (!h->actions)
        h->actions = json_object_new_array();
    CALL(prepare, d, e, h, d, e);
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
    CALL(capture, d, e, h, d, e);
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

static int rescue(struct disk_host *h, const struct snapshot_disk *d,
                  struct err *e)
{
    CALL(rescue, d, e, h, d, e);
}

int disk_rescue(struct disk_host *h, const struct snapshot *s,
                struct err *e)
{
    struct err all = { 0 };
    size_t i;

    for (i = 0; i < s->ndisks; i++)
        if (rescue(h, &s->disks[i], e))
            err_add(&all, "%s", e->text);
    if (all.status == SNAP_OK)
        return 0;
    *e = all;
    return -1;
}

int disk_stop(struct disk_host *h, const struct snapshot_disk *d,
              struct err *e)
{
    CALL(stop, d, e, h, d, e);
}

int disk_finish(struct disk_host *h, struct snapshot_disk *d, struct err *e)
{
    CALL(finish, d, e, h, d, e);
}

int disk_verify(const struct snapshot_disk *d, bool force, struct err *e)
{
    CALL(verify, d, e, d, force, e);
}

int disk_aim(struct disk_host *h, const char *snapshot, const char *unique,
             struct snapshot_disk *d, struct err *e)
{
    CALL(aim, d, e, h, snapshot, unique, d, e);
}

int disk_ready(const struct snapshot_disk *d, struct err *e)
{
    CALL(ready, d, e, d, e);
}

int disk_unready(const struct snapshot_disk *d, struct err *e)
{
    CALL(unready, d, e, d, e);
}

int disk_apply(const struct snapshot_disk *d, struct err *e)
{
    CALL(apply, d, e, d, e);
}

static int open_source(const struct snapshot_disk *d, struct disk_source *src,
                       struct err *e)
{
    CALL(source_open, d, e, d, src, e);
}

int disk_source_open(const struct snapshot_disk *d, struct disk_source *src,
                     struct err *e)
{
    memset(src, 0, sizeof(*src));
    src->size = d->virtual_size;
    if (open_source(d, src, e))
        return -1;
    if (src->path)
        return 0;
    return err_set(e, SNAP_FAILED, "disk %s: the snapshot has nothing of it",
                   d->vdev);
}

static int close_source(const struct snapshot_disk *d, struct err *e)
{
    CALL(source_close, d, e, d, e);
}

int disk_source_close(const struct snapshot_disk *d, struct disk_source *src,
                      struct err *e)
{
    int rc = 0;

    if (src->activated)
        rc = close_source(d, e);
    free(src->path);
    memset(src, 0, sizeof(*src));
    return rc;
}

int disk_is_pristine(const struct snapshot_disk *d, bool *yes_r,
                     struct err *e)
{
    *yes_r = !meta_disk_has_part(d);
    CALL(is_pristine, d, e, d, yes_r, e);
}

int disk_check_remove(struct disk_host *h, struct snapshot_disk *d,
                      struct err *e)
{
    CALL(check_remove, d, e, h, d, e);
}

int disk_remove(struct disk_host *h, const struct snapshot_disk *d,
                struct err *e)
{
    CALL(remove, d, e, h, d, e);
}

int disk_seal(const struct snapshot_disk *d, char **seal_r, struct err *e)
{
    struct stat st;

    *seal_r = NULL;
    /* A script's name for it: there is no device while no domain has it. */
    if (d->path[0] != '/') {
        *seal_r = mem_strdup("");
        return 0;
    }
    /* A link whose layer was lost leads somewhere once it is reverted. */
    if (stat(d->path, &st) && errno == ENOENT)
        return 0;
    return named(seal_take(d->path, seal_r, e), d, e);
}

enum seal_state disk_check_seal(const struct snapshot_disk *d,
                                const char *seal)
{
    return seal_check(d->path, seal);
}

int disk_identify(const char *path, json_object **o_r, struct err *e)
{
    struct image_id id;

    if (image_id_read(path, &id, e))
        return -1;
    json_object_put(*o_r);
    *o_r = image_id_to_json(&id);
    image_id_free(&id);
    return 0;
}

int disk_record_identity(struct snapshot_disk *d, const char *to,
                         struct err *e)
{
    return disk_identify(to, &d->identity, e);
}

static void complete_record(struct snapshot_disk *d)
{
    const char *path = d->link ? d->part : d->path;
    enum id_match match;
    struct err ignored;

    if (!meta_disk_has_part(d) || d->unknown || d->identity ||
        disk_compare(path, NULL, d->inode, &match, &ignored) ||
        match != ID_SAME)
        return;
    (void)disk_identify(path, &d->identity, &ignored);
}

void disk_complete_records(struct snapshot *s)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++)
        complete_record(&s->disks[i]);
}

static int parse_id(json_object *o, struct image_id *id, struct err *e)
{
    json_object *holder = json_object_new_object();
    int rc;

    json_object_object_add(holder, "identity", json_object_get(o));
    rc = image_id_parse(holder, "identity",
                        (struct json_at){ "snapshot.json", "" }, id, e);
    json_object_put(holder);
    return rc;
}

int disk_compare(const char *path, json_object *id, uint64_t inode,
                 enum id_match *match_r, struct err *e)
{
    struct image_id then, now;
    struct stat st;

    *match_r = ID_OTHER;
    if (stat(path, &st)) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        return err_errno(e, "cannot look at %s", path);
    }
    if (!id) {
        if (S_ISBLK(st.st_mode))
            *match_r = ID_UNKNOWN;
        else if (st.st_ino == inode)
            *match_r = ID_SAME;
        return 0;
    }
    if (parse_id(id, &then, e))
        return -1;
    if (image_id_read(path, &now, e)) {
        image_id_free(&then);
        return -1;
    }
    *match_r = image_id_compare(&then, &now);
    image_id_free(&then);
    image_id_free(&now);
    return 0;
}

int disk_check_identity(const char *path, json_object *id, uint64_t inode,
                        bool force, struct err *e)
{
    enum id_match match;
    struct stat st;

    if (stat(path, &st))
        return err_errno(e, "cannot look at %s", path);
    if (force)
        return 0;
    if (disk_compare(path, id, inode, &match, e))
        return -1;
    if (match == ID_OTHER)
        return err_set(e, SNAP_FAILED, "%s is not the one that the snapshot is "
                       "of, but perhaps a copy of it: use --force if it is "
                       "the right one", path);
    if (match == ID_UNKNOWN && id)
        return err_set(e, SNAP_FAILED, "%s cannot be identified after a reboot "
                       "of the host, as neither it nor its file system has an "
                       "id: use --force if it is the right one", path);
    return 0;
}

bool disk_is_another(const struct snapshot_disk *d)
{
    enum id_match match;
    struct err ignored;

    return meta_disk_has_part(d) && !d->unknown && !d->link && d->identity &&
           !disk_compare(d->path, d->identity, d->inode, &match, &ignored) &&
           match == ID_OTHER;
}

int disk_refuse_missing(const char *path, struct err *e)
{
    return err_set(e, SNAP_FAILED, "%s is not there: bring it back, for "
                   "example by mounting its storage, or use --force if it is "
                   "gone for good", path);
}

bool disk_is_gone(const char *path, json_object *id)
{
    struct image_id then;
    struct err ignored;
    bool gone;

    if (!id || parse_id(id, &then, &ignored))
        return false;
    gone = image_id_fs_here(&then, path);
    image_id_free(&then);
    return gone;
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
        struct stat st;

        /* What it had open below this, it closes together with it. */
        if (meta_disk_has_part(d) && !stat(d->path, &st) &&
            image_check_free(d->path, NULL, HOLDER_WAIT_S, e))
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
