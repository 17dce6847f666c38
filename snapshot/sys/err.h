/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Errors.  A function that can fail takes a struct err as its last
 * argument and returns 0, or -1 with the error filled in where it happened;
 * callers add context on the way up with err_wrap().  Only the command line
 * prints.  The text is one line, control characters replaced, because parts
 * of it come from guests, QEMU and files.
 */

#ifndef SNAPSHOT_ERR_H
#define SNAPSHOT_ERR_H

#include <stdbool.h>

/* Exit statuses of the commands (doc/design.md 2). */
enum snap_status {
    SNAP_OK = 0,
    SNAP_FAILED = 1,        /* the domain and all snapshots are as before */
    SNAP_USAGE = 2,
    SNAP_BUSY = 3,
    SNAP_NEEDS_USER = 4,    /* recovery is not complete */
};

/* What callers have to tell apart; the user reads the text. */
enum err_code {
    ERR_OTHER = 0,
    ERR_NOT_FOUND,          /* ENOENT: the file does not exist */
    ERR_IO,                 /* EIO: the medium, not what is on it */
    ERR_GARBAGE,            /* what is on it makes no sense */
};

struct err {
    enum snap_status status;
    enum err_code code;
    bool hot_only;          /* a cold operation does not meet this */
    char text[2048];
};

/* Each returns -1, so that a failure is reported and returned in one line. */
int err_set(struct err *e, enum snap_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * SNAP_FAILED, and ": " with strerror(errno) behind the text; the code is
 * errno's.  Others set ERR_OTHER, err_wrap() keeps it.
 */
int err_errno(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Puts the text and ": " before the error that is there. */
int err_wrap(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/*
 * Adds a problem to a list that is reported as one: "a; b; c".  The error
 * starts zeroed (struct err e = {0}).
 */
void err_add(struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds another error to such a list; hot_only if all of them are. */
void err_join(struct err *e, const struct err *one);
/* The same; the worse status of the two stays. */
void err_join_worst(struct err *e, const struct err *one);
/* Marks an error as hot_only; returns -1. */
int err_hot_only(struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
