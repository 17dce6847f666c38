/* Damaged metadata, and names that lead elsewhere. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/sys/mem.h"
#include "tests/unit/badstore.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static void truncated(void)
{
    size_t len, at;
    char *text;
    bool all = true;

    bad_fresh();
    text = unit_get(bad.snap_json, &len);
    for (at = 0; at + 1 < len; at++) {
        unit_put(bad.snap_json, text, at);
        all = all && bad_refused("not valid JSON");
    }
    check(all, "snapshot.json cut at each of %zu bytes", len - 1);
    check(bad_stays(), "is neither deleted nor reverted to");
    free(text);
}

static void bytes(void)
{
    static const char wrong[] = { '\0', '\xff', '"', '{', '9', '\x1b' };
    size_t len, at, i;
    char *text;
    bool all = true;
    struct err problems, e;

    bad_fresh();
    text = unit_get(bad.snap_json, &len);
    for (at = 0; at < len; at++)
        for (i = 0; i < sizeof(wrong); i++) {
            char was = text[at];
            long n;

            text[at] = wrong[i];
            unit_put(bad.snap_json, text, len);
            text[at] = was;
            n = bad_list(&problems, &e);
            /* Some bytes are as good as the old: in a description, say. */
            if (n != 1 && (n || !strstr(problems.text, bad.snap_json)))
                all = false;
        }
    check(all, "any byte of it replaced by one of %zu others", sizeof(wrong));
    free(text);
}

/* Keys that may be null or missing, and those that nobody reads here. */
static bool is_free(const char *path, const char *value)
{
    static const char *const optional[] = {
        "description", "expires", "parent", "protected", "hostname", "xen", "qemu",
        "cpu", "stamp", "reason",
    };
    size_t i;

    if (!strncmp(path, "config.", 7) ||
        (!strcmp(path, "version") && !strcmp(value, "1.5")) ||
        (!strcmp(path, "expires") && !value[strspn(value, "01")]))
        return true;
    for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++)
        if (!strcmp(strrchr(path, '.') ? strrchr(path, '.') + 1 : path,
                    optional[i]))
            return !strcmp(value, "null");
    return false;
}

/* A string that would name something outside. */
static bool leads_away(const char *path, const char *value)
{
    static const char *const named[] = {
        "name", "parent", "memory.file", "disks.path", "disks.snapshot",
    };
    size_t i;

    for (i = 0; i < sizeof(named) / sizeof(named[0]); i++)
        if (!strcmp(path, named[i]))
            return value[0] == '"' && strstr(value, "..");
    return false;
}

static json_object *doc;
static bool mutations_ok;

/* Puts each value in the place of the member, and takes it away. */
static void mutate(json_object *in, const char *key, const char *path)
{
    json_object *old = NULL, *back = NULL;
    struct err problems, e;
    size_t i;

    json_object_object_get_ex(in, key, &old);
    json_object_deep_copy(old, &back, NULL);
    for (i = 0; i <= BAD_NVALUES; i++) {
        json_object *v = i < BAD_NVALUES ?
                         json_tokener_parse(bad_values[i]) : NULL;
        bool other = i == BAD_NVALUES || json_object_get_type(v) !=
                     json_object_get_type(back);
        bool exempt = is_free(path, i < BAD_NVALUES ? bad_values[i] : "null");
        bool away = i < BAD_NVALUES && leads_away(path, bad_values[i]);
        char *text;
        long n;

        if (i < BAD_NVALUES)
            json_object_object_add(in, key, v);
        else
            json_object_object_del(in, key);
        text = meta_text(doc);
        unit_puts(bad.snap_json, text);
        free(text);
        n = bad_list(&problems, &e);
        if (n == 1 ? away || (other && !exempt) :
            n || !strstr(problems.text, bad.snap_json) ||
            !strstr(problems.text, key)) {
            printf("# %s as %s: %ld, '%s'\n", path,
                   i < BAD_NVALUES ? bad_values[i] : "nothing", n,
                   problems.text);
            mutations_ok = false;
        }
    }
    json_object_object_add(in, key, back);
}

static void mutate_all(json_object *in, const char *prefix)
{
    char *keys[64];
    size_t n = 0, i;

    json_object_object_foreach(in, key, unused) {
        (void)unused;
        if (n < 64)
            keys[n++] = mem_strdup(key);
    }
    for (i = 0; i < n; i++) {
        char *path = mem_printf("%s%s%s", prefix, prefix[0] ? "." : "",
                                keys[i]);
        json_object *v;

        mutate(in, keys[i], path);
        json_object_object_get_ex(in, keys[i], &v);
        if (json_object_is_type(v, json_type_object))
            mutate_all(v, path);
        if (!strcmp(path, "disks"))
            mutate_all(json_object_array_get_idx(v, 0), path);
        free(path);
        free(keys[i]);
    }
}

