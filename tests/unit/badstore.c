#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "snapshot/sys/mem.h"
#include "tests/unit/badstore.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

struct badstore bad;

const char *const bad_values[] = {
    "null", "true", "0", "1", "-1", "1.5", "99999999999999999999", "\"\"",
    "\"..\"", "\"/a/../b\"", "\"../../x\"", "\"a\\u0000b\"", "\"a\\nb\"",
    "[]", "{}", "[[]]", "[null]", "{\"a\":1}",
};

void bad_fresh(void)
{
    char *text = fixture_text("a", NULL), *dir = unit_path("store/g1");
    char *precious = unit_path("outside/snapshot.json");

    unit_remove(bad.root);
    unit_remove(bad.outside);
    mkdir(bad.root, 0700);
    mkdir(dir, 0700);
    mkdir(bad.snap_dir, 0700);
    mkdir(bad.outside, 0700);
    unit_puts(bad.snap_json, text);
    unit_puts(precious, text);
    unit_puts(bad.dom_json, "{\"uuid\": \"u\", \"current\": \"a\"}\n");
    free(precious);
    free(dir);
    free(text);
}

bool bad_outside_is_whole(void)
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

long bad_list(struct err *problems, struct err *e)
{
    struct tree t = { 0 };
    char *domain = NULL;
    bool pending;
    long n = -1;

    memset(problems, 0, sizeof(*problems));
    memset(e, 0, sizeof(*e));
    bad.tried++;
    if (!snap_list(&bad.env, "g1", true, &domain, &t, &pending, problems, e))
        n = (long)t.n;
    tree_free(&t);
    free(domain);
    return n;
}

/* The image of the fixture is not there, which is no matter here. */
enum snap_status bad_delete(struct err *e)
{
    char *names[] = { (char *)"a" };
    struct snap_delete req = { .domain = "g1", .names = names, .nnames = 1 };
    size_t n;

    memset(e, 0, sizeof(*e));
    bad.tried++;
    if (!snap_delete(&bad.env, &req, &n, e))
        return SNAP_OK;
    if (!strstr(e->text, "/vg/g1.qcow2 is not there: bring it back"))
        return e->status;
    req.force = true;
    return snap_delete(&bad.env, &req, &n, e) ? e->status : SNAP_OK;
}

enum snap_status bad_revert(struct err *e)
{
    struct snap_revert req = { .domain = "g1", .name = "a" };
    struct snapshot to;
    uint64_t ms;

    memset(e, 0, sizeof(*e));
    bad.tried++;
    if (snap_revert(&bad.env, &req, &to, &ms, e))
        return e->status;
    meta_free(&to);
    return SNAP_OK;
}

bool bad_refused(const char *part)
{
    struct err problems, e;
    bool ok = !bad_list(&problems, &e) &&
              strstr(problems.text, bad.snap_json) &&
              strstr(problems.text, part) && !strchr(problems.text, '\n');

    if (!ok)
        printf("# want '%s', got '%s' '%s'\n", part, problems.text, e.text);
    return ok;
}

bool bad_stays(void)
{
    struct err e;
    struct stat st;

    return bad_delete(&e) == SNAP_FAILED && bad_revert(&e) == SNAP_FAILED &&
           !stat(bad.snap_dir, &st) && bad_outside_is_whole();
}

void bad_begin(void)
{
    bad.root = unit_path("store");
    bad.outside = unit_path("outside");
    bad.snap_dir = unit_path("store/g1/a");
    bad.snap_json = unit_path("store/g1/a/snapshot.json");
    bad.dom_json = unit_path("store/g1/domain.json");
    bad.journal = unit_path("store/g1/.journal");
    bad.env.root = bad.root;
}

int bad_done(void)
{
    printf("note - %lu malformed inputs tried, no crash\n", bad.tried);
    free(bad.journal);
    free(bad.dom_json);
    free(bad.snap_json);
    free(bad.snap_dir);
    free(bad.outside);
    free(bad.root);
    return unit_done();
}
