/* Damaged journals. */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "snapshot/txn/job.h"
#include "snapshot/txn/journal.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/badstore.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static json_object *doc;
static bool mutations_ok;

/* A journal with right checksums, whatever is in it. */
static void put_journal(const char *header, const char *record)
{
    char *text = mem_printf("%016" PRIx64 " %s\n%016" PRIx64 " %s\n",
        (uint64_t)XXH3_64bits(header, strlen(header)), header,
        (uint64_t)XXH3_64bits(record, strlen(record)), record);

    unit_puts(bad.journal, text);
    free(text);
}

static json_object *journal_doc(enum op op)
{
    struct job j = { .op = op, .domid = 7 };
    json_object *o;

    fixture_snapshot("a", NULL, &j.s);
    if (op == OP_REVERT)
        plan_revert(&j.s, false, &j.plan);
    else if (op == OP_SET)
        plan_set(&j.plan);
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
    status = bad_delete(&e);
    if (status == SNAP_USAGE || status == SNAP_BUSY ||
        (status == SNAP_NEEDS_USER && !strstr(e.text, "journal") &&
         !strstr(e.text, "unfinished") && !strstr(e.text, "completed") &&
         !strstr(e.text, "undone")) || bad_list(&problems, &e) < -1 ||
        !bad_outside_is_whole()) {
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
    for (i = 0; i < BAD_NVALUES; i++) {
        json_object_object_add(in, key, json_tokener_parse(bad_values[i]));
        bad_fresh();
        if (!journal_ok("{\"begin\":0,\"through\":0}"))
            mutations_ok = false;
        bad_fresh();
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
    unsigned long before = bad.tried;
    json_object *s;
    size_t i;
    enum op op;

    mutations_ok = true;
    for (op = OP_REVERT; op <= OP_SET; op++) {
        doc = journal_doc(op);
        for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            mutate_journal(doc, keys[i]);
        json_object_object_get_ex(doc, "snapshot", &s);
        for (i = 0; i < sizeof(inner) / sizeof(inner[0]); i++)
            mutate_journal(s, inner[i]);
        for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
            bad_fresh();
            if (!journal_ok(records[i]))
                mutations_ok = false;
        }
        json_object_put(doc);
    }
    check(mutations_ok, "journals with right checksums and wrong content: "
          "%lu commands", bad.tried - before);
}

static void journal_bytes(void)
{
    json_object *o = journal_doc(OP_DELETE);
    size_t len, at;
    char *text;
    bool all = true;
    struct err e;

    bad_fresh();
    put_journal(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                "{\"begin\":0,\"through\":0}");
    text = unit_get(bad.journal, &len);
    json_object_put(o);
    for (at = 0; at < len; at++) {
        enum snap_status status;
        bool header = at <= (size_t)(strchr(text, '\n') - text);

        bad_fresh();
        unit_put(bad.journal, text, at);
        status = bad_delete(&e);
        /* Only the last record may be torn: then it has not begun. */
        if (header ? status != SNAP_NEEDS_USER || !strstr(e.text, bad.journal) :
            status != SNAP_OK) {
            printf("# %zu bytes: %d '%s'\n", at, status, e.text);
            all = false;
        }
    }
    check(all, "a journal cut at each of %zu bytes", len);
    free(text);
}

int main(void)
{
    bad_begin();
    journals();
    journal_bytes();
    return bad_done();
}
