#include <stdio.h>
#include <string.h>
#include <time.h>

#include "snapshot/sys/mem.h"
#include "snapshot/op/retain.h"
#include "tests/unit/unit.h"

#define MAX_ITEMS 400
#define FAR_FUTURE 4000000000u
#define HOUR 3600

/* Spelled out, as not every machine has a zone data base. */
#define BERLIN "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK "EST5EDT,M3.2.0,M11.1.0"

static struct retain_item items[MAX_ITEMS];
static char names[MAX_ITEMS][16];
static size_t n;

static void zone(const char *tz)
{
    setenv("TZ", tz, 1);
    tzset();
}

static void clear(void)
{
    memset(items, 0, sizeof(items));
    n = 0;
}

static struct retain_item *add(const char *name, uint64_t when)
{
    items[n].name = name;
    items[n].creation_time = when;
    return &items[n++];
}

/* "2026-03-29 02:30" in the local zone; isdst tells which of two. */
static uint64_t local(const char *text, int isdst)
{
    struct tm tm = { 0 };

    if (!strptime(text, "%Y-%m-%d %H:%M", &tm))
        abort();
    tm.tm_isdst = isdst;
    return (uint64_t)mktime(&tm);
}

static void add_local(const char *name, const char *when)
{
    add(name, local(when, -1));
}

/* The kept ones, newest first: "c:daily b:current,daily". */
static bool keeps(const struct retain *r, uint64_t now, const char *want)
{
    char *text = mem_strdup("");
    bool same;
    size_t i;

    retain_choose(r, now, items, n);
    for (i = 0; i < n; i++) {
        char *why = retain_why(r, &items[i]), *more;

        if (items[i].why) {
            more = mem_printf("%s%s%s:%s", text, text[0] ? " " : "",
                              items[i].name, why);
            free(text);
            text = more;
        }
        free(why);
    }
    same = !strcmp(text, want);
    if (!same)
        printf("# '%s', want '%s'\n", text, want);
    free(text);
    return same;
}

/* One rule. */
static bool rule_keeps(enum retain_rule rule, unsigned keep, const char *want)
{
    struct retain r = { .match = NULL };


    r.keep[rule] = keep;
    return keeps(&r, FAR_FUTURE, want);
}

static void last(void)
{
    clear();
    add("a", 10);
    add("d", 40);
    add("b", 20);
    add("c", 20);
    check(rule_keeps(RETAIN_LAST, 2, "d:last c:last"),
          "last: the newest, and of one second the last by name");
    check(rule_keeps(RETAIN_LAST, 9, "d:last c:last b:last a:last"),
          "fewer snapshots than a rule keeps");
    clear();
    check(rule_keeps(RETAIN_LAST, 2, ""), "no snapshots at all");
}

static void no_rules(void)
{
    struct retain r = { .match = "a*" };

    clear();
    add("a", 10);
    add("b", 20);
    check(!retain_has_rule(&r) &&
          keeps(&r, FAR_FUTURE, "b:name does not match, there is no rule "
                "a:there is no rule"),
          "without a rule everything is kept");
}

static void hours(void)
{
    zone("UTC");
    clear();
    add_local("a", "2026-11-20 10:00");
    add_local("b", "2026-11-20 10:59");
    add_local("c", "2026-11-20 11:00");
    add_local("d", "2026-11-20 15:30");
    check(rule_keeps(RETAIN_HOURLY, 2, "d:hourly c:hourly"),
          "hourly: hours without a snapshot do not count");
    check(rule_keeps(RETAIN_HOURLY, 3, "d:hourly c:hourly b:hourly"),
          "of one hour the newest");
    zone("<+0530>-5:30");
    clear();
    add_local("a", "2026-11-20 10:05");
    add_local("b", "2026-11-20 10:55");
    add_local("c", "2026-11-20 11:05");
    check(rule_keeps(RETAIN_HOURLY, 9, "c:hourly b:hourly"),
          "an hour is the clock's, where it is half an hour off too");
}

static void days(void)
{
    zone(NEW_YORK);
    clear();
    add_local("a", "2026-11-19 23:59");
    add_local("b", "2026-11-20 00:00");
    add_local("c", "2026-11-20 23:00");
    add_local("d", "2026-11-21 19:30");
    add_local("e", "2026-11-21 20:30");
    check(rule_keeps(RETAIN_DAILY, 9, "e:daily c:daily a:daily"),
          "a day is the local one, not the one of UTC");
    check(rule_keeps(RETAIN_DAILY, 1, "e:daily"), "daily 1");
}

