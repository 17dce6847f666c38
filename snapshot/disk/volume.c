/* SPDX-License-Identifier: LGPL-2.1-only */

/* Runs LVM's programs and reads what they print. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk/volume.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/proc.h"

#ifndef VOLUME_SYS
#define VOLUME_SYS "/sys"
#endif
#define ASK_TIMEOUT_S 60
/* The guest is stopped, or the disk without its name, meanwhile. */
#define SHORT_TIMEOUT_S 300
#define REMOVE_TIMEOUT_S 3600   /* its blocks may be discarded one by one */

#define DM_NAME_MAX 127
/* What LVM appends to a device's name, and a revert to a volume's, fits too. */
#define NAME_ROOM (DM_NAME_MAX - 24)
#define CHUNK 4096ull           /* of a classic snapshot, LVM's default */
#define UUID_PREFIX "LVM-"
#define UUID_LEN (sizeof(UUID_PREFIX) - 1 + 64)
#define MAX_LINKS 16

static const char fields[] =
    "vg_name,lv_name,lv_uuid,lv_tags,lv_layout,lv_size,origin,pool_lv,"
    "data_percent,metadata_percent,lv_health_status,lv_snapshot_invalid,"
    "lv_check_needed,lv_active,lv_suspended,vg_free,vg_extent_size";

/* Names and paths */

static char *sys_line(const struct stat *st, const char *attribute)
{
    char *path = mem_printf("%s/dev/block/%u:%u/dm/%s", VOLUME_SYS,
                            major(st->st_rdev), minor(st->st_rdev),
                            attribute);
    FILE *f = fopen(path, "re");
    char line[DM_NAME_MAX + 8];
    char *text = NULL;

    if (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        text = mem_strdup(line);
    }
    if (f)
        fclose(f);
    free(path);
    return text;
}

/* The device-mapper name of VG/LV: "-" between them, their own doubled. */
static char *name_of_device(const char *device)
{
    char *name = mem_zalloc(strlen(device) + 1, 1);
    size_t n = 0;

    for (; *device; device++) {
        if (*device != '-') {
            name[n++] = *device;
        } else if (device[1] == '-') {
            name[n++] = '-';
            device++;
        } else {
            name[n++] = '/';
        }
    }
    return name;
}

static char *device_name(const char *name)
{
    char *device = mem_zalloc(2 * strlen(name) + 1, 1);
    size_t n = 0;

    for (; *name; name++) {
        if (*name == '/') {
            device[n++] = '-';
            continue;
        }
        if (*name == '-')
            device[n++] = '-';
        device[n++] = *name;
    }
    return device;
}

char *volume_device(const char *name, const char *layer)
{
    char *device = device_name(name);
    char *path = mem_printf("/dev/mapper/%s%s", device, layer);

    free(device);
    return path;
}

static size_t device_length(const char *name)
{
    char *device = device_name(name);
    size_t len = strlen(device);

    free(device);
    return len;
}

int volume_of_path(const char *path, char **name_r, struct err *e)
{
    struct stat st;
    char *uuid, *device;

    *name_r = NULL;
    if (stat(path, &st))
        return err_errno(e, "cannot look at %s", path);
    if (!S_ISBLK(st.st_mode))
        return 0;
    uuid = sys_line(&st, "uuid");
    device = sys_line(&st, "name");
    /* A longer one is of a layer, which is not for anyone to use. */
    if (uuid && device && strlen(uuid) == UUID_LEN &&
        !strncmp(uuid, UUID_PREFIX, strlen(UUID_PREFIX)))
        *name_r = name_of_device(device);
    free(uuid);
    free(device);
    if (*name_r && !name_is_volume(*name_r)) {
        free(*name_r);
        *name_r = NULL;
    }
    return 0;
}

/* The path without links in its directories; NULL if it has none. */
static char *clean(const char *path)
{
    const char *base = strrchr(path, '/');
    char *dir, *real, *whole;

    if (!base)
        return NULL;
    dir = mem_printf("%.*s/", (int)(base - path), path);
    real = realpath(dir, NULL);
    if (real)
        whole = mem_printf("%s%s", real, base);
    else
        whole = mem_strdup(path);
    free(dir);
    free(real);
    return whole;
}

