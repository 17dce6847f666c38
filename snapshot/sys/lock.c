/* SPDX-License-Identifier: LGPL-2.1-only */

/* OFD locks on files that come and go with those who take them. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/interrupt.h"
#include "sys/lock.h"
#include "sys/mem.h"

#define POLL_MS 50

static int open_file(int dirfd, const char *name, const char *what,
                     struct err *e)
{
    int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
                    O_NONBLOCK, FILE_MODE);
    struct stat st;

    if (fd < 0)
        return err_errno(e, "cannot lock %s: cannot open %s", what, name);
    if (fstat(fd, &st)) {
        err_errno(e, "cannot lock %s: cannot look at %s", what, name);
        close(fd);
        return -1;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(e, SNAP_FAILED, "cannot lock %s: %s is not a regular "
                       "file", what, name);
    }
    return fd;
}

/* At once or not at all. */
static int try_lock(int fd, bool exclusive)
{
    struct flock fl = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

    if (exclusive)
        fl.l_type = F_WRLCK;
    return fcntl(fd, F_OFD_SETLK, &fl);
}

static void unlock(int fd)
{
    struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

    (void)fcntl(fd, F_OFD_SETLK, &fl);
}

/*
 * The last holder removes the file.  Whoever had it open by then gets a lock
 * that the next one, who makes a new file, does not meet.
 */
static bool is_current(int fd, int dirfd, const char *name)
{
    struct stat ours, there;

    return !fstat(fd, &ours) &&
           !fstatat(dirfd, name, &there, AT_SYMLINK_NOFOLLOW) &&
           ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

static int busy(const char *what, bool *busy_r, struct err *e)
{
    *busy_r = true;
    return err_set(e, SNAP_BUSY, "%s is in use by another snapshot operation: "
                   "try again later", what);
}

/* Waits for the lock of this open file. */
static int wait_lock(int fd, const char *what, bool exclusive, uint64_t until,
                     bool *busy_r, struct err *e)
{
    while (try_lock(fd, exclusive)) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            return err_errno(e, "cannot lock %s", what);
        if (interrupt_pending())
            return interrupt_error(e);
        if (clock_ms() >= until)
            return busy(what, busy_r, e);
        clock_sleep_ms(POLL_MS);
    }
    return 0;
}

int lock_take(int dirfd, const char *name, const char *what, bool exclusive,
              unsigned wait_ms, struct lock *l, bool *busy_r, struct err *e)
{
    uint64_t until = clock_ms() + wait_ms;
    int fd;

    *l = (struct lock)LOCK_NONE;
    *busy_r = false;
    for (;;) {
        fd = open_file(dirfd, name, what, e);
        if (fd < 0)
            return -1;
        if (wait_lock(fd, what, exclusive, until, busy_r, e)) {
            close(fd);
            return -1;
        }
        if (is_current(fd, dirfd, name))
            break;
        close(fd);
    }
    l->fd = fd;
    l->name = mem_strdup(name);
    l->exclusive = exclusive;
    return 0;
}

void lock_drop(struct lock *l, int dirfd)
{
    if (!l->name)
        return;
    /*
     * Of several who share it and leave at once, each would find the others
     * in its way and none would remove the file: so first let go, then look.
     */
    if (!l->exclusive)
        unlock(l->fd);
    /*
     * Removed while it is locked exclusively: those who wait for it find out
     * (is_current()), those who come later make a new one.
     */
    if (!try_lock(l->fd, true) && is_current(l->fd, dirfd, l->name))
        unlinkat(dirfd, l->name, 0);
    close(l->fd);
    free(l->name);
    *l = (struct lock)LOCK_NONE;
}

/* As the last holder would: whoever has just opened it finds out. */
static void clean_one(int dirfd, const char *name)
{
    int fd = openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK |
                    O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size == 0 &&
        !try_lock(fd, true) && is_current(fd, dirfd, name))
        unlinkat(dirfd, name, 0);
    close(fd);
}

void lock_clean(int dirfd)
{
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *de;

    while (dir && (de = readdir(dir)))
        clean_one(dirfd, de->d_name);
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
