/* SPDX-License-Identifier: LGPL-2.1-only */

/* Opens, locks, lists and changes the directory of a domain's snapshots. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/meta.h"
#include "store/store.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/interrupt.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/name.h"

#define SNAPSHOT_JSON "snapshot.json"
#define DOMAIN_JSON "domain.json"
#define LOCK ".lock"
#define LOCK_POLL_MS 50

static const char *const prefixes[] = {
    [STORE_NEW] = ".new-", [STORE_COMMITTED] = "", [STORE_DELETED] = ".del-",
};

static char *dir_name(enum store_state state, const char *name)
{
    return mem_printf("%s%s", prefixes[state], name);
}

char *store_file_path(struct store *st, enum store_state state,
                      const char *name, const char *file)
{
    return mem_printf("%s/%s%s/%s", st->path, prefixes[state], name, file);
}

/* Makes ROOT and what leads to it. */
static int make_root(const char *root, struct err *e)
{
    char *path = mem_strdup(root), *p;
    int rc = 0;

    for (p = path + 1; rc == 0 && p; ) {
        p = strchr(p, '/');
        if (p)
            *p = '\0';
        if (mkdir(path, p ? 0755 : FILE_DIR_MODE) && errno != EEXIST)
            rc = err_errno(e, "cannot make directory %s", path);
        if (p)
            *p++ = '/';
    }
    free(path);
    return rc;
}

/*
 * The store itself may be behind a symbolic link; one that leads nowhere is a
 * storage that is not there, not a store without snapshots.
 */
static int open_root(const char *root, bool create, int *fd_r, struct err *e)
{
    char *real;
    struct stat sb;

    if (create && make_root(root, e))
        return -1;
    real = realpath(root, NULL);
    if (!real && !lstat(root, &sb))
        return err_errno(e, "cannot open %s", root);
    if (!real)
        real = mem_strdup(root);
    *fd_r = file_open_dir(AT_FDCWD, real, root, e);
    free(real);
    if (*fd_r < 0 && (create || e->code != ERR_NOT_FOUND))
        return -1;
    return 0;
}

static int open_domain(struct store *st, bool create, struct err *e)
{
    do {
        if (create && file_make_dir(st->root_fd, st->domain, st->path, e))
            return -1;
        st->fd = file_open_dir(st->root_fd, st->domain, st->path, e);
        /* Another process may have removed it in between. */
    } while (create && st->fd < 0 && e->code == ERR_NOT_FOUND);
    if (st->fd < 0 && (create || e->code != ERR_NOT_FOUND))
        return -1;
    return 0;
}

int store_open(struct store *st, const char *root, const char *domain,
               bool create, struct err *e)
{
    memset(st, 0, sizeof(*st));
    st->root_fd = st->fd = st->lock_fd = -1;
    st->domain = mem_strdup(domain);
    st->root = mem_strdup(root);
    st->path = mem_printf("%s/%s", root, domain);
    if (name_check_domain(domain, e) ||
        open_root(root, create, &st->root_fd, e))
        goto fail;
    if (st->root_fd < 0)
        return 0;
    if (open_domain(st, create, e))
        goto fail;
    return 0;

fail:
    store_close(st);
    return -1;
}

static int try_lock(int fd)
{
    struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_SETLK, &fl);
}

/*
 * The lock file that was opened may have been removed, with its directory,
 * by the holder that we waited for.
 */
static bool lock_is_current(struct store *st, int fd)
{
    struct stat ours, there;
    char *path = mem_printf("%s/" LOCK, st->domain);
    bool same = !fstat(fd, &ours) &&
        !fstatat(st->root_fd, path, &there, AT_SYMLINK_NOFOLLOW) &&
        ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;

    free(path);
    return same;
}

/* Of writes that a crash cut short (file_write_durable()). */
static void remove_leftovers(struct store *st)
{
    unlinkat(st->fd, "." STORE_JOURNAL ".tmp", 0);
    unlinkat(st->fd, "." DOMAIN_JSON ".tmp", 0);
}

static int open_lock(struct store *st, struct err *e)
{
    int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, fd;
    struct stat sb;

    if (!st->fixed)
        flags |= O_CREAT;
    fd = openat(st->fd, LOCK, flags, FILE_MODE);
    if (fd < 0)
        return err_errno(e, "cannot open %s/" LOCK, st->path);
    if (fstat(fd, &sb) || !S_ISREG(sb.st_mode)) {
        close(fd);
        return err_set(e, SNAP_FAILED, "%s/" LOCK " is not a regular file",
                       st->path);
    }
    return fd;
}

