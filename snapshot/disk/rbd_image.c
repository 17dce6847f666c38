/* SPDX-License-Identifier: LGPL-2.1-only */

/* What sysfs and the program "rbd" say of Ceph's images. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "disk/rbd_image.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "sys/proc.h"

#ifndef RBD_SYS
#define RBD_SYS "/sys"
#endif
#define RBD_DEVICES "/bus/rbd/devices"
#define LINE_MAX_LEN 4096
#define MAX_ARGS 20

/* sysfs */

/* An attribute's line; "" if there is none. */
static char *sys_line(const char *name, const char *attribute)
{
    char *path = mem_printf("%s" RBD_DEVICES "/%s/%s", RBD_SYS, name,
                            attribute);
    FILE *f = fopen(path, "re");
    char line[LINE_MAX_LEN];
    char *text;

    if (!f || !fgets(line, sizeof(line), f))
        line[0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    text = mem_strdup(line);
    if (f)
        fclose(f);
    free(path);
    return text;
}

static uint64_t sys_number(const char *name, const char *attribute,
                           const char *prefix)
{
    char *line = sys_line(name, attribute);
    uint64_t n = 0;

    if (!strncmp(line, prefix, strlen(prefix)))
        n = strtoull(line + strlen(prefix), NULL, 10);
    free(line);
    return n;
}

/* "POOL/IMAGE" or "POOL/NAMESPACE/IMAGE"; "" if that is not all checked. */
static char *sys_image(const char *name)
{
    char *pool = sys_line(name, "pool");
    char *ns = sys_line(name, "pool_ns");
    char *image = sys_line(name, "name");
    char *whole = mem_printf("%s%s%s/%s", pool, ns[0] ? "/" : "", ns, image);

    if (!name_is_rbd_word(pool) || !name_is_rbd_word(image) ||
        !name_is_rbd_image(whole))
        whole[0] = '\0';
    free(pool);
    free(ns);
    free(image);
    return whole;
}

static char *checked_word(char *word)
{
    if (!name_is_rbd_word(word))
        word[0] = '\0';
    return word;
}

/* What it was mapped with: "MONITORS name=USER,OPTION,... POOL IMAGE SNAP" */
static void read_options(const char *name, struct rbd_map *map)
{
    char *config = sys_line(name, "config_info");
    char *words = NULL, *option, *save = NULL;

    map->user = mem_strdup("");
    if (strtok_r(config, " ", &words)) {
        char *options = strtok_r(NULL, " ", &words);

        for (option = options ? strtok_r(options, ",", &save) : NULL; option;
             option = strtok_r(NULL, ",", &save)) {
            if (!strcmp(option, "exclusive"))
                map->exclusive = true;
            if (strncmp(option, "name=", 5))
                continue;
            free(map->user);
            map->user = checked_word(mem_strdup(option + 5));
        }
    }
    free(config);
}

static void read_map(const char *name, struct rbd_map *map)
{
    char *snap = sys_line(name, "current_snap");

    map->device = mem_printf("/dev/rbd%s", name);
    map->image = sys_image(name);
    map->fsid = checked_word(sys_line(name, "cluster_fsid"));
    map->id = checked_word(sys_line(name, "image_id"));
    map->client = sys_number(name, "client_id", "client");
    map->rdev = makedev((unsigned)sys_number(name, "major", ""),
                        (unsigned)sys_number(name, "minor", ""));
    map->head = !strcmp(snap, "-");
    read_options(name, map);
    free(snap);
}

int rbd_maps_read(struct rbd_maps *m, struct err *e)
{
    char *path = mem_printf("%s" RBD_DEVICES, RBD_SYS);
    DIR *dir = opendir(path);
    struct dirent *de;

    free(path);
    memset(m, 0, sizeof(*m));
    if (!dir && errno == ENOENT)
        return 0;           /* the kernel's client is not loaded */
    if (!dir)
        return err_errno(e, "cannot list the mapped RBD images");
    while ((de = readdir(dir))) {
        if (strspn(de->d_name, "0123456789") != strlen(de->d_name))
            continue;
        m->v = mem_grow(m->v, m->n + 1, sizeof(*m->v));
        memset(&m->v[m->n], 0, sizeof(*m->v));
        read_map(de->d_name, &m->v[m->n++]);
    }
    closedir(dir);
    return 0;
}

void rbd_maps_free(struct rbd_maps *m)
{
    size_t i;

    for (i = 0; i < m->n; i++) {
        free(m->v[i].device);
        free(m->v[i].image);
        free(m->v[i].fsid);
        free(m->v[i].id);
        free(m->v[i].user);
    }
    free(m->v);
    memset(m, 0, sizeof(*m));
}

const struct rbd_map *rbd_maps_find(const struct rbd_maps *m,
                                    const char *path)
{
    bool is_name = path[0] != '/';
    struct stat st;
    size_t i;

    if (!is_name && (stat(path, &st) || !S_ISBLK(st.st_mode)))
        return NULL;
    for (i = 0; i < m->n; i++) {
        const struct rbd_map *map = &m->v[i];

        if (!map->head || !map->image[0] || !map->id[0] || !map->fsid[0])
            continue;
        if (is_name ? !strcmp(map->image, path) : map->rdev == st.st_rdev)
            return map;
    }
    return NULL;
}

const struct rbd_map *rbd_maps_next(const struct rbd_maps *m,
                                    const struct rbd_map *after,
                                    const char *fsid, const char *id)
{
    size_t i = after ? (size_t)(after - m->v) + 1 : 0;

    for (; i < m->n; i++)
        if (m->v[i].head && !strcmp(m->v[i].id, id) &&
            !strcmp(m->v[i].fsid, fsid))
            return &m->v[i];
    return NULL;
}

int rbd_map_forget_cache(const struct rbd_map *map, struct err *e)
{
    int fd = open(map->device, O_RDONLY | O_CLOEXEC), rc = 0;

    if (fd < 0 && errno == ENOENT)
        return 0;           /* unmapped meanwhile, or by no name in /dev */
    if (fd < 0 || ioctl(fd, BLKFLSBUF, 0))
        rc = err_errno(e, "cannot empty the cache of %s", map->device);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Running rbd */

/* Instead of a snapshot's name. */
static const char BY_ID[] = "";

struct call {
    const char *const *words;   /* the command, NULL at its end */
    const struct rbd_at *at;
    const char *snap;           /* NULL: the image; BY_ID: words name it */
    unsigned seconds;
    bool asks;                  /* and may be interrupted */
    const char *what;           /* for errors: "cannot WHAT IMAGE" */
    struct proc p;              /* out */
};

/* "IMAGE", or "IMAGE@SNAPSHOT" */
static char *name_of(const struct rbd_at *at, const char *snap)
{
    if (!snap)
        return mem_strdup(at->image);
    return mem_printf("%s@%s", at->image, snap);
}

/*
 * Within the deadline Ceph's own time for an answer comes first, as it can
 * tell what did not answer.  Objects of a long command have a minute each.
 */
static int run(struct call *c, struct err *e)
{
    const char *argv[MAX_ARGS] = { "rbd" };
    unsigned most = c->seconds;
    char *mount, *op, *spec;
    size_t n = 1;
    int rc;

    if (most > RBD_PATIENT_S)
        most = RBD_PATIENT_S;
    mount = mem_printf("%u", (most + 1) / 2);
    op = mem_printf("%u", most - most / 5);
    spec = name_of(c->at, c->snap);
    if (c->at->user && c->at->user[0]) {
        argv[n++] = "--id";
        argv[n++] = c->at->user;
    }
    argv[n++] = "--client-mount-timeout";
    argv[n++] = mount;
    argv[n++] = "--rados-osd-op-timeout";
    argv[n++] = op;
    for (; *c->words; c->words++)
        argv[n++] = *c->words;
    if (c->snap != BY_ID)
        argv[n++] = spec;
    argv[n] = NULL;
    memset(&c->p, 0, sizeof(c->p));
    c->p.argv = argv;
    c->p.timeout_s = c->seconds;
    c->p.uninterruptible = !c->asks;
    rc = proc_run(&c->p, e);
    c->p.argv = NULL;
    free(mount);
    free(op);
    free(spec);
    return rc;
}

/* What to do about an exit status that needs no other words of rbd's. */
static const char *advice(int status)
{
    switch (status) {
    case EPERM:
    case EACCES:
        return "the Ceph user may not do that: see CEPH in xl-snapshot(1) for "
               "the capabilities that it needs";
    case ENOENT:
        return "there is no such pool, image or snapshot";
    case EBUSY:
        return "it is in use: see 'rbd status' and 'rbd children'";
    case EEXIST:
        return "there is one of that name already";
    case ENOSPC:
        return "the cluster is full: see 'ceph df'";
    case EROFS:
        return "another client holds the image's exclusive lock and does not "
               "give it away: map the image without '-o exclusive', and see "
               "'rbd lock ls'";
    case EMLINK:
        return "it belongs to a group of snapshots: see 'rbd group snap ls'";
    case EDQUOT:
        return "the image has as many snapshots as its limit allows: see 'rbd "
               "snap limit'";
    case ESHUTDOWN:
        return "the cluster does not accept this host any more: see 'ceph osd "
               "blocklist ls'";
    default:
        return NULL;
    }
}

/* Turns proc_run()'s error into one that says what to do. */
static int explain(struct call *c, struct err *e)
{
    const char *why = advice(c->p.exit_status);

    if (c->p.late || c->p.exit_status == ETIMEDOUT)
        return err_set(e, SNAP_FAILED, "cannot %s %s: the Ceph cluster did "
                       "not answer in time: it may be full, or its monitors or "
                       "OSDs down (see 'ceph -s')", c->what, c->at->image);
    if (why)
        return err_set(e, SNAP_FAILED, "cannot %s %s: %s", c->what,
                       c->at->image, why);
    return err_wrap(e, "cannot %s %s", c->what, c->at->image);
}

/* A change; a status of "fine", if not 0, means that it was made before. */
static int change(const char *const *words, const struct rbd_at *at,
                  const char *snap, unsigned seconds, int fine,
                  const char *what, struct err *e)
{
    struct call c = {
        .words = words, .at = at, .snap = snap, .seconds = seconds,
        .what = what,
    };
    int rc = run(&c, e);

    if (rc && fine && c.p.exit_status == fine)
        rc = 0;
    else if (rc)
        explain(&c, e);
    free(c.p.out);
    return rc;
}

/*
 * What it prints, an array or an object, as the member "it" of an object; the
 * caller's to put.  NULL without an error if there is no such image.
 */
static int ask(const char *const *words, const struct rbd_at *at,
               const char *snap, const char *what, json_object **o_r,
               struct err *e)
{
    struct call c = {
        .words = words, .at = at, .snap = snap, .seconds = RBD_SHORT_S,
        .asks = true, .what = what,
    };
    int rc = run(&c, e);
    char *text;

    *o_r = NULL;
    if (rc && c.p.exit_status == ENOENT) {
        rc = 0;
    } else if (rc) {
        explain(&c, e);
    } else {
        text = mem_printf("{\"it\":%s}", c.p.out);
        *o_r = json_parse_object(text, strlen(text), "rbd", e);
        if (!*o_r)
            rc = -1;
        free(text);
    }
    free(c.p.out);
    return rc;
}

static int no_image(const struct rbd_at *at, struct err *e)
{
    return err_set(e, SNAP_FAILED, "there is no RBD image %s that user %s can "
                   "see", at->image, at->user && at->user[0] ? at->user :
                   "admin");
}

/* Asking */

/* The image's name in the place that another one's name begins with. */
static int parse_info(json_object *o, const char *beside, char **image_r,
                      uint64_t *size_r, struct err *e)
{
    struct json_at at = { "rbd info", "" };
    size_t place = (size_t)(strrchr(beside, '/') - beside);
    const char *name;

    if (json_obj(o, "it", at, &o, e) || json_str(o, "name", at, &name, e) ||
        json_u64(o, "size", at, INT64_MAX, size_r, e))
        return -1;
    if (!name_is_rbd_word(name))
        return err_set(e, SNAP_FAILED, "the name '%s' of an RBD image has "
                       "characters that are not among A-Z a-z 0-9 + _ . -, or "
                       "begins with -: rename it", name);
    *image_r = mem_printf("%.*s/%s", (int)place, beside, name);
    return 0;
}

int rbd_find_image(const struct rbd_at *at, const char *id, char **image_r,
                   uint64_t *size_r, struct err *e)
{
    size_t len = strcspn(at->image, "/");
    char *pool = mem_printf("%.*s", (int)len, at->image);
    const char *rest = at->image + len + 1;
    char *ns = strchr(rest, '/') ?
               mem_printf("%.*s", (int)strcspn(rest, "/"), rest) :
               mem_strdup("");
    const char *const words[] = {
        "info", "--format", "json", "--pool", pool, "--namespace", ns,
        "--image-id", id, NULL
    };
    json_object *o;
    int rc = ask(words, at, BY_ID, "look at", &o, e);

    *image_r = NULL;
    *size_r = 0;
    if (!rc && o)
        rc = parse_info(o, at->image, image_r, size_r, e);
    json_object_put(o);
    free(ns);
    free(pool);
    return rc;
}

static int parse_snap(json_object *o, struct rbd_snap *s, struct err *e)
{
    struct json_at at = { "rbd snap ls", "" };
    const char *name;

    if (!json_object_is_type(o, json_type_object))
        return err_set(e, SNAP_FAILED, "rbd snap ls: a snapshot is not an "
                       "object");
    if (json_str(o, "name", at, &name, e) ||
        json_u64(o, "id", at, INT64_MAX, &s->id, e))
        return -1;
    s->name = mem_strdup(name);
    /* Text today, which a later release may well change. */
    s->protected = json_true(o, "protected") ||
                   !strcmp(json_text(o, "protected"), "true");
    return 0;
}

static int parse_snaps(json_object *o, struct rbd_snaps *s, struct err *e)
{
    json_object *list;
    size_t i;

    if (json_arr(o, "it", (struct json_at){ "rbd snap ls", "" }, &list, e))
        return -1;
    s->v = mem_zalloc(json_object_array_length(list), sizeof(*s->v));
    for (i = 0; i < json_object_array_length(list); i++) {
        s->n = i + 1;
        if (parse_snap(json_object_array_get_idx(list, i), &s->v[i], e))
            return -1;
    }
    return 0;
}

int rbd_snaps_read(const struct rbd_at *at, struct rbd_snaps *s,
                   struct err *e)
{
    static const char *const words[] = { "snap", "ls", "--format", "json",
                                         NULL };
    json_object *o;
    int rc = ask(words, at, NULL, "list the snapshots of", &o, e);

    memset(s, 0, sizeof(*s));
    if (!rc && o)
        rc = parse_snaps(o, s, e);
    if (rc)
        rbd_snaps_free(s);
    json_object_put(o);
    return rc;
}

void rbd_snaps_free(struct rbd_snaps *s)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        free(s->v[i].name);
    free(s->v);
    memset(s, 0, sizeof(*s));
}

const struct rbd_snap *rbd_snaps_find(const struct rbd_snaps *s,
                                      const char *name)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        if (!strcmp(s->v[i].name, name))
            return &s->v[i];
    return NULL;
}

