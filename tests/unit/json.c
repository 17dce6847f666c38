#include <stdio.h>
#include <string.h>

#include "snapshot/sys/json.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

static json_object *parse(const char *text, struct err *e)
{
    return json_parse_object(text, strlen(text), "the.file", e);
}

static void refused(const char *text, const char *why)
{
    struct err e = { 0 };
    json_object *o = parse(text, &e);

    check_err(o ? 0 : -1, &e, SNAP_FAILED, why, "refused: %.40s", text);
    check(!strncmp(e.text, "the.file: ", 10), "the error names the file");
    json_object_put(o);
}

static void documents(void)
{
    static const char *const good[] = {
        "{}", " \n{ }\r\n\t ", "{\"a\":1}\n", "{\"a\":{\"b\":[1,{}]}}",
    };
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        json_object *o = parse(good[i], &e);

        check(o != NULL, "accepted: %zu", i + 1);
        json_object_put(o);
    }
    refused("", "");
    refused("   ", "");
    refused("{", "ends too early");
    refused("{\"a\":", "ends too early");
    refused("{\"a\":1", "ends too early");
    refused("null", "");
    refused("[]", "not one JSON object");
    refused("\"a\"", "not one JSON object");
    refused("{}{}", "not one JSON object");
    refused("{} x", "not one JSON object");
    refused("{\"a\":'b'}", "byte 5");
    refused("{\"a\":1,}", "not valid JSON");
    refused("{\"a\":tru}", "not valid JSON");
    refused("{\"a\":1 /* no */}", "not valid JSON");
    refused("\xff\xfe", "not valid JSON");
}

static void with_nul(void)
{
    struct err e;
    json_object *o = json_parse_object("{}\0", 3, "f", &e);

    check(!o, "a NUL behind the object is not blank space");
    json_object_put(o);
    o = json_parse_object("{\"a\":\0}", 7, "f", &e);
    check(!o, "a NUL inside the object is refused");
    json_object_put(o);
}

/* {"a":{"a": ... {} }} with n objects in all. */
static char *nested(size_t n)
{
    char *text = mem_zalloc(n * 6 + 1, 1), *p = text;
    size_t i;

    for (i = 1; i < n; i++)
        p += sprintf(p, "{\"a\":");
    p += sprintf(p, "{}");
    memset(p, '}', n - 1);
    return text;
}

static void bounds(void)
{
    char *fits = nested(30), *deep = nested(JSON_MAX_DEPTH + 1);
    char *deeper = nested(100000), *big = mem_zalloc(1, JSON_MAX_SIZE + 2);
    struct err e;
    json_object *o = parse(fits, &e);

    check(o != NULL, "30 levels are accepted");
    json_object_put(o);
    check(!parse(deep, &e) && strstr(e.text, "nesting"),
          "65 levels are refused: %s", e.text);
    check(!parse(deeper, &e), "100,000 levels are refused");
    memset(big, '[', 100000);
    check(!parse(big, &e), "100,000 open brackets are refused");
    memset(big, ' ', JSON_MAX_SIZE + 1);
    check(!parse(big, &e) && strstr(e.text, "larger than"),
          "a document over the size bound is refused");
    free(big);
    free(deeper);
    free(deep);
    free(fits);
}

static const struct json_at at = { "the.file", "memory" };

static void strings(json_object *o)
{
    const char *s = "before";
    struct err e;

    check(!json_str(o, "s", at, &s, &e) && !strcmp(s, "text"),
          "json_str gives a string");
    check_err(json_str(o, "none", at, &s, &e), &e, SNAP_FAILED,
              "the.file: 'memory.none' is missing",
              "a missing key is named with its file and place");
    check_err(json_str(o, "n", at, &s, &e), &e, SNAP_FAILED,
              "the.file: 'memory.n' is not a string",
              "a wrong type is named with its file and place");
    check_err(json_str(o, "null", at, &s, &e), &e, SNAP_FAILED,
              "is not a string", "null is not a string");
    check_err(json_str(o, "nul", at, &s, &e), &e, SNAP_FAILED,
              "NUL", "a string with a NUL inside is refused");
    check_err(json_str(o, "n", (struct json_at){ "f", "" }, &s, &e), &e,
              SNAP_FAILED, "f: 'n' is not", "at the top the key stands alone");
    check(!json_opt_str(o, "none", at, &s, &e) && !s &&
          !json_opt_str(o, "null", at, &s, &e) && !s &&
          !json_opt_str(o, "s", at, &s, &e) && s,
          "an optional string may be absent, null or there");
    check_err(json_opt_str(o, "n", at, &s, &e), &e, SNAP_FAILED,
              "is not a string", "an optional string has to be one");
}