/* After another process removed the directory: make and open it again. */
static int reopen(struct store *st, struct err *e)
{
    close(st->fd);
    return open_domain(st, true, e);
}

int store_lock(struct store *st, unsigned wait_s, struct err *e)
{
    unsigned waited_ms = 0;
    int fd = -1;

    for (;;) {
        if (fd < 0)
            fd = open_lock(st, e);
        if (fd < 0 && e->code != ERR_NOT_FOUND)
            return -1;
        if (fd >= 0 && !try_lock(fd)) {
            if (lock_is_current(st, fd))
                break;
            close(fd);
            fd = -1;
        }
        if (fd < 0) {
            /* The directory that was opened may have been removed. */
            if (st->fixed)
                return 0;
            if (reopen(st, e))
                return -1;
            continue;
        }
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            err_errno(e, "cannot lock %s", st->path);
            goto fail;
        }
        if (interrupt_pending()) {
            interrupt_error(e);
            goto fail;
        }
        if (waited_ms / 1000 >= wait_s) {
            err_set(e, SNAP_BUSY, "another snapshot operation on domain %s is "
                    "under way: try again later, or use --wait=SECONDS",
                    st->domain);
            goto fail;
        }
        clock_sleep_ms(LOCK_POLL_MS);
        waited_ms += LOCK_POLL_MS;
    }
    st->lock_fd = fd;
    if (!st->fixed)
        remove_leftovers(st);
    return 0;

fail:
    close(fd);
    return -1;
}

/*
 * Nothing but the lock and a domain.json without current: the last snapshot
 * is gone.  rmdir() decides; anything else in the directory keeps it.
 */
static void remove_if_empty(struct store *st)
{
    char *current = NULL, **names = NULL;
    size_t n = 0;
    struct err e;
    bool empty = false;
    DIR *dir = NULL;
    struct dirent *de;
    int fd = dup(st->fd);

    if (fd >= 0)
        dir = fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            close(fd);
        return;
    }
    rewinddir(dir);
    empty = !store_get_current(st, &current, &e) && !current &&
            !store_names(st, STORE_COMMITTED, &names, &n, &e) && !n;
    while (empty && (errno = 0, de = readdir(dir)))
        empty = !strcmp(de->d_name, ".") || !strcmp(de->d_name, "..") ||
                !strcmp(de->d_name, LOCK) || !strcmp(de->d_name, DOMAIN_JSON);
    if (empty && errno == 0) {
        unlinkat(st->fd, DOMAIN_JSON, 0);
        unlinkat(st->fd, LOCK, 0);
        unlinkat(st->root_fd, st->domain, AT_REMOVEDIR);
    }
    closedir(dir);
    free(current);
    store_free_names(names, n);
}

