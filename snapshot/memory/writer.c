/* SPDX-License-Identifier: LGPL-2.1-only */

/* Has libxl write a memory image, with a thread that packs it behind. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory/memory.h"
#include "memory/ring.h"
#include "memory/save_file.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/proc.h"
#include "sys/report.h"

#define POLL_MS 20                  /* how often to look for more */
#define FREE_EACH (8u * MEMORY_CHUNK)
#define NICE 19
#define ALIGNMENT 4096u         /* of libxl's stream, not compressed */

enum state { SAVING, WHOLE, BROKEN };

struct memory_writer {
    char *what;
    struct memory_file file;
    int dir;
    unsigned level;             /* of the compression; 0: none */
    int raw;                    /* libxl's: the file, or the spool */
    int end[2];                 /* a pipe that closes with libxl's end */
    atomic_int state;
    atomic_bool failed;         /* the threads are to end */
    bool started, guarded;
    pthread_t thread, guard;
    unsigned cpus;              /* that may be used */
    bool tight;                 /* there is no room for spool and image */
    atomic_bool live;           /* the guest runs meanwhile */
    char *buf;
    uint64_t bytes;             /* of raw: taken */
    _Atomic uint64_t freed;     /* and given back */
    _Atomic uint64_t stored;    /* written, if that is another file */
    uint64_t expected;
    uint64_t bound;             /* of what it takes on disk */
    atomic_bool outgrown;
    const struct reporter *rep;
    bool saved;                 /* the progress of saving was at its end */
    struct err err;             /* of the thread; SNAP_OK if none */
};

int memory_level(const char *text, unsigned *level_r, struct err *e)
{
    char *end;
    unsigned long n = MEMORY_LEVEL_DEFAULT;

    if (text && !strcmp(text, "none")) {
        n = 0;
    } else if (text && strcmp(text, "auto") && strcmp(text, "zstd")) {
        bool digits = !strncmp(text, "zstd:", 5) &&
                      strchr("123456789", text[5]);

        n = 0;
        if (digits)
            n = strtoul(text + 5, &end, 10);
        if (!n || *end || n > MEMORY_LEVEL_MAX)
            return err_set(e, SNAP_USAGE, "compression is auto, none, zstd "
                           "or zstd:LEVEL with a level from 1 to %d, not '%s'",
                           MEMORY_LEVEL_MAX, text);
    }
    *level_r = (unsigned)n;
    return 0;
}

uint64_t memory_room(uint64_t size, unsigned level)
{
    /* Spool and image together hold it once; what zstd cannot shrink grows. */
    if (level)
        return size + size / 128;
    return size;
}

static int put_header(struct memory_writer *w, const char *config,
                      struct err *e)
{
    uint32_t len = strlen(config) + 1;      /* with its NUL */
    struct memory_header hdr = {
        .byteorder = MEMORY_BYTEORDER,
        .mandatory_flags = MEMORY_FLAG_JSON | MEMORY_FLAG_STREAM_V2,
    };
    size_t head = sizeof(hdr) + sizeof(len), pad = 0;
    char *text;
    int rc = 0;

    /* White space, so that equal pages are equal blocks too (share.h). */
    if (!w->level)
        pad = ALIGNMENT - 1 - (head + len - 1) % ALIGNMENT;
    text = mem_printf("%s%*s", config, (int)pad, "");
    len += pad;
    hdr.optional_data_len = sizeof(len) + len;
    memcpy(hdr.magic, memory_magic, sizeof(hdr.magic));
    if (file_write_all(w->raw, &hdr, sizeof(hdr)) ||
        file_write_all(w->raw, &len, sizeof(len)) ||
        file_write_all(w->raw, text, len))
        rc = err_errno(e, "cannot write %s", w->what);
    free(text);
    return rc;
}

