/*
 * The kind "lvm", on programs of LVM that only pretend (fake-lvm).  A volume
 * is a folder with its properties, and a file with its content.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/disk/cow.h"
#include "snapshot/disk/disk.h"
#include "snapshot/disk/kind.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/name.h"
#include "snapshot/disk/volume.h"
#include "tests/unit/unit.h"

static char *lvm;           /* the fake's folder */

/* The linker puts these in place of the engine's (unit.mk). */
int __wrap_volume_of_path(const char *path, char **name_r, struct err *e);
bool __wrap_volume_is_named_by(const char *path, const char *name);
int __wrap_cow_put_back(const char *cow, const char *snapshot,
                        const char *origin, struct err *e);

int __wrap_volume_of_path(const char *path, char **name_r, struct err *e)
{
    const char *name = strstr(path, "/dev/");
    struct stat st;

    if (stat(path, &st))
        return err_errno(e, "cannot look at %s", path);
    *name_r = mem_strdup(name ? name + 5 : "vg/other");
    return 0;
}

bool __wrap_volume_is_named_by(const char *path, const char *name)
{
    return strlen(path) > strlen(name) &&
           !strcmp(path + strlen(path) - strlen(name), name);
}

static char *fake_path(const char *name)
{
    return mem_printf("%s/%s", lvm, name);
}

/* "/dev/mapper/vg-x" is the content of vg/x. */
static char *content_path(const char *device)
{
    char *path = mem_printf("%s/dev/vg/%s", lvm,
                            device + strlen("/dev/mapper/vg-"));
    char *dashes = strstr(path, "--");

    if (dashes)
        memmove(dashes, dashes + 1, strlen(dashes));
    return path;
}

int __wrap_cow_put_back(const char *cow, const char *snapshot,
                        const char *origin, struct err *e)
{
    char *from = content_path(snapshot), *to = content_path(origin);
    char *bytes = unit_get(from, NULL);
    int rc = -1;

    if (strncmp(cow, snapshot, strlen(snapshot)) ||
        strcmp(cow + strlen(snapshot), "-cow") || !bytes || access(to, F_OK))
        err_set(e, SNAP_FAILED, "cannot put back");
    else
        rc = 0;
    if (!rc)
        unit_puts(to, bytes);
    free(bytes);
    free(from);
    free(to);
    return rc;
}

/* Sets a property of the fake's, or removes it. */
static void set(const char *name, const char *value)
{
    char *path = fake_path(name);

    if (value)
        unit_puts(path, value);
    else
        unlink(path);
    free(path);
}

static bool is(const char *name, const char *value)
{
    char *path = fake_path(name), *got = unit_get(path, NULL);
    bool same;

    if (got)
        got[strcspn(got, "\n")] = '\0';
    same = value ? got && !strcmp(got, value) : !got;
    if (!same)
        printf("# %s: %s, not %s\n", name, got ? got : "none",
               value ? value : "none");
    free(got);
    free(path);
    return same;
}

static void make_dir(const char *name)
{
    char *path = fake_path(name);

    if (mkdir(path, 0700))
        check(false, "mkdir %s", path);
    free(path);
}

/* A volume vg/NAME of 64 MiB, thin in the pool vg/pool or classic. */
static void make_volume(const char *name, bool thin)
{
    static const char *const keys[] = { "uuid", "layout", "size", "active",
                                        "pool" };
    const char *const values[] = { name, thin ? "thin,sparse" : "linear",
                                   "67108864", "active",
                                   thin ? "pool" : "" };
    char *dir = mem_printf("vg/%s", name), *file;
    size_t i;

    make_dir(dir);
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        file = mem_printf("%s/%s", dir, keys[i]);
        set(file, values[i]);
        free(file);
    }
    file = mem_printf("dev/vg/%s", name);
    set(file, "now");
    free(file);
    free(dir);
}