/* Where a link leads to; NULL if it is none. */
static char *follow(const char *path)
{
    char to[PATH_MAX];
    ssize_t n = readlink(path, to, sizeof(to) - 1);

    if (n <= 0)
        return NULL;
    to[n] = '\0';
    if (to[0] == '/')
        return mem_strdup(to);
    return mem_printf("%.*s/%s", (int)(strrchr(path, '/') - path), path, to);
}

bool volume_is_named_by(const char *path, const char *name)
{
    char *plain = mem_printf("/dev/%s", name);
    char *mapped = volume_device(name, "");
    char *at = mem_strdup(path);
    bool yes = false;
    int i;

    for (i = 0; at && !yes && i < MAX_LINKS; i++) {
        char *whole = clean(at);

        free(at);
        at = NULL;
        if (whole) {
            yes = !strcmp(whole, plain) || !strcmp(whole, mapped);
            at = follow(whole);
        }
        free(whole);
    }
    free(at);
    free(plain);
    free(mapped);
    return yes;
}

static size_t smaller(size_t a, size_t b)
{
    if (a < b)
        return a;
    return b;
}

/*
 * LVM keeps "_tdata" and many more to itself, anywhere in a name, and counts
 * "-" twice in the name of a device.  The first letters are the origin's, so
 * they are none that it forbids there.
 */
char *volume_snapshot_name(const char *origin, const char *snapshot,
                           const char *unique)
{
    char *vg = mem_printf("%.*s", (int)strcspn(origin, "/"), origin);
    char *lv = mem_strdup(strchr(origin, '/') + 1);
    char *word = mem_strdup(snapshot), *name, *p;
    size_t used = device_length(vg) + strlen(".---") + strlen(unique);
    size_t room = NAME_ROOM - smaller(used, NAME_ROOM);

    if (device_length(lv) > room / 2)
        lv[smaller(strlen(lv), room / 4)] = '\0';
    room -= smaller(device_length(lv), room);
    if (strlen(word) > room)
        word[room] = '\0';
    for (p = word; *p; p++)
        if (*p == '_' || *p == '-')
            *p = '.';
    name = mem_printf("%s/%s.%s-%s", vg, lv, word, unique);
    free(word);
    free(lv);
    free(vg);
    return name;
}

uint64_t volume_full_size(uint64_t size, uint64_t extent)
{
    /* A header, and 16 bytes for each chunk in chunks of their own. */
    uint64_t chunks = (size + CHUNK - 1) / CHUNK;
    uint64_t all = (1 + chunks + chunks * 16 / CHUNK + 2) * CHUNK;

    return (all + extent - 1) / extent * extent;
}

/* Asking */

static int dup_text(json_object *o, const char *key, struct json_at at,
                    char **s_r, struct err *e)
{
    const char *s;

    if (json_str(o, key, at, &s, e))
        return -1;
    *s_r = mem_strdup(s);
    return 0;
}

/* lvs writes everything as a string; "" where it does not apply. */
static int number(json_object *o, const char *key, struct json_at at,
                  uint64_t *n_r, struct err *e)
{
    const char *s;
    char *end;

    if (json_str(o, key, at, &s, e))
        return -1;
    errno = 0;
    *n_r = strtoull(s, &end, 10);
    if (errno || *end || (s[0] && !isdigit((unsigned char)s[0])))
        return err_set(e, SNAP_FAILED, "%s: '%s' is '%s', not a number",
                       at.what, key, s);
    return 0;
}

static int percent(json_object *o, const char *key, struct json_at at,
                   double *n_r, struct err *e)
{
    const char *s;
    char *end;

    if (json_str(o, key, at, &s, e))
        return -1;
    *n_r = -1;
    if (!s[0])
        return 0;
    *n_r = strtod(s, &end);
    if (*end || !(*n_r >= 0 && *n_r <= 100))
        return err_set(e, SNAP_FAILED, "%s: '%s' is '%s', not a percentage",
                       at.what, key, s);
    return 0;
}

