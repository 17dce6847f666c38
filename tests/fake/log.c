/* SPDX-License-Identifier: LGPL-2.1-only */

/* syslog of the fake host: a file that a test can read. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "host.h"

__attribute__((format(printf, 2, 3)))
void __wrap_syslog(int priority, const char *fmt, ...);

void __wrap_syslog(int priority, const char *fmt, ...)
{
    char *path = host_path("syslog");
    FILE *f = fopen(path, "ae");
    va_list ap;

    free(path);
    if (!f)
        return;
    fprintf(f, "<%d> ", priority);
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    fputc('\n', f);
    fclose(f);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
