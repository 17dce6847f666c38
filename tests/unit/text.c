#include <stdio.h>
#include <string.h>

#include "snapshot/sys/json.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/text.h"
#include "tests/unit/unit.h"

static void clean_is(const char *text, const char *want, const char *what)
{
    char *copy = mem_strdup(text);

    text_clean(copy);
    check(!strcmp(copy, want), "%s: '%s'", what, want);
    free(copy);
}

static void cleaning(void)
{
    clean_is("plain text", "plain text", "text");
    clean_is("", "", "nothing");
    clean_is("a\tb\nc\rd\x1b[31me\x7f" "f", "a b c d [31me f",
             "control characters become blanks");
    clean_is("caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\x84",
             "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\x84", "UTF-8 stays");
    clean_is("a\xc2\x9b" "31mb", "a?31mb", "the C1 form of an escape");
    clean_is("a\x9b" "31mb", "a?31mb", "and its single byte");
    clean_is("a\xe2\x80\xae" "b\xe2\x81\xa6" "c\xef\xbb\xbf",
             "a?b?c?", "marks of direction");
    clean_is("\xc0\x9b \xe0\x80\x9b \xf0\x80\x80\x9b", "?? ??? ????",
             "overlong forms");
    clean_is("\xed\xa0\x80 \xf4\x90\x80\x80 \xff", "? ???? ?",
             "what is no character");
    clean_is("a\xe6\x97", "a??", "a character that is cut off");
}

static void fit_is(const char *text, size_t columns, const char *want)
{
    char *got = text_fit(text, columns);

    check(!strcmp(got, want) && text_columns(got) <= columns,
          "'%s' in %zu columns is '%s'", want, columns, got);
    free(got);
}

static void fitting(void)
{
    fit_is("before", 6, "before");
    fit_is("before", 5, "be...");
    fit_is("before", 3, "...");
    fit_is("before", 2, "");
    fit_is("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 5,
           "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9");
    fit_is("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 4, "\xc3\xa9...");
    fit_is("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 6,
           "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e");
    fit_is("\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 5, "\xe6\x97\xa5...");
    fit_is("e\xcc\x81" "e\xcc\x81", 2, "e\xcc\x81" "e\xcc\x81");
    fit_is("a\nb\x1b", 4, "a b ");
}

/* As JSON and back the text is the same, and clean on the way. */
static void json_is(const char *value, const char *want)
{
    json_object *o = json_object_new_object(), *back;
    char *text, *copy;
    struct err e;
    const char *s = NULL;

    json_add_str(o, "k", value);
    text = text_json(json_object_to_json_string_ext(o,
                         JSON_C_TO_STRING_PLAIN));
    copy = mem_strdup(text);
    text_clean(copy);
    back = json_parse_object(text, strlen(text), "text", &e);
    if (back)
        json_str(back, "k", (struct json_at){ "text", "" }, &s, &e);
    check(s && !strcmp(s, want) && !strcmp(copy, text), "JSON: %s", text);
    free(copy);
    free(text);
    json_object_put(back);
    json_object_put(o);
}

static void json(void)
{
    json_is("plain \"quoted\"", "plain \"quoted\"");
    json_is("\x1b[31m\n\t", "\x1b[31m\n\t");
    json_is("\x7f\xc2\x9b\xe2\x80\xae", "\x7f\xc2\x9b\xe2\x80\xae");
    json_is("\xf3\xa0\x80\x81 tag", "\xf3\xa0\x80\x81 tag");
    json_is("caf\xc3\xa9 \xf0\x9f\x90\x84", "caf\xc3\xa9 \xf0\x9f\x90\x84");
    json_is("a\x9b" "b", "a\xef\xbf\xbd" "b");
}

int main(void)
{
    cleaning();
    fitting();
    json();
    return unit_done();
}
