/* SPDX-License-Identifier: LGPL-2.1-only */

/* The compression of a memory image, a frame at a time. */

#include <zstd.h>

#include "memory/ring.h"
#include "memory/save_file.h"
#include "sys/err.h"

#define WINDOW_LOG 20               /* bounds the memory of each thread */

static ZSTD_CCtx *start(unsigned level)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();

    if (c &&
        !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel,
                                             (int)level)) &&
        !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog,
                                             WINDOW_LOG)) &&
        !ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, 1)))
        return c;
    ZSTD_freeCCtx(c);
    return NULL;
}

int memory_pack(struct ring_slot *s, unsigned level, const char *what)
{
    size_t room = ZSTD_compressBound(s->in.len), n;

    if (!s->tool)
        s->tool = start(level);
    if (!s->tool)
        return err_set(&s->err, SNAP_FAILED, "cannot start libzstd");
    ring_room(&s->out, room);
    n = ZSTD_compress2(s->tool, s->out.data, room, s->in.data, s->in.len);
    if (ZSTD_isError(n))
        return err_set(&s->err, SNAP_FAILED, "cannot compress %s: %s", what,
                       ZSTD_getErrorName(n));
    s->out.len = n;
    return 0;
}

void memory_pack_drop(void *tool)
{
    ZSTD_freeCCtx(tool);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
