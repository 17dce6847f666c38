#include <string.h>

#include "snapshot/sys/mem.h"
#include "snapshot/store/meta.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static const char *plain(json_object *o)
{
    return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
}

static void round_trip(void)
{
    json_object *o = fixture_json("snap1", "base"), *again;
    struct snapshot s;
    char *text;
    struct err e;

    check_ok(meta_parse(o, "f", &s, &e), &e, "valid metadata is read");
    check(!strcmp(s.name, "snap1") && !strcmp(s.parent, "base") &&
          !strcmp(s.description, "before the upgrade") &&
          s.creation_time == 1795395723 && s.downtime_ms == 120,
          "name, parent, description and times");
    check(!strcmp(s.domain.name, "g1") && !strcmp(s.domain.type, "pvh") &&
          !strcmp(s.host.xen, "4.17") && !strcmp(s.memory.file, "memory.xl") &&
          s.memory.size == 4096, "domain, host and memory");
    check(s.ndisks == 2 && meta_disk_has_part(&s.disks[0]) &&
          !strcmp(s.disks[0].part, "snap1") && s.disks[0].inode == 42 &&
          !meta_disk_has_part(&s.disks[1]) &&
          !strcmp(s.disks[1].reason, "CD-ROM"),
          "disks, with part and without");
    again = meta_to_json(&s);
    check(json_object_equal(o, again), "it is written as it was read");
    text = meta_text(again);
    check(strlen(text) > 2 && !strcmp(text + strlen(text) - 2, "}\n") &&
          strstr(text, "\"path\":\"/vg/g1.qcow2\"") != NULL,
          "as readable text: slashes as they are, a newline at the end");
    free(text);
    json_object_put(again);
    meta_free(&s);
    json_object_put(o);
}

/* As store_load() reads it, the configuration left alone. */
static void as_text(void)
{
    static const char *const configs[] = {
        "{}", "{ \"c_info\" : { \"name\":\"g1\", \"n\":[ 1, 2.5, null ] } }",
        "{\"config\":{\"a\\\"}\":true}}",
    };
    size_t i;

    for (i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        json_object *o = fixture_json("snap1", "base"), *again;
        struct snapshot s;
        struct err e;
        char *text;

        json_object_object_add(o, "config", json_tokener_parse(configs[i]));
        json_add_str(o, "of a later version", "kept");
        text = meta_text(o);
        check_ok(meta_parse_text(text, strlen(text), "f", &s, &e), &e,
                 "configuration %zu as text", i);
        free(text);
        again = meta_to_json(&s);
        text = meta_text(again);
        json_object_put(again);
        again = json_parse_object(text, strlen(text), "f", &e);
        check(json_object_equal(o, again), "and back");
        free(text);
        json_object_put(again);
        json_object_put(o);
        meta_free(&s);
    }
}

/* A snapshot that was made, not read: the keys in the order of the design. */
static void made(void)
{
    static const char *const keys[] = {
        "format", "version", "name", "description", "creation_time",
        "expires", "protected", "mode", "parent", "domain", "host",
        "downtime_ms", "memory", "disks", "config",
    };
    struct snapshot s, back;
    json_object *o;
    size_t i = 0;
    bool same = true;
    struct err e;

    fixture_snapshot("snap1", NULL, &s);
    json_object_put(s.raw);
    s.raw = NULL;
    o = meta_to_json(&s);
    {
        json_object_object_foreach(o, key, v) {
            (void)v;
            same = same && i < sizeof(keys) / sizeof(keys[0]) &&
                   !strcmp(key, keys[i]);
            i++;
        }
    }
    check(same && i == sizeof(keys) / sizeof(keys[0]),
          "keys in the order of the design");
    check(!meta_parse(o, "f", &back, &e) && !strcmp(back.name, "snap1") &&
          !back.parent && back.ndisks == 2 &&
          !strcmp(back.config, s.config) &&
          !strcmp(back.disks[0].stamp, s.disks[0].stamp),
          "what is made can be read back");
    meta_free(&back);
    json_object_put(o);
    meta_free(&s);
}

