#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snapshot/mem.h"
#include "snapshot/show.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static void size_is(uint64_t bytes, const char *want)
{
    char *text = show_size(bytes);

    check(!strcmp(text, want), "%llu bytes are %s",
          (unsigned long long)bytes, text);
    free(text);
}

static void sizes(void)
{
    size_is(0, "0 B");
    size_is(1, "1 B");
    size_is(1023, "1023 B");
    size_is(1024, "1.0 KiB");
    size_is(1536, "1.5 KiB");
    size_is(100 * 1024, "100 KiB");
    size_is(12900000, "12.3 MiB");
    size_is(512ull << 20, "512 MiB");
    size_is(3ull << 30, "3.0 GiB");
    size_is(5ull << 40, "5.0 TiB");
    size_is(UINT64_MAX, "16777216 TiB");
}

/* What show_tree() writes to stdout; the caller's to free. */
static char *shown(const struct tree *t, const char *name,
                   enum show_style style)
{
    char *file = unit_path("out"), *text;
    int saved = dup(1);

    fflush(stdout);
    if (!freopen(file, "w", stdout))
        _exit(2);
    show_tree(t, name, style);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    text = unit_get(file, NULL);
    free(file);
    return text;
}

static bool shows(const struct tree *t, const char *name,
                  enum show_style style, const char *want)
{
    char *text = shown(t, name, style);
    bool same = !strcmp(text, want);

    if (!same)
        printf("# '%s'\n", text);
    free(text);
    return same;
}

static void styles(void)
{
    struct tree t = { .n = 2, .nodes = mem_zalloc(2, sizeof(*t.nodes)) };
    struct err e = { 0 };
    json_object *arr;
    char *text;

    setenv("TZ", "UTC", 1);
    fixture_snapshot("child", "base", &t.nodes[0].s);
    fixture_snapshot("base", NULL, &t.nodes[1].s);
    t.current = mem_strdup("child");
    tree_link(&t, NULL, 0, &e);
    check(shows(&t, NULL, SHOW_NAMES, "base\nchild\n"),
          "names, one a line, parents first");
    check(shows(&t, NULL, SHOW_TREE, "base\n  child *\n"),
          "a tree, with the current one marked");
    check(shows(&t, "base", SHOW_NAMES, "base\n"), "one of them");
    text = shown(&t, NULL, SHOW_TABLE);
    check(strstr(text, "NAME") == text + 2 &&
          strstr(text, "\n* child ") && strstr(text, "\n  base ") &&
          strstr(text, "2026-11-23 01:02:03") && strstr(text, "4.0 KiB") &&
          strstr(text, "1 of 2"), "a table");
    free(text);
    text = shown(&t, "child", SHOW_LONG);
    check(strstr(text, "Name:         child (current)\n") &&
          strstr(text, "Parent:       base\n") &&
          strstr(text, "xvda internal, xvdb none (CD-ROM)\n") &&
          strstr(text, "Downtime:     0.12 s\n"), "long");
    free(text);
    text = shown(&t, NULL, SHOW_JSON);
    arr = json_tokener_parse(text);
    check(json_object_is_type(arr, json_type_array) &&
          json_object_array_length(arr) == 2 &&
          !json_true(json_object_array_get_idx(arr, 0), "current") &&
          json_true(json_object_array_get_idx(arr, 1), "current"),
          "JSON, with current");
    json_object_put(arr);
    free(text);
    tree_free(&t);
}

static void nothing(void)
{
    struct tree t = { .first_root = TREE_NONE };
    struct snapshot s = { 0 };
    char *text = show_disks(&s);

    check(shows(&t, NULL, SHOW_TABLE, "") && shows(&t, NULL, SHOW_NAMES, ""),
          "no snapshots, no lines");
    check(!strcmp(text, "none"), "no disks are 'none'");
    free(text);
}

int main(void)
{
    sizes();
    styles();
    nothing();
    return unit_done();
}
