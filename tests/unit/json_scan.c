#include <stdio.h>
#include <string.h>

#include "snapshot/store/json_scan.h"
#include "snapshot/sys/json.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

static bool finds(const char *text, const char *want)
{
    const char *value;
    size_t len;

    if (!json_scan_member(text, strlen(text), "config", &value, &len))
        return !want;
    if (want && strlen(want) == len && !strncmp(value, want, len))
        return true;
    printf("# found '%.*s'\n", (int)len, value);
    return false;
}

static void members(void)
{
    static const struct { const char *text, *want; } t[] = {
        { "{\"config\":1}", "1" },
        { " {\n\"a\" : [1, {\"config\":2}] ,\"config\"\t: {\"x\":[]}\n} \n",
          "{\"x\":[]}" },
        { "{\"config\":\"a\\\"}\",\"b\":null}", "\"a\\\"}\"" },
        { "{\"config\":-0.5e+10,\"z\":true}", "-0.5e+10" },
        /* Not exactly once, or not where it counts. */
        { "{\"a\":1}", NULL },
        { "{}", NULL },
        { "{\"a\":{\"config\":1}}", NULL },
        { "{\"config\":1,\"config\":2}", NULL },
        { "{\"config\":1,\"conf\\u0069g\":2}", NULL },
        { "{\"configs\":1,\"confi\":2,\"\":3}", NULL },
        { "[\"config\"]", NULL },
    };
    size_t i;

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
        check(finds(t[i].text, t[i].want), "text %zu: member %s", i,
              t[i].want ? "found" : "not found once");
}

/* What json_parse_object() refuses is refused here. */
static void invalid(void)
{
    static const char *const bad[] = {
        "", " ", "{", "{\"config\"", "{\"config\":", "{\"config\":1",
        "{\"config\":1,}", "{\"config\":1}}", "{\"config\":1} x",
        "{config:1}", "{'config':1}", "{\"config\":01}", "{\"config\":1.}",
        "{\"config\":+1}", "{\"config\":.5}", "{\"config\":1e}",
        "{\"config\":-}", "{\"config\":tru}", "{\"config\":nul}",
        "{\"config\":\"a}", "{\"config\":\"\\x\"}", "{\"config\":\"\\u12g4\"}",
        "{\"config\":\"\n\"}", "{\"config\":[1 2]}", "{\"config\":[1,]}",
        "{\"config\":[1}", "{\"config\":{\"a\"}}", "{\"config\":{\"a\":1,}}",
        "{\"config\":1 \"b\":2}", "{\"config\":\"\\", "{\"config\":\"\\u1",
    };
    char deep[400] = "{\"config\":", *p = deep + strlen(deep);
    const char *value;
    size_t i, len;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check(finds(bad[i], NULL), "invalid text %zu", i);
    check(!json_scan_member("{\"config\":1\0}", 13, "config", &value, &len),
          "invalid: a NUL");
    for (i = 0; i < JSON_MAX_DEPTH; i++)
        *p++ = '[';
    for (i = 0; i < JSON_MAX_DEPTH; i++)
        *p++ = ']';
    *p++ = '}';
    check(finds(deep, NULL), "too deep");
}

static void rewriting(void)
{
    static const char text[] = " { \"a b\" : [ 1 , { } ],\n\t\"c\":\"\\\" : \" }";
    char *line = json_scan_compact(text);
    char *lines = json_scan_pretty(text, 1), *again;

    check(!strcmp(line, "{\"a b\":[1,{}],\"c\":\"\\\" : \"}"), "in one line: %s",
          line);
    check(strstr(lines, "{\n    \"a b\":[\n      1,\n") &&
          strstr(lines, "\n  }"), "in lines, indented");
    again = json_scan_compact(lines);
    check(!strcmp(again, line), "and back");
    free(again);
    free(lines);
    free(line);
}

int main(void)
{
    members();
    invalid();
    rewriting();
    return unit_done();
}
