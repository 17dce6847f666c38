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

#include <stdlib.h>

#include "build.h"
#include "host.h"

const char *fake_store_root(void)
{
    static char *root;

    if (!root)
        root = host_path("store");
    return root;
}

/* A deadline, shortened by a test that waits for it. */
unsigned fake_seconds(unsigned normal)
{
    const char *s = getenv("FAKE_TIMEOUT");

    return s ? (unsigned)strtoul(s, NULL, 10) : normal;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
