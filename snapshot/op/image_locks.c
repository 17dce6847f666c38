/* SPDX-License-Identifier: LGPL-2.1-only */

/* Which images an operation locks, and how. */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/identity.h"
#include "image/layer.h"
#include "op/image_locks.h"
#include "store/meta.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/lock.h"
#include "sys/mem.h"

#define IMAGES IMAGE_LOCKS_DIR
/* A nightly backup of many domains is no reason for status 3. */
#define MIN_WAIT_S 60
#define MAX_TRIES 5
#define MAX_DIR_TRIES 1000

struct wanted {
    struct wanted_lock { char *key; bool exclusive; } *list;
    size_t n;
};

static void want_key(struct wanted *w, char *key, bool exclusive)
{
    size_t i;

    for (i = 0; i < w->n; i++)
        if (!strcmp(w->list[i].key, key)) {
            w->list[i].exclusive |= exclusive;
            free(key);
            return;
        }
    w->list = mem_grow(w->list, w->n + 1, sizeof(*w->list));
    w->list[w->n].key = key;
    w->list[w->n++].exclusive = exclusive;
}

/* What is not there has nobody who could change it. */
static void want_file(struct wanted *w, const char *path, bool exclusive)
{
    struct image_id id;
    struct err ignored;

    if (image_id_read(path, &id, &ignored))
        return;
    want_key(w, image_id_key(&id), exclusive);
    image_id_free(&id);
}

/* The first file, and each that is one of our layers, may be written to. */
static void want_chain(struct wanted *w, const char *path,
                       const char *format)
{
    char **files = NULL, *link;
    size_t n = 0, i;
    struct err ignored;

    if (path[0] != '/')
        return;
    if (strcmp(format, "qcow2") || layer_chain(path, &files, &n, &ignored)) {
        want_file(w, path, true);
        return;
    }
    link = layer_find_link(path);
    for (i = 0; i < n; i++)
        want_file(w, files[i],
                  i == 0 || (link && layer_is_ours(link, files[i])));
    layer_free_chain(files, n);
    free(link);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void find_wanted(const struct domain *d, const struct snapshot *s,
                        struct wanted *w)
{
    size_t i;

    memset(w, 0, sizeof(*w));
    for (i = 0; d && i < d->ndisks; i++)
        if (!d->disks[i].cdrom && !d->disks[i].readonly &&
            !d->disks[i].foreign)
            want_chain(w, d->disks[i].path, d->disks[i].format);
    for (i = 0; s && i < s->ndisks; i++) {
        const struct snapshot_disk *disk = &s->disks[i];

        if (!meta_disk_has_part(disk) || disk->unknown)
            continue;
        want_chain(w, disk->path, disk->format);
        if (disk->link)
            want_chain(w, disk->part, disk->format);
    }
    if (w->n)
        qsort(w->list, w->n, sizeof(*w->list), by_key);
}

static void free_wanted(struct wanted *w)
{
    while (w->n)
        free(w->list[--w->n].key);
    free(w->list);
    w->list = NULL;
}

static bool has_lock(const struct image_locks *l, const char *key,
                     bool exclusive)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        if (!strcmp(l->locks[i].name, key))
            return l->locks[i].exclusive || !exclusive;
    return false;
}

/* Is all that is wanted now locked, and as it is wanted? */
static bool covers(const struct image_locks *l, const struct wanted *w)
{
    size_t i;

    for (i = 0; i < w->n; i++)
        if (!has_lock(l, w->list[i].key, w->list[i].exclusive))
            return false;
    return true;
}

bool image_locks_cover(const struct image_locks *l, const struct domain *d,
                       const struct snapshot *s)
{
    struct wanted w;
    bool yes;

    if (!l->locks)
        return false;
    find_wanted(d, s, &w);
    yes = covers(l, &w);
    free_wanted(&w);
    return yes;
}

static int take_all(const struct wanted *w, const char *what,
                    unsigned wait_ms, struct image_locks *l, struct err *e)
{
    int rc = 0;
    size_t i;
    bool busy;

    l->locks = mem_zalloc(w->n, sizeof(*l->locks));
    for (i = 0; !rc && i < w->n; i++) {
        rc = lock_take(l->dirfd, w->list[i].key, what, w->list[i].exclusive,
                       wait_ms, &l->locks[i], &busy, e);
        if (!rc)
            l->n++;
    }
    return rc;
}

