/* SPDX-License-Identifier: LGPL-2.1-only */

/* The invariants of the random walk, looked at after every step. */

#include <dirent.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "look.h"
#include "qcow2.h"
#include "walk.h"
#include "snapshot/sys/mem.h"

struct files {
    char **path;
    size_t n;
};

static void add_file(void *arg, const char *path)
{
    struct files *f = arg;

    f->path = mem_grow(f->path, f->n + 1, sizeof(*f->path));
    f->path[f->n++] = mem_strdup(path);
}

static bool has_file(const struct files *f, const char *path)
{
    size_t i;

    for (i = 0; i < f->n; i++)
        if (!strcmp(f->path[i], path))
            return true;
    return false;
}

static void free_files(struct files *f)
{
    while (f->n)
        free(f->path[--f->n]);
    free(f->path);
}

static void list_dir(const char *dir, struct files *f)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);

        add_file(f, path);
        free(path);
        free(list[i]);
    }
    free(list);
}

/* An internal snapshot is in the one image of the set that has it. */
static bool internal_sum(const struct walk *w, const struct walk_set *s,
                         const char *name, uint64_t *sum)
{
    char *dir = mem_printf("%s/images/%s", w->base, s->dir);
    struct files f = { 0 };
    bool found = false;
    size_t i;

    list_dir(dir, &f);
    for (i = 0; i < f.n && !found; i++)
        found = type_of(f.path[i]) == S_IFREG &&
                image_snapshot_sum(f.path[i], name, sum);
    free_files(&f);
    free(dir);
    return found;
}

/* The bytes of one disk, as the record says where they are. */
static bool part_sum(const struct walk *w, const struct walk_set *s,
                     size_t disk, json_object *d, uint64_t *sum)
{
    char *live = walk_path(w, s->disks[disk].file);
    bool ok;

    if (!strcmp(word(d, "type"), "internal"))
        ok = image_snapshot_sum(live, word(d, "snapshot"), sum) ||
             internal_sum(w, s, word(d, "snapshot"), sum);
    else
        ok = image_sum(word(d, "file"), s->disks[disk].raw, sum);
    free(live);
    return ok;
}

static json_object *disk_of(json_object *o, const char *vdev)
{
    json_object *disks = member(o, "disks");
    size_t i;

    for (i = 0; disks && i < json_object_array_length(disks); i++) {
        json_object *d = json_object_array_get_idx(disks, i);

        if (!strcmp(word(d, "vdev"), vdev))
            return d;
    }
    return NULL;
}

static void check_snap(struct walk *w, const struct walk_snap *snap)
{
    const struct walk_machine *m = &w->machines[snap->machine];
    const struct walk_set *s = &w->sets[m->set];
    char *dir = walk_snap_dir(w, snap);
    char *file = mem_printf("%s/snapshot.json", dir ? dir : "");
    json_object *o = json_object_from_file(file);
    uint64_t sum;
    size_t i;

    if (!dir)
        walk_broken(w, "snapshot lost", "%s of %s", snap->name, m->label);
    else if (!o)
        walk_broken(w, "snapshot unreadable", "the record of %s of %s",
                    snap->name, m->label);
    for (i = 0; o && i < s->ndisks; i++) {
        json_object *d = disk_of(o, s->disks[i].vdev);

        if (!d || !part_sum(w, s, i, d, &sum))
            walk_broken(w, "snapshot unreadable", "disk %s of %s of %s",
                        s->disks[i].vdev, snap->name, m->label);
        else if (sum != snap->sums[i])
            walk_broken(w, "snapshot changed", "disk %s of %s of %s",
                        s->disks[i].vdev, snap->name, m->label);
    }
    json_object_put(o);
    free(file);
    free(dir);
}

static void check_snaps(struct walk *w)
{
    size_t i;

    for (i = 0; i < w->nsnaps; i++) {
        const struct walk_snap *s = &w->snaps[i];

        if (s->fate == SNAP_THERE && !s->damaged)
            check_snap(w, s);
    }
}

