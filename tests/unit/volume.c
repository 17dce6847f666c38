#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "snapshot/sys/mem.h"
#include "snapshot/sys/name.h"
#include "snapshot/disk/volume.h"
#include "tests/unit/unit.h"
#include "tests/unit/volume_sys.h"

static char *sys;

const char *volume_sys(void)
{
    return sys;
}

/* Puts a script in place of lvs, or of what "name" says. */
static void script(const char *name, const char *text)
{
    char *path = mem_printf("%s/bin/%s", unit_dir(), name);

    unit_puts(path, text);
    if (chmod(path, 0700))
        check(false, "chmod %s", path);
    free(path);
}

static void names(void)
{
    static const char *const good[] = {
        "a/b", "vg0/lv_1", "V.g+/_x", "a/b-", "a/..b",
    };
    static const char *const bad[] = {
        "", "a", "/b", "a/", "a/b/c", "-a/b", "a/-b", "./b", "a/..", "a/.",
        "a b/c", "a/b ", "a/b,c", "a/b\t", "../../etc",
    };
    char *long_name = mem_zalloc(300, 1);
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check(name_is_volume(good[i]), "a volume's name: %s", good[i]);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check(!name_is_volume(bad[i]), "no volume's name: '%s'", bad[i]);
    memset(long_name, 'a', 130);
    long_name[1] = '/';
    check(!name_is_volume(long_name), "a volume's name of 128 characters");
    free(long_name);
}

static bool is_name(const char *origin, const char *snapshot,
                    const char *want)
{
    char *name = volume_snapshot_name(origin, snapshot, "0badcafe");
    bool same = !strcmp(name, want);

    if (!same)
        printf("# %s\n", name);
    free(name);
    return same;
}

static void snapshot_names(void)
{
    static const char reserved[] =
        "snapshot_tdata-pvmove_cmeta_rimage_mlog_vorigin_corig_x";
    char vg[] = "vg-00000000000000000000000000000000000";
    char lv[128], *origin, *name, *device;

    check(is_name("vg0/disk", "s1", "vg0/disk.s1-0badcafe"),
          "the name tells disk and snapshot");
    check(is_name("vg0/d_x", reserved, "vg0/d_x.snapshot.tdata.pvmove.cmeta."
                  "rimage.mlog.vorigin.corig.x-0badcafe"),
          "what LVM reserves does not appear");
    memset(lv, '-', sizeof(lv) - 1);
    lv[0] = 'l';
    lv[70] = '\0';
    origin = mem_printf("%s/%s", vg, lv);
    name = volume_snapshot_name(origin, "a-name-of-sixty-three-characters-is-"
                                "the-longest-that-there-can-b", "0badcafe");
    device = volume_device(name, "");
    check(name_is_volume(name) && strstr(name, "-0badcafe"),
          "a long one is cut, but not at its end: %s", name);
    check(strlen(device) - strlen("/dev/mapper/") <= 127 - 16,
          "and leaves room for what LVM appends: %zu", strlen(device));
    free(device);
    free(name);
    free(origin);
}

static void devices(void)
{
    char *d = volume_device("v-g/l--v", "-cow");

    check(!strcmp(d, "/dev/mapper/v--g-l----v-cow"), "a device's name: %s", d);
    free(d);
    check(volume_full_size(64 << 20, 4 << 20) == 68 << 20,
          "the size that LVM takes for 100%%ORIGIN of 64 MiB");
    check(volume_full_size(4096, 512) > 2 * 4096, "room for a table");
}

/* What sysfs says of device 253:200. */
static void set_sys(const char *name, const char *uuid)
{
    char *dir = mem_printf("%s/dev/block/253:200/dm", sys);
    char *file = mem_printf("%s/name", dir);

    unit_puts(file, name);
    free(file);
    file = mem_printf("%s/uuid", dir);
    unit_puts(file, uuid);
    free(file);
    free(dir);
}

static bool leads_to(const char *path, const char *want)
{
    struct err e;
    char *name;
    int rc = volume_of_path(path, &name, &e);
    bool same = !rc && !name == !want && (!want || !strcmp(name, want));

    if (!same)
        printf("# %d %s\n", rc, name ? name : "none");
    free(name);
    return same;
}