static bool is_own(const struct rbd_maps *own, uint64_t client)
{
    size_t i;

    for (i = 0; i < own->n; i++)
        if (own->v[i].client && own->v[i].client == client)
            return true;
    return false;
}

/* How many bytes of "ADDRESS:PORT/NONCE" are the address. */
static int address_length(const char *address)
{
    size_t end = strcspn(address, "/"), n = end;

    while (n && address[n - 1] != ':')
        n--;
    return (int)(n > 1 ? n - 1 : end);
}

static int parse_watcher(json_object *o, const struct rbd_maps *own,
                         char **who_r, struct err *e)
{
    struct json_at at = { "rbd status", "watchers" };
    const char *address;
    uint64_t client;

    if (!json_object_is_type(o, json_type_object))
        return err_set(e, SNAP_FAILED, "rbd status: a watcher is not an "
                       "object");
    if (json_str(o, "address", at, &address, e) ||
        json_u64(o, "client", at, INT64_MAX, &client, e))
        return -1;
    if (!is_own(own, client) && !*who_r)
        *who_r = mem_printf("client %llu at %.*s", (unsigned long long)client,
                            address_length(address), address);
    return 0;
}

static int parse_watchers(json_object *o, const struct rbd_maps *own,
                          char **who_r, struct err *e)
{
    struct json_at at = { "rbd status", "" };
    json_object *list;
    size_t i;

    if (json_obj(o, "it", at, &o, e) || json_arr(o, "watchers", at, &list, e))
        return -1;
    for (i = 0; i < json_object_array_length(list); i++)
        if (parse_watcher(json_object_array_get_idx(list, i), own, who_r, e))
            return -1;
    return 0;
}

