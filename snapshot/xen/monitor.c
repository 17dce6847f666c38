/* SPDX-License-Identifier: LGPL-2.1-only */

/* Finds, stops and continues the xl process that waits for a domain. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "xen/domain.h"
#include "xen/monitor.h"

/* On a busy host it waits for a processor; the guest runs meanwhile. */
#define STOP_MS 30000
/* Xen's own starts of domains hold the lock for seconds, large ones longer. */
#ifndef MONITOR_LOCK_MS
#define MONITOR_LOCK_MS 60000
#endif
/* From the moment that a new domain runs until its monitor says so. */
#define APPEAR_MS 3000
#define POLL_MS 20
/* xl takes two seconds over a reboot before it takes its lock. */
#define END_MS 30000
#define END_POLL_MS 2

/* What an xl process is to the domain in question. */
enum role {
    ROLE_NONE,
    ROLE_WAITS,             /* it waits for the domain to end */
    ROLE_RESTARTS,          /* its guest reboots: it starts it again */
    ROLE_SILENT,            /* a monitor whose log does not say for which */
    ROLE_STARTS,            /* it may become one: it starts a domain */
};

/* The domain in question; its name may have been another one. */
struct target {
    uint32_t domid;
    const char *name;
};

struct monitors {
    pid_t *pids;
    size_t n;
    bool silent;            /* all of them are ROLE_SILENT */
    bool starting;          /* there is a ROLE_STARTS */
};

static FILE *open_proc(pid_t pid, const char *file)
{
    char *path = mem_printf("/proc/%d/%s", (int)pid, file);
    FILE *f = fopen(path, "re");

    free(path);
    return f;
}

/* The kernel's state letter of a process, 0 if it is gone. */
static char process_state(pid_t pid)
{
    FILE *f = open_proc(pid, "stat");
    char buf[512], *p;
    size_t n;

    if (!f)
        return 0;
    n = fread(buf, 1, sizeof(buf) - 1, f);
    fclose(f);
    buf[n] = '\0';
    /* pid (comm) state ...; comm may hold anything, even ')'. */
    p = strrchr(buf, ')');
    if (!p || p[1] != ' ')
        return 0;
    return p[2];
}

static bool is_xl(pid_t pid)
{
    char path[64], to[4096];
    const char *base = to, *slash;
    ssize_t n;

    snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
    n = readlink(path, to, sizeof(to) - 1);
    if (n <= 0)
        return false;
    to[n] = '\0';
    slash = strrchr(to, '/');
    if (slash)
        base = slash + 1;
    /* An upgrade of xl leaves the old program running. */
    return !strcmp(base, "xl") || !strcmp(base, "xl (deleted)");
}

/* Is this process an xl that starts a domain, and stays as its monitor? */
static bool is_starter(pid_t pid)
{
    static const char *const verbs[] = {
        "create", "restore", "migrate-receive"
    };
    FILE *f = open_proc(pid, "cmdline");
    char *word = NULL;
    size_t size = 0, i;
    bool first = true, found = false, yes = false;

    if (!f)
        return false;
    while (!found && getdelim(&word, &size, '\0', f) > 0) {
        found = !first && word[0] && word[0] != '-';
        first = false;
    }
    fclose(f);
    /* xl takes any beginning of a command's name. */
    for (i = 0; found && i < sizeof(verbs) / sizeof(verbs[0]); i++)
        yes = yes || !strncmp(verbs[i], word, strlen(word));
    free(word);
    return yes;
}

/*
 * "Waiting for domain NAME (domid N) to die [pid P]": xl_vmcontrol.c in
 * tools/xl prints it, the same from 4.14 to 4.20.  A name may hold anything.
 */
static bool says_waiting(const char *line, pid_t pid, const struct target *t,
                         bool *domid_r, bool *name_r)
{
    static const char begin[] = "Waiting for domain ";
    const char *name = line + strlen(begin), *at = strrchr(line, '(');
    size_t len = strlen(t->name);
    unsigned domid;
    int who, end = 0;

    if (!at || strncmp(line, begin, strlen(begin)) ||
        sscanf(at, "(domid %u) to die [pid %d]%n", &domid, &who, &end) != 2 ||
        !end || at[end] != '\n' || who != pid)
        return false;
    *domid_r = domid == t->domid;
    *name_r = at == name + len + 1 && !strncmp(name, t->name, len);
    return true;
}

/*
 * The process's standard output and error, if they are one file, as a
 * daemon's are.  Opened through the process: the file may have been renamed
 * or removed since.
 */
static FILE *open_log(pid_t pid)
{
    struct stat out, err;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/fd/2", (int)pid);
    if (stat(path, &err))
        return NULL;
    snprintf(path, sizeof(path), "/proc/%d/fd/1", (int)pid);
    if (stat(path, &out) || !S_ISREG(out.st_mode) ||
        out.st_dev != err.st_dev || out.st_ino != err.st_ino)
        return NULL;
    return fopen(path, "re");
}

