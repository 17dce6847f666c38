/* SPDX-License-Identifier: LGPL-2.1-only */

/* Steps over values in JSON text without parsing them into objects. */

#include <string.h>

#include "sys/json.h"
#include "store/json_scan.h"
#include "sys/mem.h"

struct scan {
    const char *p, *end;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The next character that is no white space, 0 at the end. */
static char peek(struct scan *s)
{
    const char *p = s->p, *end = s->end;

    while (p < end && is_space(*p))
        p++;
    s->p = p;
    if (p == end)
        return '\0';
    return *p;
}

static bool take(struct scan *s, char c)
{
    if (peek(s) != c)
        return false;
    s->p++;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

static bool escape(struct scan *s)
{
    size_t i;

    if (s->p == s->end || !*s->p || !strchr("\"\\/bfnrtu", *s->p))
        return false;
    if (*s->p++ != 'u')
        return true;
    for (i = 0; i < 4; i++)
        if (s->p == s->end || !is_hex(*s->p++))
            return false;
    return true;
}

static bool is_plain(char c)
{
    return (unsigned char)c >= ' ' && c != '"' && c != '\\';
}

static bool string(struct scan *s)
{
    const char *p, *end = s->end;

    if (!take(s, '"'))
        return false;
    for (;;) {
        for (p = s->p; p < end && is_plain(*p); p++)
            ;
        s->p = p + 1;
        if (p == end || *p != '\\')
            return p < end && *p == '"';
        if (!escape(s))
            return false;
    }
}

static bool digits(struct scan *s)
{
    const char *from = s->p;

    while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
        s->p++;
    return s->p > from;
}

static bool is_one_of(struct scan *s, const char *set)
{
    if (s->p == s->end || !*s->p || !strchr(set, *s->p))
        return false;
    s->p++;
    return true;
}

static bool number(struct scan *s)
{
    is_one_of(s, "-");
    if (!is_one_of(s, "0") && !digits(s))
        return false;
    if (is_one_of(s, ".") && !digits(s))
        return false;
    if (is_one_of(s, "eE")) {
        is_one_of(s, "+-");
        return digits(s);
    }
    return true;
}

static bool word(struct scan *s, const char *w)
{
    size_t len = strlen(w);

    if ((size_t)(s->end - s->p) < len || memcmp(s->p, w, len))
        return false;
    s->p += len;
    return true;
}

static bool value(struct scan *s, unsigned depth);

static bool key(struct scan *s)
{
    return string(s) && take(s, ':');
}

/* The members of an object, or of an array, and the bracket behind them. */
static bool members(struct scan *s, char close, unsigned depth)
{
    if (depth >= JSON_MAX_DEPTH)
        return false;
    if (take(s, close))
        return true;
    do
        if ((close == '}' && !key(s)) || !value(s, depth))
            return false;
    while (take(s, ','));
    return take(s, close);
}

static bool value(struct scan *s, unsigned depth)
{
    switch (peek(s)) {
    case '{':
        s->p++;
        return members(s, '}', depth + 1);
    case '[':
        s->p++;
        return members(s, ']', depth + 1);
    case '"':
        return string(s);
    case 't':
        return word(s, "true");
    case 'f':
        return word(s, "false");
    case 'n':
        return word(s, "null");
    default:
        return number(s);
    }
}

/* The key at the scan is this one; an escape in it is not looked into. */
static bool key_is(struct scan *s, const char *want, bool *same_r)
{
    const char *from;
    size_t len = strlen(want);

    peek(s);
    from = s->p + 1;
    if (!key(s))
        return false;
    *same_r = (size_t)(s->p - from) > len && !memcmp(from, want, len) &&
              from[len] == '"';
    return !memchr(from, '\\', (size_t)(s->p - from));
}

bool json_scan_member(const char *text, size_t len, const char *want,
                      const char **value_r, size_t *len_r)
{
    struct scan s = { text, text + len };
    bool same;

    *value_r = NULL;
    if (!take(&s, '{'))
        return false;
    do {
        if (!key_is(&s, want, &same) || (same && *value_r))
            return false;
        peek(&s);
        if (same)
            *value_r = s.p;
        if (!value(&s, 0))
            return false;
        if (same)
            *len_r = (size_t)(s.p - *value_r);
    } while (take(&s, ','));
    return take(&s, '}') && !peek(&s) && s.p == s.end && *value_r;
}

struct text {
    char *s;
    size_t len, room;
};

static void add(struct text *t, const char *s, size_t len)
{
    if (t->room - t->len <= len) {
        t->room = 2 * (t->room + len) + 1024;
        t->s = mem_grow(t->s, t->room, 1);
    }
    memcpy(t->s + t->len, s, len);
    t->len += len;
    t->s[t->len] = '\0';
}

static void new_line(struct text *t, int level)
{
    static const char spaces[] = "\n                                ";

    add(t, spaces, 1);
    for (; level > 16; level -= 16)
        add(t, spaces + 1, 32);
    add(t, spaces + 1, (size_t)(2 * level));
}

/* In one line if the level is negative. */
static char *rewrite(const char *value, int level)
{
    struct scan s = { value, value + strlen(value) };
    struct text t = { 0 };
    bool lines = level >= 0;
    char c;

    add(&t, "", 0);
    while ((c = peek(&s))) {
        const char *begin = s.p;

        if (c != '"')
            s.p++;
        else if (!string(&s))
            break;
        if (lines && (c == '}' || c == ']'))
            new_line(&t, --level);
        add(&t, begin, (size_t)(s.p - begin));
        if (lines && (c == '{' || c == '['))
            new_line(&t, ++level);
        else if (lines && c == ',')
            new_line(&t, level);
    }
    return t.s;
}

char *json_scan_compact(const char *value)
{
    return rewrite(value, -1);
}

char *json_scan_pretty(const char *value, int level)
{
    return rewrite(value, level);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
