/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * JSON that is not trusted: metadata, journal, QMP and qemu-img's output.
 * Depth and size are bounded; every getter checks the type and range, and
 * an error names the source and the key.
 */

#ifndef SNAPSHOT_JSON_H
#define SNAPSHOT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "sys/err.h"

#define JSON_MAX_DEPTH 64
#define JSON_MAX_SIZE (16u << 20)       /* bytes of one document */

/*
 * Parses exactly one object.  "what" names the source in errors.  The
 * caller owns the result (json_object_put), NULL on error.
 */
json_object *json_parse_object(const char *text, size_t len,
                               const char *what, struct err *e);

/* Where in a document a getter looks: used in errors alone. */
struct json_at {
    const char *what;       /* file or command */
    const char *where;      /* path of the object in it, "" at the top */
};

/* Required members.  Strings and objects stay owned by obj. */
int json_str(json_object *obj, const char *key, struct json_at at,
             const char **s_r, struct err *e);
int json_u64(json_object *obj, const char *key, struct json_at at,
             uint64_t max, uint64_t *n_r, struct err *e);
int json_obj(json_object *obj, const char *key, struct json_at at,
             json_object **o_r, struct err *e);
int json_arr(json_object *obj, const char *key, struct json_at at,
             json_object **a_r, struct err *e);
/* Absent or null gives NULL; another type is an error. */
int json_opt_str(json_object *obj, const char *key, struct json_at at,
                 const char **s_r, struct err *e);
/* Absent or null gives 0; another type is an error. */
int json_opt_u64(json_object *obj, const char *key, struct json_at at,
                 uint64_t max, uint64_t *n_r, struct err *e);
/* Absent or null gives false; another type is an error. */
int json_opt_bool(json_object *obj, const char *key, struct json_at at,
                  bool *b_r, struct err *e);
bool json_has(json_object *obj, const char *key);

/* For what may be anything: "" or 0 if it is not there or of another type. */
const char *json_text(json_object *o, const char *key);
uint64_t json_number(json_object *o, const char *key);
/* The element of an array whose "key" is that text, or NULL. */
json_object *json_element(json_object *arr, const char *key,
                          const char *value);
bool json_true(json_object *obj, const char *key);

/* Adders that cannot be misused: a NULL string is written as null. */
void json_add_str(json_object *obj, const char *key, const char *s);
void json_add_u64(json_object *obj, const char *key, uint64_t n);
void json_add_bool(json_object *obj, const char *key, bool b);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
