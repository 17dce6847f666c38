/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "qcow2.h"
#include "state.h"
#include "snapshot/clock.h"
#include "snapshot/mem.h"
#include "snapshot/meta.h"

#define RUN_MS 60000
#define END_MS 10000
#define IMAGE_SIZE "2M"

/* In order of the disks; layers and copies lie beside them. */
static const struct { const char *file, *format; } images[NIMAGES] = {
    { "images/a.qcow2", "qcow2" }, { "images/b.qcow2", "qcow2" },
    { "images/c.raw", "raw" },
};
enum { INTERNAL, EXTERNAL, COPY };

static void fatal(const char *what)
{
    fprintf(stderr, "sweep: %s: %s\n", what, strerror(errno));
    abort();
}

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

static int not_dots(const struct dirent *de)
{
    return strcmp(de->d_name, ".") && strcmp(de->d_name, "..");
}

static char *slurp(const char *path, size_t *len_r)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *buf;
    ssize_t n = 0;

    if (fd < 0 || fstat(fd, &st)) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    buf = mem_zalloc(1, (size_t)st.st_size + 1);
    *len_r = 0;
    while (*len_r < (size_t)st.st_size &&
           (n = read(fd, buf + *len_r, (size_t)st.st_size - *len_r)) > 0)
        *len_r += (size_t)n;
    close(fd);
    return buf;
}

/* Into the file that is there: images keep their inode. */
static void copy_file(const char *from, const char *to)
{
    size_t len, done = 0;
    char *buf = slurp(from, &len);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (!buf || fd < 0)
        fatal(to);
    while (done < len) {
        ssize_t n = write(fd, buf + done, len - done);

        if (n <= 0)
            fatal(to);
        done += (size_t)n;
    }
    close(fd);
    free(buf);
}

void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *de;

    while (dir && (de = readdir(dir))) {
        char *sub;

        if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
            continue;
        sub = mem_printf("%s/%s", path, de->d_name);
        if (unlink(sub) && (errno == EISDIR || errno == EPERM))
            remove_tree(sub);
        free(sub);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static void copy_link(const char *from, const char *to)
{
    char target[1024];
    ssize_t n = readlink(from, target, sizeof(target) - 1);

    target[n > 0 ? n : 0] = '\0';
    if (n <= 0 || symlink(target, to))
        fatal(to);
}

/* Calls fn for each entry of a directory. */
static void each_entry(const char *dir, const char *to,
                       void (*fn)(const char *from, const char *to))
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    if (n < 0)
        fatal(dir);
    for (i = 0; i < n; i++) {
        char *a = mem_printf("%s/%s", dir, list[i]->d_name);
        char *b = mem_printf("%s/%s", to, list[i]->d_name);

        fn(a, b);
        free(a);
        free(b);
        free(list[i]);
    }
    free(list);
}

static mode_t type_of(const char *path)
{
    struct stat st;

    if (lstat(path, &st))
        fatal(path);
    return st.st_mode & S_IFMT;
}

static void copy_tree(const char *from, const char *to);

static void copy_entry(const char *from, const char *to)
{
    if (type_of(from) == S_IFDIR)
        copy_tree(from, to);
    else if (type_of(from) == S_IFLNK)
        copy_link(from, to);
    else
        copy_file(from, to);
}

static void copy_tree(const char *from, const char *to)
{
    if (mkdir(to, 0700))
        fatal(to);
    each_entry(from, to, copy_entry);
}

/* A second name keeps the inode; "<to>.bytes" what is in it. */
static void keep_image(const char *from, const char *to)
{
    char *bytes = mem_printf("%s.bytes", to);
    struct stat st;

    if (type_of(from) == S_IFLNK) {
        copy_link(from, to);
    } else {
        struct timespec times[2];

        copy_file(from, bytes);
        if (link(from, to) || stat(from, &st))
            fatal(to);
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        if (utimensat(AT_FDCWD, bytes, times, 0) ||
            chmod(bytes, st.st_mode & 07777))
            fatal(bytes);
    }
    free(bytes);
}

static void bring_back_image(const char *from, const char *to)
{
    char *bytes = mem_printf("%s.bytes", from);
    struct timespec times[2];
    struct stat st;

    if (type_of(from) == S_IFLNK) {
        copy_link(from, to);
    } else if (!stat(bytes, &st)) {     /* else it is the bytes itself */
        copy_file(bytes, from);
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        if (chmod(from, st.st_mode & 07777) ||
            utimensat(AT_FDCWD, from, times, 0) || link(from, to))
            fatal(to);
    }
    free(bytes);
}

