/* SPDX-License-Identifier: LGPL-2.1-only */

/* Files of a chain of overlays, and what qemu-img does to them. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/image.h"
#include "image/layer.h"
#include "image/qcow2.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"
#include "sys/name.h"

#define FORMAT "qcow2"
#define LINK_TMP "%s.link-tmp"
#define LINK_TMP_LEN 9          /* of what it adds */
#define MAX_CHAIN 1000
#define MAX_LINKS 40            /* as the kernel follows */

char *layer_live(const char *path, struct err *e)
{
    char *live = realpath(path, NULL);

    if (!live)
        err_errno(e, "cannot follow %s to its image", path);
    return live;
}

/* rc is of a stat() call just made. */
static int look(int rc, const char *path, bool *there_r, struct err *e)
{
    *there_r = !rc;
    if (!rc || errno == ENOENT)
        return 0;
    return err_errno(e, "cannot look at %s", path);
}

int layer_is_same(const char *a, const char *b, bool *same_r, struct err *e)
{
    struct stat x, y;
    bool there;

    *same_r = false;
    if (look(stat(a, &x), a, &there, e))
        return -1;
    if (!there)
        return 0;
    if (look(stat(b, &y), b, &there, e))
        return -1;
    if (!there)
        return 0;
    if (S_ISBLK(x.st_mode) && S_ISBLK(y.st_mode))
        *same_r = x.st_rdev == y.st_rdev;
    else
        *same_r = x.st_dev == y.st_dev && x.st_ino == y.st_ino;
    return 0;
}

int layer_exists(const char *path, bool *there_r, struct err *e)
{
    struct stat st;

    return look(lstat(path, &st), path, there_r, e);
}

int layer_is_link(const char *path, bool *link_r, struct err *e)
{
    struct stat st;
    int rc = look(lstat(path, &st), path, link_r, e);

    if (*link_r)
        *link_r = S_ISLNK(st.st_mode);
    return rc;
}

char *layer_folder(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return mem_strdup(".");
    if (slash == path)
        return mem_strdup("/");
    return mem_printf("%.*s", (int)(slash - path), path);
}

/*
 * "IMAGE.SNAPSHOT-UNIQUE": of a snapshot's name so much that the file has a
 * name that can be made, and a link beside it.
 */
char *layer_name(const char *link, const char *snapshot, const char *unique)
{
    const char *base = link, *slash = strrchr(link, '/');
    size_t fixed, room = 0;

    if (slash)
        base = slash + 1;
    fixed = strlen(base) + 2 + NAME_UNIQUE_LEN + LINK_TMP_LEN;
    if (fixed < NAME_MAX)
        room = NAME_MAX - fixed;
    return mem_printf("%s.%.*s-%s", link, (int)room, snapshot, unique);
}

/* As layer_name() makes them. */
bool layer_is_ours(const char *link, const char *layer)
{
    size_t len = strlen(link), n = strlen(layer);

    return n >= len + NAME_UNIQUE_LEN + 2 && !strncmp(layer, link, len) &&
           layer[len] == '.' && layer[n - NAME_UNIQUE_LEN - 1] == '-' &&
           strspn(layer + n - NAME_UNIQUE_LEN, "0123456789abcdef") ==
               NAME_UNIQUE_LEN && !strchr(layer + len, '/');
}

static char *next_of(const char *at, const char *to)
{
    char *folder, *next;

    if (to[0] == '/')
        return mem_strdup(to);
    folder = layer_folder(at);
    next = mem_printf("%s/%s", folder, to);
    free(folder);
    return next;
}

/* The same file, in the folder that a linked one leads to; or NULL. */
static char *in_real_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = layer_folder(path);
    char *real = realpath(folder, NULL), *whole = NULL;

    if (real)
        whole = mem_printf("%s/%s", strcmp(real, "/") ? real : "",
                           slash ? slash + 1 : path);
    free(real);
    free(folder);
    return whole;
}

