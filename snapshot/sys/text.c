/* SPDX-License-Identifier: LGPL-2.1-only */

/* Makes text fit for a terminal, and measures its columns. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/mem.h"
#include "sys/text.h"

#define DOTS "..."
#define REPLACEMENT 0xfffd

struct range { uint32_t first, last; };

/* Beyond C0: DEL and C1, marks of direction, invisible separators. */
static const struct range steering[] = {
    { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200b, 0x200f },
    { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xd800, 0xdfff },
    { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
};

static const struct range wide[] = {
    { 0x1100, 0x115f }, { 0x2e80, 0xa4cf }, { 0xac00, 0xd7a3 },
    { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 },
    { 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff }, { 0x20000, 0x3fffd },
};

static const struct range combining[] = {
    { 0x300, 0x36f }, { 0x1ab0, 0x1aff }, { 0x20d0, 0x20ff },
    { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
};

#define IN(table, c) in_ranges(table, sizeof(table) / sizeof(table[0]), c)

static bool in_ranges(const struct range *r, size_t n, uint32_t c)
{
    while (n--)
        if (c >= r[n].first && c <= r[n].last)
            return true;
    return false;
}

/* How many bytes of UTF-8 begin with this one; 0: none may. */
static size_t length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xc2)
        return 0;
    if (first < 0xe0)
        return 2;
    if (first < 0xf0)
        return 3;
    if (first < 0xf5)
        return 4;
    return 0;
}

/* One character of UTF-8; its bytes, or 0 if it is not valid. */
static size_t decode(const char *text, uint32_t *c_r)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *p = (const unsigned char *)text;
    size_t len = length_of(p[0]), i;
    uint32_t c = p[0];

    if (len > 1)
        c &= 0x7fu >> len;
    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (len > 1 && (c < smallest[len] || c > 0x10ffff))
        return 0;
    *c_r = c;
    return len;
}

/* As decode(), but a byte that is not valid is REPLACEMENT, one byte long. */
static size_t next(const char *text, uint32_t *c_r)
{
    size_t len = decode(text, c_r);

    if (len)
        return len;
    *c_r = REPLACEMENT;
    return 1;
}

void text_clean(char *text)
{
    const char *from = text;
    uint32_t c;

    while (*from) {
        size_t len = decode(from, &c);

        if (len == 0) {
            len = 1;
            *text++ = '?';
        } else if (c < ' ' || c == 0x7f) {
            *text++ = ' ';
        } else if (IN(steering, c)) {
            *text++ = '?';
        } else {
            memmove(text, from, len);
            text += len;
        }
        from += len;
    }
    *text = '\0';
}

static size_t columns_of(uint32_t c)
{
    if (IN(combining, c))
        return 0;
    if (IN(wide, c))
        return 2;
    return 1;
}

size_t text_columns(const char *text)
{
    size_t n = 0;
    uint32_t c;

    while (*text) {
        text += next(text, &c);
        n += columns_of(c);
    }
    return n;
}

char *text_fit(const char *text, size_t columns)
{
    char *copy = mem_zalloc(strlen(text) + sizeof(DOTS), 1), *p;
    size_t n = 0, len;
    uint32_t c = 0;

    strcpy(copy, text);
    text_clean(copy);
    if (text_columns(copy) <= columns)
        return copy;
    for (p = copy; *p; p += len) {
        len = decode(p, &c);
        n += columns_of(c);
        if (n + strlen(DOTS) > columns)
            break;
    }
    *p = '\0';
    if (columns >= strlen(DOTS))
        strcpy(p, DOTS);
    return copy;
}

static bool is_ascii(const char *text)
{
    while ((unsigned char)(*text - 1) < 0x7e)   /* 1 to 0x7e */
        text++;
    return !*text;
}

/* The character as JSON escapes it; the bytes written. */
static size_t put_escape(char *to, uint32_t c)
{
    if (c < 0x10000)
        return (size_t)sprintf(to, "\\u%04x", (unsigned)c);
    c -= 0x10000;
    return (size_t)sprintf(to, "\\u%04x\\u%04x",
                           (unsigned)(0xd800 + (c >> 10)),
                           (unsigned)(0xdc00 + (c & 0x3ff)));
}

char *text_json(const char *json)
{
    char *out, *to;
    uint32_t c;

    /* Nearly always, and there are long lists. */
    if (is_ascii(json))
        return mem_strdup(json);
    /* A byte becomes six at most. */
    to = out = mem_zalloc(6 * strlen(json) + 1, 1);
    while (*json) {
        size_t len = decode(json, &c);

        if (len == 0) {
            len = 1;
            to += put_escape(to, REPLACEMENT);
        } else if (IN(steering, c)) {
            to += put_escape(to, c);
        } else {
            memcpy(to, json, len);
            to += len;
        }
        json += len;
    }
    return out;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
