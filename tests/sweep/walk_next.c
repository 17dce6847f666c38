/* SPDX-License-Identifier: LGPL-2.1-only */

/* Chance: which step the random walk takes next. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "walk.h"
#include "snapshot/sys/mem.h"

#define MAX_SNAPS 6

struct choice {
    const char *verb;
    /* How likely, by what the machine's domain is. */
    unsigned off, running, other;
};

static const struct choice choices[] = {
    { "start", 40, 0, 25 },   { "work", 0, 12, 0 },
    { "create", 0, 26, 6 },   { "revert", 14, 14, 10 },
    { "delete", 16, 14, 10 }, { "recover", 10, 3, 30 },
    { "off", 0, 5, 8 },       { "shutdown", 0, 4, 0 },
    { "reboot", 0, 3, 0 },    { "rename", 0, 4, 6 },
    { "boot", 2, 2, 10 },     { "forget", 2, 2, 0 },
};

#define NCHOICES (sizeof(choices) / sizeof(choices[0]))

/* A step of a linear congruence: the same everywhere. */
static unsigned roll(uint64_t *random, unsigned n)
{
    *random = *random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(*random >> 33) % n;
}

static struct walk_machine *roll_machine(struct walk *w, uint64_t *random)
{
    static const char labels[] = "GGGGKKKMMX";
    char label[2] = { labels[roll(random, sizeof(labels) - 1)], '\0' };

    return walk_machine(w, label);
}

static unsigned weight(const struct choice *c, const char *state)
{
    if (!state[0])
        return c->off;
    return strcmp(state, "running") ? c->other : c->running;
}

static const char *roll_verb(const char *state, uint64_t *random)
{
    unsigned sum = 0, at;
    size_t i;

    for (i = 0; i < NCHOICES; i++)
        sum += weight(&choices[i], state);
    at = roll(random, sum);
    for (i = 0; at >= weight(&choices[i], state); i++)
        at -= weight(&choices[i], state);
    return choices[i].verb;
}

/* One of the machine's snapshots, or NULL; *n_r: how many there are. */
static const char *roll_snap(struct walk *w, const struct walk_machine *m,
                             uint64_t *random, size_t *n_r)
{
    const char *names[WALK_SNAPS];
    size_t i;

    *n_r = 0;
    for (i = 0; i < w->nsnaps; i++)
        if (w->snaps[i].machine == (size_t)(m - w->machines))
            names[(*n_r)++] = w->snaps[i].name;
    return *n_r ? names[roll(random, (unsigned)*n_r)] : NULL;
}

static char *roll_fault(uint64_t *random)
{
    static const struct { const char *class; unsigned points; } classes[] = {
        { "txn", 26 }, { "txn", 26 }, { "txn", 26 }, { "io", 120 },
        { "qmp", 30 }, { "xen", 14 },
    };
    unsigned c = roll(random, 6), n, mode = roll(random, 10);

    n = 1 + roll(random, classes[c].points);
    if (mode < 6)
        return mem_printf("fault=%s:%u:kill ", classes[c].class, n);
    n = 1 + roll(random, classes[0].points);
    return mem_printf("fault=txn:%u:%s ", n, mode < 8 ? "ctrlc" : "ctrlz");
}

/* What happens while the command runs: most often nothing. */
static char *roll_meanwhile(const struct walk *w,
                            const struct walk_machine *m, uint64_t *random)
{
    unsigned n = roll(random, 100), file = roll(random, 12);

    /* A recovery that is cut short is what nobody tries. */
    if (n < (m->pending ? 60 : 28))
        return roll_fault(random);
    if (n < 31)
        return mem_printf("away=dir:%s ", w->sets[m->set].dir);
    if (n < 33)
        return mem_strdup("away=dir:gold ");
    if (n < 37)
        return mem_printf("away=file:%u ", file);
    if (n < 41)
        return mem_printf("full=%u ", file / 3);
    if (n < 46)
        return mem_printf("reader=%u ", file);
    return mem_strdup("");
}

static char *roll_kinds(const struct walk_set *s, uint64_t *random)
{
    static const char *const usual[] = { "iec", "ee", "ei" };
    size_t set = s->ndisks == 3 ? 0 : s->dir[0] == 'k' ? 1 : 2, i;
    char kinds[WALK_DISKS + 1];

    snprintf(kinds, sizeof(kinds), "%s", usual[set]);
    /* Now and then another kind. */
    if (roll(random, 8) == 0)
        for (i = 0; i < s->ndisks; i++)
            if (!s->disks[i].raw)
                kinds[i] = "ie-"[roll(random, 3)];
    return mem_strdup(kinds);
}

char *walk_next(struct walk *w, uint64_t *random)
{
    static const char *const spellings[] = {
        "plain", "plain", "plain", "dots", "folder", "link", "relative",
    };
    struct walk_machine *m = roll_machine(w, random);
    char state[16], *meanwhile, *kinds, *step;
    const char *verb, *snap;
    unsigned n, cold;
    size_t have;

    walk_state(m, state);
    verb = roll_verb(state, random);
    snap = roll_snap(w, m, random, &have);
    n = roll(random, 7);
    cold = roll(random, 3);
    meanwhile = roll_meanwhile(w, m, random);
    kinds = roll_kinds(&w->sets[m->set], random);
    if (!strcmp(verb, "create") && have >= MAX_SNAPS)
        verb = "delete";
    if (!strcmp(verb, "start"))
        step = mem_printf("start %s %s", m->label, spellings[n]);
    else if (!strcmp(verb, "work"))
        step = mem_printf("work %s %u", m->label, 1 + n);
    else if (!strcmp(verb, "create"))
        step = mem_printf("%screate %s s%u %s%s", meanwhile, m->label,
                          w->step, kinds, cold ? "" : " cold");
    else if (!strcmp(verb, "revert") || !strcmp(verb, "delete"))
        step = mem_printf("%s%s %s %s%s", meanwhile, verb, m->label,
                          snap ? snap : "-",
                          *verb == 'd' && n == 0 ? " -c" : "");
    else if (!strcmp(verb, "recover"))
        step = mem_printf("%srecover %s", meanwhile, m->label);
    else if (!strcmp(verb, "forget"))
        step = mem_printf("forget %s %s", m->label, snap ? snap : "-");
    else if (!strcmp(verb, "boot"))
        step = mem_strdup("boot");
    else
        step = mem_printf("%s %s", verb, m->label);
    free(kinds);
    free(meanwhile);
    return step;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