/* Is "at", or the file that it is, a link to one of its layers, "to"? */
static char *link_to_ours(const char *at, const char *to)
{
    char *real;

    if (layer_is_ours(at, to))
        return mem_strdup(at);
    real = in_real_folder(at);
    if (real && layer_is_ours(real, to))
        return real;
    free(real);
    return NULL;
}

char *layer_find_link(const char *path)
{
    char *at = mem_strdup(path), *found = NULL, to[PATH_MAX];
    ssize_t n;
    int depth;

    for (depth = 0; depth < MAX_LINKS; depth++) {
        char *next;

        n = readlink(at, to, sizeof(to) - 1);
        if (n <= 0)
            break;
        to[n] = '\0';
        found = link_to_ours(at, to);
        if (found)
            break;
        next = next_of(at, to);
        free(at);
        at = next;
    }
    free(at);
    return found;
}

static int no_format(const char *path, const char *backing, struct err *e)
{
    return err_set(e, SNAP_FAILED, "%s does not record the format of its "
                   "backing file %s: run 'qemu-img rebase -u -F FORMAT -b %s "
                   "%s' with the right FORMAT while the domain is shut down",
                   path, backing, backing, path);
}

int layer_backing_format(const char *path, char **backing_r, char **format_r,
                         struct err *e)
{
    struct qcow2_backing b;

    *backing_r = NULL;
    if (format_r)
        *format_r = NULL;
    if (qcow2_backing(path, &b, e))
        return -1;
    if (b.path && !b.format) {
        no_format(path, b.path, e);
        qcow2_backing_free(&b);
        return -1;
    }
    *backing_r = b.path;
    if (format_r)
        *format_r = b.format;
    else
        free(b.format);
    return 0;
}

int layer_backing(const char *path, char **backing_r, struct err *e)
{
    return layer_backing_format(path, backing_r, NULL, e);
}

void layer_free_chain(char **paths, size_t n)
{
    while (n)
        free(paths[--n]);
    free(paths);
}

/* What stands behind a file of a chain; nothing that we could follow: NULL. */
static int step_down(const char *path, const char *format, char **next_r,
                     char **next_format_r, struct err *e)
{
    *next_r = *next_format_r = NULL;
    if (strcmp(format, FORMAT) || qcow2_is_protocol(path))
        return 0;
    return layer_backing_format(path, next_r, next_format_r, e);
}

int layer_chain(const char *path, char ***paths_r, size_t *n_r,
                struct err *e)
{
    char *at = mem_strdup(path), *format = mem_strdup(FORMAT);
    int rc = 0;

    *paths_r = NULL;
    *n_r = 0;
    while (at && !rc) {
        char *next, *next_format;

        if (*n_r >= MAX_CHAIN)
            rc = err_set(e, SNAP_FAILED, "%s has more than %d layers", path,
                         MAX_CHAIN);
        else
            rc = step_down(at, format, &next, &next_format, e);
        *paths_r = mem_grow(*paths_r, *n_r + 1, sizeof(**paths_r));
        (*paths_r)[(*n_r)++] = at;
        free(format);
        at = format = NULL;
        if (!rc) {
            at = next;
            format = next_format;
        }
    }
    free(format);
    if (!rc)
        return 0;
    layer_free_chain(*paths_r, *n_r);
    *paths_r = NULL;
    *n_r = 0;
    return -1;
}

static int like(const char *path, const char *model, struct err *e)
{
    struct stat st;

    if (stat(model, &st) || chown(path, st.st_uid, st.st_gid) ||
        chmod(path, st.st_mode & 07777))
        return err_errno(e, "cannot give %s the owner and mode of %s", path,
                         model);
    return 0;
}

/* qemu-img would replace what it finds: only one of two may make a file. */
static int make_empty(const char *path, struct err *e)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  FILE_MODE);

    if (fd < 0)
        return err_errno(e, "cannot make %s", path);
    close(fd);
    return 0;
}