/* Between fork and exec. */
static void become(struct scene *s, const char *const *argv,
                   const char *fault, const char *log, unsigned timeout_s)
{
    char *file = mem_printf("%s/%s", s->tools, argv[0]);
    char *out = scene_path(s, "out");
    char *runs[] = { scene_path(s, "img"), scene_path(s, "xl") };
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int null = open("/dev/null", O_RDONLY);
    char seconds[16], unique[16];

    unlink(runs[0]);
    unlink(runs[1]);
    snprintf(unique, sizeof(unique), "%u", s->runs);
    setenv("FAKE_UNIQUE", unique, 1);
    if (fault)
        setenv("FAULT", fault, 1);
    if (log)
        setenv("FAULT_LOG", log, 1);
    snprintf(seconds, sizeof(seconds), "%u", timeout_s);
    if (timeout_s)
        setenv("FAKE_TIMEOUT", seconds, 1);
    if (chdir(s->dir))      /* where PLACE is */
        _exit(127);
    dup2(null, 0);
    dup2(fd, 1);
    dup2(fd, 2);
    close(fd);
    close(null);
    execv(file, (char *const *)argv);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

void run_program(struct scene *s, const char *const *argv, const char *fault,
                 const char *log, unsigned timeout_s, struct run *r)
{
    uint64_t until = clock_ms() + RUN_MS;
    char *out = scene_path(s, "out"), *text;
    int status = 0;
    size_t len = 0;
    pid_t pid, got;

    s->runs++;
    fflush(NULL);
    pid = fork();
    memset(r, 0, sizeof(*r));
    if (pid < 0)
        fatal("fork");
    if (pid == 0)
        become(s, argv, fault, log, timeout_s);
    while ((got = waitpid(pid, &status, WNOHANG)) == 0) {
        clock_sleep_ms(1);
        if (clock_ms() > until && !r->timeout) {
            r->timeout = true;
            kill(pid, SIGKILL);
        }
    }
    if (got < 0)
        fatal("waitpid");
    r->status = WIFSIGNALED(status) ? 256 + WTERMSIG(status) :
                WEXITSTATUS(status);
    text = slurp(out, &len);
    if (text)
        snprintf(r->out, sizeof(r->out), "%s", text);
    free(text);
    free(out);
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

/* The domain ends. */
/* What a layout keeps as it is. */
static const char *const trees[] = { "store", PLACE };
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
    char *place = scene_path(s, PLACE);
    const char *argv[4 + NIMAGES] = { "bin/xl", "create", DOMAIN };
    size_t i;

    if (mkdir(dir, 0700) || mkdir(store, 0700) || mkdir(place, 0700))
        fatal(dir);
    for (i = 0; i < NIMAGES; i++) {
        char *path = scene_path(s, images[i].file);

        MUST(s, "qemu-img", "create", "-q", "-f", images[i].format, path,
             IMAGE_SIZE);
        argv[3 + i] = mem_printf("xvd%c=%s", 'a' + (char)i, path);
        free(path);
    }
    must(s, argv);
    for (i = 0; i < NIMAGES; i++)
        free((char *)argv[3 + i]);
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
    s->runs = 1000 * ((unsigned)layout + 1);
    free(there);
    free(record);
    free(images_kept);
    free(images_now);
}

/* The processes of the host that run now: children of this one, adopted. */
static pid_t any_child(bool (*is)(pid_t pid))
{
    char path[64], *list, *p, *save = NULL;
    size_t len = 0;
    FILE *f;
    pid_t found = 0;

    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    snprintf(path, sizeof(path), "/proc/self/task/%d/children",
             (int)getpid());
    f = fopen(path, "re");
    if (!f)
        fatal(path);
    list = mem_zalloc(1, 65536);
    len = fread(list, 1, 65535, f);
    list[len] = '\0';
    fclose(f);
    for (p = strtok_r(list, " \n", &save); p && !found;
         p = strtok_r(NULL, " \n", &save)) {
        pid_t pid = (pid_t)atol(p);

        if (!is || is(pid))
            found = pid;
    }
    free(list);
    return found;
}

/* Not a QEMU nor a monitor, whose stdout is its log. */
static bool is_worker(pid_t pid)
{
    char link[64], to[512];
    ssize_t n;

    if (process_is(pid, "qemu-storage-da"))
        return false;
    snprintf(link, sizeof(link), "/proc/%d/fd/1", (int)pid);
    n = readlink(link, to, sizeof(to) - 1);
    to[n > 0 ? n : 0] = '\0';
    return !strstr(to, "/log/");
}

static bool is_hung(pid_t pid)
{
    return process_is(pid, "qemu-storage-da") && process_letter(pid) == 'T';
}

void scene_wake(void)
{
    pid_t pid;

    while ((pid = any_child(is_hung))) {
        kill(pid, SIGCONT);
        while (is_hung(pid))
            clock_sleep_ms(1);
    }
}

void scene_settle(void)
{
    uint64_t until = clock_ms() + END_MS;

    while (any_child(is_worker) && clock_ms() < until)
        clock_sleep_ms(2);
}

bool scene_end(struct scene *s, struct text *why)
{
    uint64_t until = clock_ms() + END_MS;
    size_t n, i;
    uint32_t *ids;
    bool clean = true;
    pid_t pid;

    for (ids = vm_list(&n), i = 0; i < n; i++) {
        char *id = mem_printf("%u", ids[i]);
        struct run r;

        run_program(s, (const char *const []){ "bin/xl", "destroy", id,
                    NULL }, NULL, NULL, 0, &r);
        free(id);
    }
    free(ids);
    while (any_child(NULL) && clock_ms() < until)
        clock_sleep_ms(1);
    while ((pid = any_child(NULL))) {
        text_add(why, "process %d is left, state %c; ", (int)pid,
                 process_letter(pid));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        clean = false;
    }
    return clean;
}

void scene_remove(struct scene *s)
{
    remove_tree(s->dir);
    free(s->dir);
    free(s->tools);
}

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

static json_object *member(json_object *o, const char *key)
{
    json_object *v = NULL;

    json_object_object_get_ex(o, key, &v);
    return v;
}

static const char *word(json_object *o, const char *key)
{
    const char *s = json_object_get_string(member(o, key));

    return s ? s : "";
}

/* Its names, and how the layers hang together, may be one or the other. */
static void look_external(json_object *d, struct text *t)
{
    static const char *const keys[] = {
        "file", "overlay", "discard", "inode",
    };
    uint64_t inode = (uint64_t)json_object_get_int64(member(d, "inode"));
    const char *part = word(d, "file");
    struct stat st;
    uint64_t sum;
    size_t i;

    image_sum(part, false, &sum);
    text_add(t, "layer %016" PRIx64 "%s\n", sum, stat(part, &st) ||
             st.st_ino != inode ? " (not the recorded file)" : "");
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
             strcmp(stamp, word(d, "stamp")) ? " (not the recorded one)" :
             "");
    if (is_new)
        del(d, NULL, "stamp");
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
    }
    text_add(t, "%s: %s\n", name, json_object_to_json_string(o));
    json_object_put(o);
}

