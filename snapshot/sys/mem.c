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
    if (!n)
        n = 1;      /* not NULL */
    return checked(calloc(n, size));
}

void *mem_grow(void *p, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        return checked(NULL);
    if (!n || !size)
        n = size = 1;
    return checked(realloc(p, n * size));
}

char *mem_strdup(const char *s)
{
    if (!s)
        return NULL;
    return checked(strdup(s));
}

char *mem_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        return checked(NULL);
    return s;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
