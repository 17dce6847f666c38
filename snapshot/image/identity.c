/* SPDX-License-Identifier: LGPL-2.1-only */

/* Identities as values: compared, written to JSON and read from it. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "image/device.h"
#include "image/identity.h"
#include "image/mounts.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

void image_id_free(struct image_id *id)
{
    if (id->behind)
        image_id_free(id->behind);
    free(id->behind);
    free(id->boot);
    free(id->birth);
    free(id->fs);
    free(id->fs_device);
    free(id->device);
    memset(id, 0, sizeof(*id));
}

void image_id_copy(struct image_id *to, const struct image_id *from)
{
    *to = *from;
    to->boot = mem_strdup(from->boot);
    to->birth = mem_strdup(from->birth);
    to->fs = mem_strdup(from->fs);
    to->fs_device = mem_strdup(from->fs_device);
    to->device = mem_strdup(from->device);
    if (from->behind) {
        to->behind = mem_zalloc(1, sizeof(*to->behind));
        image_id_copy(to->behind, from->behind);
    }
}

bool image_id_given(const struct image_id *id)
{
    return id->kind != IMAGE_KIND_NONE;
}

/* Comparing */

static bool differ(const char *a, const char *b)
{
    return a && b && strcmp(a, b);
}

static bool equal(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

static bool is_same_boot(const struct image_id *a, const struct image_id *b)
{
    return equal(a->boot, b->boot) && a->boot[0];
}

/* Mounted again, the number is another one, on the same device. */
static bool was_remounted(const struct image_id *a, const struct image_id *b)
{
    if (!equal(a->fs, b->fs) || a->shared || b->shared)
        return false;
    return mounted_is_remote(a->fs) || equal(a->fs_device, b->fs_device);
}

/* What names that differ say: of a network's, one may be known by several. */
static enum id_match other_fs(const struct image_id *a,
                              const struct image_id *b)
{
    if (mounted_is_remote(a->fs) && mounted_is_remote(b->fs))
        return ID_UNKNOWN;
    return ID_OTHER;
}

static enum id_match compare_fs(const struct image_id *a,
                                const struct image_id *b)
{
    if (is_same_boot(a, b) && a->dev != b->dev) {
        if (was_remounted(a, b))
            return ID_SAME;
        return ID_OTHER;
    }
    if (differ(a->fs, b->fs))
        return other_fs(a, b);
    /* The number is used again, for a copy of what had it. */
    if (is_same_boot(a, b) && differ(a->fs_device, b->fs_device))
        return ID_OTHER;
    if (is_same_boot(a, b))
        return ID_SAME;
    if (equal(a->fs, b->fs) && !a->shared && !b->shared)
        return ID_SAME;
    return ID_UNKNOWN;
}

static enum id_match compare_files(const struct image_id *a,
                                   const struct image_id *b)
{
    if (a->inode != b->inode || differ(a->birth, b->birth))
        return ID_OTHER;
    if (a->has_generation && b->has_generation &&
        a->generation != b->generation)
        return ID_OTHER;
    return compare_fs(a, b);
}

/* Length of what comes before the ":" in a device's name. */
static size_t sort_of(const char *device)
{
    return strcspn(device, ":");
}

/* A newer kernel may know a device by a name of another sort. */
static bool names_differ(const char *a, const char *b)
{
    return sort_of(a) == sort_of(b) && !strncmp(a, b, sort_of(a)) &&
           strcmp(a, b);
}

static enum id_match compare_devices(const struct image_id *a,
                                     const struct image_id *b)
{
    if (a->offset != b->offset)
        return ID_OTHER;
    if (a->device && b->device && names_differ(a->device, b->device))
        return ID_OTHER;
    if (is_same_boot(a, b) && a->dev == b->dev)
        return ID_SAME;
    /*
     * The number of a volume that was deactivated meanwhile, or of an image
     * of Ceph's that was mapped twice, may be another one.
     */
    if (equal(a->device, b->device) && !a->shared && !b->shared)
        return ID_SAME;
    if (!equal(a->device, b->device) && is_same_boot(a, b))
        return ID_OTHER;
    return ID_UNKNOWN;
}

static bool is_loop(const struct image_id *id)
{
    return id->kind == IMAGE_KIND_BLOCK && id->behind;
}

/* A loop device whose file could not be looked at: it may be any. */
static bool is_vague(const struct image_id *id)
{
    return id->device && !strncmp(id->device, "loop:", 5);
}

/* The image itself, when it is looked at through loop devices. */
static const struct image_id *innermost(const struct image_id *id)
{
    while (is_loop(id) && !id->offset)
        id = id->behind;
    return id;
}

enum id_match image_id_compare(const struct image_id *a,
                               const struct image_id *b)
{
    enum id_match match;

    a = innermost(a);
    b = innermost(b);
    if (!image_id_given(a) || !image_id_given(b) || is_vague(a) ||
        is_vague(b))
        return ID_UNKNOWN;
    if (is_loop(a) && is_loop(b)) {
        match = image_id_compare(a->behind, b->behind);
        if (match == ID_SAME && a->offset != b->offset)
            return ID_OTHER;
        return match;
    }
    if (is_loop(a) || is_loop(b) || a->kind != b->kind)
        return ID_OTHER;
    if (a->kind == IMAGE_KIND_FILE)
        return compare_files(a, b);
    return compare_devices(a, b);
}

char *image_id_key(const struct image_id *id)
{
    /* Locks more than it need, if there is an offset. */
    while (is_loop(id))
        id = id->behind;
    /* What may have several numbers at one time. */
    if (id->device && !strncmp(id->device, "rbd:", 4))
        return mem_printf("rbd-%016" PRIx64, (uint64_t)
                          XXH3_64bits(id->device, strlen(id->device)));
    if (id->kind == IMAGE_KIND_FILE)
        return mem_printf("file-%u-%u-%" PRIu64, major(id->dev),
                          minor(id->dev), id->inode);
    return mem_printf("device-%u-%u", major(id->dev), minor(id->dev));
}

/* JSON */

static const char *const kinds[] = {
    [IMAGE_KIND_FILE] = "file", [IMAGE_KIND_BLOCK] = "block",
};

static void add_some(json_object *o, const char *key, const char *value)
{
    if (value)
        json_add_str(o, key, value);
}

json_object *image_id_to_json(const struct image_id *id)
{
    json_object *o;

    if (!image_id_given(id))
        return NULL;
    o = json_object_new_object();
    json_add_str(o, "kind", kinds[id->kind]);
    json_add_str(o, "boot_id", id->boot);
    json_add_u64(o, "device_number", id->dev);
    if (id->kind == IMAGE_KIND_FILE)
        json_add_u64(o, "inode", id->inode);
    if (id->has_generation)
        json_add_u64(o, "generation", id->generation);
    add_some(o, "birth_time", id->birth);
    add_some(o, "file_system", id->fs);
    add_some(o, "file_system_device", id->fs_device);
    add_some(o, "device", id->device);
    if (id->behind)
        json_object_object_add(o, "behind", image_id_to_json(id->behind));
    if (id->offset)
        json_add_u64(o, "offset", id->offset);
    return o;
}

static int parse_kind(json_object *o, struct json_at at, struct image_id *id,
                      struct err *e)
{
    const char *kind;

    if (json_str(o, "kind", at, &kind, e))
        return -1;
    if (!strcmp(kind, kinds[IMAGE_KIND_FILE]))
        id->kind = IMAGE_KIND_FILE;
    else if (!strcmp(kind, kinds[IMAGE_KIND_BLOCK]))
        id->kind = IMAGE_KIND_BLOCK;
    else
        return err_set(e, SNAP_FAILED, "%s: '%s.kind' is '%s', neither file "
                       "nor block", at.what, at.where, kind);
    return 0;
}

static int parse_text(json_object *o, const char *key, struct json_at at,
                      char **text_r, struct err *e)
{
    const char *text;

    if (json_opt_str(o, key, at, &text, e))
        return -1;
    if (text && !text[0])
        return err_set(e, SNAP_FAILED, "%s: '%s.%s' is empty", at.what,
                       at.where, key);
    *text_r = mem_strdup(text);
    return 0;
}

/* As image_id_read() writes it: two spellings would be two times. */
static bool is_birth(const char *text)
{
    size_t digits;

    if (*text == '-')
        text++;
    digits = strspn(text, "0123456789");
    return digits >= 1 && digits <= 19 && text[digits] == '.' &&
           strspn(text + digits + 1, "0123456789") == 9 &&
           strlen(text + digits + 1) == 9;
}

static int parse_file(json_object *o, struct json_at at, struct image_id *id,
                      struct err *e)
{
    uint64_t n;

    if (json_u64(o, "inode", at, UINT64_MAX, &id->inode, e) ||
        parse_text(o, "birth_time", at, &id->birth, e) ||
        parse_text(o, "file_system", at, &id->fs, e) ||
        parse_text(o, "file_system_device", at, &id->fs_device, e))
        return -1;
    if (id->birth && !is_birth(id->birth))
        return err_set(e, SNAP_FAILED, "%s: '%s.birth_time' is not a time",
                       at.what, at.where);
    if (json_has(o, "generation")) {
        if (json_u64(o, "generation", at, UINT32_MAX, &n, e))
            return -1;
        id->has_generation = true;
        id->generation = (uint32_t)n;
    }
    return 0;
}

static int parse_block(json_object *o, struct json_at at, struct image_id *id,
                       struct err *e)
{
    if (parse_text(o, "device", at, &id->device, e))
        return -1;
    if (json_has(o, "offset") &&
        json_u64(o, "offset", at, INT64_MAX, &id->offset, e))
        return -1;
    if (!json_has(o, "behind"))
        return 0;
    id->behind = mem_zalloc(1, sizeof(*id->behind));
    return image_id_parse(o, "behind", at, id->behind, e);
}

static int parse_id(json_object *o, struct json_at at, struct image_id *id,
                    struct err *e)
{
    const char *boot;

    if (parse_kind(o, at, id, e))
        return -1;
    if (json_str(o, "boot_id", at, &boot, e) ||
        json_u64(o, "device_number", at, UINT64_MAX, &id->dev, e))
        return -1;
    id->boot = mem_strdup(boot);
    if (id->kind == IMAGE_KIND_FILE)
        return parse_file(o, at, id, e);
    return parse_block(o, at, id, e);
}

int image_id_parse(json_object *o, const char *key, struct json_at at,
                   struct image_id *id, struct err *e)
{
    struct json_at inside = { at.what, NULL };
    json_object *member;
    char *where;
    int rc = 0;

    memset(id, 0, sizeof(*id));
    if (!json_has(o, key))
        return 0;
    if (json_obj(o, key, at, &member, e))
        return -1;
    where = mem_printf("%s%s%s", at.where, at.where[0] ? "." : "", key);
    inside.where = where;
    rc = parse_id(member, inside, id, e);
    if (rc)
        image_id_free(id);
    free(where);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