void store_close(struct store *st)
{
    if (st->lock_fd >= 0 && !st->fixed)
        remove_if_empty(st);
    if (st->lock_fd >= 0)
        close(st->lock_fd);
    if (st->fd >= 0)
        close(st->fd);
    if (st->root_fd >= 0)
        close(st->root_fd);
    free(st->domain);
    free(st->root);
    free(st->path);
    memset(st, 0, sizeof(*st));
    st->root_fd = st->fd = st->lock_fd = -1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Subdirectories whose name starts with the prefix, without it; sorted. */
static int list_dirs(int dirfd, const char *what, const char *prefix,
                     char ***names_r, size_t *n_r, struct err *e)
{
    size_t n = 0, room = 0, skip = strlen(prefix);
    char **names = NULL;
    struct dirent *de;
    DIR *dir;
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        err_errno(e, "cannot list %s", what);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while ((errno = 0, de = readdir(dir))) {
        if (strncmp(de->d_name, prefix, skip) || de->d_name[skip] == '.')
            continue;
        if (de->d_type != DT_DIR && de->d_type != DT_UNKNOWN)
            continue;
        if (n == room) {
            room = room ? 2 * room : 64;
            names = mem_grow(names, room, sizeof(*names));
        }
        names[n++] = mem_strdup(de->d_name + skip);
    }
    if (errno) {
        err_errno(e, "cannot list %s", what);
        store_free_names(names, n);
        closedir(dir);
        return -1;
    }
    closedir(dir);
    if (n)
        qsort(names, n, sizeof(*names), by_name);
    *names_r = names;
    *n_r = n;
    return 0;
}

int store_names(struct store *st, enum store_state state, char ***names_r,
                size_t *n_r, struct err *e)
{
    *names_r = NULL;
    *n_r = 0;
    if (st->fd < 0)
        return 0;
    return list_dirs(st->fd, st->path, prefixes[state], names_r, n_r, e);
}

int store_domains(const char *root, char ***names_r, size_t *n_r,
                  struct err *e)
{
    int fd, rc;

    *names_r = NULL;
    *n_r = 0;
    if (open_root(root, false, &fd, e))
        return -1;
    if (fd < 0)
        return 0;
    rc = list_dirs(fd, root, "", names_r, n_r, e);
    close(fd);
    return rc;
}

void store_free_names(char **names, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int store_is_there(struct store *st, enum store_state state, const char *name,
                   bool *there_r, struct err *e)
{
    char *dir = dir_name(state, name);
    struct stat sb;
    int rc = 0;

    *there_r = false;
    if (st->fd >= 0) {
        *there_r = !fstatat(st->fd, dir, &sb, AT_SYMLINK_NOFOLLOW);
        if (!*there_r && errno != ENOENT)
            rc = err_errno(e, "cannot look at %s/%s", st->path, dir);
    }
    free(dir);
    return rc;
}

bool store_exists(struct store *st, enum store_state state, const char *name)
{
    struct err ignored;
    bool there;

    return !store_is_there(st, state, name, &there, &ignored) && there;
}

int store_dir(struct store *st, enum store_state state, const char *name,
              struct err *e)
{
    char *dir = dir_name(state, name);
    char *what = mem_printf("%s/%s", st->path, dir);
    int fd = file_open_dir(st->fd, dir, what, e);

    free(what);
    free(dir);
    return fd;
}

int store_load(struct store *st, enum store_state state, const char *name,
               struct snapshot *s, struct err *e)
{
    char *what = store_file_path(st, state, name, SNAPSHOT_JSON);
    char *text = NULL;
    size_t len;
    int rc = -1;
    int fd = store_dir(st, state, name, e);

    if (fd < 0 || file_read(fd, SNAPSHOT_JSON, JSON_MAX_SIZE, what, &text,
                            &len, e))
        goto out;
    if (meta_parse_text(text, len, what, s, e))
        goto out;
    if (strcmp(s->name, name)) {
        err_set(e, SNAP_FAILED, "%s: 'name' is '%s', not the directory's",
                what, s->name);
        meta_free(s);
        goto out;
    }
    rc = 0;

out:
    if (fd >= 0)
        close(fd);
    free(text);
    free(what);
    return rc;
}

int store_save(struct store *st, enum store_state state,
               const struct snapshot *s, struct err *e)
{
    char *what = store_file_path(st, state, s->name, SNAPSHOT_JSON);
    json_object *o = meta_to_json(s);
    char *text = meta_text(o);
    struct snapshot again;
    int rc = -1, fd = -1;

    /* A record that cannot be read back would lock its domain. */
    if (!meta_parse_text(text, strlen(text), what, &again, e)) {
        meta_free(&again);
        fd = store_dir(st, state, s->name, e);
    }
    if (fd >= 0) {
        rc = file_write_durable(fd, SNAPSHOT_JSON, text, strlen(text), what,
                                e);
        close(fd);
    }
    free(text);
    json_object_put(o);
    free(what);
    return rc;
}

uint64_t store_size_on_disk(struct store *st, const char *name)
{
    struct err ignored;
    int fd = store_dir(st, STORE_COMMITTED, name, &ignored);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *de;
    struct stat sb;
    uint64_t bytes = 0;

    while (dir && (de = readdir(dir)))
        if (!fstatat(fd, de->d_name, &sb, AT_SYMLINK_NOFOLLOW) &&
            S_ISREG(sb.st_mode))
            bytes += (uint64_t)sb.st_blocks * 512;
    if (dir)
        closedir(dir);
    else if (fd >= 0)
        close(fd);
    return bytes;
}

int store_make_new(struct store *st, const char *name, struct err *e)
{
    char *dir = dir_name(STORE_NEW, name);
    char *what = mem_printf("%s/%s", st->path, dir);
    int rc = file_make_dir(st->fd, dir, what, e);

    free(what);
    free(dir);
    return rc;
}

int store_move(struct store *st, const char *name, enum store_state from,
               enum store_state to, struct err *e)
{
    char *old = dir_name(from, name), *new = dir_name(to, name);
    char *what = mem_printf("%s/%s", st->path, old);
    bool is_old, is_new = false;
    int rc = store_is_there(st, from, name, &is_old, e);

    if (!rc && !is_old)
        rc = store_is_there(st, to, name, &is_new, e);
    if (!rc && is_new)
        rc = file_sync(st->fd, st->path, e);
    else if (!rc)
        rc = file_rename(st->fd, old, new, what, e);
    free(what);
    free(new);
    free(old);
    return rc;
}

int store_rename(struct store *st, const char *domain, struct err *e)
{
    if (renameat2(st->root_fd, st->domain, st->root_fd, domain,
                  RENAME_NOREPLACE))
        return err_errno(e, "cannot give the snapshots of domain %s the name "
                         "%s", st->domain, domain);
    return file_sync(st->root_fd, st->root, e);
}

int store_set_aside(struct store *st, enum store_state state,
                    const char *name, const char *prefix, char **path_r,
                    struct err *e)
{
    char when[sizeof("20261123T010203Z")];
    time_t now = time(NULL);
    char *old = dir_name(state, name), *new, *what;
    unsigned n;
    bool there;
    int rc;

    *path_r = NULL;
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime(&now));
    new = mem_printf("%s%s-%s", prefix, name, when);
    for (n = 2; !faccessat(st->fd, new, F_OK, AT_SYMLINK_NOFOLLOW); n++) {
        free(new);
        new = mem_printf("%s%s-%s-%u", prefix, name, when, n);
    }
    what = mem_printf("%s/%s", st->path, old);
    rc = store_is_there(st, state, name, &there, e);
    if (!rc && there) {
        rc = file_rename(st->fd, old, new, what, e);
        if (!rc)
            *path_r = mem_printf("%s/%s", st->path, new);
    }
    free(what);
    free(new);
    free(old);
    return rc;
}

int store_remove(struct store *st, enum store_state state, const char *name,
                 struct err *e)
{
    static const char *const ours[] = {
        META_MEMORY_FILE, META_MEMORY_ZSTD, META_MEMORY_SPOOL,
        SNAPSHOT_JSON, "." SNAPSHOT_JSON ".tmp", NULL,
    };
    char *dir = dir_name(state, name);
    char *what = mem_printf("%s/%s", st->path, dir);
    int rc = file_remove_dir(st->fd, dir, ours, what, e);

    free(what);
    free(dir);
    return rc;
}

/* A member of domain.json, NULL if there is none. */
static int get_text(struct store *st, const char *key, char **value_r,
                    struct err *e)
{
    char *what = mem_printf("%s/" DOMAIN_JSON, st->path);
    json_object *o = NULL;
    char *text = NULL;
    const char *value = NULL;
    size_t len;
    int rc = -1;

    *value_r = NULL;
    if (st->fd < 0) {
        rc = 0;
        goto out;
    }
    if (file_read(st->fd, DOMAIN_JSON, JSON_MAX_SIZE, what, &text, &len, e)) {
        if (e->code == ERR_NOT_FOUND)
            rc = 0;
        goto out;
    }
    o = json_parse_object(text, len, what, e);
    if (!o || json_opt_str(o, key, (struct json_at){ what, "" }, &value, e)) {
        e->code = ERR_GARBAGE;
        goto out;
    }
    *value_r = mem_strdup(value);
    rc = 0;

out:
    json_object_put(o);
    free(text);
    free(what);
    return rc;
}

int store_get_current(struct store *st, char **current_r, struct err *e)
{
    return get_text(st, "current", current_r, e);
}

int store_get_uuid(struct store *st, char **uuid_r, struct err *e)
{
    return get_text(st, "uuid", uuid_r, e);
}

int store_set_current(struct store *st, const char *uuid,
                      const char *current, struct err *e)
{
    char *what = mem_printf("%s/" DOMAIN_JSON, st->path);
    json_object *o = json_object_new_object();
    char *text;
    int rc;

    json_add_str(o, "uuid", uuid);
    json_add_str(o, "current", current);
    text = meta_text(o);
    rc = file_write_durable(st->fd, DOMAIN_JSON, text, strlen(text), what, e);
    free(text);
    json_object_put(o);
    free(what);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