/* A group with the disk vg/d, and no snapshot. */
static void begin(bool thin)
{
    unit_remove(lvm);
    mkdir(lvm, 0700);
    make_dir("vg");
    make_dir("dev");
    make_dir("dev/vg");
    set("vg.free", "419430400");
    if (thin) {
        make_dir("vg/pool");
        set("vg/pool/layout", "thin,pool");
        set("vg/pool/used", "10.00");
        set("vg/pool/metadata", "10.00");
        set("vg/pool/active", "active");
    }
    make_volume("d", thin);
    set("vg/d/tags", "theirs,too");
}

static struct snapshot_disk draft(const char *snapshot, uint64_t size,
                                  bool thin)
{
    struct domain_disk disk = {
        .vdev = "xvda", .path = fake_path("dev/vg/d"), .format = "raw",
        .backend = "phy", .medium = thin ? MEDIUM_LVM_THIN : MEDIUM_LVM,
        .volume = (char *)"vg/d",
    };
    struct disk_request r = {
        .snapshot = snapshot, .unique = "0badcafe", .size = size,
    };
    struct snapshot_disk d;
    struct err e;

    if (disk_choose(&disk, &r, &d, &e))
        check(false, "nothing is chosen: %s", e.text);
    free(disk.path);
    return d;
}

static void drop(struct snapshot_disk *d)
{
    struct snapshot s = { .disks = mem_zalloc(1, sizeof(*d)), .ndisks = 1 };

    s.disks[0] = *d;
    meta_free(&s);
}

/* All of a create. */
static int take(struct snapshot_disk *d, struct err *e)
{
    struct snapshot s = { .disks = d, .ndisks = 1 };
    struct disk_host h = { .running = true };
    int rc = disk_check(&h, d, e);

    if (!rc)
        rc = disk_prepare(&h, d, e) || disk_capture(&h, &s, e) ||
             disk_finish(&h, d, e) ? -1 : 0;
    disk_host_close(&h);
    return rc;
}

static int undo(const struct snapshot_disk *d, struct err *e)
{
    struct disk_host h = { .running = true };

    return disk_remove(&h, d, e);
}

static struct snapshot_disk taken(const char *snapshot, const char *content,
                                  uint64_t size, bool thin)
{
    struct snapshot_disk d = draft(snapshot, size, thin);
    struct err e;

    set("dev/vg/d", content);
    if (take(&d, &e))
        check(false, "not taken: %s", e.text);
    set("dev/vg/d", "now");
    return d;
}

/* How many volumes there are. */
static size_t volumes(void)
{
    struct volumes vs;
    struct err e;
    size_t n;

    if (volumes_read("vg", &vs, &e))
        return 0;
    n = vs.n;
    volumes_free(&vs);
    return n;
}

static void life(bool thin)
{
    const char *const kind = thin ? "thin" : "classic";
    const size_t none = thin ? 2 : 1;
    struct snapshot_disk a, b;
    struct err e;

    begin(thin);
    a = taken("s1", "one", 0, thin);
    check(!strcmp(a.type, "lvm") && !strcmp(a.part, "vg/d.s1-0badcafe") &&
          !strcmp(a.origin, "vg/d") && a.stamp && !strcmp(a.stamp, "d"),
          "%s: what is recorded", kind);
    check(is("vg/d.s1-0badcafe/tags", VOLUME_TAG) &&
          is("vg/d.s1-0badcafe/active", thin ? "" : "active"),
          "%s: a volume with our tag", kind);
    b = taken("s2", "two", 0, thin);
    check(volumes() == none + 2, "%s: one for each snapshot", kind);

    check(!disk_verify(&a, false, &e) && !disk_verify(&b, false, &e),
          "%s: both are whole", kind);
    check(!disk_apply(&a, &e) && is("dev/vg/d", "one"), "%s: back", kind);
    check(!disk_verify(&b, false, &e), "%s: the other one too", kind);
    set("dev/vg/d", "later");
    check(!disk_apply(&b, &e) && is("dev/vg/d", "two"), "%s: on", kind);
    check(!disk_verify(&a, false, &e) && !disk_apply(&a, &e) &&
          is("dev/vg/d", "one"), "%s: back again", kind);
    check(!disk_apply(&a, &e) && is("dev/vg/d", "one"), "%s: twice", kind);
    check(volumes() == none + 2 && is("vg/d/active", "active"),
          "%s: nothing is left of that", kind);
    check(!thin || is("vg/d/tags", "xl-snapshot.origin.d,theirs,too"),
          "%s: the disk's volume keeps its tags", kind);

    check(!undo(&a, &e) && !undo(&a, &e) && volumes() == none + 1 &&
          is("dev/vg/d", "one"), "%s: deleted, and once more", kind);
    check(!disk_apply(&b, &e) && is("dev/vg/d", "two"),
          "%s: the other one is as before", kind);
    check(!undo(&b, &e) && volumes() == none, "%s: none is left", kind);
    drop(&a);
    drop(&b);
}

