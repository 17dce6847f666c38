/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads and writes export.json. */

#include <stdlib.h>
#include <string.h>

#include "store/manifest.h"
#include "store/meta.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

#define MAX_DISKS 1024
#define VDEV_MAX 16
#define HEX "0123456789abcdef"

bool manifest_vdev_is_safe(const char *vdev)
{
    size_t len = strlen(vdev);

    return len && len <= VDEV_MAX &&
           strspn(vdev, "abcdefghijklmnopqrstuvwxyz0123456789") == len;
}

char *manifest_image_name(const struct manifest_disk *d)
{
    return mem_printf("%s.%s", d->vdev, d->format);
}

char *manifest_chunks_name(const struct manifest_disk *d)
{
    return mem_printf("%s.chunks", d->vdev);
}

/* In the store it may be a path. */
const char *manifest_memory_name(const struct manifest *m)
{
    const char *slash = strrchr(m->s.memory.file, '/');

    if (slash)
        return slash + 1;
    return m->s.memory.file;
}

bool manifest_is_file(const char *name)
{
    static const char *const ends[] = { ".qcow2", ".raw", ".chunks" };
    const char *dot = strchr(name, '.');
    char vdev[VDEV_MAX + 1] = "";
    size_t i;

    if (!strcmp(name, MANIFEST_FILE) ||
        !strcmp(name, "." MANIFEST_FILE ".tmp") ||
        !strcmp(name, META_MEMORY_FILE) || !strcmp(name, META_MEMORY_ZSTD))
        return true;
    if (!dot || dot - name > VDEV_MAX)
        return false;
    memcpy(vdev, name, (size_t)(dot - name));
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (!strcmp(dot, ends[i]))
            return manifest_vdev_is_safe(vdev);
    return false;
}

const struct manifest_disk *manifest_find(const struct manifest *m,
                                          const char *vdev)
{
    size_t i;

    for (i = 0; i < m->ndisks; i++)
        if (!strcmp(m->disks[i].vdev, vdev))
            return &m->disks[i];
    return NULL;
}

static json_object *file_to_json(const char *name,
                                 const struct manifest_file *f)
{
    json_object *o = json_object_new_object();

    json_add_str(o, "file", name);
    json_add_u64(o, "size", f->size);
    json_add_str(o, "sha256", f->sha256);
    return o;
}

static json_object *disk_to_json(const struct manifest_disk *d)
{
    json_object *o = json_object_new_object();
    char *image = manifest_image_name(d), *chunks = manifest_chunks_name(d);

    json_add_str(o, "vdev", d->vdev);
    json_add_str(o, "format", d->format);
    json_add_bool(o, "incremental", d->incremental);
    json_add_u64(o, "virtual_size", d->virtual_size);
    json_object_object_add(o, "image", file_to_json(image, &d->image));
    json_object_object_add(o, "chunks", file_to_json(chunks, &d->chunks));
    free(image);
    free(chunks);
    return o;
}

char *manifest_text(const struct manifest *m)
{
    json_object *o = json_object_new_object(), *since = NULL, *memory = NULL;
    json_object *disks = json_object_new_array();
    char *text;
    size_t i;

    json_add_str(o, "format", MANIFEST_FORMAT);
    json_add_u64(o, "version", MANIFEST_VERSION);
    if (m->since) {
        since = json_object_new_object();
        json_add_str(since, "directory", m->since);
        json_add_str(since, "sha256", m->since_sha256);
    }
    json_object_object_add(o, "since", since);
    if (m->memory.sha256)
        memory = file_to_json(manifest_memory_name(m), &m->memory);
    json_object_object_add(o, "memory", memory);
    for (i = 0; i < m->ndisks; i++)
        json_object_array_add(disks, disk_to_json(&m->disks[i]));
    json_object_object_add(o, "disks", disks);
    json_object_object_add(o, "snapshot", meta_to_json(&m->s));
    text = meta_text(o);
    json_object_put(o);
    return text;
}

static int parse_sum(json_object *o, struct json_at at, char **sum_r,
                     struct err *e)
{
    const char *sum;

    if (json_str(o, "sha256", at, &sum, e))
        return -1;
    if (strlen(sum) != DIGEST_HEX_LEN || strspn(sum, HEX) != DIGEST_HEX_LEN)
        return err_set(e, SNAP_FAILED, "%s: '%s.sha256' is no checksum",
                       at.what, at.where);
    *sum_r = mem_strdup(sum);
    return 0;
}

/* raw: an image whose sum is that of its chunks. */
static int parse_file(json_object *parent, const char *key, bool raw,
                      struct json_at at, struct manifest_file *f,
                      struct err *e)
{
    json_object *o;

    if (json_obj(parent, key, at, &o, e))
        return -1;
    at.where = key;
    if (json_u64(o, "size", at, INT64_MAX, &f->size, e))
        return -1;
    if (raw)
        return 0;
    return parse_sum(o, at, &f->sha256, e);
}

