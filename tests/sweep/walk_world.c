/* SPDX-License-Identifier: LGPL-2.1-only */

/* The world of the random walk: images, and programs that run in it. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "copy.h"
#include "qcow2.h"
#include "walk.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"

#define SIZE "2M"
#define ROOM "size=160m"
#define RUN_MS 90000

static const struct walk_set sets[WALK_SETS] = {
    { .dir = "g", .ndisks = 3, .disks = {
        { "xvda", "images/g/a.qcow2", NULL, false },
        { "xvdb", "images/g/b.qcow2", "images/raw/base", false },
        { "xvdc", "images/g/c.raw", NULL, true } } },
    { .dir = "k", .ndisks = 2, .disks = {
        { "xvda", "images/k/a.qcow2", "images/gold/base.qcow2", false },
        { "xvdb", "images/k/b.qcow2", "images/gold/base.qcow2", false } } },
    { .dir = "m", .ndisks = 2, .disks = {
        { "xvda", "images/m/a.qcow2", "images/gold/base.qcow2", false },
        { "xvdb", "images/m/b.qcow2", NULL, false } } },
};

/* The second domain on the first one's images is X. */
static const struct walk_machine machines[WALK_MACHINES] = {
    { "G", { "g", "g2" }, 0, 0, false },
    { "K", { "k", "k2" }, 0, 1, false },
    { "M", { "m", "m2" }, 0, 2, false },
    { "X", { "x", "x" }, 0, 0, false },
};

void walk_count(struct walk *w, const char *what)
{
    size_t i;

    for (i = 0; i < w->ncounts && strcmp(w->counts[i].what, what); i++)
        ;
    if (i == WALK_COUNTS)
        abort();
    if (i == w->ncounts) {
        snprintf(w->counts[i].what, sizeof(w->counts[i].what), "%s", what);
        w->counts[w->ncounts++].n = 0;
    }
    w->counts[i].n++;
}

void walk_broken(struct walk *w, const char *tag, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    if (w->tag[0])
        return;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    snprintf(w->tag, sizeof(w->tag), "%s", tag);
    text_add(&w->why, "%s", text);
    free(text);
}

char *walk_path(const struct walk *w, const char *file)
{
    return mem_printf("%s/%s", w->base, file);
}

