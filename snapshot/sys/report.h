/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What the engine tells its user on the way, beside the result: the command
 * line decides whether and how it is shown.
 */

#ifndef SNAPSHOT_REPORT_H
#define SNAPSHOT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

struct reporter {
    /* One line about something noteworthy, such as a recovery. */
    void (*note)(void *arg, const char *line);
    /* One line that the user of a quiet command does without. */
    void (*info)(void *arg, const char *line);
    /*
     * Bytes done of a total; from another thread while memory is written.
     * done == total ends it.
     */
    void (*progress)(void *arg, const char *what, uint64_t done,
                     uint64_t total);
    /* A retention rule's decision, before anything is deleted. */
    void (*verdict)(void *arg, const char *name, bool keep, const char *why);
    /* A snapshot has been deleted. */
    void (*deleted)(void *arg, const char *name);
    void *arg;
};

void report_note(const struct reporter *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void report_info(const struct reporter *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void report_progress(const struct reporter *r, const char *what,
                     uint64_t done, uint64_t total);
void report_verdict(const struct reporter *r, const char *name, bool keep,
                    const char *why);
void report_deleted(const struct reporter *r, const char *name);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
