/* What sysfs and "rbd" say of Ceph's images, both of them the test's. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* First, as it sets the times. */
#include "tests/unit/volume_sys.h"

#include "snapshot/disk/rbd_image.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/name.h"
#include "tests/unit/unit.h"

static char *sys;
static const struct rbd_at at = { .image = "p/n/i", .user = "me" };
static const struct rbd_maps none;

const char *volume_sys(void)
{
    return sys;
}

static void names(void)
{
    static const char *const good[] = {
        "rbd/b", "p/ns/image", "a-b.c_d+e/1", ".mgr/x",
    };
    static const char *const bad[] = {
        "", "b", "rbd/", "/b", "a//b", "a/b/c/d", "-a/b", "a/-b", "a/b@s",
        "a/b:id=x", "a b/c", "a/b\n", "../b", "a/..", "a/\xc3\xa4",
        "a/b/-c", "a/b/",
    };
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check(name_is_rbd_image(good[i]), "an image's name: %s", good[i]);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check(!name_is_rbd_image(bad[i]), "no image's name: %zu", i);
    check(name_is_rbd_word("xl.before.0badcafe") && !name_is_rbd_word("") &&
          !name_is_rbd_word("-x") && !name_is_rbd_word("a/b"), "words");
}

static void script(const char *text)
{
    char *path = unit_path("bin/rbd");

    unit_puts(path, text);
    chmod(path, 0700);
    free(path);
}

/* rbd prints this. */
static void prints(const char *json)
{
    char *file = unit_path("out"), *text;

    unit_puts(file, json);
    text = mem_printf("#!/bin/sh\necho \"$*\" >'%s.args'\ncat '%s'\n", file,
                      file);
    script(text);
    free(text);
    free(file);
}

/* rbd ends so. */
static void ends(int status, const char *why)
{
    char *text = mem_printf("#!/bin/sh\necho 'rbd: %s' >&2\nexit %d\n", why,
                            status);

    script(text);
    free(text);
}

static bool args_are(const char *want)
{
    char *path = unit_path("out.args"), *got = unit_get(path, NULL);
    bool same = got && !strcmp(got, want);

    if (!same)
        printf("# %s\n", got ? got : "nothing");
    free(path);
    free(got);
    return same;
}

static void set(const char *device, const char *attribute, const char *value)
{
    char *dir = mem_printf("%s/bus/rbd/devices/%s", sys, device), *p;
    char *file = mem_printf("%s/%s", dir, attribute);

    for (p = dir + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(dir, 0700);
        *p = '/';
    }
    mkdir(dir, 0700);
    unit_puts(file, value);
    free(file);
    free(dir);
}

static void map(const char *device, const char *ns, const char *name,
                const char *snap, const char *options)
{
    char *config = mem_printf("192.0.2.1:6789,192.0.2.2:6789 %s rbd %s %s\n",
                              options, name, snap);

    set(device, "pool", "rbd\n");
    set(device, "pool_ns", ns);
    set(device, "name", name);
    set(device, "image_id", "10ab\n");
    set(device, "current_snap", snap);
    set(device, "cluster_fsid", "0c4a-11\n");
    set(device, "client_id", "client4184\n");
    set(device, "major", "250\n");
    set(device, "minor", "16\n");
    set(device, "config_info", config);
    free(config);
}

static void maps(void)
{
    const struct rbd_map *m;
    struct rbd_maps all;
    struct err e;

    check(!rbd_maps_read(&all, &e) && !all.n, "no module, no maps");
    map("1", "\n", "b\n", "-\n", "name=xen,key=client.xen");
    check_ok(rbd_maps_read(&all, &e), &e, "one map");
    m = rbd_maps_find(&all, "rbd/b");
    check(all.n == 1 && m && !strcmp(m->device, "/dev/rbd1") &&
          !strcmp(m->fsid, "0c4a-11") && !strcmp(m->id, "10ab") &&
          !strcmp(m->user, "xen") && m->client == 4184 && m->head &&
          !m->exclusive && m->rdev == makedev(250, 16), "what it says");
    check(!rbd_maps_find(&all, "rbd/c") && !rbd_maps_find(&all, "/dev/null") &&
          !rbd_maps_find(&all, "/nonexistent"), "no other path leads there");
    check(rbd_maps_next(&all, NULL, "0c4a-11", "10ab") == m &&
          !rbd_maps_next(&all, m, "0c4a-11", "10ab") &&
          !rbd_maps_next(&all, NULL, "0c4a-12", "10ab"),
          "an image is one of a cluster's");
    rbd_maps_free(&all);

    map("1", "ns\n", "b\n", "-\n", "name=xen,exclusive");
    check(!rbd_maps_read(&all, &e) && rbd_maps_find(&all, "rbd/ns/b") &&
          rbd_maps_find(&all, "rbd/ns/b")->exclusive,
          "a namespace, and -o exclusive");
    rbd_maps_free(&all);
    map("1", "\n", "b\n", "s\n", "name=xen");
    check(!rbd_maps_read(&all, &e) && !rbd_maps_find(&all, "rbd/b"),
          "a snapshot that is mapped is not the image");
    rbd_maps_free(&all);
    map("1", "\n", "-rf b\n", "-\n", "name=--conf=/x");
    check(!rbd_maps_read(&all, &e) && all.n == 1 && !all.v[0].image[0] &&
          !all.v[0].user[0], "names that could be options are not used");
    rbd_maps_free(&all);
    set("1", "config_info", "");
    check(!rbd_maps_read(&all, &e), "nothing in sysfs");
    rbd_maps_free(&all);
}

