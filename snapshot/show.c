/* SPDX-License-Identifier: LGPL-2.1-only */

/* Prints snapshots as a table, a tree, names or JSON. */

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

/* Longer names get a line of their own, where the table is to fit. */
#define NAME_COLUMNS 25
/* All but the name and the description. */
#define OTHER_COLUMNS 45
#define STATE_COLUMNS 7
#define DISKS_COLUMNS 5

/* Before the rate is worth printing, and before the time left is. */
#define RATE_MS 500
#define LEFT_MS 3000
#define LEFT_PERCENT 5

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
    if (u && n < 100)
        return mem_printf("%.1f %s", n, units[u]);
    return mem_printf("%.0f %s", n, units[u]);
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
    double rate = 0;
    unsigned percent = 0;
    char *text, *left, *more;

    if (elapsed_ms)
        rate = (double)done / (double)elapsed_ms;
    if (total)
        percent = (unsigned)((double)done * 100 / (double)total);
    text = mem_printf("%s: %" PRIu64 " of %" PRIu64 " MiB (%u%%)", what,
                      done >> 20, total >> 20, percent);
    if (elapsed_ms < RATE_MS || rate <= 0 || done > total)
        return text;
    more = mem_printf("%s, %.0f MiB/s", text, rate * 1000 / (1 << 20));
    free(text);
    /* What the first moments promise means nothing. */
    if (elapsed_ms < LEFT_MS || percent < LEFT_PERCENT)
        return more;
    left = show_duration((uint64_t)((double)(total - done) / rate / 1000));
    text = mem_printf("%s, %s left", more, left);
    free(left);
    free(more);
    return text;
}

enum form { FORM_TABLE, FORM_WHOLE, FORM_UTC };

/* "?" for a time that no calendar has. */
static char *show_time(uint64_t seconds, enum form form)
{
    time_t t = (time_t)seconds;
    char buf[64];
    struct tm tm, *known;
    size_t len = 0;

    if (form == FORM_UTC)
        known = gmtime_r(&t, &tm);
    else
        known = localtime_r(&t, &tm);
    if (!known)
        return mem_strdup("?");
    switch (form) {
    case FORM_TABLE:
        len = strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M", &tm);
        break;
    case FORM_WHOLE:
        len = strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S %z", &tm);
        break;
    case FORM_UTC:
        len = strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%SZ", &tm);
        break;
    }
    if (!len)
        return mem_strdup("?");
    return mem_strdup(buf);
}

char *show_moment(uint64_t seconds)
{
    return show_time(seconds, FORM_WHOLE);
}

static const char *or_else(const char *text, const char *otherwise)
{
    if (!text)
        return otherwise;
    return text;
}

/* Clean, and as long as it is. */
static char *clean(const char *text)
{
    char *copy = mem_strdup(or_else(text, "?"));

    text_clean(copy);
    return copy;
}

static char *show_disk(const struct snapshot_disk *d)
{
    char *text;

    if (meta_disk_has_part(d))
        text = mem_printf("%s %s", d->vdev, d->type);
    else
        text = mem_printf("%s none (%s)", d->vdev, or_else(d->reason, "?"));
    text_clean(text);
    return text;
}

char *show_disks(const struct snapshot *s)
{
    char *text;
    size_t i;

    if (!s->ndisks)
        return mem_strdup("none");
    text = show_disk(&s->disks[0]);
    for (i = 1; i < s->ndisks; i++) {
        char *disk = show_disk(&s->disks[i]);
        char *more = mem_printf("%s, %s", text, disk);

        free(disk);
        free(text);
        text = more;
    }
    return text;
}

/* What the part will take, by its kind; the caller's to free. */
static char *room_of(const struct snapshot_disk *d)
{
    uint64_t most = d->room;
    char *size, *text;

    if (!most)
        most = d->virtual_size;
    size = show_size(most);
    if (!strcmp(d->type, "internal"))
        text = mem_printf("inside the image, which grows by what the guest "
                          "overwrites, up to %s", size);
    else if (!strcmp(d->type, "external"))
        text = mem_printf("the image is frozen, and a new layer grows by what "
                          "the guest writes, up to %s", size);
    else if (!strcmp(d->type, "copy"))
        text = mem_printf("%s, up to %s: at once or, with reflinks, as the guest "
                          "overwrites the disk", d->part, size);
    else
        text = mem_printf("%s, up to %s", d->part, size);
    free(size);
    return text;
}

