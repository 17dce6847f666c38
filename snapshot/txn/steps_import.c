/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The steps of an import.  Its images are made, and their parts taken, under names
 * that are ours, and so is the file for xl; they get their own ones by hard links,
 * just before the snapshot is there.  So a file at such a path is ours if it is
 * the same file as that of the other name, and nobody finds an image that is not
 * complete.
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

static char *first_name(const struct job *j, const char *path)
{
    return mem_printf("%s" JOB_IMPORT_NAME "%s", path, j->unique);
}

/* Calls fn for each file that gets its name, until it fails. */
static int each_file(struct job *j,
                     int (*fn)(const char *path, const char *first,
                               struct err *e), struct err *e)
{
    char *first;
    size_t i;
    int rc = 0;

    for (i = 0; !rc && i <= j->s.ndisks; i++) {
        const char *path = j->cfg;

        if (i < j->s.ndisks) {
            if (!meta_disk_has_part(&j->s.disks[i]))
                continue;
            path = j->s.disks[i].path;
        }
        first = first_name(j, path);
        rc = fn(path, first, e);
        free(first);
    }
    return rc;
}

static int build(struct job *j, const struct step *step, struct err *e)
{
    const struct snapshot_disk *d = &j->s.disks[step->disk];
    char *path = first_name(j, d->path);
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

/* Is the file at the path the one that was made? */
static int is_placed(const char *path, const char *first, bool *yes_r,
                     struct err *e)
{
    struct stat there, ours;

    *yes_r = false;
    if (lstat(first, &ours) || lstat(path, &there)) {
        if (errno == ENOENT)
            return 0;
        return err_errno(e, "cannot look at %s", path);
    }
    *yes_r = there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
    return 0;
}

/* Whoever has found it already keeps it: then it is not undone. */
static int unplace(const char *path, const char *first, struct err *e)
{
    bool placed;

    if (is_placed(path, first, &placed, e))
        return -1;
    if (!placed)
        return 0;
    if (image_check_free(path, NULL, 0, e))
        return -1;
    return remove_name(path, e);
}

/*
 * Of both names, the one that tells whose the other is last; so this is the undo
 * of "place", too.
 */
static int remove_both(const struct job *j, const char *path, struct err *e)
{
    char *first = first_name(j, path);
    int rc = unplace(path, first, e);

    if (!rc)
        rc = remove_name(first, e);
    free(first);
    return rc;
}

static int build_undo(struct job *j, const struct step *step, struct err *e)
{
    return remove_both(j, j->s.disks[step->disk].path, e);
}

/* As for a domain that is gone; the image is where nobody else looks for it. */
static int take(struct job *j, const struct step *step, struct err *e)
{
    struct snapshot_disk *d = &j->s.disks[step->disk];
    struct snapshot alone = { .disks = d, .ndisks = 1 };
    char *path = d->path;
    int rc = -1;

    j->host.cold = true;
    d->path = first_name(j, d->path);
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

static int write_cfg(struct job *j, const struct step *step, struct err *e)
{
    char *path = first_name(j, j->cfg);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    int rc;

    (void)step;
    if (fd < 0 || file_write_all(fd, j->cfg_text, strlen(j->cfg_text)))
        rc = err_errno(e, "cannot make %s", path);
    else
        rc = file_sync(fd, path, e);
    if (fd >= 0)
        close(fd);
    if (!rc)
        rc = file_sync_parent(path, e);
    free(path);
    return rc;
}

static int write_undo(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    return remove_both(j, j->cfg, e);
}

/* As the commit point it may be done again. */
static int place_one(const char *path, const char *first, struct err *e)
{
    bool placed;

    if (is_placed(path, first, &placed, e))
        return -1;
    if (!placed && link(first, path))
        return err_errno(e, "cannot make %s", path);
    return file_sync_parent(path, e);
}

static int place(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    return each_file(j, place_one, e);
}

static int check_placed(const char *path, const char *first, struct err *e)
{
    bool placed;

    if (is_placed(path, first, &placed, e) || placed)
        return placed ? 0 : -1;
    return 1;
}

static int place_happened(struct job *j, bool *yes_r, struct err *e)
{
    int rc = each_file(j, check_placed, e);

    *yes_r = rc == 0;
    return rc < 0 ? -1 : 0;
}

static int tidy_one(const char *path, const char *first, struct err *e)
{
    (void)path;
    return remove_name(first, e);
}

static int tidy(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    return each_file(j, tidy_one, e);
}

const struct step_ops steps_import[STEP_COUNT] = {
    [STEP_BUILD] = { .act = build, .undo = build_undo },
    [STEP_TAKE] = { .act = take, .undo = take_undo },
    [STEP_BRING] = { .act = bring },
    [STEP_WRITE] = { .act = write_cfg, .undo = write_undo },
    [STEP_PLACE] = { .act = place, .happened = place_happened },
    [STEP_TIDY] = { .act = tidy },
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
