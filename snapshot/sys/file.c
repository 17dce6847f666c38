/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads and writes files of ours, and makes what was written durable. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"

int file_write_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int file_sync(int fd, const char *what, struct err *e)
{
    if (fsync(fd))
        return err_errno(e, "cannot write %s to disk", what);
    return 0;
}

int file_write_durable(int dirfd, const char *name, const char *data,
                       size_t len, const char *what, struct err *e)
{
    char *tmp = mem_printf(".%s.tmp", name);
    int fd = -1, rc = -1;

    if (unlinkat(dirfd, tmp, 0) && errno != ENOENT) {
        err_errno(e, "cannot remove %s's old temporary file", what);
        goto out;
    }
    fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
                O_CLOEXEC, FILE_MODE);
    if (fd < 0 || fchmod(fd, FILE_MODE) || file_write_all(fd, data, len)) {
        err_errno(e, "cannot write %s", what);
        goto out;
    }
    if (file_sync(fd, what, e))
        goto out;
    if (file_rename(dirfd, tmp, name, what, e))
        goto out;
    rc = 0;

out:
    if (fd >= 0) {
        close(fd);
        /* After the rename this name is gone and the call does nothing. */
        unlinkat(dirfd, tmp, 0);
    }
    free(tmp);
    return rc;
}

/*
 * Ours: made by this user, and nobody else may change it.  "type" is S_IFREG
 * or S_IFDIR.
 */
static int check_ours(int fd, mode_t type, const char *what, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st))
        return err_errno(e, "cannot look at %s", what);
    if (type == S_IFDIR && !S_ISDIR(st.st_mode))
        return err_set(e, SNAP_FAILED, "%s is not a directory", what);
    if (type == S_IFREG && !S_ISREG(st.st_mode))
        return err_set(e, SNAP_FAILED, "%s is not a regular file", what);
    if (st.st_uid != geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)))
        return err_set(e, SNAP_FAILED, "%s may be changed by another user "
                       "(owner %u, mode %04o): it is not trusted", what,
                       (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
    return 0;
}

static int open_checked(int dirfd, const char *name, mode_t type,
                        const char *what, struct err *e)
{
    /* O_NONBLOCK: a FIFO in the file's place must not hang us. */
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, fd;

    if (type == S_IFDIR)
        flags |= O_DIRECTORY;
    fd = openat(dirfd, name, flags);
    if (fd < 0)
        return err_errno(e, "cannot open %s", what);
    if (check_ours(fd, type, what, e)) {
        close(fd);
        return -1;
    }
    return fd;
}

int file_open_read(int dirfd, const char *name, const char *what,
                   struct err *e)
{
    return open_checked(dirfd, name, S_IFREG, what, e);
}

int file_open_dir(int dirfd, const char *name, const char *what,
                  struct err *e)
{
    return open_checked(dirfd, name, S_IFDIR, what, e);
}

int file_read(int dirfd, const char *name, size_t max, const char *what,
              char **buf_r, size_t *len_r, struct err *e)
{
    char *buf = NULL;
    size_t len = 0, room = 8192;
    ssize_t n;
    int rc = -1;
    int fd = file_open_read(dirfd, name, what, e);

    if (fd < 0)
        return -1;
    do {
        if (!buf || room - len < 2) {
            room *= 2;
            buf = mem_grow(buf, room, 1);
        }
        n = read(fd, buf + len, room - len - 1);
        if (n < 0) {
            err_errno(e, "cannot read %s", what);
            goto out;
        }
        len += (size_t)n;
        if (len > max) {
            err_set(e, SNAP_FAILED, "%s is larger than %zu bytes", what, max);
            goto out;
        }
    } while (n);
    buf[len] = '\0';
    *buf_r = buf;
    *len_r = len;
    buf = NULL;
    rc = 0;

out:
    free(buf);
    close(fd);
    return rc;
}

int file_make_dir(int dirfd, const char *name, const char *what,
                  struct err *e)
{
    if (mkdirat(dirfd, name, FILE_DIR_MODE)) {
        if (errno == EEXIST)
            return 0;
        return err_errno(e, "cannot make directory %s", what);
    }
    if (fchmodat(dirfd, name, FILE_DIR_MODE, 0))
        return err_errno(e, "cannot set the mode of %s", what);
    return file_sync(dirfd, what, e);
}

int file_rename(int dirfd, const char *from, const char *to,
                const char *what, struct err *e)
{
    if (renameat(dirfd, from, dirfd, to))
        return err_errno(e, "cannot rename %s", what);
    return file_sync(dirfd, what, e);
}

int file_unlink(int dirfd, const char *name, const char *what, struct err *e)
{
    if (unlinkat(dirfd, name, 0) && errno != ENOENT)
        return err_errno(e, "cannot remove %s", what);
    return 0;
}

int file_remove_dir(int dirfd, const char *name, const char *const *ours,
                    const char *what, struct err *e)
{
    int rc = -1;
    int fd = file_open_dir(dirfd, name, what, e);

    if (fd < 0 && e->code == ERR_NOT_FOUND)
        return 0;
    if (fd < 0)
        return -1;
    for (; *ours; ours++)
        if (file_unlink(fd, *ours, what, e))
            goto out;
    if (!unlinkat(dirfd, name, AT_REMOVEDIR))
        rc = file_sync(dirfd, what, e);
    else if (errno == ENOTEMPTY || errno == EEXIST)
        err_set(e, SNAP_FAILED, "%s holds files that are not of a snapshot: "
                "move them away", what);
    else
        err_errno(e, "cannot remove %s", what);

out:
    close(fd);
    return rc;
}

int file_sync_path(const char *path, struct err *e)
{
    int rc = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    rc = file_sync(fd, path, e);
    close(fd);
    return rc;
}

int file_sync_parent(const char *path, struct err *e)
{
    const char *slash = strrchr(path, '/');
    char *dir;
    int rc;

    if (!slash)
        return file_sync_path(".", e);
    if (slash == path)
        return file_sync_path("/", e);
    dir = mem_printf("%.*s", (int)(slash - path), path);
    rc = file_sync_path(dir, e);
    free(dir);
    return rc;
}

int file_free_space(int fd, uint64_t *bytes_r, struct err *e)
{
    struct statvfs vfs;

    if (fstatvfs(fd, &vfs))
        return err_errno(e, "cannot tell the free space");
    *bytes_r = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
