/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The fault sweep: every operation, with every fault at every point, on the
 * fake host (tests/fake/host.h); faults: tests/fake/spec.h.
 *
 *   sweep [--part=N] [--jobs=N] [--only=WORD] [--case='OP / FAULT [/ FAULT]']
 *
 * --part=N: every N-th case of each group.  --case: one case, as a failure
 * names it; the second and later faults are for the recoveries.
 *
 * Points are not listed here: they are what a run without faults passes, so
 * a new step or call is swept without anyone remembering.
 */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "copy.h"
#include "sweep.h"
#include "snapshot/sys/mem.h"

#define MAX_JOBS 16

/* Workers.  First each makes the cases of some operations, as lines. */

/* Ctrl-C: the workers end their processes and go. */
static volatile sig_atomic_t stop;
static pid_t workers[MAX_JOBS];

static void note_stop(int sig)
{
    size_t i;

    stop = sig;
    for (i = 0; i < MAX_JOBS; i++)
        if (workers[i] > 0)
            kill(workers[i], SIGTERM);
}

static void catch_stop(void)
{
    struct sigaction sa = { .sa_handler = note_stop };

    memset(workers, 0, sizeof(workers));
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

struct options {
    size_t part, jobs;
    const char *only, *one;
};

struct result {
    size_t index, group;
    bool failed, skipped, last;
    unsigned leaks;
    char text[3000];
};

static void send_result(int fd, const struct result *r)
{
    const char *p = (const char *)r;
    size_t done = 0;

    while (done < sizeof(*r)) {
        ssize_t n = write(fd, p + done, sizeof(*r) - done);

        if (n <= 0)
            _exit(70);
        done += (size_t)n;
    }
}

static void describe(const struct a_case *c, char *text, size_t size)
{
    size_t i, len;

    snprintf(text, size, "%s / %s", c->op->name, c->faults[0]);
    for (i = 1; i < MAX_FAULTS && c->faults[i]; i++) {
        len = strlen(text);
        snprintf(text + len, size - len, " / %s", c->faults[i]);
    }
    len = strlen(text);
    snprintf(text + len, size - len, " (%s)", c->about);
}

static void one_case(struct sweep *w, size_t i, int out)
{
    struct a_case *c = &w->cases[i];
    struct trial t = { .w = w, .op = c->op, .c = c };
    struct result r = { .index = i, .group = c->group };
    size_t len;

    t.st = op_states(w, c->op);
    if (getenv("SWEEP_SHOW"))
        printf("--- old\n%s--- new\n%s", t.st->old, t.st->new);
    trial_run(&t, i);
    r.skipped = t.qemu_died;
    r.failed = !r.skipped && t.why.len != 0;
    if (r.skipped)
        describe(c, r.text, sizeof(r.text));
    if (r.failed) {
        describe(c, r.text, sizeof(r.text));
        len = strlen(r.text);
        snprintf(r.text + len, sizeof(r.text) - len, ": %s", t.why.s);
    }
    for (len = 0; r.text[len]; len++)
        if (r.text[len] == '\n')
            r.text[len] = ' ';
    text_free(&t.why);
    send_result(out, &r);
}

static bool selected(const struct sweep *w, const struct options *o, size_t i,
                     size_t nth)
{
    const struct a_case *c = &w->cases[i];

    if (o->only && !strstr(w->groups[c->group].name, o->only))
        return false;
    /* Scattered, or the same mode would come up at every point. */
    return o->part == 1 || (nth * 2654435761u >> 7) % o->part == 0 ||
           nth == c->group * 37 % w->groups[c->group].cases;
}

static void work(struct sweep *w, const struct options *o, size_t me,
                 int out)
{
    struct result end = { .last = true };
    size_t *nth = mem_zalloc(MAX_GROUPS, sizeof(*nth));
    size_t i, mine = 0;

    for (i = 0; i < w->ncases && !stop; i++)
        if (selected(w, o, i, nth[w->cases[i].group]++) &&
            mine++ % o->jobs == me)
            one_case(w, i, out);
    end.leaks = w->leaks;
    send_result(out, &end);
    free(nth);
}

static void begin_worker(struct sweep *w, const char *base,
                         const char *tools, const char *name, size_t me)
{
    char *dir = mem_printf("%s/%s%zu", base, name, me);

    catch_stop();
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (mkdir(dir, 0700)) {
        perror(dir);
        _exit(70);
    }
    scene_make(&w->scene, dir, tools);
    free(dir);
}

/* Each operation's lines in a file of their own. */
static void maker(const struct options *o, const char *base,
                  const char *tools, size_t me)
{
    struct sweep *w = mem_zalloc(1, sizeof(*w));
    size_t i;

    begin_worker(w, base, tools, "m", me);
    for (i = me; i < nops && !stop; i += o->jobs) {
        char *file = mem_printf("%s/%s", base, ops[i].name);
        FILE *f;

        if (o->only && strchr(o->only, ',') &&
            strncmp(o->only, ops[i].name, strcspn(o->only, ",")))
            continue;
        w->ncases = w->ngroups = 0;
        text_free(&w->problems);
        memset(w->seen, 0, sizeof(w->seen));
        cases_make(w, &ops[i]);
        f = fopen(file, "we");
        if (!f)
            _exit(70);
        cases_print(w, f);
        if (fclose(f))
            _exit(70);
        free(file);
    }
    scene_remove(&w->scene);
    _exit(0);
}

static int gather(struct sweep *w, const struct options *o, const char *base,
                  const char *tools)
{
    char line[4096];
    size_t i;
    int status, rc = 0;

    fflush(NULL);
    for (i = 0; i < o->jobs; i++) {
        workers[i] = fork();
        if (workers[i] == 0)
            maker(o, base, tools, i);
    }
    while (wait(&status) > 0 || errno == EINTR)
        rc |= status;
    for (i = 0; i < nops && !rc; i++) {
        char *file = mem_printf("%s/%s", base, ops[i].name);
        FILE *f = fopen(file, "re");
        size_t first = w->ngroups;

        while (f && fgets(line, sizeof(line), f))
            cases_take_line(w, line, first);
        if (f)
            fclose(f);
        free(file);
    }
    if (!o->only)
        cases_check_verbs(w);
    return rc;
}

static void worker(struct sweep *w, const struct options *o,
                   const char *base, const char *tools, size_t me, int out)
{
    begin_worker(w, base, tools, "w", me);
    work(w, o, me, out);
    scene_remove(&w->scene);
    _exit(0);
}

static bool receive(int fd, struct result *r)
{
    char *p = (char *)r;
    size_t done = 0;

    while (done < sizeof(*r)) {
        ssize_t n = read(fd, p + done, sizeof(*r) - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static int report(const struct sweep *w, const struct options *o)
{
    size_t i, points = 0, ran = 0, cases = 0, failed = 0;

    for (i = 0; i < w->ngroups; i++) {
        const struct group *g = &w->groups[i];

        if (!g->ran && (o->only || !g->cases))
            continue;
        printf("note - sweep: %s: %zu points x %zu modes, %zu faults, %zu "
               "run\n", g->name, g->points, g->modes, g->cases, g->ran);
        printf("%s - sweep: %s%s\n", g->failed ? "not ok" : "ok", g->name,
               g->failed ? ": see above" : "");
        points += g->points;
        cases += g->cases;
        ran += g->ran;
        failed += g->failed;
    }
    printf("note - sweep: %zu points, %zu faults, %zu run, %zu failed\n",
           points, cases,
           ran, failed);
    return failed ? 1 : 0;
}

static int collect(struct sweep *w, const struct options *o, const int *fds)
{
    struct result r;
    size_t i;
    int rc = 0;

    for (i = 0; i < o->jobs; i++) {
        bool last = false;

        while (!last && receive(fds[i], &r)) {
            last = r.last;
            w->leaks += r.leaks;
            if (last)
                continue;
            w->groups[r.group].ran++;
            w->groups[r.group].failed += r.failed;
            if (r.failed)
                printf("not ok - sweep: %s\n", r.text);
            if (r.skipped)
                printf("skip - sweep: %s: qemu-storage-daemon crashed\n",
                       r.text);
            fflush(stdout);
        }
        if (!last) {
            printf("not ok - sweep: a worker ended early\n");
            rc = 1;
        }
    }
    if (w->leaks)
        printf("# qemu-img check: clusters leaked in %u images\n",
               w->leaks);
    return report(w, o) || rc;
}

static int run_all(struct sweep *w, const struct options *o,
                   const char *base, const char *tools)
{
    int in[MAX_JOBS], fds[2], rc, status = 0;
    size_t i;

    fflush(NULL);
    for (i = 0; i < o->jobs; i++) {
        if (pipe(fds))
            return 70;
        workers[i] = fork();
        if (workers[i] == 0) {
            close(fds[0]);
            worker(w, o, base, tools, i, fds[1]);
        }
        close(fds[1]);
        in[i] = fds[0];
    }
    rc = collect(w, o, in);
    while (wait(&status) > 0 || errno == EINTR)
        if (status)
            printf("note - sweep: a worker ended with wait status %#x\n",
                   (unsigned)status);
    return stop ? 130 : rc;
}

static char *tools_dir(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (n <= 0)
        abort();
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    return mem_printf("%s/../fake", self);
}

static void parse_options(int argc, char **argv, struct options *o)
{
    static const struct option opts[] = {
        { "part", 1, 0, 'p' }, { "jobs", 1, 0, 'j' }, { "only", 1, 0, 'o' },
        { "case", 1, 0, 'c' }, { 0, 0, 0, 0 },
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1)
        switch (opt) {
        case 'p':
            o->part = strtoul(optarg, NULL, 10);
            break;
        case 'j':
            o->jobs = strtoul(optarg, NULL, 10);
            break;
        case 'o':
            o->only = optarg;
            break;
        case 'c':
            o->one = optarg;
            o->jobs = 1;
            break;
        default:
            exit(2);
        }
    if (!o->part || !o->jobs || o->jobs > MAX_JOBS)
        exit(2);
}

int main(int argc, char **argv)
{
    struct options o = { .part = 1, .jobs = 2 };
    struct sweep *w = mem_zalloc(1, sizeof(*w));
    char *base = mem_strdup(access("/dev/shm", W_OK) ?
                            "/tmp/sweepXXXXXX" : "/dev/shm/sweepXXXXXX");
    char *tools = tools_dir();
    int rc = 0;

    parse_options(argc, argv, &o);
    catch_stop();
    if (!mkdtemp(base)) {
        perror(base);
        return 70;
    }
    if (o.one) {
        cases_parse(w, o.one);
    } else if (gather(w, &o, base, tools)) {
        printf("not ok - sweep: the cases cannot be made\n");
        rc = 1;
    } else {
        printf("%s - sweep: every step of every plan has its fault points"
               "%s%s\n", w->problems.s ? "not ok" : "ok",
               w->problems.s ? ": " : "", w->problems.s ? w->problems.s : "");
        rc = w->problems.s ? 1 : 0;
    }
    if (w->ncases && !stop && run_all(w, &o, base, tools))
        rc = 1;
    remove_tree(base);
    free(base);
    free(tools);
    free(w);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
