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

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <zstd.h>

#include "file.h"
#include "interrupt.h"
#include "mem.h"
#include "meta.h"
#include "memory_file.h"

#define NICE 19
#define MAX_WORKERS 4
#define WINDOW_LOG 20               /* bounds the memory of each worker */
#define FREE_EACH (8u * MEMORY_CHUNK)

struct memory_pack {
    struct memory_file *to;
    const struct reporter *rep;
    int spool;
    uint64_t freed;                 /* of the spool */
    ZSTD_CCtx *zstd;
    char *in, *out;
    size_t out_size;
    pthread_t thread;
    bool started;
    struct err err;                 /* of the thread; SNAP_OK if none */

    pthread_mutex_t lock;           /* for what follows */
    pthread_cond_t changed;
    uint64_t put;                   /* bytes in the spool */
    bool complete, stop, failed;
};

/* Bytes that can be compressed, 0 at the end, -1 to give up. */
static ssize_t await(struct memory_pack *p, uint64_t from)
{
    uint64_t put, n;
    bool complete, stop;

    pthread_mutex_lock(&p->lock);
    while (p->put == from && !p->complete && !p->stop)
        pthread_cond_wait(&p->changed, &p->lock);
    put = p->put;
    complete = p->complete;
    stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    n = put - from;
    /* Until then the writer reports. */
    if (complete)
        report_progress(p->rep, "compress", from, put);
    if (stop)
        return err_set(&p->err, SNAP_FAILED, "the memory stream is not "
                       "complete");
    if (interrupt_pending())
        return interrupt_error(&p->err);
    return n < MEMORY_CHUNK ? (ssize_t)n : (ssize_t)MEMORY_CHUNK;
}

static int squeeze(struct memory_pack *p, size_t len, ZSTD_EndDirective how)
{
    ZSTD_inBuffer in = { p->in, len, 0 };
    size_t left;

    do {
        ZSTD_outBuffer out = { p->out, p->out_size, 0 };

        left = ZSTD_compressStream2(p->zstd, &out, &in, how);
        if (ZSTD_isError(left))
            return err_set(&p->err, SNAP_FAILED, "cannot compress %s: %s",
                           p->to->what, ZSTD_getErrorName(left));
        if (memory_file_put(p->to, p->out, out.pos, &p->err))
            return -1;
    } while (how == ZSTD_e_end ? left != 0 : in.pos < in.size);
    return 0;
}

/* Not every file system can; the spool is then as large as the stream. */
static void give_back(struct memory_pack *p, uint64_t upto)
{
    if (upto - p->freed < FREE_EACH)
        return;
    (void)!fallocate(p->spool, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     (off_t)p->freed, (off_t)(upto - p->freed));
    p->freed = upto;
}

static int compress_all(struct memory_pack *p)
{
    uint64_t from = 0;
    ssize_t n;

    while ((n = await(p, from)) > 0) {
        n = pread(p->spool, p->in, (size_t)n, (off_t)from);
        if (n <= 0)
            return err_errno(&p->err, "cannot read back %s", p->to->what);
        if (squeeze(p, (size_t)n, ZSTD_e_continue))
            return -1;
        from += (uint64_t)n;
        give_back(p, from);
    }
    return n ? -1 : squeeze(p, 0, ZSTD_e_end);
}

static void *work(void *arg)
{
    struct memory_pack *p = arg;

    /* While the guest is stopped, saving it goes first. */
    (void)!setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    if (compress_all(p)) {
        pthread_mutex_lock(&p->lock);
        p->failed = true;
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

static int open_spool(int dirfd, const char *what, struct err *e)
{
    int fd;

    if (file_unlink(dirfd, META_MEMORY_SPOOL, what, e))
        return -1;
    fd = openat(dirfd, META_MEMORY_SPOOL, O_RDWR | O_CREAT | O_EXCL |
                O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return err_errno(e, "cannot make the temporary file of %s", what);
    if (file_unlink(dirfd, META_MEMORY_SPOOL, what, e)) {
        close(fd);
        return -1;
    }
    return fd;
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

int memory_pack_start(int dirfd, struct memory_file *to, unsigned level,
                      const struct reporter *rep, struct memory_pack **p_r,
                      struct err *e)
{
    struct memory_pack *p = mem_zalloc(1, sizeof(*p));

    p->to = to;
    p->rep = rep;
    p->in = mem_zalloc(MEMORY_CHUNK, 1);
    p->out_size = ZSTD_CStreamOutSize();
    p->out = mem_zalloc(p->out_size, 1);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    p->spool = open_spool(dirfd, to->what, e);
    if (p->spool < 0 || open_zstd(p, level, e) ||
        memory_thread(work, p, &p->thread, e)) {
        memory_pack_close(p);
        return -1;
    }
    p->started = true;
    *p_r = p;
    return 0;
}

int memory_pack_put(struct memory_pack *p, const void *data, size_t len,
                    struct err *e)
{
    bool failed;

    if (file_write_all(p->spool, data, len))
        return err_errno(e, "cannot write the temporary file of %s",
                         p->to->what);
    pthread_mutex_lock(&p->lock);
    p->put += len;
    failed = p->failed;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return failed ? -1 : 0;
}

void memory_pack_end(struct memory_pack *p)
{
    pthread_mutex_lock(&p->lock);
    p->complete = true;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
}

static void join(struct memory_pack *p, bool stop)
{
    pthread_mutex_lock(&p->lock);
    p->stop = stop || !p->complete;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
    if (p->started)
        pthread_join(p->thread, NULL);
    p->started = false;
}

int memory_pack_wait(struct memory_pack *p, struct err *e)
{
    join(p, false);
    if (p->err.status == SNAP_OK)
        return 0;
    *e = p->err;
    return -1;
}

void memory_pack_close(struct memory_pack *p)
{
    if (!p)
        return;
    join(p, true);
    if (p->spool >= 0)
        close(p->spool);
    ZSTD_freeCCtx(p->zstd);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->out);
    free(p->in);
    free(p);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
