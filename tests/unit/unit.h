/*
 * The harness of the unit tests: one program per module of snapshot/, named
 * after it.  A program prints a line for each check, "ok - ..." or
 * "not ok - ...", and exits 1 if one failed; what cannot be tested here is a
 * line "skip - ...".  A program that hangs is ended by an alarm.
 *
 * Calling sequence: the checks, then return unit_done() from main().
 */

#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "snapshot/sys/err.h"

/* More room under valgrind or a sanitizer. */
#define UNIT_LIMIT_S 300

void check(bool ok, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * A call failed as it should: rc is -1 and the error is one line with this
 * status that holds this text.  Prints the error if it is not so.
 */
void check_err(int rc, const struct err *e, enum snap_status status,
               const char *part, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* As check_err() but silent, for loops; false prints what came instead. */
bool is_err(int rc, const struct err *e, enum snap_status status,
            const char *part);
/* A call succeeded; prints its error if not. */
void check_ok(int rc, const struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int unit_done(void);

/* A directory of this program's own, mode 0700, removed at the end. */
const char *unit_dir(void);
/* A path in it; the caller's to free. */
char *unit_path(const char *name);
/* Writes a whole file, mode 0600; ends the program on failure. */
void unit_put(const char *path, const void *data, size_t len);
void unit_puts(const char *path, const char *text);
/* The whole file, NUL-terminated; the caller's to free.  NULL: none. */
char *unit_get(const char *path, size_t *len_r);
/* Removes a file, or a directory with all that is in it. */
void unit_remove(const char *path);
/* Octal mode bits of a path itself, 0 if it does not exist. */
unsigned unit_mode(const char *path);
/* Runs fn in a child process; its result, or 128 + the signal. */
int unit_child(int (*fn)(void *arg), void *arg);
/* How many descriptors of this process are open. */
size_t unit_open_fds(void);

#endif
