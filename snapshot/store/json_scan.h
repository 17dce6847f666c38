/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Walks over JSON text without building objects, which costs a tenth: for
 * the configuration in a snapshot, most of its metadata, which most commands
 * never look into.
 */

#ifndef SNAPSHOT_JSON_SCAN_H
#define SNAPSHOT_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Where the value of a member of the top object is.  False if the text is
 * not one valid JSON object, or does not have that member exactly once: the
 * caller then lets json_parse_object() judge.
 */
bool json_scan_member(const char *text, size_t len, const char *key,
                      const char **value_r, size_t *len_r);
/* Valid JSON in one line without white space; the caller's to free. */
char *json_scan_compact(const char *value);
/* In lines, indented as a value at that depth. */
char *json_scan_pretty(const char *value, int level);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
