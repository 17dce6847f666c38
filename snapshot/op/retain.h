/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Retention: which snapshots of a domain rules keep, or their own expiry, or
 * nothing.  Pure.
 *
 * A rule keeps the newest snapshot of each of the last N periods in which
 * one was taken: each snapshot is a period of its own (last), or the local
 * time's hour, day, week from Monday, or month.  The rules do not know of each
 * other, and what any of them keeps is kept.
 *
 * Never deleted, whatever the rules: the current snapshot, a protected one,
 * and one whose name does not match.  Damaged snapshots and those dated in
 * the future are kept too but take nobody's place, so that the newest good
 * one is always kept.
 */

#ifndef SNAPSHOT_RETAIN_H
#define SNAPSHOT_RETAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum retain_rule {
    RETAIN_LAST,
    RETAIN_HOURLY,
    RETAIN_DAILY,
    RETAIN_WEEKLY,
    RETAIN_MONTHLY,
    RETAIN_RULES,
};

/* More than anybody keeps. */
#define RETAIN_MAX 1000000

/* Which ones are kept.  An expiry does not concern the rules. */
enum retain_what {
    RETAIN_BY_RULE,
    RETAIN_UNEXPIRED,               /* also the current and protected ones */
    RETAIN_NOTHING,                 /* but names that do not match */
};

struct retain {
    enum retain_what what;
    unsigned keep[RETAIN_RULES];    /* 0: there is no such rule */
    const char *match;              /* glob of the names meant, NULL: all */
};

/* Without a rule RETAIN_BY_RULE keeps all. */
bool retain_has_rule(const struct retain *r);

struct retain_item {
    const char *name;
    uint64_t creation_time;         /* seconds since the epoch */
    uint64_t expires;               /* the same, or 0: never */
    bool current, protected, damaged;
    unsigned why;                   /* result: reasons to keep it, 0: none */
};

/* Fills in why, and sorts the items: the newest first. */
void retain_choose(const struct retain *r, uint64_t now,
                   struct retain_item *items, size_t n);
/* The reasons in words: "current, daily"; the caller's to free. */
char *retain_why(const struct retain *r, const struct retain_item *item);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
