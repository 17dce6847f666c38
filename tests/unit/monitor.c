/* Against processes of this program's that look like xl's. */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"
#include "snapshot/xen/monitor.h"
#include "tests/unit/unit.h"

#define DOMID 7u
#define SETTLE_MS 20000

static const char *version = "4.17.5";
static const char *program;         /* this one */

/* What the children look like; nothing else on this machine is an xl. */
static struct child {
    pid_t pid;
    const char *exe;
} children[16];
static size_t nchildren;

ssize_t __wrap_readlink(const char *path, char *buf, size_t size);
char *__wrap_domain_xen_version(void);

ssize_t __wrap_readlink(const char *path, char *buf, size_t size)
{
    const char *exe = "/usr/bin/something";
    int pid = 0;
    size_t i;

    if (sscanf(path, "/proc/%d/exe", &pid) != 1)
        abort();
    for (i = 0; i < nchildren; i++)
        if (children[i].pid == pid)
            exe = children[i].exe;
    return snprintf(buf, size, "%s", exe);
}

char *__wrap_domain_xen_version(void)
{
    return mem_strdup(version);
}

struct look {
    const char *exe, *verb;
    const char *log;            /* its name */
    const char *text;           /* "%d" is the pid, given as often as needed */
    const char *lock;           /* a file that it holds a lock on */
    const char *act;            /* what it does then, see play() */
};

static const struct look plain = {
    .exe = "/usr/lib/xen-4.17/bin/xl", .verb = "create", .log = "xl-g1.log",
    .text = "Waiting for domain g1 (domid 7) to die [pid PID]\n",
};

/* Prints a text with each PID replaced. */
static void print(const char *text)
{
    const char *at;

    for (; (at = strstr(text, "PID")); text = at + 3)
        dprintf(1, "%.*s%d", (int)(at - text), text, (int)getpid());
    dprintf(1, "%s", text);
}

static void become(const struct look *l, int ready)
{
    const char *const argv[] = {
        "xl", "-v", l->verb, l->act ? l->act : "stays", NULL
    };
    char *log = unit_path(l->log), *lock = NULL;
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fd < 0 || dup2(fd, 1) < 0 || dup2(fd, 2) < 0)
        _exit(70);
    close(fd);
    print(l->text);
    if (l->lock) {
        lock = unit_path(l->lock);
        fd = open(lock, O_RDWR | O_CREAT, 0600);
        /* The program itself goes on with descriptor 3. */
        if (fd < 0 || (fd != 3 && dup2(fd, 3) < 0) || fcntl(3, F_SETLK, &fl))
            _exit(71);
    }
    if (ready != 4)
        dup2(ready, 4);
    execv(program, (char *const *)argv);
    _exit(72);
}

static volatile sig_atomic_t continued;

static void on_cont(int sig)
{
    (void)sig;
    continued = 1;
}

/* The program as a child: lets go of its lock at a SIGCONT, or ends soon. */
static void __attribute__((noreturn)) play(const char *act)
{
    struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

    if (!strcmp(act, "lets-go"))
        signal(SIGCONT, on_cont);
    if (!strcmp(act, "ends"))
        alarm(1);
    close(4);                   /* now it looks as it should */
    while (!continued)
        pause();
    fcntl(3, F_SETLK, &fl);
    for (;;)
        pause();
}

static pid_t start(const struct look *l)
{
    int ready[2];
    char c;
    pid_t pid;

    if (pipe(ready))
        abort();
    pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0) {
        close(ready[0]);
        become(l, ready[1]);
    }
    close(ready[1]);
    if (read(ready[0], &c, 1) != 0)
        abort();
    close(ready[0]);
    children[nchildren].pid = pid;
    children[nchildren++].exe = l->exe;
    return pid;
}