static bool is_memory_image(const char *name)
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
    char *path = scene_path(s, images[INTERNAL].file), stamp[64];
    const char *const argv[] = {
        "qemu-img", "info", "-U", "--output=json", path, NULL
    };
    json_object *o, *list, *want;
    struct run r;
    size_t i;

    run_program(s, argv, NULL, NULL, 0, &r);
    o = json_tokener_parse(r.out);
    list = o ? member(o, "snapshots") : NULL;
    text_add(t, "%s:%s", images[INTERNAL].file, o ? "" : " cannot be read");
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
        char *path = scene_path(s, images[i].file);
        uint64_t sum;

        image_sum(path, i == COPY, &sum);
        text_add(t, "%s: content %016" PRIx64 " %s\n", images[i].file, sum,
                 type_of(path) == S_IFLNK ? "link" : "file");
        free(path);
    }
}

/* Where memory images are outside of the store. */
static void look_place(struct scene *s, struct text *t)
{
    char *dir = scene_path(s, PLACE);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);

        text_add(t, PLACE ": %s\n", list[i]->d_name);
        look_images(path, PLACE, t);
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
    look_place(s, &t);
    look_internal(s, stamps, &t);
    look_domain(s, &t);
    if (!vm_find(DOMAIN, &vm))
        look_closed(s, &t);
    vm_free(&vm);
    json_object_put(stamps);
    return t.s;
}

