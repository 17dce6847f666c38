#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

static unsigned passed, failed;
static char dir[64];
static pid_t dir_owner;

static void __attribute__((constructor)) begin(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(UNIT_LIMIT_S);
}

static void say(bool ok, const char *fmt, va_list ap)
{
    printf("%s - ", ok ? "ok" : "not ok");
    vprintf(fmt, ap);
    putchar('\n');
    if (ok)
        passed++;
    else
        failed++;
}

void check(bool ok, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(ok, fmt, ap);
    va_end(ap);
}

bool is_err(int rc, const struct err *e, enum snap_status status,
            const char *part)
{
    if (rc != -1)
        printf("# result %d, no failure\n", rc);
    else if (e->status != status || !strstr(e->text, part) ||
             strchr(e->text, '\n'))
        printf("# status %d (want %d), text '%s' (want '%s' in it)\n",
               e->status, status, e->text, part);
    else
        return true;
    return false;
}

void check_err(int rc, const struct err *e, enum snap_status status,
               const char *part, const char *fmt, ...)
{
    bool ok = is_err(rc, e, status, part);
    va_list ap;

    va_start(ap, fmt);
    say(ok, fmt, ap);
    va_end(ap);
}

void check_ok(int rc, const struct err *e, const char *fmt, ...)
{
    va_list ap;

    if (rc)
        printf("# result %d, status %d, text '%s'\n", rc, e->status, e->text);
    va_start(ap, fmt);
    say(rc == 0, fmt, ap);
    va_end(ap);
}

void skip(const char *fmt, ...)
{
    va_list ap;

    fputs("skip - ", stdout);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

static void die(const char *what)
{
    perror(what);
    exit(2);
}

int unit_done(void)
{
    if (!passed && !failed)
        check(false, "nothing was tested");
    return failed ? 1 : 0;
}

static void remove_dir(void)
{
    if (getpid() == dir_owner)
        unit_remove(dir);
}

const char *unit_dir(void)
{
    const char *tmp = getenv("TMPDIR");

    if (dir[0])
        return dir;
    if (!tmp || strlen(tmp) > sizeof(dir) - 24)
        tmp = "/tmp";
    snprintf(dir, sizeof(dir), "%s/snapunit.XXXXXX", tmp);
    if (!mkdtemp(dir))
        die(dir);
    dir_owner = getpid();
    atexit(remove_dir);
    return dir;
}

char *unit_path(const char *name)
{
    return mem_printf("%s/%s", unit_dir(), name);
}

void unit_put(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        die(path);
    close(fd);
}

void unit_puts(const char *path, const char *text)
{
    unit_put(path, text, strlen(text));
}

char *unit_get(const char *path, size_t *len_r)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *text;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st))
        die(path);
    text = mem_zalloc((size_t)st.st_size + 1, 1);
    if (read(fd, text, (size_t)st.st_size) != st.st_size)
        die(path);
    close(fd);
    if (len_r)
        *len_r = (size_t)st.st_size;
    return text;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void unit_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

unsigned unit_mode(const char *path)
{
    struct stat st;

    return lstat(path, &st) ? 0 : st.st_mode & 07777;
}

int unit_child(int (*fn)(void *arg), void *arg)
{
    int status;
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        alarm(UNIT_LIMIT_S);
        _exit(fn(arg));
    }
    if (waitpid(pid, &status, 0) != pid)
        die("waitpid");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

size_t unit_open_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    if (!d)
        die("/proc/self/fd");
    while (readdir(d))
        n++;
    closedir(d);
    return n - 3;       /* ".", ".." and the directory's own */
}
