/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The random walk (walk.h).
 *
 *   walk [--steps=N] [--walks=N] [--seed=N] [--jobs=N] [--without=WORD,...]
 *        [--replay='STEP; ...']
 *
 * --without: no step that has one of the words, to look behind a known fault.
 * A walk that fails is shrunk: steps are left out as long as the same
 * invariant is broken, and what is left is printed for --replay.  WALK_SHOW=1
 * prints each step; WALK_NO_BASES=1: no image has a base; WALK_WHOLE=1: no
 * shrinking; WALK_KEEP=1: the world of a replay stays.
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
#include "walk.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"

#define SHRINK_MS 240000

struct steps {
    char **line;
    size_t n;
};

struct options {
    unsigned long steps, walks, seed, jobs;
    const char *replay, *without;
};

static char *tools, *top;
static unsigned worlds;

static void add_step(struct steps *s, const char *line)
{
    s->line = mem_grow(s->line, s->n + 1, sizeof(*s->line));
    s->line[s->n++] = mem_strdup(line);
}

static void free_steps(struct steps *s)
{
    while (s->n)
        free(s->line[--s->n]);
    free(s->line);
    s->line = NULL;
}

static struct walk *new_world(void)
{
    struct walk *w = mem_zalloc(1, sizeof(*w));
    char *dir = mem_printf("%s/w%u", top, worlds++);

    if (mkdir(dir, 0700))
        fatal(dir);
    walk_make(w, dir, tools);
    free(dir);
    return w;
}

/* Steps again; true if the same invariant is broken. */
static bool breaks(const struct steps *s, size_t from, size_t to,
                   const char *tag)
{
    struct walk *w = new_world();
    bool same;
    size_t i;

    for (i = 0; i < s->n && !w->tag[0] && !w->locked; i++) {
        if (i >= from && i < to)
            continue;
        w->step = (unsigned)i;
        if (walk_do(w, s->line[i]))
            walk_check(w, true);
    }
    same = !strcmp(w->tag, tag);
    walk_end(w);
    text_free(&w->why);
    free(w);
    return same;
}

static void drop(struct steps *s, size_t from, size_t to)
{
    size_t i;

    for (i = from; i < to; i++)
        free(s->line[i]);
    memmove(&s->line[from], &s->line[to],
            (s->n - to) * sizeof(s->line[0]));
    s->n -= to - from;
}

/* Leaves out pieces that become smaller, while the same is broken. */
static void shrink(struct steps *s, const char *tag)
{
    uint64_t until = clock_ms() + SHRINK_MS;
    size_t piece, from;

    for (piece = s->n / 2; piece; piece /= 2)
        for (from = 0; from < s->n && clock_ms() < until; ) {
            size_t to = from + piece < s->n ? from + piece : s->n;

            if (breaks(s, from, to, tag))
                drop(s, from, to);
            else
                from = to;
        }
}

static void print_steps(FILE *f, const struct steps *s)
{
    size_t i;

    fprintf(f, "# to see it again: walk --replay='");
    for (i = 0; i < s->n; i++)
        fprintf(f, "%s%s", i ? "; " : "", s->line[i]);
    fprintf(f, "'\n");
}

static void fail(FILE *f, const struct walk *w, struct steps *s,
                 unsigned long seed)
{
    size_t n = s->n, i;
    char *why = mem_strdup(w->why.s);

    for (i = 0; why[i]; i++)
        if (why[i] == '\n')
            why[i] = ' ';
    fprintf(f, "not ok - walk: seed %lu, step %u: %s: %s\n", seed, w->step,
            w->tag, why);
    fflush(f);
    if (!getenv("WALK_WHOLE"))
        shrink(s, w->tag);
    fprintf(f, "# %zu of %zu steps are enough\n", s->n, n);
    print_steps(f, s);
    free(why);
}

static void add_counts(struct walk *to, const struct walk *from)
{
    size_t i, k;

    for (i = 0; i < from->ncounts; i++)
        for (k = 0; k < from->counts[i].n; k++)
            walk_count(to, from->counts[i].what);
}