/* "1", "0", or "-1" where it does not apply. */
static int flag(json_object *o, const char *key, struct json_at at,
                bool *yes_r, struct err *e)
{
    const char *s;

    if (json_str(o, key, at, &s, e))
        return -1;
    *yes_r = !strcmp(s, "1");
    return 0;
}

static int parse_volume(json_object *o, struct volume *v, struct err *e)
{
    struct json_at at = { "lvs", "" };
    const char *vg, *lv, *layout, *active;

    if (!json_object_is_type(o, json_type_object))
        return err_set(e, SNAP_FAILED, "lvs: a volume is not an object");
    if (json_str(o, "vg_name", at, &vg, e) ||
        json_str(o, "lv_name", at, &lv, e) ||
        json_str(o, "lv_layout", at, &layout, e) ||
        json_str(o, "lv_active", at, &active, e) ||
        dup_text(o, "lv_uuid", at, &v->uuid, e) ||
        dup_text(o, "lv_tags", at, &v->tags, e) ||
        dup_text(o, "origin", at, &v->origin, e) ||
        dup_text(o, "pool_lv", at, &v->pool, e) ||
        dup_text(o, "lv_health_status", at, &v->health, e) ||
        flag(o, "lv_snapshot_invalid", at, &v->invalid, e) ||
        flag(o, "lv_check_needed", at, &v->check_needed, e) ||
        flag(o, "lv_suspended", at, &v->suspended, e) ||
        number(o, "lv_size", at, &v->size, e) ||
        number(o, "vg_free", at, &v->vg_free, e) ||
        number(o, "vg_extent_size", at, &v->extent, e) ||
        percent(o, "data_percent", at, &v->used, e) ||
        percent(o, "metadata_percent", at, &v->metadata_used, e))
        return -1;
    v->name = mem_printf("%s/%s", vg, lv);
    v->thin = v->pool[0] && !strncmp(layout, "thin", 4);
    v->active = !strcmp(active, "active");
    if (!v->extent)
        return err_set(e, SNAP_FAILED, "lvs: 'vg_extent_size' is 0");
    return 0;
}

static int parse_volumes(json_object *o, struct volumes *vs, struct err *e)
{
    struct json_at at = { "lvs", "report" };
    json_object *reports, *report, *lvs;
    size_t i;

    if (json_arr(o, "report", (struct json_at){ "lvs", "" }, &reports, e))
        return -1;
    report = json_object_array_get_idx(reports, 0);
    if (!json_object_is_type(report, json_type_object))
        return err_set(e, SNAP_FAILED, "lvs: 'report' is empty");
    if (json_arr(report, "lv", at, &lvs, e))
        return -1;
    vs->v = mem_zalloc(json_object_array_length(lvs), sizeof(*vs->v));
    for (i = 0; i < json_object_array_length(lvs); i++) {
        vs->n = i + 1;
        if (parse_volume(json_object_array_get_idx(lvs, i), &vs->v[i], e))
            return -1;
    }
    return 0;
}

int volumes_read(const char *vg, struct volumes *vs, struct err *e)
{
    const char *const argv[] = {
        "lvs", "--reportformat", "json", "--units", "b", "--nosuffix",
        "--binary", "-o", fields, vg, NULL
    };
    struct proc p = { .argv = argv, .timeout_s = ASK_TIMEOUT_S };
    char *none = mem_printf("Cannot process volume group %s", vg);
    json_object *o = NULL;
    int rc;

    memset(vs, 0, sizeof(*vs));
    rc = proc_run(&p, e);
    if (rc && strstr(p.why, none)) {
        rc = 0;
    } else if (!rc) {
        rc = -1;
        o = json_parse_object(p.out, p.out_len, "lvs", e);
        if (o)
            rc = parse_volumes(o, vs, e);
    }
    if (rc)
        volumes_free(vs);
    json_object_put(o);
    free(none);
    free(p.out);
    return rc;
}

int volumes_read_beside(const char *name, struct volumes *vs, struct err *e)
{
    char *vg = mem_printf("%.*s", (int)strcspn(name, "/"), name);
    int rc = volumes_read(vg, vs, e);

    free(vg);
    return rc;
}

