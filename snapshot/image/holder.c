/* SPDX-License-Identifier: LGPL-2.1-only */

/* Looks in xenstore, /proc and /sys for those who hold an image. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "image/holder.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"
#include "xen/domain.h"

#define POLL_MS 20
#define LOOP_PATH_MAX 8192

struct search {
    const char *path;
    struct stat target;
    const struct domain *but;
    char *who;
};

static bool same(const struct search *s, const struct stat *st)
{
    if (S_ISBLK(s->target.st_mode))
        return S_ISBLK(st->st_mode) && st->st_rdev == s->target.st_rdev;
    return st->st_dev == s->target.st_dev && st->st_ino == s->target.st_ino;
}

static int match_disk(void *arg, const char *domain,
                      const struct domain_disk *disk)
{
    struct search *s = arg;
    struct stat st;

    if (s->but && !strcmp(domain, s->but->name))
        return 0;
    if (disk->foreign || !disk->path[0] || stat(disk->path, &st) ||
        !same(s, &st))
        return 0;
    s->who = mem_printf("domain %s (%s)", domain, disk->vdev);
    return 1;
}

/* Any of a process's descriptors is the file. */
static bool process_holds(const char *pid, const struct search *s)
{
    char path[320], dir[64];
    struct dirent *de;
    struct stat st;
    bool found = false;
    DIR *fds;

    snprintf(dir, sizeof(dir), "/proc/%.20s/fd", pid);
    fds = opendir(dir);
    if (!fds)
        return false;       /* it ended, or is a kernel thread */
    while (!found && (de = readdir(fds))) {
        snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
        found = !stat(path, &st) && same(s, &st);
    }
    closedir(fds);
    return found;
}

static void process_name(const char *pid, char *name, size_t size)
{
    char path[64];
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
    f = fopen(path, "re");
    if (!f || !fgets(name, (int)size, f))
        snprintf(name, size, "?");
    name[strcspn(name, "\n")] = '\0';
    if (f)
        fclose(f);
}

static int match_processes(struct search *s, struct err *e)
{
    DIR *proc = opendir("/proc");
    struct dirent *de;
    char name[64];

    if (!proc)
        return err_errno(e, "cannot list processes");
    while (!s->who && (de = readdir(proc))) {
        pid_t pid = (pid_t)atol(de->d_name);

        if (pid <= 0 || pid == getpid() || !process_holds(de->d_name, s) ||
            (s->but && domain_has_process(s->but, pid)))
            continue;
        process_name(de->d_name, name, sizeof(name));
        s->who = mem_printf("process %s (%s)", de->d_name, name);
    }
    closedir(proc);
    return 0;
}

/* Loop devices that the domain "but" has for this file: one a disk. */
static unsigned own_loops(const struct search *s)
{
    unsigned n = 0;
    struct stat st;
    size_t i;

    for (i = 0; s->but && i < s->but->ndisks; i++) {
        const struct domain_disk *d = &s->but->disks[i];

        if (!strcmp(d->backend, "phy") && !stat(d->path, &st) && same(s, &st))
            n++;
    }
    return n;
}

/* Loop devices hold files in the kernel: no process shows it. */
static void match_loops(struct search *s)
{
    DIR *block = opendir("/sys/block");
    unsigned own = own_loops(s);
    struct dirent *de;
    struct stat st;

    if (!block)
        return;
    while (!s->who && (de = readdir(block))) {
        char *path, file[LOOP_PATH_MAX];
        FILE *f;

        if (strncmp(de->d_name, "loop", 4))
            continue;
        path = mem_printf("/sys/block/%s/loop/backing_file", de->d_name);
        f = fopen(path, "re");
        if (f && fgets(file, sizeof(file), f)) {
            file[strcspn(file, "\n")] = '\0';
            if (!stat(file, &st) && same(s, &st) && !(own && own--))
                s->who = mem_printf("/dev/%s", de->d_name);
        }
        if (f)
            fclose(f);
        free(path);
    }
    closedir(block);
}

/* A device that is made of this one, or NULL. */
static char *device_above(const struct search *s)
{
    char *path = mem_printf("/sys/dev/block/%u:%u/holders",
                            major(s->target.st_rdev),
                            minor(s->target.st_rdev));
    DIR *holders = opendir(path);
    struct dirent *de;
    char *name = NULL;

    while (holders && !name && (de = readdir(holders)))
        if (de->d_name[0] != '.')
            name = mem_printf("the device %s on top of it",
                              de->d_name);
    if (holders)
        closedir(holders);
    free(path);
    return name;
}

/* True if a device of device-mapper's, such as a volume, is open. */
static bool is_mapped_and_open(const struct search *s)
{
    struct dm_ioctl io = {
        .version = { DM_VERSION_MAJOR, 0, 0 }, .data_size = sizeof(io),
        .dev = s->target.st_rdev,
    };
    int fd = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
    bool is_open = fd >= 0 && !ioctl(fd, DM_DEV_STATUS, &io) &&
                   io.open_count > 0;

    if (fd >= 0)
        close(fd);
    return is_open;
}

/*
 * Block devices that are mounted or stacked on, and those that blkback, in
 * the kernel too, has not yet let go after the end of a domain.
 */
static void match_kernel(struct search *s)
{
    int fd;

    if (!S_ISBLK(s->target.st_mode))
        return;
    fd = open(s->path, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        /* A domain that runs has it open itself. */
        if (!s->but && is_mapped_and_open(s))
            s->who = mem_strdup("the kernel, or another program");
    } else if (errno == EBUSY) {
        s->who = device_above(s);
        if (!s->who)
            s->who = mem_strdup("the kernel (is it mounted?)");
    }
}

static int find_once(struct search *s, struct err *e)
{
    if (domain_each_disk(match_disk, s, e) < 0)
        return -1;
    if (!s->who && match_processes(s, e))
        return -1;
    if (!s->who)
        match_loops(s);
    if (!s->who)
        match_kernel(s);
    return 0;
}

int holder_find(const char *path, const struct domain *but, unsigned wait_s,
                char **who_r, struct err *e)
{
    uint64_t until = clock_ms() + wait_s * 1000ull;
    struct search s;

    *who_r = NULL;
    for (;;) {
        memset(&s, 0, sizeof(s));
        s.path = path;
        s.but = but;
        if (stat(path, &s.target))
            return err_errno(e, "cannot look at %s", path);
        if (find_once(&s, e))
            return -1;
        if (!s.who || clock_ms() >= until)
            break;
        free(s.who);
        clock_sleep_ms(POLL_MS);
    }
    *who_r = s.who;
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
