/*
 * Damaged and hostile files in the store, through the operations that a user
 * starts: an error that names file and field, no crash, no hang, nothing
 * followed and nothing changed outside.  No domain runs here.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "snapshot/job.h"
#include "snapshot/journal.h"
#include "snapshot/mem.h"
#include "snapshot/memory.h"
#include "snapshot/snapshot.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static unsigned long tried;
static char *root, *snap_dir, *snap_json, *dom_json, *journal, *outside;
static struct snap_env env;
static const char *const values[] = {
    "null", "true", "0", "1", "-1", "1.5", "99999999999999999999", "\"\"",
    "\"..\"", "\"/a/../b\"", "\"../../x\"", "\"a\\u0000b\"", "\"a\\nb\"",
    "[]", "{}", "[[]]", "[null]", "{\"a\":1}",
};
#define NVALUES (sizeof(values) / sizeof(values[0]))

/* One snapshot "a" in the store, and a file outside that nobody may touch. */
static void fresh(void)
{
    char *text = fixture_text("a", NULL), *dir = unit_path("store/g1");
    char *precious = unit_path("outside/snapshot.json");

    unit_remove(root);
    unit_remove(outside);
    mkdir(root, 0700);
    mkdir(dir, 0700);
    mkdir(snap_dir, 0700);
    mkdir(outside, 0700);
    unit_puts(snap_json, text);
    unit_puts(precious, text);
    unit_puts(dom_json, "{\"uuid\": \"u\", \"current\": \"a\"}\n");
    free(precious);
    free(dir);
    free(text);
}

static bool outside_is_whole(void)
{
    char *precious = unit_path("outside/snapshot.json");
    char *want = fixture_text("a", NULL), *text = unit_get(precious, NULL);
    bool whole = text && !strcmp(text, want);

    if (!whole)
        printf("# what a link leads to was changed\n");
    free(text);
    free(want);
    free(precious);
    return whole;
}

/* Lists; how many snapshots, or -1.  What is damaged is in *problems. */
static long list(struct err *problems, struct err *e)
{
    struct tree t = { 0 };
    char *domain = NULL;
    bool pending;
    long n = -1;

    memset(problems, 0, sizeof(*problems));
    memset(e, 0, sizeof(*e));
    tried++;
    if (!snap_list(&env, "g1", true, &domain, &t, &pending, problems, e))
        n = (long)t.n;
    tree_free(&t);
    free(domain);
    return n;
}

/* Deletes "a"; its status. */
static enum snap_status delete(struct err *e)
{
    char *names[] = { (char *)"a" };
    struct snap_delete req = { .domain = "g1", .names = names, .nnames = 1 };
    size_t n;

    memset(e, 0, sizeof(*e));
    tried++;
    return snap_delete(&env, &req, &n, e) ? e->status : SNAP_OK;
}

static enum snap_status revert(struct err *e)
{
    struct snap_revert req = { .domain = "g1", .name = "a" };
    struct snapshot to;
    uint64_t ms;

    memset(e, 0, sizeof(*e));
    tried++;
    if (snap_revert(&env, &req, &to, &ms, e))
        return e->status;
    meta_free(&to);
    return SNAP_OK;
}

/* The damaged snapshot is told by its file, and neither goes nor is used. */
static bool refused(const char *part)
{
    struct err problems, e;
    bool ok = !list(&problems, &e) && strstr(problems.text, snap_json) &&
              strstr(problems.text, part) && !strchr(problems.text, '\n');

    if (!ok)
        printf("# want '%s', got '%s' '%s'\n", part, problems.text, e.text);
    return ok;
}

static bool stays(void)
{
    struct err e;
    struct stat st;

    return delete(&e) == SNAP_FAILED && revert(&e) == SNAP_FAILED &&
           !stat(snap_dir, &st) && outside_is_whole();
}

