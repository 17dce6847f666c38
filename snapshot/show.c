/* SPDX-License-Identifier: LGPL-2.1-only */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "show.h"
#include "store/meta.h"
#include "store/tree.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/text.h"

/* A table fits this; names longer than NAME_COLUMNS get a line of their own. */
#define COLUMNS 80
#define NAME_COLUMNS 25
#define STATE_COLUMNS 7
#define DISKS_COLUMNS 5

/* Before the rate is worth printing. */
#define RATE_MS 500

char *show_size(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB",
                                         "PiB", "EiB" };
    double n = (double)bytes;
    size_t u = 0;

    /* 1023.5 would be printed as 1024. */
    while (n >= 1023.5 && u + 1 < sizeof(units) / sizeof(units[0])) {
        n /= 1024;
        u++;
    }
    return mem_printf(u && n < 100 ? "%.1f %s" : "%.0f %s", n, units[u]);
}

static char *show_duration(uint64_t s)
{
    if (s < 60)
        return mem_printf("%" PRIu64 " s", s);
    if (s < 3600)
        return mem_printf("%" PRIu64 ":%02" PRIu64 " min", s / 60, s % 60);
    return mem_printf("%" PRIu64 ":%02" PRIu64 " h", s / 3600, s / 60 % 60);
}

char *show_progress(const char *what, uint64_t done, uint64_t total,
                    uint64_t elapsed_ms)
{
    double rate = elapsed_ms ? (double)done / (double)elapsed_ms : 0;
    char *text, *left, *more;

    text = mem_printf("%s: %" PRIu64 " of %" PRIu64 " MiB (%u%%)", what,
                      done >> 20, total >> 20,
                      (unsigned)(total ? (double)done * 100 / (double)total :
                                 0));
    if (elapsed_ms < RATE_MS || rate <= 0 || done > total)
        return text;
    left = show_duration((uint64_t)((double)(total - done) / rate / 1000));
    more = mem_printf("%s, %.0f MiB/s, %s left", text,
                      rate * 1000 / (1 << 20), left);
    free(left);
    free(text);
    return more;
}

/* In the format of strftime; "?" for a time that no calendar has. */
static char *show_time(uint64_t seconds, bool utc)
{
    time_t t = (time_t)seconds;
    char buf[64];
    struct tm tm;

    if (!(utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)) ||
        !(utc ? strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm) :
                strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M", &tm)))
        return mem_strdup("?");
    return mem_strdup(buf);
}

/* Clean, and as long as it is. */
static char *clean(const char *text)
{
    char *copy = mem_strdup(text ? text : "?");

    text_clean(copy);
    return copy;
}

static char *show_disk(const struct snapshot_disk *d)
{
    char *text = meta_disk_has_part(d) ?
        mem_printf("%s %s", d->vdev, d->type) :
        mem_printf("%s none (%s)", d->vdev, d->reason ? d->reason : "?");

    text_clean(text);
    return text;
}

char *show_disks(const struct snapshot *s)
{
    char *text = mem_strdup(s->ndisks ? "" : "none");
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        char *disk = show_disk(&s->disks[i]);
        char *more = mem_printf("%s%s%s", text, i ? ", " : "", disk);

        free(disk);
        free(text);
        text = more;
    }
    return text;
}

static bool is_current(const struct tree *t, const struct snapshot *s)
{
    return t->current && !strcmp(t->current, s->name);
}

/* How many disks have a part, of all: "2", "1/2". */
static char *disk_count(const struct snapshot *s)
{
    size_t i, n = 0;

    for (i = 0; i < s->ndisks; i++)
        n += meta_disk_has_part(&s->disks[i]);
    if (n == s->ndisks)
        return mem_printf("%zu", n);
    return mem_printf("%zu/%zu", n, s->ndisks);
}

/* A line without blanks at its end. */
static void print_row(const char *marks, const char *name, int width,
                      const char *when, const char *state,
                      const char *memory, const char *disks,
                      const char *description)
{
    char *line = mem_printf("%-2s %-*s %-16s %-*s %8s %*s %s", marks, width,
                            name, when, STATE_COLUMNS, state, memory,
                            DISKS_COLUMNS, disks, description);
    char *room = text_fit(line, COLUMNS);
    size_t len = strlen(room);

    while (len && room[len - 1] == ' ')
        room[--len] = '\0';
    puts(room);
    free(room);
    free(line);
}

