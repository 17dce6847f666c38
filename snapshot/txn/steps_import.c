/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The steps of an import.  Its images are made, and their parts taken, under names
 * that are ours, and so is the file for xl; they get their own ones by hard links,
 * when all is there.  So a file at such a path is ours if it is the same file as
 * that of the other name, and nobody finds an image that is not complete.  When
 * all have their names, they may be used, and nothing is undone any more.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk/disk.h"
#include "disk/kind.h"
#include "image/image.h"
#include "memory/memory.h"
#include "memory/place.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/report.h"
#include "txn/job.h"
#include "txn/plan.h"
#include "txn/steps.h"

/*
 * Notes: of a first name the identity of its file, and behind it with STAMP the
 * stamp that it had before it was placed; that all files are placed.
 */
#define STAMP "#stamp"
#define PLACED "placed"

static char *first_name(const struct job *j, const char *path)
{
    return mem_printf("%s" JOB_IMPORT_NAME "%s", path, j->unique);
}

/* Calls fn for each file that gets its name, until it fails. */
static int each_file(struct job *j,
                     int (*fn)(struct job *j, const char *path,
                               const char *first, struct err *e),
                     struct err *e)
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
        rc = fn(j, path, first, e);
        free(first);
    }
    return rc;
}

/* A file that is not there may be out of sight, with its file system. */
static int note_made(struct job *j, const char *first, struct err *e)
{
    json_object *identity = NULL;

    if (disk_identify(first, &identity, e))
        return -1;
    return job_note(j, first, identity, e);
}