static void show_disk_outlook(const struct snapshot_disk *d)
{
    char *disk = show_disk(d), *room, *line;

    if (!meta_disk_has_part(d)) {
        printf("Disk %s\n", disk);
    } else {
        room = room_of(d);
        line = clean(room);
        printf("Disk %s: %s\n", disk, line);
        free(line);
        free(room);
    }
    free(disk);
}

void show_outlook(const struct snap_outlook *o)
{
    char *need = show_size(o->need), *room = show_size(o->room);
    size_t i;

    if (o->cold)
        puts("Cold: the domain is saved, destroyed and restored");
    else if (o->live)
        puts("Live, if Xen can: the guest stops only while the last of its "
             "memory is saved");
    else
        puts("Hot, not live: the guest stops while all of its memory is "
             "saved");
    printf("Memory: up to %s in %s, where %s is free\n", need, o->where,
           room);
    for (i = 0; i < o->s->ndisks; i++)
        show_disk_outlook(&o->s->disks[i]);
    free(room);
    free(need);
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
static void print_row(const struct show *sh, const char *marks,
                      const char *name, int width, const char *when,
                      const char *state, const char *memory,
                      const char *disks, const char *description)
{
    char *line = mem_printf("%-2s %-*s %-16s %-*s %8s %*s %s", marks, width,
                            name, when, STATE_COLUMNS, state, memory,
                            DISKS_COLUMNS, disks, description);
    char *shown;
    size_t len;

    if (sh->columns)
        shown = text_fit(line, sh->columns);
    else
        shown = clean(line);
    len = strlen(shown);
    while (len && shown[len - 1] == ' ')
        shown[--len] = '\0';
    puts(shown);
    free(shown);
    free(line);
}

static void show_row(const struct show *sh, const struct tree *t,
                     const struct snapshot *s, int width)
{
    char *when = show_time(s->creation_time, FORM_TABLE);
    char *state = text_fit(s->domain.state, STATE_COLUMNS);
    char *memory = show_size(s->memory.stored_size);
    char *disks = disk_count(s);
    const char *name = s->name;
    char marks[] = "  ";

    if (is_current(t, s))
        marks[0] = '*';
    if (s->protected)
        marks[1] = 'P';
    if (strlen(name) > (size_t)width) {
        printf("%s %s\n", marks, name);
        marks[0] = '\0';
        name = "";
    }
    print_row(sh, marks, name, width, when, state, memory, disks,
              or_else(s->description, ""));
    free(disks);
    free(memory);
    free(state);
    free(when);
}

/* Of the longest name that is to be shown and gets no line of its own. */
static int name_width(const struct show *sh, const struct tree *t,
                      const char *name)
{
    size_t i, width = strlen("NAME"), most = NAME_COLUMNS;

    if (!sh->columns)
        most = SIZE_MAX;
    else if (sh->columns > NAME_COLUMNS + OTHER_COLUMNS + NAME_COLUMNS)
        most = sh->columns - OTHER_COLUMNS - NAME_COLUMNS;

    for (i = 0; i < t->n; i++) {
        size_t len = strlen(t->nodes[i].s.name);

        if ((!name || !strcmp(t->nodes[i].s.name, name)) && len > width &&
            len <= most)
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
    const char *what = "Disks:";
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        char *disk = show_disk(&s->disks[i]);

        show_made(what, mem_printf("%s, %s", disk, s->disks[i].path));
        free(disk);
        what = "";
    }
    if (!s->ndisks)
        show_field("Disks:", "none");
}

/* What a check found of the snapshot, "" for nothing, NULL if none was made. */
static const char *checked(const struct show *sh, const struct tree *t,
                           const struct tree_node *node)
{
    if (!sh->problems)
        return NULL;
    return or_else(sh->problems[node - t->nodes], "");
}

static const char *verdict(const char *problem)
{
    if (!problem[0])
        return "OK";
    return problem;
}

static void show_long(const struct show *sh, const struct tree *t,
                      const struct tree_node *node)
{
    const struct snapshot *s = &node->s;
    const char *check = checked(sh, t, node);

    show_made("Name:", mem_printf("%s%s%s", s->name,
                                  is_current(t, s) ? " (current)" : "",
                                  s->protected ? " (protected)" : ""));
    if (s->description)
        show_field("Description:", s->description);
    show_made("Created:", show_time(s->creation_time, FORM_WHOLE));
    if (s->expires)
        show_made("Expires:", show_time(s->expires, FORM_WHOLE));
    show_field("Parent:", or_else(s->parent, "-"));
    show_made("Domain:", mem_printf("%s (%s, %s, uuid %s)", s->domain.name,
                                    s->domain.type, s->domain.state,
                                    s->domain.uuid));
    show_made("Host:", mem_printf("%s (Xen %s, QEMU %s)",
                                  or_else(s->host.hostname, "-"),
                                  or_else(s->host.xen, "-"),
                                  or_else(s->host.qemu, "-")));
    show_made("Downtime:", mem_printf("%.2f s",
                                      (double)s->downtime_ms / 1000));
    show_made("Memory:", show_size(s->memory.stored_size));
    show_made("On disk:", show_size(node->size_on_disk));
    show_disk_lines(s);
    if (check)
        show_field("Check:", verdict(check));
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
    char *when = show_time(node->s.creation_time, FORM_UTC), *raw, *text;
    const char *check = checked(sh, t, node);

    if (when[0] == '?')
        json_add_str(o, "created", NULL);
    else
        json_add_str(o, "created", when);
    json_add_bool(o, "current", is_current(t, &node->s));
    json_object_object_add(o, "children", children_of(t, node));
    json_add_u64(o, "size_on_disk", node->size_on_disk);
    if (check) {
        json_add_bool(o, "ok", !check[0]);
        json_add_str(o, "problem", check[0] ? check : NULL);
    }
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
 * takes one column, and branches never more than the logarithm of all.  A
 * stroke joins those of one line: a column of names alone is what siblings
 * look like elsewhere.
 */
static void draw(const struct tree *t, const size_t *weights, size_t at,
                 const char *first, const char *prefix)
{
    while (at != TREE_NONE) {
        const struct snapshot *s = &t->nodes[at].s;
        size_t next = main_child(t, weights, at), c;
        char *branch = mem_printf("%s|-", prefix);
        char *below = mem_printf("%s| ", prefix);

        printf("%s%c %s%s%s\n", first, is_current(t, s) ? '*' : 'o', s->name,
               s->protected ? " (protected)" : "",
               is_current(t, s) ? " <- you are here" : "");
        for (c = t->nodes[at].first_child; c != TREE_NONE;
             c = t->nodes[c].next)
            if (c != next)
                draw(t, weights, c, branch, below);
        if (next != TREE_NONE)
            printf("%s|\n", prefix);
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

static void show_name(const struct show *sh, const struct snapshot *s,
                      const char *domain)
{
    char *whose = clean(domain);

    if (sh->headings)
        printf("%s/%s\n", whose, s->name);
    else
        puts(s->name);
    free(whose);
}

static void show_checked(const char *name, const char *problem)
{
    char *text = clean(verdict(problem));

    printf("%s: %s\n", name, text);
    free(text);
}

static void show_one(struct show *sh, const struct tree *t,
                     const struct tree_node *node, const char *domain,
                     int width)
{
    switch (sh->style) {
    case SHOW_NAMES:
        show_name(sh, &node->s, domain);
        break;
    case SHOW_JSON:
        show_json(sh, t, node);
        break;
    case SHOW_LONG:
        if (sh->printed)
            putchar('\n');
        show_long(sh, t, node);
        break;
    case SHOW_TREE:             /* drawn elsewhere */
        break;
    case SHOW_TABLE:
        if (sh->problems)
            show_checked(node->s.name, checked(sh, t, node));
        else
            show_row(sh, t, &node->s, width);
    }
}

static void show_list(struct show *sh, const char *domain,
                      const struct tree *t, const size_t *order,
                      const char *name)
{
    int width = name_width(sh, t, name);
    size_t i;

    if (sh->style == SHOW_TABLE && !sh->problems)
        print_row(sh, "", "NAME", width, "CREATED", "STATE", "MEMORY", "DISKS",
                  "DESCRIPTION");
    for (i = 0; i < t->n; i++) {
        const struct tree_node *node = &t->nodes[order[i]];

        if (name && strcmp(node->s.name, name))
            continue;
        show_one(sh, t, node, domain, width);
        sh->printed++;
    }
}

static void show_heading(struct show *sh, const char *domain)
{
    char *heading;

    if (!sh->headings)
        return;
    heading = clean(domain);
    if (sh->printed)
        putchar('\n');
    printf("%s:\n", heading);
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
        show_heading(sh, domain);
    order = tree_walk(t, NULL);
    if (sh->style == SHOW_TREE) {
        draw_trees(t, order, name);
        sh->printed += t->n;
    } else {
        show_list(sh, domain, t, order, name);
    }
    free(order);
}

void show_end(struct show *sh)
{
    if (sh->style != SHOW_JSON || !sh->begun)
        return;
    if (sh->printed)
        puts("\n]");
    else
        puts("[]");
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
