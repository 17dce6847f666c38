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
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "file.h"
#include "interrupt.h"
#include "mem.h"
#include "memory.h"

#define CHUNK (1u << 20)

/* tools/xl/xl.h; all numbers in the host's byte order. */
struct save_file_header {
    char magic[32];
    uint32_t byteorder;
    uint32_t mandatory_flags;
    uint32_t optional_flags;
    uint32_t optional_data_len;
};

static const char magic[32] = "Xen saved domain, xl format\n \0 \r";
#define BYTEORDER 0x01020304u
#define FLAG_JSON 1u
#define FLAG_STREAM_V2 2u

struct memory_writer {
    char *what;
    int file, in, out;          /* the pipe: libxl's end is out */
    bool started, joined;
    pthread_t thread;
    XXH3_state_t *hash;
    uint64_t bytes, expected;
    const struct reporter *rep;
    struct err err;             /* of the thread; status SNAP_OK if none */
};

static int put(struct memory_writer *w, const void *data, size_t len,
               struct err *e)
{
    if (file_write_all(w->file, data, len))
        return err_errno(e, "cannot write %s", w->what);
    XXH3_64bits_update(w->hash, data, len);
    w->bytes += len;
    return 0;
}

static int put_header(struct memory_writer *w, const char *config,
                      struct err *e)
{
    uint32_t len = strlen(config) + 1;      /* with its NUL */
    struct save_file_header hdr = {
        .byteorder = BYTEORDER,
        .mandatory_flags = FLAG_JSON | FLAG_STREAM_V2,
        .optional_data_len = sizeof(len) + len,
    };

    memcpy(hdr.magic, magic, sizeof(hdr.magic));
    return put(w, &hdr, sizeof(hdr), e) || put(w, &len, sizeof(len), e) ||
           put(w, config, len, e) ? -1 : 0;
}

/* Bytes of the next piece of the stream, 0 at its end, -1. */
static ssize_t take(struct memory_writer *w, void *buf)
{
    struct pollfd fds[2] = {
        { .fd = w->in, .events = POLLIN },
        { .fd = interrupt_fd(), .events = POLLIN },
    };
    ssize_t n;

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return err_errno(&w->err, "cannot wait for the memory stream");
        if (interrupt_pending())
            return interrupt_error(&w->err);
        n = read(w->in, buf, CHUNK);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_errno(&w->err, "cannot read the memory stream");
        if (n >= 0)
            return n;
    }
}

static void *pump(void *arg)
{
    struct memory_writer *w = arg;
    char *buf = mem_zalloc(1, CHUNK);
    ssize_t n;

    while ((n = take(w, buf)) > 0 && !put(w, buf, (size_t)n, &w->err))
        report_progress(w->rep, "memory", w->bytes, w->expected);
    /* Whoever still writes gets EPIPE. */
    close(w->in);
    w->in = -1;
    free(buf);
    return NULL;
}

/* Signals are for the main thread. */
static int start_thread(struct memory_writer *w, struct err *e)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&w->thread, NULL, pump, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        errno = rc;
        return err_errno(e, "cannot start a thread");
    }
    w->started = true;
    return 0;
}

int memory_create(int dirfd, const char *what, const char *config,
                  uint64_t expected, const struct reporter *rep,
                  struct memory_writer **w_r, struct err *e)
{
    struct memory_writer *w = mem_zalloc(1, sizeof(*w));
    int fds[2];

    w->what = mem_strdup(what);
    w->file = w->in = w->out = -1;
    w->expected = expected;
    w->rep = rep;
    w->hash = XXH3_createState();
    if (!w->hash || XXH3_64bits_reset(w->hash)) {
        err_set(e, SNAP_FAILED, "cannot compute checksums");
        goto fail;
    }
    if (file_unlink(dirfd, META_MEMORY_FILE, what, e))
        goto fail;
    w->file = openat(dirfd, META_MEMORY_FILE, O_WRONLY | O_CREAT | O_EXCL |
                     O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (w->file < 0 || fchmod(w->file, FILE_MODE)) {
        err_errno(e, "cannot make %s", what);
        goto fail;
    }
    if (put_header(w, config, e))
        goto fail;
    if (pipe2(fds, O_CLOEXEC)) {
        err_errno(e, "cannot make a pipe");
        goto fail;
    }
    w->in = fds[0];
    w->out = fds[1];
    /* Larger is faster; the default does too. */
    (void)fcntl(w->out, F_SETPIPE_SZ, CHUNK);
    if (start_thread(w, e))
        goto fail;
    *w_r = w;
    return 0;

fail:
    memory_close(w);
    return -1;
}

int memory_fd(struct memory_writer *w)
{
    return w->out;
}

static void join(struct memory_writer *w)
{
    if (w->out >= 0)
        close(w->out);
    w->out = -1;
    if (w->started && !w->joined)
        pthread_join(w->thread, NULL);
    w->joined = true;
}

static char *checksum_text(XXH3_state_t *hash)
{
    return mem_printf("xxh3:%016" PRIx64,
                      (uint64_t)XXH3_64bits_digest(hash));
}

int memory_finish(struct memory_writer *w, struct snapshot *s, struct err *e)
{
    join(w);
    if (w->err.status != SNAP_OK) {
        *e = w->err;
        return -1;
    }
    report_progress(w->rep, "memory", w->bytes, w->bytes);
    free(s->memory.checksum);
    s->memory.checksum = checksum_text(w->hash);
    s->memory.size = s->memory.stored_size = w->bytes;
    return 0;
}

int memory_sync(struct memory_writer *w, struct err *e)
{
    return file_sync(w->file, w->what, e);
}

void memory_close(struct memory_writer *w)
{
    if (!w)
        return;
    join(w);
    if (w->in >= 0)
        close(w->in);
    if (w->file >= 0)
        close(w->file);
    XXH3_freeState(w->hash);
    free(w->what);
    free(w);
}

static int check_header(const void *buf, size_t len, const char *what,
                        struct err *e)
{
    const struct save_file_header *hdr = buf;