/* Until libxl ends, a signal comes, or it is time to look again. */
static void pause_a_little(struct memory_writer *w, bool interrupted)
{
    struct pollfd fds[2] = {
        { .fd = w->end[0], .events = POLLIN },
        { .fd = interrupted ? -1 : interrupt_fd(), .events = POLLIN },
    };

    (void)poll(fds, 2, POLL_MS);
}

static void tell_progress(struct memory_writer *w, enum state state,
                          uint64_t size)
{
    uint64_t total = size;

    /* A live save may write more than was expected. */
    if (state == SAVING && size < w->expected)
        total = w->expected;
    else if (state == SAVING)
        total = size + MEMORY_CHUNK;
    if (!w->saved)
        report_progress(w->rep, "memory", size, total);
    w->saved = state == WHOLE;
    if (w->saved && w->level)
        report_progress(w->rep, "compress", w->bytes, size);
}

static int give_up(struct memory_writer *w, struct err *e)
{
    if (atomic_load(&w->outgrown))
        err_set(e, SNAP_FAILED, "its guest changes memory faster than "
                "it can be saved");
    return -1;
}

/* Without a processor to spare all is done behind the save, if there is room. */
static bool goes_beside(const struct memory_writer *w)
{
    return w->cpus > 1 || w->tight;
}

/* Bytes that can be taken, up to len and 0 at the end. */
static int await(struct memory_writer *w, size_t len, size_t *n_r,
                 struct err *e)
{
    for (;;) {
        enum state state = atomic_load(&w->state);
        struct stat st;
        uint64_t n;

        if (interrupt_pending())
            return interrupt_error(e);
        if (state == BROKEN || atomic_load(&w->failed))
            return give_up(w, e);
        if (fstat(w->raw, &st))
            return err_errno(e, "cannot look at %s", w->what);
        tell_progress(w, state, (uint64_t)st.st_size);
        n = (uint64_t)st.st_size - w->bytes;
        if (n > len)
            n = len;
        *n_r = (size_t)n;
        if (state == WHOLE || (n == len && goes_beside(w)))
            return 0;
        pause_a_little(w, false);
    }
}

/* The next piece of what libxl wrote; *n_r is 0 at the end. */
static int take(struct memory_writer *w, char *buf, size_t len, size_t *n_r,
                struct err *e)
{
    ssize_t n;

    if (await(w, len, n_r, e))
        return -1;
    if (!*n_r)
        return 0;
    n = pread(w->raw, buf, *n_r, (off_t)w->bytes);
    if (n <= 0)
        return err_errno(e, "cannot read back %s", w->what);
    *n_r = (size_t)n;
    w->bytes += (uint64_t)n;
    return 0;
}

static int claim(void *writer, struct ring_slot *s, bool *end_r)
{
    struct memory_writer *w = writer;

    ring_room(&s->in, PACK_FRAME);
    if (take(w, s->in.data, PACK_FRAME, &s->in.len, &s->err))
        return -1;
    s->end = w->bytes;
    *end_r = !s->in.len;
    return 0;
}

static int work(void *writer, struct ring_slot *s)
{
    struct memory_writer *w = writer;

    return memory_pack(s, w->level, w->what);
}

/*
 * While blocks are given back, libxl cannot write: a tenth of the downtime.  Not
 * every file system can; the spool is then as large as the stream.
 */
static void give_back(struct memory_writer *w, uint64_t end)
{
    uint64_t freed = atomic_load(&w->freed);

    if (end - freed < FREE_EACH ||
        (atomic_load(&w->state) == SAVING && !w->tight &&
         !atomic_load(&w->live)))
        return;
    (void)!fallocate(w->raw, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                     (off_t)freed, (off_t)(end - freed));
    atomic_store(&w->freed, end);
}

static int put_frames(struct memory_writer *w, struct ring *ring)
{
    struct ring_slot *s;

    for (;;) {
        if (atomic_load(&w->state) != SAVING)
            ring_allow(ring, w->cpus);
        ring_next(ring, &s);
        if (!s)
            return 0;
        if (s->err.status != SNAP_OK) {
            w->err = s->err;
            return -1;
        }
        if (memory_file_put(&w->file, s->out.data, s->out.len, &w->err))
            return -1;
        atomic_store(&w->stored, w->file.stored);
        give_back(w, s->end);
        ring_done(ring);
    }
}

