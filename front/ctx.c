/* SPDX-License-Identifier: LGPL-2.1-only */

#include <stdio.h>
#include <stdlib.h>

#include "xl.h"

libxl_ctx *ctx;
xentoollog_logger_stdiostream *logger;

static void xl_ctx_free(void)
{
    libxl_ctx_free(ctx);
    xtl_logger_destroy((xentoollog_logger *)logger);
}

void xl_ctx_alloc(void)
{
    logger = xtl_createlogger_stdiostream(stderr, minmsglevel, 0);
    if (!logger || libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0,
                                   (xentoollog_logger *)logger)) {
        fprintf(stderr, "xl: cannot reach Xen: is this a dom0, and are you "
                "root?\n");
        exit(EXIT_FAILURE);
    }
    atexit(xl_ctx_free);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
