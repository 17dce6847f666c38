#include <string.h>

#include "snapshot/sys/mem.h"
#include "snapshot/qemu/qmp_frame.h"
#include "tests/unit/unit.h"

static const char *plain(json_object *o)
{
    return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
}

/* Takes one object and compares; false also if there is none or an error. */
static bool next_is(struct qmp_frame *f, const char *want)
{
    json_object *o = NULL;
    struct err e;
    bool same = !qmp_frame_next(f, &o, &e) && o && !strcmp(plain(o), want);

    json_object_put(o);
    return same;
}

static bool nothing(struct qmp_frame *f)
{
    json_object *o = NULL;
    struct err e;

    return !qmp_frame_next(f, &o, &e) && !o;
}

static int feed(struct qmp_frame *f, const char *text)
{
    struct err e;

    return qmp_frame_feed(f, text, strlen(text), &e);
}

static void whole(void)
{
    struct qmp_frame f = { 0 };

    check(nothing(&f), "nothing fed, nothing comes");
    feed(&f, "{\"a\":1}");
    check(nothing(&f), "an object without its newline waits");
    feed(&f, "\r\n");
    check(next_is(&f, "{\"a\":1}") && nothing(&f),
          "its newline completes it, once");
    qmp_frame_free(&f);
}

static void split(void)
{
    static const char text[] = "{\"a\":\"x y\"}\r\n{\"b\":[1,2]}\n";
    bool all = true, bytewise = true;
    struct qmp_frame f;
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(text); i++) {
        memset(&f, 0, sizeof(f));
        qmp_frame_feed(&f, text, i, &e);
        if (i < strlen("{\"a\":\"x y\"}\r\n") && !nothing(&f))
            all = false;
        qmp_frame_feed(&f, text + i, sizeof(text) - 1 - i, &e);
        all = all && next_is(&f, "{\"a\":\"x y\"}") &&
              next_is(&f, "{\"b\":[1,2]}") && nothing(&f);
        qmp_frame_free(&f);
    }
    check(all, "two objects split in two at each byte come whole");
    memset(&f, 0, sizeof(f));
    for (i = 0; i < sizeof(text) - 1; i++) {
        json_object *o = NULL;
        bool end = text[i] == '\n';

        qmp_frame_feed(&f, text + i, 1, &e);
        if (qmp_frame_next(&f, &o, &e) || (o != NULL) != end)
            bytewise = false;
        json_object_put(o);
    }
    check(bytewise, "fed byte by byte they come at their newlines");
    qmp_frame_free(&f);
}

static void several(void)
{
    struct qmp_frame f = { 0 };

    feed(&f, "\n \t\r\n{\"a\":1}\n\n{\"b\":2}\n  {\"c\":3} \n{\"d\"");
    check(next_is(&f, "{\"a\":1}") && next_is(&f, "{\"b\":2}") &&
          next_is(&f, "{\"c\":3}") && nothing(&f),
          "several objects in one read, blank lines between");
    feed(&f, ":4}\n");
    check(next_is(&f, "{\"d\":4}"), "the rest of a read is kept");
    qmp_frame_free(&f);
}

static void blank(void)
{
    struct qmp_frame f = { 0 };
    bool all = true;
    int i;

    /* Exactly as long as what was allocated. */
    for (i = 0; i < 100; i++)
        all = all && !feed(&f, "\n") && nothing(&f) && !feed(&f, "  \n\n\n") &&
              nothing(&f);
    check(all, "nothing but blank lines is nothing");
    qmp_frame_free(&f);
}

static void bad(const char *line, size_t len, const char *what)
{
    struct qmp_frame f = { 0 };
    json_object *o = NULL;
    struct err e;

    qmp_frame_feed(&f, line, len, &e);
    qmp_frame_feed(&f, "{\"a\":1}\n", 8, &e);
    check_err(qmp_frame_next(&f, &o, &e), &e, SNAP_FAILED, "QMP", "%s", what);
    check(next_is(&f, "{\"a\":1}"), "the line behind it can be read");
    qmp_frame_free(&f);
}

static void garbage(void)
{
    bad("garbage\n", 8, "a word is refused");
    bad("{\"a\":\n", 6, "an object over two lines is refused");
    bad("{\"a\":1}{\"b\":2}\n", 15, "two objects in one line are refused");
    bad("[1]\n", 4, "an array is refused");
    bad("null\n", 5, "null is refused");
    bad("\0\0\0\n", 4, "NUL bytes are refused");
    bad("{}\0\n", 4, "a NUL behind the object is refused");
    bad("\xff\xfe\x80\n", 4, "bytes that are no text are refused");
}

static void deep(void)
{
    struct qmp_frame f = { 0 };
    char *text = mem_zalloc(1, 1000001);
    json_object *o = NULL;
    struct err e;

    memset(text, '[', 1000000);
    memcpy(text, "{\"a\":", 5);
    text[999999] = '\n';
    qmp_frame_feed(&f, text, 1000000, &e);
    check_err(qmp_frame_next(&f, &o, &e), &e, SNAP_FAILED, "nesting",
              "nesting without end is refused");
    qmp_frame_free(&f);
    free(text);
}

static void endless(void)
{
    struct qmp_frame f = { 0 };
    char *chunk = mem_zalloc(1, 65536);
    struct err e = { 0 };
    size_t total = 0;
    int rc = 0;

    memset(chunk, 'x', 65536);
    while (!rc && total < 64u << 20) {
        rc = qmp_frame_feed(&f, chunk, 65536, &e);
        total += 65536;
        if (!rc && !nothing(&f))
            rc = 1;
    }
    check_err(rc, &e, SNAP_FAILED, "exceeds",
              "a line without end is refused");
    check(total <= JSON_MAX_SIZE + 65536, "at the size bound, not later");
    qmp_frame_free(&f);
    free(chunk);
}

int main(void)
{
    whole();
    split();
    several();
    blank();
    garbage();
    deep();
    endless();
    return unit_done();
}
