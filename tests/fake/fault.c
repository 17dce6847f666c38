/* SPDX-License-Identifier: LGPL-2.1-only */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"
#include "host.h"
#include "spec.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/name.h"
#include "snapshot/qemu/qmp.h"

#define MIB (1u << 20)

static __thread bool off;

void fault_off(bool now)
{
    off = now;
}

static int injected(struct err *e, const char *what)
{
    return err_set(e, SNAP_FAILED, "injected fault: %s", what);
}

/* The hypervisor: called by the fake domain.c. */

enum fault fault_xen(const char *what)
{
    static unsigned n;
    const char *mode;

    /* A thread asks as often as it has time to. */
    if (gettid() != getpid())
        return FAULT_NONE;
    mode = spec_mode("xen", ++n, what);
    if (!strcmp(mode, "late"))
        return FAULT_LATE;
    if (!strcmp(mode, "lost"))
        return FAULT_LOST;
    return fault_mode(mode) ? FAULT_NONE : FAULT_ERROR;
}

void fault_xen_after(enum fault fault)
{
    if (fault == FAULT_LATE)
        fault_die();
}

/* QEMU's monitor. */

int __real_qmp_run(struct qmp *q, const char *command, json_object *args,
                   json_object **ret_r, struct err *e);
int __real_qmp_open(const char *path, struct qmp **q_r, struct err *e);

/*
 * The storage daemon that plays QEMU has no human monitor.  What is asked of
 * it is to flush, which only matters to a machine that loses its power.
 */
static int run(struct qmp *q, const char *command, json_object *args,
               json_object **ret_r, struct err *e)
{
    int rc;

    if (strcmp(command, "human-monitor-command"))
        return __real_qmp_run(q, command, args, ret_r, e);
    json_object_put(args);
    rc = __real_qmp_run(q, "query-version", NULL, NULL, e);
    *ret_r = rc ? NULL : json_object_new_string("");
    return rc;
}

int __wrap_qmp_run(struct qmp *q, const char *command, json_object *args,
                   json_object **ret_r, struct err *e);
int __wrap_qmp_open(const char *path, struct qmp **q_r, struct err *e);

static uint32_t qmp_domid;
static bool qmp_gone;

static void stop_qemu(void)
{
    struct vm vm;

    if (vm_load(qmp_domid, &vm) && vm.qemu > 0)
        kill(vm.qemu, SIGSTOP);
    vm_free(&vm);
}

static const char *qmp_fault(const char *what)
{
    static unsigned n;
    const char *mode = spec_mode("qmp", ++n, what);

    if (!strcmp(mode, "gone"))
        qmp_gone = true;
    else if (!strcmp(mode, "hang"))
        stop_qemu();
    return mode;
}

int __wrap_qmp_open(const char *path, struct qmp **q_r, struct err *e)
{
    const char *mode;

    qmp_domid = (uint32_t)strtoul(strrchr(path, '-') + 1, NULL, 10);
    mode = qmp_fault("connect");
    *q_r = NULL;
    if (qmp_gone || !strcmp(mode, "error") || !strcmp(mode, "lost"))
        return injected(e, "no connection to QEMU");
    if (!strcmp(mode, "kill") || !strcmp(mode, "late"))
        fault_die();
    return __real_qmp_open(path, q_r, e);
}

int __wrap_qmp_run(struct qmp *q, const char *command, json_object *args,
                   json_object **ret_r, struct err *e)
{
    const char *mode = qmp_fault(command);
    int rc;

    if (!strcmp(mode, "kill"))
        fault_die();
    if (qmp_gone || !strcmp(mode, "error")) {
        json_object_put(args);
        if (ret_r)
            *ret_r = NULL;
        return injected(e, qmp_gone ? "QEMU is gone" : "QEMU refused");
    }
    rc = run(q, command, args, ret_r, e);
    if (!strcmp(mode, "late"))
        fault_die();
    if (rc || strcmp(mode, "lost"))
        return rc;
    if (ret_r) {
        json_object_put(*ret_r);
        *ret_r = NULL;
    }
    return injected(e, "QEMU's answer was lost");
}

/*
 * The C library, for files below FAKE_XEN_DIR.  Of the memory image, which a
 * thread writes in pieces that depend on timing, each MiB counts instead.
 */

static const char *host_dir(void)
{
    static const char *dir;

    if (!dir)
        dir = getenv("FAKE_XEN_DIR");
    return dir ? dir : "";
}

ssize_t __real_readlink(const char *path, char *buf, size_t size);
ssize_t __wrap_readlink(const char *path, char *buf, size_t size);

static bool below(const char *path)
{
    size_t len = strlen(host_dir());

    return len && !strncmp(path, host_dir(), len) && path[len] == '/';
}

/* The path behind a descriptor, if it is a file of the host. */
static bool fd_path(int fd, char *path, size_t size)
{
    char link[64];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = __real_readlink(link, path, size - 1);
    if (n < 0)
        return false;
    path[n] = '\0';
    return below(path);
}

