#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "snapshot/sys/file.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

static int dirfd;

static bool holds(const char *name, const char *want)
{
    char *path = unit_path(name), *text = unit_get(path, NULL);
    bool same = text && !strcmp(text, want);

    free(text);
    free(path);
    return same;
}

static unsigned mode_of(const char *name)
{
    char *path = unit_path(name);
    unsigned mode = unit_mode(path);

    free(path);
    return mode;
}

static bool is_there(const char *name)
{
    struct stat st;

    return !fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW);
}

static int write_text(const char *name, const char *text, struct err *e)
{
    return file_write_durable(dirfd, name, text, strlen(text), name, e);
}

static void durable(void)
{
    struct err e;

    check_ok(write_text("f", "one\n", &e), &e, "a file is written");
    check(holds("f", "one\n") && mode_of("f") == 0600 && !is_there(".f.tmp"),
          "with its content, mode 0600, no temporary left");
    check_ok(write_text("f", "two", &e), &e, "it is written again");
    check(holds("f", "two"), "a shorter content leaves nothing of the older");
}

static void leftovers(void)
{
    char *tmp = unit_path(".f.tmp"), *victim = unit_path("victim");
    struct err e;

    unit_puts(tmp, "torn");
    check(!write_text("f", "three", &e) && holds("f", "three"),
          "a temporary file that a crash left is in nobody's way");
    unit_puts(victim, "precious");
    check(!symlink(victim, tmp) && !write_text("f", "four", &e) &&
          holds("f", "four") && holds("victim", "precious"),
          "a link in the temporary's place is not followed");
    check(!mkdir(tmp, 0700), "a directory in the temporary's place");
    check_err(write_text("f", "five", &e), &e, SNAP_FAILED, "f",
              "is an error");
    check(holds("f", "four"), "and the old content stays");
    unit_remove(tmp);
    unit_remove(victim);
    free(victim);
    free(tmp);
}

static void link_replaced(void)
{
    char *victim = unit_path("victim"), *f = unit_path("l");
    struct err e;

    unit_puts(victim, "precious");
    check(!symlink(victim, f) && !write_text("l", "new", &e) &&
          holds("l", "new") && holds("victim", "precious"),
          "a link in the file's place is replaced, not followed");
    unit_remove(f);
    unit_remove(victim);
    free(f);
    free(victim);
}

static void umasks(void)
{
    static const mode_t masks[] = { 0, 022, 077, 0777 };
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        umask(masks[i]);
        check(!write_text("m", "x", &e) && mode_of("m") == 0600 &&
              !file_make_dir(dirfd, "d", "d", &e) && mode_of("d") == 0700,
              "umask %03o: file 0600, directory 0700", (unsigned)masks[i]);
        umask(077);
        unlinkat(dirfd, "m", 0);
        unlinkat(dirfd, "d", AT_REMOVEDIR);
    }
    check(!mkdirat(dirfd, "d", 0700) && !file_make_dir(dirfd, "d", "d", &e),
          "a directory that exists is no error");
    unlinkat(dirfd, "d", AT_REMOVEDIR);
}

static int read_it(const char *name, size_t max, struct err *e)
{
    char *text = NULL;
    size_t len;
    int rc = file_read(dirfd, name, max, name, &text, &len, e);
    int saved = errno;

    if (!rc)
        free(text);
    errno = saved;
    return rc;
}

static void reads(void)
{
    char *path = unit_path("r"), *big = mem_zalloc(1, 100000), *text;
    struct err e;
    size_t len = 1;

    unit_put(path, "", 0);
    check(!file_read(dirfd, "r", 10, "r", &text, &len, &e) && !len &&
          !text[0], "an empty file is empty text");
    free(text);
    unit_put(path, "a\0b", 3);
    check(!file_read(dirfd, "r", 3, "r", &text, &len, &e) && len == 3 &&
          !memcmp(text, "a\0b", 4), "NUL bytes are kept, one is added");
    free(text);
    check_err(read_it("r", 2, &e), &e, SNAP_FAILED, "r is larger than 2",
              "a file over the bound is refused");
    memset(big, 'x', 100000);
    unit_put(path, big, 100000);
    check(!file_read(dirfd, "r", 100000, "r", &text, &len, &e) &&
          len == 100000 && strlen(text) == len && !memcmp(text, big, len),
          "a large file is read whole");
    free(text);
    check(read_it("r", 99999, &e) == -1, "one byte too many is refused");
    check(truncate(path, 1ll << 40) ||
          is_err(read_it("r", 1 << 20, &e), &e, SNAP_FAILED, "larger"),
          "a terabyte of nothing is refused at once");
    check(read_it("none", 10, &e) == -1 && e.code == ERR_NOT_FOUND,
          "the code tells a file that does not exist");
    unit_remove(path);
    free(big);
    free(path);
}