static void weeks(void)
{
    zone("UTC");
    clear();
    add_local("thu", "2025-12-25 12:00");
    add_local("sun", "2025-12-28 23:59");
    add_local("mon", "2025-12-29 00:00");
    add_local("jan", "2026-01-04 12:00");
    add_local("next", "2026-01-05 12:00");
    check(rule_keeps(RETAIN_WEEKLY, 9, "next:weekly jan:weekly sun:weekly"),
          "a week begins on Monday, and goes over the end of a year");
}

static void months(void)
{
    zone("UTC");
    clear();
    add_local("a", "2025-01-31 12:00");
    add_local("b", "2025-12-01 12:00");
    add_local("c", "2025-12-31 23:59");
    add_local("d", "2026-01-01 00:00");
    add_local("e", "2027-01-05 12:00");
    check(rule_keeps(RETAIN_MONTHLY, 9,
                     "e:monthly d:monthly c:monthly a:monthly"),
          "the same month of another year is another one");
}

/* Berlin: 2026-10-25 03:00 summer time is 02:00; 2026-03-29 02:00 is 03:00. */
static void summer_time(void)
{
    zone(BERLIN);
    clear();
    add("a", local("2026-10-25 02:30", 1));
    add("b", local("2026-10-25 02:30", 0));
    check(items[1].creation_time - items[0].creation_time == HOUR &&
          rule_keeps(RETAIN_HOURLY, 9, "b:hourly a:hourly"),
          "the hour that comes twice is two hours");
    check(rule_keeps(RETAIN_DAILY, 9, "b:daily"), "in one day");
    clear();
    add("a", local("2026-10-25 00:10", 1));
    add("b", local("2026-10-25 23:50", 0));
    add("c", local("2026-10-26 00:10", 0));
    check(rule_keeps(RETAIN_DAILY, 9, "c:daily b:daily"),
          "a day of 25 hours is one day");
    clear();
    add("a", local("2026-03-28 23:50", 0));
    add("b", local("2026-03-29 00:10", 0));
    add("c", local("2026-03-29 23:50", 1));
    add("d", local("2026-03-30 00:10", 1));
    check(rule_keeps(RETAIN_DAILY, 9, "d:daily c:daily a:daily"),
          "and one of 23 hours too");
    clear();
    add("a", local("2026-03-29 01:50", 0));
    add("b", local("2026-03-29 03:10", 1));
    check(items[1].creation_time - items[0].creation_time < HOUR &&
          rule_keeps(RETAIN_HOURLY, 9, "b:hourly a:hourly"),
          "the hour that does not come");
}

static void together(void)
{
    struct retain r = { .keep = { 1, 0, 2, 0, 2 } };

    zone("UTC");
    clear();
    add_local("sep", "2026-09-10 12:00");
    add_local("oct", "2026-10-10 12:00");
    add_local("nov1", "2026-11-19 12:00");
    add_local("nov2", "2026-11-20 12:00");
    add_local("nov3", "2026-11-20 13:00");
    check(keeps(&r, FAR_FUTURE, "nov3:last, daily, monthly nov1:daily "
                "oct:monthly"),
          "rules do not know of each other, and all reasons are told");
}

static void always_kept(void)
{
    struct retain r = { .keep[RETAIN_LAST] = 1, .match = "n-*" };

    clear();
    add("n-1", 10)->current = true;
    add("n-2", 20)->protected = true;
    add("n-3", 30);
    add("n-4", 40)->damaged = true;
    add("n-5", 500);
    add("other", 600);
    add("n-0", 5);
    check(keeps(&r, 100, "other:name does not match, dated in the future "
                "n-5:dated in the future n-4:damaged n-3:last "
                "n-2:protected n-1:current"),
          "what no rule may delete, and what takes nobody's place");
    r.match = "n-[12]";
    check(keeps(&r, 1000, "other:name does not match n-5:name does not match "
                "n-4:name does not match, damaged n-3:name does not match "
                "n-2:protected, last n-1:current n-0:name does not match"),
          "a glob chooses the names that are counted");
    r.match = "";
    check(keeps(&r, 1000, "other:name does not match n-5:name does not match "
                "n-4:name does not match, damaged n-3:name does not match "
                "n-2:protected, name does not match "
                "n-1:current, name does not match n-0:name does not match"),
          "an empty glob matches nothing");
}

/* Expiry and rules do not know of each other. */
static void expiry(void)
{
    struct retain r = { .what = RETAIN_UNEXPIRED };

    clear();
    add("n-1", 10)->expires = 50;
    add("n-2", 20)->expires = 100;
    add("n-3", 30)->expires = 101;
    add("n-4", 40);
    add("n-5", 50)->expires = 60;
    items[n - 1].protected = true;
    add("n-6", 60)->expires = 60;
    items[n - 1].current = true;
    add("n-7", 500)->expires = 60;
    items[n - 1].damaged = true;
    check(keeps(&r, 100, "n-6:current n-5:protected n-4:does not expire "
                "n-3:not expired"),
          "what has expired goes, but the current and protected ones");
    r.match = "n-2";
    check(keeps(&r, 100, "n-7:name does not match "
                "n-6:current, name does not match "
                "n-5:protected, name does not match "
                "n-4:name does not match, does not expire "
                "n-3:name does not match, not expired "
                "n-1:name does not match"), "a glob chooses among them");
    r = (struct retain){ .keep[RETAIN_LAST] = 2 };
    check(keeps(&r, 1000, "n-7:damaged n-6:current, last n-5:protected, last"),
          "rules do not look at expiry");
}

