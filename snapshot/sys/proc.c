/* SPDX-License-Identifier: LGPL-2.1-only */

/* Runs a program with input, output and a time limit. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/proc.h"

#define OUT_MAX (16u << 20)     /* of a program's stdout */
/* More than what libxl reads at a time; others than root get less. */
#define IN_PIPE (8 << 20)
#define IN_PIPE_LESS (1 << 20)
#define IN_TURN 16              /* pieces of input before we look around */
#define TICK_MS 100             /* a child may end without closing its pipes */
#define SHORT_TICK_MS 1
#define STOP_MS 10000           /* until an end is no longer waited for */

/* cron's PATH has no sbin, where xl and the LVM tools are. */
#define SBIN "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"

struct running {
    struct proc *p;
    pid_t pid;
    int in, out, err;           /* our ends, -1 when closed */
    char feed[262144];          /* of the source, not written yet */
    size_t feed_len, feed_off;
    char tail[2048];            /* of stderr */
    size_t tail_len;
    const char *killed;         /* why we killed it, or NULL */
    bool beside;                /* ends with us */
};

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The value of PATH for finding programs, and for the child. */
static char *search_path(void)
{
    const char *path = getenv("PATH");

    if (!path)
        return mem_strdup(SBIN);
    return mem_printf("%s:" SBIN, path);
}

static char *find_program(const char *name, const char *path)
{
    char *dirs, *dir, *save = NULL;

    if (strchr(name, '/'))
        return mem_strdup(name);
    dirs = mem_strdup(path);
    for (dir = strtok_r(dirs, ":", &save); dir;
         dir = strtok_r(NULL, ":", &save)) {
        char *file = mem_printf("%s/%s", dir, name);

        if (dir[0] == '/' && !access(file, X_OK)) {
            free(dirs);
            return file;
        }
        free(file);
    }
    free(dirs);
    return NULL;
}

/* Our environment with that PATH, and messages in English. */
static char **make_env(char *path)
{
    size_t n = 0, i, k = 0;
    char **env;

    while (environ[n])
        n++;
    env = mem_zalloc(n + 3, sizeof(*env));
    for (i = 0; i < n; i++)
        if (strncmp(environ[i], "PATH=", 5) &&
            strncmp(environ[i], "LC_", 3) && strncmp(environ[i], "LANG", 4))
            env[k++] = environ[i];
    env[k++] = path;
    env[k] = "LC_ALL=C";
    return env;
}

/* Between fork and exec: async-signal-safe calls only. */
static void child(const struct running *r, const char *file, char **env,
                  const int fds[3], pid_t parent)
{
    struct sigaction sa;
    sigset_t none;
    int sig, fd;

    memset(&sa, 0, sizeof(sa));
    for (sig = 1; sig < NSIG; sig++) {
        sa.sa_handler = SIG_DFL;
        if (interrupt_is_stop(sig))
            sa.sa_handler = SIG_IGN;
        sigaction(sig, &sa, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    /*
     * Not SIGTERM, which qemu-nbd forgets while it starts.  We may have ended
     * before it said so.
     */
    if (r->beside && (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent))
        _exit(127);
    /* If we were started without one of the three, dup2() does nothing. */
    for (fd = 0; fd < 3; fd++)
        if (dup2(fds[fd], fd) < 0 || fcntl(fd, F_SETFD, 0))
            _exit(127);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, 0U))
#endif
        for (fd = 3; fd < sysconf(_SC_OPEN_MAX); fd++)
            close(fd);
    execve(file, (char *const *)r->p->argv, env);
    _exit(127);
}

static int start(struct running *r, struct err *e)
{
    int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
    char *path = search_path();
    char *path_var = mem_printf("PATH=%s", path);
    char **env = make_env(path_var);
    char *file = find_program(r->p->argv[0], path);
    pid_t parent = getpid();
    sigset_t all, before;
    int rc = -1;

    if (!file) {
        err_set(e, SNAP_FAILED, "cannot run %s: it is not installed (looked "
                "in %s)", r->p->argv[0], path);
        goto out;
    }
    if (r->p->source)
        rc = pipe2(in, O_CLOEXEC);
    else if (r->p->input)
        rc = in[0] = fcntl(*r->p->input, F_DUPFD_CLOEXEC, 0);
    else
        rc = in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (rc < 0 || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
        rc = err_errno(e, "cannot run %s", file);
        goto out;
    }
    /* A signal for the child must not meet our own handlers in it. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    r->pid = fork();
    if (r->pid == 0)
        child(r, file, env, (int[]){ in[0], out[1], err[1] }, parent);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r->pid < 0) {
        rc = err_errno(e, "cannot run %s", file);
        goto out;
    }
    r->in = in[1];
    r->out = out[0];
    r->err = err[0];
    in[1] = out[0] = err[0] = -1;
    if (r->in >= 0) {
        fcntl(r->in, F_SETFL, O_NONBLOCK);
        /* What we prepare while it is busy. */
        if (fcntl(r->in, F_SETPIPE_SZ, IN_PIPE) < 0)
            (void)fcntl(r->in, F_SETPIPE_SZ, IN_PIPE_LESS);
    }
    fcntl(r->out, F_SETFL, O_NONBLOCK);
    fcntl(r->err, F_SETFL, O_NONBLOCK);
    rc = 0;