/*
 * A monitor lives on over its guest's reboots: the last line counts.  Between
 * two of them it sleeps, and the domain's name is nobody's.
 */
static enum role read_log(FILE *log, pid_t pid, const struct target *t)
{
    enum role role = ROLE_SILENT;
    char *line = NULL;
    size_t size = 0;
    bool domid, name = false;

    while (getline(&line, &size, log) > 0) {
        bool waits = says_waiting(line, pid, t, &domid, &name);

        if (waits && domid)
            role = ROLE_WAITS;
        else if (waits)
            role = ROLE_NONE;
        else if (name && !strcmp(line, "Done. Rebooting now\n"))
            role = ROLE_RESTARTS;
    }
    free(line);
    return role;
}

static enum role role_of(pid_t pid, const struct target *t)
{
    enum role role = ROLE_STARTS;
    FILE *log;

    if (pid == getpid() || !is_xl(pid))
        return ROLE_NONE;
    log = open_log(pid);
    if (log) {
        role = read_log(log, pid, t);
        fclose(log);
    }
    if ((role == ROLE_SILENT || role == ROLE_STARTS) && !is_starter(pid))
        return ROLE_NONE;
    return role;
}

static void add(struct monitors *m, pid_t pid)
{
    m->pids = mem_grow(m->pids, m->n + 1, sizeof(*m->pids));
    m->pids[m->n++] = pid;
}

/*
 * All that wait for the domain.  If there is none, those that may: their logs
 * were truncated.  That one which waits for another domain is stopped for the
 * while only delays what it does.
 */
static int find(const struct target *t, struct monitors *m, struct err *e)
{
    struct monitors silent = { .silent = true };
    DIR *dir = opendir("/proc");
    struct dirent *de;

    memset(m, 0, sizeof(*m));
    if (!dir)
        return err_errno(e, "cannot list processes");
    while ((de = readdir(dir))) {
        pid_t pid = (pid_t)atol(de->d_name);    /* 0 if it is no number */
        enum role role = ROLE_NONE;

        if (pid > 0)
            role = role_of(pid, t);
        if (role == ROLE_WAITS || role == ROLE_RESTARTS)
            add(m, pid);
        else if (role == ROLE_SILENT)
            add(&silent, pid);
        else if (role == ROLE_STARTS)
            silent.starting = true;
    }
    closedir(dir);
    if (m->n == 0)
        *m = silent;
    else
        free(silent.pids);
    return 0;
}

static void forget(struct monitors *m)
{
    free(m->pids);
    memset(m, 0, sizeof(*m));
}

static int send_signal(pid_t pid, int sig, const char *domain, struct err *e)
{
    if (kill(pid, sig) && errno != ESRCH)
        return err_errno(e, "cannot signal xl's monitor of domain %s "
                         "(process %d)", domain, (int)pid);
    return 0;
}

static int stop(pid_t pid, const char *domain, struct err *e)
{
    uint64_t until = clock_ms() + STOP_MS;
    char state;

    if (send_signal(pid, SIGSTOP, domain, e))
        return -1;
    while ((state = process_state(pid)) && !strchr("TtZX", state)) {
        if (clock_ms() > until)
            return err_set(e, SNAP_FAILED, "xl's monitor of domain %s "
                           "(process %d) does not stop", domain, (int)pid);
        clock_sleep_ms(1);
    }
    return 0;
}

/* "1: [-> ]POSIX  ADVISORY  WRITE 1234 fd:01:131104 0 EOF"; -> if it waits. */
static bool is_lock_of(const char *line, pid_t pid, bool *waits_r)
{
    const char *at = strchr(line, ':');
    int who;

    if (!at)
        return false;
    at++;
    *waits_r = !strncmp(at, " ->", 3);
    if (*waits_r)
        at += 3;
    return sscanf(at, " %*s %*s %*s %d", &who) == 1 && who == pid;
}

/* Does a line of the file say that the process holds, or waits for, a lock? */
static bool says_lock(FILE *f, pid_t pid, bool waits)
{
    static const char field[] = "lock:";
    char *line = NULL;
    size_t size = 0;
    bool says = false, it_waits;

    while (!says && getline(&line, &size, f) > 0) {
        const char *at = line;

        if (!strncmp(at, field, strlen(field)))     /* in fdinfo */
            at += strlen(field);
        says = is_lock_of(at, pid, &it_waits) && it_waits == waits;
    }
    free(line);
    return says;
}

static int waits_for_lock(pid_t pid, bool *yes_r, struct err *e)
{
    FILE *f = fopen("/proc/locks", "re");

    if (!f)
        return err_errno(e, "cannot read /proc/locks");
    *yes_r = says_lock(f, pid, true);
    fclose(f);
    return 0;
}