static void end_all(void)
{
    while (nchildren) {
        pid_t pid = children[--nchildren].pid;

        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
}

static char letter(pid_t pid)
{
    char *path = mem_printf("/proc/%d/stat", (int)pid), buf[512] = "";
    FILE *f = fopen(path, "re");
    char *at;

    if (f && !fgets(buf, sizeof(buf), f))
        buf[0] = '\0';
    if (f)
        fclose(f);
    free(path);
    at = strrchr(buf, ')');
    return at ? at[2] : 0;
}

static bool stopped(pid_t pid)
{
    return letter(pid) == 'T';
}

/* A SIGCONT takes a moment. */
static bool runs(pid_t pid)
{
    uint64_t until = clock_ms() + SETTLE_MS;
    char state;

    while ((state = letter(pid)) == 'T' && clock_ms() < until)
        clock_sleep_ms(1);
    return state && strchr("RSD", state);
}

/* It has no memory any more, perhaps a moment before it is a zombie. */
static bool has_ended(pid_t pid)
{
    char *path = mem_printf("/proc/%d/cmdline", (int)pid), c;
    FILE *f = fopen(path, "re");
    bool empty = f && fread(&c, 1, 1, f) == 0;

    if (f)
        fclose(f);
    free(path);
    return empty;
}

/* Holding finds it and stops it, or does not find it; release undoes it. */
static void holds(pid_t pid, bool want, const char *what)
{
    struct err e = { 0 };
    bool found;

    check_ok(monitor_hold(DOMID, "g1", &found, &e), &e, "%s: hold", what);
    check(found == want, "%s: it is %s", what, want ? "found" : "not found");
    check(stopped(pid) == want, "%s: it is %s", what,
          want ? "stopped" : "left alone");
    check_ok(monitor_release(DOMID, "g1", &e), &e, "%s: release", what);
    check(runs(pid), "%s: it runs again", what);
}

static void one(struct look l, bool want, const char *what)
{
    holds(start(&l), want, what);
    end_all();
}

static void names(void)
{
    struct look l = plain;
    char *from = unit_path(l.log), *to = unit_path("xl-g1.log.1");
    pid_t pid;

    one(plain, true, "the log of the domain");
    l.log = "xl-old--incoming.log";
    l.text = "Waiting for domain old--incoming (domid 7) to die [pid PID]\n";
    one(l, true, "a renamed domain that was migrated");
    l = plain;
    pid = start(&l);
    rename(from, to);
    holds(pid, true, "a log that was renamed");
    unlink(to);
    holds(pid, true, "a log that was removed");
    end_all();
    free(from);
    free(to);
    l.exe = "/usr/lib/xen-4.17/bin/xl (deleted)";
    one(l, true, "an xl that was upgraded since");
    l.exe = "/usr/bin/xlint";
    one(l, false, "another program");
}

static void lines(void)
{
    struct look l = plain;

    l.text = "Waiting for domain g1 (domid 8) to die [pid PID]\n";
    one(l, false, "another domain's");
    l.text = "Waiting for domain g1 (domid 6) to die [pid PID]\n"
             "Domain 6 has shut down, reason code 1 0x1\n"
             "Done. Rebooting now\n"
             "Waiting for domain g1 (domid 7) to die [pid PID]\n";
    one(l, true, "after a reboot");
    l.text = "Waiting for domain g1 (domid 7) to die [pid PID]\n"
             "Waiting for domain g1 (domid 9) to die [pid PID]\n";
    one(l, false, "after another reboot");
    l.text = "Waiting for domain a (domid 8) to die [pid PID] "
             "(domid 7) to die [pid PID]\n";
    one(l, true, "a name that looks like the rest of the line");
    l.text = "Waiting for domain g1 (domid 7) to die [pid 1]\n"
             "Waiting for domain g2 (domid 8) to die [pid PID]\n";
    one(l, false, "a line of another process");
    l.text = "Waiting for domain g1 (domid 77) to die [pid PID]\n";
    one(l, false, "an id that begins in the same way");
}

static void truncated(void)
{
    struct look silent = plain, other = plain;
    struct err e = { 0 };
    pid_t known, a, b;
    bool found;

    silent.text = "";
    silent.log = "xl-any.log";
    one(silent, true, "a truncated log");
    silent.verb = "migrate-r";
    one(silent, true, "a truncated log, after a migration");
    silent.verb = "devd";
    one(silent, false, "a daemon that is no monitor");
    silent.verb = "restore";

    other.log = "xl-other.log";
    other.text = "Waiting for domain g2 (domid 8) to die [pid PID]\n";
    a = start(&silent);
    b = start(&other);
    check_ok(monitor_hold(DOMID, "g1", &found, &e), &e, "hold");
    check(found && stopped(a) && !stopped(b),
          "one whose log is truncated, not one that waits for another");
    check_ok(monitor_release(DOMID, "g1", &e), &e, "release");
    check(runs(a), "it runs again");
    known = start(&plain);
    check_ok(monitor_hold(DOMID, "g1", &found, &e), &e, "hold");
    check(found && stopped(known) && !stopped(a),
          "the one that says so, and no other");
    check_ok(monitor_release(DOMID, "g1", &e), &e, "release");
    check(runs(known), "it runs again");
    end_all();
}

static void locks(void)
{
    struct look l = plain;
    struct err e = { 0 };
    bool found;
    pid_t pid;

    l.lock = "lock";
    l.act = "lets-go";
    one(l, true, "one that lets go of its lock in time");

    l.act = NULL;
    pid = start(&l);
    check_err(monitor_hold(DOMID, "g1", &found, &e), &e, SNAP_FAILED,
              "is busy starting a domain", "one that keeps its lock");
    check(runs(pid), "it is not left stopped with it");
    end_all();

    l.text = "";
    pid = start(&l);
    check_ok(monitor_hold(DOMID, "g1", &found, &e), &e,
             "one with a lock that does not say for which domain");
    check(runs(pid), "it goes on");
    end_all();
}

/* The next process that is made gets the number, if it is free. */
static void next_pid(pid_t pid)
{
    FILE *f = fopen("/proc/sys/kernel/ns_last_pid", "we");

    if (!f || fprintf(f, "%d", (int)pid - 1) < 0 || fclose(f))
        abort();
}

/* A process that takes a lock, leaves the file to a child, and ends. */
static pid_t leave_lock(pid_t *child_r)
{
    char *path = unit_path("left");
    int out[2];
    pid_t pid;

    if (pipe(out))
        abort();
    pid = fork();
    if (pid == 0) {
        int fd = open(path, O_RDWR | O_CREAT, 0600);
        pid_t child;

        if (fd < 0 || flock(fd, LOCK_EX))
            _exit(70);
        child = fork();
        if (child == 0)
            for (;;)
                pause();
        _exit(write(out[1], &child, sizeof(child)) != sizeof(child));
    }
    if (pid < 0 || read(out[0], child_r, sizeof(*child_r)) !=
        sizeof(*child_r) || waitpid(pid, NULL, 0) != pid)
        abort();
    close(out[0]);
    close(out[1]);
    free(path);
    return pid;
}

/* A flock() is shown under the number of one that is long gone. */
static void reused(void)
{
    struct err e = { 0 };
    pid_t child, number = leave_lock(&child);
    bool found;
    int tries;

    for (tries = 0; tries < 1000; tries++) {
        next_pid(number);
        if (start(&plain) == number)
            break;
        end_all();
    }
    check(tries < 1000, "a monitor with the number of one that has ended");
    check_ok(monitor_hold(DOMID, "g1", &found, &e), &e,
             "a lock that the number's last owner took");
    check(found && stopped(number), "it is stopped");
    check_ok(monitor_release(DOMID, "g1", &e), &e, "release");
    end_all();
    kill(child, SIGKILL);
}

static void others(void)
{
    struct err e = { 0 };
    bool found = true;
    pid_t pid;

    check_ok(monitor_hold(DOMID, "g1", &found, &e), &e, "without a monitor");
    check(!found, "there is none");
    check_ok(monitor_release(DOMID, "g1", &e), &e, "nothing to release");

    version = "4.20.2-pre";
    pid = start(&plain);
    check_ok(monitor_hold(DOMID, "g1", &found, &e), &e, "on Xen 4.20");
    check(found && !stopped(pid), "it is found, and goes on by itself");
    version = "4.9.1";
    check_ok(monitor_hold(DOMID, "g1", &found, &e), &e, "on Xen 4.9");
    check(found && stopped(pid), "it is stopped");
    check_ok(monitor_release(DOMID, "g1", &e), &e, "release");
    end_all();
    version = "4.17.5";
}

static void ends(void)
{
    struct look l = plain;
    struct err e = { 0 };
    pid_t pid, other;
    bool waited;

    l.act = "ends";
    pid = start(&l);
    l.act = NULL;
    l.log = "xl-other.log";
    l.text = "Waiting for domain g2 (domid 8) to die [pid PID]\n"
             "Done. Rebooting now\n";
    other = start(&l);
    check_ok(monitor_await_end(DOMID, "g1", &waited, &e), &e,
             "waiting for its end");
    check(waited && has_ended(pid), "it has ended");
    check(runs(other), "another domain's is not waited for");
    check_ok(monitor_await_end(DOMID, "g1", &waited, &e), &e, "once more");
    check(!waited, "there is nothing to wait for");
    end_all();

    l.act = "ends";
    l.text = "Waiting for domain g1 (domid 6) to die [pid PID]\n"
             "Done. Rebooting now\n";
    pid = start(&l);
    check_ok(monitor_await_end(MONITOR_NO_DOMID, "g1", &waited, &e), &e,
             "waiting for one that starts it again");
    check(waited && has_ended(pid), "it has ended");
    end_all();

    l.act = NULL;
    l.text = "Waiting for domain g1 (domid 6) to die [pid PID]\n"
             "Done. Rebooting now\n"
             "Waiting for domain g1 (domid 9) to die [pid PID]\n";
    start(&l);
    check_ok(monitor_await_end(MONITOR_NO_DOMID, "g1", &waited, &e), &e,
             "one that has started it");
    check(!waited, "there is nothing to wait for");
    end_all();
}

int main(int argc, char **argv)
{
    if (!strcmp(argv[0], "xl"))
        play(argc > 3 ? argv[3] : "");
    program = argv[0];
    names();
    lines();
    truncated();
    locks();
    reused();
    others();
    ends();
    return unit_done();
}
