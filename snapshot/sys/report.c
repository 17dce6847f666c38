/* SPDX-License-Identifier: LGPL-2.1-only */

/* Passes notes and progress to whoever called the engine. */

#include <stdarg.h>
#include <stdio.h>

#include "sys/report.h"
#include "sys/text.h"

__attribute__((format(printf, 3, 0)))
static void say(void (*how)(void *arg, const char *line), void *arg,
                const char *fmt, va_list ap)
{
    char line[2300];

    if (!how)
        return;
    /* The format comes from report_note() and report_info(), checked. */
    vsnprintf(line, sizeof(line), fmt, ap);
    text_clean(line);
    how(arg, line);
}

void report_note(const struct reporter *r, const char *fmt, ...)
{
    va_list ap;

    if (!r)
        return;
    va_start(ap, fmt);
    say(r->note, r->arg, fmt, ap);
    va_end(ap);
}

void report_info(const struct reporter *r, const char *fmt, ...)
{
    va_list ap;

    if (!r)
        return;
    va_start(ap, fmt);
    say(r->info, r->arg, fmt, ap);
    va_end(ap);
}

void report_progress(const struct reporter *r, const char *what,
                     uint64_t done, uint64_t total)
{
    if (r && r->progress)
        r->progress(r->arg, what, done, total);
}

void report_verdict(const struct reporter *r, const char *name, bool keep,
                    const char *why)
{
    if (r && r->verdict)
        r->verdict(r->arg, name, keep, why);
}

void report_deleted(const struct reporter *r, const char *name)
{
    if (r && r->deleted)
        r->deleted(r->arg, name);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
