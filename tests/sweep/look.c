/* SPDX-License-Identifier: LGPL-2.1-only */

/* What the scene looks like, as text. */

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "copy.h"
#include "look.h"
#include "qcow2.h"
#include "scene.h"
#include "snapshot/sys/mem.h"
#include "snapshot/store/meta.h"

static const struct moment *find_moment(struct scene *s, const char *name)
{
    size_t i;

    for (i = 0; i < s->nmoments; i++)
        if (!strcmp(s->moments[i].name, name))
            return &s->moments[i];
    return NULL;
}

static void del(json_object *o, const char *where, const char *key)
{
    json_object *in = o;

    if (!where || json_object_object_get_ex(o, where, &in))
        json_object_object_del(in, key);
}

json_object *member(json_object *o, const char *key)
{
    json_object *v = NULL;

    json_object_object_get_ex(o, key, &v);
    return v;
}

const char *word(json_object *o, const char *key)
{
    const char *s = json_object_get_string(member(o, key));

    return s ? s : "";
}

/* Of those that are there at one time, the inode is enough. */
static bool is_recorded(json_object *d, const char *key, const char *path)
{
    json_object *inode = member(member(d, key), "inode");
    struct stat st;

    return inode && !stat(path, &st) &&
           st.st_ino == (uint64_t)json_object_get_int64(inode);
}

/* Its names, and how the layers hang together, may be one or the other. */
static void look_external(json_object *d, struct text *t)
{
    static const char *const keys[] = {
        "file", "overlay", "discard", "identity",
    };
    const char *part = word(d, "file");
    uint64_t sum;
    size_t i;

    image_sum(part, false, &sum);
    text_add(t, "layer %016" PRIx64 "%s\n", sum,
             is_recorded(d, "identity", part) ? "" :
             " (not the recorded file)");
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        del(d, NULL, keys[i]);
}

static void look_copy(json_object *d, bool is_new, struct text *t)
{
    const char *part = word(d, "file");
    struct stat st;
    uint64_t sum;
    char stamp[100] = "";

    image_sum(part, true, &sum);
    if (!lstat(part, &st))
        snprintf(stamp, sizeof(stamp), "%" PRIu64 ".%" PRIu64 ".%" PRId64
                 ".%09ld", (uint64_t)st.st_ino, (uint64_t)st.st_size,
                 (int64_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    text_add(t, "copy %016" PRIx64 "%s\n", sum,
             strcmp(stamp, word(d, "stamp")) ||
             !is_recorded(d, "file_identity", part) ?
             " (not the recorded one)" : "");
    if (is_new) {
        del(d, NULL, "stamp");
        del(d, NULL, "file_identity");
    }
}

/* Times differ from run to run, but for the snapshots of the scene. */
static void look_meta(struct scene *s, const char *name, const char *path,
                      json_object *stamps, struct text *t)
{
    json_object *o = json_object_from_file(path), *disks;
    bool is_new = !find_moment(s, name);
    size_t i;

    if (!o) {
        text_add(t, "%s: no metadata\n", name);
        return;
    }
    disks = member(o, "disks");
    for (i = 0; i < (disks ? json_object_array_length(disks) : 0); i++) {
        json_object *d = json_object_array_get_idx(disks, i);
        const char *type = word(d, "type");

        text_add(t, "%s: %s: ", name, word(d, "vdev"));
        /* An imported image is another file each time. */
        if (strstr(word(d, "path"), "/" IMPORTS "/")) {
            text_add(t, "%s", is_recorded(d, "identity", word(d, "path")) ?
                     "imported " : "(not the recorded image) ");
            del(d, NULL, "identity");
            is_new = true;
        }
        if (!strcmp(type, "internal")) {
            json_object_object_add(stamps, name,
                                   json_object_get(member(d, "stamp")));
            if (is_new)
                del(d, NULL, "stamp");
            text_add(t, "internal\n");
        } else if (!strcmp(type, "external")) {
            look_external(d, t);
        } else {
            look_copy(d, is_new, t);
        }
    }
    if (is_new) {
        del(o, NULL, "creation_time");
        del(o, NULL, "downtime_ms");
        /* Where a live save fails, the stopped one may succeed. */
        del(o, NULL, "mode");
    }
    text_add(t, "%s: %s\n", name, json_object_to_json_string(o));
    json_object_put(o);
}

bool is_memory_image(const char *name)
{
    return !strcmp(name, META_MEMORY_FILE) || !strcmp(name, META_MEMORY_ZSTD);
}

static void look_images(const char *dir, const char *snapshot,
                        struct text *t)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;
    size_t len;

    for (i = 0; i < n; i++) {
        if (is_memory_image(list[i]->d_name)) {
            char *file = mem_printf("%s/%s", dir, list[i]->d_name);
            char *image = slurp(file, &len);

            text_add(t, "%s: %s %016" PRIx64 "\n", snapshot,
                     list[i]->d_name,
                     image ? (uint64_t)XXH3_64bits(image, len) : 0);
            free(image);
            free(file);
        }
        free(list[i]);
    }
    free(list);
}

/* Nothing but what may stay when a snapshot was the last one. */
static bool is_bare(struct dirent **list, int n)
{
    int i;

    for (i = 0; i < n; i++)
        if (strcmp(list[i]->d_name, ".lock") &&
            strcmp(list[i]->d_name, "domain.json"))
            return false;
    return true;
}

static void look_store(struct scene *s, json_object *stamps, struct text *t)
{
    char *dir = scene_path(s, "store/" DOMAIN);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;
    bool bare = n < 0 || is_bare(list, n);

    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);
        struct stat st;
        size_t len;

        if (!lstat(path, &st) && S_ISDIR(st.st_mode)) {
            char *meta = mem_printf("%s/snapshot.json", path);

            look_meta(s, list[i]->d_name, meta, stamps, t);
            look_images(path, list[i]->d_name, t);
            free(meta);
        } else if (!bare && strcmp(list[i]->d_name, ".lock")) {
            char *text = slurp(path, &len);

            text_add(t, "%s: %s", list[i]->d_name, text ? text : "");
            free(text);
        }
        free(path);
        free(list[i]);
    }
    free(list);
    free(dir);
}

