/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Changes in the text of a configuration.  Not by way of objects: json-c
 * would bring numbers beyond 64 bits into their range, and drop all but the
 * last of members of one name.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "memory/rewrite.h"
#include "store/json_scan.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

#define GENID_LEN 16

/* The value of a new generation id, in libxl's JSON. */
static int new_genid(char *text, struct err *e)
{
    unsigned char id[GENID_LEN];
    size_t i;

    if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
        return err_errno(e, "cannot get random numbers");
    for (i = 0; i < sizeof(id); i++)
        text += sprintf(text, "%c%u", i ? ',' : '[', id[i]);
    strcpy(text, "]");
    return 0;
}

static bool find(const char *config, const char *const *path,
                 const char **value_r, size_t *len_r)
{
    *value_r = config;
    *len_r = strlen(config);
    for (; *path; path++)
        if (!json_scan_member(*value_r, *len_r, *path, value_r, len_r))
            return false;
    return true;
}

/* The value in *config, if it is there, becomes another one. */
static bool put(char **config, const char *const *path, const char *value)
{
    const char *old;
    char *other;
    size_t len;

    if (!find(*config, path, &old, &len))
        return false;
    other = mem_printf("%.*s%s%s", (int)(old - *config), *config, value,
                       old + len);
    free(*config);
    *config = other;
    return true;
}

static int put_text(char **config, const char *key, const char *text,
                    struct err *e)
{
    const char *const path[] = { "c_info", key, NULL };
    json_object *o;
    bool done;

    if (!text)
        return 0;
    o = json_object_new_string(text);
    done = put(config, path, json_object_to_json_string_ext(o,
                                 JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
    if (done)
        return 0;
    return err_set(e, SNAP_FAILED, "the domain configuration in the memory "
                   "image has no '%s'", key);
}

int rewrite_config(void *edit, const char *config, char **new_r,
                   struct err *e)
{
    static const char *const genid[] = {
        "b_info", "type.hvm", "ms_vm_genid", NULL
    };
    const struct rewrite_edit *want = edit;
    char *other = mem_strdup(config), id[GENID_LEN * 4 + 2];

    *new_r = NULL;
    if (put_text(&other, "name", want->name, e) ||
        put_text(&other, "uuid", want->uuid, e) ||
        (want->genid && new_genid(id, e))) {
        free(other);
        return -1;
    }
    if (want->genid)
        (void)put(&other, genid, id);
    if (strcmp(other, config))
        *new_r = other;
    else
        free(other);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