static bool takes_space(const char *call)
{
    return !strcmp(call, "write") || !strcmp(call, "create") ||
           !strcmp(call, "mkdir") || !strcmp(call, "rename") ||
           !strcmp(call, "link") || !strcmp(call, "symlink") ||
           !strcmp(call, "truncate") || !strcmp(call, "fsync");
}

/* -1 with errno if the call is to fail; *torn_r if half of it is done. */
static int io_point(const char *call, const char *name, bool *torn_r)
{
    static unsigned n;
    const char *base = strrchr(name, '/'), *mode;
    char what[128];

    snprintf(what, sizeof(what), "%s %.100s", call, base ? base + 1 : name);
    mode = spec_mode("io", ++n, what);
    if (torn_r)
        *torn_r = !strcmp(mode, "torn");
    if (!strcmp(mode, "enospc") && takes_space(call))
        errno = ENOSPC;
    else if (!strcmp(mode, "eio"))
        errno = EIO;
    else
        return fault_mode(mode), 0;
    return -1;
}

static int fd_point(const char *call, int fd)
{
    char path[4096];

    return off || !fd_path(fd, path, sizeof(path)) ? 0 :
           io_point(call, path, NULL);
}

static int at_point(const char *call, int dirfd, const char *name)
{
    char dir[4096];

    if (off || (name[0] == '/' || dirfd == AT_FDCWD ? !below(name) :
                !fd_path(dirfd, dir, sizeof(dir))))
        return 0;
    return io_point(call, name, NULL);
}

static bool is_memory(const char *path)
{
    const char *base = strrchr(path, '/');

    return base && !strncmp(base, "/memory.xl", 10);
}

/* A file that one thread writes: the memory image, its spool. */
struct growth {
    const char *class;
    uint64_t done;
    bool begun;
};

/* It grows by len bytes: a point at each MiB it reaches. */
static int growth_point(struct growth *g, size_t len)
{
    uint64_t n;

    for (n = g->begun ? g->done / MIB + 1 : 0; n <= (g->done + len) / MIB;
         n++) {
        char what[64];
        const char *mode;

        snprintf(what, sizeof(what), "%u MiB", (unsigned)n);
        mode = spec_mode(g->class, (unsigned)n + 1, what);
        g->begun = true;
        errno = !strcmp(mode, "enospc") ? ENOSPC : EIO;
        if (!strcmp(mode, "enospc") || !strcmp(mode, "eio"))
            return -1;
        fault_mode(mode);
    }
    g->done += len;
    return 0;
}

static int memory_point(const char *path, size_t len)
{
    static struct growth image = { "mem", 0, false };
    static struct growth spool = { "spool", 0, false };

    return growth_point(strstr(path, ".spool") ? &spool : &image, len);
}

ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __wrap_read(int fd, void *buf, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_openat64(int dirfd, const char *name, int flags, ...);
int __wrap_openat64(int dirfd, const char *name, int flags, ...);
int __real_open64(const char *name, int flags, ...);
int __wrap_open64(const char *name, int flags, ...);
int __real_renameat(int from_fd, const char *from, int to_fd,
                    const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd,
                    const char *to);
int __real_unlinkat(int dirfd, const char *name, int flags);
int __wrap_unlinkat(int dirfd, const char *name, int flags);
int __real_mkdirat(int dirfd, const char *name, mode_t mode);
int __wrap_mkdirat(int dirfd, const char *name, mode_t mode);
int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int __real_ftruncate64(int fd, off_t len);
int __wrap_ftruncate64(int fd, off_t len);
int __real_fstatat64(int dirfd, const char *name, struct stat *st,
                     int flags);
int __wrap_fstatat64(int dirfd, const char *name, struct stat *st,
                     int flags);

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
    char path[4096];
    bool torn;

    if (off || !fd_path(fd, path, sizeof(path)))
        return __real_write(fd, buf, len);
    if (is_memory(path))
        return memory_point(path, len) ? -1 : __real_write(fd, buf, len);
    if (io_point("write", path, &torn))
        return -1;
    if (!torn)
        return __real_write(fd, buf, len);
    if (__real_write(fd, buf, len / 2) >= 0)
        fault_die();
    return -1;
}

/* Pieces of the memory image again depend on its reader. */
ssize_t __wrap_read(int fd, void *buf, size_t len)
{
    char path[4096];

    if (!off && fd_path(fd, path, sizeof(path)) && !is_memory(path) &&
        io_point("read", path, NULL))
        return -1;
    return __real_read(fd, buf, len);
}

int __wrap_fsync(int fd)
{
    return fd_point("fsync", fd) ? -1 : __real_fsync(fd);
}

