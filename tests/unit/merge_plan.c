#include <string.h>

#include "snapshot/disk/merge_plan.h"
#include "tests/unit/unit.h"

/*
 * A chain is a text, the live overlay first, a character for each node:
 *   .  can be opened anew by its name     x  something else uses it, too
 *   s  its name is stale
 * The frozen layer is the node in brackets; without brackets QEMU does not
 * have it.  The overlays that stand on it are a text, too: "q" the one that
 * QEMU has on it, "o" one that QEMU does not have, "f" one that QEMU has
 * elsewhere.  The ways, in the same order:
 *   c  committed by QEMU     C  committed by qemu-img
 *   p  pulls by QEMU         P  pulls by qemu-img     !  in use
 */
struct row {
    const char *what, *chain, *above, *ways;
};

static const struct row rows[] = {
    { "no QEMU, nothing on it: dropped", "", "", "" },
    { "no QEMU, one on it", "", "o", "C" },
    { "no QEMU, two on it", "", "oo", "PP" },
    { "no QEMU, three on it", "", "ooo", "PPP" },
    { "QEMU is on another branch, one on it", "..", "o", "C" },
    { "QEMU is on another branch, stale live", "s.", "o", "C" },
    { "QEMU is on another branch, two on it", "..", "oo", "PP" },
    { "QEMU has the overlay and not the layer", ".", "f", "P" },

    { "nothing on it", ".[.].", "", "" },
    { "the live one on it", ".[.]", "q", "p" },
    { "the live one on it, more below", ".[.]..", "q", "p" },
    { "the live one on it, stale itself", "s[.]", "q", "p" },
    { "the live one on it, which is stale", ".[s].", "q", "p" },
    { "the live one on it, and a branch", ".[.]", "qo", "pP" },
    { "the live one on it, and a branch, stale", ".[s]", "oq", "Pp" },
    { "the live one on it, something uses that", "x[.]", "q", "p" },

    { "one between, the last layer", "..[.]", "q", "c" },
    { "one between, more below", "..[.].", "q", "c" },
    { "one between, stale", ".s[.]", "q", "c" },
    { "one between, stale, more below", ".s[.].", "q", "c" },
    { "one between, the layer stale", "..[s].", "q", "p" },
    { "one between, the live one stale", "s.[.]", "q", "c" },
    { "one between, stale below the layer", "..[.]s", "q", "c" },
    { "one between, in use", ".x[.]", "q", "!" },
    { "one between, the layer in use", "..[x]", "q", "c" },
    { "one between, the layer stale, in use above", ".x[s]", "q", "p" },
    { "one between, the live one in use", "x.[.]", "q", "c" },

    { "one between, and a branch", "..[.]", "qo", "pP" },
    { "a branch, and one between", "..[.]", "oq", "Pp" },
    { "one between, stale, and a branch", ".s[.]", "qo", "cP" },
    { "a branch, and one between, stale", ".s[.]", "oq", "Pc" },
    { "one between, in use, and a branch", ".x[.]", "qo", "pP" },
    { "two branches, the layer stale", "..[s]", "qoo", "pPP" },
    { "only branches that QEMU does not have", "..[.]", "oo", "PP" },
    { "only one branch that QEMU does not have", "..[.]", "o", "P" },

    { "two between", "...[.]", "q", "c" },
    { "two between, the lower one stale", "..s[.]", "q", "c" },
    { "two between, the upper one stale", ".s.[.]", "q", "p" },
    { "two between, the live one stale", "s..[.]", "q", "c" },
    { "two between, the layer stale", "...[s]", "q", "p" },
    { "two between, the upper one in use", ".x.[.]", "q", "c" },
    { "two between, the upper one stale, a branch", ".s.[.]", "qo", "pP" },
    { "three between, the first below the live one stale", ".s..[.]", "q",
      "c" },
    { "three between, the middle one stale", "..s.[.]", "q", "p" },

    { "an overlay that QEMU has elsewhere in the chain", "..[.]", "f", "P" },
    { "the live one itself", "[.].", "o", "P" },
};