/* Between fork and exec: a group of its own, as a shell starts it. */
static void become(struct walk *w, const char *const *argv,
                   const char *fault)
{
    char *file = mem_printf("%s/%s", w->scene.tools, argv[0]);
    char *out = mem_printf("%s/out", w->scene.dir);
    char *counts[] = { mem_printf("%s/img", w->scene.dir),
                       mem_printf("%s/xl", w->scene.dir) };
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int null = open("/dev/null", O_RDONLY);
    char unique[16];
    sigset_t none;

    setpgid(0, 0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGTSTP, SIG_DFL);
    unlink(counts[0]);
    unlink(counts[1]);
    snprintf(unique, sizeof(unique), "%u", w->scene.runs);
    setenv("FAKE_UNIQUE", unique, 1);
    setenv("FAKE_TIMEOUT", "8", 1);
    if (fault)
        setenv("FAULT", fault, 1);
    if (chdir(w->base))
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

static bool domain_stands(const char *domain)
{
    struct vm vm;
    bool stands = domain && (!vm_find(domain, &vm) ||
                             strcmp(vm.state, "running"));

    if (domain)
        vm_free(&vm);
    return stands;
}

void walk_run(struct walk *w, const char *const *argv, const char *fault,
              const char *domain, struct walk_result *r)
{
    uint64_t until = clock_ms() + RUN_MS;
    char *out = mem_printf("%s/out", w->scene.dir), *text;
    int status = 0;
    size_t len;
    pid_t pid, got;

    w->scene.runs++;
    memset(r, 0, sizeof(*r));
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        fatal("fork");
    if (pid == 0)
        become(w, argv, fault);
    for (;;) {
        got = waitpid(pid, &status, WNOHANG | WUNTRACED);
        if (got == pid && !WIFSTOPPED(status))
            break;
        if (got == pid) {
            r->stopped |= domain_stands(domain);
            kill(-pid, SIGCONT);
        } else {
            clock_sleep_ms(1);
        }
        if (clock_ms() > until) {
            walk_broken(w, "hangs", "%s %s", argv[0], argv[1]);
            kill(-pid, SIGKILL);
        }
    }
    r->status = WIFSIGNALED(status) ? 256 + WTERMSIG(status) :
                WEXITSTATUS(status);
    scene_settle();
    text = slurp(out, &len);
    snprintf(r->out, sizeof(r->out), "%s", text ? text : "");
    free(text);
    free(out);
}

static void must(struct walk *w, const char *const *argv)
{
    struct walk_result r;

    walk_run(w, argv, NULL, NULL, &r);
    if (r.status) {
        fprintf(stderr, "walk: %s: status %d: %s\n", argv[0], r.status,
                r.out);
        _exit(70);
    }
}

#define MUST(w, ...) must(w, (const char *const []){ __VA_ARGS__, NULL })

static void make_image(struct walk *w, const struct walk_disk *d)
{
    char *path = walk_path(w, d->file);
    char *base = d->base ? walk_path(w, d->base) : NULL;
    const char *format = base && strstr(base, ".qcow2") ? "qcow2" : "raw";

    if (d->raw)
        MUST(w, "truncate", "-s", SIZE, path);
    else if (base)
        MUST(w, "qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F",
             format, path, SIZE);
    else
        MUST(w, "qemu-img", "create", "-q", "-f", "qcow2", path, SIZE);
    free(base);
    free(path);
}

/* Other spellings of a set's paths. */
static void make_spellings(struct walk *w, const struct walk_set *set)
{
    char *link = mem_printf("%s/linked-%s", w->base, set->dir);
    char *to = mem_printf("images/%s", set->dir);
    size_t i;

    MUST(w, "ln", "-s", to, link);
    for (i = 0; i < set->ndisks; i++) {
        char *file = walk_path(w, set->disks[i].file);
        char *name = mem_printf("%s/links/%s-%zu%s", w->base, set->dir, i,
                                set->disks[i].raw ? ".raw" : ".qcow2");

        MUST(w, "ln", "-s", file, name);
        free(name);
        free(file);
    }
    free(to);
    free(link);
}

static void make_images(struct walk *w)
{
    char *gold = walk_path(w, "images/gold/base.qcow2");
    char *raw = walk_path(w, "images/raw/base");
    size_t i, k;

    MUST(w, "mkdir", "images/gold", "images/raw", "links", "away");
    MUST(w, "qemu-img", "create", "-q", "-f", "qcow2", gold, SIZE);
    MUST(w, "truncate", "-s", SIZE, raw);
    for (i = 0; i < WALK_SETS; i++) {
        char *dir = mem_printf("images/%s", w->sets[i].dir);

        MUST(w, "mkdir", dir);
        for (k = 0; k < w->sets[i].ndisks; k++)
            make_image(w, &w->sets[i].disks[k]);
        make_spellings(w, &w->sets[i]);
        free(dir);
    }
    if (!image_sum(gold, true, &w->golden) ||
        !image_sum(raw, true, &w->raw_base))
        fatal(gold);
    free(raw);
    free(gold);
}

/* A small file system of its own, that goes with the processes. */
static bool make_room(struct walk *w)
{
    char *dir = walk_path(w, "images");
    bool ok = !unshare(CLONE_NEWNS) &&
              !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
              !mount("walk", dir, "tmpfs", 0, ROOM);

    free(dir);
    return ok;
}

void walk_make(struct walk *w, const char *dir, const char *tools)
{
    struct walk_result r;
    size_t i, n;

    w->scene.dir = mem_printf("%s/host", dir);
    w->scene.tools = mem_strdup(tools);
    w->scene.runs = 1;
    w->base = mem_strdup(dir);
    setenv("FAKE_XEN_DIR", w->scene.dir, 1);
    memcpy(w->sets, sets, sizeof(sets));
    memcpy(w->machines, machines, sizeof(machines));
    for (i = 0; i < WALK_SETS && getenv("WALK_NO_BASES"); i++)
        for (n = 0; n < w->sets[i].ndisks; n++)
            w->sets[i].disks[n].base = NULL;
    MUST(w, "mkdir", w->scene.dir, "images");
    w->has_room = make_room(w);
    make_images(w);
    for (i = 0; i < WALK_SETS; i++) {
        uint64_t sums[WALK_DISKS];

        if (!walk_look(w, i, sums))
            fatal(w->sets[i].dir);
        walk_live(w, i, sums);
    }
    WALK_RUN(w, &r, "xl-snapshot", "help");
    n = strlen(r.out);
    w->has_recover = n && strstr(r.out, "snapshot-recover");
}

void walk_end(struct walk *w)
{
    struct text why = { 0 };
    size_t i;
    char *images = walk_path(w, "images");

    if (!scene_end(&w->scene, &why))
        walk_broken(w, "processes", "%s", why.s);
    text_free(&why);
    if (w->has_room)
        umount2(images, MNT_DETACH);
    remove_tree(w->base);
    free(images);
    for (i = 0; i < w->norphans; i++)
        free(w->orphans[i]);
    for (i = 0; i < w->nseen; i++)
        free(w->seen[i].path);
    free(w->orphans);
    free(w->seen);
    free(w->base);
    free(w->scene.dir);
    free(w->scene.tools);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