static void not_trusted(const char *what)
{
    struct err e;
    int fd;

    check_err(read_it("x", 100, &e), &e, SNAP_FAILED, "x",
              "%s in a file's place is refused", what);
    fd = file_open_dir(dirfd, "x", "x", &e);
    check_err(fd, &e, SNAP_FAILED, "x", "%s in a directory's place", what);
    unlinkat(dirfd, "x", 0);
}

static void kinds(void)
{
    char *target = unit_path("target");
    struct err e;

    unit_puts(target, "x");
    check(!symlinkat("target", dirfd, "x"), "a link to a good file");
    not_trusted("a symbolic link");
    check(!symlinkat(".", dirfd, "x"), "a link to a directory");
    not_trusted("a symbolic link to a directory");
    check(!symlinkat("nowhere", dirfd, "x"), "a link to nothing");
    not_trusted("a dangling link");
    check(!mkfifoat(dirfd, "x", 0600), "a FIFO that nobody writes");
    not_trusted("a FIFO");
    if (mknodat(dirfd, "x", S_IFCHR | 0600, makedev(1, 5)))
        skip("cannot make a device: not root");
    else
        not_trusted("a device");
    check_err(read_it(".", 100, &e), &e, SNAP_FAILED, "not a regular file",
              "a directory in a file's place is refused");
    unit_remove(target);
    free(target);
}

static void foreign(void)
{
    char *path = unit_path("o"), *sub = unit_path("od");
    struct err e;
    int fd;

    unit_puts(path, "x");
    mkdir(sub, 0700);
    check(!chmod(path, 0644) && !read_it("o", 10, &e),
          "others may read: that is still trusted");
    chmod(path, 0660);
    check_err(read_it("o", 10, &e), &e, SNAP_FAILED, "mode 0660",
              "a file that the group may write is refused");
    chmod(path, 0602);
    check_err(read_it("o", 10, &e), &e, SNAP_FAILED, "not trusted",
              "a file that all may write is refused");
    chmod(sub, 0777);
    check_err(file_open_dir(dirfd, "od", "od", &e), &e, SNAP_FAILED,
              "mode 0777", "a directory that all may write is refused");
    chmod(sub, 0700);
    chmod(path, 0600);
    if (chown(path, 12345, 0) || chown(sub, 12345, 0)) {
        skip("cannot give a file away: not root");
    } else {
        check_err(read_it("o", 10, &e), &e, SNAP_FAILED, "owner 12345",
                  "a file of another owner is refused");
        check_err(file_open_dir(dirfd, "od", "od", &e), &e, SNAP_FAILED,
                  "owner 12345", "a directory of another owner is refused");
        chown(path, 0, 0);
    }
    fd = file_open_read(dirfd, "o", "o", &e);
    check(fd >= 0 && fcntl(fd, F_GETFD) & FD_CLOEXEC,
          "no child gets the descriptor");
    close(fd);
    unit_remove(sub);
    unit_remove(path);
    free(sub);
    free(path);
}

static void small_ones(void)
{
    char *a = unit_path("a");
    uint64_t room = 0;
    struct err e;

    unit_puts(a, "x");
    check(!file_rename(dirfd, "a", "b", "a", &e) && !is_there("a") &&
          holds("b", "x"), "a file is renamed");
    check_err(file_rename(dirfd, "a", "b", "the.file", &e), &e, SNAP_FAILED,
              "cannot rename the.file", "a file that is not there is not");
    check(!file_unlink(dirfd, "b", "b", &e) && !is_there("b") &&
          !file_unlink(dirfd, "b", "b", &e), "unlinking twice is no error");
    check(!file_free_space(dirfd, &room, &e) && room > 0,
          "the free space is known");
    check(file_sync_path(unit_dir(), &e) == 0 &&
          file_sync_path("/nonexistent", &e) == -1,
          "what exists can be synced, what does not is an error");
    free(a);
}

static void no_leak(void)
{
    size_t before = unit_open_fds();
    struct err e;
    int i;

    for (i = 0; i < 20; i++) {
        write_text("f", "x", &e);
        read_it("f", 0, &e);
        read_it(".", 10, &e);
        file_sync_path(unit_dir(), &e);
    }
    check(unit_open_fds() == before, "no descriptor is left open");
}

int main(void)
{
    dirfd = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    durable();
    leftovers();
    link_replaced();
    umasks();
    reads();
    kinds();
    foreign();
    small_ones();
    no_leak();
    return unit_done();
}
