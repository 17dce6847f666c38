/* SPDX-License-Identifier: LGPL-2.1-only */

#include <stdlib.h>
#include <unistd.h>

#include <zstd.h>

#include "memory/save_file.h"
#include "sys/err.h"
#include "sys/mem.h"

#define MAX_WORKERS 4
#define WINDOW_LOG 20               /* bounds the memory of each worker */

struct memory_pack {
    struct memory_file *to;
    ZSTD_CCtx *zstd;
    char *out;
    size_t out_size;
};

static int squeeze(struct memory_pack *p, const void *data, size_t len,
                   ZSTD_EndDirective how, struct err *e)
{
    ZSTD_inBuffer in = { data, len, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { p->out, p->out_size, 0 };

        left = ZSTD_compressStream2(p->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return err_set(e, SNAP_FAILED, "cannot compress %s: %s",
                           p->to->what, ZSTD_getErrorName(left));
        if (memory_file_put(p->to, p->out, out.pos, e))
            return -1;
    } while (how == ZSTD_e_end ? left != 0 : in.pos < in.size);
    return 0;
}

static int open_zstd(struct memory_pack *p, unsigned level, struct err *e)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    p->zstd = ZSTD_createCCtx();
    if (!p->zstd ||
        ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd,
                         ZSTD_c_compressionLevel, (int)level)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_windowLog,
                         WINDOW_LOG)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag,
                         1)))
        return err_set(e, SNAP_FAILED, "libzstd does not start");
    /* A libzstd without threads refuses, and works alone. */
    if (cpus > 1)
        ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_nbWorkers,
                               cpus < MAX_WORKERS ? (int)cpus : MAX_WORKERS);
    return 0;
}

int memory_pack_start(struct memory_file *to, unsigned level,
                      struct memory_pack **p_r, struct err *e)
{
    struct memory_pack *p = mem_zalloc(1, sizeof(*p));

    p->to = to;
    p->out_size = ZSTD_CStreamOutSize();
    p->out = mem_zalloc(p->out_size, 1);
    if (open_zstd(p, level, e)) {
        memory_pack_close(p);
        return -1;
    }
    *p_r = p;
    return 0;
}

int memory_pack_put(struct memory_pack *p, const void *data, size_t len,
                    struct err *e)
{
    return squeeze(p, data, len, ZSTD_e_continue, e);
}

int memory_pack_end(struct memory_pack *p, struct err *e)
{
    return squeeze(p, NULL, 0, ZSTD_e_end, e);
}

void memory_pack_close(struct memory_pack *p)
{
    if (!p)
        return;
    ZSTD_freeCCtx(p->zstd);
    free(p->out);
    free(p);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
