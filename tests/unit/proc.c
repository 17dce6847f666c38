#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/sys/clock.h"
#include "snapshot/sys/interrupt.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/proc.h"
#include "tests/unit/unit.h"

/* Runs a script of the shell, which the engine itself never does. */
static int sh(const char *script, struct proc *p, struct err *e)
{
    const char *argv[] = { "sh", "-c", script, NULL };
    int rc;

    p->argv = argv;
    rc = proc_run(p, e);
    p->argv = NULL;
    return rc;
}

static bool prints(const char *script, const char *want)
{
    struct proc p = { 0 };
    struct err e;
    bool same = !sh(script, &p, &e) && !strcmp(p.out, want);

    if (!same)
        printf("# %s: '%s'\n", script, p.out);
    free(p.out);
    return same;
}

static void fails(const char *script, const char *why, const char *what)
{
    struct proc p = { 0 };
    struct err e;

    check_err(sh(script, &p, &e), &e, SNAP_FAILED, why, "%s", what);
    free(p.out);
}

static void statuses(void)
{
    check(prints("echo a; echo b >&2", "a\n"), "status 0, and its stdout");
    fails("echo out; exit 3", "sh failed with status 3: it gave no reason",
          "another status is an error that names the program");
    fails("echo first >&2; echo last reason >&2; echo >&2; exit 1",
          "status 1: last reason", "stderr's last line is the reason");
    fails("printf '\\n\\n' >&2; exit 1", "status 1: it gave no reason",
          "blank lines are no reason");
    fails("printf 'no newline' >&2; exit 1", "status 1: no newline",
          "a last line without newline counts");
    fails("kill -9 $$", "died of signal 9", "a signal is named");
    fails("kill -TERM $$", "died of signal 15 (Terminated)", "with its name");
}

static void long_stderr(void)
{
    struct proc p = { 0 };
    struct err e;

    check_err(sh("i=0; while [ $i -lt 5000 ]; do echo line $i >&2; "
                 "i=$((i+1)); done; echo the end >&2; exit 1", &p, &e), &e,
              SNAP_FAILED, "the end", "only the end of much stderr is kept");
    free(p.out);
    check_err(sh("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1", &p,
                 &e), &e, SNAP_FAILED, "xxxx",
              "a line of stderr without end is cut");
    check(strlen(p.why) < sizeof(p.why), "to what fits");
    free(p.out);
}

static void not_found(void)
{
    const char *argv[] = { "no-such-program", "x", NULL };
    struct proc p = { .argv = argv };
    struct err e;

    check_err(proc_run(&p, &e), &e, SNAP_FAILED, "no-such-program: it is not "
              "installed", "a program that is not there is named");
    free(p.out);
    argv[0] = "/etc/passwd";
    check(proc_run(&p, &e) == -1, "what cannot be executed is an error");
    free(p.out);
}

/* What cron gives. */
static void path(void)
{
    const char *argv[] = { "ldconfig", "--version", NULL };
    struct proc p = { .argv = argv };
    char *old = mem_strdup(getenv("PATH"));
    struct err e;

    setenv("PATH", "/usr/bin:/bin", 1);
    check_ok(proc_run(&p, &e), &e, "a program in sbin is found without it");
    free(p.out);
    check(prints("case $PATH in /usr/bin:/bin:*/sbin*) echo yes;; esac",
                 "yes\n"), "the child has sbin behind the user's PATH");
    unsetenv("PATH");
    check(prints("echo x", "x\n"), "no PATH at all is no problem");
    setenv("PATH", ".:relative:", 1);
    check(prints("echo x", "x\n"), "relative directories are passed over");
    setenv("PATH", old, 1);
    setenv("LC_ALL", "de_DE.UTF-8", 1);
    setenv("LANGUAGE", "de", 1);
    check(prints("echo $LC_ALL $LANGUAGE", "C\n"), "messages are in English");
    free(old);
}

/* A zombie that nobody reaps is as dead as one can be. */
static bool is_alive(const char *pid)
{
    char *script = mem_printf("ps -o stat= -p %s | grep -v Z", pid);
    struct proc p = { 0 };
    struct err e;
    bool alive = !sh(script, &p, &e);

    free(p.out);
    free(script);
    return alive;
}

