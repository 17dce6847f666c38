/* SPDX-License-Identifier: LGPL-2.1-only */

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
