/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a snapshot's metadata as JSON, and reads and checks it. */

#include <stdlib.h>
#include <string.h>

#include "store/json_scan.h"
#include "store/meta.h"
#include "store/record.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

#define MAX_DISKS 4096

bool meta_disk_has_part(const struct snapshot_disk *d)
{
    return strcmp(d->type, "none");
}

/*
 * A kind that this version does not know is shown and left alone: its members
 * stay as they are in what is kept of the file.
 */
static int parse_disk(json_object *o, struct json_at at,
                      struct snapshot_disk *d, struct err *e)
{
    const struct record_ops *kind;

    if (record_str(o, "vdev", at, &d->vdev, e) ||
        record_str(o, "path", at, &d->path, e) ||
        record_str(o, "format", at, &d->format, e) ||
        record_str(o, "backend", at, &d->backend, e) ||
        record_str(o, "type", at, &d->type, e) ||
        record_opt_str(o, "reason", at, &d->reason, e))
        return -1;
    if (!meta_disk_has_part(d))
        return 0;
    kind = record_find(d->type);
    d->unknown = !kind;
    if (!kind)
        return 0;
    if (!kind->checks_path && !record_path_is_safe(d->path))
        return err_set(e, SNAP_FAILED, "%s: '%s.path' is not an absolute path "
                       "without '..'", at.what, at.where);
    if (record_opt_obj(o, "identity", at, &d->identity, e) ||
        json_u64(o, "virtual_size", at, INT64_MAX, &d->virtual_size, e) ||
        kind->parse(o, at, d, e))
        return -1;
    if (d->identity)
        return 0;
    /* Before there were identities, this was all. */
    return json_u64(o, "inode", at, UINT64_MAX, &d->inode, e);
}

static int parse_disks(json_object *o, const char *what, struct snapshot *s,
                       struct err *e)
{
    struct json_at at = { what, "" };
    json_object *arr;
    size_t i;

    if (json_arr(o, "disks", at, &arr, e))
        return -1;
    if (json_object_array_length(arr) > MAX_DISKS)
        return err_set(e, SNAP_FAILED, "%s: more than %d disks", what,
                       MAX_DISKS);
    s->disks = mem_zalloc(json_object_array_length(arr), sizeof(*s->disks));
    for (i = 0; i < json_object_array_length(arr); i++) {
        json_object *d = json_object_array_get_idx(arr, i);
        char *where = mem_printf("disks[%zu]", i);
        int rc;

        s->ndisks = i + 1;
        at.where = where;
        if (!json_object_is_type(d, json_type_object))
            rc = err_set(e, SNAP_FAILED, "%s: '%s' is not an object", what,
                         where);
        else
            rc = parse_disk(d, at, &s->disks[i], e);
        free(where);
        if (rc)
            return -1;
    }
    return 0;
}

static int parse_version(json_object *o, const char *what, struct err *e)
{
    struct json_at at = { what, "" };
    json_object *v;
    const char *format;
    double version;

    if (json_str(o, "format", at, &format, e))
        return -1;
    if (strcmp(format, META_FORMAT))
        return err_set(e, SNAP_FAILED, "%s: 'format' is not \"" META_FORMAT
                       "\"", what);
    if (!json_object_object_get_ex(o, "version", &v) ||
        !(json_object_is_type(v, json_type_int) ||
          json_object_is_type(v, json_type_double)))
        return err_set(e, SNAP_FAILED, "%s: 'version' is not a number", what);
    version = json_object_get_double(v);
    if (!(version >= META_VERSION && version < META_VERSION + 1))
        return err_set(e, SNAP_FAILED, "%s: 'version' is %s; this program "
                       "reads version %d: use the one that wrote it", what,
                       json_object_get_string(v), META_VERSION);
    return 0;
}

static bool is_plain(const char *file)
{
    return file[0] && file[0] != '.' && !strchr(file, '/');
}

/* An image outside of the store, where create puts it (META_PLACE_FORMAT). */
static bool is_place(const struct snapshot *s)
{
    const char *file = s->memory.file, *base = strrchr(file, '/'), *dir;
    char *prefix;
    bool ours;

    if (!base || !record_path_is_safe(file) ||
        (strcmp(base + 1, META_MEMORY_FILE) &&
         strcmp(base + 1, META_MEMORY_ZSTD)))
        return false;
    dir = memrchr(file, '/', (size_t)(base - file));
    prefix = mem_printf("/%s.%s.", s->domain.name, s->name);
    ours = dir && !strncmp(dir, prefix, strlen(prefix)) &&
           dir + strlen(prefix) < base;
    free(prefix);
    return ours;
}

static int parse_parts(json_object *o, const char *what, struct snapshot *s,
                       struct err *e)
{
    struct json_at top = { what, "" }, dom = { what, "domain" };
    struct json_at host = { what, "host" }, mem = { what, "memory" };
    json_object *d, *h, *m;