static int parse_disk(json_object *o, struct json_at at,
                      struct manifest *m, struct err *e)
{
    struct manifest_disk *d = &m->disks[m->ndisks];
    const char *vdev, *format;
    bool raw;

    if (json_str(o, "vdev", at, &vdev, e) ||
        json_str(o, "format", at, &format, e))
        return -1;
    raw = !strcmp(format, "raw");
    if (!manifest_vdev_is_safe(vdev) || manifest_find(m, vdev))
        return err_set(e, SNAP_FAILED, "%s: '%s.vdev' is not the name of "
                       "another disk", at.what, at.where);
    if (!raw && strcmp(format, "qcow2"))
        return err_set(e, SNAP_FAILED, "%s: '%s.format' is neither qcow2 nor "
                       "raw", at.what, at.where);
    d->vdev = mem_strdup(vdev);
    d->format = mem_strdup(format);
    m->ndisks++;
    if (json_opt_bool(o, "incremental", at, &d->incremental, e) ||
        json_u64(o, "virtual_size", at, INT64_MAX, &d->virtual_size, e) ||
        parse_file(o, "image", raw, at, &d->image, e) ||
        parse_file(o, "chunks", false, at, &d->chunks, e))
        return -1;
    if (d->incremental && (raw || !m->since))
        return err_set(e, SNAP_FAILED, "%s: disk %s stands on no earlier "
                       "export", at.what, vdev);
    return 0;
}

static int parse_disks(json_object *o, struct json_at at, struct manifest *m,
                       struct err *e)
{
    json_object *arr;
    size_t i, n;

    if (json_arr(o, "disks", at, &arr, e))
        return -1;
    n = json_object_array_length(arr);
    if (n > MAX_DISKS)
        return err_set(e, SNAP_FAILED, "%s: more than %d disks", at.what,
                       MAX_DISKS);
    m->disks = mem_zalloc(n + 1, sizeof(*m->disks));
    at.where = "disks[]";
    for (i = 0; i < n; i++) {
        json_object *d = json_object_array_get_idx(arr, i);

        if (!json_object_is_type(d, json_type_object))
            return err_set(e, SNAP_FAILED, "%s: a disk is no object",
                           at.what);
        if (parse_disk(d, at, m, e))
            return -1;
    }
    return 0;
}

static int parse_since(json_object *o, struct json_at at, struct manifest *m,
                       struct err *e)
{
    json_object *since;
    const char *directory;

    if (!json_has(o, "since"))
        return 0;
    if (json_obj(o, "since", at, &since, e))
        return -1;
    at.where = "since";
    if (json_str(since, "directory", at, &directory, e) ||
        parse_sum(since, at, &m->since_sha256, e))
        return -1;
    if (strncmp(directory, "../", 3))
        return err_set(e, SNAP_FAILED, "%s: 'since.directory' is not beside "
                       "it", at.what);
    m->since = mem_strdup(directory);
    return 0;
}

static int parse_head(json_object *o, struct json_at at, struct err *e)
{
    const char *format;
    uint64_t version;

    if (json_str(o, "format", at, &format, e) ||
        json_u64(o, "version", at, UINT64_MAX, &version, e))
        return -1;
    if (strcmp(format, MANIFEST_FORMAT))
        return err_set(e, SNAP_FAILED, "%s is not of an exported snapshot",
                       at.what);
    if (version != MANIFEST_VERSION)
        return err_set(e, SNAP_FAILED, "%s is of a later version of this "
                       "program", at.what);
    return 0;
}

static int parse(json_object *o, const char *what, struct manifest *m,
                 struct err *e)
{
    struct json_at at = { what, "" };
    const char *name;
    json_object *s;

    if (parse_head(o, at, e) || json_obj(o, "snapshot", at, &s, e) ||
        meta_parse(s, what, &m->s, e))
        return -1;
    name = manifest_memory_name(m);
    if (strcmp(name, META_MEMORY_FILE) && strcmp(name, META_MEMORY_ZSTD))
        return err_set(e, SNAP_FAILED, "%s: 'memory.file' is not the name of "
                       "a memory image", what);
    if (json_has(o, "memory") &&
        parse_file(o, "memory", false, at, &m->memory, e))
        return -1;
    if (parse_since(o, at, m, e))
        return -1;
    return parse_disks(o, at, m, e);
}

int manifest_parse(const char *text, size_t len, const char *what,
                   struct manifest *m, struct err *e)
{
    json_object *o = json_parse_object(text, len, what, e);
    int rc = -1;

    memset(m, 0, sizeof(*m));
    if (o)
        rc = parse(o, what, m, e);
    json_object_put(o);
    if (rc)
        manifest_free(m);
    return rc;
}

void manifest_free(struct manifest *m)
{
    size_t i;

    for (i = 0; i < m->ndisks; i++) {
        free(m->disks[i].vdev);
        free(m->disks[i].format);
        free(m->disks[i].image.sha256);
        free(m->disks[i].chunks.sha256);
    }
    free(m->disks);
    free(m->memory.sha256);
    free(m->since);
    free(m->since_sha256);
    meta_free(&m->s);
    memset(m, 0, sizeof(*m));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
