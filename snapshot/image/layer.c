/* SPDX-License-Identifier: LGPL-2.1-only */

#include <errno.h>
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
#define MAX_CHAIN 1000
#define MAX_LINKS 40            /* as the kernel follows */

char *layer_live(const char *path, struct err *e)
{
    char *live = realpath(path, NULL);

    if (!live)
        err_errno(e, "cannot follow %s to its image", path);
    return live;
}

static int look(int rc, const char *path, struct err *e)
{
    return !rc ? 1 : errno == ENOENT ? 0 :
           err_errno(e, "cannot look at %s", path);
}

int layer_same(const char *a, const char *b, struct err *e)
{
    struct stat x, y;
    int rc = look(stat(a, &x), a, e);

    if (rc > 0)
        rc = look(stat(b, &y), b, e);
    return rc > 0 ? x.st_dev == y.st_dev && x.st_ino == y.st_ino : rc;
}

int layer_exists(const char *path, struct err *e)
{
    struct stat st;

    return look(lstat(path, &st), path, e);
}

int layer_is_link(const char *path, struct err *e)
{
    struct stat st;
    int rc = look(lstat(path, &st), path, e);

    return rc > 0 ? S_ISLNK(st.st_mode) : rc;
}

char *layer_name(const char *link, const char *snapshot, const char *unique)
{
    return mem_printf("%s.%s-%s", link, snapshot, unique);
}

/* As layer_name() makes them. */
static bool is_layer_of(const char *link, const char *layer)
{
    size_t len = strlen(link), n = strlen(layer);

    return n > len + NAME_UNIQUE_LEN + 2 && !strncmp(layer, link, len) &&
           layer[len] == '.' && layer[n - NAME_UNIQUE_LEN - 1] == '-' &&
           strspn(layer + n - NAME_UNIQUE_LEN, "0123456789abcdef") ==
               NAME_UNIQUE_LEN && !strchr(layer + len, '/');
}

char *layer_find_link(const char *path)
{
    char *at = mem_strdup(path), to[4096];
    ssize_t n;
    int depth;

    for (depth = 0; depth < MAX_LINKS; depth++) {
        char *next;

        n = readlink(at, to, sizeof(to) - 1);
        if (n <= 0)
            break;
        to[n] = '\0';
        if (is_layer_of(at, to))
            return at;
        next = to[0] == '/' ? mem_strdup(to) :
               mem_printf("%.*s/%s", (int)(strrchr(at, '/') - at), at, to);
        free(at);
        at = next;
    }
    free(at);
    return NULL;
}

int layer_backing(const char *path, char **backing_r, struct err *e)
{
    struct qcow2_backing b;
    int rc = qcow2_backing(path, &b, e);

    *backing_r = b.path;
    return rc;
}

void layer_free_chain(char **paths, size_t n)
{
    while (n)
        free(paths[--n]);
    free(paths);
}

int layer_chain(const char *path, char ***paths_r, size_t *n_r,
                struct err *e)
{
    struct qcow2_backing at = { mem_strdup(path), true };

    *paths_r = NULL;
    *n_r = 0;
    while (at.path) {
        struct qcow2_backing next = { 0 };
        int rc = *n_r >= MAX_CHAIN ?
                 err_set(e, SNAP_FAILED, "%s: more than %d layers", path,
                         MAX_CHAIN) :
                 at.is_qcow2 ? qcow2_backing(at.path, &next, e) : 0;

        *paths_r = mem_grow(*paths_r, *n_r + 1, sizeof(**paths_r));
        (*paths_r)[(*n_r)++] = at.path;
        at = next;
        if (!rc)
            continue;
        layer_free_chain(*paths_r, *n_r);
        *paths_r = NULL;
        *n_r = 0;
        return -1;
    }
    return 0;
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

int layer_create(const char *path, const char *backing, uint64_t size,
                 struct err *e)
{
    char *bytes = mem_printf("%llu", (unsigned long long)size);
    /* -u: the size is given, so the layer behind need not be opened. */
    const char *const args[] = {
        "create", "-q", "-u", "-f", FORMAT, "-F", FORMAT, "-b", backing, path,
        bytes, NULL
    };
    int rc = -1;

    if (unlink(path) && errno != ENOENT)
        err_errno(e, "cannot replace %s", path);
    else
        rc = image_make(args, e);
    if (!rc)
        rc = like(path, backing, e) || file_sync_path(path, e) ||
             file_sync_parent(path, e) ? -1 : 0;
    free(bytes);
    return rc;
}

int layer_point(const char *path, const char *layer, struct err *e)
{
    char *tmp, to[4096];
    ssize_t n = readlink(path, to, sizeof(to));
    int rc = 0;

    if (n > 0 && (size_t)n == strlen(layer) && !memcmp(to, layer, n))
        return file_sync_parent(path, e);
    tmp = mem_printf(LINK_TMP, path);
    if ((unlink(tmp) && errno != ENOENT) || symlink(layer, tmp) ||
        rename(tmp, path)) {
        rc = err_errno(e, "cannot make %s a link to %s", path, layer);
        unlink(tmp);
    }
    free(tmp);
    return rc ? rc : file_sync_parent(path, e);
}

int layer_tidy(const char *path, struct err *e)
{
    char *tmp = mem_printf(LINK_TMP, path);
    int rc = layer_is_link(tmp, e);

    if (rc > 0)
        rc = unlink(tmp) ? err_errno(e, "cannot remove %s", tmp) :
             file_sync_parent(path, e);
    free(tmp);
    return rc;
}

int layer_unlink(const char *path, struct err *e)
{
    struct stat st;

    if (lstat(path, &st))
        return errno == ENOENT ? 0 : err_errno(e, "cannot look at %s", path);
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
    int rc;

    if (layer_backing(path, &backing, e))
        return -1;
    if (!backing)
        return 0;
    rc = image_check_free(backing, NULL, HOLDER_WAIT_S, e) ||
         image_write(path, args, e) || file_sync_path(backing, e) ? -1 : 0;
    free(backing);
    return rc;
}

int layer_pull(const char *path, const char *backing, struct err *e)
{
    const char *const args[] = {
        "rebase", "-f", FORMAT, "-F", FORMAT, "-b", backing ? backing : "",
        path, NULL
    };

    return image_write(path, args, e) || file_sync_path(path, e) ? -1 : 0;
}

int layer_rename_backing(const char *path, const char *backing,
                         struct err *e)
{
    const char *const args[] = {
        "rebase", "-u", "-f", FORMAT, "-F", FORMAT, "-b", backing, path, NULL
    };

    return image_write(path, args, e) || file_sync_path(path, e) ? -1 : 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