    if (json_obj(o, "domain", top, &d, e) ||
        record_str(d, "name", dom, &s->domain.name, e) ||
        record_str(d, "uuid", dom, &s->domain.uuid, e) ||
        record_str(d, "type", dom, &s->domain.type, e) ||
        record_str(d, "state", dom, &s->domain.state, e))
        return -1;
    if (json_obj(o, "host", top, &h, e) ||
        record_opt_str(h, "hostname", host, &s->host.hostname, e) ||
        record_opt_str(h, "xen", host, &s->host.xen, e) ||
        record_opt_str(h, "qemu", host, &s->host.qemu, e) ||
        record_opt_str(h, "cpu", host, &s->host.cpu, e))
        return -1;
    if (json_obj(o, "memory", top, &m, e) ||
        record_str(m, "file", mem, &s->memory.file, e) ||
        record_str(m, "compression", mem, &s->memory.compression, e) ||
        record_str(m, "checksum", mem, &s->memory.checksum, e) ||
        json_u64(m, "size", mem, INT64_MAX, &s->memory.size, e) ||
        json_u64(m, "stored_size", mem, INT64_MAX, &s->memory.stored_size, e))
        return -1;
    if (!is_plain(s->memory.file) && !is_place(s))
        return err_set(e, SNAP_FAILED, "%s: 'memory.file' is neither a plain "
                       "file name nor a path that --path makes", what);
    return 0;
}

int meta_parse(json_object *o, const char *what, struct snapshot *s,
               struct err *e)
{
    struct json_at top = { what, "" };
    json_object *config;

    memset(s, 0, sizeof(*s));
    if (parse_version(o, what, e) ||
        record_name(o, "name", top, &s->name, e) ||
        record_opt_str(o, "description", top, &s->description, e) ||
        json_u64(o, "creation_time", top, INT64_MAX, &s->creation_time, e) ||
        json_opt_u64(o, "expires", top, INT64_MAX, &s->expires, e) ||
        record_opt_name(o, "parent", top, &s->parent, e) ||
        json_opt_bool(o, "protected", top, &s->protected, e) ||
        record_opt_str(o, "mode", top, &s->mode, e) ||
        json_u64(o, "downtime_ms", top, INT64_MAX, &s->downtime_ms, e) ||
        parse_parts(o, what, s, e) || parse_disks(o, what, s, e) ||
        json_obj(o, "config", top, &config, e)) {
        meta_free(s);
        return -1;
    }
    s->config = mem_strdup(json_object_to_json_string_ext(config,
                               JSON_C_TO_STRING_PLAIN));
    s->raw = json_object_get(o);
    return 0;
}

/* What a merge of overlays may change, and what its kind records. */
static void write_disk(json_object *o, const struct snapshot_disk *d)
{
    const struct record_ops *kind = record_find(d->type);

    if (!meta_disk_has_part(d) || !kind)
        return;
    record_set_obj(o, "identity", d->identity);
    if (!d->identity)
        json_add_u64(o, "inode", d->inode);
    else
        json_object_object_del(o, "inode");
    kind->write(o, d);
    json_add_u64(o, "virtual_size", d->virtual_size);
}

static int parse_whole(const char *text, size_t len, const char *what,
                       struct snapshot *s, struct err *e)
{
    json_object *o = json_parse_object(text, len, what, e);
    int rc = -1;

    if (o)
        rc = meta_parse(o, what, s, e);
    json_object_put(o);
    return rc;
}

int meta_parse_text(const char *text, size_t len, const char *what,
                    struct snapshot *s, struct err *e)
{
    const char *config;
    size_t config_len;
    char *rest;

    if (len > JSON_MAX_SIZE ||
        !json_scan_member(text, len, "config", &config, &config_len) ||
        *config != '{')
        return parse_whole(text, len, what, s, e);
    rest = mem_printf("%.*s{}%s", (int)(config - text), text,
                      config + config_len);
    if (parse_whole(rest, strlen(rest), what, s, e)) {
        free(rest);
        return -1;
    }
    free(s->config);
    s->config = mem_printf("%.*s", (int)config_len, config);
    json_object_put(s->raw);
    s->raw = NULL;
    s->text = rest;
    return 0;
}

/* An object that is written as its text says. */
static int write_verbatim(json_object *o, struct printbuf *to, int level,
                          int flags)
{
    const char *written = json_object_get_userdata(o);
    char *text;
    int rc;

    if (flags & JSON_C_TO_STRING_PRETTY)
        text = json_scan_pretty(written, level);
    else
        text = json_scan_compact(written);
    rc = printbuf_memappend(to, text, (int)strlen(text));
    free(text);
    return rc;
}

static json_object *verbatim(const char *text)
{
    json_object *o = json_object_new_object();

    json_object_set_serializer(o, write_verbatim, mem_strdup(text),
                               json_object_free_userdata);
    return o;
}

static json_object *disk_to_json(const struct snapshot_disk *d)
{
    json_object *o = json_object_new_object();

    json_add_str(o, "vdev", d->vdev);
    json_add_str(o, "path", d->path);
    json_add_str(o, "format", d->format);
    json_add_str(o, "backend", d->backend);
    json_add_str(o, "type", d->type);
    if (meta_disk_has_part(d))
        write_disk(o, d);
    else
        json_add_str(o, "reason", d->reason);
    return o;
}