static bool number(json_object *o, const char *key, uint64_t max,
                   uint64_t want)
{
    uint64_t n;
    struct err e;

    return !json_u64(o, key, at, max, &n, &e) && n == want;
}

static bool no_number(json_object *o, const char *key, uint64_t max)
{
    uint64_t n;
    struct err e;

    return is_err(json_u64(o, key, at, max, &n, &e), &e, SNAP_FAILED, key);
}

static void numbers(json_object *o)
{
    check(number(o, "n", 7, 7) && number(o, "zero", 0, 0) &&
          number(o, "max", UINT64_MAX, UINT64_MAX) &&
          number(o, "imax", INT64_MAX, INT64_MAX),
          "json_u64 gives whole numbers up to the bound");
    check(no_number(o, "n", 6) && no_number(o, "max", INT64_MAX) &&
          no_number(o, "over", INT64_MAX),
          "a number over the bound is refused");
    check(no_number(o, "neg", UINT64_MAX) &&
          no_number(o, "big-neg", UINT64_MAX),
          "a negative number is refused");
    check(no_number(o, "real", UINT64_MAX) && no_number(o, "exp", UINT64_MAX),
          "a fraction is refused");
    check(no_number(o, "s", UINT64_MAX) && no_number(o, "digits", 9) &&
          no_number(o, "true", 9) && no_number(o, "null", 9) &&
          no_number(o, "none", 9) && no_number(o, "arr", 9),
          "another type is not a number");
}

static void others(json_object *o)
{
    json_object *v;
    struct err e;

    check(!json_obj(o, "obj", at, &v, &e) && !json_arr(o, "arr", at, &v, &e),
          "objects and arrays are given");
    check_err(json_obj(o, "arr", at, &v, &e), &e, SNAP_FAILED,
              "'memory.arr' is not an object", "an array is not an object");
    check_err(json_arr(o, "obj", at, &v, &e), &e, SNAP_FAILED,
              "'memory.obj' is not an array", "an object is not an array");
    check(json_has(o, "n") && !json_has(o, "null") && !json_has(o, "none"),
          "json_has knows null from a value");
    check(json_true(o, "true") && !json_true(o, "n") && !json_true(o, "s") &&
          !json_true(o, "none") && !json_true(o, "false"),
          "only true is true");
}

static void getters(void)
{
    struct err e = { 0 };
    json_object *o = parse("{\"s\":\"text\", \"n\":7, \"zero\":0, "
                           "\"null\":null, \"nul\":\"a\\u0000b\", "
                           "\"max\":18446744073709551615, "
                           "\"imax\":9223372036854775807, "
                           "\"over\":99999999999999999999999, "
                           "\"neg\":-1, \"big-neg\":-9223372036854775808, "
                           "\"real\":1.0, \"exp\":1e3, \"digits\":\"7\", "
                           "\"true\":true, \"false\":false, "
                           "\"obj\":{}, \"arr\":[]}", &e);

    check(o != NULL, "the document of the getters is accepted %s", e.text);
    strings(o);
    numbers(o);
    others(o);
    json_object_put(o);
}

static void adders(void)
{
    json_object *o = json_object_new_object();

    json_add_str(o, "s", "a\"b\n");
    json_add_str(o, "none", NULL);
    json_add_u64(o, "n", UINT64_MAX);
    json_add_bool(o, "b", true);
    check(!strcmp(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                  "{\"s\":\"a\\\"b\\n\",\"none\":null,"
                  "\"n\":18446744073709551615,\"b\":true}"),
          "what is added is written, quoted, with null for no string");
    json_object_put(o);
}

int main(void)
{
    documents();
    with_nul();
    bounds();
    getters();
    adders();
    return unit_done();
}
