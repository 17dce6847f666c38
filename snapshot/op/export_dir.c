/* SPDX-License-Identifier: LGPL-2.1-only */

/* Makes the directory of an export appear complete. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op/export_dir.h"
#include "store/manifest.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/mem.h"

#define LOCK_FILE ".lock"

static int split(const char *path, struct export_dir *d, struct err *e)
{
    char *copy = mem_strdup(path), *slash, *real;
    size_t len = strlen(copy);

    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    slash = strrchr(copy, '/');
    d->name = mem_strdup(slash ? slash + 1 : copy);
    if (slash)
        slash[slash == copy] = '\0';
    real = realpath(slash ? copy : ".", NULL);
    free(copy);
    if (!real)
        return err_errno(e, "cannot find the directory in which %s is to be "
                         "made", path);
    d->parent = real;
    if (!d->name[0] || d->name[0] == '.' || strlen(d->name) > NAME_MAX - 8)
        return err_set(e, SNAP_FAILED, "%s cannot be the name of an export",
                       path);
    d->path = mem_printf("%s/%s", strcmp(real, "/") ? real : "", d->name);
    d->building = mem_printf("%s/.new-%s", strcmp(real, "/") ? real : "",
                             d->name);
    return 0;
}

static int check_place(struct export_dir *d, struct err *e)
{
    struct stat st;

    if (!fstatat(d->parent_fd, d->name, &st, AT_SYMLINK_NOFOLLOW))
        return err_set(e, SNAP_FAILED, "%s is there already: choose another "
                       "directory for the export", d->path);
    if (errno != ENOENT)
        return err_errno(e, "cannot look at %s", d->path);
    return 0;
}

static const char *building_name(const struct export_dir *d)
{
    return strrchr(d->building, '/') + 1;
}

/* Of an export that was cut off; nothing that no export makes is touched. */
static int clear(struct export_dir *d, struct err *e)
{
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return err_errno(e, "cannot read %s", d->building);
    }
    while (!rc && (entry = readdir(dir))) {
        if (manifest_is_file(entry->d_name))
            rc = file_unlink(d->fd, entry->d_name, d->building, e);
        else if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
                 strcmp(entry->d_name, LOCK_FILE))
            rc = err_set(e, SNAP_FAILED, "%s holds files that no export made: "
                         "move it away", d->building);
    }
    closedir(dir);
    return rc;
}

/* It was not renamed, or removed, before we had the lock. */
static int check_still(struct export_dir *d, struct err *e)
{
    struct stat now, ours;

    memset(&now, 0, sizeof(now));
    if (fstat(d->fd, &ours) ||
        (fstatat(d->parent_fd, building_name(d), &now, AT_SYMLINK_NOFOLLOW) &&
         errno != ENOENT))
        return err_errno(e, "cannot look at %s", d->building);
    if (now.st_ino != ours.st_ino || now.st_dev != ours.st_dev)
        return err_set(e, SNAP_BUSY, "another export to %s ends just now: try "
                       "again", d->path);
    return 0;
}

static int make(struct export_dir *d, struct err *e)
{
    char *what = mem_printf("the export to %s", d->path);
    bool busy = false;
    int rc = -1;

    d->begun = true;
    if (file_make_dir(d->parent_fd, building_name(d), d->building, e))
        goto out;
    d->fd = file_open_dir(d->parent_fd, building_name(d), d->building, e);
    if (d->fd < 0)
        goto out;
    if (lock_take(d->fd, LOCK_FILE, what, true, 0, &d->lock, &busy, e))
        goto out;
    if (check_still(d, e) || clear(d, e))
        goto out;
    rc = check_place(d, e);

out:
    free(what);
    return rc;
}

int export_dir_open(const char *path, bool only_look, struct export_dir *d,
                    struct err *e)
{
    memset(d, 0, sizeof(*d));
    d->parent_fd = -1;
    d->fd = -1;
    d->lock = (struct lock)LOCK_NONE;
    if (split(path, d, e))
        goto fail;
    d->parent_fd = open(d->parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->parent_fd < 0) {
        err_errno(e, "cannot open %s", d->parent);
        goto fail;
    }
    if (check_place(d, e) || (!only_look && make(d, e)))
        goto fail;
    return 0;

fail:
    export_dir_close(d);
    return -1;
}

int export_dir_commit(struct export_dir *d, struct err *e)
{
    if (file_sync(d->fd, d->building, e) || check_place(d, e))
        return -1;
    if (renameat(d->parent_fd, building_name(d), d->parent_fd, d->name))
        return err_errno(e, "cannot rename %s to %s", d->building, d->path);
    d->committed = true;
    return file_sync(d->parent_fd, d->parent, e);
}

void export_dir_close(struct export_dir *d)
{
    struct err e;

    if (d->lock.fd >= 0 && !d->committed && !check_still(d, &e))
        (void)clear(d, &e);
    if (d->fd >= 0) {
        lock_drop(&d->lock, d->fd);
        close(d->fd);
    }
    /* While another one builds there it is not empty. */
    if (d->begun && !d->committed)
        unlinkat(d->parent_fd, building_name(d), AT_REMOVEDIR);
    if (d->parent_fd >= 0)
        close(d->parent_fd);
    free(d->path);
    free(d->parent);
    free(d->name);
    free(d->building);
    memset(d, 0, sizeof(*d));
    d->parent_fd = -1;
    d->fd = -1;
    d->lock = (struct lock)LOCK_NONE;
}

char *export_dir_relative(const struct export_dir *d, const char *absolute)
{
    const char *from = d->path, *to = absolute;
    size_t i, common = 0;
    char *path, *longer;

    for (i = 0; from[i] && from[i] == to[i]; i++)
        if (from[i] == '/')
            common = i + 1;
    /* One up from each name of ours that is not common. */
    path = mem_strdup("..");
    for (i = common; from[i]; i++)
        if (from[i] == '/') {
            longer = mem_printf("%s/..", path);
            free(path);
            path = longer;
        }
    longer = mem_printf("%s/%s", path, to + common);
    free(path);
    return longer;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
