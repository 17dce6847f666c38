/* SPDX-License-Identifier: LGPL-2.1-only */

/* Finds, makes and removes the directory that holds a memory image. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/place.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"

static bool is_outside(const struct snapshot *s)
{
    return s->memory.file[0] == '/';
}

/* The path without its last n names. */
static char *above(const char *path, unsigned n)
{
    char *dir = mem_strdup(path);

    while (n--)
        *strrchr(dir, '/') = '\0';
    if (!dir[0])
        strcpy(dir, "/");
    return dir;
}

int memory_place_open(struct store *st, enum store_state state,
                      const struct snapshot *s, char **what_r,
                      struct err *e)
{
    char *dir;
    int fd;

    if (!is_outside(s)) {
        *what_r = store_file_path(st, state, s->name, s->memory.file);
        return store_dir(st, state, s->name, e);
    }
    *what_r = mem_strdup(s->memory.file);
    dir = above(s->memory.file, 1);
    fd = file_open_dir(AT_FDCWD, dir, dir, e);
    free(dir);
    return fd;
}

/* The directory that the user named. */
static int open_path(const struct snapshot *s, struct err *e)
{
    char *dir = above(s->memory.file, 2);
    int fd = file_open_dir(AT_FDCWD, dir, dir, e);

    free(dir);
    return fd;
}

/* Of a store that is not there yet: the directory in which it would be made. */
static int open_nearest(const char *path, struct err *e)
{
    char *dir = mem_strdup(path), *slash;
    int fd = -1;

    while ((fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0 &&
           errno == ENOENT && (slash = strrchr(dir, '/')) && slash != dir)
        *slash = '\0';
    if (fd < 0 && errno == ENOENT)
        fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        err_errno(e, "cannot look at %s", dir);
    free(dir);
    return fd;
}

int memory_place_disk(struct store *st, const struct snapshot *s,
                      const char **what_r, struct err *e)
{
    int fd;

    if (is_outside(s)) {
        *what_r = s->memory.file;
        return open_path(s, e);
    }
    *what_r = st->path;
    if (st->fd < 0)
        return open_nearest(st->path, e);
    fd = fcntl(st->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, "cannot look at %s", st->path);
    return fd;
}

void memory_place_check_room(struct store *st, const struct snapshot *s,
                             uint64_t need, struct err *problems)
{
    const char *what;
    uint64_t room;
    struct err e;
    int fd = memory_place_disk(st, s, &what, &e);

    if (fd < 0 || file_free_space(fd, &room, &e))
        err_add(problems, "%s: %s", what, e.text);
    else if (room < need)
        err_add(problems, "the memory image of domain %s needs up to %" PRIu64
                " MiB for %s, and %" PRIu64 " MiB are free", s->domain.name,
                need >> 20, what, room >> 20);
    if (fd >= 0)
        close(fd);
}

int memory_place_make(const struct snapshot *s, struct err *e)
{
    char *dir;
    int fd, rc;

    if (!is_outside(s))
        return 0;
    fd = open_path(s, e);
    if (fd < 0)
        return -1;
    dir = above(s->memory.file, 1);
    rc = file_make_dir(fd, strrchr(dir, '/') + 1, dir, e);
    free(dir);
    close(fd);
    return rc;
}

int memory_place_remove(const struct snapshot *s, struct err *e)
{
    static const char *const ours[] = {
        META_MEMORY_FILE, META_MEMORY_ZSTD, META_MEMORY_SPOOL, NULL,
    };
    char *dir;
    int fd, rc;

    if (!is_outside(s))
        return 0;
    fd = open_path(s, e);
    if (fd < 0 && e->code == ERR_NOT_FOUND)
        return 0;
    if (fd < 0)
        return -1;
    dir = above(s->memory.file, 1);
    rc = file_remove_dir(fd, strrchr(dir, '/') + 1, ours, dir, e);
    free(dir);
    close(fd);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
