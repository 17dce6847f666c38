/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The steps of an import.  Its images are made, and their parts taken, under names
 * that are ours; they get their own ones by hard links, just before the snapshot
 * is there.  So a file at such a path is ours if it is the same file as that of
 * the other name, and nobody finds an image that is not complete.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "image/image.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"
#include "txn/job.h"
#include "txn/plan.h"
#include "txn/steps.h"

static char *first_name(const struct job *j, const struct snapshot_disk *d)
{
    return mem_printf("%s" JOB_IMPORT_NAME "%s", d->path, j->unique);
}

static int build(struct job *j, const struct step *step, struct err *e)
{
    const struct snapshot_disk *d = &j->s.disks[step->disk];
    char *path = first_name(j, d);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    int rc = -1;

    if (fd < 0)
        err_errno(e, "disk %s: cannot make %s", d->vdev, path);
    else if (!j->source->image(j->source->arg, d, path, fd, e))
        rc = file_sync_parent(path, e);
    if (fd >= 0)
        close(fd);
    free(path);
    return rc;
}

static int remove_name(const char *path, struct err *e)
{
    if (!unlink(path))
        return file_sync_parent(path, e);
    if (errno == ENOENT)
        return 0;
    return err_errno(e, "cannot remove %s", path);
}

/* Is the file at the disk's path the image that was made? */
static int is_placed(const struct snapshot_disk *d, const char *first,
                     bool *yes_r, struct err *e)
{
    struct stat there, ours;

    *yes_r = false;
    if (lstat(first, &ours) || lstat(d->path, &there)) {
        if (errno == ENOENT)
            return 0;
        return err_errno(e, "cannot look at %s", d->path);
    }
    *yes_r = there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
    return 0;
}

/* Whoever has found it already keeps it: then it is not undone. */
static int unplace(const struct snapshot_disk *d, const char *first,
                   struct err *e)
{
    bool placed;

    if (is_placed(d, first, &placed, e))
        return -1;
    if (!placed)
        return 0;
    if (image_check_free(d->path, NULL, 0, e))
        return -1;
    return remove_name(d->path, e);
}

/*
 * Of both names, the one that tells whose the other is last; so this is the undo
 * of "place", too.
 */
static int build_undo(struct job *j, const struct step *step, struct err *e)
{
    const struct snapshot_disk *d = &j->s.disks[step->disk];
    char *first = first_name(j, d);
    int rc = unplace(d, first, e);

    if (!rc)
        rc = remove_name(first, e);
    free(first);
    return rc;
}

/* As for a domain that is gone; the image is where nobody else looks for it. */
static int take(struct job *j, const struct step *step, struct err *e)
{
    struct snapshot_disk *d = &j->s.disks[step->disk];
    struct snapshot alone = { .disks = d, .ndisks = 1 };
    char *path = d->path;
    int rc = -1;

    j->host.cold = true;
    d->path = first_name(j, d);
    if (!disk_check(&j->host, d, e) && !disk_prepare(&j->host, d, e) &&
        !disk_capture(&j->host, &alone, e))
        rc = disk_finish(&j->host, d, e);
    free(d->path);
    d->path = path;
    return rc;
}

/* What is in the image goes with it. */
static int take_undo(struct job *j, const struct step *step, struct err *e)
{
    struct snapshot_disk *d = &j->s.disks[step->disk];

    if (!disk_is_alone(d))
        return 0;
    return disk_remove(&j->host, d, e);
}

static int bring_memory(struct job *j, int dirfd, const char *what,
                        struct err *e)
{
    int rc;

    if (memory_create(dirfd, &j->s, what, j->memory_level, j->s.memory.size,
                      j->rep, &j->memory, e))
        return -1;
    rc = j->source->memory(j->source->arg, memory_fd(j->memory), e);
    if (rc) {
        struct err ignored;

        (void)memory_finish(j->memory, false, &ignored);
        return -1;
    }
    if (memory_finish(j->memory, true, e))
        return -1;
    return memory_sync(j->memory, &j->s, e);
}

static int bring(struct job *j, const struct step *step, struct err *e)
{
    char *what;
    int dirfd = memory_place_open(j->st, STORE_NEW, &j->s, &what, e), rc = -1;

    (void)step;
    if (dirfd >= 0) {
        rc = bring_memory(j, dirfd, what, e);
        close(dirfd);
    }
    free(what);
    if (rc)
        return -1;
    return store_save(j->st, STORE_NEW, &j->s, e);
}

static int place_one(struct job *j, const struct snapshot_disk *d,
                     struct err *e)
{
    char *first = first_name(j, d);
    int rc = 0;

    if (link(first, d->path))
        rc = err_errno(e, "disk %s: cannot make %s", d->vdev, d->path);
    else
        rc = file_sync_parent(d->path, e);
    free(first);
    return rc;
}

static int place(struct job *j, const struct step *step, struct err *e)
{
    size_t i;

    (void)step;
    for (i = 0; i < j->s.ndisks; i++)
        if (meta_disk_has_part(&j->s.disks[i]) &&
            place_one(j, &j->s.disks[i], e))
            return -1;
    return 0;
}

static int tidy(struct job *j, const struct step *step, struct err *e)
{
    size_t i;

    (void)step;
    for (i = 0; i < j->s.ndisks; i++) {
        char *first;
        int rc;

        if (!meta_disk_has_part(&j->s.disks[i]))
            continue;
        first = first_name(j, &j->s.disks[i]);
        rc = remove_name(first, e);
        free(first);
        if (rc)
            return -1;
    }
    return 0;
}

const struct step_ops steps_import[STEP_COUNT] = {
    [STEP_BUILD] = { .act = build, .undo = build_undo },
    [STEP_TAKE] = { .act = take, .undo = take_undo },
    [STEP_BRING] = { .act = bring },
    [STEP_PLACE] = { .act = place },
    [STEP_TIDY] = { .act = tidy },
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