static void devices(void)
{
    char *node = unit_path("node");
    struct rbd_maps all;
    struct err e;

    map("1", "\n", "b\n", "-\n", "name=xen");
    if (mknod(node, S_IFBLK | 0600, makedev(250, 16))) {
        skip("a device of krbd's: cannot make a device's file");
    } else if (!rbd_maps_read(&all, &e)) {
        check(rbd_maps_find(&all, node) == all.v, "a device leads there");
        rbd_maps_free(&all);
    }
    free(node);
}

static void asked(void)
{
    struct rbd_snaps snaps;
    uint64_t size;
    char *text;
    struct err e;

    prints("{\"name\":\"new\",\"id\":\"10ab\",\"size\":67108864}");
    check(!rbd_find_image(&at, "10ab", &text, &size, &e) && text &&
          !strcmp(text, "p/n/new") && size == 64 << 20,
          "an image is found by its id, with its present name");
    check(args_are("--id me --client-mount-timeout 3 --rados-osd-op-timeout 4 "
                   "info --format json --pool p --namespace n --image-id "
                   "10ab\n"), "in its pool and namespace");
    free(text);
    ends(2, "error opening image");
    check(!rbd_find_image(&at, "10ab", &text, &size, &e) && !text,
          "one that is gone");

    prints("[{\"id\":7,\"name\":\"s\",\"protected\":\"true\"},"
           "{\"id\":9,\"name\":\"t\",\"protected\":\"false\"}]");
    check_ok(rbd_snaps_read(&at, &snaps, &e), &e, "snapshots");
    check(snaps.n == 2 && rbd_snaps_find(&snaps, "s")->id == 7 &&
          rbd_snaps_find(&snaps, "s")->protected &&
          !rbd_snaps_find(&snaps, "t")->protected &&
          !rbd_snaps_find(&snaps, "u"), "each with its id");
    check(args_are("--id me --client-mount-timeout 3 --rados-osd-op-timeout 4 "
                   "snap ls --format json p/n/i\n"), "of the image");
    rbd_snaps_free(&snaps);
    prints("[{\"pool\":\"p\",\"pool_namespace\":\"\",\"image\":\"c\"},"
           "{\"pool\":\"q\",\"pool_namespace\":\"n\",\"image\":\"d\"}]");
    check(!rbd_clones(&at, "s", &text, &e) && text &&
          !strcmp(text, "p/c, q/n/d"), "clones are named");
    free(text);
    prints("[]");
    check(!rbd_clones(&at, "s", &text, &e) && !text, "no clones");
}

static void watchers(void)
{
    struct rbd_map mine = { .client = 4184 };
    struct rbd_maps own = { .v = &mine, .n = 1 };
    struct err e;
    char *who;

    prints("{\"watchers\":[{\"address\":\"192.0.2.7:0/20386\","
           "\"client\":4184,\"cookie\":140415030357984}]}");
    check(!rbd_other_watcher(&at, &own, &who, &e) && !who,
          "our own kernel is not another");
    check(!rbd_other_watcher(&at, &none, &who, &e) && who &&
          !strcmp(who, "client 4184 at 192.0.2.7"), "any other is named");
    free(who);
    prints("{\"watchers\":[]}");
    check(!rbd_other_watcher(&at, &none, &who, &e) && !who, "nobody");
    ends(2, "error opening image");
    check_err(rbd_other_watcher(&at, &none, &who, &e), &e, SNAP_FAILED,
              "no RBD image p/n/i", "no image: not nobody");
}

/* None of these is believed, and nothing is left of it. */
static void misanswered(void)
{
    static const char *const infos[] = {
        "", "hello", "[]", "7", "{}", "{\"name\":7,\"size\":1}",
        "{\"name\":\"-x\",\"size\":1}", "{\"name\":\"a/b\",\"size\":1}",
        "{\"name\":\"x\",\"size\":-1}", "{\"name\":\"x\"}", "{}}", "{},",
    };
    static const char *const lists[] = {
        "", "{}", "[7]", "[null]", "[{\"id\":1}]", "[{\"name\":\"s\"}]",
        "[{\"name\":\"s\",\"id\":\"x\"}]", "[{\"name\":7,\"id\":1}]", "[",
    };
    static const char *const statuses[] = {
        "[]", "{}", "{\"watchers\":{}}", "{\"watchers\":[7]}",
        "{\"watchers\":[{\"client\":1}]}",
        "{\"watchers\":[{\"client\":\"x\",\"address\":\"a\"}]}",
    };
    struct rbd_snaps snaps;
    uint64_t size;
    char *text;
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
        prints(infos[i]);
        check(rbd_find_image(&at, "1", &text, &size, &e) && !text,
              "no image: %s", infos[i]);
    }
    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        prints(lists[i]);
        check(rbd_snaps_read(&at, &snaps, &e) && !snaps.v,
              "no snapshots: %s", lists[i]);
    }
    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        prints(statuses[i]);
        check(rbd_other_watcher(&at, &none, &text, &e) && !text,
              "no watchers: %s", statuses[i]);
    }
    prints("[7, null, {}]");
    check(!rbd_clones(&at, "s", &text, &e) && text, "odd clones are clones");
    free(text);
}

