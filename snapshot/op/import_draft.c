/* SPDX-License-Identifier: LGPL-2.1-only */

/* Makes the snapshot and the configuration that an import will have. */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "disk/disk.h"
#include "disk/kind.h"
#include "image/layer.h"
#include "memory/rewrite.h"
#include "op/import_draft.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "store/meta.h"
#include "store/record.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "txn/job.h"
#include "xen/config.h"
#include "xen/domain.h"
#include "xen/portable.h"

#define UUID_LEN 36

/*** Where the disks are to be */

static const struct import_disk *find_disk(const struct import_draft *d,
                                           const char *vdev)
{
    size_t i;

    for (i = 0; i < d->ndisks; i++)
        if (!strcmp(d->disks[i].vdev, vdev))
            return &d->disks[i];
    return NULL;
}

/* What the user says of a disk, VDEV=PATH; NULL: nothing. */
static const char *wanted(const struct snap_import *req, const char *vdev)
{
    size_t i, len = strlen(vdev);

    for (i = 0; i < req->ndisks; i++)
        if (!strncmp(req->disks[i], vdev, len) && req->disks[i][len] == '=')
            return req->disks[i] + len + 1;
    return NULL;
}

/* The whole path, its folder without links; NULL with the error. */
static char *whole_path(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *folder, *whole = NULL, real[PATH_MAX];

    folder = slash ? mem_printf("%.*s/", (int)(slash - path), path) :
             mem_strdup(".");
    if (!name[0] || !strcmp(name, ".") || !strcmp(name, ".."))
        err_set(e, SNAP_FAILED, "'%s' is no path of a file", path);
    else if (!realpath(folder, real))
        err_errno(e, "the folder of %s cannot be used", path);
    else
        whole = mem_printf("%s/%s", strcmp(real, "/") ? real : "", name);
    free(folder);
    return whole;
}

/* A raw one stays raw, so that the guest's writes are never taken for a header. */
static const char *format_here(const struct snapshot_disk *was)
{
    return strcmp(was->format, "raw") ? "qcow2" : "raw";
}

/* Where a volume or another device was there is no place for a file. */
static bool is_device(const char *path)
{
    char *folder;
    struct stat dev, st;
    bool yes;

    if (path[0] != '/')
        return true;
    if (strncmp(path, "/dev/", 5))
        return false;
    folder = layer_folder(path);
    yes = stat(folder, &st) || stat("/dev", &dev) || st.st_dev == dev.st_dev;
    free(folder);
    return yes;
}

/* Where the image of a disk goes: what the user says, or where it was. */
static char *choose_path(const struct import_draft *d,
                         const struct snapshot_disk *was, struct err *e)
{
    const char *path = wanted(d->req, was->vdev), *slash;
    char *there, *whole;

    if (path)
        return whole_path(path, e);
    slash = strrchr(was->path, '/');
    if (d->clone && !is_device(was->path)) {
        there = mem_printf("%.*s/%s-%s.%s", (int)(slash - was->path),
                           was->path, d->domain, was->vdev,
                           format_here(was));
        whole = whole_path(there, e);
        free(there);
        return whole;
    }
    if (d->req->path) {
        there = mem_printf("%s/%s", d->req->path,
                           slash ? slash + 1 : was->path);
        whole = whole_path(there, e);
        free(there);
        return whole;
    }
    if (!is_device(was->path))
        return whole_path(was->path, e);
    err_set(e, SNAP_FAILED, "it is %s, no file: say with --disk=%s=FILE where "
            "its image is to be", was->path, was->vdev);
    return NULL;
}

/* Nothing is there, and nothing else of this import is to be. */
static int check_place(const struct import_draft *d, const char *path,
                       struct err *e)
{
    const size_t more = strlen(JOB_IMPORT_NAME) + NAME_UNIQUE_LEN;
    struct stat st;
    size_t i;

    if (!record_path_is_safe(path) ||
        strlen(strrchr(path, '/') + 1) + more > NAME_MAX)
        return err_set(e, SNAP_FAILED, "%s cannot be the path of an image",
                       path);
    for (i = 0; i < d->ndisks; i++)
        if (!strcmp(d->disks[i].path, path))
            return err_set(e, SNAP_FAILED, "%s is to be disk %s, too: say with "
                           "--disk=VDEV=FILE where each is to be", path,
                           d->disks[i].vdev);
    if (!lstat(path, &st))
        return err_set(e, SNAP_FAILED, "%s is there already, and nothing is "
                       "overwritten: say with --disk=VDEV=FILE where the "
                       "image is to be", path);
    if (errno != ENOENT)
        return err_errno(e, "cannot look at %s", path);
    return 0;
}

