#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/txn/job.h"
#include "snapshot/txn/journal.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static struct store st;
static char *file;

static json_object *header(void)
{
    json_object *o = json_object_new_object();

    json_add_str(o, "format", "test");
    json_add_str(o, "text", "with a \"quote\" and a\nnewline");
    return o;
}

/* Writes a journal with a header and these records. */
static void write_journal(size_t nbegins)
{
    json_object *o = header();
    struct journal j;
    struct err e;
    size_t i;

    if (journal_start(&st, o, &j, &e))
        check(false, "fixture: %s", e.text);
    for (i = 0; i < nbegins; i++)
        if (journal_begin(&j, 2 * i, 2 * i + 1, &e))
            check(false, "fixture: %s", e.text);
    journal_close(&j);
    json_object_put(o);
}

static void put(struct journal_content *c)
{
    json_object_put(c->header);
    json_object_put(c->notes);
}

/* The last step that may have started, -100 on failure. */
static long begun(struct err *e)
{
    struct journal_content c;
    json_object *want;
    struct journal j;
    long n;

    if (journal_read(&st, &j, &c, e))
        return c.header || j.fd >= 0 ? -200 : -100;
    want = header();
    n = json_object_equal(c.header, want) ? c.begun : -300;
    json_object_put(want);
    put(&c);
    journal_close(&j);
    return n;
}

static void records(void)
{
    struct journal j;
    json_object *o = header();
    struct err e;

    check(!journal_exists(&st), "no journal at first");
    check_ok(journal_start(&st, o, &j, &e), &e, "a journal starts");
    check(journal_exists(&st) && unit_mode(file) == 0600, "with mode 0600");
    check(begun(&e) == -1, "no step has begun");
    check(!journal_begin(&j, 0, 0, &e) && begun(&e) == 0, "the first has");
    check(!journal_begin(&j, 1, 4, &e) && begun(&e) == 4,
          "joined steps have begun with one record");
    check_ok(journal_end(&j, &e), &e, "it ends");
    check(!journal_exists(&st), "and is gone");
    json_object_put(o);
    write_journal(3);
    write_journal(0);
    check(begun(&e) == -1, "a new one replaces an older");
}

static void goes_on(void)
{
    struct journal_content c;
    struct journal j;
    struct err e;

    write_journal(2);
    check(!journal_read(&st, &j, &c, &e) && c.begun == 3 &&
          !journal_begin(&j, 4, 4, &e), "after a crash it is written on");
    journal_close(&j);
    put(&c);
    check(begun(&e) == 4, "and read again");
}

/* Facts beside the steps; the latest counts. */
static void notes(void)
{
    static const char *const texts[] = {
        "{\"a\":1,\"b\":\"x\"}", "{\"b\":\"y\"}",
    };
    struct journal_content c;
    struct journal j;
    struct err e;
    size_t i;

    write_journal(2);
    check(!journal_read(&st, &j, &c, &e) &&
          json_object_object_length(c.notes) == 0, "no note at first");
    put(&c);
    for (i = 0; i < 2; i++) {
        json_object *note = json_tokener_parse(texts[i]);

        check_ok(journal_note(&j, note, &e), &e, "a note is written");
        json_object_put(note);
    }
    journal_close(&j);
    check(!journal_read(&st, &j, &c, &e) && c.begun == 3 &&
          json_number(c.notes, "a") == 1 &&
          !strcmp(json_text(c.notes, "b"), "y"),
          "notes are read as one, a later one's member replaces an earlier's");
    put(&c);
    journal_close(&j);
}

/* What a power cut leaves of an append. */
static void torn(void)
{
    size_t len, shorter, at;
    char *text;
    bool all = true;
    struct err e;

    write_journal(2);
    text = unit_get(file, &shorter);
    free(text);
    write_journal(3);
    text = unit_get(file, &len);
    for (at = shorter; at <= len; at++) {
        long want = at == len ? 5 : 3;

        unit_put(file, text, at);
        if (begun(&e) != want) {
            printf("# %zu of %zu bytes: %s\n", at, len, e.text);
            all = false;
        }
    }
    check(all, "a last record cut at any byte has not begun");
    unit_put(file, text, len - 3);
    {
        struct journal_content c;
        struct journal j;

        check(!journal_read(&st, &j, &c, &e) && c.begun == 3 &&
              !journal_begin(&j, 9, 9, &e), "the torn end is cut off");
        journal_close(&j);
        put(&c);
    }
    check(begun(&e) == 9, "so that the next record is whole");
    free(text);
}

static void zeroes(void)
{
    size_t len;
    char *text, *more;
    struct err e;

    write_journal(2);
    text = unit_get(file, &len);
    more = mem_zalloc(len + 4096, 1);
    memcpy(more, text, len);
    unit_put(file, more, len + 4096);
    check(begun(&e) == 3, "a tail of zeroes is a torn one");
    free(more);
    free(text);
}

