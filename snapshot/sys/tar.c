/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a tar to a pipe or a file. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "sys/err.h"
#include "sys/file.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/tar.h"

#define BLOCK (1 << 20)         /* bytes that libarchive gathers */
#define SECTOR 512
#define MEMBER_MODE 0600

struct tar {
    struct archive *a;
    char *what;
    int fd;
    bool is_storage;            /* a file or a block device */
    int pipe_size;              /* bytes; -1: it is no pipe */
    bool ended;
    bool failed;                /* with the error of the write that did */
    struct err e;
};

static int failed(struct tar *t, struct err *e)
{
    if (!t->failed)
        return err_set(e, SNAP_FAILED, "cannot write %s: %s", t->what,
                       archive_error_string(t->a));
    *e = t->e;
    return -1;
}

/* Until it takes bytes.  One that stops reading must not keep us for ever. */
static int await_room(struct tar *t, struct err *e)
{
    struct pollfd p[] = {
        { .fd = t->fd, .events = POLLOUT },
        { .fd = interrupt_fd(), .events = POLLIN },
    };

    while (!interrupt_pending() && poll(p, 2, -1) < 0)
        if (errno != EINTR)
            return err_errno(e, "cannot wait for %s", t->what);
    if (interrupt_pending())
        return interrupt_error(e);
    return 0;
}

/*
 * How much a write takes without blocking once poll() says that there is room:
 * an empty pipe its whole size, anything else but storage at least PIPE_BUF.
 */
static size_t at_once(const struct tar *t, size_t len)
{
    size_t room = PIPE_BUF;
    int queued;

    if (t->is_storage)
        return len;
    if (t->pipe_size > 0 && !ioctl(t->fd, FIONREAD, &queued) && !queued)
        room = (size_t)t->pipe_size;
    return len < room ? len : room;
}

static int write_all(struct tar *t, const char *at, size_t len, struct err *e)
{
    while (len) {
        ssize_t n;

        if (await_room(t, e))
            return -1;
        n = write(t->fd, at, at_once(t, len));
        if (n == 0)
            return err_set(e, SNAP_FAILED, "%s takes nothing", t->what);
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return err_errno(e, "cannot write %s", t->what);
        if (n < 0)
            continue;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* All of it: before 3.5.2 libarchive took a part for the whole at the end. */
static la_ssize_t write_block(struct archive *a, void *arg, const void *buf,
                              size_t len)
{
    struct tar *t = arg;

    if (!write_all(t, buf, len, &t->e))
        return (la_ssize_t)len;
    t->failed = true;
    archive_set_error(a, EIO, "%s", t->e.text);
    return -1;
}

int tar_open(int fd, const char *what, struct tar **t_r, struct err *e)
{
    struct tar *t = mem_zalloc(1, sizeof(*t));
    struct stat st;

    *t_r = t;
    t->fd = fd;
    t->what = mem_strdup(what);
    t->a = archive_write_new();
    if (!t->a)
        return err_set(e, SNAP_FAILED, "cannot write %s: no memory", what);
    if (fstat(fd, &st))
        return err_errno(e, "cannot look at %s", what);
    t->is_storage = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
    /* A larger one is faster, and not ours to have if it is refused. */
    (void)fcntl(fd, F_SETPIPE_SZ, BLOCK);
    t->pipe_size = fcntl(fd, F_GETPIPE_SZ);
    if (archive_write_set_format_pax_restricted(t->a) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(t->a, BLOCK) != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(t->a, SECTOR) != ARCHIVE_OK ||
        archive_write_open(t->a, t, NULL, write_block, NULL) != ARCHIVE_OK)
        return failed(t, e);
    return 0;
}

static void add_ranges(struct archive_entry *entry, uint64_t size,
                       const struct tar_range *data, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        archive_entry_sparse_add_entry(entry, (int64_t)data[i].offset,
                                       (int64_t)data[i].len);
    /* Without any range libarchive takes the member for one without holes. */
    if (data && !n && size > SECTOR)
        archive_entry_sparse_add_entry(entry, 0, SECTOR);
}

int tar_begin(struct tar *t, const char *name, uint64_t size,
              const struct tar_range *data, size_t n, struct err *e)
{
    struct archive_entry *entry = archive_entry_new();
    int status;

    if (!entry)
        return err_set(e, SNAP_FAILED, "cannot write %s: no memory", t->what);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, MEMBER_MODE);
    archive_entry_set_size(entry, (int64_t)size);
    archive_entry_set_mtime(entry, time(NULL), 0);
    add_ranges(entry, size, data, n);
    status = archive_write_header(t->a, entry);
    archive_entry_free(entry);
    return status == ARCHIVE_OK ? 0 : failed(t, e);
}

int tar_put(struct tar *t, const void *data, size_t len, struct err *e)
{
    static const char zeros[1 << 16];
    const char *at = data;

    while (len) {
        size_t part = len;
        la_ssize_t n;

        if (!data && part > sizeof(zeros))
            part = sizeof(zeros);
        n = archive_write_data(t->a, data ? at : zeros, part);
        if (n < 0)
            return failed(t, e);
        if (n == 0)
            return err_set(e, SNAP_FAILED, "cannot write %s: a member is "
                           "longer than was said", t->what);
        if (data)
            at += n;
        len -= (size_t)n;
    }
    return 0;
}

int tar_end(struct tar *t, struct err *e)
{
    t->ended = true;
    if (archive_write_close(t->a) != ARCHIVE_OK)
        return failed(t, e);
    return t->is_storage ? file_sync(t->fd, t->what, e) : 0;
}

void tar_close(struct tar *t)
{
    if (!t)
        return;
    if (t->a && !t->ended)
        archive_write_fail(t->a);
    archive_write_free(t->a);
    free(t->what);
    free(t);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
