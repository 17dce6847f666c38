/* What several tests need: valid metadata to start from. */

#ifndef TESTS_FIXTURE_H
#define TESTS_FIXTURE_H

#include "snapshot/store/meta.h"

/*
 * A valid snapshot.json with every key there is, and one of each type of
 * disk that this version reads; the caller's to free.
 */
char *fixture_text(const char *name, const char *parent);
/* The same, parsed; ends the program if that fails. */
json_object *fixture_json(const char *name, const char *parent);
void fixture_snapshot(const char *name, const char *parent,
                      struct snapshot *s);

#endif