#define MAX 16

static char letter_of(enum merge_way way)
{
    switch (way) {
    case MERGE_PULL:
        return 'P';
    case MERGE_PULL_IN_QEMU:
        return 'p';
    case MERGE_COMMIT:
        return 'C';
    case MERGE_COMMIT_IN_QEMU:
        return 'c';
    case MERGE_IN_USE:
        return '!';
    }
    return '?';
}

static void get_chain(const char *text, struct merge_node *nodes,
                      struct merge_shape *s)
{
    s->nodes = nodes;
    s->part = MERGE_NOT_OPEN;
    for (; *text; text++) {
        if (*text == '[')
            s->part = (long)s->n;
        if (!strchr(".sx", *text))
            continue;
        nodes[s->n].stale = *text == 's';
        nodes[s->n++].shared = *text == 'x';
    }
}

static void get_above(const char *text, long *above, struct merge_shape *s)
{
    s->above = above;
    for (; *text; text++) {
        long place = MERGE_NOT_OPEN;

        if (*text == 'q')
            place = s->part - 1;
        else if (*text == 'f')
            place = 0;
        above[s->nabove++] = place;
    }
}

static void decides(void)
{
    size_t i, k;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct merge_node nodes[MAX] = { { 0 } };
        long above[MAX];
        enum merge_way ways[MAX];
        struct merge_shape s = { 0 };
        char got[MAX] = "";

        get_chain(r->chain, nodes, &s);
        get_above(r->above, above, &s);
        merge_plan(&s, ways);
        for (k = 0; k < s.nabove; k++)
            got[k] = letter_of(ways[k]);
        check(!strcmp(got, r->ways), "%s: %s on %s is %s%s%s", r->what,
              r->above, r->chain, r->ways,
              strcmp(got, r->ways) ? ", not " : "",
              strcmp(got, r->ways) ? got : "");
    }
}

/* Nodes that QEMU opens anew for writing, with this way for this overlay. */
static bool is_safe(const struct merge_shape *s, long overlay,
                    enum merge_way way)
{
    const struct merge_node *n = s->nodes;

    if (way == MERGE_PULL_IN_QEMU)
        return overlay == 0 || !n[overlay].stale;
    if (way == MERGE_COMMIT_IN_QEMU)
        return overlay > 0 && !n[overlay].shared && !n[s->part].stale &&
               (overlay == 1 || !n[overlay - 1].stale);
    return true;
}

/* Every chain up to a length, any one of its nodes stale, up to two branches. */
static void never_writes_stale(void)
{
    long above[3] = { 0, MERGE_NOT_OPEN, MERGE_NOT_OPEN };
    long unsafe = 0, left = 0, shapes = 0, n, part, stale, nabove, i;

    for (n = 2; n <= 8; n++)
        for (part = 1; part < n; part++)
            for (stale = -1; stale < n; stale++)
                for (nabove = 1; nabove <= 3; nabove++) {
                    struct merge_node nodes[8] = { { 0 } };
                    enum merge_way ways[3];
                    struct merge_shape s = {
                        .nodes = nodes, .n = (size_t)n, .part = part,
                        .above = above, .nabove = (size_t)nabove,
                    };

                    if (stale >= 0)
                        nodes[stale].stale = true;
                    above[0] = part - 1;
                    merge_plan(&s, ways);
                    shapes++;
                    unsafe += !is_safe(&s, above[0], ways[0]);
                    for (i = 1; i < nabove; i++)
                        left += ways[i] != MERGE_PULL;
                }
    check(!unsafe, "QEMU writes to no stale node in %ld shapes: %ld do",
          shapes, unsafe);
    check(!left, "each branch pulls by qemu-img: %ld do not", left);
}

int main(void)
{
    decides();
    never_writes_stale();
    return unit_done();
}
