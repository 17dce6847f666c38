#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/sys/clock.h"
#include "snapshot/sys/interrupt.h"
#include "snapshot/sys/lock.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

#define LONG_MS 60000

static int dir_fd;

static int take(const char *name, bool exclusive, unsigned wait_ms,
                struct lock *l, bool *busy, struct err *e)
{
    return lock_take(dir_fd, name, "image a.qcow2", exclusive, wait_ms, l,
                     busy, e);
}

static bool is_there(const char *name)
{
    return faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether another process could take it now. */
struct attempt {
    const char *name;
    bool exclusive;
};

static int attempt(void *arg)
{
    struct attempt *a = arg;
    struct lock l;
    struct err e;
    bool busy;
    int rc = take(a->name, a->exclusive, 0, &l, &busy, &e);

    if (rc == 0)
        lock_drop(&l, dir_fd);
    if (rc == 0)
        return 0;
    return busy && e.status == SNAP_BUSY ? 1 : 2;
}

static bool is_free(const char *name, bool exclusive)
{
    struct attempt a = { name, exclusive };

    return unit_child(attempt, &a) == 0;
}

static bool is_busy(const char *name, bool exclusive)
{
    struct attempt a = { name, exclusive };

    return unit_child(attempt, &a) == 1;
}

static void exclusive(void)
{
    struct lock l = LOCK_NONE, second;
    struct err e;
    bool busy = true;

    check_ok(take("a", true, 0, &l, &busy, &e), &e, "a lock is taken");
    check(!busy && l.exclusive && l.fd >= 0 && !strcmp(l.name, "a"),
          "the lock tells what it is");
    check(is_there("a"), "it has a file");
    check(fcntl(l.fd, F_GETFD) & FD_CLOEXEC, "that no program inherits");
    check(is_busy("a", true) && is_busy("a", false),
          "another process gets it neither exclusively nor shared");
    check(is_free("b", true), "but one of another name");
    check_err(take("a", true, 120, &second, &busy, &e), &e, SNAP_BUSY,
              "image a.qcow2 is in use", "waiting in vain says what for");
    check(busy && second.fd == -1 && !second.name, "and takes nothing");
    lock_drop(&second, dir_fd);
    check(is_busy("a", true), "dropping what was not taken changes nothing");
    lock_drop(&l, dir_fd);
    check(l.fd == -1 && !l.name, "a dropped lock is none");
    check(!is_there("a") && !is_there("b"), "its file is gone");
    lock_drop(&l, dir_fd);
    check(is_free("a", true), "and it is free");
}

static void shared(void)
{
    struct lock one, two;
    struct err e;
    bool busy;

    check_ok(take("s", false, 0, &one, &busy, &e), &e, "a shared lock");
    check_ok(take("s", false, 0, &two, &busy, &e), &e, "a second one");
    check(is_busy("s", true) && is_free("s", false),
          "others can share it, none can have it alone");
    lock_drop(&one, dir_fd);
    check(is_there("s") && is_busy("s", true),
          "while one of them is left, so is the file");
    lock_drop(&two, dir_fd);
    check(!is_there("s") && is_free("s", true),
          "the last one to leave removes it");
}

/* POSIX locks would be gone with the first of these close() calls. */
static void other_descriptors(void)
{
    struct lock l;
    struct err e;
    bool busy;
    int fd;

    take("o", true, 0, &l, &busy, &e);
    fd = openat(dir_fd, "o", O_RDWR | O_CLOEXEC);
    close(fd);
    check(is_busy("o", true), "closing another descriptor of the file does "
          "not drop the lock");
    lock_drop(&l, dir_fd);
}

static void kinds(void)
{
    char *path = unit_path("mode");
    struct lock l;
    struct err e;
    bool busy = true;
    mode_t old;

    symlinkat("elsewhere", dir_fd, "link");
    check_err(take("link", true, 0, &l, &busy, &e), &e, SNAP_FAILED,
              "image a.qcow2", "a symbolic link is not followed");
    check(!busy && !is_there("elsewhere"), "nor is that a busy lock");
    mkfifoat(dir_fd, "fifo", 0600);
    check_err(take("fifo", true, 0, &l, &busy, &e), &e, SNAP_FAILED,
              "not a regular file", "a FIFO is refused, and hangs nobody");
    mkdirat(dir_fd, "dir", 0700);
    check_err(take("dir", true, 0, &l, &busy, &e), &e, SNAP_FAILED,
              "dir", "a directory is refused");
    check(lock_take(-1, "x", "x", true, 0, &l, &busy, &e) == -1 && !busy,
          "no directory, no lock");
    old = umask(0);
    take("mode", true, 0, &l, &busy, &e);
    umask(old);
    check(unit_mode(path) == 0600, "a lock's file is its owner's alone");
    free(path);
    lock_drop(&l, dir_fd);
}

/* The file that somebody removed by hand, and made anew, is not ours. */
static void removed_by_hand(void)
{
    struct lock old, new;
    struct err e;
    bool busy;

    take("h", true, 0, &old, &busy, &e);
    unlinkat(dir_fd, "h", 0);
    check_ok(take("h", true, 0, &new, &busy, &e), &e,
             "a lock whose file was removed can be taken anew");
    lock_drop(&old, dir_fd);
    check(is_there("h") && is_busy("h", true),
          "the old one's end leaves the new one alone");
    lock_drop(&new, dir_fd);
}

/* A process that takes a lock, says so, and holds it until it is killed. */
static pid_t holder(const char *name, bool alone)
{
    struct lock l;
    struct err e;
    bool busy;
    int fds[2];
    char c;
    pid_t pid;

    if (pipe2(fds, O_CLOEXEC))
        exit(2);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        alarm(UNIT_LIMIT_S);
        if (take(name, alone, 0, &l, &busy, &e) ||
            write(fds[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(fds[1]);
    if (pid < 0 || read(fds[0], &c, 1) != 1)
        exit(2);
    close(fds[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void killed(void)
{
    pid_t one = holder("k", true), two;
    struct lock l;
    struct err e;
    bool busy;

    check(is_busy("k", true), "a process has the lock");
    end(one);
    check(is_there("k"), "killed, it leaves the file behind");
    check_ok(take("k", true, 0, &l, &busy, &e), &e, "but not the lock");
    lock_drop(&l, dir_fd);
    check(!is_there("k"), "the next one tidies up");
    one = holder("k", false);
    two = holder("k", false);
    end(one);
    check(is_busy("k", true), "of two that share it, one is killed");
    end(two);
    check(is_free("k", true) && !is_there("k"), "then the other");
}

/* What a user put there is no lock's file, and a lock that is held stays. */
static void cleaned(void)
{
    pid_t one = holder("left", true), two = holder("left2", false);
    char *path = unit_path("text");
    struct lock l;
    struct err e;
    bool busy;

    end(one);
    end(two);
    one = holder("held", false);
    take("ours", true, 0, &l, &busy, &e);
    unit_puts(path, "text");
    symlinkat("text", dir_fd, "link");
    lock_clean(dir_fd);
    check(!is_there("left") && !is_there("left2"),
          "the files of killed processes are cleaned away");
    check(is_there("held") && is_busy("held", true),
          "not that of a lock that is held");
    check(is_there("ours") && is_busy("ours", false), "nor one of our own");
    check(is_there("text") && is_there("link"), "nor what is no lock's file");
    lock_drop(&l, dir_fd);
    end(one);
    lock_clean(dir_fd);
    check(!is_there("held"), "but when its holder has gone");
    unit_remove(path);
    unlinkat(dir_fd, "link", 0);
    free(path);
}

/* Whether the process has that file open. */
static bool has_open(pid_t pid, const char *path)
{
    char *dir = mem_printf("/proc/%d/fd", (int)pid);
    DIR *fds = opendir(dir);
    struct dirent *de;
    bool found = false;
    char target[256];

    while (fds && !found && (de = readdir(fds))) {
        ssize_t n = readlinkat(dirfd(fds), de->d_name, target,
                               sizeof(target) - 1);

        target[n < 0 ? 0 : n] = '\0';
        found = !strcmp(target, path);
    }
    if (fds)
        closedir(fds);
    free(dir);
    return found;
}

/* Another process ends the holder when this one is seen to wait for it. */
static void waiting(void)
{
    pid_t pid = holder("w", true), self = getpid(), killer;
    char *path = unit_path("w");
    struct lock l;
    struct err e;
    bool busy;

    fflush(stdout);
    killer = fork();
    if (killer == 0) {
        while (!has_open(self, path))
            sched_yield();
        kill(pid, SIGKILL);
        _exit(0);
    }
    check_ok(take("w", true, LONG_MS, &l, &busy, &e), &e,
             "a lock is had as soon as its holder is gone");
    waitpid(pid, NULL, 0);
    waitpid(killer, NULL, 0);
    lock_drop(&l, dir_fd);
    free(path);
}

static int interrupted(void *arg)
{
    uint64_t start = clock_ms();
    struct lock l;
    struct err e;
    bool busy;
    int rc;

    (void)arg;
    interrupt_catch(&e);
    raise(SIGINT);
    rc = take("i", true, LONG_MS, &l, &busy, &e);
    if (rc != -1 || busy || l.name || clock_ms() - start >= LONG_MS)
        return 1;
    return strstr(e.text, "interrupted") ? 0 : 2;
}

/* Those who race: a counter that only a lock protects. */
struct race {
    volatile unsigned inside, readers, broken, took, met;
};

#define RACERS 4
#define LEAVINGS 400
#define ROUNDS 150        /* a multiple of 3 */

static void alone_inside(struct race *r)
{
    if (__sync_add_and_fetch(&r->inside, 1) != 1 || r->readers)
        r->broken = 1;
    r->took++;              /* not an atomic one: the lock is to do */
    sched_yield();
    __sync_sub_and_fetch(&r->inside, 1);
}

static void shared_inside(struct race *r)
{
    __sync_add_and_fetch(&r->readers, 1);
    if (r->inside)
        r->broken = 1;
    sched_yield();
    __sync_sub_and_fetch(&r->readers, 1);
}

static int racer(struct race *r)
{
    struct lock l;
    struct err e;
    bool busy;
    unsigned i;

    for (i = 0; i < ROUNDS; i++) {
        bool alone = i % 3 != 0;

        while (take("r", alone, 0, &l, &busy, &e))
            if (!busy)
                return 1;
        if (alone)
            alone_inside(r);
        else
            shared_inside(r);
        lock_drop(&l, dir_fd);
    }
    return 0;
}

/* As racer(), and cleans all the time. */
static int cleaner(struct race *r)
{
    unsigned i;

    for (i = 0; i < ROUNDS; i++)
        lock_clean(dir_fd);
    return racer(r);
}

/* Several processes do that; true if all end well. */
static bool run_race(int (*fn)(struct race *r), struct race *r, unsigned n)
{
    pid_t pids[RACERS];
    bool ok = true;
    unsigned i;
    int status;

    fflush(stdout);
    for (i = 0; i < n; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            alarm(UNIT_LIMIT_S);
            _exit(fn(r));
        }
    }
    for (i = 0; i < n; i++)
        if (waitpid(pids[i], &status, 0) != pids[i] || status)
            ok = false;
    return ok;
}

/*
 * Each of them makes and removes the file all the time, so that the others
 * often have one open that is no more.
 */
static void races(struct race *r)
{
    unsigned wanted = RACERS * (ROUNDS - ROUNDS / 3);

    check(run_race(racer, r, RACERS), "%d processes take a lock %d times each",
          RACERS, ROUNDS);
    check(run_race(cleaner, r, RACERS), "and clean besides");
    wanted *= 2;
    check(!r->broken, "never one that has it alone beside another");
    check(r->took == wanted, "none of %u counts is lost", wanted);
    check(!is_there("r"), "the file is gone when all are");
}

/* Until both came this far for the nth time; at once, so without a yield. */
static void meet(struct race *r, unsigned n)
{
    __sync_add_and_fetch(&r->met, 1);
    while (r->met < n * 2 && !r->broken)
        ;
}

static int leaver(struct race *r)
{
    struct lock l;
    struct err e;
    bool busy;
    unsigned i;

    for (i = 0; i < LEAVINGS && !r->broken; i++) {
        if (take("l", false, LONG_MS, &l, &busy, &e))
            r->broken = 1;
        meet(r, 3 * i + 1);
        lock_drop(&l, dir_fd);
        meet(r, 3 * i + 2);
        if (is_there("l"))
            r->broken = 1;
        meet(r, 3 * i + 3);
    }
    return r->broken ? 1 : 0;
}

static void leaving_at_once(struct race *r)
{
    check(run_race(leaver, r, 2), "two who share a lock leave at once, %d times: "
          "no file is left", LEAVINGS);
}

int main(void)
{
    struct race *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t before;
    pid_t pid;

    dir_fd = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    before = unit_open_fds();
    exclusive();
    shared();
    other_descriptors();
    kinds();
    removed_by_hand();
    killed();
    cleaned();
    waiting();
    pid = holder("i", true);
    check(!unit_child(interrupted, NULL), "Ctrl-C ends the wait");
    end(pid);
    races(r);
    leaving_at_once(r);
    munmap(r, sizeof(*r));
    check(unit_open_fds() == before, "no descriptor is left open");
    return unit_done();
}