static char *log_of(void)
{
    char *path = fake_path("log"), *log = unit_get(path, NULL);

    free(path);
    return log ? log : mem_strdup("");
}

/* Cut off before or after each of so many commands of a revert. */
static void cut(bool thin, const char *used, const char *what,
                unsigned commands)
{
    const size_t none = thin ? 2 : 1;
    struct snapshot_disk a, b;
    unsigned n, late, cuts = 0;
    struct err e;
    int rc = -1;

    for (late = 0; late < 2; late++)
        for (n = 0, rc = -1; rc && n < 20; n++) {
            char *left = mem_printf("%u", n);
            bool good;

            begin(thin);
            a = taken("s1", "one", 0, thin);
            b = taken("s2", "two", 0, thin);
            if (used)
                set("vg/d.s1-0badcafe/used", used);
            set("left", left);
            set("late", late ? "" : NULL);
            rc = disk_apply(&a, &e);
            cuts += rc != 0;
            set("left", NULL);
            /* A snapshot with the content is there at any time. */
            good = is("vg/d.s1-0badcafe/tags", VOLUME_TAG) ||
                   is("vg/d.s1-0badcafe.fresh/tags", VOLUME_TAG);
            good = good && !disk_apply(&a, &e) && is("dev/vg/d", "one") &&
                   !disk_verify(&a, false, &e) &&
                   !disk_verify(&b, false, &e);
            set("dev/vg/d", "later");
            good = good && !disk_apply(&b, &e) && is("dev/vg/d", "two") &&
                   !disk_apply(&a, &e) && is("dev/vg/d", "one") &&
                   volumes() == none + 2 && !undo(&a, &e) &&
                   !undo(&b, &e) && volumes() == none;
            check(good, "%s: cut off %s command %u", what,
                  late ? "after" : "before", n);
            if (!good)
                printf("# %s\n", e.text);
            drop(&a);
            drop(&b);
            free(left);
        }
    check(!rc && cuts == 2 * commands, "%s: %u cuts", what, cuts);
}

/* A revert that was cut off, then given up: the snapshot is deleted. */
static void given_up(bool thin)
{
    struct snapshot_disk a, b;
    unsigned n;
    struct err e;
    int rc = -1;

    for (n = 0; rc && n < 20; n++) {
        char *left = mem_printf("%u", n);

        begin(thin);
        a = taken("s1", "one", 0, thin);
        b = taken("s2", "two", 0, thin);
        set("vg/d.s1-0badcafe/used", "90.00");
        set("left", left);
        rc = disk_apply(&a, &e);
        set("left", NULL);
        check_ok(disk_apply(&b, &e), &e, "another one, after %u", n);
        check(is("dev/vg/d", "two"), "its content");
        check(!undo(&a, &e) && !undo(&b, &e), "both deleted");
        check(volumes() == (thin ? 2 : 1), "nothing is left");
        drop(&a);
        drop(&b);
        free(left);
    }
}

/* A command that died had left the disk's volume suspended. */
static void asleep(bool thin)
{
    struct snapshot_disk a;
    struct err e;

    begin(thin);
    a = taken("s1", "one", 0, thin);
    set("vg/d/suspended", "1");
    check(!disk_apply(&a, &e) && is("vg/d/suspended", NULL),
          "a revert wakes a suspended volume");
    set("vg/d/suspended", "1");
    check(!undo(&a, &e) && is("vg/d/suspended", NULL), "so does an undo");
    set("vg/d/suspended", "1");
    check(!undo(&a, &e) && is("vg/d/suspended", NULL),
          "also without a snapshot");
    drop(&a);
}