static void wrong_types(void)
{
    unsigned long before = bad.tried;

    bad_fresh();
    doc = fixture_json("a", NULL);
    mutations_ok = true;
    mutate_all(doc, "");
    check(mutations_ok, "each key as each other type, or missing: %lu "
          "documents; the error names file and key", bad.tried - before);
    json_object_put(doc);
}

static void big_and_deep(void)
{
    char *big = mem_zalloc(1, JSON_MAX_SIZE + 4096), *text;
    json_object *o = fixture_json("a", NULL);
    size_t i;

    bad_fresh();
    memset(big, ' ', JSON_MAX_SIZE + 4000);
    memcpy(big, "{\"a\":1", 6);
    unit_puts(bad.snap_json, big);
    check(bad_refused("is larger than"), "a huge one");
    check(!truncate(bad.snap_json, 1ll << 40) && bad_refused("is larger than"),
          "a terabyte of one");
    memset(big, '[', 1000000);
    memcpy(big, "{\"config\":", 10);
    big[1000000] = '\0';
    unit_puts(bad.snap_json, big);
    check(bad_refused("nesting too deep"), "a deep one");
    for (i = 0; i < 3; i++) {
        static const char *const later[] = { "2", "2.5", "1e300" };

        json_object_object_add(o, "version", json_tokener_parse(later[i]));
        text = meta_text(o);
        unit_puts(bad.snap_json, text);
        free(text);
        check(bad_refused("'version' is ") && bad_stays(), "one of version %s",
              later[i]);
    }
    json_object_put(o);
    free(big);
}

static void put_named(const char *name, const char *parent)
{
    char *dir = mem_printf("%s/g1/%s", bad.root, name);
    char *file = mem_printf("%s/snapshot.json", dir);
    char *text = fixture_text(name, parent);

    mkdir(dir, 0700);
    unit_puts(file, text);
    free(text);
    free(file);
    free(dir);
}

static void trees(void)
{
    struct err problems, e;

    bad_fresh();
    put_named("a", "a");
    check(bad_list(&problems, &e) == 1 && strstr(problems.text, "a: it is its "
          "own ancestor"), "a snapshot that is its own parent");
    put_named("a", "c");
    put_named("b", "a");
    put_named("c", "b");
    check(bad_list(&problems, &e) == 3 && strstr(problems.text, "own ancestor"),
          "three that are each other's");
    put_named("a", "lost");
    check(bad_list(&problems, &e) == 3 && strstr(problems.text,
          "its parent lost does not exist"), "a parent that is not there");
    check(bad_delete(&e) == SNAP_OK && bad_list(&problems, &e) == 2,
          "such a tree can be mended by deleting");
}

static void domain_json(void)
{
    static const char good[] = "{\"uuid\": \"u\", \"current\": \"a\"}";
    struct err problems, e;
    size_t i;
    bool all = true;

    bad_fresh();
    for (i = 0; i + 1 < sizeof(good); i++) {
        unit_put(bad.dom_json, good, i);
        all = all && bad_list(&problems, &e) == 1 &&
              strstr(problems.text, bad.dom_json);
    }
    for (i = 1; i < BAD_NVALUES; i++) {
        char *text = mem_printf("{\"current\": %s}", bad_values[i]);
        long n;

        unit_puts(bad.dom_json, text);
        n = bad_list(&problems, &e);
        if (n != 1 || (!strstr(problems.text, bad.dom_json) &&
                       !strstr(problems.text, "current snapshot")))
            all = false;
        free(text);
    }
    check(all, "domain.json cut at each byte, current as any other value");
}

static void names(void)
{
    static const char *const wrong[] = { "", ".", "..", "../g1", "a/b", "1",
        "/etc", ".del-a", ".new-a", "a\nb", "-x" };
    char *one[1];
    struct snap_delete req = { .domain = "g1", .names = one, .nnames = 1 };
    struct snap_delete dom = { .names = one, .nnames = 1 };
    struct err e;
    size_t i, n;
    bool all = true;

    bad_fresh();
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++, bad.tried += 2) {
        one[0] = mem_strdup(wrong[i]);
        if (!snap_delete(&bad.env, &req, &n, &e) || e.status != SNAP_USAGE)
            all = false;
        free(one[0]);
        one[0] = mem_strdup("a");
        dom.domain = wrong[i];
        if (!snap_delete(&bad.env, &dom, &n, &e) || !bad_outside_is_whole())
            all = false;
        free(one[0]);
    }
    check(all, "names of snapshots and domains that lead elsewhere");
}

int main(void)
{
    bad_begin();
    truncated();
    bytes();
    wrong_types();
    big_and_deep();
    trees();
    domain_json();
    names();
    return bad_done();
}
