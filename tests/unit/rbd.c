/*
 * The kind "rbd", on a Ceph that only pretends (fake-rbd).  An image is a
 * folder, its content a file.
 */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* First, as it sets the times. */
#include "tests/unit/volume_sys.h"

#include "snapshot/disk/disk.h"
#include "snapshot/disk/kind.h"
#include "snapshot/disk/medium.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

#define IMAGE "images/rbd+d"
#define PART IMAGE "/snaps/xl.s1.0badcafe"

static char *ceph;          /* the fake's folder */
static char *sys;

const char *volume_sys(void)
{
    return sys;
}

static char *fake_path(const char *name)
{
    return mem_printf("%s/%s", ceph, name);
}

static void make_dirs(char *path)
{
    char *p;

    for (p = path + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
}

/* Sets a property, or removes it. */
static void set_in(const char *root, const char *name, const char *value)
{
    char *path = mem_printf("%s/%s", root, name);

    if (value) {
        make_dirs(path);
        unit_puts(path, value);
    } else {
        unit_remove(path);
    }
    free(path);
}

static void set(const char *name, const char *value)
{
    set_in(ceph, name, value);
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

static bool is_there(const char *name)
{
    char *path = fake_path(name);
    bool yes = !access(path, F_OK);

    free(path);
    return yes;
}

/* The image rbd/NAME with the id that sysfs tells of device N. */
static void map(const char *n, const char *name, const char *id)
{
    const char *const values[][2] = {
        { "pool", "rbd" }, { "pool_ns", "" }, { "name", name },
        { "image_id", id }, { "current_snap", "-" },
        { "cluster_fsid", "c1" }, { "client_id", "client7" },
        { "major", "250" }, { "minor", n },
        { "config_info", "192.0.2.1:6789 name=xen,key=client.xen rbd d -" },
    };
    size_t i;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char *file = mem_printf("bus/rbd/devices/%s/%s", n, values[i][0]);

        set_in(sys, file, values[i][1]);
        free(file);
    }
}

/* A cluster with the image rbd/d, mapped by a domain's script. */
static void begin(void)
{
    unit_remove(ceph);
    unit_remove(sys);
    set(IMAGE "/id", "10ab");
    set(IMAGE "/size", "67108864");
    set(IMAGE "/content", "now");
    set(IMAGE "/watchers", "7 192.0.2.7:0/1\n");
    map("0", "d", "10ab");
}

static struct snapshot_disk draft(const char *snapshot, const char *unique)
{
    struct domain_disk disk = {
        .vdev = (char *)"xvda", .path = (char *)"rbd/d",
        .script = (char *)"block-rbd", .format = "raw", .backend = "phy",
    };
    struct domain dom = { .disks = &disk, .ndisks = 1 };
    struct disk_request r = { .snapshot = snapshot, .unique = unique };
    struct snapshot_disk d = { 0 };
    struct err e;

    if (medium_probe(&dom, &e) || disk_choose(&disk, &r, &d, &e))
        check(false, "nothing is chosen: %s", e.text);
    free(disk.live);
    free(disk.link);
    free(disk.volume);
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

/* What a revert asks before a domain is destroyed. */
static int can_revert(struct snapshot_disk *d, struct err *e)
{
    struct disk_host h = { .running = true };

    return disk_verify(d, false, e) || disk_aim(&h, "s1", "u", d, e) ||
           disk_ready(d, e) ? -1 : 0;
}

static struct snapshot_disk taken(const char *snapshot, const char *content)
{
    struct snapshot_disk d = draft(snapshot, "0badcafe");
    struct err e;

    set(IMAGE "/content", content);
    if (take(&d, &e))
        check(false, "not taken: %s", e.text);
    set(IMAGE "/content", "now");
    return d;
}

static void life(void)
{
    struct snapshot_disk a, b;
    struct err e;

    begin();
    a = taken("s1", "one");
    check(!strcmp(a.type, "rbd") && !strcmp(a.origin, "rbd/d") &&
          !strcmp(a.part, "xl.s1.0badcafe") && a.virtual_size == 64 << 20,
          "the kind of such a disk, and what is recorded");
    check(is(PART "/protected", "true"), "a protected snapshot");
    b = taken("s2", "two");
    check(!can_revert(&a, &e) && !can_revert(&b, &e), "both are whole");
    check(!disk_apply(&a, &e) && is(IMAGE "/content", "one"), "back");
    check(!disk_apply(&b, &e) && is(IMAGE "/content", "two"), "on");
    check(!disk_apply(&a, &e) && !disk_apply(&a, &e) &&
          is(IMAGE "/content", "one"), "back again, twice");
    check(!undo(&a, &e) && !undo(&a, &e) && !is_there(PART),
          "deleted, and once more");
    check(!disk_apply(&b, &e) && is(IMAGE "/content", "two"),
          "the other one is as before");
    check_err(disk_apply(&a, &e), &e, SNAP_FAILED, "is not there",
              "a deleted one cannot be put back");
    check(!undo(&b, &e) && !is_there(IMAGE "/snaps/xl.s2.0badcafe"),
          "none is left");
    drop(&a);
    drop(&b);
}

/* What a record must not name is refused, whatever it is. */
static void cannot_read(json_object *o, const char *key, const char *value)
{
    json_object *disks, *disk, *was;
    struct snapshot back;
    struct err e;

    json_object_object_get_ex(o, "disks", &disks);
    disk = json_object_array_get_idx(disks, 0);
    was = json_object_get(json_object_object_get(disk, key));
    json_object_object_add(disk, key, json_object_new_string(value));
    check_err(meta_parse(o, "it", &back, &e), &e, SNAP_FAILED, "it",
              "not read: a record with %s '%s'", key, value);
    json_object_object_add(disk, key, was);
}

/* The JSON of a record comes back as it was, also with a name for a path. */
static void recorded(void)
{
    struct snapshot s = { .name = mem_strdup("s1"), .ndisks = 1 }, back;
    json_object *o;
    struct err e;
    int rc;

    begin();
    s.disks = mem_zalloc(1, sizeof(*s.disks));
    s.disks[0] = taken("s1", "one");
    s.domain.name = mem_strdup("g");
    s.domain.uuid = mem_strdup("6c2b3f5e-0b1c-4d55-9f3e-2f6a1f0e7a11");
    s.domain.type = mem_strdup("pv");
    s.domain.state = mem_strdup("running");
    s.memory.file = mem_strdup("memory.xl");
    s.memory.compression = mem_strdup("none");
    s.memory.checksum = mem_strdup("xxh3:0123456789abcdef");
    s.config = mem_strdup("{}");
    o = meta_to_json(&s);
    rc = meta_parse(o, "it", &back, &e);
    check_ok(rc, &e, "a record is read back");
    if (!rc) {
        check(!can_revert(&back.disks[0], &e) &&
              !disk_apply(&back.disks[0], &e) && is(IMAGE "/content", "one"),
              "and leads to the snapshot");
        meta_free(&back);
    }
    cannot_read(o, "path", "../x");
    cannot_read(o, "path", "/dev/../x");
    cannot_read(o, "path", "b");
    cannot_read(o, "image", "--conf/x");
    cannot_read(o, "image_snapshot", "a@b");
    cannot_read(o, "stamp", "c1/10ab/1/--conf");
    cannot_read(o, "stamp", "c1/10ab/x/xen");
    cannot_read(o, "stamp", "");
    json_object_put(o);
    meta_free(&s);
}

/* Cut off before or after each call of a create, then undone. */
static void cut_create(void)
{
    unsigned n, late, cuts = 0;
    struct err e;
    int rc = -1;

    for (late = 0; late < 2; late++)
        for (n = 0, rc = -1; rc && n < 20; n++) {
            char *left = mem_printf("%u", n);
            struct snapshot_disk d;

            begin();
            d = draft("s1", "0badcafe");
            set("left", left);
            set("late", late ? "" : NULL);
            rc = take(&d, &e);
            cuts += rc != 0;
            set("left", NULL);
            check(!rc || (!undo(&d, &e) && !is_there(PART) &&
                          !is_there(PART ".trial") &&
                          is(IMAGE "/content", "now")),
                  "a create cut off %s call %u is undone",
                  late ? "after" : "before", n);
            drop(&d);
            free(left);
        }
    /* rm, create and rm of the trial; create, protect. */
    check(!rc && cuts == 10, "%u cuts", cuts);
}

/* Cut off before or after each call of a revert, then done again. */
static void cut_revert(const char *locked)
{
    unsigned n, late, cuts = 0;
    struct err e;
    int rc = -1;

    for (late = 0; late < 2; late++)
        for (n = 0, rc = -1; rc && n < 20; n++) {
            char *left = mem_printf("%u", n);
            struct snapshot_disk a, b;
            bool good;

            begin();
            a = taken("s1", "one");
            b = taken("s2", "two");
            set(IMAGE "/lock", locked);
            set(PART "/protected", "false");
            set("left", left);
            set("late", late ? "" : NULL);
            rc = disk_apply(&a, &e);
            cuts += rc != 0;
            set("left", NULL);
            good = is(PART "/content", "one") && !disk_apply(&a, &e) &&
                   is(IMAGE "/content", "one") && !disk_apply(&b, &e) &&
                   is(IMAGE "/content", "two") && !undo(&a, &e) &&
                   !undo(&b, &e) && !is_there(PART) &&
                   !is_there(PART ".trial");
            check(good, "a revert cut off %s call %u is done again",
                  late ? "after" : "before", n);
            drop(&a);
            drop(&b);
            free(left);
        }
    /* protect, rollback; locked: rm, create, rm, rollback again. */
    check(!rc && cuts == (locked ? 12 : 4), "%u cuts", cuts);
}

/* Cut off before or after each call of a deletion, then done again. */
static void cut_delete(void)
{
    unsigned n, late, cuts = 0;
    struct err e;
    int rc = -1;

    for (late = 0; late < 2; late++)
        for (n = 0, rc = -1; rc && n < 20; n++) {
            char *left = mem_printf("%u", n);
            struct snapshot_disk a;

            begin();
            a = taken("s1", "one");
            set("left", left);
            set("late", late ? "" : NULL);
            rc = undo(&a, &e);
            cuts += rc != 0;
            set("left", NULL);
            check(!undo(&a, &e) && !is_there(PART),
                  "a deletion cut off %s call %u is done again",
                  late ? "after" : "before", n);
            drop(&a);
            free(left);
        }
    /* rm of a trial; unprotect, rm. */
    check(!rc && cuts == 6, "%u cuts", cuts);
}

/* What was made ready for a revert that is not to be goes. */
static void unready(void)
{
    struct snapshot_disk a;
    struct err e;

    begin();
    a = taken("s1", "one");
    set("left", "2");
    check(disk_ready(&a, &e) && is_there(PART ".trial"), "cut off");
    set("left", NULL);
    check(!disk_unready(&a, &e) && !disk_unready(&a, &e) &&
          !is_there(PART ".trial") && is_there(PART), "and undone, twice");
    drop(&a);
}

static void refusals(void)
{
    struct domain_disk disk = {
        .vdev = (char *)"xvda", .path = (char *)"/x", .format = "raw",
        .backend = "phy", .medium = MEDIUM_BLOCK,
    };
    struct disk_request r = { .snapshot = "s", .unique = "u" };

    check(disk_rbd.refuse(&disk, &r), "not another block device");
    disk.medium = MEDIUM_RBD;
    check(!disk_rbd.refuse(&disk, &r), "an image");
    r.path = "/x";
    check(disk_rbd.refuse(&disk, &r), "has no path of its own");
    r.path = NULL;
    r.size = 4096;
    check(disk_rbd.refuse(&disk, &r), "nor a size");
    r.size = 0;
    disk.format = "qcow2";
    check(disk_rbd.refuse(&disk, &r), "a qcow2 image on one: not hot");
    r.cold = true;
    check(!disk_rbd.refuse(&disk, &r), "but cold");
}

/* Refused while the guest runs, and nothing is left behind. */
static void cannot_take(const char *why)
{
    struct snapshot_disk d = draft("s1", "0badcafe");
    struct disk_host h = { .running = true };
    struct err e;
    int rc = disk_check(&h, &d, &e);

    if (!rc)
        rc = disk_prepare(&h, &d, &e);
    check_err(rc, &e, SNAP_FAILED, why, "not taken: %s", why);
    set("hang", NULL);
    set("deny", NULL);
    check(!d.stamp || (!undo(&d, &e) && !is_there(PART) &&
                       !is_there(PART ".trial")), "nothing is left");
    disk_host_close(&h);
    drop(&d);
}

static void checks(void)
{
    begin();
    set(IMAGE "/watchers", "7 192.0.2.7:0/1\n9 192.0.2.9:0/5\n");
    cannot_take("rbd/d is in use by client 9 at 192.0.2.9");
    begin();
    set(IMAGE "/limit", "");
    cannot_take("as many snapshots as its limit allows");
    begin();
    set("deny", "");
    cannot_take("the Ceph user may not do that");
    begin();
    set("hang", "snap create");
    cannot_take("the Ceph cluster did not answer in time");
    begin();
    map("1", "d", "10ab");
    cannot_take("is mapped twice");
    begin();
    set(IMAGE "/id", "77ff");
    cannot_take("does not find the image rbd/d (id 10ab)");
    begin();
    set_in(sys, "bus/rbd/devices/0/config_info",
           "192.0.2.1 name=xen,exclusive rbd d -");
    cannot_take("was mapped with '-o exclusive'");
    begin();
    set(IMAGE "/exclusive", "");
    cannot_take("without '-o exclusive'");
}

/* It was mapped by another name, and has a snapshot by that. */
static void renamed(void)
{
    char *from = fake_path(IMAGE), *to = fake_path("images/rbd+new");
    struct snapshot_disk a;
    struct err e;

    begin();
    a = taken("s1", "one");
    check(!rename(from, to), "rename");
    check(!disk_apply(&a, &e) && is("images/rbd+new/content", "one"),
          "an image that was renamed is put back");
    drop(&a);
    a = draft("s2", "0badcafe");
    check_ok(take(&a, &e), &e, "and taken");
    check(!strcmp(a.origin, "rbd/new"), "by its new name");
    check(!undo(&a, &e), "and its snapshot is deleted");
    drop(&a);
    free(from);
    free(to);
}

static void cannot_revert(struct snapshot_disk *d, const char *why)
{
    struct err e;

    check_err(can_revert(d, &e), &e, SNAP_FAILED, why, "no revert: %s", why);
    check(is(IMAGE "/content", "now"), "the image is as it was");
}

static void verified(void)
{
    struct snapshot_disk a;
    struct err e;

    begin();
    a = taken("s1", "one");
    set(IMAGE "/watchers", "9 192.0.2.9:0/5\n");
    cannot_revert(&a, "rbd/d is in use by client 9 at 192.0.2.9");
    check_err(disk_apply(&a, &e), &e, SNAP_FAILED, "client 9", "nor later");
    check(is(IMAGE "/content", "now"), "the image is as it was");
    set(IMAGE "/watchers", NULL);
    set("hang", "snap create");
    cannot_revert(&a, "did not answer in time");
    set("hang", NULL);
    set(PART "/id", "77");
    cannot_revert(&a, "is another one: its id is 77, not 2");
    check(disk_apply(&a, &e) && is(IMAGE "/content", "now"), "nor later");
    check(!undo(&a, &e) && is_there(PART), "and is not ours to delete");
    set(PART, NULL);
    cannot_revert(&a, "is not there");
    drop(&a);

    begin();
    a = taken("s1", "one");
    set_in(sys, "bus/rbd/devices/0/image_id", "77ff");
    cannot_revert(&a, "rbd/d does not lead to the image");
    set_in(sys, "bus", NULL);
    set(IMAGE "/watchers", NULL);
    check_ok(can_revert(&a, &e), &e, "a script maps it later");
    free(a.path);
    a.path = mem_strdup("/nonexistent");
    cannot_revert(&a, "map it with 'rbd map rbd/d'");
    free(a.stamp);
    a.stamp = mem_strdup("c1/10ab/1/--conf");
    cannot_revert(&a, "does not say of which image");
    drop(&a);
}

/* What another client does while a rollback runs is not overlooked. */
static void disturbed(void)
{
    static const struct { const char *during, *why; } cases[] = {
        { "rm -r \"$dir/snaps/$snap\"", "the disk's content is lost" },
        { "rm -r \"$dir/snaps/$snap\"; take", "the disk's content is lost" },
        { "(snap=theirs; take)", "took the snapshot 'theirs'" },
        { "echo '9 192.0.2.9:0/5' >\"$dir/watchers\"", "by client 9" },
    };
    struct snapshot_disk a;
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin();
        a = taken("s1", "one");
        set("during", cases[i].during);
        check_err(disk_apply(&a, &e), &e, SNAP_FAILED, cases[i].why,
                  "noticed: %s", cases[i].why);
        drop(&a);
    }
}

static void deleted(void)
{
    struct disk_host h = { .running = true };
    struct snapshot_disk a;
    struct err e;

    begin();
    a = taken("s1", "one");
    set(IMAGE "/clones/xl.s1.0badcafe", "rbd/c\n");
    check_err(disk_check_remove(&h, &a, &e), &e, SNAP_FAILED,
              "has clones, which need it: rbd/c", "clones are named before");
    check_err(undo(&a, &e), &e, SNAP_FAILED, "rbd/c", "and if made since");
    check(is(PART "/protected", "true"), "the snapshot stays");
    set(IMAGE "/clones", NULL);
    check(!disk_check_remove(&h, &a, &e), "without them nothing is said");
    set(IMAGE, NULL);
    check_err(undo(&a, &e), &e, SNAP_FAILED, "does not find the image",
              "an image that is mapped cannot be gone");
    set_in(sys, "bus", NULL);
    check(!undo(&a, &e), "one that is gone took its snapshots with it");
    drop(&a);

    begin();
    set(IMAGE "/nolayering", "");
    a = taken("s1", "one");
    check(!can_revert(&a, &e) && !disk_apply(&a, &e) &&
          is(IMAGE "/content", "one") && !undo(&a, &e) && !is_there(PART),
          "without protection it is the same");
    drop(&a);
}

int main(void)
{
    char *bin = unit_path("bin"), *tool = unit_path("bin/rbd");
    char *path = mem_printf("%s:%s", bin, getenv("PATH"));
    char *fake = realpath("tests/unit/fake-rbd", NULL);

    ceph = unit_path("ceph");
    sys = unit_path("sys");
    mkdir(bin, 0700);
    if (!fake || symlink(fake, tool))
        check(false, "symlink");
    setenv("PATH", path, 1);
    setenv("FAKE_RBD", ceph, 1);
    disk_init();
    refusals();
    life();
    recorded();
    cut_create();
    cut_revert(NULL);
    cut_revert("");
    cut_delete();
    unready();
    checks();
    renamed();
    verified();
    disturbed();
    deleted();
    free(fake);
    free(sys);
    free(ceph);
    free(bin);
    free(tool);
    free(path);
    return unit_done();
}