/* "key" or "obj.key" or "disks.key", of the first disk. */
static json_object *holder_of(json_object *o, const char *path,
                              const char **key_r)
{
    const char *dot = strchr(path, '.');
    json_object *in = o;
    char *first;

    *key_r = dot ? dot + 1 : path;
    if (!dot)
        return o;
    first = mem_printf("%.*s", (int)(dot - path), path);
    json_object_object_get_ex(o, first, &in);
    if (json_object_is_type(in, json_type_array))
        in = json_object_array_get_idx(in, 0);
    free(first);
    return in;
}

static int parse_with(const char *path, json_object *v, struct err *e)
{
    json_object *o = fixture_json("snap1", "base");
    struct snapshot s;
    const char *key;
    json_object *in = holder_of(o, path, &key);
    int rc;

    json_object_object_add(in, key, v);
    rc = meta_parse(o, "the.file", &s, e);
    if (!rc)
        meta_free(&s);
    json_object_put(o);
    return rc;
}

static int parse_without(const char *path, struct err *e)
{
    json_object *o = fixture_json("snap1", "base");
    struct snapshot s;
    const char *key;
    json_object *in = holder_of(o, path, &key);
    int rc;

    json_object_object_del(in, key);
    rc = meta_parse(o, "the.file", &s, e);
    if (!rc)
        meta_free(&s);
    json_object_put(o);
    return rc;
}

static const char *const required[] = {
    "format", "version", "name", "creation_time", "domain", "domain.name",
    "domain.uuid", "domain.type", "domain.state", "host", "downtime_ms",
    "memory", "memory.file", "memory.compression", "memory.size",
    "memory.stored_size", "memory.checksum", "disks", "disks.vdev",
    "disks.path", "disks.format", "disks.backend", "disks.type",
    "disks.snapshot", "disks.virtual_size", "disks.inode", "config",
};

static const char *const optional[] = {
    "description", "parent", "protected", "mode", "host.hostname", "host.xen",
    "host.qemu", "host.cpu", "disks.stamp",
};

/* Is the key named, as 'key', 'obj.key' or 'disks[0].key'? */
static bool names(const struct err *e, const char *path)
{
    const char *key = strrchr(path, '.');
    char *quoted = strncmp(path, "disks.", 6) ? mem_printf("'%s'", path) :
                   mem_printf("'disks[0].%s'", key + 1);
    bool yes = !strncmp(e->text, "the.file: ", 10) &&
               strstr(e->text, quoted);

    free(quoted);
    return yes;
}

static void missing(void)
{
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(required) / sizeof(required[0]); i++)
        check(parse_without(required[i], &e) && names(&e, required[i]),
              "without '%s' the error names file and key", required[i]);
    for (i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
        check_ok(parse_without(optional[i], &e), &e, "'%s' may be missing",
                 optional[i]);
        check_ok(parse_with(optional[i], NULL, &e), &e, "'%s' may be null",
                 optional[i]);
        check(parse_with(optional[i], json_object_new_int(1), &e) &&
              names(&e, optional[i]), "'%s' may not be a number",
              optional[i]);
    }
}

static void ranges(void)
{
    static const char *const numbers[] = {
        "creation_time", "downtime_ms", "memory.size", "memory.stored_size",
        "disks.virtual_size", "disks.inode",
    };
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        check(parse_with(numbers[i], json_object_new_int64(-1), &e) &&
              names(&e, numbers[i]), "'%s' is not negative", numbers[i]);
        check(parse_with(numbers[i], json_object_new_double(1.5), &e) &&
              names(&e, numbers[i]), "'%s' is whole", numbers[i]);
    }
    check(parse_with("memory.size", json_object_new_uint64(UINT64_MAX), &e) &&
          names(&e, "memory.size"), "a size that no file has is refused");
    check_ok(parse_with("disks.inode", json_object_new_uint64(UINT64_MAX),
                        &e), &e, "an inode may be any number");
}

static void bad_text(const char *path, const char *value, const char *why)
{
    struct err e;

    check(parse_with(path, json_object_new_string(value), &e) &&
          !strncmp(e.text, "the.file: ", 10) && strstr(e.text, why) &&
          e.status == SNAP_FAILED, "'%s' as '%s' is refused", path, value);
}