/* Is the file a part of a snapshot that can be seen? */
static bool has_owner(struct scene *s, const char *path)
{
    char *dir = scene_path(s, "store/" DOMAIN);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, NULL), i;
    bool found = false;
    size_t k;

    for (i = 0; i < n; i++) {
        char *file = mem_printf("%s/%s/snapshot.json", dir, list[i]->d_name);
        json_object *o = list[i]->d_name[0] == '.' ? NULL :
                         json_object_from_file(file), *disks;

        disks = o ? member(o, "disks") : NULL;
        for (k = 0; disks && k < json_object_array_length(disks); k++)
            found |= !strcmp(word(json_object_array_get_idx(disks, k),
                                  "file"), path);
        json_object_put(o);
        free(file);
        free(list[i]);
    }
    free(list);
    free(dir);
    return found;
}

/* Layers, copies, links and temporary files that belong to nothing. */
static void stray_images(struct scene *s, struct text *why)
{
    char *dir = scene_path(s, "images");
    char *link = scene_path(s, images[EXTERNAL].file);
    char *live = realpath(link, NULL);
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;
    size_t k;

    if (!live)
        text_add(why, "%s leads nowhere; ", link);
    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);
        bool known = live && !strcmp(path, live);

        for (k = 0; k < NIMAGES && !known; k++)
            known = !strcmp(path + strlen(s->dir) + 1, images[k].file) &&
                    (k == EXTERNAL || type_of(path) == S_IFREG);
        if (!known && !has_owner(s, path))
            text_add(why, "%s is left; ", path);
        free(path);
        free(list[i]);
    }
    free(list);
    free(live);
    free(link);
    free(dir);
}

static void stray_in(const char *dir, int depth, struct text *why)
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    for (i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        char *path = mem_printf("%s/%s", dir, name);
        struct stat st;
        bool is_dir = !lstat(path, &st) && S_ISDIR(st.st_mode);
        bool known = is_dir ? name[0] != '.' && depth < 2 :
                     depth == 1 ? !strcmp(name, ".lock") ||
                                  !strcmp(name, "domain.json") :
                     depth == 2 ? is_memory_image(name) ||
                                  !strcmp(name, "snapshot.json") : false;

        if (!known)
            text_add(why, "%s is left; ", path);
        else if ((st.st_mode & 07777) != (is_dir ? 0700 : 0600))
            text_add(why, "%s has mode %o; ", path, st.st_mode & 07777);
        if (is_dir && known)
            stray_in(path, depth + 1, why);
        free(path);
        free(list[i]);
    }
    free(list);
}

void scene_strays(struct scene *s, struct text *why)
{
    char *store = scene_path(s, "store");
    char *lock = scene_path(s, "store/" DOMAIN "/.lock");
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(lock, O_RDWR | O_CLOEXEC);
    char *place = scene_path(s, PLACE);
    struct vm vm;

    stray_in(store, 0, why);
    stray_in(place, 1, why);
    stray_images(s, why);
    free(place);
    if (fd >= 0 && (fcntl(fd, F_GETLK, &fl) || fl.l_type != F_UNLCK))
        text_add(why, "process %d holds the lock; ", (int)fl.l_pid);
    if (fd >= 0)
        close(fd);
    if (vm_find(DOMAIN, &vm) && strcmp(vm.state, "shutdown")) {
        if (!process_is(vm.monitor, "xl"))
            text_add(why, "xl's monitor is gone; ");
        else if (process_letter(vm.monitor) == 'T')
            text_add(why, "xl's monitor is stopped; ");
    }
    vm_free(&vm);
    free(lock);
    free(store);
}

void scene_check_images(struct scene *s, struct text *why, unsigned *leaks)
{
    char *dir = scene_path(s, "images");
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s/%s", dir, list[i]->d_name);
        const char *const argv[] = {
            "qemu-img", "check", "-q", "-f", "qcow2", path, NULL
        };
        struct run r = { 0 };

        if (strstr(path, ".qcow2") && type_of(path) == S_IFREG)
            run_program(s, argv, NULL, NULL, 0, &r);
        if (r.status == 3)
            ++*leaks;
        else if (r.status)
            text_add(why, "%s: qemu-img check: %d: %s; ", path, r.status,
                     r.out);
        free(path);
        free(list[i]);
    }
    free(list);
    free(dir);
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