static void make_dirs(char *path)
{
    char *p;

    for (p = path + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    mkdir(path, 0700);
}

#define UUID "LVM-sBxzIXQJpFK8dewWIHTH2WDDm1o5sjzZ" \
    "QcnNxh9tDP0dA7Qjh3j66Tt2KFpfRuLw"

static void paths(void)
{
    char *dir = mem_printf("%s/dev/block/253:200/dm", sys), *name;
    char *node = unit_path("node"), *link = unit_path("link");
    struct err e;

    make_dirs(dir);
    unit_puts(node, "a file");
    check(leads_to(node, NULL), "a file is no volume");
    unlink(node);
    check_err(volume_of_path(node, &name, &e), &e, SNAP_FAILED, node,
              "no file");
    if (mknod(node, S_IFBLK | 0600, makedev(253, 200))) {
        skip("a device of LVM's: cannot make a device's file");
    } else {
        if (symlink(node, link))
            check(false, "symlink");
        check(leads_to(node, NULL), "nor is a device that is not mapped");
        set_sys("v--g-l--v_1\n", UUID "\n");
        check(leads_to(node, "v-g/l-v_1"), "LVM's device is one");
        check(leads_to(link, "v-g/l-v_1"), "also by a link");
        set_sys("vg-lv-cow\n", UUID "-cow\n");
        check(leads_to(node, NULL), "a layer of a volume is none");
        set_sys("vg-lv\n", "CRYPT-LUKS2-0123456789\n");
        check(leads_to(node, NULL), "nor is another's device");
        set_sys("vg-lv-x\n", UUID "\n");
        check(leads_to(node, NULL), "nor one with a name that is no volume's");
    }
    free(node);
    free(link);
    free(dir);
}

static void named_by(void)
{
    char *dir = unit_path("links"), *link = unit_path("links/disk");
    char *loop = unit_path("links/loop");

    make_dirs(dir);
    if (symlink("/dev/mapper/v--g-lv", link) || symlink("loop", loop))
        check(false, "symlink");
    check(volume_is_named_by("/dev/mapper/v--g-lv", "v-g/lv"),
          "a path of device-mapper is by name");
    check(volume_is_named_by(link, "v-g/lv"), "so is a link to one");
    check(!volume_is_named_by(link, "v-g/lw"), "but not to another volume");
    check(!volume_is_named_by("/dev/dm-3", "v-g/lv"), "a number is no name");
    check(!volume_is_named_by(loop, "v-g/lv"), "nor is a link to itself");
    check(!volume_is_named_by("disk", "v-g/lv"), "nor a relative path");
    free(dir);
    free(link);
    free(loop);
}

#define LV(more) "{\"vg_name\":\"vg\",\"lv_name\":\"a\",\"lv_uuid\":\"u\"," \
    "\"lv_tags\":\"xl-snapshot,t\",\"lv_layout\":\"thin,sparse\"," \
    "\"origin\":\"o\",\"pool_lv\":\"p\",\"metadata_percent\":\"\"," \
    "\"lv_health_status\":\"\",\"lv_snapshot_invalid\":\"-1\"," \
    "\"lv_check_needed\":\"-1\",\"lv_active\":\"active\"," \
    "\"lv_suspended\":\"0\"," \
    "\"vg_free\":\"8388608\",\"vg_extent_size\":\"4194304\"" more "}"
#define REPORT(lv) "#!/bin/sh\necho '{\"report\":[{\"lv\":[" lv "]}]}'\n"

static void asked(void)
{
    struct volumes vs;
    struct err e;

    script("lvs", REPORT(LV(",\"lv_size\":\"67108864\","
                            "\"data_percent\":\"12.50\",\"new\":1")));
    check_ok(volumes_read("vg", &vs, &e), &e, "lvs");
    check(vs.n == 1 && volumes_find(&vs, "vg/a") &&
          volumes_find_lv(&vs, "vg/x", "a") && !volumes_find(&vs, "vg/b"),
          "a volume is found by name");
    check(vs.n == 1 && vs.v[0].thin && vs.v[0].active && !vs.v[0].invalid &&
          vs.v[0].size == 64 << 20 && vs.v[0].used > 12.4 &&
          vs.v[0].used < 12.6 && vs.v[0].metadata_used < 0, "its values");
    check(vs.n == 1 && volume_has_tag(&vs.v[0], "t") &&
          volume_has_tag(&vs.v[0], VOLUME_TAG) &&
          !volume_has_tag(&vs.v[0], "xl") && !volume_has_tag(&vs.v[0], ""),
          "its tags");
    volumes_free(&vs);
    script("lvs", "#!/bin/sh\necho '  Volume group \"vg\" not found' >&2\n"
           "echo '  Cannot process volume group vg' >&2\nexit 5\n");
    check(!volumes_read("vg", &vs, &e) && !vs.n, "no such group");
    check_err(volumes_read("vg1", &vs, &e), &e, SNAP_FAILED, "group vg",
              "another trouble");
    volumes_free(&vs);
}

static void misread(const char *text, const char *why)
{
    struct volumes vs;
    struct err e;

    script("lvs", text);
    check_err(volumes_read("vg", &vs, &e), &e, SNAP_FAILED, why,
              "lvs says nonsense: %s", why);
    check(!vs.n && !vs.v, "nothing is left of it");
}

static void misanswered(void)
{
    misread("#!/bin/sh\necho hello\n", "lvs");
    misread("#!/bin/sh\necho '{\"report\":[]}'\n", "'report' is empty");
    misread("#!/bin/sh\necho '{\"report\":[{\"lv\":7}]}'\n", "lv");
    misread(REPORT("3"), "not an object");
    misread(REPORT(LV("")), "lv_size");
    misread(REPORT(LV(",\"lv_size\":\"-1\",\"data_percent\":\"\"")),
            "not a number");
    misread(REPORT(LV(",\"lv_size\":\"1m\",\"data_percent\":\"\"")),
            "not a number");
    misread(REPORT(LV(",\"lv_size\":\"1\",\"data_percent\":\"101\"")),
            "not a percentage");
    misread(REPORT(LV(",\"lv_size\":\"1\",\"data_percent\":\"nan\"")),
            "not a percentage");
}

/* Records its arguments; fails as "lvcreate" would. */
#define NOTE "#!/bin/sh\necho \"$(basename \"$0\") $*\" >\"$(dirname \"$0\")/" \
    "../args\"\n"

static bool args_are(const char *want)
{
    char *path = unit_path("args"), *got = unit_get(path, NULL);
    bool same = got && !strcmp(got, want);

    if (!same)
        printf("# %s\n", got ? got : "nothing");
    free(path);
    free(got);
    return same;
}

static void changes(void)
{
    struct volume_take classic = {
        .origin = "vg/o", .name = "vg/s", .size = 4096, .tags = "a,b",
        .test = true,
    }, thin = { .origin = "vg/o", .name = "vg/s", .tags = "a" };
    struct err e;

    script("lvcreate", NOTE);
    script("lvrename", NOTE);
    script("lvremove", NOTE);
    check(!volume_take(&classic, &e) &&
          args_are("lvcreate --yes --test --snapshot --addtag a --addtag b "
                   "--size 4096b --name s vg/o\n"), "a classic snapshot");
    check(!volume_take(&thin, &e) &&
          args_are("lvcreate --yes --snapshot --addtag a "
                   "--setactivationskip y --name s vg/o\n"),
          "a thin one, that nothing activates");
    thin.active = true;
    check(!volume_take(&thin, &e) &&
          args_are("lvcreate --yes --snapshot --addtag a "
                   "--setactivationskip n --name s vg/o\n"),
          "a thin one, to be used");
    check(!volume_rename("vg/a", "vg/b", &e) &&
          args_are("lvrename vg/a vg/b\n"), "rename");
    check(!volume_remove("vg/a", &e) && args_are("lvremove --yes vg/a\n"),
          "remove");
    script("lvchange", NOTE);
    check(!volume_refresh("vg/a", &e) &&
          args_are("lvchange --refresh vg/a\n"), "refresh");
    script("lvremove", "#!/bin/sh\necho '  vg/a in use.' >&2\nexit 5\n");
    check_err(volume_remove("vg/a", &e), &e, SNAP_FAILED, "vg/a in use.",
              "what LVM says is the error");
}

int main(void)
{
    char *bin = unit_path("bin");
    char *path = mem_printf("%s:%s", bin, getenv("PATH"));

    sys = unit_path("sys");
    mkdir(bin, 0700);
    setenv("PATH", path, 1);
    names();
    snapshot_names();
    devices();
    paths();
    named_by();
    asked();
    misanswered();
    changes();
    free(sys);
    free(bin);
    free(path);
    return unit_done();
}
