/* SPDX-License-Identifier: LGPL-2.1-only */

/* Parses JSON and reads its members with their types checked. */

#include <string.h>

#include "sys/err.h"
#include "sys/json.h"

json_object *json_parse_object(const char *text, size_t len,
                               const char *what, struct err *e)
{
    struct json_tokener *tok = NULL;
    json_object *o = NULL;

    if (len > JSON_MAX_SIZE) {
        err_set(e, SNAP_FAILED, "%s: larger than %u bytes", what,
                JSON_MAX_SIZE);
        return NULL;
    }
    tok = json_tokener_new_ex(JSON_MAX_DEPTH);
    if (!tok) {
        err_set(e, SNAP_FAILED, "%s: no memory to parse it", what);
        return NULL;
    }
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT |
                           JSON_TOKENER_ALLOW_TRAILING_CHARS);
    o = json_tokener_parse_ex(tok, text, (int)len);
    if (!o) {
        enum json_tokener_error jerr = json_tokener_get_error(tok);

        const char *why = json_tokener_error_desc(jerr);

        if (jerr == json_tokener_continue)
            why = "it ends too early";
        err_set(e, SNAP_FAILED, "%s: not valid JSON at byte %zu: %s", what,
                json_tokener_get_parse_end(tok), why);
    } else {
        size_t end = json_tokener_get_parse_end(tok);

        while (end < len && strchr(" \t\r\n", text[end]) && text[end])
            end++;
        if (end < len || !json_object_is_type(o, json_type_object)) {
            err_set(e, SNAP_FAILED, "%s: not one JSON object", what);
            json_object_put(o);
            o = NULL;
        }
    }
    json_tokener_free(tok);
    return o;
}

/* An error that names the source and the key. */
static int complain(struct err *e, struct json_at at, const char *key,
                    const char *complaint)
{
    if (!at.where[0])
        return err_set(e, SNAP_FAILED, "%s: '%s' is %s", at.what, key,
                       complaint);
    return err_set(e, SNAP_FAILED, "%s: '%s.%s' is %s", at.what, at.where, key,
                   complaint);
}

static int member(json_object *obj, const char *key, struct json_at at,
                  enum json_type type, const char *wrong, json_object **v_r,
                  struct err *e)
{
    if (!json_object_object_get_ex(obj, key, v_r))
        return complain(e, at, key, "missing");
    if (!json_object_is_type(*v_r, type))
        return complain(e, at, key, wrong);
    return 0;
}

int json_str(json_object *obj, const char *key, struct json_at at,
             const char **s_r, struct err *e)
{
    json_object *v;

    if (member(obj, key, at, json_type_string, "not a string", &v, e))
        return -1;
    if (strlen(json_object_get_string(v)) !=
        (size_t)json_object_get_string_len(v))
        return complain(e, at, key, "not free of NUL characters");
    *s_r = json_object_get_string(v);
    return 0;
}

int json_opt_str(json_object *obj, const char *key, struct json_at at,
                 const char **s_r, struct err *e)
{
    json_object *v;

    *s_r = NULL;
    if (!json_object_object_get_ex(obj, key, &v) || !v)
        return 0;
    return json_str(obj, key, at, s_r, e);
}

int json_opt_bool(json_object *obj, const char *key, struct json_at at,
                  bool *b_r, struct err *e)
{
    json_object *v;

    *b_r = false;
    if (!json_object_object_get_ex(obj, key, &v) || !v)
        return 0;
    if (!json_object_is_type(v, json_type_boolean))
        return complain(e, at, key, "not true or false");
    *b_r = json_object_get_boolean(v);
    return 0;
}

int json_u64(json_object *obj, const char *key, struct json_at at,
             uint64_t max, uint64_t *n_r, struct err *e)
{
    json_object *v;

    if (member(obj, key, at, json_type_int, "not a whole number", &v, e))
        return -1;
    *n_r = json_object_get_uint64(v);
    if (json_object_get_int64(v) < 0 || *n_r > max)
        return complain(e, at, key, "not a number in range");
    return 0;
}

int json_opt_u64(json_object *obj, const char *key, struct json_at at,
                 uint64_t max, uint64_t *n_r, struct err *e)
{
    json_object *v;

    *n_r = 0;
    if (!json_object_object_get_ex(obj, key, &v) || !v)
        return 0;
    return json_u64(obj, key, at, max, n_r, e);
}

int json_obj(json_object *obj, const char *key, struct json_at at,
             json_object **o_r, struct err *e)
{
    return member(obj, key, at, json_type_object, "not an object", o_r, e);
}

int json_arr(json_object *obj, const char *key, struct json_at at,
             json_object **a_r, struct err *e)
{
    return member(obj, key, at, json_type_array, "not an array", a_r, e);
}

bool json_has(json_object *obj, const char *key)
{
    json_object *v;

    return json_object_object_get_ex(obj, key, &v) && v;
}

bool json_true(json_object *obj, const char *key)
{
    json_object *v;

    return json_object_object_get_ex(obj, key, &v) &&
           json_object_is_type(v, json_type_boolean) &&
           json_object_get_boolean(v);
}

void json_add_str(json_object *obj, const char *key, const char *s)
{
    json_object *value = NULL;

    if (s)
        value = json_object_new_string(s);
    json_object_object_add(obj, key, value);
}

void json_add_u64(json_object *obj, const char *key, uint64_t n)
{
    json_object_object_add(obj, key, json_object_new_uint64(n));
}

void json_add_bool(json_object *obj, const char *key, bool b)
{
    json_object_object_add(obj, key, json_object_new_boolean(b));
}

const char *json_text(json_object *o, const char *key)
{
    struct json_at at = { "", "" };
    const char *s = NULL;
    struct err ignored;

    if (!json_object_is_type(o, json_type_object) ||
        json_str(o, key, at, &s, &ignored))
        return "";
    return s;
}

uint64_t json_number(json_object *o, const char *key)
{
    struct json_at at = { "", "" };
    struct err ignored;
    uint64_t n = 0;

    if (!json_object_is_type(o, json_type_object) ||
        json_u64(o, key, at, UINT64_MAX, &n, &ignored))
        return 0;
    return n;
}

json_object *json_element(json_object *arr, const char *key,
                          const char *value)
{
    size_t i, n = 0;

    if (arr)
        n = json_object_array_length(arr);
    for (i = 0; i < n; i++)
        if (!strcmp(json_text(json_object_array_get_idx(arr, i), key), value))
            return json_object_array_get_idx(arr, i);
    return NULL;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