static void changes(void)
{
    bool locked;
    struct err e;

    prints("");
    check(!rbd_snap_create(&at, "s", RBD_SHORT_S, &e) &&
          args_are("--id me --client-mount-timeout 3 --rados-osd-op-timeout 4 "
                   "snap create --no-progress p/n/i@s\n"), "create");
    check(!rbd_snap_remove(&at, "s", &e) &&
          args_are("--id me --client-mount-timeout 3 --rados-osd-op-timeout 4 "
                   "snap rm --no-progress p/n/i@s\n"), "remove");
    check(!rbd_snap_rollback(&at, "s", &locked, &e) && !locked &&
          args_are("--id me --client-mount-timeout 3 --rados-osd-op-timeout 4 "
                   "snap rollback --no-progress p/n/i@s\n"), "rollback");
    check(!rbd_snap_protect(&(struct rbd_at){ .image = "p/i" }, "s", &e) &&
          args_are("--client-mount-timeout 3 --rados-osd-op-timeout 4 "
                   "snap protect p/i@s\n"), "protect, as the default user");
}

static void create_fails(int status, const char *why)
{
    struct err e;

    ends(status, "what rbd says");
    check_err(rbd_snap_create(&at, "s", RBD_SHORT_S, &e), &e, SNAP_FAILED,
              why, "status %d: %s", status, why);
}

static void statuses(void)
{
    bool locked;
    struct err e;

    create_fails(1, "the Ceph user may not do that");
    create_fails(2, "there is no such pool, image or snapshot");
    create_fails(17, "one of that name already");
    create_fails(28, "the cluster is full");
    create_fails(30, "without '-o exclusive'");
    create_fails(31, "a group of snapshots");
    create_fails(108, "does not accept this host any more");
    create_fails(110, "the Ceph cluster did not answer in time");
    create_fails(122, "as many snapshots as its limit allows");
    create_fails(99, "rbd: what rbd says");
    ends(2, "");
    check(!rbd_snap_remove(&at, "s", &e), "2: removed already");
    ends(16, "");
    check_err(rbd_snap_remove(&at, "s", &e), &e, SNAP_FAILED, "in use",
              "16: a protected one stays");
    check(!rbd_snap_protect(&at, "s", &e), "16: protected already");
    check(rbd_snap_unprotect(&at, "s", &e), "16: has clones");
    ends(38, "");
    check(!rbd_snap_protect(&at, "s", &e), "38: cannot be protected");
    ends(22, "");
    check(!rbd_snap_unprotect(&at, "s", &e), "22: unprotected already");
    ends(30, "");
    check(rbd_snap_rollback(&at, "s", &locked, &e) && locked,
          "30: the image is locked");
    ends(110, "");
    check(rbd_snap_rollback(&at, "s", &locked, &e) && !locked,
          "110: it is not");
}

/* A cluster that does not answer, and a rbd that does not notice. */
static void hanging(void)
{
    struct rbd_snaps snaps;
    struct err e;

    script("#!/bin/sh\nsleep 60\n");
    check_err(rbd_snap_create(&at, "s", 1, &e), &e, SNAP_FAILED,
              "did not answer in time", "a change has a deadline");
    check_err(rbd_snaps_read(&at, &snaps, &e), &e, SNAP_FAILED,
              "did not answer in time", "so has a question");
}

static void for_qemu(void)
{
    char *a = rbd_qemu_name(&at, "s");
    char *b = rbd_qemu_name(&(struct rbd_at){ .image = "p/i" }, NULL);

    check(!strcmp(a, "rbd:p/n/i@s:id=me") && !strcmp(b, "rbd:p/i"),
          "how QEMU's tools name them");
    free(a);
    free(b);
}

int main(void)
{
    char *bin = unit_path("bin");
    char *path = mem_printf("%s:%s", bin, getenv("PATH"));

    sys = unit_path("sys");
    mkdir(bin, 0700);
    setenv("PATH", path, 1);
    names();
    maps();
    devices();
    asked();
    watchers();
    misanswered();
    changes();
    statuses();
    hanging();
    for_qemu();
    free(sys);
    free(bin);
    free(path);
    return unit_done();
}