int rbd_other_watcher(const struct rbd_at *at, const struct rbd_maps *own,
                      char **who_r, struct err *e)
{
    static const char *const words[] = { "status", "--format", "json", NULL };
    json_object *o;
    int rc = ask(words, at, NULL, "ask who uses", &o, e);

    *who_r = NULL;
    if (!rc && !o)
        rc = no_image(at, e);
    else if (!rc)
        rc = parse_watchers(o, own, who_r, e);
    if (rc) {
        free(*who_r);
        *who_r = NULL;
    }
    json_object_put(o);
    return rc;
}

/* "a, b" of "a" and b's pool, namespace and image. */
static void add_clone(char **names, json_object *clone)
{
    const char *ns = json_text(clone, "pool_namespace");
    char *more = mem_printf("%s%s%s/%s%s%s", *names ? *names : "",
                            *names ? ", " : "", json_text(clone, "pool"), ns,
                            ns[0] ? "/" : "", json_text(clone, "image"));

    free(*names);
    *names = more;
}

int rbd_clones(const struct rbd_at *at, const char *snap, char **names_r,
               struct err *e)
{
    static const char *const words[] = { "children", "--format", "json",
                                         NULL };
    json_object *o, *list;
    int rc = ask(words, at, snap, "list the clones of", &o, e);
    size_t i;