static int pack_all(struct memory_writer *w)
{
    static const struct ring_ops ops = {
        .claim = claim, .work = work, .drop = memory_pack_drop,
    };
    struct ring *ring;
    int rc;

    if (ring_start(&ops, w, w->cpus + 1, w->cpus, &ring, &w->err))
        return -1;
    /* One processor is libxl's, until it is done. */
    ring_allow(ring, memory_spare_cpus());
    rc = put_frames(w, ring);
    atomic_store(&w->failed, rc != 0);
    ring_stop(ring);
    return rc;
}

static int sum_all(struct memory_writer *w)
{
    size_t n;

    for (;;) {
        if (take(w, w->buf, MEMORY_CHUNK, &n, &w->err))
            return -1;
        if (!n)
            return 0;
        memory_file_add(&w->file, w->buf, n);
    }
}

/* Goes behind libxl, and makes it give up if that fails. */
static void *follow(void *arg)
{
    struct memory_writer *w = arg;
    int rc;

    /* While the guest is stopped, saving it goes first; so in its threads. */
    (void)!setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICE);
    if (w->level)
        rc = pack_all(w);
    else
        rc = sum_all(w);
    if (!rc)
        return NULL;
    while (atomic_load(&w->state) == SAVING) {
        proc_bar_writes();
        pause_a_little(w, true);
    }
    return NULL;
}

static int open_new(int dirfd, const char *name, const char *what,
                    struct err *e)
{
    int fd;

    if (file_unlink(dirfd, name, what, e))
        return -1;
    fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
                O_CLOEXEC, FILE_MODE);
    if (fd >= 0 && !fchmod(fd, FILE_MODE))
        return fd;
    err_errno(e, "cannot make %s", what);
    if (fd >= 0)
        close(fd);
    return -1;
}

static int open_file(struct memory_writer *w, int dirfd, const char *name,
                     struct err *e)
{
    w->file.what = w->what;
    w->file.hash = memory_hash(e);
    if (!w->file.hash)
        return -1;
    w->file.fd = open_new(dirfd, name, w->what, e);
    if (w->file.fd < 0)
        return -1;
    w->dir = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
    if (w->dir < 0)
        return err_errno(e, "cannot make %s", w->what);
    return 0;
}

/* What libxl is to write: without a name if it is to be compressed. */
static int open_raw(struct memory_writer *w, int dirfd, struct err *e)
{
    uint64_t room;

    w->buf = mem_zalloc(MEMORY_CHUNK, 1);
    if (!w->level) {
        w->raw = fcntl(w->file.fd, F_DUPFD_CLOEXEC, 0);
        if (w->raw < 0)
            return err_errno(e, "cannot make %s", w->what);
        return 0;
    }
    w->raw = open_new(dirfd, META_MEMORY_SPOOL, w->what, e);
    if (w->raw < 0 || file_unlink(dirfd, META_MEMORY_SPOOL, w->what, e) ||
        file_free_space(w->raw, &room, e))
        return -1;
    w->tight = room < 2 * w->expected;
    return 0;
}

static int start(struct memory_writer *w, struct err *e)
{
    if (pipe2(w->end, O_CLOEXEC))
        return err_errno(e, "cannot make a pipe");
    if (memory_thread(follow, w, &w->thread, e))
        return -1;
    w->started = true;
    return 0;
}

int memory_create(int dirfd, const struct snapshot *s, const char *what,
                  unsigned level, uint64_t expected,
                  const struct reporter *rep, struct memory_writer **w_r,
                  struct err *e)
{
    struct memory_writer *w = mem_zalloc(1, sizeof(*w));

