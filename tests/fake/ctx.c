/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * front/ctx.c of the test build: no libxl, and the programs that belong to the
 * fake host.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xl.h"
#include "snapshot/sys/mem.h"

libxl_ctx *ctx;
xentoollog_logger_stdiostream *logger;

/* xl and qemu-img beside this program come before the real ones. */
static void use_fake_programs(void)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    const char *path = getenv("PATH");
    char *with;

    if (n <= 0)
        abort();
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    with = mem_printf("%s/bin:%s", self, path ? path : "");
    setenv("PATH", with, 1);
    free(with);
}

void xl_ctx_alloc(void)
{
    logger = xtl_createlogger_stdiostream(stderr, minmsglevel, 0);
    if (!logger)
        abort();
    use_fake_programs();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
