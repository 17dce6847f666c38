/* SPDX-License-Identifier: LGPL-2.1-only */

/* Decides by rules and dates which snapshots are kept. */

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sys/mem.h"
#include "op/retain.h"

#define DAY 86400

/* Reasons beside the rules themselves. */
enum {
    WHY_CURRENT = RETAIN_RULES,
    WHY_PROTECTED,
    WHY_NO_MATCH,
    WHY_DAMAGED,
    WHY_FUTURE,
    WHY_NO_RULE,
    WHY_ENDLESS,
    WHY_LATER,
    WHY_COUNT,
};

#define BIT(why) (1u << (why))

static const char *const words[WHY_COUNT] = {
    [RETAIN_LAST] = "last",
    [RETAIN_HOURLY] = "hourly",
    [RETAIN_DAILY] = "daily",
    [RETAIN_WEEKLY] = "weekly",
    [RETAIN_MONTHLY] = "monthly",
    [WHY_CURRENT] = "current",
    [WHY_PROTECTED] = "protected",
    [WHY_NO_MATCH] = "name does not match",
    [WHY_DAMAGED] = "damaged",
    [WHY_FUTURE] = "dated in the future",
    [WHY_NO_RULE] = "there is no rule",
    [WHY_ENDLESS] = "does not expire",
    [WHY_LATER] = "not expired",
};

/* Why one is deleted. */
static const char *const ends[] = {
    [RETAIN_BY_RULE] = "no rule keeps it",
    [RETAIN_UNEXPIRED] = "expired",
    [RETAIN_NOTHING] = "all are to go",
};

bool retain_has_rule(const struct retain *r)
{
    enum retain_rule rule;

    for (rule = 0; rule < RETAIN_RULES; rule++)
        if (r->keep[rule])
            return true;
    return false;
}

static int newest_first(const void *a, const void *b)
{
    const struct retain_item *x = a, *y = b;

    if (x->creation_time != y->creation_time)
        return x->creation_time < y->creation_time ? 1 : -1;
    return -strcmp(x->name, y->name);
}

/*
 * A number that the snapshots of one period share, and no two neighbouring
 * periods.  An hour is told by its beginning, as the clock shows one twice
 * when it is put back.
 */
static int64_t period(enum retain_rule rule, const struct retain_item *item,
                      size_t index)
{
    time_t t = (time_t)item->creation_time;
    struct tm tm;
    int64_t day;

    if (rule == RETAIN_LAST || !localtime_r(&t, &tm))
        return (int64_t)index;
    if (rule == RETAIN_HOURLY)
        return (int64_t)t - tm.tm_min * 60 - tm.tm_sec;
    if (rule == RETAIN_MONTHLY)
        return tm.tm_year * 12 + tm.tm_mon;
    day = ((int64_t)t + tm.tm_gmtoff) / DAY;
    /* The epoch was a Thursday. */
    return rule == RETAIN_WEEKLY ? (day + 3) / 7 : day;
}

static void apply(enum retain_rule rule, unsigned keep,
                  struct retain_item *items, size_t n)
{
    const unsigned apart = BIT(WHY_NO_MATCH) | BIT(WHY_DAMAGED) |
                           BIT(WHY_FUTURE);
    int64_t last = 0;
    unsigned kept = 0;
    size_t i;

    for (i = 0; i < n && kept < keep; i++) {
        int64_t p = period(rule, &items[i], i);

        if ((items[i].why & apart) || (kept && p == last))
            continue;
        last = p;
        kept++;
        items[i].why |= BIT(rule);
    }
}

static unsigned own_reasons(const struct retain *r, uint64_t now,
                            const struct retain_item *item)
{
    unsigned why = 0;

    if (r->match && fnmatch(r->match, item->name, 0))
        why |= BIT(WHY_NO_MATCH);
    if (r->what == RETAIN_NOTHING)
        return why;
    if (item->current)
        why |= BIT(WHY_CURRENT);
    if (item->protected)
        why |= BIT(WHY_PROTECTED);
    if (r->what == RETAIN_UNEXPIRED) {
        if (!item->expires)
            why |= BIT(WHY_ENDLESS);
        else if (item->expires > now)
            why |= BIT(WHY_LATER);
        return why;
    }
    if (item->damaged)
        why |= BIT(WHY_DAMAGED);
    if (item->creation_time > now)
        why |= BIT(WHY_FUTURE);
    if (!retain_has_rule(r))
        why |= BIT(WHY_NO_RULE);
    return why;
}

void retain_choose(const struct retain *r, uint64_t now,
                   struct retain_item *items, size_t n)
{
    enum retain_rule rule;
    size_t i;

    if (n)
        qsort(items, n, sizeof(*items), newest_first);
    for (i = 0; i < n; i++)
        items[i].why = own_reasons(r, now, &items[i]);
    if (r->what != RETAIN_BY_RULE)
        return;
    for (rule = 0; rule < RETAIN_RULES; rule++)
        apply(rule, r->keep[rule], items, n);
}

char *retain_why(const struct retain *r, const struct retain_item *item)
{
    char *text = mem_strdup(item->why ? "" : ends[r->what]);
    unsigned why;

    /* What holds a snapshot by itself, before the rules. */
    for (why = 0; why < WHY_COUNT; why++) {
        unsigned w = (why + RETAIN_RULES) % WHY_COUNT;
        char *more;

        if (!(item->why & BIT(w)))
            continue;
        more = mem_printf("%s%s%s", text, text[0] ? ", " : "", words[w]);
        free(text);
        text = more;
    }
    return text;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