int layer_create(const char *path, const char *backing, uint64_t size,
                 struct err *e)
{
    char *bytes = mem_printf("%llu", (unsigned long long)size);
    /* -u: the size is given, so the layer behind need not be opened. */
    const char *const args[] = {
        "create", "-q", "-u", "-f", FORMAT, "-F", FORMAT, "-b", backing, path,
        bytes, NULL
    };
    int rc = make_empty(path, e);

    if (!rc && (image_make(args, e) || like(path, backing, e) ||
                file_sync_path(path, e) || file_sync_parent(path, e))) {
        rc = -1;
        unlink(path);
    }
    free(bytes);
    return rc;
}

int layer_point(const char *path, const char *layer, struct err *e)
{
    char *tmp, to[PATH_MAX];
    ssize_t n = readlink(path, to, sizeof(to));
    int rc = 0;

    if (n > 0 && (size_t)n == strlen(layer) && !memcmp(to, layer, n))
        return file_sync_parent(path, e);
    if (layer_tidy(path, e))
        return -1;
    tmp = mem_printf(LINK_TMP, path);
    if (symlink(layer, tmp)) {
        rc = err_errno(e, "cannot make %s a link to %s", path, layer);
    } else if (rename(tmp, path)) {
        rc = err_errno(e, "cannot make %s a link to %s", path, layer);
        unlink(tmp);
    }
    free(tmp);
    if (rc)
        return -1;
    return file_sync_parent(path, e);
}

/* A name too long to be made is no reason for an undo to fail. */
int layer_tidy(const char *path, struct err *e)
{
    char *tmp = mem_printf(LINK_TMP, path);
    struct stat st;
    int rc = 0;

    if (lstat(tmp, &st)) {
        if (errno != ENOENT && errno != ENAMETOOLONG)
            rc = err_errno(e, "cannot look at %s", tmp);
    } else if (S_ISLNK(st.st_mode)) {
        if (unlink(tmp))
            rc = err_errno(e, "cannot remove %s", tmp);
        else
            rc = file_sync_parent(path, e);
    }
    free(tmp);
    return rc;
}

int layer_unlink(const char *path, struct err *e)
{
    struct stat st;
    bool there;

    if (look(lstat(path, &st), path, &there, e))
        return -1;
    if (!there)
        return 0;
    if (!S_ISREG(st.st_mode))
        return err_set(e, SNAP_FAILED, "%s is not a regular file: it is not "
                       "the layer that was made", path);
    if (unlink(path))
        return err_errno(e, "cannot remove %s", path);
    return file_sync_parent(path, e);
}

int layer_commit(const char *path, struct err *e)
{
    const char *const args[] = {
        "commit", "-q", "-f", FORMAT, "-d", path, NULL
    };
    char *backing;
    int rc = -1;

    if (layer_backing(path, &backing, e))
        return -1;
    if (!backing)
        return 0;
    if (!image_check_free(backing, NULL, HOLDER_WAIT_S, e) &&
        !image_write(path, args, e) && !image_look_again(backing, e) &&
        !file_sync_path(backing, e))
        rc = 0;
    free(backing);
    return rc;
}

/*
 * qemu-img writes the header before the tables that make it right; with
 * -t writethrough the tables and the data are on disk first.
 */
int layer_pull(const char *path, const char *backing, const char *format,
               struct err *e)
{
    const char *const onto[] = {
        "rebase", "-t", "writethrough", "-f", FORMAT, "-F", format, "-b",
        backing, path, NULL
    };
    const char *const alone[] = {
        "rebase", "-t", "writethrough", "-f", FORMAT, "-b", "", path, NULL
    };
    const char *const *args = alone;

    if (backing)
        args = onto;
    if (image_write(path, args, e))
        return -1;
    return file_sync_path(path, e);
}

int layer_rename_backing(const char *path, const char *backing,
                         struct err *e)
{
    const char *const args[] = {
        "rebase", "-u", "-f", FORMAT, "-F", FORMAT, "-b", backing, path, NULL
    };

    if (image_write(path, args, e))
        return -1;
    return file_sync_path(path, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
