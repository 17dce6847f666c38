#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "snapshot/sys/mem.h"
#include "snapshot/sys/proc.h"
#include "tests/unit/loop.h"
#include "tests/unit/unit.h"

#define MAX_OPTIONS 8

/* Another process may take the one that was free just now. */
static int attach(int control, int file, uint64_t offset, char **path_r)
{
    struct loop_info64 info = {
        .lo_offset = offset, .lo_flags = LO_FLAGS_AUTOCLEAR,
    };
    int n = ioctl(control, LOOP_CTL_GET_FREE), fd;

    if (n < 0)
        return -1;
    *path_r = mem_printf("/dev/loop%d", n);
    fd = open(*path_r, O_RDWR | O_CLOEXEC);
    if (fd >= 0 && !ioctl(fd, LOOP_SET_FD, file)) {
        if (!ioctl(fd, LOOP_SET_STATUS64, &info))
            return fd;
        ioctl(fd, LOOP_CLR_FD, 0);
    }
    if (fd >= 0)
        close(fd);
    free(*path_r);
    *path_r = NULL;
    return -1;
}

int loop_attach(const char *file, uint64_t offset, char **path_r)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    int fd = open(file, O_RDWR | O_CLOEXEC), loop = -1, i;

    *path_r = NULL;
    for (i = 0; i < 20 && loop < 0 && control >= 0 && fd >= 0; i++)
        loop = attach(control, fd, offset, path_r);
    if (fd >= 0)
        close(fd);
    if (control >= 0)
        close(control);
    return loop;
}

bool loop_own_mounts(void)
{
    return !unshare(CLONE_NEWNS) &&
           !mount("none", "/", "", MS_REC | MS_PRIVATE, "");
}

bool loop_make_ext4(const char *file, uint64_t size, const char *options[])
{
    const char *argv[MAX_OPTIONS + 8] = { "mke2fs", "-q", "-F", "-t", "ext4" };
    struct proc p = { .argv = argv, .timeout_s = 60 };
    size_t n = 5, i;
    struct err e;
    int rc;

    for (i = 0; options && options[i] && i < MAX_OPTIONS; i++)
        argv[n++] = options[i];
    argv[n] = file;
    unit_puts(file, "");
    if (truncate(file, (off_t)size))
        return false;
    rc = proc_run(&p, &e);
    if (rc)
        printf("# %s\n", e.text);
    free(p.out);
    return rc == 0;
}