static void timeout(void)
{
    char *pids = unit_path("pids");
    char *script = mem_printf("sleep 77 & echo $! >%s; echo $$ >>%s; "
                              "trap '' TERM INT; wait", pids, pids);
    struct proc p = { .timeout_s = 1 };
    uint64_t start = clock_ms();
    char *text, *line, *save = NULL;
    struct err e;
    int alive = 0, n = 0;

    check_err(sh(script, &p, &e), &e, SNAP_FAILED, "did not end in time",
              "a program that hangs is stopped");
    check(clock_ms() - start < 20000, "at its deadline");
    free(p.out);
    clock_sleep_ms(200);
    text = unit_get(pids, NULL);
    for (line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save), n++)
        alive += is_alive(line);
    check(n == 2 && !alive, "with the processes that it started");
    free(text);
    free(script);
    free(pids);
}

static ssize_t from_text(void *arg, void *buf, size_t len)
{
    const char **text = arg;
    size_t n = strlen(*text) < len ? strlen(*text) : len;

    n = n > 3 ? 3 : n;
    memcpy(buf, *text, n);
    *text += n;
    return (ssize_t)n;
}

static ssize_t endless(void *arg, void *buf, size_t len)
{
    size_t *left = arg;
    size_t n = *left < len ? *left : len;

    memset(buf, 'x', n);
    *left -= n;
    return (ssize_t)n;
}

static ssize_t broken(void *arg, void *buf, size_t len)
{
    (void)arg;
    (void)buf;
    (void)len;
    return -1;
}

static void stdin_source(void)
{
    const char *text = "what is read from here";
    size_t left = 3000000;
    struct proc p = { .source = from_text, .source_arg = &text };
    struct err e;

    check(prints("cat; readlink /proc/self/fd/0", "/dev/null\n"),
          "without a source stdin is empty");
    check(!sh("cat", &p, &e) && !strcmp(p.out, "what is read from here"),
          "stdin comes from the source, to its end");
    free(p.out);
    p.source = endless;
    p.source_arg = &left;
    check(!sh("wc -c", &p, &e) && atoi(p.out) == 3000000 && !left,
          "three megabytes of it");
    free(p.out);
    left = 3000000;
    check(!sh("head -c 5", &p, &e) && !strcmp(p.out, "xxxxx"),
          "a program that stops reading is judged by its status");
    free(p.out);
    p.source = broken;
    check_err(sh("cat; sleep 60", &p, &e), &e, SNAP_FAILED,
              "input could not be read", "a source that fails stops it");
    free(p.out);
}

static void large_output(void)
{
    struct proc p = { 0 };
    struct err e;

    check(!sh("head -c 5000000 /dev/zero | tr '\\0' x", &p, &e) &&
          p.out_len == 5000000 && strlen(p.out) == p.out_len,
          "five megabytes of stdout are read whole");
    free(p.out);
    check_err(sh("yes", &p, &e), &e, SNAP_FAILED, "printed too much",
              "stdout without end is stopped");
    check(p.out_len <= 16u << 20, "and bounded");
    free(p.out);
}

/* Prints which descriptors it has, without opening one for that. */
#define OPEN_FDS "n=0; while [ $n -lt 300 ]; do " \
    "[ ! -e /proc/$$/fd/$n ] || echo $n; n=$((n+1)); done; "

static void descriptors(void)
{
    int fd = open("/dev/null", O_RDONLY), high = dup2(fd, 200);

    check(fd >= 0 && high == 200 &&
          prints(OPEN_FDS, "0\n1\n2\n"),
          "the child has descriptors 0, 1, 2 and no more");
    close(high);
    close(fd);
}

static int closed_stdio(void *arg)
{
    struct proc p = { 0 };
    struct err e;
    bool same;
    int rc;

    (void)arg;
    close(0);
    close(1);
    close(2);
    rc = sh(OPEN_FDS "echo bad >&2; exit 7", &p, &e);
    same = rc == -1 && strstr(e.text, "status 7: bad") &&
           !strcmp(p.out, "0\n1\n2\n");
    free(p.out);
    return same ? 0 : 1;
}

static void background(void)
{
    uint64_t start = clock_ms();

    check(prints("sleep 5 & echo started", "started\n") &&
          clock_ms() - start < 4000,
          "a daemon that keeps the pipes open is not waited for");
}

/*
 * Signals that we catch, block or ignore are the child's default again, but for
 * SIGTSTP, SIGTTIN and SIGTTOU (20 to 22).
 */
static void signals(void)
{
    sigset_t set, old;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    signal(SIGUSR2, SIG_IGN);
    /* 32 and 33 are libc's own: not ours to set. */
    check(prints("sed -nE 's/000000018/000000000/;/Sig(Blk|Ign|Cgt)/s/\\t//p'"
                 " /proc/self/status", "SigBlk:0000000000000000\n"
                 "SigIgn:0000000000380000\nSigCgt:0000000000000000\n"),
          "the child has default signals, and no terminal stops it");
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGUSR2, SIG_DFL);
    check(prints("[ $(ps -o pgid= -p $$) = $$ ] && echo own", "own\n"),
          "and a process group of its own");
}

