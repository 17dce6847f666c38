/* SPDX-License-Identifier: LGPL-2.1-only */

/* Files and trees of files for the scene: copied, kept by their inode. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "snapshot/sys/mem.h"

void fatal(const char *what)
{
    fprintf(stderr, "sweep: %s: %s\n", what, strerror(errno));
    abort();
}

int not_dots(const struct dirent *de)
{
    return strcmp(de->d_name, ".") && strcmp(de->d_name, "..");
}

char *slurp(const char *path, size_t *len_r)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    char *buf;
    ssize_t n = 0;

    if (fd < 0 || fstat(fd, &st)) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    buf = mem_zalloc(1, (size_t)st.st_size + 1);
    *len_r = 0;
    while (*len_r < (size_t)st.st_size &&
           (n = read(fd, buf + *len_r, (size_t)st.st_size - *len_r)) > 0)
        *len_r += (size_t)n;
    close(fd);
    return buf;
}

/* Into the file that is there: images keep their inode. */
void copy_file(const char *from, const char *to)
{
    size_t len, done = 0;
    char *buf = slurp(from, &len);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (!buf || fd < 0)
        fatal(to);
    while (done < len) {
        ssize_t n = write(fd, buf + done, len - done);

        if (n <= 0)
            fatal(to);
        done += (size_t)n;
    }
    close(fd);
    free(buf);
}

void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *de;

    while (dir && (de = readdir(dir))) {
        char *sub;

        if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
            continue;
        sub = mem_printf("%s/%s", path, de->d_name);
        if (unlink(sub) && (errno == EISDIR || errno == EPERM))
            remove_tree(sub);
        free(sub);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}

static void copy_link(const char *from, const char *to)
{
    char target[1024];
    ssize_t n = readlink(from, target, sizeof(target) - 1);

    target[n > 0 ? n : 0] = '\0';
    if (n <= 0 || symlink(target, to))
        fatal(to);
}

/* Calls fn for each entry of a directory. */
void each_entry(const char *dir, const char *to,
                       void (*fn)(const char *from, const char *to))
{
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    if (n < 0)
        fatal(dir);
    for (i = 0; i < n; i++) {
        char *a = mem_printf("%s/%s", dir, list[i]->d_name);
        char *b = mem_printf("%s/%s", to, list[i]->d_name);

        fn(a, b);
        free(a);
        free(b);
        free(list[i]);
    }
    free(list);
}

mode_t type_of(const char *path)
{
    struct stat st;

    if (lstat(path, &st))
        fatal(path);
    return st.st_mode & S_IFMT;
}

static void copy_entry(const char *from, const char *to)
{
    if (type_of(from) == S_IFDIR)
        copy_tree(from, to);
    else if (type_of(from) == S_IFLNK)
        copy_link(from, to);
    else
        copy_file(from, to);
}

void copy_tree(const char *from, const char *to)
{
    if (mkdir(to, 0700))
        fatal(to);
    each_entry(from, to, copy_entry);
}

/* A second name keeps the inode; "<to>.bytes" what is in it. */
void keep_image(const char *from, const char *to)
{
    char *bytes = mem_printf("%s.bytes", to);
    struct stat st;

    if (type_of(from) == S_IFLNK) {
        copy_link(from, to);
    } else {
        struct timespec times[2];

        copy_file(from, bytes);
        if (link(from, to) || stat(from, &st))
            fatal(to);
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        if (utimensat(AT_FDCWD, bytes, times, 0) ||
            chmod(bytes, st.st_mode & 07777))
            fatal(bytes);
    }
    free(bytes);
}

void bring_back_image(const char *from, const char *to)
{
    char *bytes = mem_printf("%s.bytes", from);
    struct timespec times[2];
    struct stat st;

    if (type_of(from) == S_IFLNK) {
        copy_link(from, to);
    } else if (!stat(bytes, &st)) {     /* else it is the bytes itself */
        copy_file(bytes, from);
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
        if (chmod(from, st.st_mode & 07777) ||
            utimensat(AT_FDCWD, from, times, 0) || link(from, to))
            fatal(to);
    }
    free(bytes);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
