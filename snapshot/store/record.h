/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The record of one disk in snapshot.json (doc/design.md 3), for the kinds of
 * disk snapshot: each writes, reads and checks what is its own, and meta.h
 * what all have.
 *
 * Calling sequence: record_set_kinds() once, before any metadata is read or
 * written.  The getters copy into *s_r, the caller's to free also after a
 * failure; what becomes a path, a name or an argument of a program is checked
 * here and nowhere else.
 */

#ifndef SNAPSHOT_RECORD_H
#define SNAPSHOT_RECORD_H

#include "sys/json.h"

struct snapshot_disk;

/* What a kind records beside the members that every disk has. */
struct record_ops {
    const char *type;           /* a word of disk.h */
    /* -1 with an error that names the member. */
    int (*parse)(json_object *o, struct json_at at, struct snapshot_disk *d,
                 struct err *e);
    /* Sets or, where the disk has none, deletes each of its members. */
    void (*write)(json_object *o, const struct snapshot_disk *d);
    bool checks_path;           /* parse() does: it may be no path but a name */
};

/* find gives the kind with that word, or NULL. */
void record_set_kinds(const struct record_ops *(*find)(const char *type));
const struct record_ops *record_find(const char *type);

int record_str(json_object *o, const char *key, struct json_at at,
               char **s_r, struct err *e);
/* NULL if it is absent. */
int record_opt_str(json_object *o, const char *key, struct json_at at,
                   char **s_r, struct err *e);
/* An absolute path without "..". */
int record_path(json_object *o, const char *key, struct json_at at,
                char **s_r, struct err *e);
int record_opt_path(json_object *o, const char *key, struct json_at at,
                    char **s_r, struct err *e);
/* Of a snapshot: it becomes a directory's and a qcow2 snapshot's. */
int record_name(json_object *o, const char *key, struct json_at at,
                char **s_r, struct err *e);
int record_opt_name(json_object *o, const char *key, struct json_at at,
                    char **s_r, struct err *e);
/* "VG/LV": it becomes an argument of LVM's programs. */
int record_volume(json_object *o, const char *key, struct json_at at,
                  char **s_r, struct err *e);
/* An object, the caller's to put, or NULL if it is absent. */
int record_opt_obj(json_object *o, const char *key, struct json_at at,
                   json_object **o_r, struct err *e);
bool record_path_is_safe(const char *path);

/* A NULL deletes the member. */
void record_set_str(json_object *o, const char *key, const char *s);
void record_set_obj(json_object *o, const char *key, json_object *value);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
