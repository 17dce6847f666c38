/* SPDX-License-Identifier: LGPL-2.1-only */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/op/image_locks.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

#define DIR_NAME ".images"
#define RACERS 4
#define ROUNDS 300

static int root_fd;

static bool is_there(const char *name)
{
    return faccessat(root_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Of a domain with one raw disk. */
static int take(char *image, struct image_locks *l, struct err *e)
{
    struct domain_disk disk = {
        .vdev = (char *)"xvda", .path = image, .format = (char *)"raw",
    };
    struct domain d = { .disks = &disk, .ndisks = 1 };

    return image_locks_take(root_fd, "g", &d, NULL, 0, l, e);
}

static void alone(char *image)
{
    struct image_locks l = { 0 };
    struct err e;

    image_locks_drop(&l);
    check(!is_there(DIR_NAME), "what was not taken leaves nothing");
    check_ok(take(image, &l, &e), &e, "an image is locked");
    check(is_there(DIR_NAME), "for which there is a directory");
    image_locks_drop(&l);
    check(!is_there(DIR_NAME), "that goes with the lock");
    image_locks_drop(&l);
    check(!l.locks, "what is let go is let go");
}

/* It dies with its lock. */
static int killed(void *arg)
{
    struct image_locks l;
    struct err e;

    if (!take(arg, &l, &e))
        kill(getpid(), SIGKILL);
    return 1;
}

static void leftovers(char *image, char *other)
{
    struct image_locks l;
    struct err e;

    check(unit_child(killed, image) == 128 + SIGKILL && is_there(DIR_NAME),
          "a process that is killed leaves the files of its locks");
    check_ok(take(other, &l, &e), &e, "another image is locked");
    image_locks_drop(&l);
    check(!is_there(DIR_NAME), "with it go the files of the killed, too");
    unlinkat(root_fd, DIR_NAME, 0);
    check(!symlinkat("elsewhere", root_fd, DIR_NAME) &&
          take(image, &l, &e) == -1 && !is_there("elsewhere"),
          "a link in the place of the directory is not followed");
    unlinkat(root_fd, DIR_NAME, 0);
}

/* What several processes do to a counter that only the lock protects. */
struct race {
    volatile unsigned inside, broken, took;
};

static bool one_round(struct race *r, char *image)
{
    struct image_locks l;
    struct err e;

    if (take(image, &l, &e)) {
        printf("# %s\n", e.text);
        return false;
    }
    if (__sync_add_and_fetch(&r->inside, 1) != 1)
        r->broken = 1;
    r->took++;
    sched_yield();
    __sync_sub_and_fetch(&r->inside, 1);
    image_locks_drop(&l);
    return true;
}

static int racer(struct race *r, char *image)
{
    unsigned i;

    alarm(UNIT_LIMIT_S);
    for (i = 0; i < ROUNDS; i++)
        if (!one_round(r, image))
            return 1;
    return 0;
}

/* Each end of a lock may take the directory away under all others. */
static void races(struct race *races, char *const *images, unsigned nimages)
{
    unsigned i, took = 0;
    pid_t pids[RACERS];
    bool ok = true, broken = false;
    int status;

    fflush(stdout);
    for (i = 0; i < RACERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            status = racer(&races[i % nimages], images[i % nimages]);
            fflush(stdout);
            _exit(status);
        }
    }
    for (i = 0; i < RACERS; i++)
        if (waitpid(pids[i], &status, 0) != pids[i] || status)
            ok = false;
    for (i = 0; i < nimages; i++) {
        took += races[i].took;
        broken |= races[i].broken;
    }
    check(ok, "%d processes lock %u images all the time, and each gets its "
          "lock", RACERS, nimages);
    check(!broken && took == RACERS * ROUNDS, "never two at once");
    check(!is_there(DIR_NAME), "nothing is left of them");
}

int main(void)
{
    struct race *r = mmap(NULL, 3 * sizeof(*r), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *images[] = { unit_path("a.raw"), unit_path("b.raw") };
    size_t before, i;

    for (i = 0; i < 2; i++)
        unit_puts(images[i], "x");
    root_fd = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    before = unit_open_fds();
    alone(images[0]);
    leftovers(images[0], images[1]);
    races(r, images, 1);
    races(r + 1, images, 2);
    check(unit_open_fds() == before, "no descriptor is left open");
    munmap(r, 3 * sizeof(*r));
    for (i = 0; i < 2; i++)
        free(images[i]);
    return unit_done();
}
