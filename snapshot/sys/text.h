/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Text from outside (metadata, guests, QEMU, the user's own descriptions) for
 * a terminal: nothing in it moves the cursor, changes colours or reverses
 * the direction of what is read.  UTF-8 stays as it is.
 */

#ifndef SNAPSHOT_TEXT_H
#define SNAPSHOT_TEXT_H

#include <stddef.h>

/*
 * In place, to one line: control characters become blanks, invalid bytes and
 * characters that only steer the display '?'.
 */
void text_clean(char *text);
/* Columns that a clean text takes. */
size_t text_columns(const char *text);
/* A clean copy in at most so many columns, cut with "..." at the end. */
char *text_fit(const char *text, size_t columns);
/*
 * JSON, whose control characters are escaped, with all else that
 * text_clean() would replace escaped too.  The caller's to free.
 */
char *text_json(const char *json);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