    if (len < sizeof(*hdr) || memcmp(hdr->magic, magic, sizeof(magic)) ||
        hdr->byteorder != BYTEORDER)
        return err_set(e, SNAP_FAILED, "%s is not a memory image of xl",
                       what);
    return 0;
}

int memory_open(int dirfd, const struct snapshot *s, const char *what,
                const struct reporter *rep, struct memory_reader *r,
                struct err *e)
{
    if (strcmp(s->memory.compression, "none"))
        return err_set(e, SNAP_FAILED, "%s is compressed with '%s', which "
                       "this version does not know", what,
                       s->memory.compression);
    memset(r, 0, sizeof(*r));
    r->rep = rep;
    r->total = s->memory.stored_size;
    r->fd = file_open_read(dirfd, s->memory.file, what, e);
    return r->fd < 0 ? -1 : 0;
}

ssize_t memory_source(void *reader, void *buf, size_t len)
{
    struct memory_reader *r = reader;
    ssize_t n;

    do
        n = read(r->fd, buf, len);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        r->done += (uint64_t)n;
        report_progress(r->rep, "restore", r->done, r->total);
    }
    return n;
}

int memory_check_size(int dirfd, const struct snapshot *s, const char *what,
                      struct err *e)
{
    int fd = file_open_read(dirfd, s->memory.file, what, e), rc = 0;
    struct stat sb;

    if (fd < 0)
        return -1;
    if (fstat(fd, &sb))
        rc = err_errno(e, "cannot look at %s", what);
    else if ((uint64_t)sb.st_size != s->memory.stored_size)
        rc = err_set(e, SNAP_FAILED, "%s has %" PRIu64 " bytes, not the %"
                     PRIu64 " of the snapshot: the memory image is damaged",
                     what, (uint64_t)sb.st_size, s->memory.stored_size);
    close(fd);
    return rc;
}

int memory_verify(int dirfd, const struct snapshot *s, const char *what,
                  struct err *e)
{
    struct memory_reader r;
    XXH3_state_t *hash = NULL;
    char *buf = NULL, *sum = NULL;
    ssize_t n;
    int rc = -1;

    if (memory_open(dirfd, s, what, NULL, &r, e))
        return -1;
    hash = XXH3_createState();
    if (!hash || XXH3_64bits_reset(hash)) {
        err_set(e, SNAP_FAILED, "cannot compute checksums");
        goto out;
    }
    buf = mem_zalloc(1, CHUNK);
    while ((n = memory_source(&r, buf, CHUNK)) > 0) {
        if (r.done == (uint64_t)n &&
            check_header(buf, (size_t)n, what, e))
            goto out;
        XXH3_64bits_update(hash, buf, (size_t)n);
    }
    if (n < 0) {
        err_errno(e, "cannot read %s", what);
        goto out;
    }
    if (r.done != s->memory.stored_size) {
        err_set(e, SNAP_FAILED, "%s has %" PRIu64 " bytes, not the %" PRIu64
                " of the snapshot: the memory image is damaged", what,
                r.done, s->memory.stored_size);
        goto out;
    }
    sum = checksum_text(hash);
    if (strcmp(sum, s->memory.checksum)) {
        err_set(e, SNAP_FAILED, "%s has checksum %s, not %s: the memory "
                "image is damaged", what, sum, s->memory.checksum);
        goto out;
    }
    rc = 0;

out:
    close(r.fd);
    XXH3_freeState(hash);
    free(sum);
    free(buf);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