    w->what = mem_strdup(what);
    w->file.fd = w->dir = w->raw = w->end[0] = w->end[1] = -1;
    w->level = level;
    w->expected = expected;
    w->cpus = memory_cpus();
    w->rep = rep;
    report_progress(rep, "memory", 0, expected);
    if (open_file(w, dirfd, memory_name(s), e) ||
        open_raw(w, dirfd, e) || put_header(w, s->config, e) ||
        start(w, e)) {
        memory_close(w);
        return -1;
    }
    *w_r = w;
    return 0;
}

int memory_fd(struct memory_writer *w)
{
    return w->raw;
}

/*
 * A thread, as those that compress may be behind.  libxl gives up, unless it
 * is just done; what it wrote is taken until then.
 */
static void *guard(void *arg)
{
    struct memory_writer *w = arg;
    struct stat st;

    while (atomic_load(&w->state) == SAVING) {
        if (!fstat(w->raw, &st) &&
            (uint64_t)st.st_size - atomic_load(&w->freed) +
            atomic_load(&w->stored) > w->bound) {
            atomic_store(&w->outgrown, true);
            proc_bar_writes();
        }
        pause_a_little(w, true);
    }
    return NULL;
}

int memory_bound(struct memory_writer *w, struct err *e)
{
    uint64_t room;

    if (file_free_space(w->raw, &room, e))
        return -1;
    w->bound = room / 2;
    if (w->bound < w->expected)
        w->bound = w->expected;
    atomic_store(&w->live, true);
    if (memory_thread(guard, w, &w->guard, e))
        return -1;
    w->guarded = true;
    return 0;
}

bool memory_outgrown(const struct memory_writer *w)
{
    return atomic_load(&w->outgrown);
}

static void end(struct memory_writer *w, enum state state)
{
    atomic_store(&w->state, state);
    if (w->end[1] >= 0)
        close(w->end[1]);
    w->end[1] = -1;
}

/* What went wrong in the thread, if it did. */
static int join(struct memory_writer *w, struct err *e)
{
    if (w->started)
        pthread_join(w->thread, NULL);
    w->started = false;
    if (w->guarded)
        pthread_join(w->guard, NULL);
    w->guarded = false;
    if (w->err.status == SNAP_OK)
        return 0;
    *e = w->err;
    return -1;
}

/* libxl does not tell why it could not write; a full disk does once more. */
static int try_to_write(struct memory_writer *w, struct err *e)
{
    memset(w->buf, 0, MEMORY_CHUNK);
    if (file_write_all(w->raw, w->buf, MEMORY_CHUNK))
        return err_errno(e, "cannot write %s", w->what);
    return 0;
}

int memory_finish(struct memory_writer *w, bool whole, struct err *e)
{
    if (whole) {
        end(w, WHOLE);
        return 0;
    }
    end(w, BROKEN);
    if (join(w, e))
        return -1;
    return try_to_write(w, e);
}

int memory_sync(struct memory_writer *w, struct snapshot *s, struct err *e)
{
    if (join(w, e) || file_sync(w->file.fd, w->what, e) ||
        file_sync(w->dir, w->what, e))
        return -1;
    free(s->memory.checksum);
    s->memory.checksum = memory_checksum(w->file.hash);
    s->memory.size = w->bytes;
    s->memory.stored_size = w->file.stored;
    return 0;
}

void memory_close(struct memory_writer *w)
{
    int *fds[5];
    struct err ignored;
    size_t i;

    if (!w)
        return;
    if (atomic_load(&w->state) == SAVING || w->started)
        end(w, BROKEN);
    (void)join(w, &ignored);
    fds[0] = &w->file.fd;
    fds[1] = &w->dir;
    fds[2] = &w->raw;
    fds[3] = &w->end[0];
    fds[4] = &w->end[1];
    for (i = 0; i < 5; i++)
        if (*fds[i] >= 0)
            close(*fds[i]);
    XXH3_freeState(w->file.hash);
    free(w->buf);
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