void volumes_free(struct volumes *vs)
{
    size_t i;

    for (i = 0; i < vs->n; i++) {
        free(vs->v[i].name);
        free(vs->v[i].uuid);
        free(vs->v[i].tags);
        free(vs->v[i].origin);
        free(vs->v[i].pool);
        free(vs->v[i].health);
    }
    free(vs->v);
    memset(vs, 0, sizeof(*vs));
}

const struct volume *volumes_find(const struct volumes *vs, const char *name)
{
    size_t i;

    for (i = 0; i < vs->n; i++)
        if (!strcmp(vs->v[i].name, name))
            return &vs->v[i];
    return NULL;
}

const struct volume *volumes_find_lv(const struct volumes *vs,
                                     const char *beside, const char *lv)
{
    char *name = mem_printf("%.*s/%s", (int)strcspn(beside, "/"), beside, lv);
    const struct volume *v = volumes_find(vs, name);

    free(name);
    return v;
}

bool volume_has_tag(const struct volume *v, const char *tag)
{
    size_t len = strlen(tag);
    const char *p = v->tags;

    while (*p) {
        size_t n = strcspn(p, ",");

        if (n == len && !strncmp(p, tag, n))
            return true;
        p += n + (p[n] == ',');
    }
    return false;
}

/* Changing */

/*
 * A command that is cut off could leave a volume's device suspended, and the
 * guest with it: a signal of the user's waits until it has ended.
 */
static int change(const char *const *argv, unsigned timeout_s, struct err *e)
{
    struct proc p = {
        .argv = argv, .timeout_s = timeout_s, .uninterruptible = true,
    };
    int rc = proc_run(&p, e);

    free(p.out);
    return rc;
}

static void add(const char ***argv, size_t *n, const char *word)
{
    *argv = mem_grow(*argv, *n + 1, sizeof(**argv));
    (*argv)[(*n)++] = word;
}

static void add_tags(const char ***argv, size_t *n, char *tags)
{
    char *tag, *save = NULL;

    for (tag = strtok_r(tags, ",", &save); tag;
         tag = strtok_r(NULL, ",", &save)) {
        add(argv, n, "--addtag");
        add(argv, n, tag);
    }
}

int volume_take(const struct volume_take *t, struct err *e)
{
    char *size = mem_printf("%" PRIu64 "b", t->size);
    char *tags = mem_strdup(t->tags);
    const char **argv = NULL, *skip = "y";
    size_t n = 0;
    int rc;

    if (t->active)
        skip = "n";
    add(&argv, &n, "lvcreate");
    add(&argv, &n, "--yes");
    if (t->test)
        add(&argv, &n, "--test");
    add(&argv, &n, "--snapshot");
    add_tags(&argv, &n, tags);
    if (t->size) {
        add(&argv, &n, "--size");
        add(&argv, &n, size);
    } else {
        add(&argv, &n, "--setactivationskip");
        add(&argv, &n, skip);
    }
    add(&argv, &n, "--name");
    add(&argv, &n, strchr(t->name, '/') + 1);
    add(&argv, &n, t->origin);
    add(&argv, &n, NULL);
    rc = change(argv, SHORT_TIMEOUT_S, e);
    free(argv);
    free(tags);
    free(size);
    return rc;
}

int volume_rename(const char *from, const char *to, struct err *e)
{
    const char *const argv[] = { "lvrename", from, to, NULL };

    return change(argv, SHORT_TIMEOUT_S, e);
}

int volume_remove(const char *name, struct err *e)
{
    const char *const argv[] = { "lvremove", "--yes", name, NULL };

    return change(argv, REMOVE_TIMEOUT_S, e);
}

int volume_activate(const char *name, bool yes, struct err *e)
{
    const char *const on[] = {
        "lvchange", "--activate", "y", "--ignoreactivationskip", name, NULL
    };
    const char *const off[] = { "lvchange", "--activate", "n", name, NULL };

    return change(yes ? on : off, SHORT_TIMEOUT_S, e);
}

int volume_refresh(const char *name, struct err *e)
{
    const char *const argv[] = { "lvchange", "--refresh", name, NULL };

    return change(argv, SHORT_TIMEOUT_S, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
