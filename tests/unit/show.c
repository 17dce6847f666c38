#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snapshot/sys/mem.h"
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
    size_is(UINT64_MAX, "16.0 EiB");
}

static size_t columns = 80;

/* What show_domain() writes to stdout; the caller's to free. */
static char *shown_by(struct show *sh, const struct tree *t,
                      const char *name)
{
    char *file = unit_path("out"), *text;
    int saved = dup(1);

    fflush(stdout);
    if (!freopen(file, "w", stdout))
        _exit(2);
    show_domain(sh, "g1", t, name);
    show_end(sh);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    text = unit_get(file, NULL);
    free(file);
    return text;
}

static char *shown(const struct tree *t, const char *name,
                   enum show_style style)
{
    struct show sh = { .style = style, .columns = columns };

    return shown_by(&sh, t, name);
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

/* Rows of name and parent; the current one is the last. */
static void plant(struct tree *t, const char *const (*rows)[2], size_t n)
{
    struct err problems = { 0 };
    size_t i;

    memset(t, 0, sizeof(*t));
    t->nodes = mem_zalloc(n, sizeof(*t->nodes));
    for (t->n = n, i = 0; i < n; i++) {
        fixture_snapshot(rows[i][0], rows[i][1], &t->nodes[i].s);
        t->nodes[i].s.creation_time += i;
    }
    t->current = mem_strdup(rows[n - 1][0]);
    tree_link(t, NULL, 0, &problems);
    if (problems.status != SNAP_OK)
        check(false, "fixture: %s", problems.text);
}

static struct snapshot *find(struct tree *t, const char *name)
{
    return &t->nodes[tree_find(t, name)].s;
}

static void set(char **where, const char *text)
{
    free(*where);
    *where = mem_strdup(text);
}

static const char *const family[][2] = {
    { "base", NULL }, { "child", "base" },
};

static void names_and_table(void)
{
    struct tree t;

    plant(&t, family, 2);
    check(shows(&t, NULL, SHOW_NAMES, "base\nchild\n"),
          "names, one a line, parents first");
    check(shows(&t, "base", SHOW_NAMES, "base\n"), "one of them");
    find(&t, "base")->protected = true;
    set(&find(&t, "child")->description, NULL);
    check(shows(&t, NULL, SHOW_TABLE,
        "   NAME  CREATED          STATE     MEMORY DISKS DESCRIPTION\n"
        " P base  2026-11-23 01:02 running  4.0 KiB   1/2 before the upgrade\n"
        "*  child 2026-11-23 01:02 running  4.0 KiB   1/2\n"),
          "a table, with what is current and protected");
    tree_free(&t);
}

static bool fits(const char *text)
{
    for (; *text; text = strchr(text, '\n') + 1)
        if (strcspn(text, "\n") > 80)
            return false;
    return true;
}

static void wide_table(void)
{
    static const char *const rows[][2] = {
        { "auto-20261123T010203Z", NULL },
        { "a-name-of-sixty-three-characters-which-is-all-that-there-may-be",
          NULL },
    };
    struct tree t;
    char *text;

    plant(&t, rows, 2);
    set(&find(&t, rows[0][0])->description,
        "a description that is longer than what is left of the line");
    find(&t, rows[1][0])->memory.stored_size = UINT64_MAX;
    set(&find(&t, rows[1][0])->domain.state, "very long state");
    text = shown(&t, NULL, SHOW_TABLE);
    check(fits(text), "a table fits 80 columns");
    check(strstr(text, "\n   auto-20261123T010203Z 2026-") &&
          strstr(text, "a descriptio...\n"),
          "a description is cut to the rest of the line");
    check(strstr(text, "*  a-name-of-sixty-three-characters-which-is-all-that-"
                       "there-may-be\n                         2026-") &&
          strstr(text, " very... 16.0 EiB "),
          "a name that is too long for its column has a line of its own");
    free(text);
    columns = 140;
    text = shown(&t, NULL, SHOW_TABLE);
    check(strstr(text, "there-may-be 2026-") &&
          strstr(text, "a description that is longer t...\n"),
          "a wide terminal is used");
    free(text);
    columns = 0;
    text = shown(&t, NULL, SHOW_TABLE);
    check(strstr(text, "a description that is longer than what is left of the "
                       "line\n") && strstr(text, "there-may-be 2026-"),
          "without a width nothing is cut");
    free(text);
    columns = 80;
    tree_free(&t);
}

static void long_style(void)
{
    struct tree t;
    char *text;

    plant(&t, family, 2);
    t.nodes[tree_find(&t, "child")].size_on_disk = 8192;
    text = shown(&t, "child", SHOW_LONG);
    check(strstr(text, "Name:         child (current)\n") &&
          strstr(text, "\nCreated:      2026-11-23 01:02:04 +0000\n") &&
          !strstr(text, "Expires") && !strstr(text, "Check") &&
          strstr(text, "\nParent:       base\n") &&
          strstr(text, "\nDisks:        xvda internal, /vg/g1.qcow2\n"
                       "              xvdb none (CD-ROM), /iso/cd.iso\n") &&
          strstr(text, "\nDowntime:     0.12 s\n") &&
          strstr(text, "\nMemory:       4.0 KiB\n") &&
          strstr(text, "\nOn disk:      8.0 KiB\n"), "long");
    free(text);
    find(&t, "child")->expires = 1795395723;
    text = shown(&t, "child", SHOW_LONG);
    check(strstr(text, "\nExpires:      2026-11-23 01:02:03 +0000\n"),
          "with the time at which it expires");
    free(text);
    tree_free(&t);
}

static void drawing(void)
{
    static const char *const rows[][2] = {
        { "a", NULL }, { "b", "a" }, { "c", "a" }, { "d", "b" },
        { "e", "a" }, { "f", "e" }, { "r", NULL }, { "g", "d" },
    };
    struct tree t;

    plant(&t, family, 2);
    check(shows(&t, NULL, SHOW_TREE, "o base\n|\n* child <- you are here\n"),
          "a chain is drawn straight down, with the current one marked");
    tree_free(&t);
    plant(&t, rows, 8);
    find(&t, "c")->protected = true;
    check(shows(&t, NULL, SHOW_TREE,
                "o a\n|-o c (protected)\n|-o e\n| |\n| o f\n|\no b\n|\no d\n"
                "|\n* g <- you are here\n\no r\n"), "branches to the right, trees apart");
    check(shows(&t, "e", SHOW_TREE, "o e\n|\no f\n"),
          "from one snapshot downwards");
    tree_free(&t);
}

/* Each has a child that ends and one that goes on, or only the latter. */
static void deep_drawing(size_t n)
{
    const char *(*rows)[2] = mem_zalloc(n, sizeof(*rows));
    struct tree t;
    size_t i;
    char *text;

    for (i = 0; i < n; i++) {
        rows[i][0] = mem_printf("s%05zu", i);
        rows[i][1] = i < 2 ? NULL : rows[i - 1 - i % 2][0];
    }
    rows[1][1] = rows[0][0];
    plant(&t, (const char *const (*)[2])rows, n);
    text = shown(&t, NULL, SHOW_TREE);
    check(strlen(text) < 20 * n, "a tree %zu deep is not wide: %zu bytes", n,
          strlen(text));
    free(text);
    tree_free(&t);
    for (i = 0; i < n; i++)
        free((char *)rows[i][0]);
    free(rows);
}

static void json(void)
{
    struct json_at at = { "list", "" };
    json_object *arr, *o, *children;
    const char *s = "";
    struct tree t;
    struct err e;
    uint64_t size;
    char *text;

    plant(&t, family, 2);
    t.nodes[tree_find(&t, "base")].size_on_disk = 8192;
    find(&t, "base")->protected = true;
    text = shown(&t, NULL, SHOW_JSON);
    arr = json_tokener_parse(text);
    check(json_object_is_type(arr, json_type_array) &&
          json_object_array_length(arr) == 2, "JSON: an array");
    o = json_object_array_get_idx(arr, 0);
    check(!json_true(o, "current") && json_true(o, "protected") &&
          json_true(json_object_array_get_idx(arr, 1), "current"),
          "which is current, which is protected");
    check(!json_str(o, "created", at, &s, &e) &&
          !strcmp(s, "2026-11-23T01:02:03Z"), "the time in words: %s", s);
    check(!json_arr(o, "children", at, &children, &e) &&
          json_object_array_length(children) == 1 &&
          !strcmp(json_object_get_string(json_object_array_get_idx(
                      children, 0)), "child"), "the children");
    check(!json_u64(o, "size_on_disk", at, UINT64_MAX, &size, &e) &&
          size == 8192, "the size on disk");
    check(!json_str(o, "format", at, &s, &e), "and all metadata");
    json_object_put(arr);
    free(text);
    text = shown(&t, "child", SHOW_JSON);
    arr = json_tokener_parse(text);
    check(json_object_array_length(arr) == 1, "one is an array too");
    json_object_put(arr);
    free(text);
    tree_free(&t);
}

/* Several domains are one list. */
static void several(void)
{
    struct show sh = { .style = SHOW_JSON };
    struct tree t;
    char *file = unit_path("out"), *text;
    json_object *arr;
    int saved = dup(1);

    plant(&t, family, 2);
    fflush(stdout);
    if (!freopen(file, "w", stdout))
        _exit(2);
    show_domain(&sh, "g1", &t, NULL);
    show_domain(&sh, "g2", &t, NULL);
    show_end(&sh);
    fflush(stdout);
    dup2(saved, 1);
    close(saved);
    text = unit_get(file, NULL);
    arr = json_tokener_parse(text);
    check(arr && json_object_array_length(arr) == 4,
          "the JSON of several domains is one array");
    json_object_put(arr);
    free(text);
    free(file);
    tree_free(&t);
}

static bool is_printable(const char *text)
{
    for (; *text; text++)
        if (((unsigned char)*text < ' ' && *text != '\n') ||
            (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

static void hostile(void)
{
    static const char evil[] = "\x1b[2J\r\n\t\x7f\xc2\x9b\x9b\xe2\x80\xae";
    enum show_style style;
    struct tree t;
    struct snapshot *s;
    json_object *arr;

    plant(&t, family, 2);
    s = find(&t, "child");
    set(&s->description, evil);
    set(&s->domain.state, evil);
    set(&s->domain.type, evil);
    set(&s->domain.uuid, evil);
    set(&s->host.hostname, evil);
    set(&s->host.xen, evil);
    set(&s->host.qemu, evil);
    set(&s->disks[0].vdev, evil);
    set(&s->disks[0].path, evil);
    set(&s->disks[1].reason, evil);
    json_object_put(s->raw);
    s->raw = NULL;
    for (style = SHOW_TABLE; style <= SHOW_JSON; style++) {
        char *text = shown(&t, NULL, style);

        check(is_printable(text), "nothing of a hostile text gets through, "
              "style %d", (int)style);
        if (style == SHOW_JSON) {
            arr = json_tokener_parse(text);
            check(arr && json_object_array_length(arr) == 2,
                  "and the JSON stays valid");
            json_object_put(arr);
        }
        free(text);
    }
    tree_free(&t);
}

/* What a check found, by the tree's index. */
static void checked(void)
{
    char bad[] = "memory.xl: it\033 is damaged";
    char *problems[2] = { NULL, bad };
    struct show sh = { .style = SHOW_TABLE, .problems = problems };
    struct tree t;
    char *text;

    plant(&t, family, 2);
    text = shown_by(&sh, &t, NULL);
    check(!strcmp(text, "base: OK\nchild: memory.xl: it  is damaged\n"),
          "a check: a line each");
    free(text);
    sh = (struct show){ .style = SHOW_LONG, .problems = problems };
    text = shown_by(&sh, &t, "base");
    check(strstr(text, "\nCheck:        OK\n"), "in the long list, too");
    free(text);
    sh = (struct show){ .style = SHOW_JSON, .problems = problems };
    text = shown_by(&sh, &t, NULL);
    check(strstr(text, "\"ok\":true,\n  \"problem\":null") &&
          strstr(text, "\"ok\":false,\n  \"problem\":\"memory.xl: it"),
          "and in JSON");
    free(text);
    sh = (struct show){ .style = SHOW_NAMES, .headings = true };
    text = shown_by(&sh, &t, NULL);
    check(!strcmp(text, "g1/base\ng1/child\n"),
          "names of several domains say whose");
    free(text);
    tree_free(&t);
}

static void nothing(void)
{
    struct tree t = { .first_root = TREE_NONE };
    struct snapshot s = { 0 };
    char *text = show_disks(&s);

    check(shows(&t, NULL, SHOW_TABLE, "") &&
          shows(&t, NULL, SHOW_NAMES, "") &&
          shows(&t, NULL, SHOW_TREE, "") && shows(&t, NULL, SHOW_LONG, ""),
          "no snapshots, no lines");
    check(shows(&t, NULL, SHOW_JSON, "[]\n"), "but an empty array");
    check(!strcmp(text, "none"), "no disks are 'none'");
    free(text);
}

static void progress_is(uint64_t done, uint64_t total, uint64_t ms,
                        const char *want)
{
    char *text = show_progress("memory", done << 20, total << 20, ms);

    check(!strcmp(text, want), "%s", text);
    free(text);
}

static void progress(void)
{
    progress_is(1, 128, 0, "memory: 1 of 128 MiB (0%)");
    progress_is(1, 128, 499, "memory: 1 of 128 MiB (0%)");
    progress_is(64, 128, 1000, "memory: 64 of 128 MiB (50%), 64 MiB/s");
    progress_is(96, 128, 3000,
                "memory: 96 of 128 MiB (75%), 32 MiB/s, 1 s left");
    progress_is(100, 7300, 4000, "memory: 100 of 7300 MiB (1%), 25 MiB/s");
    progress_is(400, 7600, 4000,
                "memory: 400 of 7600 MiB (5%), 100 MiB/s, 1:12 min left");
    progress_is(5000, 100000, 500000,
                "memory: 5000 of 100000 MiB (5%), 10 MiB/s, 2:38 h left");
    progress_is(0, 128, 5000, "memory: 0 of 128 MiB (0%)");
    progress_is(130, 128, 5000, "memory: 130 of 128 MiB (101%)");
    progress_is(0, 0, 5000, "memory: 0 of 0 MiB (0%)");
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    sizes();
    names_and_table();
    wide_table();
    long_style();
    drawing();
    deep_drawing(10000);
    json();
    several();
    hostile();
    checked();
    nothing();
    progress();
    return unit_done();
}