/* What the last world counted goes on with the next one. */
static struct walk *begin_again(struct walk *old)
{
    struct walk *w = new_world();

    if (old) {
        add_counts(w, old);
        w->step = old->step;
        text_free(&old->why);
        free(old->locked);
        free(old);
    }
    return w;
}

static void take_step(struct walk *w, struct steps *s, const char *line)
{
    if (getenv("WALK_SHOW"))
        fprintf(stderr, "%u: %s\n", w->step, line);
    if (!walk_do(w, line))
        return;
    add_step(s, line);
    w->step++;
    if (!w->tag[0])
        walk_check(w, false);
}

static bool is_left_out(const struct options *o, const char *line)
{
    char *words = mem_strdup(o->without ? o->without : ""), *word;
    char *save = NULL;
    bool out = false;

    for (word = strtok_r(words, ",", &save); word && !out;
         word = strtok_r(NULL, ",", &save))
        out = strstr(line, word) != NULL;
    free(words);
    return out;
}

static int walk_seed(const struct options *o, unsigned long seed, FILE *f,
                     struct walk *total)
{
    uint64_t random = seed * 2654435761u + 1;
    struct walk *w = begin_again(NULL);
    struct steps steps = { 0 };
    unsigned long locked = 0;
    int rc = 0;

    while (!w->tag[0] && w->step < o->steps) {
        char *line = walk_next(w, &random);

        if (!is_left_out(o, line))
            take_step(w, &steps, line);
        free(line);
        if (!w->locked)
            continue;
        locked++;
        fprintf(f, "# locked: %.200s\n", w->locked);
        walk_end(w);
        w = begin_again(w);
        free_steps(&steps);
    }
    if (!w->tag[0])
        walk_check(w, true);
    walk_end(w);
    if (w->tag[0]) {
        fail(f, w, &steps, seed);
        rc = 1;
    } else {
        fprintf(f, "ok - walk: seed %lu: %lu steps\n", seed, o->steps);
    }
    if (locked)
        fprintf(f, "skip - walk: seed %lu: locked %lu times, and there is "
                "no snapshot-recover\n", seed, locked);
    add_counts(total, w);
    free_steps(&steps);
    text_free(&w->why);
    free(w);
    return rc;
}

static int replay(const char *text, FILE *f)
{
    char *copy = mem_strdup(text), *line, *save = NULL;
    struct walk *w = new_world();
    struct steps steps = { 0 };
    int rc;

    for (line = strtok_r(copy, ";", &save); line && !w->tag[0];
         line = strtok_r(NULL, ";", &save)) {
        while (*line == ' ')
            line++;
        take_step(w, &steps, line);
    }
    if (!w->tag[0])
        walk_check(w, true);
    rc = w->tag[0] != '\0';
    fprintf(f, "%s - walk: replay%s%s%s%s\n", rc ? "not ok" : "ok",
            rc ? ": " : "", w->tag, rc ? ": " : "", rc ? w->why.s : "");
    if (getenv("WALK_KEEP"))
        fprintf(f, "# kept: %s\n", w->base);
    else
        walk_end(w);
    free_steps(&steps);
    free(copy);
    return rc;
}

/* Each job its share of the seeds, its lines and counts in files. */
static void job(const struct options *o, unsigned long me)
{
    struct walk *total = mem_zalloc(1, sizeof(*total));
    char *out = mem_printf("%s/out%lu", top, me);
    char *counts = mem_printf("%s/counts%lu", top, me);
    FILE *f = fopen(out, "we");
    unsigned long i;
    size_t k;
    int rc = 0;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    worlds = 10000 * (unsigned)me;
    if (!f)
        fatal(out);
    setvbuf(f, NULL, _IOLBF, 0);
    for (i = me; i < o->walks; i += o->jobs)
        rc |= walk_seed(o, o->seed + i, f, total);
    if (fclose(f) || !(f = fopen(counts, "we")))
        fatal(counts);
    for (k = 0; k < total->ncounts; k++)
        fprintf(f, "%zu %s\n", total->counts[k].n, total->counts[k].what);
    if (fclose(f))
        fatal(counts);
    _exit(rc);
}

