/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

#include <stdarg.h>
#include <stdio.h>

#include "report.h"

void report_note(const struct reporter *r, const char *fmt, ...)
{
    char line[2300];
    va_list ap;

    if (!r || !r->note)
        return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    r->note(r->arg, line);
}

void report_progress(const struct reporter *r, const char *what,
                     uint64_t done, uint64_t total)
{
    if (r && r->progress)
        r->progress(r->arg, what, done, total);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