static void truncated(void)
{
    size_t len, at;
    char *text;
    bool all = true;

    fresh();
    text = unit_get(snap_json, &len);
    for (at = 0; at + 1 < len; at++) {
        unit_put(snap_json, text, at);
        all = all && refused("not valid JSON");
    }
    check(all, "snapshot.json cut at each of %zu bytes", len - 1);
    check(stays(), "is neither deleted nor reverted to");
    free(text);
}

static void bytes(void)
{
    static const char bad[] = { '\0', '\xff', '"', '{', '9', '\x1b' };
    size_t len, at, i;
    char *text;
    bool all = true;
    struct err problems, e;

    fresh();
    text = unit_get(snap_json, &len);
    for (at = 0; at < len; at++)
        for (i = 0; i < sizeof(bad); i++) {
            char was = text[at];
            long n;

            text[at] = bad[i];
            unit_put(snap_json, text, len);
            text[at] = was;
            n = list(&problems, &e);
            /* Some bytes are as good as the old: in a description, say. */
            if (n != 1 && (n || !strstr(problems.text, snap_json)))
                all = false;
        }
    check(all, "any byte of it replaced by one of %zu others", sizeof(bad));
    free(text);
}

/* Keys that may be null or missing, and those that nobody reads here. */
static bool is_free(const char *path, const char *value)
{
    static const char *const optional[] = {
        "description", "parent", "protected", "hostname", "xen", "qemu",
        "cpu", "stamp", "reason",
    };
    size_t i;

    if (!strncmp(path, "config.", 7) ||
        (!strcmp(path, "version") && !strcmp(value, "1.5")))
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
    for (i = 0; i <= NVALUES; i++) {
        json_object *v = i < NVALUES ? json_tokener_parse(values[i]) : NULL;
        bool other = i == NVALUES || json_object_get_type(v) !=
                     json_object_get_type(back);
        bool exempt = is_free(path, i < NVALUES ? values[i] : "null");
        bool away = i < NVALUES && leads_away(path, values[i]);
        char *text;
        long n;

        if (i < NVALUES)
            json_object_object_add(in, key, v);
        else
            json_object_object_del(in, key);
        text = meta_text(doc);
        unit_puts(snap_json, text);
        free(text);
        n = list(&problems, &e);
        if (n == 1 ? away || (other && !exempt) :
            n || !strstr(problems.text, snap_json) ||
            !strstr(problems.text, key)) {
            printf("# %s as %s: %ld, '%s'\n", path,
                   i < NVALUES ? values[i] : "nothing", n, problems.text);
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
    unsigned long before = tried;

    fresh();
    doc = fixture_json("a", NULL);
    mutations_ok = true;
    mutate_all(doc, "");
    check(mutations_ok, "each key as each other type, or missing: %lu "
          "documents; the error names file and key", tried - before);
    json_object_put(doc);
}

static void big_and_deep(void)
{
    char *big = mem_zalloc(1, JSON_MAX_SIZE + 4096), *text;
    json_object *o = fixture_json("a", NULL);
    size_t i;

    fresh();
    memset(big, ' ', JSON_MAX_SIZE + 4000);
    memcpy(big, "{\"a\":1", 6);
    unit_puts(snap_json, big);
    check(refused("is larger than"), "a huge one");
    check(!truncate(snap_json, 1ll << 40) && refused("is larger than"),
          "a terabyte of one");
    memset(big, '[', 1000000);
    memcpy(big, "{\"config\":", 10);
    big[1000000] = '\0';
    unit_puts(snap_json, big);
    check(refused("nesting too deep"), "a deep one");
    for (i = 0; i < 3; i++) {
        static const char *const later[] = { "2", "2.5", "1e300" };

        json_object_object_add(o, "version", json_tokener_parse(later[i]));
        text = meta_text(o);
        unit_puts(snap_json, text);
        free(text);
        check(refused("'version' is ") && stays(), "one of version %s",
              later[i]);
    }
    json_object_put(o);
    free(big);
}

static void put_named(const char *name, const char *parent)
{
    char *dir = mem_printf("%s/g1/%s", root, name);
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

    fresh();
    put_named("a", "a");
    check(list(&problems, &e) == 1 && strstr(problems.text, "a: it is its "
          "own ancestor"), "a snapshot that is its own parent");
    put_named("a", "c");
    put_named("b", "a");
    put_named("c", "b");
    check(list(&problems, &e) == 3 && strstr(problems.text, "own ancestor"),
          "three that are each other's");
    put_named("a", "lost");
    check(list(&problems, &e) == 3 && strstr(problems.text,
          "its parent lost does not exist"), "a parent that is not there");
    check(delete(&e) == SNAP_OK && list(&problems, &e) == 2,
          "such a tree can be mended by deleting");
}

static void make_fifo(const char *path)
{
    mkfifo(path, 0600);
}

static void make_link(const char *path)
{
    char *to = unit_path("outside/snapshot.json");

    if (symlink(to, path))
        perror(path);
    free(to);
}

static void make_dir_link(const char *path)
{
    if (symlink(outside, path))
        perror(path);
}

static void make_device(const char *path)
{
    mknod(path, S_IFCHR | 0600, makedev(1, 5));
}

static void make_dir(const char *path)
{
    mkdir(path, 0700);
}

static void make_open(const char *path)
{
    char *text = fixture_text("a", NULL);

    unit_puts(path, text);
    chmod(path, 0666);
    free(text);
}

static void make_foreign(const char *path)
{
    char *text = fixture_text("a", NULL);

    unit_puts(path, text);
    if (chown(path, 12345, 12345))
        unlink(path);
    free(text);
}

static const struct { const char *what; void (*make)(const char *path); }
hostile[] = {
    { "a FIFO", make_fifo },
    { "a link to a good file", make_link },
    { "a link to a directory", make_dir_link },
    { "a device", make_device },
    { "a directory", make_dir },
    { "a file that all may write", make_open },
    { "a file of another owner", make_foreign },
};
#define NHOSTILE (sizeof(hostile) / sizeof(hostile[0]))

/* Something else in the place of a file; false if it cannot be made here. */
static bool replaced(const char *path, size_t i)
{
    struct stat st;

    fresh();
    unit_remove(path);
    hostile[i].make(path);
    if (!lstat(path, &st))
        return true;
    skip("cannot make %s", hostile[i].what);
    return false;
}

static void replaced_files(void)
{
    struct err problems, e;
    size_t i;

    for (i = 0; i < NHOSTILE; i++) {
        if (!replaced(snap_json, i))
            continue;
        check(refused("") && stays(), "%s as snapshot.json",
              hostile[i].what);
        replaced(dom_json, i);
        check(list(&problems, &e) == -1 && strstr(e.text, dom_json) &&
              delete(&e) == SNAP_FAILED && strstr(e.text, dom_json) &&
              outside_is_whole(), "%s as domain.json", hostile[i].what);
        replaced(journal, i);
        check(delete(&e) == SNAP_NEEDS_USER && strstr(e.text, journal) &&
              revert(&e) == SNAP_NEEDS_USER && list(&problems, &e) == 1 &&
              outside_is_whole(), "%s as journal", hostile[i].what);
    }
}

static void replaced_dirs(void)
{
    char *dom = unit_path("store/g1"), *lock = unit_path("store/g1/.lock");
    char *ghost = unit_path("store/g1/.del-a");
    struct err problems, e;
    size_t i;

    for (i = 0; i < NHOSTILE; i++) {
        if (!strcmp(hostile[i].what, "a directory") || !replaced(snap_dir, i))
            continue;
        check(list(&problems, &e) == 0 && delete(&e) == SNAP_FAILED &&
              outside_is_whole(), "%s as snapshot", hostile[i].what);
        replaced(dom, i);
        check(list(&problems, &e) == -1 && strstr(e.text, dom) &&
              delete(&e) == SNAP_FAILED && strstr(e.text, dom) &&
              outside_is_whole(), "%s as a domain's directory",
              hostile[i].what);
    }
    for (i = 0; i < 4; i++) {
        if (!replaced(lock, i))
            continue;
        check(delete(&e) == SNAP_FAILED && strstr(e.text, lock) &&
              outside_is_whole(), "%s as lock", hostile[i].what);
        replaced(ghost, i);
        check(list(&problems, &e) == 1 && delete(&e) != SNAP_OK &&
              outside_is_whole(), "%s where a deletion would move it",
              hostile[i].what);
    }
    fresh();
    chmod(snap_dir, 0777);
    check(list(&problems, &e) == 0 && strstr(problems.text, "mode 0777"),
          "a snapshot's directory that all may write");
    free(ghost);
    free(lock);
    free(dom);
}

static void memory_images(void)
{
    char *file = unit_path("store/g1/a/memory.xl");
    struct err e;
    size_t i;

    fresh();
    check(revert(&e) == SNAP_FAILED && strstr(e.text, file),
          "a memory image that is not there");
    unit_puts(file, "too short");
    check(revert(&e) == SNAP_FAILED && strstr(e.text, file),
          "one that is none");
    for (i = 0; i < NHOSTILE; i++)
        if (replaced(file, i))
            check(revert(&e) == SNAP_FAILED && strstr(e.text, file) &&
                  outside_is_whole(), "%s as memory image", hostile[i].what);
    free(file);
}

static void domain_json(void)
{
    static const char good[] = "{\"uuid\": \"u\", \"current\": \"a\"}";
    struct err problems, e;
    size_t i;
    bool all = true;

    fresh();
    for (i = 0; i + 1 < sizeof(good); i++) {
        unit_put(dom_json, good, i);
        all = all && list(&problems, &e) == -1 && strstr(e.text, dom_json);
    }
    for (i = 1; i < NVALUES; i++) {
        char *text = mem_printf("{\"current\": %s}", values[i]);
        long n;

        unit_puts(dom_json, text);
        n = list(&problems, &e);
        if (n == -1 ? !strstr(e.text, dom_json) ||
                      !strstr(e.text, "'current'") :
            !strstr(problems.text, "current snapshot"))
            all = false;
        free(text);
    }
    check(all, "domain.json cut at each byte, current as any other value");
}

/* A journal with right checksums, whatever is in it. */
static void put_journal(const char *header, const char *record)
{
    char *text = mem_printf("%016" PRIx64 " %s\n%016" PRIx64 " %s\n",
        (uint64_t)XXH3_64bits(header, strlen(header)), header,
        (uint64_t)XXH3_64bits(record, strlen(record)), record);

    unit_puts(journal, text);
    free(text);
}

static json_object *journal_doc(enum op op)
{
    struct job j = { .op = op, .domid = 7 };
    struct err problems = { 0 };
    json_object *o;

    fixture_snapshot("a", NULL, &j.s);
    if (op == OP_REVERT)
        plan_revert(&j.s, NULL, false, true, &j.plan, &problems);
    else if (op == OP_PROTECT)
        plan_protect(&j.plan);
    else
        plan_delete(&j.s, &j.plan);
    o = job_to_json(&j);
    job_free(&j);
    return o;
}

static bool journal_ok(const char *record)
{
    const char *text = json_object_to_json_string_ext(doc,
                           JSON_C_TO_STRING_PLAIN);
    struct err problems, e;
    enum snap_status status;

    put_journal(text, record);
    status = delete(&e);
    if (status == SNAP_USAGE || status == SNAP_BUSY ||
        (status == SNAP_NEEDS_USER && !strstr(e.text, "journal") &&
         !strstr(e.text, "unfinished") && !strstr(e.text, "completed") &&
         !strstr(e.text, "undone")) || list(&problems, &e) < -1 ||
        !outside_is_whole()) {
        printf("# status %d '%s' of %.200s\n", status, e.text, text);
        return false;
    }
    return true;
}

static void mutate_journal(json_object *in, const char *key)
{
    json_object *old = NULL, *back = NULL;
    size_t i;

    json_object_object_get_ex(in, key, &old);
    json_object_deep_copy(old, &back, NULL);
    for (i = 0; i < NVALUES; i++) {
        json_object_object_add(in, key, json_tokener_parse(values[i]));
        fresh();
        if (!journal_ok("{\"begin\":0,\"through\":0}"))
            mutations_ok = false;
        fresh();
        if (!journal_ok("{\"begin\":1,\"through\":1}"))
            mutations_ok = false;
    }
    json_object_object_add(in, key, back);
}

static void journals(void)
{
    static const char *const keys[] = { "format", "version", "operation",
        "domid", "paused", "steps", "commit", "snapshot" };
    static const char *const inner[] = { "name", "parent", "disks", "memory",
        "domain" };
    static const char *const records[] = {
        "{}", "{\"through\":true}", "{\"through\":-1}", "[]", "null",
        "{\"through\":99999}", "{\"through\":999999999999}", "x", "",
    };
    unsigned long before = tried;
    json_object *s;
    size_t i;
    enum op op;

    mutations_ok = true;
    for (op = OP_REVERT; op <= OP_PROTECT; op++) {
        doc = journal_doc(op);
        for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            mutate_journal(doc, keys[i]);
        json_object_object_get_ex(doc, "snapshot", &s);
        for (i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
            mutate_journal(s, inner[i]);
        for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
            fresh();
            if (!journal_ok(records[i]))
                mutations_ok = false;
        }
        json_object_put(doc);
    }
    check(mutations_ok, "journals with right checksums and wrong content: "
          "%lu commands", tried - before);
}

static void journal_bytes(void)
{
    json_object *o = journal_doc(OP_DELETE);
    size_t len, at;
    char *text;
    bool all = true;
    struct err e;

    fresh();
    put_journal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                "{\"begin\":0,\"through\":0}");
    text = unit_get(journal, &len);
    json_object_put(o);
    for (at = 0; at < len; at++) {
        enum snap_status status;
        bool header = at <= (size_t)(strchr(text, '\n') - text);

        fresh();
        unit_put(journal, text, at);
        status = delete(&e);
        /* Only the last record may be torn: then it has not begun. */
        if (header ? status != SNAP_NEEDS_USER || !strstr(e.text, journal) :
            status != SNAP_OK) {
            printf("# %zu bytes: %d '%s'\n", at, status, e.text);
            all = false;
        }
    }
    check(all, "a journal cut at each of %zu bytes", len);
    free(text);
}

static void names(void)
{
    static const char *const bad[] = { "", ".", "..", "../g1", "a/b", "1",
        "/etc", ".del-a", ".new-a", "a\nb", "-x" };
    char *one[1];
    struct snap_delete req = { .domain = "g1", .names = one, .nnames = 1 };
    struct snap_delete dom = { .names = one, .nnames = 1 };
    struct err e;
    size_t i, n;
    bool all = true;

    fresh();
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++, tried += 2) {
        one[0] = mem_strdup(bad[i]);
        if (!snap_delete(&env, &req, &n, &e) || e.status != SNAP_USAGE)
            all = false;
        free(one[0]);
        one[0] = mem_strdup("a");
        dom.domain = bad[i];
        if (!snap_delete(&env, &dom, &n, &e) || !outside_is_whole())
            all = false;
        free(one[0]);
    }
    check(all, "names of snapshots and domains that lead elsewhere");
}

int main(void)
{
    root = unit_path("store");
    outside = unit_path("outside");
    snap_dir = unit_path("store/g1/a");
    snap_json = unit_path("store/g1/a/snapshot.json");
    dom_json = unit_path("store/g1/domain.json");
    journal = unit_path("store/g1/.journal");
    env.root = root;
    truncated();
    bytes();
    wrong_types();
    big_and_deep();
    trees();
    replaced_files();
    replaced_dirs();
    memory_images();
    domain_json();
    journals();
    journal_bytes();
    names();
    printf("note - %lu malformed inputs tried, no crash\n", tried);
    free(journal);
    free(dom_json);
    free(snap_json);
    free(snap_dir);
    free(outside);
    free(root);
    return unit_done();
}