static void add_disk(struct import_draft *d, const char *vdev,
                     const struct manifest_disk *from, char *path)
{
    d->disks = mem_grow(d->disks, d->ndisks + 1, sizeof(*d->disks));
    d->disks[d->ndisks++] = (struct import_disk){ vdev, from, path };
}

/* A new image, or for a disk that the export has not: the user's own file. */
static void place_disk(struct import_draft *d,
                       const struct snapshot_disk *was, struct err *problems)
{
    const struct manifest_disk *from = manifest_find(d->m, was->vdev);
    const char *own = wanted(d->req, was->vdev);
    char *path = NULL;
    struct err e;

    if (find_disk(d, was->vdev) || (!from && !own))
        return;
    if (from) {
        path = choose_path(d, was, &e);
    } else {
        path = realpath(own, NULL);
        if (!path)
            err_errno(&e, "%s cannot be used", own);
    }
    if (path && (!from || !check_place(d, path, &e))) {
        add_disk(d, was->vdev, from, path);
        return;
    }
    err_add(problems, "disk %s: %s", was->vdev, e.text);
    free(path);
}

static const struct snapshot_disk *recorded(const struct snapshot *s,
                                            const char *vdev, size_t len)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++)
        if (strlen(s->disks[i].vdev) == len &&
            !strncmp(s->disks[i].vdev, vdev, len))
            return &s->disks[i];
    return NULL;
}

static void place_disks(struct import_draft *d, struct err *problems)
{
    const struct manifest *m = d->m;
    size_t i;

    for (i = 0; i < d->req->ndisks; i++)
        if (!recorded(&m->s, d->req->disks[i],
                      strcspn(d->req->disks[i], "=")))
            err_add(problems, "--disk=%s: the export has no such disk",
                    d->req->disks[i]);
    for (i = 0; i < m->ndisks; i++)
        if (!recorded(&m->s, m->disks[i].vdev, strlen(m->disks[i].vdev)))
            err_add(problems, "%s: the snapshot has no disk %s, of which there "
                    "is an image", d->what, m->disks[i].vdev);
    for (i = 0; i < m->s.ndisks; i++) {
        const struct snapshot_disk *was = &m->s.disks[i];

        if (recorded(&m->s, was->vdev, strlen(was->vdev)) == was)
            place_disk(d, was, problems);
        else
            err_add(problems, "%s: the snapshot has disk %s twice", d->what,
                    was->vdev);
    }
}

/* Beside the images. */
static void place_cfg(struct import_draft *d, struct err *problems)
{
    char *folder = NULL, *path;
    struct err e;
    size_t i;

    if (d->req->path)
        folder = mem_strdup(d->req->path);
    for (i = 0; i < d->ndisks && !folder; i++)
        if (d->disks[i].from)
            folder = layer_folder(d->disks[i].path);
    path = mem_printf("%s/%s.cfg", folder ? folder : ".", d->domain);
    d->cfg = whole_path(path, &e);
    if (!d->cfg || check_place(d, d->cfg, &e))
        err_add(problems, "%s", e.text);
    free(path);
    free(folder);
}

/*** The configuration */

/* Version 4: random. */
static int new_uuid(char uuid[UUID_LEN + 1], struct err *e)
{
    unsigned char r[16];
    size_t i;

    if (getrandom(r, sizeof(r), 0) != (ssize_t)sizeof(r))
        return err_errno(e, "cannot get random numbers");
    r[6] = (r[6] & 0x0f) | 0x40;
    r[8] = (r[8] & 0x3f) | 0x80;
    for (i = 0; i < sizeof(r); i++)
        uuid += sprintf(uuid, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ?
                        "-" : "", r[i]);
    return 0;
}

static bool is_uuid(const char *text)
{
    size_t i;

    if (strlen(text) != UUID_LEN ||
        strspn(text, "0123456789abcdefABCDEF-") != UUID_LEN)
        return false;
    for (i = 0; i < UUID_LEN; i++)
        if ((text[i] == '-') != (i == 8 || i == 13 || i == 18 || i == 23))
            return false;
    return true;
}

static void put(json_object *o, const char *key, const char *value)
{
    json_object_object_add(o, key, json_object_new_string(value));
}