/* What may change in a snapshot that exists. */
static void add_changeable(json_object *o, const struct snapshot *s)
{
    json_add_str(o, "description", s->description);
    if (s->expires)
        json_add_u64(o, "expires", s->expires);
    else
        json_object_object_add(o, "expires", NULL);
    json_add_bool(o, "protected", s->protected);
    json_add_str(o, "parent", s->parent);
}

static json_object *new_json(const struct snapshot *s)
{
    json_object *o = json_object_new_object();
    json_object *d = json_object_new_object();
    json_object *h = json_object_new_object();
    json_object *m = json_object_new_object();
    json_object *disks = json_object_new_array();
    size_t i;

    json_add_str(o, "format", META_FORMAT);
    json_add_u64(o, "version", META_VERSION);
    json_add_str(o, "name", s->name);
    json_add_str(o, "description", s->description);     /* here in order */
    json_add_u64(o, "creation_time", s->creation_time);
    /* Their place among the others. */
    json_object_object_add(o, "expires", NULL);
    json_add_bool(o, "protected", s->protected);
    json_add_str(o, "mode", s->mode);
    add_changeable(o, s);
    json_add_str(d, "name", s->domain.name);
    json_add_str(d, "uuid", s->domain.uuid);
    json_add_str(d, "type", s->domain.type);
    json_add_str(d, "state", s->domain.state);
    json_object_object_add(o, "domain", d);
    json_add_str(h, "hostname", s->host.hostname);
    json_add_str(h, "xen", s->host.xen);
    json_add_str(h, "qemu", s->host.qemu);
    json_add_str(h, "cpu", s->host.cpu);
    json_object_object_add(o, "host", h);
    json_add_u64(o, "downtime_ms", s->downtime_ms);
    json_add_str(m, "file", s->memory.file);
    json_add_str(m, "compression", s->memory.compression);
    json_add_u64(m, "size", s->memory.size);
    json_add_u64(m, "stored_size", s->memory.stored_size);
    json_add_str(m, "checksum", s->memory.checksum);
    json_object_object_add(o, "memory", m);
    for (i = 0; i < s->ndisks; i++)
        json_object_array_add(disks, disk_to_json(&s->disks[i]));
    json_object_object_add(o, "disks", disks);
    json_object_object_add(o, "config", json_tokener_parse(s->config));
    return o;
}

void meta_blank(const char *name, const char *domain, struct snapshot *s_r)
{
    memset(s_r, 0, sizeof(*s_r));
    s_r->name = mem_strdup(name);
    s_r->domain.name = mem_strdup(domain);
    s_r->domain.uuid = mem_strdup("");
    s_r->domain.type = mem_strdup("");
    s_r->domain.state = mem_strdup("");
    s_r->memory.file = mem_strdup(META_MEMORY_FILE);
    s_r->memory.compression = mem_strdup("none");
    s_r->memory.checksum = mem_strdup("");
    s_r->config = mem_strdup("{}");
}

/* A copy of what was parsed; it could be then, so it can be now. */
static json_object *parsed(const struct snapshot *s)
{
    json_object *o = NULL;
    struct err e;

    if (s->raw && json_object_deep_copy(s->raw, &o, NULL))
        abort();
    if (s->text) {
        o = json_parse_object(s->text, strlen(s->text), s->name, &e);
        if (!o)
            abort();
        json_object_object_add(o, "config", verbatim(s->config));
    }
    return o;
}

json_object *meta_to_json(const struct snapshot *s)
{
    json_object *o = parsed(s), *disks = NULL;
    size_t i;

    if (!o)
        return new_json(s);
    add_changeable(o, s);
    json_object_object_get_ex(o, "disks", &disks);
    for (i = 0; i < s->ndisks; i++)
        write_disk(json_object_array_get_idx(disks, i), &s->disks[i]);
    return o;
}

char *meta_text(json_object *o)
{
    return mem_printf("%s\n", json_object_to_json_string_ext(o,
                          JSON_C_TO_STRING_PRETTY |
                          JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void free_disk(struct snapshot_disk *d)
{
    free(d->vdev);
    free(d->path);
    free(d->format);
    free(d->backend);
    free(d->type);
    free(d->part);
    free(d->reason);
    free(d->origin);
    free(d->stamp);
    free(d->link);
    free(d->overlay);
    free(d->discard);
    json_object_put(d->identity);
    json_object_put(d->part_identity);
}

void meta_free(struct snapshot *s)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++)
        free_disk(&s->disks[i]);
    free(s->disks);
    free(s->name);
    free(s->description);
    free(s->parent);
    free(s->mode);
    free(s->domain.name);
    free(s->domain.uuid);
    free(s->domain.type);
    free(s->domain.state);
    free(s->host.hostname);
    free(s->host.xen);
    free(s->host.qemu);
    free(s->host.cpu);
    free(s->memory.file);
    free(s->memory.compression);
    free(s->memory.checksum);
    free(s->config);
    free(s->text);
    json_object_put(s->raw);
    memset(s, 0, sizeof(*s));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