int __wrap_openat64(int dirfd, const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    if (flags & O_CREAT) {
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    if (at_point(flags & O_CREAT ? "create" : "open", dirfd, name))
        return -1;
    return __real_openat64(dirfd, name, flags, mode);
}

int __wrap_open64(const char *name, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    if (flags & O_CREAT) {
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    return at_point(flags & O_CREAT ? "create" : "open", AT_FDCWD, name) ?
           -1 : __real_open64(name, flags, mode);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd,
                    const char *to)
{
    return at_point("rename", to_fd, to) ? -1 :
           __real_renameat(from_fd, from, to_fd, to);
}

int __wrap_unlinkat(int dirfd, const char *name, int flags)
{
    return at_point("unlink", dirfd, name) ? -1 :
           __real_unlinkat(dirfd, name, flags);
}

int __wrap_mkdirat(int dirfd, const char *name, mode_t mode)
{
    return at_point("mkdir", dirfd, name) ? -1 :
           __real_mkdirat(dirfd, name, mode);
}

int __wrap_fchmod(int fd, mode_t mode)
{
    return fd_point("chmod", fd) ? -1 : __real_fchmod(fd, mode);
}

int __wrap_ftruncate64(int fd, off_t len)
{
    return fd_point("truncate", fd) ? -1 : __real_ftruncate64(fd, len);
}

int __wrap_fstatat64(int dirfd, const char *name, struct stat *st,
                     int flags)
{
    return at_point("stat", dirfd, name) ? -1 :
           __real_fstatat64(dirfd, name, st, flags);
}

/* By path: images, their layers and links. */

int __real_link(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);
int __real_symlink(const char *target, const char *path);
int __wrap_symlink(const char *target, const char *path);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_truncate64(const char *path, off_t len);
int __wrap_truncate64(const char *path, off_t len);
int __real_chown(const char *path, uid_t uid, gid_t gid);
int __wrap_chown(const char *path, uid_t uid, gid_t gid);
int __real_chmod(const char *path, mode_t mode);
int __wrap_chmod(const char *path, mode_t mode);
int __real_stat64(const char *path, struct stat *st);
int __wrap_stat64(const char *path, struct stat *st);
int __real_lstat64(const char *path, struct stat *st);
int __wrap_lstat64(const char *path, struct stat *st);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_link(const char *from, const char *to)
{
    return at_point("link", AT_FDCWD, to) ? -1 : __real_link(from, to);
}

int __wrap_symlink(const char *target, const char *path)
{
    return at_point("symlink", AT_FDCWD, path) ? -1 :
           __real_symlink(target, path);
}

int __wrap_rename(const char *from, const char *to)
{
    return at_point("rename", AT_FDCWD, to) ? -1 : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    return at_point("unlink", AT_FDCWD, path) ? -1 : __real_unlink(path);
}

int __wrap_truncate64(const char *path, off_t len)
{
    return at_point("truncate", AT_FDCWD, path) ? -1 :
           __real_truncate64(path, len);
}

int __wrap_chown(const char *path, uid_t uid, gid_t gid)
{
    return at_point("chown", AT_FDCWD, path) ? -1 :
           __real_chown(path, uid, gid);
}

int __wrap_chmod(const char *path, mode_t mode)
{
    return at_point("chmod", AT_FDCWD, path) ? -1 :
           __real_chmod(path, mode);
}

int __wrap_stat64(const char *path, struct stat *st)
{
    return at_point("stat", AT_FDCWD, path) ? -1 : __real_stat64(path, st);
}

int __wrap_lstat64(const char *path, struct stat *st)
{
    return at_point("stat", AT_FDCWD, path) ? -1 : __real_lstat64(path, st);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
    unsigned long arg;
    va_list ap;

    va_start(ap, request);
    arg = va_arg(ap, unsigned long);
    va_end(ap);
    return request == FICLONE && fd_point("clone", fd) ? -1 :
           __real_ioctl(fd, request, arg);
}

/* Names that are the same in every run, where a test wants that. */
int __real_name_unique(char unique[NAME_UNIQUE_LEN + 1], struct err *e);
int __wrap_name_unique(char unique[NAME_UNIQUE_LEN + 1], struct err *e);

int __wrap_name_unique(char unique[NAME_UNIQUE_LEN + 1], struct err *e)
{
    const char *run = getenv("FAKE_UNIQUE");

    if (!run)
        return __real_name_unique(unique, e);
    snprintf(unique, NAME_UNIQUE_LEN + 1, "%08x",
             (unsigned)strtoul(run, NULL, 10));
    return 0;
}

/*
 * The engine knows xl's monitor by its program and by what its log says.
 * Those of other fake hosts, whose domains have the same ids, look like
 * something else.
 */
ssize_t __wrap_readlink(const char *path, char *buf, size_t size)
{
    ssize_t n = __real_readlink(path, buf, size), len;
    char log[4096], fd[64];
    int pid, end = 0;

    if (off || n <= 0 || sscanf(path, "/proc/%d/exe%n", &pid, &end) != 1 ||
        !end || path[end])
        return n;
    snprintf(fd, sizeof(fd), "/proc/%d/fd/1", pid);
    len = __real_readlink(fd, log, sizeof(log) - 1);
    log[len < 0 ? 0 : len] = '\0';
    len = (ssize_t)strlen(host_dir());
    if (strncmp(log, host_dir(), (size_t)len) ||
        strncmp(log + len, "/log/", 5))
        buf[n - 1] = '-';
    return n;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