/*
 * Asked of the process's own descriptors: /proc/locks goes on naming the
 * process that took a flock() after that one has ended and a child has
 * inherited the file, and its number may be this process's now.
 */
static int holds_lock(pid_t pid, bool *yes_r, struct err *e)
{
    char *path = mem_printf("/proc/%d/fdinfo", (int)pid);
    DIR *dir = opendir(path);
    struct dirent *de;

    free(path);
    *yes_r = false;
    if (!dir && errno != ENOENT)
        return err_errno(e, "cannot list the files of process %d", (int)pid);
    while (dir && !*yes_r && (de = readdir(dir))) {
        char file[sizeof("fdinfo/") + sizeof(de->d_name)];
        FILE *f;

        if (de->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "fdinfo/%s", de->d_name);
        f = open_proc(pid, file);
        if (!f)
            continue;           /* closed meanwhile */
        *yes_r = says_lock(f, pid, false);
        fclose(f);
    }
    if (dir)
        closedir(dir);
    return 0;
}

/*
 * Does the process hold a lock on any file, or wait for one?  A monitor that
 * waits for its domain does not.  One that starts a domain has xl's, which
 * only one process of the host can have, or libxl's of the domain's
 * configuration.
 */
static int has_lock(pid_t pid, bool *locks_r, struct err *e)
{
    if (waits_for_lock(pid, locks_r, e))
        return -1;
    return *locks_r ? 0 : holds_lock(pid, locks_r, e);
}

/*
 * It must not be stopped while it holds a lock: it would hang every start of
 * a domain on the host, and perhaps us.
 */
static int hold(pid_t pid, bool silent, const char *domain, struct err *e)
{
    uint64_t until = clock_ms() + MONITOR_LOCK_MS;
    bool locks;

    for (;;) {
        if (stop(pid, domain, e) || has_lock(pid, &locks, e))
            return -1;
        if (!locks)
            return 0;
        if (send_signal(pid, SIGCONT, domain, e))
            return -1;
        /* It starts a domain: that is not the one in question, which runs. */
        if (silent)
            return 0;
        if (clock_ms() > until)
            return err_set(e, SNAP_FAILED, "xl's monitor of domain %s "
                           "(process %d) is busy starting a domain: try "
                           "again later", domain, (int)pid);
        clock_sleep_ms(POLL_MS);
    }
}

/* The monitor of a domain that was just started may not be there yet. */
static int await(const struct target *t, struct monitors *m, struct err *e)
{
    uint64_t until = clock_ms() + APPEAR_MS;

    for (;;) {
        if (find(t, m, e))
            return -1;
        if (m->n > 0 || !m->starting || clock_ms() > until)
            return 0;
        forget(m);
        clock_sleep_ms(POLL_MS);
    }
}

/* Does this host's xl go on waiting for a domain that was suspended? */
static bool goes_on(void)
{
    char *version = domain_xen_version();
    unsigned major, minor;
    bool yes = version && sscanf(version, "%u.%u", &major, &minor) == 2 &&
               (major > 4 || (major == 4 && minor >= 20));

    free(version);
    return yes;
}

int monitor_hold(uint32_t domid, const char *name, bool *found_r,
                 struct err *e)
{
    struct target t = { domid, name };
    struct monitors m;
    size_t i;
    int rc = 0;

    *found_r = false;
    if (await(&t, &m, e))
        return -1;
    *found_r = m.n > 0;
    for (i = 0; !rc && i < m.n && !goes_on(); i++)
        rc = hold(m.pids[i], m.silent, name, e);
    forget(&m);
    return rc;
}

int monitor_release(uint32_t domid, const char *name, struct err *e)
{
    struct target t = { domid, name };
    struct monitors m;
    size_t i;
    int rc = 0;

    if (find(&t, &m, e))
        return -1;
    for (i = 0; i < m.n; i++)
        if (send_signal(m.pids[i], SIGCONT, name, e))
            rc = -1;
    forget(&m);
    return rc;
}

/* Is one there, and has one of them a lock? */
static int look(const struct target *t, bool *there_r, bool *locks_r,
                struct err *e)
{
    struct monitors m;
    size_t i;
    int rc = find(t, &m, e);

    *locks_r = false;
    *there_r = !rc && m.n > 0 && !m.silent;
    for (i = 0; !rc && *there_r && !*locks_r && i < m.n; i++)
        rc = has_lock(m.pids[i], locks_r, e);
    forget(&m);
    return rc;
}

int monitor_await_end(uint32_t domid, const char *name, bool *waited_r,
                      struct err *e)
{
    uint64_t until = clock_ms() + END_MS;
    struct target t = { domid, name };
    bool there, locks;

    *waited_r = false;
    for (;;) {
        if (look(&t, &there, &locks, e))
            return -1;
        if (!there || (!locks && clock_ms() > until))
            return 0;
        *waited_r = true;
        clock_sleep_ms(END_POLL_MS);
    }
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