    *names_r = NULL;
    if (!rc && o)
        rc = json_arr(o, "it", (struct json_at){ "rbd children", "" }, &list,
                      e);
    for (i = 0; !rc && o && i < json_object_array_length(list); i++) {
        json_object *clone = json_object_array_get_idx(list, i);

        if (json_object_is_type(clone, json_type_object))
            add_clone(names_r, clone);
    }
    json_object_put(o);
    return rc;
}

/* Changing */

int rbd_snap_create(const struct rbd_at *at, const char *snap,
                    unsigned seconds, struct err *e)
{
    static const char *const words[] = { "snap", "create", "--no-progress",
                                         NULL };

    return change(words, at, snap, seconds, 0, "take a snapshot of", e);
}

int rbd_snap_remove(const struct rbd_at *at, const char *snap, struct err *e)
{
    static const char *const words[] = { "snap", "rm", "--no-progress", NULL };

    return change(words, at, snap, RBD_PATIENT_S, ENOENT,
                  "remove the snapshot of", e);
}

int rbd_snap_protect(const struct rbd_at *at, const char *snap, struct err *e)
{
    static const char *const words[] = { "snap", "protect", NULL };
    struct call c = {
        .words = words, .at = at, .snap = snap, .seconds = RBD_PATIENT_S,
        .what = "protect the snapshot of",
    };
    int rc = run(&c, e);

    /* Protected already, or without layering. */
    if (rc && (c.p.exit_status == EBUSY || c.p.exit_status == ENOSYS))
        rc = 0;
    else if (rc)
        explain(&c, e);
    free(c.p.out);
    return rc;
}