/* Nothing in it has to outlast a power cut, so nothing is synced. */
static int open_dir(struct image_locks *l, struct err *e)
{
    if (mkdirat(l->root_fd, IMAGES, FILE_DIR_MODE) && errno != EEXIST)
        return err_errno(e, "cannot make directory " IMAGES);
    l->dirfd = file_open_dir(l->root_fd, IMAGES, IMAGES, e);
    return l->dirfd < 0 ? -1 : 0;
}

/*
 * rmdir() decides whether somebody has a lock: no file can be made in a
 * directory that is gone, and one in which there is a file stays.
 */
static void close_dir(struct image_locks *l)
{
    if (l->dirfd < 0)
        return;
    if (unlinkat(l->root_fd, IMAGES, AT_REMOVEDIR) &&
        (errno == ENOTEMPTY || errno == EEXIST)) {
        lock_clean(l->dirfd);
        unlinkat(l->root_fd, IMAGES, AT_REMOVEDIR);
    }
    close(l->dirfd);
    l->dirfd = -1;
}

static void let_go(struct image_locks *l)
{
    while (l->n)
        lock_drop(&l->locks[--l->n], l->dirfd);
    free(l->locks);
    l->locks = NULL;
    close_dir(l);
}

/*
 * Somebody who lets go may remove the directory before there is a file of
 * ours in it: then once more in a new one.
 */
static int take_in_dir(const struct wanted *w, const char *what,
                       unsigned wait_ms, struct image_locks *l,
                       struct err *e)
{
    unsigned tries;
    int rc = -1;

    for (tries = 0; tries < MAX_DIR_TRIES; tries++) {
        rc = open_dir(l, e);
        if (!rc)
            rc = take_all(w, what, wait_ms, l, e);
        if (!rc || e->code != ERR_NOT_FOUND || l->n)
            break;
        let_go(l);
    }
    return rc;
}

int image_locks_take(int root_fd, const char *domain,
                     const struct domain *d, const struct snapshot *s,
                     unsigned wait_s, struct image_locks *l, struct err *e)
{
    struct wanted w, again;
    int tries, rc = -1;
    bool same = false;
    unsigned wait_ms;
    char *what;

    if (wait_s < MIN_WAIT_S)
        wait_s = MIN_WAIT_S;
    if (wait_s > UINT_MAX / 1000)
        wait_s = UINT_MAX / 1000;
    wait_ms = wait_s * 1000;
    *l = (struct image_locks){ .root_fd = root_fd, .dirfd = -1 };
    what = mem_printf("an image of domain %s", domain);
    for (tries = 0; !same && tries < MAX_TRIES; tries++) {
        find_wanted(d, s, &w);
        rc = take_in_dir(&w, what, wait_ms, l, e);
        free_wanted(&w);
        if (rc)
            break;
        /* Whoever had it may have changed what stands on what, and where. */
        image_id_forget_mounts();
        find_wanted(d, s, &again);
        same = covers(l, &again);
        free_wanted(&again);
        if (!same)
            let_go(l);
    }
    free(what);
    if (!rc && !same)
        rc = err_set(e, SNAP_BUSY, "the images of domain %s keep changing: "
                     "try again later", domain);
    if (rc)
        let_go(l);
    /* A domain without disks keeps no directory. */
    else if (!l->n)
        close_dir(l);
    return rc;
}

int image_locks_take_one(int root_fd, const char *name, const char *what,
                         bool exclusive, unsigned wait_s,
                         struct image_locks *l, struct err *e)
{
    struct wanted_lock one = { mem_strdup(name), exclusive };
    struct wanted w = { &one, 1 };
    int rc;

    if (wait_s > UINT_MAX / 1000)
        wait_s = UINT_MAX / 1000;
    *l = (struct image_locks){ .root_fd = root_fd, .dirfd = -1 };
    rc = take_in_dir(&w, what, wait_s * 1000, l, e);
    free(one.key);
    if (rc)
        let_go(l);
    return rc;
}

void image_locks_drop(struct image_locks *l)
{
    if (l->locks)
        let_go(l);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