/* What the store has and the model does not. */
static void check_store(struct walk *w, struct walk_machine *m,
                        const char *name)
{
    char *dir = mem_printf("%s/store/%s", w->scene.dir, name);
    struct files f = { 0 };
    size_t i;

    list_dir(dir, &f);
    for (i = 0; i < f.n; i++) {
        const char *base = strrchr(f.path[i], '/') + 1;

        if (base[0] != '.' && type_of(f.path[i]) == S_IFDIR &&
            !walk_snap(w, m, base))
            walk_broken(w, "snapshot unknown", "%s of %s", base, m->label);
        if ((!strncmp(base, ".new-", 5) || !strncmp(base, ".del-", 5)) &&
            !m->pending && !strstr(base, ".given-up"))
            walk_broken(w, "strays", "%s of %s is left", base, m->label);
    }
    free_files(&f);
    free(dir);
}

static bool set_pending(const struct walk *w, size_t set)
{
    size_t i;

    for (i = 0; i < WALK_MACHINES; i++)
        if (w->machines[i].set == set && w->machines[i].pending)
            return true;
    return false;
}

static void check_live(struct walk *w, size_t set)
{
    const struct walk_set *s = &w->sets[set];
    uint64_t sums[WALK_DISKS];
    size_t i;

    if (!walk_look(w, set, sums)) {
        walk_broken(w, "unreadable", "a live disk of set %s", s->dir);
        return;
    }
    for (i = 0; i < s->ndisks; i++)
        if (!walk_live_may_be(w, set, i, sums[i]))
            walk_broken(w, "live disk changed", "%s of set %s",
                        s->disks[i].vdev, s->dir);
    if (!set_pending(w, set) && !walk_live_is(w, set, sums))
        walk_broken(w, "half a revert", "is left of set %s", s->dir);
}

/* Two domains on one image: nobody in the walk asks for that. */
static void check_holders(struct walk *w, size_t set)
{
    char state[16];
    size_t i, n = 0;

    for (i = 0; i < WALK_MACHINES; i++) {
        walk_state(&w->machines[i], state);
        n += w->machines[i].set == set && state[0];
    }
    if (n > 1)
        walk_broken(w, "two domains", "have the images of set %s",
                    w->sets[set].dir);
}

static void check_bases(struct walk *w)
{
    char *gold = walk_path(w, "images/gold/base.qcow2");
    char *raw = walk_path(w, "images/raw/base");
    uint64_t sum;

    if (type_of(gold) != S_IFREG || !image_sum(gold, true, &sum) ||
        sum != w->golden)
        walk_broken(w, "base changed", "the golden image");
    if (!image_sum(raw, true, &sum) || sum != w->raw_base)
        walk_broken(w, "base changed", "the raw one");
    free(raw);
    free(gold);
}

/* What the snapshots and the live disks need. */
static void find_needed(struct walk *w, struct files *f)
{
    size_t i, k;

    for (i = 0; i < w->nsnaps; i++) {
        char *dir = walk_snap_dir(w, &w->snaps[i]);
        char *file = mem_printf("%s/snapshot.json", dir ? dir : "");
        json_object *o = json_object_from_file(file);
        json_object *disks = o ? member(o, "disks") : NULL;

        for (k = 0; disks && k < json_object_array_length(disks); k++) {
            const char *part = word(json_object_array_get_idx(disks, k),
                                    "file");

            add_file(f, part);
            image_chain(part, add_file, f);
        }
        json_object_put(o);
        free(file);
        free(dir);
    }
    for (i = 0; i < WALK_SETS; i++)
        for (k = 0; k < w->sets[i].ndisks; k++) {
            char *path = walk_path(w, w->sets[i].disks[k].file);

            add_file(f, path);
            image_chain(path, add_file, f);
            free(path);
        }
    for (i = 0; i < w->norphans; i++)
        add_file(f, w->orphans[i]);
}

