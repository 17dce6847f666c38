/*
 * op DRAFT|STEP FILE [ARG...]: one step of the kind "rbd" on a real cluster,
 * without Xen.  FILE keeps the disk's record from one step to the next, as
 * journal and metadata do.
 *
 *   draft FILE PATH NAME UNIQUE   a disk's record, for a snapshot NAME
 *   check, prepare, capture, finish, verify, aim, ready, apply, is-pristine,
 *   check-remove, remove FILE     the hook, and the record as it is then
 *   take FILE, revert FILE        those of a create, of a revert, in order
 *
 * CEPH_SYS is the folder in place of /sys.  The status is 1, with the error on
 * stderr, if the step fails.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/disk/disk.h"
#include "snapshot/disk/kind.h"
#include "snapshot/disk/medium.h"
#include "snapshot/sys/interrupt.h"
#include "snapshot/sys/mem.h"
#include "tests/ceph/sys.h"

#define KEYS 6

const char *ceph_sys(void)
{
    const char *sys = getenv("CEPH_SYS");

    return sys ? sys : "/nonexistent";
}

static char **field(struct snapshot_disk *d, size_t i)
{
    char **const fields[KEYS] = {
        &d->path, &d->format, &d->backend, &d->origin, &d->part, &d->stamp,
    };

    return fields[i];
}

static int save(struct snapshot_disk *d, const char *file)
{
    FILE *f = fopen(file, "we");
    size_t i;

    if (!f)
        return -1;
    for (i = 0; i < KEYS; i++)
        fprintf(f, "%s\n", *field(d, i) ? *field(d, i) : "");
    return fclose(f);
}

static int load(struct snapshot_disk *d, const char *file)
{
    FILE *f = fopen(file, "re");
    char line[4096];
    size_t i;

    d->vdev = mem_strdup("xvda");
    d->type = mem_strdup("rbd");
    for (i = 0; f && i < KEYS && fgets(line, sizeof(line), f); i++) {
        line[strcspn(line, "\n")] = '\0';
        *field(d, i) = line[0] ? mem_strdup(line) : NULL;
    }
    if (f)
        fclose(f);
    return i == KEYS ? 0 : -1;
}

static int draft(struct snapshot_disk *d, char **argv, struct err *e)
{
    struct domain_disk disk = {
        .vdev = (char *)"xvda", .path = argv[3], .format = "raw",
        .backend = "phy", .script = argv[3][0] == '/' ? NULL :
                                    (char *)"block-rbd",
    };
    struct domain dom = { .disks = &disk, .ndisks = 1 };
    struct disk_request r = { .snapshot = argv[4], .unique = argv[5] };

    if (medium_probe(&dom, e) || disk_choose(&disk, &r, d, e))
        return -1;
    if (strcmp(d->type, "rbd"))
        return err_set(e, SNAP_FAILED, "the kind chosen is %s", d->type);
    return 0;
}

/* A no is an error. */
static int is_pristine(const struct snapshot_disk *d, struct err *e)
{
    bool yes;

    if (disk_is_pristine(d, &yes, e))
        return -1;
    if (!yes)
        return err_set(e, SNAP_FAILED, "it is not what the snapshot has");
    return 0;
}

static int step(const char *name, struct snapshot_disk *d, struct err *e)
{
    struct snapshot s = { .disks = d, .ndisks = 1 };
    struct disk_host h = { .running = true };

    if (!strcmp(name, "check"))
        return disk_check(&h, d, e);
    if (!strcmp(name, "prepare"))
        return disk_prepare(&h, d, e);
    if (!strcmp(name, "capture"))
        return disk_capture(&h, &s, e);
    if (!strcmp(name, "finish"))
        return disk_finish(&h, d, e);
    if (!strcmp(name, "verify"))
        return disk_verify(d, false, e);
    if (!strcmp(name, "aim"))
        return disk_aim(&h, "s", "u", d, e);
    if (!strcmp(name, "ready"))
        return disk_ready(d, e);
    if (!strcmp(name, "check-remove"))
        return disk_check_remove(&h, d, e);
    if (!strcmp(name, "is-pristine"))
        return is_pristine(d, e);
    if (!strcmp(name, "apply"))
        return disk_apply(d, e);
    if (!strcmp(name, "remove"))
        return disk_remove(&h, d, e);
    return err_set(e, SNAP_USAGE, "no step %s", name);
}

static int steps(const char *name, const char *file, struct snapshot_disk *d,
                 struct err *e)
{
    static const char *const take[] = { "check", "prepare", "capture",
                                        "finish", NULL };
    static const char *const revert[] = { "verify", "aim", "ready", "apply",
                                          NULL };
    const char *const one[] = { name, NULL };
    const char *const *p = !strcmp(name, "take") ? take : one;
    int rc = 0;

    if (!strcmp(name, "revert"))
        p = revert;
    for (; !rc && *p; p++) {
        rc = step(*p, d, e);
        if (save(d, file))
            return err_errno(e, "%s", file);
    }
    return rc;
}

int main(int argc, char **argv)
{
    struct snapshot s = { .ndisks = 1 };
    struct err e = { 0 };
    int rc;

    s.disks = mem_zalloc(1, sizeof(*s.disks));
    if (argc < 3 || interrupt_catch(&e)) {
        rc = err_set(&e, SNAP_USAGE, "usage: op STEP FILE [ARG...]");
    } else if (argc == 6 && !strcmp(argv[1], "draft")) {
        rc = draft(s.disks, argv, &e);
        if (!rc && save(s.disks, argv[2]))
            rc = err_errno(&e, "%s", argv[2]);
    } else if (load(s.disks, argv[2])) {
        rc = err_set(&e, SNAP_USAGE, "%s is no record", argv[2]);
    } else {
        rc = steps(argv[1], argv[2], s.disks, &e);
    }
    if (rc)
        fprintf(stderr, "%s\n", e.text);
    meta_free(&s);
    return rc ? 1 : 0;
}
