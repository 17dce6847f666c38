/* SPDX-License-Identifier: LGPL-2.1-only */

/* Members of a disk's record, checked as they are read. */

#include <string.h>

#include "store/record.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/name.h"

static const struct record_ops *(*find_kind)(const char *type);

void record_set_kinds(const struct record_ops *(*find)(const char *type))
{
    find_kind = find;
}

const struct record_ops *record_find(const char *type)
{
    return find_kind(type);
}

int record_str(json_object *o, const char *key, struct json_at at,
               char **s_r, struct err *e)
{
    const char *s;

    if (json_str(o, key, at, &s, e))
        return -1;
    *s_r = mem_strdup(s);
    return 0;
}

int record_opt_str(json_object *o, const char *key, struct json_at at,
                   char **s_r, struct err *e)
{
    const char *s;

    if (json_opt_str(o, key, at, &s, e))
        return -1;
    *s_r = mem_strdup(s);
    return 0;
}

bool record_path_is_safe(const char *path)
{
    const char *p = path;

    if (*p != '/')
        return false;
    while ((p = strstr(p, "/.."))) {
        p += 3;
        if (!*p || *p == '/')
            return false;
    }
    return true;
}

static int check_path(const char *path, const char *key, struct json_at at,
                      struct err *e)
{
    if (!path || record_path_is_safe(path))
        return 0;
    return err_set(e, SNAP_FAILED, "%s: '%s.%s' is not an absolute path "
                   "without '..'", at.what, at.where, key);
}

int record_path(json_object *o, const char *key, struct json_at at,
                char **s_r, struct err *e)
{
    if (record_str(o, key, at, s_r, e))
        return -1;
    return check_path(*s_r, key, at, e);
}

int record_opt_path(json_object *o, const char *key, struct json_at at,
                    char **s_r, struct err *e)
{
    if (record_opt_str(o, key, at, s_r, e))
        return -1;
    return check_path(*s_r, key, at, e);
}

static int check_name(const char *name, const char *key, struct json_at at,
                      struct err *e)
{
    const char *dot = "";

    if (!name || !name_check(name, e))
        return 0;
    if (at.where[0])
        dot = ".";
    e->status = SNAP_FAILED;
    return err_wrap(e, "%s: '%s%s%s'", at.what, at.where, dot, key);
}

int record_name(json_object *o, const char *key, struct json_at at,
                char **s_r, struct err *e)
{
    if (record_str(o, key, at, s_r, e))
        return -1;
    return check_name(*s_r, key, at, e);
}

int record_opt_name(json_object *o, const char *key, struct json_at at,
                    char **s_r, struct err *e)
{
    if (record_opt_str(o, key, at, s_r, e))
        return -1;
    return check_name(*s_r, key, at, e);
}

int record_volume(json_object *o, const char *key, struct json_at at,
                  char **s_r, struct err *e)
{
    if (record_str(o, key, at, s_r, e))
        return -1;
    if (name_is_volume(*s_r))
        return 0;
    return err_set(e, SNAP_FAILED, "%s: '%s.%s' is not the name of a logical "
                   "volume", at.what, at.where, key);
}

int record_opt_obj(json_object *o, const char *key, struct json_at at,
                   json_object **o_r, struct err *e)
{
    json_object *value;

    *o_r = NULL;
    if (!json_has(o, key))
        return 0;
    if (json_obj(o, key, at, &value, e))
        return -1;
    *o_r = json_object_get(value);
    return 0;
}

void record_set_str(json_object *o, const char *key, const char *s)
{
    if (s)
        json_add_str(o, key, s);
    else
        json_object_object_del(o, key);
}

void record_set_obj(json_object *o, const char *key, json_object *value)
{
    if (value)
        json_object_object_add(o, key, json_object_get(value));
    else
        json_object_object_del(o, key);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
