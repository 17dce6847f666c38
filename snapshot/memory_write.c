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
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "interrupt.h"
#include "mem.h"
#include "memory.h"
#include "memory_file.h"

struct memory_writer {
    char *what;
    struct memory_file file;
    int dir;
    struct memory_pack *pack;   /* NULL: not compressed */
    int in, out;                /* the pipe: libxl's end is out */
    bool started;
    pthread_t thread;
    uint64_t bytes, expected;
    const struct reporter *rep;
    bool complete;              /* the thread took all to the end */
    struct err err;             /* of the thread; SNAP_OK if none */
};

int memory_level(const char *text, unsigned *level_r, struct err *e)
{
    char *end;
    unsigned long n = MEMORY_LEVEL_DEFAULT;

    if (text && !strcmp(text, "none")) {
        n = 0;
    } else if (text && strcmp(text, "zstd")) {
        bool digits = !strncmp(text, "zstd:", 5) &&
                      strchr("123456789", text[5]);

        n = digits ? strtoul(text + 5, &end, 10) : 0;
        if (!n || *end || n > MEMORY_LEVEL_MAX)
            return err_set(e, SNAP_USAGE, "compression is none, zstd or "
                           "zstd:LEVEL with a level from 1 to %d, not '%s'",
                           MEMORY_LEVEL_MAX, text);
    }
    *level_r = (unsigned)n;
    return 0;
}

uint64_t memory_room(uint64_t size, unsigned level)
{
    /* Spool and image together hold it once; what zstd cannot shrink grows. */
    return level ? size + size / 128 : size;
}

static int put(struct memory_writer *w, const void *data, size_t len,
               struct err *e)
{
    w->bytes += len;
    return w->pack ? memory_pack_put(w->pack, data, len, e) :
                     memory_file_put(&w->file, data, len, e);
}

static int put_header(struct memory_writer *w, const char *config,
                      struct err *e)
{
    uint32_t len = strlen(config) + 1;      /* with its NUL */
    struct memory_header hdr = {
        .byteorder = MEMORY_BYTEORDER,
        .mandatory_flags = MEMORY_FLAG_JSON | MEMORY_FLAG_STREAM_V2,
        .optional_data_len = sizeof(len) + len,
    };

    memcpy(hdr.magic, memory_magic, sizeof(hdr.magic));
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
        n = read(w->in, buf, MEMORY_CHUNK);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_errno(&w->err, "cannot read the memory stream");
        if (n >= 0)
            return n;
    }
}

static void *pump(void *arg)
{
    struct memory_writer *w = arg;
    char *buf = mem_zalloc(1, MEMORY_CHUNK);
    ssize_t n;

    while ((n = take(w, buf)) > 0 && !put(w, buf, (size_t)n, &w->err))
        report_progress(w->rep, "memory", w->bytes, w->expected);
    /* Whoever still writes gets EPIPE. */
    close(w->in);
    w->in = -1;
    w->complete = n == 0;
    if (w->complete) {
        report_progress(w->rep, "memory", w->bytes, w->bytes);
        if (w->pack)
            memory_pack_end(w->pack);
    }
    free(buf);
    return NULL;
}

static int open_file(struct memory_writer *w, int dirfd, const char *name,
                     struct err *e)
{
    w->file.what = w->what;
    w->file.hash = memory_hash(e);
    if (!w->file.hash || file_unlink(dirfd, name, w->what, e))
        return -1;
    w->file.fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL |
                        O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    w->dir = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
    if (w->file.fd < 0 || w->dir < 0 || fchmod(w->file.fd, FILE_MODE))
        return err_errno(e, "cannot make %s", w->what);
    return 0;
}

static int open_pipe(struct memory_writer *w, struct err *e)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC))
        return err_errno(e, "cannot make a pipe");
    w->in = fds[0];
    w->out = fds[1];
    /* Larger is faster; the default does too. */
    (void)fcntl(w->out, F_SETPIPE_SZ, MEMORY_CHUNK);
    return 0;
}

int memory_create(int dirfd, const struct snapshot *s, const char *what,
                  unsigned level, uint64_t expected,
                  const struct reporter *rep, struct memory_writer **w_r,
                  struct err *e)
{
    struct memory_writer *w = mem_zalloc(1, sizeof(*w));

    w->what = mem_strdup(what);
    w->file.fd = w->dir = w->in = w->out = -1;
    w->expected = expected;
    w->rep = rep;
    if (open_file(w, dirfd, memory_name(s), e) ||
        (level && memory_pack_start(dirfd, &w->file, level, rep, &w->pack,
                                    e)) ||
        put_header(w, s->config, e) || open_pipe(w, e) ||
        memory_thread(pump, w, &w->thread, e)) {
        memory_close(w);
        return -1;
    }
    w->started = true;
    *w_r = w;
    return 0;
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
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = false;
}

int memory_finish(struct memory_writer *w, struct err *e)
{
    join(w);
    if (w->complete)
        return 0;
    *e = w->err;
    /* Without one of its own the compression's is the cause. */
    if (e->status == SNAP_OK)
        (void)memory_pack_wait(w->pack, e);
    return -1;
}

int memory_sync(struct memory_writer *w, struct snapshot *s, struct err *e)
{
    if ((w->pack && memory_pack_wait(w->pack, e)) ||
        file_sync(w->file.fd, w->what, e) || file_sync(w->dir, w->what, e))
        return -1;
    free(s->memory.checksum);
    s->memory.checksum = memory_checksum(w->file.hash);
    s->memory.size = w->bytes;
    s->memory.stored_size = w->file.stored;
    return 0;
}

void memory_close(struct memory_writer *w)
{
    if (!w)
        return;
    join(w);
    memory_pack_close(w->pack);
    if (w->in >= 0)
        close(w->in);
    if (w->file.fd >= 0)
        close(w->file.fd);
    if (w->dir >= 0)
        close(w->dir);
    XXH3_freeState(w->file.hash);
    free(w->what);
    free(w);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