static void show_row(const struct tree *t, const struct snapshot *s,
                     int width)
{
    char *when = show_time(s->creation_time, false);
    char *state = text_fit(s->domain.state, STATE_COLUMNS);
    char *memory = show_size(s->memory.stored_size);
    char *disks = disk_count(s);
    char *marks = mem_printf("%c%c", is_current(t, s) ? '*' : ' ',
                             s->protected ? 'P' : ' ');
    bool apart = strlen(s->name) > (size_t)width;

    if (apart)
        printf("%s %s\n", marks, s->name);
    print_row(apart ? "" : marks, apart ? "" : s->name, width, when, state,
              memory, disks, s->description ? s->description : "");
    free(marks);
    free(disks);
    free(memory);
    free(state);
    free(when);
}

/* Of the longest name that is to be shown and gets no line of its own. */
static int name_width(const struct tree *t, const char *name)
{
    size_t i, width = strlen("NAME");

    for (i = 0; i < t->n; i++) {
        size_t len = strlen(t->nodes[i].s.name);

        if ((!name || !strcmp(t->nodes[i].s.name, name)) && len > width &&
            len <= NAME_COLUMNS)
            width = len;
    }
    return (int)width;
}

static void show_field(const char *what, const char *text)
{
    char *line = clean(text);

    printf("%-14s%s\n", what, line);
    free(line);
}

/* As show_field(); the value is freed. */
static void show_made(const char *what, char *text)
{
    show_field(what, text);
    free(text);
}

static void show_disk_lines(const struct snapshot *s)
{
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        char *disk = show_disk(&s->disks[i]);

        show_made(i ? "" : "Disks:",
                  mem_printf("%s, %s", disk, s->disks[i].path));
        free(disk);
    }
    if (!s->ndisks)
        show_field("Disks:", "none");
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

static void show_long(const struct tree *t, const struct tree_node *node)
{
    const struct snapshot *s = &node->s;

    show_made("Name:", mem_printf("%s%s%s", s->name,
                                  is_current(t, s) ? " (current)" : "",
                                  s->protected ? " (protected)" : ""));
    if (s->description)
        show_field("Description:", s->description);
    show_made("Created:", show_time(s->creation_time, false));
    show_field("Parent:", or_dash(s->parent));
    show_made("Domain:", mem_printf("%s (%s, %s, uuid %s)", s->domain.name,
                                    s->domain.type, s->domain.state,
                                    s->domain.uuid));
    show_made("Host:", mem_printf("%s (Xen %s, QEMU %s)",
                                  or_dash(s->host.hostname),
                                  or_dash(s->host.xen),
                                  or_dash(s->host.qemu)));
    show_made("Downtime:", mem_printf("%.2f s",
                                      (double)s->downtime_ms / 1000));
    show_made("Memory:", show_size(s->memory.stored_size));
    show_made("On disk:", show_size(node->size_on_disk));
    show_disk_lines(s);
}

static json_object *children_of(const struct tree *t,
                                const struct tree_node *node)
{
    json_object *arr = json_object_new_array();
    size_t c;

    for (c = node->first_child; c != TREE_NONE; c = t->nodes[c].next)
        json_object_array_add(arr, json_object_new_string(
                                       t->nodes[c].s.name));
    return arr;
}

/*
 * The metadata, with what a list adds to it; one by one, as all of a large
 * store's would take a hundred megabytes.
 */
static void show_json(struct show *sh, const struct tree *t,
                      const struct tree_node *node)
{
    json_object *o = meta_to_json(&node->s);
    char *when = show_time(node->s.creation_time, true), *raw, *text;

    json_add_str(o, "created", when[0] == '?' ? NULL : when);
    json_add_bool(o, "current", is_current(t, &node->s));
    json_object_object_add(o, "children", children_of(t, node));
    json_add_u64(o, "size_on_disk", node->size_on_disk);
    raw = meta_text(o);
    raw[strlen(raw) - 1] = '\0';        /* its newline */
    text = text_json(raw);
    printf("%s\n%s", sh->printed ? "," : "[", text);
    free(text);
    free(raw);
    free(when);
    json_object_put(o);
}