static void check_strays(struct walk *w)
{
    struct files needed = { 0 };
    size_t i, k;

    find_needed(w, &needed);
    for (i = 0; i < WALK_SETS; i++) {
        char *dir = mem_printf("%s/images/%s", w->base, w->sets[i].dir);
        struct files f = { 0 };

        list_dir(dir, &f);
        for (k = 0; k < f.n; k++)
            if (!w->sets[i].untidy && !set_pending(w, i) &&
                !has_file(&needed, f.path[k]))
                walk_broken(w, "strays", "%s is nobody's", f.path[k]);
        free_files(&f);
        free(dir);
    }
    free_files(&needed);
}

/* Was the file looked at since it changed? */
static bool was_seen(struct walk *w, const char *path, const struct stat *st)
{
    int64_t when = st->st_mtim.tv_sec * 1000000000ll + st->st_mtim.tv_nsec;
    struct walk_seen *s;
    size_t i;

    for (i = 0; i < w->nseen && strcmp(w->seen[i].path, path); i++)
        ;
    if (i == w->nseen) {
        w->seen = mem_grow(w->seen, w->nseen + 1, sizeof(*w->seen));
        memset(&w->seen[i], 0, sizeof(w->seen[i]));
        w->seen[w->nseen++].path = mem_strdup(path);
    }
    s = &w->seen[i];
    if (s->when == when && s->size == (uint64_t)st->st_size)
        return true;
    s->when = when;
    s->size = (uint64_t)st->st_size;
    return false;
}

/* One that is open may seem to leak: QEMU writes some counts late. */
static void check_image(struct walk *w, const char *path, bool open)
{
    struct walk_result r;
    struct stat st;

    if (lstat(path, &st) || !S_ISREG(st.st_mode) ||
        !strstr(path, ".qcow2") || was_seen(w, path, &st))
        return;
    WALK_RUN(w, &r, "qemu-img", "check", "-q", "-U", "-f", "qcow2", path);
    if (r.status && r.status != 3)
        walk_broken(w, "image damaged", "%s: %s", path, r.out);
    else if (r.status == 3 && !open)
        walk_count(w, "image that leaks");
}

static void check_images(struct walk *w)
{
    size_t i, k;

    for (i = 0; i < WALK_SETS; i++) {
        char *dir = mem_printf("%s/images/%s", w->base, w->sets[i].dir);
        bool open = walk_holder(w, i) != NULL;
        struct files f = { 0 };

        list_dir(dir, &f);
        for (k = 0; k < f.n; k++)
            check_image(w, f.path[k], open);
        free_files(&f);
        free(dir);
    }
}

static void check_monitor(struct walk *w, const struct walk_machine *m)
{
    struct vm vm;

    if (vm_find(walk_name(m), &vm) && !strcmp(vm.state, "running") &&
        !m->pending) {
        if (!process_is(vm.monitor, "xl"))
            walk_broken(w, "monitor", "of %s is gone", m->label);
        else if (process_letter(vm.monitor) == 'T')
            walk_broken(w, "monitor", "of %s is stopped", m->label);
    }
    vm_free(&vm);
}

void walk_check(struct walk *w, bool all)
{
    size_t i;

    check_snaps(w);
    for (i = 0; i < WALK_MACHINES; i++) {
        struct walk_machine *m = &w->machines[i];

        check_store(w, m, m->names[0]);
        if (strcmp(m->names[0], m->names[1]))
            check_store(w, m, m->names[1]);
        check_monitor(w, m);
    }
    for (i = 0; i < WALK_SETS; i++) {
        check_live(w, i);
        check_holders(w, i);
    }
    check_bases(w);
    check_strays(w);
    if (all || w->step % 4 == 0)
        check_images(w);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
