/* SPDX-License-Identifier: LGPL-2.1-only */

/* The scene: its layouts are made once, and brought back for each case. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "scene.h"
#include "snapshot/sys/mem.h"

#define IMAGE_SIZE "2M"

const struct scene_image scene_images[NIMAGES] = {
    { "images/a.qcow2", "qcow2" }, { "images/b.qcow2", "qcow2" },
    { "images/c.raw", "raw" },
};

void text_add(struct text *t, const char *fmt, ...)
{
    va_list ap;
    char *more = NULL;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&more, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    t->s = mem_grow(t->s, t->len + (size_t)n + 1, 1);
    memcpy(t->s + t->len, more, (size_t)n + 1);
    t->len += (size_t)n;
    free(more);
}

void text_free(struct text *t)
{
    free(t->s);
    memset(t, 0, sizeof(*t));
}

char *scene_path(struct scene *s, const char *name)
{
    return mem_printf("%s/%s", s->dir, name);
}

static void must(struct scene *s, const char *const *argv)
{
    struct run r;

    run_program(s, argv, NULL, NULL, 0, &r);
    if (r.status) {
        struct text why = { 0 };

        fprintf(stderr, "sweep: %s %s: status %d: %s\n", argv[0],
                argv[1] ? argv[1] : "", r.status, r.out);
        scene_end(s, &why);
        _exit(70);
    }
}

#define MUST(s, ...) must(s, (const char *const []){ __VA_ARGS__, NULL })

static void note_moment(struct scene *s, const char *name)
{
    struct moment *m = &s->moments[s->nmoments++];
    struct vm vm;
    size_t i;

    snprintf(m->name, sizeof(m->name), "%s", name);
    if (!vm_find(DOMAIN, &vm))
        fatal("no domain");
    m->memory = vm.memory;
    for (i = 0; i < NIMAGES; i++)
        if (guest_digest(&vm, i, &m->sums[i]))
            fatal("digest");
    vm_free(&vm);
}

static void take(struct scene *s, const char *name, const char *ticks)
{
    MUST(s, "bin/xl", "tick", DOMAIN, ticks);
    MUST(s, "xl-snapshot", "snapshot-create", "-q", DOMAIN, name, DISKS);
    note_moment(s, name);
}

static void take_outside(struct scene *s, const char *name)
{
    MUST(s, "bin/xl", "tick", DOMAIN, "2");
    MUST(s, "xl-snapshot", "snapshot-create", "-q", "-P", PLACE, DOMAIN,
         name, DISKS);
    note_moment(s, name);
}

static char *layout_path(struct scene *s, enum layout layout,
                         const char *name)
{
    return mem_printf("%s/kept%d/%s", s->dir, (int)layout, name);
}

/* What a layout keeps as it is. */
static const char *const trees[] = { "store", PLACE, IMPORTS };
#define NTREES (sizeof(trees) / sizeof(trees[0]))

static void copy_trees(struct scene *s, enum layout layout, bool back)
{
    size_t i;

    for (i = 0; i < NTREES; i++) {
        char *now = scene_path(s, trees[i]);
        char *kept = layout_path(s, layout, trees[i]);

        if (back)
            remove_tree(now);
        copy_tree(back ? kept : now, back ? now : kept);
        free(kept);
        free(now);
    }
}

static void keep(struct scene *s, enum layout layout)
{
    char *images_now = scene_path(s, "images");
    char *images_kept = layout_path(s, layout, "images");
    char *record_kept = layout_path(s, layout, "record");
    char *top = layout_path(s, layout, ""), *record;
    struct text why = { 0 };
    struct vm vm;

    if (mkdir(top, 0700) || mkdir(images_kept, 0700) ||
        !vm_find(DOMAIN, &vm))
        fatal(top);
    s->domids[layout] = vm.domid;
    record = host_path("dom/%u.json", vm.domid);
    copy_file(record, record_kept);
    vm_free(&vm);
    if (!scene_end(s, &why))
        fatal(why.s);
    copy_trees(s, layout, false);
    each_entry(images_now, images_kept, keep_image);
    free(record);
    free(top);
    free(record_kept);
    free(images_kept);
    free(images_now);
}

static void make_images(struct scene *s)
{
    char *dir = scene_path(s, "images"), *store = scene_path(s, "store");
    char *place = scene_path(s, PLACE), *imports = scene_path(s, IMPORTS);
    const char *argv[4 + NIMAGES] = { "bin/xl", "create", DOMAIN };
    size_t i;

    if (mkdir(dir, 0700) || mkdir(store, 0700) || mkdir(place, 0700) ||
        mkdir(imports, 0700))
        fatal(dir);
    for (i = 0; i < NIMAGES; i++) {
        char *path = scene_path(s, scene_images[i].file);

        MUST(s, "qemu-img", "create", "-q", "-f", scene_images[i].format, path,
             IMAGE_SIZE);
        argv[3 + i] = mem_printf("xvd%c=%s", 'a' + (char)i, path);
        free(path);
    }
    must(s, argv);
    for (i = 0; i < NIMAGES; i++)
        free((char *)argv[3 + i]);
    free(imports);
    free(place);
    free(store);
    free(dir);
}

void scene_make(struct scene *s, const char *dir, const char *tools)
{
    memset(s, 0, sizeof(*s));
    s->dir = mem_strdup(dir);
    s->tools = mem_strdup(tools);
    setenv("FAKE_XEN_DIR", dir, 1);
    make_images(s);
    MUST(s, "bin/xl", "tick", DOMAIN, "2");
    keep(s, BARE);
    scene_reset(s, BARE, false);
    take(s, "s1", "2");
    MUST(s, "bin/xl", "tick", DOMAIN, "2");
    keep(s, ONE);
    scene_reset(s, ONE, false);
    take(s, "s2", "2");
    take_outside(s, "s3");
    MUST(s, "xl-snapshot", "snapshot-revert", "-q", DOMAIN, "s2");
    take(s, "s4", "3");
    MUST(s, "bin/xl", "tick", DOMAIN, "2");
    keep(s, TREE);
}

void scene_reset(struct scene *s, enum layout layout, bool off)
{
    static const char *const dirs[] = { "dom", "run", "log", "images" };
    char *images_now = scene_path(s, "images");
    char *images_kept = layout_path(s, layout, "images");
    char *record = layout_path(s, layout, "record");
    char *there = host_path("dom/%u.json", s->domids[layout]), *id;
    size_t i;

    copy_trees(s, layout, true);
    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        char *dir = scene_path(s, dirs[i]);

        remove_tree(dir);
        if (mkdir(dir, 0700))
            fatal(dir);
        free(dir);
    }
    each_entry(images_kept, images_now, bring_back_image);
    if (!off) {
        copy_file(record, there);
        id = mem_printf("%u", s->domids[layout]);
        MUST(s, "bin/xl", "up", id);
        free(id);
    }
    s->now = layout;
    s->reopened = false;
    s->user = false;
    s->runs = 1000 * ((unsigned)layout + 1);
    free(there);
    free(record);
    free(images_kept);
    free(images_now);
}

void scene_remove(struct scene *s)
{
    remove_tree(s->dir);
    free(s->dir);
    free(s->tools);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