static void refusals(void)
{
    struct domain_disk disk = {
        .vdev = "xvda", .path = (char *)"/x", .format = "raw",
        .backend = "phy", .medium = MEDIUM_BLOCK,
    };
    struct disk_request r = { .snapshot = "s", .unique = "u" };

    check(disk_lvm.refuse(&disk, &r), "not another block device");
    disk.medium = MEDIUM_FILE;
    check(disk_lvm.refuse(&disk, &r), "not a file");
    disk.medium = MEDIUM_LVM_THIN;
    check(!disk_lvm.refuse(&disk, &r), "a thin volume");
    r.size = 4096;
    check(disk_lvm.refuse(&disk, &r), "has no size");
    disk.medium = MEDIUM_LVM;
    check(!disk_lvm.refuse(&disk, &r), "a classic one has");
    r.path = "/x";
    check(disk_lvm.refuse(&disk, &r), "but no path");
    r.path = NULL;
    disk.format = "qcow2";
    check(disk_lvm.refuse(&disk, &r), "an image on a volume: not hot");
    r.cold = true;
    check(!disk_lvm.refuse(&disk, &r), "but cold");
}

static void cannot_take(const struct snapshot_disk *d, const char *why)
{
    struct snapshot_disk mine = *d;
    char *before = log_of(), *after;
    struct disk_host h = { .running = true };
    struct err e;

    mine.stamp = mem_strdup(d->stamp);
    mine.identity = json_object_get(d->identity);
    check_err(disk_check(&h, &mine, &e), &e, SNAP_FAILED, why,
              "not taken: %s", why);
    after = log_of();
    check(!strcmp(before, after) || strstr(after, "--test"), "nothing done");
    free(before);
    free(after);
    free(mine.stamp);
    json_object_put(mine.identity);
    disk_host_close(&h);
}

static void checks(void)
{
    struct snapshot_disk d, x;
    struct disk_host h = { .running = true };
    struct err e;

    begin(false);
    d = draft("s1", 0, false);
    set("vg.free", "67108864");
    cannot_take(&d, "brings the room needed in vg to 68 MiB, and 64 MiB are "
                "free");
    d.room = 60 << 20;
    set("vg.free", "104857600");
    check_ok(disk_check(&h, &d, &e), &e, "with a smaller size it fits");
    x = draft("s1", 60 << 20, false);
    check_err(disk_check(&h, &x, &e), &e, SNAP_FAILED, "to 120 MiB",
              "not twice");
    disk_host_close(&h);
    set("vg/d.s1-0badcafe", "");
    cannot_take(&d, "exists");
    drop(&d);
    drop(&x);

    begin(true);
    d = draft("s1", 0, true);
    set("vg/pool/health", "out_of_data");
    cannot_take(&d, "is not well (out_of_data)");
    set("vg/pool/health", "");
    set("vg/pool/used", "100.00");
    cannot_take(&d, "is full");
    set("vg/pool/used", "10.00");
    set("vg/pool/metadata", "100.00");
    cannot_take(&d, "is full");
    drop(&d);
    d = draft("s1", 0, true);
    free(d.path);
    d.path = unit_path("by-number");
    unit_puts(d.path, "");
    cannot_take(&d, "name the disk /dev/vg/d");
    drop(&d);
}

static void cannot_go_back(const struct snapshot_disk *d, const char *why)
{
    struct err e;

    check_err(disk_verify(d, false, &e), &e, SNAP_FAILED, why,
              "a revert is refused: %s", why);
}