/* How many snapshots each one has below it, with itself. */
static size_t *weigh(const struct tree *t, const size_t *order)
{
    size_t *weights = mem_zalloc(t->n, sizeof(*weights)), i;

    for (i = t->n; i-- > 0; ) {
        size_t at = order[i], up = t->nodes[at].parent;

        weights[at]++;
        if (up != TREE_NONE)
            weights[up] += weights[at];
    }
    return weights;
}

/* The child with the most below it; of equal ones the last. */
static size_t main_child(const struct tree *t, const size_t *weights,
                         size_t at)
{
    size_t c, heaviest = t->nodes[at].first_child;

    for (c = heaviest; c != TREE_NONE; c = t->nodes[c].next)
        if (weights[c] >= weights[heaviest])
            heaviest = c;
    return heaviest;
}

/*
 * A snapshot and what is below it.  Its main line goes on in the same column,
 * other children branch off to the right, before it: a chain of any length
 * takes one column, and branches never more than the logarithm of all.
 */
static void draw(const struct tree *t, const size_t *weights, size_t at,
                 const char *first, const char *prefix)
{
    while (at != TREE_NONE) {
        const struct snapshot *s = &t->nodes[at].s;
        size_t next = main_child(t, weights, at), c;
        char *branch = mem_printf("%s|-", prefix);
        char *below = mem_printf("%s| ", prefix);

        printf("%s%c %s%s\n", first, is_current(t, s) ? '*' : 'o', s->name,
               s->protected ? " (protected)" : "");
        for (c = t->nodes[at].first_child; c != TREE_NONE;
             c = t->nodes[c].next)
            if (c != next)
                draw(t, weights, c, branch, below);
        free(below);
        free(branch);
        first = prefix;
        at = next;
    }
}

static void draw_trees(const struct tree *t, const size_t *order,
                       const char *name)
{
    size_t *weights = weigh(t, order), at;

    if (name)
        draw(t, weights, tree_find(t, name), "", "");
    else
        for (at = t->first_root; at != TREE_NONE; at = t->nodes[at].next) {
            draw(t, weights, at, "", "");
            if (t->nodes[at].next != TREE_NONE)
                putchar('\n');
        }
    free(weights);
}

static void show_list(struct show *sh, const struct tree *t,
                      const size_t *order, const char *name)
{
    int width = name_width(t, name);
    size_t i;

    if (sh->style == SHOW_TABLE)
        print_row("", "NAME", width, "CREATED", "STATE", "MEMORY", "DISKS",
                  "DESCRIPTION");
    for (i = 0; i < t->n; i++) {
        const struct tree_node *node = &t->nodes[order[i]];

        if (name && strcmp(node->s.name, name))
            continue;
        if (sh->style == SHOW_NAMES)
            puts(node->s.name);
        else if (sh->style == SHOW_TABLE)
            show_row(t, &node->s, width);
        else if (sh->style == SHOW_JSON)
            show_json(sh, t, node);
        else {
            if (sh->printed)
                putchar('\n');
            show_long(t, node);
        }
        sh->printed++;
    }
}

void show_heading(struct show *sh, const char *domain, const struct tree *t)
{
    char *heading;

    if (!sh->headings || !t->n)
        return;
    heading = clean(domain);
    printf("%s%s:\n", sh->printed ? "\n" : "", heading);
    free(heading);
}

void show_domain(struct show *sh, const char *domain, const struct tree *t,
                 const char *name)
{
    size_t *order;

    sh->begun = true;
    if (!t->n)
        return;
    if (sh->style == SHOW_TABLE || sh->style == SHOW_TREE)
        show_heading(sh, domain, t);
    order = tree_walk(t, NULL);
    if (sh->style == SHOW_TREE) {
        draw_trees(t, order, name);
        sh->printed += t->n;
    } else {
        show_list(sh, t, order, name);
    }
    free(order);
}

void show_end(struct show *sh)
{
    if (sh->style == SHOW_JSON && sh->begun)
        puts(sh->printed ? "\n]" : "[]");
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