/* An LVM disk's volume and origin become arguments of LVM's programs. */
static void volumes(void)
{
    static const char *const bad[] = {
        "", "vg", "vg/", "/vg/lv", "vg/lv/x", "-vg/lv", "vg/-y", "vg/..",
        "vg/l v", "vg/a,b",
    };
    json_object *o = fixture_json("snap1", "base"), *back;
    const char *key;
    json_object *disk = holder_of(o, "disks.type", &key);
    struct snapshot s;
    struct err e;
    size_t i;

    json_object_object_add(disk, "type", json_object_new_string("lvm"));
    json_object_object_add(disk, "volume", json_object_new_string("vg/d.s-1"));
    check_err(meta_parse(o, "f", &s, &e), &e, SNAP_FAILED,
              "'disks[0].origin'", "an LVM disk needs its origin");
    json_object_object_add(disk, "origin", json_object_new_string("vg/d"));
    check_ok(meta_parse(o, "f", &s, &e), &e, "an LVM disk");
    check(!strcmp(s.disks[0].part, "vg/d.s-1") &&
          !strcmp(s.disks[0].origin, "vg/d"), "its volumes");
    back = meta_to_json(&s);
    check(json_object_equal(o, back), "are written as they were read");
    json_object_put(back);
    meta_free(&s);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_object_object_add(disk, "volume", json_object_new_string(bad[i]));
        check_err(meta_parse(o, "f", &s, &e), &e, SNAP_FAILED,
                  "'disks[0].volume'", "no volume: '%s'", bad[i]);
        json_object_object_add(disk, "volume",
                               json_object_new_string("vg/d.s-1"));
        json_object_object_add(disk, "origin", json_object_new_string(bad[i]));
        check_err(meta_parse(o, "f", &s, &e), &e, SNAP_FAILED,
                  "'disks[0].origin'", "no origin: '%s'", bad[i]);
        json_object_object_add(disk, "origin", json_object_new_string("vg/d"));
    }
    json_object_put(o);
}

static void hostile(void)
{
    static const char *const paths[] = {
        "", "relative.qcow2", "../x", "/../etc/shadow", "/a/../b", "/a/..",
        "/..", "-rf",
    };
    static const char *const files[] = {
        "../memory.xl", "a/b", "/etc/shadow", "..", ".", "",
        ".journal", "/memory.xl", "/x/memory.xl",
        "/x/g1.snap1./memory.xl", "/x/g1.snap2.abcdefgh/memory.xl",
        "/x/g1.snap1.abcdefgh/memory.xl.bak", "x/g1.snap1.ab/memory.xl",
        "/x/g1.snap1.ab/../memory.xl", "/../g1.snap1.ab/memory.xl",
        "/x/g1.snap1.a/b/memory.xl", "/x/g1.snap1.ab/memory.xl/",
    };
    static const char *const bad_names[] = {
        "", "..", "../x", "a/b", "1", ".new-x", "a b",
    };
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        bad_text("disks.path", paths[i], "'disks[0].path'");
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        bad_text("memory.file", files[i], "'memory.file'");
    for (i = 0; i < sizeof(bad_names) / sizeof(bad_names[0]); i++) {
        bad_text("name", bad_names[i], "'name'");
        bad_text("parent", bad_names[i], "'parent'");
        bad_text("disks.snapshot", bad_names[i], "'disks[0].snapshot'");
    }
    check_ok(parse_with("memory.file", json_object_new_string(
                            "/x y/g1.snap1.abcdefgh/memory.xl.zst"), &e), &e,
             "a memory image may be where --path puts it");
    check_ok(parse_with("disks.path", json_object_new_string("/a/..b/...c"),
                        &e), &e, "dots in a file's name are no way up");
    bad_text("format", "other", "'format'");
}

static void versions(void)
{
    static const char *const refused[] = { "2", "2.0", "99", "0", "0.9",
                                           "-1", "1e9", "\"1\"", "null" };
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        check(parse_with("version", json_tokener_parse(refused[i]), &e) &&
              names(&e, "version"), "version %s is refused", refused[i]);
    check(parse_with("version", json_object_new_int(2), &e) &&
          strstr(e.text, "reads version 1"),
          "and the error says which one can be read");
    check_ok(parse_with("version", json_object_new_double(1.7), &e), &e,
             "a later minor version is read");
}