int rbd_snap_unprotect(const struct rbd_at *at, const char *snap,
                       struct err *e)
{
    static const char *const words[] = { "snap", "unprotect", NULL };

    return change(words, at, snap, RBD_PATIENT_S, EINVAL,
                  "unprotect the snapshot of", e);
}

int rbd_snap_rollback(const struct rbd_at *at, const char *snap,
                      bool *locked_r, struct err *e)
{
    static const char *const words[] = { "snap", "rollback", "--no-progress",
                                         NULL };
    struct call c = {
        .words = words, .at = at, .snap = snap, .seconds = RBD_LONG_S,
        .what = "put back the content of",
    };
    int rc = run(&c, e);

    *locked_r = rc && c.p.exit_status == EROFS;
    if (rc)
        explain(&c, e);
    free(c.p.out);
    return rc;
}

char *rbd_qemu_name(const struct rbd_at *at, const char *snap)
{
    char *name = name_of(at, snap), *whole;

    if (at->user && at->user[0])
        whole = mem_printf("rbd:%s:id=%s", name, at->user);
    else
        whole = mem_printf("rbd:%s", name);
    free(name);
    return whole;
}

int rbd_snap_is_same(const struct rbd_at *at, const char *snap, bool *same_r,
                     struct err *e)
{
    char *now = rbd_qemu_name(at, NULL), *then = rbd_qemu_name(at, snap);
    const char *const argv[] = {
        "qemu-img", "compare", "-U", "-f", "raw", "-F", "raw", now, then, NULL
    };
    struct proc p = { .argv = argv, .timeout_s = RBD_LONG_S };
    int rc = proc_run(&p, e);

    *same_r = !rc;
    if (rc && p.exit_status == 1)
        rc = 0;             /* they differ */
    else if (rc)
        err_wrap(e, "cannot compare %s with its snapshot (is qemu-block-extra "
                 "installed?)", at->image);
    free(p.out);
    free(now);
    free(then);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