/* The configuration's disks; NULL: none. */
static json_object *config_disks(const struct import_draft *d)
{
    json_object *disks = NULL;

    if (!json_object_object_get_ex(d->config, "disks", &disks) ||
        !json_object_is_type(disks, json_type_array))
        return NULL;
    return disks;
}

/* What is edited and what is not would be disks of one name. */
static void check_twins(const struct import_draft *d, json_object *disks,
                        struct err *problems)
{
    size_t i, n = disks ? json_object_array_length(disks) : 0;

    for (i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(disks, i);
        const char *vdev = json_text(o, "vdev");

        if (json_element(disks, "vdev", vdev) != o)
            err_add(problems, "%s: the configuration has disk '%s' twice",
                    d->what, vdev);
    }
}

/* Each disk that was placed, and no other one, gets its path. */
static void edit_disks(struct import_draft *d, struct err *problems)
{
    json_object *disks = config_disks(d);
    size_t i;

    check_twins(d, disks, problems);
    for (i = 0; i < d->ndisks; i++) {
        const struct import_disk *disk = &d->disks[i];
        json_object *o = NULL;

        if (disks)
            o = json_element(disks, "vdev", disk->vdev);
        if (!o) {
            err_add(problems, "%s: the configuration has no disk %s",
                    d->what, disk->vdev);
            continue;
        }
        put(o, "pdev_path", disk->path);
        if (!disk->from)
            continue;
        put(o, "format", format_here(recorded(&d->m->s, disk->vdev,
                                              strlen(disk->vdev))));
        put(o, "backend", "qdisk");
        json_object_object_del(o, "script");
    }
}

/* Two domains with one address in one network disturb each other. */
static void edit_nics(struct import_draft *d)
{
    json_object *nics;
    size_t i;

    if (!json_object_object_get_ex(d->config, "nics", &nics) ||
        !json_object_is_type(nics, json_type_array))
        return;
    for (i = 0; i < json_object_array_length(nics); i++)
        json_object_object_del(json_object_array_get_idx(nics, i), "mac");
    if (d->no_nics)
        json_object_object_del(d->config, "nics");
}

static void edit_config(struct import_draft *d, const char *uuid,
                        struct err *problems)
{
    const char *text = d->m->s.config;
    json_object *c;
    struct err e;

    d->config = json_parse_object(text, strlen(text),
                                  "the domain's configuration", &e);
    if (!d->config) {
        err_add(problems, "%s", e.text);
        return;
    }
    if (!json_object_object_get_ex(d->config, "c_info", &c) ||
        !json_object_is_type(c, json_type_object)) {
        err_add(problems, "the domain's configuration has no 'c_info'");
        return;
    }
    put(c, "name", d->domain);
    put(c, "uuid", uuid);
    edit_disks(d, problems);
    if (d->clone)
        edit_nics(d);
}

/* Of the configuration as it is now; *problems if that fails. */
static char *config_text(const struct import_draft *d, struct err *problems)
{
    struct rewrite_edit edit = { .genid = d->clone };
    char *other, *text = mem_strdup(json_object_to_json_string_ext(d->config,
                                        JSON_C_TO_STRING_NOSLASHESCAPE));
    struct err e;

    if (rewrite_config(&edit, text, &other, &e))
        err_join(problems, &e);
    else if (other) {
        free(text);
        text = other;
    }
    return text;
}

/*** The snapshot */

static void draft_disk(const struct import_draft *d, const char *unique,
                       const struct snapshot_disk *was,
                       struct snapshot_disk *r, struct err *problems)
{
    const struct import_disk *disk = find_disk(d, was->vdev);
    const struct disk_request req = {
        .snapshot = d->m->s.name, .unique = unique, .cold = true,
    };
    struct domain_disk now = {
        .vdev = was->vdev, .path = was->path, .format = was->format,
        .backend = was->backend,
    };
    struct err e;

    if (disk)
        now.path = disk->path;
    if (disk && disk->from) {
        now.format = format_here(was);
        now.backend = "qdisk";
        now.medium = MEDIUM_FILE;
        if (disk_choose(&now, &req, r, &e))
            err_join(problems, &e);
        return;
    }
    r->vdev = mem_strdup(now.vdev);
    r->path = mem_strdup(now.path);
    r->format = mem_strdup(now.format);
    r->backend = mem_strdup(now.backend);
    r->type = mem_strdup("none");
    r->reason = mem_strdup(was->reason ? was->reason : "not in the export");
}