static void verified_classic(void)
{
    struct snapshot_disk a, b;
    struct err e;

    begin(false);
    a = taken("s1", "one", 0, false);
    b = taken("s2", "two", 16 << 20, false);
    set("vg/d.s1-0badcafe/used", "50.00");
    cannot_go_back(&a, "could overflow the snapshot volume "
                   "vg/d.s2-0badcafe: enlarge it with 'lvextend -L +19M");
    set("vg/d.s2-0badcafe/invalid", "1");
    check(!disk_verify(&a, false, &e), "what has overflowed needs no room");
    cannot_go_back(&b, "has overflowed: its size of 16 MiB was too small");
    check(disk_apply(&b, &e) && is("dev/vg/d", "now"), "nor applied");
    set("vg/d.s2-0badcafe/invalid", "0");
    set("vg/d.s2-0badcafe/used", "100.00");
    cannot_go_back(&b, "has overflowed");
    check(!undo(&b, &e), "it can still be deleted");
    set("vg/d.s1-0badcafe/active", "");
    cannot_go_back(&a, "lvchange -ay vg/d.s1-0badcafe");
    set("vg/d.s1-0badcafe/active", "active");
    make_volume("e", false);
    set("vg/d.s1-0badcafe/origin", "e");
    cannot_go_back(&a, "is a snapshot of e, not of vg/d");
    drop(&a);
    drop(&b);
}

static void verified(bool thin)
{
    struct snapshot_disk a;
    struct err e;

    begin(thin);
    a = taken("s1", "one", 0, thin);
    set("vg/d/uuid", "another");
    cannot_go_back(&a, "is not the volume that the snapshot was taken of");
    check(!disk_verify(&a, true, &e), "with --force it is");
    set("vg/d/uuid", "d");
    set("vg/d.s1-0badcafe/tags", "xl-snapshots");
    cannot_go_back(&a, "lacks the tag");
    check(!undo(&a, &e) && is("vg/d.s1-0badcafe/tags", "xl-snapshots"),
          "a volume without our tag is not removed");
    set("vg/d.s1-0badcafe/tags", "x," VOLUME_TAG);
    check(!disk_verify(&a, false, &e), "other tags do not matter");
    free(a.origin);
    a.origin = mem_strdup("vg/e");
    cannot_go_back(&a, "does not lead to the volume vg/e");
    drop(&a);
}

static void verified_thin(void)
{
    struct disk_host h = { .force = true };
    struct snapshot_disk a;
    struct err e;

    begin(true);
    a = taken("s1", "one", 0, true);
    set("vg/pool/health", "metadata_read_only");
    cannot_go_back(&a, "metadata_read_only");
    set("vg/pool/health", "");
    make_volume("user", false);
    set("vg/user/origin", "d");
    cannot_go_back(&a, "vg/d has the classic snapshot vg/user");
    set("vg/user/origin", "d.s1-0badcafe");
    check(!disk_verify(&a, false, &e), "one of the snapshot is no matter");
    check_err(undo(&a, &e), &e, SNAP_FAILED, "vg/user",
              "but keeps that from being deleted");
    set("vg/user/origin", "");
    check(!undo(&a, &e), "then it goes");
    cannot_go_back(&a, "is not there");
    unit_remove(lvm);
    mkdir(lvm, 0700);
    check_err(undo(&a, &e), &e, SNAP_FAILED, "is not there: bring it back",
              "a group that is out of sight may come back");
    check(!disk_remove(&h, &a, &e), "with --force it is gone for good");
    drop(&a);
}

int main(void)
{
    static const char *const tools[] = { "lvs", "lvcreate", "lvrename",
                                         "lvremove", "lvchange" };
    char *bin = unit_path("bin");
    char *path = mem_printf("%s:%s", bin, getenv("PATH"));
    char *fake = realpath("tests/unit/fake-lvm", NULL);
    size_t i;

    lvm = unit_path("lvm");
    mkdir(bin, 0700);
    for (i = 0; fake && i < sizeof(tools) / sizeof(tools[0]); i++) {
        char *tool = mem_printf("%s/%s", bin, tools[i]);

        if (symlink(fake, tool))
            check(false, "symlink");
        free(tool);
    }
    setenv("PATH", path, 1);
    setenv("FAKE_LVM", lvm, 1);
    refusals();
    life(true);
    life(false);
    cut(true, NULL, "thin", 4);
    cut(false, NULL, "classic", 0);
    cut(false, "50.00", "classic, worn", 3);
    given_up(true);
    given_up(false);
    asleep(true);
    asleep(false);
    checks();
    verified(true);
    verified(false);
    verified_classic();
    verified_thin();
    free(fake);
    free(lvm);
    free(bin);
    free(path);
    return unit_done();
}