static void nothing_kept(void)
{
    struct retain r = { .what = RETAIN_NOTHING };
    char *why;

    clear();
    add("a", 1)->protected = true;
    add("b", 2)->current = true;
    add("c", 500)->damaged = true;
    check(keeps(&r, 100, ""), "all go, whatever they are");
    why = retain_why(&r, &items[0]);
    check(!strcmp(why, "all are to go"), "and it is said why");
    free(why);
    r.match = "[ac]";
    check(keeps(&r, 100, "b:name does not match"), "if their names match");
}

static void why_not(void)
{
    struct retain r = { .keep[RETAIN_LAST] = 1 };
    char *why;

    clear();
    add("a", 1);
    add("b", 2);
    retain_choose(&r, 10, items, n);
    why = retain_why(&r, &items[1]);
    check(!items[1].why && !strcmp(why, "no rule keeps it"),
          "why one is deleted is told too");
    free(why);
}

static void strange_times(void)
{
    clear();
    add("a", 0);
    add("b", INT64_MAX);
    add("c", (uint64_t)INT64_MAX - 1);
    check(rule_keeps(RETAIN_DAILY, 1, "b:dated in the future "
                     "c:dated in the future a:daily"),
          "times that no calendar has");
}

static unsigned dice(unsigned sides)
{
    static uint64_t seed = 7;

    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

static void random_items(void)
{
    size_t i;

    clear();
    for (i = 0; i < MAX_ITEMS; i++) {
        struct retain_item *item;

        snprintf(names[i], sizeof(names[i]), "%c%zu", 'a' + (char)dice(2), i);
        item = add(names[i], 1700000000u + dice(400 * 86400));
        item->damaged = !dice(8);
        item->protected = !dice(40);
    }
    items[dice(MAX_ITEMS)].current = true;
}

/* What must hold whatever the rules; false tells the first that does not. */
static bool holds(const struct retain *r, const unsigned *counts)
{
    enum retain_rule rule;
    bool good_kept = false, good = false;
    size_t i;

    for (rule = 0; rule < RETAIN_RULES; rule++)
        if (counts[rule] > r->keep[rule])
            return false;
    for (i = 0; i < n; i++) {
        const struct retain_item *it = &items[i];

        if ((it->current || it->protected ||
             (r->match && it->name[0] != 'a')) && !it->why)
            return false;
        if (it->damaged || (r->match && it->name[0] != 'a'))
            continue;
        if (!good && it->why)
            good_kept = true;
        good = true;
    }
    return !good || good_kept;
}

/* A rule that keeps more never keeps less. */
static void any_rules(void)
{
    static struct retain_item before[MAX_ITEMS];
    bool right = true, monotone = true;
    unsigned round;
    size_t i, k;

    zone(BERLIN);
    for (round = 0; round < 300 && right && monotone; round++) {
        struct retain r = { .match = dice(2) ? "a*" : NULL };
        unsigned counts[RETAIN_RULES] = { 0 };

        random_items();
        for (k = 0; k < RETAIN_RULES; k++)
            r.keep[k] = dice(3) ? 0 : dice(12);
        if (!retain_has_rule(&r))
            r.keep[RETAIN_DAILY] = 1;
        retain_choose(&r, FAR_FUTURE, items, n);
        for (i = 0; i < n; i++)
            for (k = 0; k < RETAIN_RULES; k++)
                counts[k] += items[i].why >> k & 1;
        right = holds(&r, counts);
        memcpy(before, items, sizeof(before));
        r.keep[dice(RETAIN_RULES)]++;
        retain_choose(&r, FAR_FUTURE, items, n);
        for (i = 0; i < n; i++)
            monotone = monotone && (!before[i].why || items[i].why);
    }
    check(right, "any rules: the newest good, the current and the protected "
          "one stay, and no rule keeps more than it says");
    check(monotone, "and a rule that is raised deletes nothing more");
}

int main(void)
{
    last();
    no_rules();
    hours();
    days();
    weeks();
    months();
    summer_time();
    together();
    always_kept();
    expiry();
    nothing_kept();
    why_not();
    strange_times();
    any_rules();
    return unit_done();
}