static void later_minor(void)
{
    json_object *o = fixture_json("snap1", "base"), *out, *disks;
    struct snapshot s;
    struct err e;

    json_object_object_add(o, "version", json_tokener_parse("1.7"));
    json_object_object_add(o, "colour", json_object_new_string("red"));
    json_object_object_get_ex(o, "disks", &disks);
    json_object_object_add(json_object_array_get_idx(disks, 0), "speed",
                           json_tokener_parse("{\"a\":[1,null,2.5]}"));
    check_ok(meta_parse(o, "f", &s, &e), &e, "unknown keys are no error");
    free(s.parent);
    s.parent = mem_strdup("other");
    out = meta_to_json(&s);
    json_object_object_add(o, "parent", json_object_new_string("other"));
    check(json_object_equal(o, out),
          "they are kept when the parent changes: %.60s", plain(out));
    json_object_put(out);
    free(s.parent);
    s.parent = NULL;
    out = meta_to_json(&s);
    json_object_object_add(o, "parent", NULL);
    check(json_object_equal(o, out), "and when it goes");
    json_object_put(out);
    meta_free(&s);
    json_object_put(o);
}

static void protection(void)
{
    json_object *o = fixture_json("snap1", "base"), *out;
    struct snapshot s;
    struct err e;

    json_object_object_del(o, "protected");
    check(!meta_parse(o, "f", &s, &e) && !s.protected,
          "metadata from before there was protection is not protected");
    s.protected = true;
    out = meta_to_json(&s);
    check(json_true(out, "protected"), "a snapshot can be protected");
    meta_free(&s);
    json_object_put(o);
    check(!meta_parse(out, "f", &s, &e) && s.protected,
          "which is read again");
    s.protected = false;
    o = meta_to_json(&s);
    check(json_has(o, "protected") && !json_true(o, "protected"),
          "and can be taken away");
    meta_free(&s);
    json_object_put(o);
    json_object_put(out);
}

static void expiry(void)
{
    json_object *o = fixture_json("snap1", "base"), *out;
    struct json_at at = { "f", "" };
    struct snapshot s;
    struct err e;
    uint64_t when = 0;

    json_object_object_del(o, "expires");
    check(!meta_parse(o, "f", &s, &e) && !s.expires,
          "metadata from before there was an expiry does not expire");
    s.expires = 1800000000;
    out = meta_to_json(&s);
    check(!json_u64(out, "expires", at, UINT64_MAX, &when, &e) &&
          when == 1800000000, "a snapshot can be given an expiry");
    meta_free(&s);
    json_object_put(o);
    check(!meta_parse(out, "f", &s, &e) && s.expires == 1800000000,
          "which is read again");
    s.expires = 0;
    o = meta_to_json(&s);
    check(json_object_object_get_ex(o, "expires", NULL) &&
          !json_has(o, "expires"),
          "and can be taken away");
    meta_free(&s);
    json_object_put(o);
    json_add_str(out, "expires", "soon");
    check_err(meta_parse(out, "f", &s, &e), &e, SNAP_FAILED, "'expires'",
              "a word is no expiry");
    json_object_put(out);
}

static void description(void)
{
    json_object *o = fixture_json("snap1", "base"), *out;
    struct snapshot s;
    struct err e;

    check(!meta_parse(o, "f", &s, &e), "metadata with a description");
    free(s.description);
    s.description = NULL;
    out = meta_to_json(&s);
    check(json_object_object_get_ex(out, "description", NULL) &&
          !json_has(out, "description"),
          "whose description can be taken away");
    meta_free(&s);
    json_object_put(o);
    json_object_put(out);
}

static void many_disks(void)
{
    json_object *arr = json_object_new_array();
    struct err e;
    int i;

    for (i = 0; i < 100000; i++)
        json_object_array_add(arr, json_object_new_object());
    check(parse_with("disks", arr, &e) && strstr(e.text, "disks"),
          "a hundred thousand disks are refused");
    check(parse_with("disks", json_tokener_parse("[1]"), &e) &&
          strstr(e.text, "'disks[0]' is not an object"),
          "a disk that is no object is named");
    check_ok(parse_with("disks", json_object_new_array(), &e), &e,
             "a domain without disks is fine");
}

int main(void)
{
    round_trip();
    as_text();
    made();
    missing();
    ranges();
    volumes();
    hostile();
    versions();
    later_minor();
    protection();
    expiry();
    description();
    many_disks();
    return unit_done();
}
