/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mem.h"
#include "show.h"

char *show_size(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double n = (double)bytes;
    size_t u = 0;

    /* 1023.5 would be printed as 1024. */
    while (n >= 1023.5 && u + 1 < sizeof(units) / sizeof(units[0])) {
        n /= 1024;
        u++;
    }
    return mem_printf(u && n < 100 ? "%.1f %s" : "%.0f %s", n, units[u]);
}

static char *local_time(uint64_t seconds)
{
    time_t t = (time_t)seconds;
    char buf[32] = "?";
    struct tm tm;

    if (localtime_r(&t, &tm))
        strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", &tm);
    return mem_strdup(buf);
}

char *show_disks(const struct snapshot *s)
{
    char *text = mem_strdup("");
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        const struct snapshot_disk *d = &s->disks[i];
        char *more = meta_disk_has_part(d) ?
            mem_printf("%s%s%s %s", text, i ? ", " : "", d->vdev, d->type) :
            mem_printf("%s%s%s none (%s)", text, i ? ", " : "", d->vdev,
                       d->reason ? d->reason : "?");

        free(text);
        text = more;
    }
    if (s->ndisks)
        return text;
    free(text);
    return mem_strdup("none");
}

static bool is_current(const struct tree *t, const struct snapshot *s)
{
    return t->current && !strcmp(t->current, s->name);
}

/* How many disks have a part, of all: "2", "1 of 2". */
static char *disk_count(const struct snapshot *s)
{
    size_t i, n = 0;

    for (i = 0; i < s->ndisks; i++)
        n += meta_disk_has_part(&s->disks[i]);
    if (n == s->ndisks)
        return mem_printf("%zu", n);
    return mem_printf("%zu of %zu", n, s->ndisks);
}

static void show_row(const struct tree *t, const struct snapshot *s)
{
    char *when = local_time(s->creation_time);
    char *memory = show_size(s->memory.stored_size);
    char *disks = disk_count(s);

    printf("%c %-24s %-19s %-8s %9s %-7s %s\n", is_current(t, s) ? '*' : ' ',
           s->name, when, s->domain.state, memory, disks,
           s->description ? s->description : "");
    free(disks);
    free(memory);
    free(when);
}

static void show_long(const struct tree *t, const struct snapshot *s)
{
    char *when = local_time(s->creation_time);
    char *memory = show_size(s->memory.stored_size);
    char *disks = show_disks(s);

    printf("Name:         %s%s\n", s->name,
           is_current(t, s) ? " (current)" : "");
    if (s->description)
        printf("Description:  %s\n", s->description);
    printf("Created:      %s\n", when);
    printf("Parent:       %s\n", s->parent ? s->parent : "-");
    printf("Domain:       %s (%s, %s, uuid %s)\n", s->domain.name,
           s->domain.type, s->domain.state, s->domain.uuid);
    printf("Host:         %s (Xen %s, QEMU %s)\n",
           s->host.hostname ? s->host.hostname : "?",
           s->host.xen ? s->host.xen : "?",
           s->host.qemu ? s->host.qemu : "-");
    printf("Downtime:     %.2f s\n", (double)s->downtime_ms / 1000);
    printf("Memory:       %s\n", memory);
    printf("Disks:        %s\n", disks);
    free(disks);
    free(memory);
    free(when);
}

static json_object *with_current(const struct tree *t,
                                 const struct snapshot *s)
{
    json_object *o = meta_to_json(s);

    json_add_bool(o, "current", is_current(t, s));
    return o;
}

/* One by one: all of a large store's would take a hundred megabytes. */
static void show_json(const struct tree *t, const char *name)
{
    size_t *order = tree_walk(t, NULL), i;
    const char *before = "[";

    for (i = 0; i < t->n; i++) {
        const struct snapshot *s = &t->nodes[order[i]].s;
        json_object *o;
        char *text;

        if (name && strcmp(s->name, name))
            continue;
        o = with_current(t, s);
        text = meta_text(o);
        text[strlen(text) - 1] = '\0';      /* its new line */
        printf("%s\n%s", before, text);
        before = ",";
        free(text);
        json_object_put(o);
    }
    puts(*before == '[' ? "[]" : "\n]");
    free(order);
}

static void show_one(const struct tree *t, const struct snapshot *s,
                     size_t depth, enum show_style style, bool first)
{
    switch (style) {
    case SHOW_NAMES:
        puts(s->name);
        break;
    case SHOW_TREE:
        printf("%*s%s%s\n", (int)(2 * depth), "", s->name,
               is_current(t, s) ? " *" : "");
        break;
    case SHOW_LONG:
        if (!first)
            putchar('\n');
        show_long(t, s);
        break;
    default:
        show_row(t, s);
    }
}

void show_tree(const struct tree *t, const char *name, enum show_style style)
{
    size_t *depths, *order, i;
    bool first = true;

    if (style == SHOW_JSON) {
        show_json(t, name);
        return;
    }
    if (style == SHOW_TABLE && t->n)
        printf("  %-24s %-19s %-8s %9s %-7s %s\n", "NAME", "CREATED", "STATE",
               "MEMORY", "DISKS", "DESCRIPTION");
    order = tree_walk(t, &depths);
    for (i = 0; i < t->n; i++) {
        const struct snapshot *s = &t->nodes[order[i]].s;

        if (name && strcmp(s->name, name))
            continue;
        show_one(t, s, depths[i], style, first);
        first = false;
    }
    free(depths);
    free(order);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