/* Internal snapshots; their stamps must be those of the metadata. */
static void look_internal(struct scene *s, json_object *stamps,
                          struct text *t)
{
    char *path = scene_path(s, scene_images[INTERNAL].file), stamp[64];
    const char *const argv[] = {
        "qemu-img", "info", "-U", "--output=json", path, NULL
    };
    json_object *o, *list, *want;
    struct run r;
    size_t i;

    run_program(s, argv, NULL, NULL, 0, &r);
    o = json_tokener_parse(r.out);
    list = o ? member(o, "snapshots") : NULL;
    text_add(t, "%s:%s", scene_images[INTERNAL].file, o ? "" : " cannot be read");
    for (i = 0; i < (list ? json_object_array_length(list) : 0); i++) {
        json_object *snap = json_object_array_get_idx(list, i);
        const char *name = word(snap, "name");

        snprintf(stamp, sizeof(stamp), "%" PRId64 ".%09" PRId64,
                 json_object_get_int64(member(snap, "date-sec")),
                 json_object_get_int64(member(snap, "date-nsec")));
        want = member(stamps, name);
        text_add(t, " %s%s", name, !want ? "(unknown)" :
                 strcmp(json_object_get_string(want), stamp) ?
                 "(not the recorded one)" : "");
    }
    text_add(t, "\n");
    json_object_put(o);
    free(path);
}

static void look_domain(struct scene *s, struct text *t)
{
    struct vm vm;
    uint64_t sum;
    size_t i;

    if (!vm_find(DOMAIN, &vm)) {
        text_add(t, "no domain\n");
        return;
    }
    text_add(t, "domain: %s %s memory %" PRIu64 " %s\n", vm.state,
             vm.built ? "built" : "half-built", vm.memory,
             s->reopened ? "" :
             vm.domid == s->domids[s->now] ? "same" : "new");
    for (i = 0; i < vm.ndisks; i++) {
        text_add(t, "%s: ", vm.disks[i].vdev);
        if (guest_digest(&vm, i, &sum))
            text_add(t, "cannot be read\n");
        else
            text_add(t, "%016" PRIx64 "\n", sum);
    }
    vm_free(&vm);
}

/*
 * Of images that nobody has open.  The path of the external one is a link
 * while it has snapshots; a QEMU that runs may keep it one.
 */
static void look_closed(struct scene *s, struct text *t)
{
    size_t i;

    for (i = 0; i < NIMAGES; i++) {
        char *path = scene_path(s, scene_images[i].file);
        uint64_t sum;

        image_sum(path, i == COPY, &sum);
        text_add(t, "%s: content %016" PRIx64 " %s\n", scene_images[i].file, sum,
                 type_of(path) == S_IFLNK ? "link" : "file");
        free(path);
    }
}

/* Of an image that an import has made. */
static void look_content(const char *path, struct text *t)
{
    uint64_t sum;

    image_sum(path, !strstr(path, ".qcow2"), &sum);
    text_add(t, "content %016" PRIx64 "\n", sum);
}

/* Where memory images are outside of the store, or what an import makes. */
static void look_place(struct scene *s, const char *where, struct text *t)
{
    char *dir = scene_path(s, where);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);

        text_add(t, "%s: %s\n", where, list[i]->d_name);
        if (type_of(path) == S_IFREG)
            look_content(path, t);
        look_images(path, where, t);
        free(path);
        free(list[i]);
    }
    free(list);
    free(dir);
}

char *scene_look(struct scene *s)
{
    json_object *stamps = json_object_new_object();
    struct text t = { 0 };
    struct vm vm;

    look_store(s, stamps, &t);
    look_place(s, PLACE, &t);
    look_place(s, IMPORTS, &t);
    look_internal(s, stamps, &t);
    look_domain(s, &t);
    if (!vm_find(DOMAIN, &vm))
        look_closed(s, &t);
    vm_free(&vm);
    json_object_put(stamps);
    return t.s;
}

bool scene_is_at(struct scene *s, const struct moment *m)
{
    struct vm vm;
    uint64_t sum;
    bool same;
    size_t i;

    (void)s;
    if (!vm_find(DOMAIN, &vm))
        return false;
    same = vm.memory == m->memory;
    for (i = 0; i < NIMAGES && same; i++)
        same = !guest_digest(&vm, i, &sum) && sum == m->sums[i];
    vm_free(&vm);
    return same;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