/* The new, empty file; -1 with the error.  Nothing else is there. */
static int make(struct job *j, const char *first, struct err *e)
{
    int fd = open(first, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

    if (fd < 0)
        return err_errno(e, "cannot make %s", first);
    if (!file_sync_parent(first, e) && !note_made(j, first, e))
        return fd;
    close(fd);
    return -1;
}

static int build(struct job *j, const struct step *step, struct err *e)
{
    const struct snapshot_disk *d = &j->s.disks[step->disk];
    char *first = first_name(j, d->path);
    int fd = make(j, first, e), rc = -1;

    if (fd >= 0) {
        rc = j->source->image(j->source->arg, d, first, fd, e);
        close(fd);
    } else {
        err_wrap(e, "disk %s", d->vdev);
    }
    free(first);
    return rc;
}

static int remove_first(const struct job *j, const char *first, struct err *e)
{
    json_object *identity = NULL;

    if (!unlink(first))
        return file_sync_parent(first, e);
    if (errno != ENOENT && errno != ENOTDIR)
        return err_errno(e, "cannot remove %s", first);
    if (!j->notes || !json_object_object_get_ex(j->notes, first, &identity) ||
        disk_is_gone(first, identity))
        return 0;
    return err_set(e, SNAP_FAILED, "%s is not there, nor its storage: mount "
                   "that, so that it can be removed", first);
}

/* Is the file at the path the one that was made? */
static int is_placed(const char *path, const char *first, bool *yes_r,
                     struct err *e)
{
    struct stat there, ours;

    *yes_r = false;
    if (lstat(first, &ours) || lstat(path, &there)) {
        if (errno == ENOENT || errno == ENOTDIR)
            return 0;
        return err_errno(e, "cannot look at %s", path);
    }
    *yes_r = there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
    return 0;
}

/* Changes with each write; another link changes the ctime alone. */
static char *stamp(const char *path)
{
    struct stat st;

    if (lstat(path, &st))
        return mem_strdup("");
    return mem_printf("%jd.%jd.%09ld", (intmax_t)st.st_size,
                      (intmax_t)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static bool was_used(const struct job *j, const char *first)
{
    char *now = stamp(first), *key = mem_printf("%s" STAMP, first);
    bool used = job_is_noted(j, key) && strcmp(json_text(j->notes, key), now);

    free(key);
    free(now);
    return used;
}

/* Whoever has found it already keeps it. */
static int unplace(struct job *j, const char *path, const char *first,
                   struct err *e)
{
    bool placed;

    if (is_placed(path, first, &placed, e))
        return -1;
    if (!placed)
        return 0;
    if (was_used(j, first)) {
        report_note(j->rep, "%s was written to since it was made, and is left: "
                    "the import that it is of was cut short", path);
        return 0;
    }
    if (unlink(path) && errno != ENOENT)
        return err_errno(e, "cannot remove %s", path);
    return file_sync_parent(path, e);
}

/*
 * Of both names, the one that tells whose the other is last; so this is the undo
 * of "place", too.
 */
static int remove_both(struct job *j, const char *path, struct err *e)
{
    char *first;
    int rc;

    if (j->held)
        return err_set(e, SNAP_FAILED, "%s is left as long as somebody has a "
                       "file of the import", path);
    first = first_name(j, path);
    rc = unplace(j, path, first, e);
    if (!rc)
        rc = remove_first(j, first, e);
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

    if (!disk_is_alone(d) || j->held)
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

static int write_text(const char *text, int fd, const char *path,
                      struct err *e)
{
    if (file_write_all(fd, text, strlen(text)))
        return err_errno(e, "cannot write %s", path);
    return file_sync(fd, path, e);
}

static int write_cfg(struct job *j, const struct step *step, struct err *e)
{
    char *first = first_name(j, j->cfg);
    int fd = make(j, first, e), rc = -1;

    (void)step;
    if (fd >= 0) {
        rc = write_text(j->cfg_text, fd, first, e);
        close(fd);
    }
    free(first);
    return rc;
}

static int write_undo(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    return remove_both(j, j->cfg, e);
}

/* As it is before anybody can have found it. */
static int note_stamp(struct job *j, const char *path, const char *first,
                      struct err *e)
{
    char *now = stamp(first), *key = mem_printf("%s" STAMP, first);
    int rc = 0;

    (void)path;
    if (!job_is_noted(j, key))
        rc = job_note(j, key, json_object_new_string(now), e);
    free(key);
    free(now);
    return rc;
}

/* As the commit point it may be done again. */
static int place_one(struct job *j, const char *path, const char *first,
                     struct err *e)
{
    bool placed;

    (void)j;
    if (is_placed(path, first, &placed, e))
        return -1;
    if (!placed && link(first, path))
        return err_errno(e, "cannot make %s", path);
    return file_sync_parent(path, e);
}

static int place(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    if (job_is_noted(j, PLACED))
        return 0;
    if (each_file(j, note_stamp, e) || each_file(j, place_one, e))
        return -1;
    return job_note_flag(j, PLACED, e);
}

static int check_placed(struct job *j, const char *path, const char *first,
                        struct err *e)
{
    bool placed;

    (void)j;
    if (is_placed(path, first, &placed, e))
        return -1;
    return placed ? 0 : 1;
}

/* Later on, somebody may have moved one of them. */
static int place_happened(struct job *j, bool *yes_r, struct err *e)
{
    int rc;

    *yes_r = job_is_noted(j, PLACED);
    if (*yes_r)
        return 0;
    rc = each_file(j, check_placed, e);
    *yes_r = rc == 0;
    return rc < 0 ? -1 : 0;
}

static int check_held(struct job *j, const char *path, const char *first,
                      struct err *e)
{
    bool placed;

    (void)j;
    if (is_placed(path, first, &placed, e))
        return -1;
    return placed ? image_check_free(path, NULL, 0, e) : 0;
}

/* Some of them are placed: all or nothing of the rest goes. */
static int place_undo(struct job *j, const struct step *step, struct err *e)
{
    (void)step;
    j->held = each_file(j, check_held, e) != 0;
    return j->held ? -1 : 0;
}

static int tidy_one(struct job *j, const char *path, const char *first,
                    struct err *e)
{
    (void)path;
    return remove_first(j, first, e);
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
    [STEP_PLACE] = { .act = place, .undo = place_undo,
                     .happened = place_happened },
    [STEP_TIDY] = { .act = tidy },
};

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
