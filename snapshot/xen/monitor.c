/* SPDX-License-Identifier: LGPL-2.1-only */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "xen/monitor.h"

#ifndef XEN_LOG_DIR
#define XEN_LOG_DIR "/var/log/xen"
#endif

#define STOP_MS 5000

/* The kernel's state letter of a process, 0 if it is gone. */
static char process_state(pid_t pid)
{
    char path[64], buf[512], *p;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    buf[n] = '\0';
    /* pid (comm) state ...; comm may hold anything, even ')'. */
    p = strrchr(buf, ')');
    return p && p[1] == ' ' ? p[2] : 0;
}

static bool link_is(const char *link, const char *want, bool base_only)
{
    char to[4096];
    ssize_t n = readlink(link, to, sizeof(to) - 1);
    const char *got = to;

    if (n < 0)
        return false;
    to[n] = '\0';
    if (base_only && strrchr(to, '/'))
        got = strrchr(to, '/') + 1;
    /* logrotate or an upgrade may have removed the file since. */
    return !strcmp(got, want) ||
           (!strncmp(got, want, strlen(want)) &&
            !strcmp(got + strlen(want), " (deleted)"));
}

static bool is_monitor(pid_t pid, const char *log)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    if (!link_is(path, "xl", true))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)pid);
    return link_is(path, log, false);
}

static int wait_stopped(pid_t pid, const char *domain, struct err *e)
{
    uint64_t until = clock_ms() + STOP_MS;
    char state;

    while ((state = process_state(pid)) && !strchr("TtZX", state)) {
        if (clock_ms() > until)
            return err_set(e, SNAP_FAILED, "xl's monitor of domain %s "
                           "(process %d) does not stop", domain, (int)pid);
        clock_sleep_ms(1);
    }
    return 0;
}

static int signal_one(pid_t pid, int sig, const char *domain, struct err *e)
{
    if (kill(pid, sig) && errno != ESRCH)
        return err_errno(e, "cannot signal xl's monitor of domain %s "
                         "(process %d)", domain, (int)pid);
    return sig == SIGSTOP ? wait_stopped(pid, domain, e) : 0;
}

static int signal_all(const char *domain, int sig, struct err *e)
{
    char *log = mem_printf(XEN_LOG_DIR "/xl-%s.log", domain);
    DIR *dir = opendir("/proc");
    struct dirent *de;
    int rc = 0;

    if (!dir) {
        free(log);
        return err_errno(e, "cannot list processes");
    }
    while ((de = readdir(dir))) {
        pid_t pid = isdigit((unsigned char)de->d_name[0]) ?
                    (pid_t)atol(de->d_name) : 0;

        if (pid > 0 && is_monitor(pid, log) &&
            signal_one(pid, sig, domain, e))
            rc = -1;
    }
    closedir(dir);
    free(log);
    return rc;
}

int monitor_hold(const char *domain, struct err *e)
{
    return signal_all(domain, SIGSTOP, e);
}

int monitor_release(const char *domain, struct err *e)
{
    return signal_all(domain, SIGCONT, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