static int interrupted(void *arg)
{
    struct proc p = { .uninterruptible = *(bool *)arg };
    uint64_t start = clock_ms();
    struct err e;
    int rc;

    interrupt_catch(&e);
    raise(SIGINT);
    rc = sh("sleep 1", &p, &e);
    free(p.out);
    if (p.uninterruptible)
        return rc ? 1 : 0;
    return rc == -1 && clock_ms() - start < 900 &&
           strstr(e.text, "interrupted") ? 0 : 1;
}

/* A file as stdin, from where the descriptor stands. */
static void file_input(void)
{
    char *path = unit_path("input");
    struct proc p = { .input = NULL };
    struct err e;
    int fd;

    unit_put(path, "hello", 5);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    p.input = &fd;
    check(lseek(fd, 2, SEEK_SET) == 2 && !sh("cat", &p, &e) &&
          !strcmp(p.out, "llo"), "a file is its stdin");
    free(p.out);
    check(fcntl(fd, F_GETFD) == FD_CLOEXEC && lseek(fd, 0, SEEK_CUR) == 5,
          "which stays the caller's");
    close(fd);
    free(path);
}

/* Waits, a minute at most, for its end; what it says then is in *e. */
static bool ends(struct proc_beside *b, struct err *e)
{
    uint64_t until = clock_ms() + 60000;

    while (clock_ms() < until) {
        if (proc_check_runs(b, e))
            return true;
        clock_sleep_ms(1);
    }
    return false;
}

static void beside(void)
{
    const char *const sleeps[] = { "sleep", "1000", NULL };
    const char *const fails[] = {
        "sh", "-c", "seq 100000 >&2; echo the reason >&2; exit 3", NULL
    };
    const char *const missing[] = { "no-such-program", NULL };
    struct proc_beside *b;
    struct err e;

    check(!proc_start(sleeps, &b, &e) && !proc_check_runs(b, &e),
          "a program runs beside us");
    proc_stop(b);
    check(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD,
          "until it is stopped");
    check(!proc_start(fails, &b, &e) && ends(b, &e) &&
          strstr(e.text, "status 3: the reason"), "how one ended is known: %s",
          e.text);
    proc_stop(b);
    check(proc_start(missing, &b, &e) && !b &&
          strstr(e.text, "not installed"), "one that is not there");
    proc_stop(NULL);
}

/* Its own program writes its id to the pipe before we are killed. */
static int dies_with_one(void *pipe_end)
{
    const char *const argv[] = {
        "sh", "-c", "echo $$ >\"$FIFO\"; exec sleep 1000", NULL
    };
    struct proc_beside *b;
    struct err e;

    (void)pipe_end;
    if (proc_start(argv, &b, &e))
        return 1;
    for (;;)
        pause();
}

static void ends_with_us(void)
{
    char *path = unit_path("fifo"), text[32] = "";
    uint64_t until = clock_ms() + 60000;
    pid_t parent, pid;
    FILE *f;

    if (mkfifo(path, 0600) || setenv("FIFO", path, 1)) {
        check(false, "fixture: a fifo");
        return;
    }
    parent = fork();
    if (!parent)
        _exit(dies_with_one(NULL));
    f = fopen(path, "r");
    check(f && fgets(text, sizeof(text), f), "a program beside another process");
    if (f)
        fclose(f);
    pid = (pid_t)strtol(text, NULL, 10);
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    while (pid > 0 && !kill(pid, 0) && clock_ms() < until)
        clock_sleep_ms(1);
    check(pid > 0 && kill(pid, 0) && errno == ESRCH,
          "ends when that one is killed");
    free(path);
}

int main(void)
{
    bool no = false, yes = true;
    size_t before;
    struct err e;

    interrupt_catch(&e);
    before = unit_open_fds();
    statuses();
    long_stderr();
    not_found();
    path();
    timeout();
    stdin_source();
    file_input();
    large_output();
    descriptors();
    check(!unit_child(closed_stdio, NULL),
          "a caller without stdin, stdout, stderr makes no difference");
    background();
    beside();
    ends_with_us();
    signals();
    check(!unit_child(interrupted, &no), "Ctrl-C stops a program");
    check(!unit_child(interrupted, &yes), "but one that must not be stopped");
    check(unit_open_fds() == before, "no descriptor is left open");
    return unit_done();
}
