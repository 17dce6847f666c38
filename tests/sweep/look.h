/* SPDX-License-Identifier: LGPL-2.1-only */

/* How what is in the store is read, to be told or to be judged. */

#ifndef SWEEP_LOOK_H
#define SWEEP_LOOK_H

#include <json-c/json.h>
#include <stdbool.h>

json_object *member(json_object *o, const char *key);
/* "" if it is not there. */
const char *word(json_object *o, const char *key);
/* By its name. */
bool is_memory_image(const char *name);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