static void draft_snapshot(const struct import_draft *d, const char *uuid,
                           struct snapshot *s)
{
    const struct snapshot *was = &d->m->s;
    bool plain = !strcmp(was->memory.compression, "none");

    s->name = mem_strdup(was->name);
    s->description = mem_strdup(was->description);
    s->creation_time = was->creation_time;
    s->protected = was->protected;
    s->mode = mem_strdup(was->mode);
    s->domain.name = mem_strdup(d->domain);
    s->domain.uuid = mem_strdup(uuid);
    s->domain.type = mem_strdup(was->domain.type);
    s->domain.state = mem_strdup(was->domain.state);
    s->host.hostname = mem_strdup(was->host.hostname);
    s->host.xen = mem_strdup(was->host.xen);
    s->host.qemu = mem_strdup(was->host.qemu);
    s->host.cpu = mem_strdup(was->host.cpu);
    s->downtime_ms = was->downtime_ms;
    s->memory.file = mem_strdup(plain ? META_MEMORY_FILE : META_MEMORY_ZSTD);
    s->memory.compression = mem_strdup(plain ? "none" : "zstd");
    s->memory.checksum = mem_strdup("");
    s->memory.size = was->memory.size;
}

/* The one that it was runs here, or may: under this name or another one. */
static bool may_be_beside(const struct import_draft *d, const char *uuid)
{
    char *name = domain_of_uuid(uuid);
    bool runs = name != NULL;

    free(name);
    return runs || strcmp(d->domain, d->m->s.domain.name);
}

void import_draft(struct import_draft *d, const char *unique,
                  struct snapshot *s_r, struct err *problems)
{
    const struct snapshot *was = &d->m->s;
    char uuid[UUID_LEN + 1];
    struct err e;
    size_t i;

    memset(s_r, 0, sizeof(*s_r));
    if (!is_uuid(was->domain.uuid)) {
        err_add(problems, "%s: '%s' is no uuid", d->what,
                was->domain.uuid);
        return;
    }
    strcpy(uuid, was->domain.uuid);
    if (may_be_beside(d, uuid) && new_uuid(uuid, &e)) {
        err_join(problems, &e);
        return;
    }
    place_disks(d, problems);
    place_cfg(d, problems);
    edit_config(d, uuid, problems);
    draft_snapshot(d, uuid, s_r);
    if (problems->status != SNAP_OK)
        return;
    s_r->config = config_text(d, problems);
    s_r->disks = mem_zalloc(was->ndisks + 1, sizeof(*s_r->disks));
    for (i = 0; i < was->ndisks; i++)
        draft_disk(d, unique, &was->disks[i], &s_r->disks[s_r->ndisks++],
                   problems);
}

/* Two domains that write to one disk destroy it. */
static void check_own(const struct import_draft *d, struct err *problems)
{
    json_object *disks = config_disks(d);
    size_t i;

    for (i = 0; disks && i < json_object_array_length(disks); i++) {
        json_object *o = json_object_array_get_idx(disks, i), *rw = NULL;
        const char *vdev = json_text(o, "vdev");

        (void)json_object_object_get_ex(o, "readwrite", &rw);
        if (json_object_get_boolean(rw) && !find_disk(d, vdev))
            err_add(problems, "disk %s is not in the snapshot, and the original "
                    "writes to it: give the clone a file of its own with "
                    "--disk=%s=FILE", vdev, vdev);
    }
}

static bool is_placed(const void *arg, const char *vdev)
{
    return find_disk(arg, vdev) != NULL;
}

static bool is_made(const void *arg, const char *vdev)
{
    const struct import_disk *disk = find_disk(arg, vdev);

    return disk && disk->from;
}

void import_check(const struct import_draft *d, const struct snapshot *s,
                  struct err *problems)
{
    struct err asks = { 0 }, e;

    if (!d->req->force)
        portable_check(d->config, is_placed, d, &asks);
    if (asks.status != SNAP_OK)
        err_add(problems, "%s: these are programs, files or devices of this "
                "host, or unknown: --force takes them over, from a source that "
                "you trust like root", asks.text);
    if (d->clone)
        check_own(d, problems);
    config_check_host(s->config, is_made, d, problems);
    if (domain_check_config(s->config, &e))
        err_add(problems, "%s", e.text);
}

void import_draft_free(struct import_draft *d)
{
    while (d->ndisks)
        free(d->disks[--d->ndisks].path);
    free(d->disks);
    free(d->cfg);
    json_object_put(d->config);
    memset(d, 0, sizeof(*d));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
