/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads a tar from a pipe or a file. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/untar.h"

#define BLOCK (1 << 20)         /* bytes of one read */

struct untar {
    struct archive *a;
    struct archive_entry *entry;
    char *what, *buf;
    int fd;
};

/* As read(), -1 with errno; EINTR: a signal that counts. */
static ssize_t read_some(struct untar *u)
{
    struct pollfd p[] = {
        { .fd = u->fd, .events = POLLIN },
        { .fd = interrupt_fd(), .events = POLLIN },
    };
    ssize_t n;

    do {
        if (!interrupt_pending() && poll(p, 2, -1) < 0 && errno != EINTR)
            return -1;
        if (interrupt_pending()) {
            errno = EINTR;
            return -1;
        }
        n = read(u->fd, u->buf, BLOCK);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    return n;
}

static la_ssize_t read_block(struct archive *a, void *arg, const void **buf_r)
{
    struct untar *u = arg;
    ssize_t n = read_some(u);

    *buf_r = u->buf;
    if (n < 0)
        archive_set_error(a, errno, "%s", strerror(errno));
    return n;
}

static int failed(const struct untar *u, struct err *e)
{
    if (interrupt_pending())
        return interrupt_error(e);
    return err_set(e, SNAP_FAILED, "cannot read %s: %s", u->what,
                   archive_error_string(u->a));
}

int untar_open(int fd, const char *what, struct untar **u_r, struct err *e)
{
    struct untar *u = mem_zalloc(1, sizeof(*u));

    *u_r = NULL;
    u->fd = fd;
    u->what = mem_strdup(what);
    u->buf = mem_zalloc(BLOCK, 1);
    u->a = archive_read_new();
    if (!u->a)
        err_set(e, SNAP_FAILED, "cannot read %s: no memory", what);
    else if (archive_read_support_format_tar(u->a) ||
             archive_read_open(u->a, u, NULL, read_block, NULL))
        failed(u, e);
    else
        *u_r = u;
    if (*u_r)
        return 0;
    untar_close(u);
    return -1;
}

/* Whoever writes it is not to meet a closed pipe. */
static int drain(struct untar *u, struct err *e)
{
    ssize_t n;

    while ((n = read_some(u)) > 0)
        ;
    if (n < 0 && interrupt_pending())
        return interrupt_error(e);
    if (n < 0)
        return err_errno(e, "cannot read %s", u->what);
    return 0;
}

static const char *plain_name(struct archive_entry *entry)
{
    const char *name = archive_entry_pathname(entry);

    if (name && !strncmp(name, "./", 2))
        name += 2;
    return name;
}

int untar_next(struct untar *u, const char **name_r, struct err *e)
{
    for (;;) {
        int rc = archive_read_next_header(u->a, &u->entry);

        if (rc == ARCHIVE_EOF)
            return drain(u, e);
        if (rc != ARCHIVE_OK)
            return failed(u, e);
        *name_r = plain_name(u->entry);
        if (!*name_r)
            return err_set(e, SNAP_FAILED, "%s has a file without a name that "
                           "can be read", u->what);
        if (archive_entry_filetype(u->entry) == AE_IFREG &&
            !archive_entry_hardlink(u->entry))
            return 1;
        /* That in which the files were. */
        if (archive_entry_filetype(u->entry) != AE_IFDIR ||
            ((*name_r)[0] && strcmp(*name_r, ".")))
            return err_set(e, SNAP_FAILED, "%s has '%s', which is no regular "
                           "file", u->what, *name_r);
    }
}

static int put(int fd, const char *at, size_t len, off_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, at, len, offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        offset += n;
        len -= (size_t)n;
    }
    return 0;
}

int untar_file(struct untar *u, int fd, const char *path, struct err *e)
{
    la_int64_t size = archive_entry_size(u->entry), offset;
    const void *buf;
    size_t len;
    int rc;

    if (size < 0 || ftruncate(fd, (off_t)size))
        return err_errno(e, "cannot write %s", path);
    while (!(rc = archive_read_data_block(u->a, &buf, &len, &offset))) {
        if (offset < 0 || offset > size || len > (uint64_t)(size - offset))
            return err_set(e, SNAP_FAILED, "%s has more of %s than it says",
                           u->what, path);
        if (put(fd, buf, len, (off_t)offset))
            return err_errno(e, "cannot write %s", path);
        if (interrupt_pending())
            return interrupt_error(e);
    }
    return rc == ARCHIVE_EOF ? 0 : failed(u, e);
}

void untar_close(struct untar *u)
{
    if (!u)
        return;
    if (u->a)
        archive_read_free(u->a);
    free(u->buf);
    free(u->what);
    free(u);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
