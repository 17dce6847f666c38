/* SPDX-License-Identifier: LGPL-2.1-only */

/* Allocates small pieces of memory, or ends the process. */

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/mem.h"

static void *checked(void *p)
{
    if (!p) {
        fputs("xl: snapshot: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *mem_zalloc(size_t n, size_t size)
{
    return checked(calloc(n ? n : 1, size));
}

void *mem_grow(void *p, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        return checked(NULL);
    return checked(realloc(p, n && size ? n * size : 1));
}

char *mem_strdup(const char *s)
{
    return s ? checked(strdup(s)) : NULL;
}

char *mem_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    return checked(n < 0 ? NULL : s);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