static void damage(void)
{
    size_t len, last, at;
    char *text;
    bool all = true;
    struct err e;

    write_journal(2);
    text = unit_get(file, &last);
    free(text);
    write_journal(3);
    text = unit_get(file, &len);
    /* Not the last newline: what joins the last two lines looks torn. */
    for (at = 0; at + 1 < last; at++) {
        text[at] ^= 1;
        unit_put(file, text, len);
        text[at] ^= 1;
        memset(&e, 0, sizeof(e));
        if (begun(&e) != -100 || e.status != SNAP_NEEDS_USER ||
            !strstr(e.text, file)) {
            printf("# byte %zu of %zu\n", at, len);
            all = false;
        }
    }
    check(all, "one wrong bit before the last record needs the user");
    for (at = 0; at < len; at++) {
        long n;

        unit_put(file, text, at);
        n = begun(&e);
        if (n < -1 && (n != -100 || e.status != SNAP_NEEDS_USER))
            all = false;
    }
    check(all, "cut at any byte: understood, or for the user to look at");
    free(text);
}

static void not_a_journal(const char *what)
{
    struct err e = { 0 };

    check(begun(&e) == -100 && e.status == SNAP_NEEDS_USER &&
          strstr(e.text, file), "%s: %s", what, e.text);
    unit_remove(file);
}

static void hostile(void)
{
    char *other = unit_path("other");

    unit_puts(file, "");
    not_a_journal("an empty file");
    unit_puts(file, "\n");
    not_a_journal("an empty line");
    unit_puts(file, "0123456789abcdef {}\n");
    not_a_journal("a wrong checksum");
    unit_puts(file, "garbage without a newline");
    not_a_journal("garbage");
    unit_puts(other, "x");
    unlink(file);
    check(!symlink(other, file) && journal_exists(&st), "a symbolic link");
    not_a_journal("is not followed");
    mkfifo(file, 0600);
    not_a_journal("a FIFO");
    mkdir(file, 0700);
    not_a_journal("a directory");
    unit_puts(file, "x");
    chmod(file, 0666);
    not_a_journal("a file that all may write");
    unit_puts(file, "x");
    if (truncate(file, 1ll << 33))
        skip("no sparse files here");
    else
        not_a_journal("eight gigabytes");
    free(other);
}

/* The header of an operation. */
static void job_round_trip(void)
{
    struct job j, back;
    json_object *o, *again;
    struct err e;
    enum op op;

    for (op = 0; op < OP_COUNT; op++) {
        memset(&j, 0, sizeof(j));
        memset(&back, 0, sizeof(back));
        j.op = op;
        j.domid = 7;
        j.paused = true;
        if (op == OP_IMPORT) {
            j.unique = strdup("0123cdef");
            j.cfg = strdup("/srv/web1.cfg");
        }
        fixture_snapshot("snap1", "base", &j.s);
        plan_delete(&j.s, &j.plan);
        o = job_to_json(&j);
        check_ok(job_parse(o, "j", &back, &e), &e, "%s: the job reads back",
                 job_op_name(op));
        again = job_to_json(&back);
        check(back.op == op && back.domid == 7 && back.paused &&
              back.plan.n == j.plan.n && back.plan.commit == j.plan.commit &&
              json_object_equal(o, again), "%s: the same", job_op_name(op));
        json_object_put(again);
        json_object_put(o);
        job_free(&back);
        job_free(&j);
    }
}

/* A valid header in which one member of the top level is another. */
static void job_with(const char *key, const char *value, const char *why)
{
    struct job j = { .domid = 7 }, back = { 0 };
    json_object *o;
    struct err e;

    fixture_snapshot("snap1", "base", &j.s);
    plan_delete(&j.s, &j.plan);
    o = job_to_json(&j);
    if (value)
        json_object_object_add(o, key, json_tokener_parse(value));
    else
        json_object_object_del(o, key);
    check_err(job_parse(o, "the.file", &back, &e), &e, SNAP_NEEDS_USER,
              "the.file", "'%s' %s: %s", key, value ? value : "missing", why);
    json_object_put(o);
    job_free(&j);
}

static void job_damage(void)
{
    static const char *const keys[] = { "format", "version", "operation",
                                        "domid", "steps", "commit",
                                        "snapshot" };
    size_t i;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        job_with(keys[i], NULL, "refused");
        job_with(keys[i], "true", "refused");
        job_with(keys[i], "null", "refused");
    }
    job_with("format", "\"xl-snapshot\"", "refused");
    job_with("version", "2", "refused");
    job_with("version", "0", "refused");
    job_with("operation", "\"format-disk\"", "refused");
    job_with("domid", "4294967296", "refused");
    job_with("commit", "4", "behind the last step");
    job_with("steps", "[]", "refused");
    job_with("steps", "[1]", "refused");
    job_with("steps", "[{\"do\":\"reboot\",\"disk\":0}]", "unknown");
    job_with("steps", "[{\"do\":\"hide\",\"disk\":0},"
             "{\"do\":\"remove\",\"disk\":2}]", "no such disk");
    job_with("steps", "[{\"do\":\"hide\"}]", "no disk");
    job_with("snapshot", "{}", "refused");
    job_with("unique", "\"/../../x\"", "no part of a name");
    job_with("cfg", "\"/srv/../x\"", "leads elsewhere");
    job_with("operation", "\"import\"", "without names");
}

int main(void)
{
    char *root = unit_path("store");
    size_t before;
    struct err e;

    if (store_open(&st, root, "g1", true, &e))
        check(false, "fixture: %s", e.text);
    file = unit_path("store/g1/.journal");
    before = unit_open_fds();
    records();
    goes_on();
    notes();
    torn();
    zeroes();
    damage();
    hostile();
    job_round_trip();
    job_damage();
    check(unit_open_fds() == before, "no descriptor is left open");
    store_close(&st);
    free(file);
    free(root);
    return unit_done();
}