static void read_counts(const char *file, struct walk *total)
{
    FILE *f = fopen(file, "re");
    char line[128];

    while (f && fgets(line, sizeof(line), f)) {
        unsigned long n;
        char *what;

        line[strcspn(line, "\n")] = '\0';
        n = strtoul(line, &what, 10);
        while (n--)
            walk_count(total, what + 1);
    }
    if (f)
        fclose(f);
}

/* Those that a long walk must have taken. */
static const char *const actors[] = {
    "start plain", "start dots", "start folder", "start link",
    "start relative", "start, unfinished", "work", "create", "revert",
    "delete", "recover", "off", "shutdown", "reboot", "rename", "boot",
    "forget", "second domain", "killed", "killed, unfinished", "Ctrl-C",
    "Ctrl-Z", "storage away", "file away", "full", "reader", "done",
    "refused",
};

static int print_counts(const struct walk *total, bool all)
{
    size_t i, k;
    int rc = 0;

    printf("note - walk:");
    for (i = 0; i < total->ncounts; i++)
        printf("%s %s %zu", i ? "," : "", total->counts[i].what,
               total->counts[i].n);
    printf("\n");
    for (i = 0; all && i < sizeof(actors) / sizeof(actors[0]); i++) {
        for (k = 0; k < total->ncounts &&
             strcmp(total->counts[k].what, actors[i]); k++)
            ;
        if (k == total->ncounts) {
            printf("not ok - walk: '%s' was never taken\n", actors[i]);
            rc = 1;
        }
    }
    return rc;
}

static int collect(const struct options *o, bool all)
{
    struct walk *total = mem_zalloc(1, sizeof(*total));
    unsigned long i;
    size_t len;
    int rc;

    for (i = 0; i < o->jobs; i++) {
        char *out = mem_printf("%s/out%lu", top, i);
        char *counts = mem_printf("%s/counts%lu", top, i);
        char *text = slurp(out, &len);

        printf("%s", text ? text : "not ok - walk: a job ended early\n");
        read_counts(counts, total);
        free(text);
        free(counts);
        free(out);
    }
    rc = print_counts(total, all);
    free(total);
    return rc;
}

static void parse_options(int argc, char **argv, struct options *o)
{
    static const struct option opts[] = {
        { "steps", 1, 0, 's' }, { "walks", 1, 0, 'w' }, { "seed", 1, 0, 'r' },
        { "jobs", 1, 0, 'j' }, { "replay", 1, 0, 'p' },
        { "without", 1, 0, 'x' }, { 0, 0, 0, 0 },
    };
    int opt;

    while ((opt = getopt_long(argc, argv, "", opts, NULL)) != -1)
        switch (opt) {
        case 's':
            o->steps = strtoul(optarg, NULL, 10);
            break;
        case 'w':
            o->walks = strtoul(optarg, NULL, 10);
            break;
        case 'r':
            o->seed = strtoul(optarg, NULL, 10);
            break;
        case 'j':
            o->jobs = strtoul(optarg, NULL, 10);
            break;
        case 'x':
            o->without = optarg;
            break;
        case 'p':
            o->replay = optarg;
            break;
        default:
            exit(2);
        }
    if (!o->jobs)
        o->jobs = 1;
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

int main(int argc, char **argv)
{
    struct options o = { .steps = 150, .walks = 2, .jobs = 2 };
    unsigned long i;
    int status, rc = 0;

    o.seed = (unsigned long)getpid() % 100000;
    parse_options(argc, argv, &o);
    tools = tools_dir();
    top = mem_strdup(access("/dev/shm", W_OK) ? "/tmp/walkXXXXXX" :
                     "/dev/shm/walkXXXXXX");
    if (!mkdtemp(top))
        fatal(top);
    if (o.replay) {
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        rc = replay(o.replay, stdout);
        if (getenv("WALK_KEEP"))
            return rc;
    } else {
        for (i = 0; i < o.jobs; i++)
            if (fork() == 0)
                job(&o, i);
        while (wait(&status) > 0 || errno == EINTR)
            rc |= status != 0;
        rc |= collect(&o, o.steps * o.walks >= 2000);
    }
    remove_tree(top);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
