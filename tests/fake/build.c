/* SPDX-License-Identifier: LGPL-2.1-only */

#include <stdlib.h>
#include <unistd.h>

#include "build.h"
#include "host.h"

const char *fake_store_root(void)
{
    static char *root;

    if (!root)
        root = host_path("store");
    return root;
}

/* The host's own, once it was booted anew; until then that of the machine. */
const char *fake_boot_id_file(void)
{
    static char *file;

    if (!file)
        file = host_path("boot_id");
    return access(file, R_OK) ? "/proc/sys/kernel/random/boot_id" : file;
}

/* Sockets, beside which those of other tests are not to be seen. */
const char *fake_run(void)
{
    return getenv("FAKE_XEN_DIR");
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