out:
    close_fd(&in[0]);
    close_fd(&in[1]);
    close_fd(&out[0]);
    close_fd(&out[1]);
    close_fd(&err[0]);
    close_fd(&err[1]);
    free(file);
    free(env);
    free(path_var);
    free(path);
    return rc;
}

static void kill_group(struct running *r, const char *why)
{
    if (!r->killed) {
        r->killed = why;
        /* The group may not exist yet if the child has not run. */
        if (kill(-r->pid, SIGKILL))
            kill(r->pid, SIGKILL);
    }
}

/* A piece of it; false if there is no room for more now. */
static bool feed_some(struct running *r)
{
    ssize_t n;

    if (r->feed_off == r->feed_len) {
        n = r->p->source(r->p->source_arg, r->feed, sizeof(r->feed));
        if (n < 0) {
            kill_group(r, "its input could not be read");
            n = 0;
        }
        if (n == 0) {
            close_fd(&r->in);
            return false;
        }
        r->feed_len = (size_t)n;
        r->feed_off = 0;
    }
    n = write(r->in, r->feed + r->feed_off, r->feed_len - r->feed_off);
    if (n > 0)
        r->feed_off += (size_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        close_fd(&r->in);       /* it stopped reading: its status tells */
    return n > 0 && r->feed_off == r->feed_len;
}

static void feed_stdin(struct running *r)
{
    int i;

    for (i = 0; i < IN_TURN && feed_some(r); i++)
        ;
}

static void read_stdout(struct running *r)
{
    struct proc *p = r->p;
    char buf[16384];
    ssize_t n = read(r->out, buf, sizeof(buf));

    if (n > 0 && p->out_len + (size_t)n <= OUT_MAX) {
        p->out = mem_grow(p->out, p->out_len + (size_t)n + 1, 1);
        memcpy(p->out + p->out_len, buf, (size_t)n);
        p->out_len += (size_t)n;
        p->out[p->out_len] = '\0';
    } else if (n > 0) {
        kill_group(r, "it printed too much");
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_fd(&r->out);
    }
}

static void read_stderr(struct running *r)
{
    size_t half = sizeof(r->tail) / 2;
    ssize_t n;

    if (r->tail_len > half) {
        memmove(r->tail, r->tail + r->tail_len - half, half);
        r->tail_len = half;
    }
    n = read(r->err, r->tail + r->tail_len, half - 1);
    if (n > 0)
        r->tail_len += (size_t)n;
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        close_fd(&r->err);
    r->tail[r->tail_len] = '\0';
}

static void shuffle(struct running *r, int timeout_ms)
{
    struct pollfd fds[3] = {
        { .fd = r->in, .events = POLLOUT },
        { .fd = r->out, .events = POLLIN },
        { .fd = r->err, .events = POLLIN },
    };

    if (poll(fds, 3, timeout_ms) <= 0)
        return;
    if (fds[0].revents)
        feed_stdin(r);
    if (fds[1].revents)
        read_stdout(r);
    if (fds[2].revents)
        read_stderr(r);
}

/* The last non-empty line of stderr. */
static void last_line(struct running *r)
{
    char *p, *save = NULL;
    const char *line = "";

    for (p = strtok_r(r->tail, "\r\n", &save); p;
         p = strtok_r(NULL, "\r\n", &save))
        line = p;
    snprintf(r->p->why, sizeof(r->p->why), "%.*s",
             (int)sizeof(r->p->why) - 1, line);
}

static int judge(struct running *r, int status, struct err *e)
{
    const char *name = r->p->argv[0], *why = "it gave no reason";

    last_line(r);
    if (r->p->why[0])
        why = r->p->why;
    if (!r->killed && WIFEXITED(status))
        r->p->exit_status = WEXITSTATUS(status);
    if (r->killed)
        return err_set(e, SNAP_FAILED, "%s was stopped: %s", name, r->killed);
    if (WIFSIGNALED(status) && !r->p->why[0])
        return err_set(e, SNAP_FAILED, "%s died of signal %d (%s)", name,
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
    if (WIFSIGNALED(status))
        return err_set(e, SNAP_FAILED, "%s died of signal %d (%s): %s", name,
                       WTERMSIG(status), strsignal(WTERMSIG(status)), why);
    if (WEXITSTATUS(status))
        return err_set(e, SNAP_FAILED, "%s failed with status %d: %s", name,
                       WEXITSTATUS(status), why);
    return 0;
}

int proc_run(struct proc *p, struct err *e)
{
    struct running r = { .p = p, .in = -1, .out = -1, .err = -1 };
    uint64_t deadline = UINT64_MAX;
    int status = 0, i, tick;
    pid_t got = 0;

    p->out = mem_zalloc(1, 1);
    p->out_len = 0;
    p->why[0] = '\0';
    p->exit_status = -1;
    p->late = false;
    if (start(&r, e))
        return -1;
    if (p->timeout_s)
        deadline = clock_ms() + p->timeout_s * 1000ull;
    while (got == 0) {
        got = waitpid(r.pid, &status, WNOHANG);
        if (got < 0 && errno == EINTR)
            got = 0;
        if (got)
            break;
        tick = TICK_MS;
        if (r.out < 0 && r.err < 0)
            tick = SHORT_TICK_MS;       /* it is about to end */
        shuffle(&r, tick);
        if (!r.killed && clock_ms() > deadline) {
            p->late = true;
            kill_group(&r, "it did not end in time");
        }
        if (!p->uninterruptible && interrupt_pending())
            kill_group(&r, "interrupted");
    }
    /* What it wrote just before its end. */
    for (i = 0; i < 64 && (r.out >= 0 || r.err >= 0); i++)
        shuffle(&r, 0);
    close_fd(&r.in);
    close_fd(&r.out);
    close_fd(&r.err);
    if (got < 0)
        return err_errno(e, "cannot wait for %s", p->argv[0]);
    return judge(&r, status, e);
}

struct proc_beside {
    struct proc p;
    const char *name[2];        /* an argv for errors */
    struct running r;
};

int proc_start(const char *const *argv, struct proc_beside **b_r,
               struct err *e)
{
    struct proc_beside *b = mem_zalloc(1, sizeof(*b));

    b->p.argv = argv;
    b->r = (struct running){ .p = &b->p, .in = -1, .out = -1, .err = -1,
                             .beside = true };
    b->p.out = mem_zalloc(1, 1);
    *b_r = NULL;
    if (start(&b->r, e)) {
        free(b->p.out);
        free(b);
        return -1;
    }
    b->name[0] = argv[0];
    b->p.argv = b->name;
    *b_r = b;
    return 0;
}

int proc_check_runs(struct proc_beside *b, struct err *e)
{
    int status = 0, i;
    pid_t got = waitpid(b->r.pid, &status, WNOHANG);

    /* What it says must not fill its pipes; the last of it is the reason. */
    for (i = 0; i < 64 && (i == 0 || got); i++)
        shuffle(&b->r, 0);
    if (got == 0 || (got < 0 && errno == EINTR))
        return 0;
    b->r.pid = 0;
    if (got < 0)
        return err_errno(e, "cannot wait for %s", b->p.argv[0]);
    if (!judge(&b->r, status, e))
        err_set(e, SNAP_FAILED, "%s ended by itself", b->p.argv[0]);
    return -1;
}

/* One that does not end when it is asked to is made to. */
static void end_child(pid_t pid)
{
    uint64_t until = clock_ms() + STOP_MS;

    kill(pid, SIGTERM);
    while (waitpid(pid, NULL, WNOHANG) == 0) {
        if (clock_ms() > until)
            kill(pid, SIGKILL);
        clock_sleep_ms(SHORT_TICK_MS);
    }
}

void proc_stop(struct proc_beside *b)
{
    if (!b)
        return;
    if (b->r.pid > 0)
        end_child(b->r.pid);
    close_fd(&b->r.out);
    close_fd(&b->r.err);
    free(b->p.out);
    free(b);
}

void proc_bar_writes(void)
{
    static const struct rlimit none = { 0, 0 };
    char path[64], list[4096] = "", *p, *end;
    pid_t pid;
    int fd;

    snprintf(path, sizeof(path), "/proc/self/task/%d/children",
             (int)getpid());
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        if (read(fd, list, sizeof(list) - 1) < 0)
            list[0] = '\0';
        close(fd);
    }
    /* One that has ended meanwhile needs no limit. */
    for (p = list; (pid = (pid_t)strtol(p, &end, 10)) > 0; p = end)
        (void)!prlimit(pid, RLIMIT_FSIZE, &none, NULL);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
