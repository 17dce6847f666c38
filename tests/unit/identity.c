#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "snapshot/image/device.h"
#include "snapshot/image/identity.h"
#include "snapshot/image/mounts.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/identity_host.h"
#include "tests/unit/loop.h"
#include "tests/unit/unit.h"

static const char *sys_dir = "/sys", *mounts_file = "/proc/self/mountinfo";

const char *identity_sys(void)
{
    return sys_dir;
}

static unsigned tables_read;

const char *identity_mounts(void)
{
    tables_read++;
    return mounts_file;
}

static const struct json_at at = { "the.file", "disks[0]" };

static const char *const words[] = {
    [ID_SAME] = "same", [ID_OTHER] = "other", [ID_UNKNOWN] = "unknown",
};

static bool is(enum id_match match, enum id_match want)
{
    if (match != want)
        printf("# %s, not %s\n", words[match], words[want]);
    return match == want;
}

static struct image_id read_id(const char *path)
{
    struct image_id id;
    struct err e;

    if (image_id_read(path, &id, &e)) {
        printf("# %s\n", e.text);
        exit(2);
    }
    return id;
}

/* How the files at two paths compare. */
static enum id_match compare(const char *a, const char *b)
{
    struct image_id one = read_id(a), two = read_id(b);
    enum id_match match = image_id_compare(&one, &two);

    if (image_id_compare(&two, &one) != match)
        check(false, "comparing %s and %s does not depend on the order", a,
              b);
    image_id_free(&one);
    image_id_free(&two);
    return match;
}

/* The same as a record of an earlier boot, where all numbers were others. */
static void set_boot(struct image_id *id, const char *boot)
{
    free(id->boot);
    id->boot = mem_strdup(boot);
    id->dev += 4711;
    if (id->behind)
        set_boot(id->behind, boot);
    free(id->fs_device);
    id->fs_device = NULL;
}

static struct image_id recorded(const char *path)
{
    struct image_id id = read_id(path);

    set_boot(&id, "an earlier one");
    id.shared = false;
    return id;
}

static enum id_match compare_recorded(const struct image_id *old,
                                      const char *path)
{
    struct image_id now = read_id(path);
    enum id_match match = image_id_compare(old, &now);

    image_id_free(&now);
    return match;
}

static bool same_key(const char *a, const char *b)
{
    struct image_id one = read_id(a), two = read_id(b);
    char *k1 = image_id_key(&one), *k2 = image_id_key(&two);
    bool same = !strcmp(k1, k2);

    if (strchr(k1, '/') || k1[0] == '.' || strlen(k1) > 80)
        check(false, "'%s' is a file's name", k1);
    free(k1);
    free(k2);
    image_id_free(&one);
    image_id_free(&two);
    return same;
}

static void spellings(void)
{
    char *a = unit_path("a"), *b = unit_path("b"), *c = unit_path("c");
    char *dir = unit_path("dir"), *up = unit_path("dir/../a");
    char *hard = unit_path("hard"), *soft = unit_path("soft");
    char *linked_dir = unit_path("linked"), *linked = unit_path("linked/hard");
    struct image_id old;

    unit_puts(a, "the same bytes");
    unit_puts(b, "the same bytes");
    mkdir(dir, 0700);
    check(!link(a, hard) && !symlink("a", soft), "links are made");
    check(!symlink(".", linked_dir), "and one of the folder");
    check(is(compare(a, a), ID_SAME) && is(compare(a, up), ID_SAME) &&
          is(compare(a, hard), ID_SAME) && is(compare(a, soft), ID_SAME) &&
          is(compare(a, linked), ID_SAME),
          "one file, however its path is spelled");
    check(!chdir(unit_dir()) && is(compare("a", a), ID_SAME) &&
          is(compare("./dir/../hard", a), ID_SAME), "or relative");
    check(same_key(a, up) && same_key("soft", linked), "has one key");
    check(is(compare(a, b), ID_OTHER) && !same_key(a, b),
          "another file is another one, with its own key");
    old = read_id(a);
    check(!rename(a, c) && is(compare_recorded(&old, c), ID_SAME),
          "a renamed file is the same");
    unit_puts(c, "other bytes, and more of them");
    check(is(compare_recorded(&old, c), ID_SAME), "so is one that was "
          "written to");
    check(!rename(b, c) && is(compare_recorded(&old, c), ID_OTHER),
          "another one under its name is not");
    image_id_free(&old);
    free(a);
    free(b);
    free(c);
    free(dir);
    free(up);
    free(hard);
    free(soft);
    free(linked_dir);
    free(linked);
}

static void not_images(void)
{
    char *fifo = unit_path("fifo");
    struct image_id id;
    struct err e;

    check_err(image_id_read(unit_dir(), &id, &e), &e, SNAP_FAILED,
              "neither a regular file nor a block device",
              "a folder has no identity");
    check(!image_id_given(&id), "and gives none");
    mkfifo(fifo, 0600);
    check_err(image_id_read(fifo, &id, &e), &e, SNAP_FAILED, fifo,
              "a FIFO neither, and it hangs nobody");
    check_err(image_id_read("/dev/null", &id, &e), &e, SNAP_FAILED,
              "/dev/null", "nor a character device");
    errno = 0;
    check_err(image_id_read("nothing/here", &id, &e), &e, SNAP_FAILED,
              "cannot open nothing/here", "what is not there is an error");
    check(errno == ENOENT, "that tells so");
    free(fifo);
}

/* A file in the inode of one that was removed. */
static void reused(void)
{
    char *path = unit_path("reused");
    struct image_id old, new = { 0 };
    unsigned i;

    unit_puts(path, "x");
    old = read_id(path);
    unlink(path);
    for (i = 0; i < 64 && new.inode != old.inode; i++) {
        char *next = mem_printf("%s.%u", path, i);

        image_id_free(&new);
        unit_puts(next, "x");
        new = read_id(next);
        free(next);
    }
    if (new.inode != old.inode)
        skip("this file system does not use an inode again at once");
    else
        check(is(image_id_compare(&old, &new), ID_OTHER),
              "a file in a reused inode is another one");
    image_id_free(&old);
    image_id_free(&new);
    free(path);
}

/* Identities, in JSON with single quotes */

static char *quoted(const char *text)
{
    char *json = mem_strdup(text), *p;

    for (p = json; *p; p++)
        if (*p == '\'')
            *p = '"';
    return json;
}

static int parse(const char *text, struct image_id *id, struct err *e)
{
    char *inner = quoted(text), *json = mem_printf("{\"id\": %s}", inner);
    json_object *o = json_parse_object(json, strlen(json), "the.file", e);
    int rc = o ? image_id_parse(o, "id", at, id, e) : -1;

    if (!o)
        printf("# %s\n", e->text);
    json_object_put(o);
    free(json);
    free(inner);
    return rc;
}

static void pair(const char *a, const char *b, enum id_match want,
                 const char *what)
{
    struct image_id one, two;
    struct err e = { 0 };

    if (parse(a, &one, &e) || parse(b, &two, &e)) {
        check(false, "%s: %s", what, e.text);
        return;
    }
    check(is(image_id_compare(&one, &two), want) &&
          is(image_id_compare(&two, &one), want), "%s", what);
    image_id_free(&one);
    image_id_free(&two);
}

#define ID(kind, boot, dev, more) \
    "{'kind':'" kind "','boot_id':'" boot "','device_number':" dev more "}"
#define FILE_ID(boot, dev, more) ID("file", boot, dev, more)
#define INODE ",'inode':12"
#define UUID INODE ",'file_system':'uuid:a'"
#define NFS INODE ",'file_system':'nfs:srv:/vm'"
#define BORN UUID ",'generation':7,'birth_time':'1.000000000'"

static void files(void)
{
    pair(FILE_ID("x", "5", BORN), FILE_ID("x", "5", BORN), ID_SAME,
         "a file in one boot");
    pair(FILE_ID("x", "5", INODE), FILE_ID("x", "5", INODE), ID_SAME,
         "of whose file system nothing is known");
    pair(FILE_ID("x", "5", INODE), FILE_ID("x", "6", INODE), ID_OTHER,
         "on another device");
    pair(FILE_ID("x", "5", INODE), FILE_ID("x", "5", ",'inode':13"),
         ID_OTHER, "another inode");
    pair(FILE_ID("x", "5", UUID ",'generation':7"),
         FILE_ID("x", "5", UUID ",'generation':8"), ID_OTHER,
         "another generation");
    pair(FILE_ID("x", "5", UUID ",'birth_time':'1.000000000'"),
         FILE_ID("x", "5", UUID ",'birth_time':'1.000000001'"), ID_OTHER,
         "another birth");
    pair(FILE_ID("x", "5", BORN), FILE_ID("x", "5", UUID), ID_SAME,
         "what only one of them knows says nothing");
    pair(FILE_ID("x", "5", UUID),
         FILE_ID("x", "5", INODE ",'file_system':'uuid:b'"), ID_OTHER,
         "another file system under a number that was used again");
    pair(FILE_ID("x", "5", UUID ",'file_system_device':'dm:1'"),
         FILE_ID("x", "5", UUID ",'file_system_device':'dm:2'"), ID_OTHER,
         "a copy of it under that number");
    pair(FILE_ID("", "5", INODE), FILE_ID("", "5", INODE), ID_UNKNOWN,
         "an unknown boot is no boot's");

    pair(FILE_ID("x", "5", BORN), FILE_ID("y", "6", BORN), ID_SAME,
         "a file in two boots, whatever its device's number");
    pair(FILE_ID("x", "5", INODE), FILE_ID("y", "5", INODE), ID_UNKNOWN,
         "of an unknown file system: nothing is proved");
    pair(FILE_ID("x", "5", UUID), FILE_ID("y", "5", INODE), ID_UNKNOWN,
         "nor if one of them knows");
    pair(FILE_ID("x", "5", INODE), FILE_ID("y", "5", ",'inode':13"),
         ID_OTHER, "but an inode differs in every boot");
    pair(FILE_ID("x", "5", INODE ",'generation':7"),
         FILE_ID("y", "5", INODE ",'generation':8"), ID_OTHER,
         "and so does a generation");
    pair(FILE_ID("x", "5", UUID),
         FILE_ID("y", "5", INODE ",'file_system':'uuid:b'"), ID_OTHER,
         "another file system");
    pair(FILE_ID("x", "5", INODE ",'file_system':'uuid:a/256'"),
         FILE_ID("y", "5", INODE ",'file_system':'uuid:a/257'"), ID_OTHER,
         "another subvolume");
}

static void remounted(void)
{
    pair(FILE_ID("x", "5", UUID ",'file_system_device':'dm:1'"),
         FILE_ID("x", "6", UUID ",'file_system_device':'dm:1'"), ID_SAME,
         "mounted again in one boot, from the same device");
    pair(FILE_ID("x", "5", UUID ",'file_system_device':'dm:1'"),
         FILE_ID("x", "6", UUID ",'file_system_device':'dm:2'"), ID_OTHER,
         "a copy of the file system, mounted in its place");
    pair(FILE_ID("x", "5", UUID), FILE_ID("x", "6", UUID), ID_OTHER,
         "if its device has no name, a copy cannot be excluded");
    pair(FILE_ID("x", "5", NFS), FILE_ID("x", "6", NFS), ID_SAME,
         "NFS, mounted again");
    pair(FILE_ID("x", "5", NFS), FILE_ID("y", "6", NFS), ID_SAME,
         "NFS, after a boot");
    pair(FILE_ID("x", "5", NFS),
         FILE_ID("y", "5", INODE ",'file_system':'nfs:10.0.0.1:/vm'"),
         ID_UNKNOWN, "one server may have two names");
    pair(FILE_ID("x", "5", NFS), FILE_ID("y", "5", UUID), ID_OTHER,
         "but NFS is no disk");
}

#define DEV(boot, dev, more) ID("block", boot, dev, more)
#define DM ",'device':'dm:LVM-a'"
#define RBD ",'device':'rbd:c/p//i@-'"
#define LOOP(boot, dev, inode, more) DEV(boot, dev, ",'behind':" \
    FILE_ID(boot, "5", ",'inode':" inode ",'file_system':'uuid:a'") more)

static void devices(void)
{
    pair(DEV("x", "5", ""), DEV("x", "5", ""), ID_SAME,
         "a device in one boot");
    pair(DEV("x", "5", ""), DEV("x", "6", ""), ID_OTHER, "another number");
    pair(DEV("x", "5", ""), DEV("y", "5", ""), ID_UNKNOWN,
         "a bare device in two boots");
    pair(DEV("x", "5", DM), DEV("y", "6", DM), ID_SAME,
         "a volume in two boots");
    pair(DEV("x", "5", DM), DEV("x", "6", DM), ID_SAME,
         "a volume that was deactivated and activated");
    pair(DEV("x", "5", DM), DEV("x", "5", ",'device':'dm:LVM-b'"), ID_OTHER,
         "a volume that has the number of a removed one");
    pair(DEV("x", "5", DM), DEV("y", "5", ""), ID_UNKNOWN,
         "a device without its name");
    pair(DEV("x", "5", ",'device':'serial:1'"),
         DEV("y", "5", ",'device':'wwid:1'"), ID_UNKNOWN,
         "names of two sorts cannot be compared");
    pair(DEV("x", "5", DM), DEV("x", "5", DM ",'offset':512"), ID_OTHER,
         "a partition is not its disk");
    pair(DEV("x", "5", DM ",'offset':512"), DEV("y", "5", DM
         ",'offset':512"), ID_SAME, "a partition in two boots");
    pair(DEV("x", "5", RBD), DEV("x", "6", RBD), ID_SAME,
         "an image of Ceph's, mapped twice");
    pair(DEV("x", "5", ""), FILE_ID("x", "5", INODE), ID_OTHER,
         "a device is no file");
}

/* Whoever reads one of them now cannot tell which it was. */
static void shared_devices(void)
{
    struct image_id old, now;
    struct err e;

    parse(DEV("x", "5", ",'device':'serial:1'"), &old, &e);
    parse(DEV("y", "5", ",'device':'serial:1'"), &now, &e);
    now.shared = true;
    check(is(image_id_compare(&old, &now), ID_UNKNOWN) &&
          is(image_id_compare(&now, &old), ID_UNKNOWN),
          "after a boot a serial that two disks have proves nothing");
    free(now.boot);
    now.boot = mem_strdup("x");
    check(is(image_id_compare(&old, &now), ID_SAME),
          "within the boot the number does");
    image_id_free(&old);
    image_id_free(&now);
}

static void loops(void)
{
    pair(LOOP("x", "70", "12", ""), LOOP("x", "71", "12", ""), ID_SAME,
         "two loop devices of one file");
    pair(LOOP("x", "70", "12", ""), LOOP("x", "70", "13", ""), ID_OTHER,
         "a loop device that has another file now");
    pair(LOOP("x", "70", "12", ""), LOOP("y", "75", "12", ""), ID_SAME,
         "a loop device after a boot");
    pair(LOOP("x", "70", "12", ""), FILE_ID("x", "5", UUID), ID_SAME,
         "a loop device is its file");
    pair(LOOP("x", "70", "12", ",'offset':512"), FILE_ID("x", "5", UUID),
         ID_OTHER, "but not from an offset on");
    pair(LOOP("x", "70", "12", ",'offset':512"),
         LOOP("x", "71", "12", ",'offset':512"), ID_SAME,
         "two from the same offset on");
    pair(LOOP("x", "70", "12", ",'offset':512"),
         LOOP("x", "71", "12", ",'offset':1024"), ID_OTHER,
         "two from different ones");
    pair(LOOP("x", "70", "12", ",'offset':512"),
         LOOP("x", "71", "13", ",'offset':512"), ID_OTHER,
         "two with different files");
    pair(DEV("x", "70", ",'device':'loop:/a (deleted)'"),
         FILE_ID("x", "5", UUID), ID_UNKNOWN,
         "a loop device whose file is out of sight may be any");
    pair("null", FILE_ID("x", "5", UUID), ID_UNKNOWN,
         "what an older version wrote says nothing");
    pair("null", "null", ID_UNKNOWN, "not even of another such");
}

/* JSON */

static void refused(const char *text, const char *why)
{
    struct image_id id;
    struct err e = { 0 };

    check_err(parse(text, &id, &e), &e, SNAP_FAILED, why, "refused: %.60s",
              text);
    check(!image_id_given(&id) && !id.boot, "and gives nothing");
}

static void hostile(void)
{
    refused("[]", "'disks[0].id' is not an object");
    refused("'x'", "'disks[0].id' is not an object");
    refused("{}", "'disks[0].id.kind' is missing");
    refused("{'kind':7}", "'disks[0].id.kind' is not a string");
    refused(ID("socket", "x", "5", INODE), "'socket', neither file nor");
    refused(ID("", "x", "5", INODE), "neither file nor block");
    refused("{'kind':'file','inode':1,'device_number':1}",
            "'disks[0].id.boot_id' is missing");
    refused("{'kind':'file','boot_id':7,'inode':1,'device_number':1}",
            "'disks[0].id.boot_id' is not a string");
    refused("{'kind':'file','boot_id':'x','inode':1}",
            "'disks[0].id.device_number' is missing");
    refused(FILE_ID("x", "-5", INODE), "not a number in range");
    refused(FILE_ID("x", "5.5", INODE), "not a whole number");
    refused(FILE_ID("x", "'5'", INODE), "not a whole number");
    refused(FILE_ID("x", "5", ""), "'disks[0].id.inode' is missing");
    refused(FILE_ID("x", "5", ",'inode':-1"), "not a number in range");
    refused(FILE_ID("x", "5", ",'inode':null"), "not a whole number");
    refused(FILE_ID("x", "5", INODE ",'generation':4294967296"),
            "'disks[0].id.generation' is not a number in range");
    refused(FILE_ID("x", "5", INODE ",'generation':'1'"),
            "not a whole number");
    refused(FILE_ID("x", "5", INODE ",'file_system':''"), "is empty");
    refused(FILE_ID("x", "5", INODE ",'file_system':5"), "not a string");
    refused(FILE_ID("x", "5", INODE ",'file_system':'a\\u0000b'"),
            "free of NUL");
    refused(FILE_ID("x", "5", INODE ",'file_system_device':{}"),
            "not a string");
    refused(DEV("x", "5", ",'device':[]"), "not a string");
    refused(DEV("x", "5", ",'device':''"), "is empty");
    refused(DEV("x", "5", ",'offset':-512"), "not a number in range");
    refused(DEV("x", "5", ",'behind':'x'"),
            "'disks[0].id.behind' is not an object");
    refused(DEV("x", "5", ",'behind':{'kind':'file'}"),
            "'disks[0].id.behind.boot_id' is missing");
    refused(LOOP("x", "5", "-1", ""), "'disks[0].id.behind.inode'");
}

static void times(void)
{
    static const char *const bad[] = {
        "1", "1.", ".5", "1.5", "1.0000000000", "1.00000000x", "+1.000000000",
        " 1.000000000", "1.000000000 ", "--1.000000000", "1,000000000",
        "99999999999999999999.000000000", "1.-00000000",
    };
    struct image_id id;
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char *text = mem_printf(FILE_ID("x", "5", INODE ",'birth_time':"
                                "'%s'"), bad[i]);

        refused(text, "'disks[0].id.birth_time' is not a time");
        free(text);
    }
    check_ok(parse(FILE_ID("x", "5", INODE ",'birth_time':'-1.000000000'"),
                   &id, &e), &e, "a file from before 1970");
    image_id_free(&id);
}

static void deeply_nested(void)
{
    char *text = mem_strdup(FILE_ID("x", "5", INODE));
    struct image_id id, file;
    struct err e;
    unsigned i;

    for (i = 0; i < 50; i++) {
        char *more = mem_printf(DEV("x", "7", ",'behind':%s"), text);

        free(text);
        text = more;
    }
    check_ok(parse(text, &id, &e), &e, "a loop device of a loop device of...");
    parse(FILE_ID("x", "5", INODE), &file, &e);
    check(is(image_id_compare(&id, &file), ID_SAME), "is the file at the "
          "bottom");
    image_id_free(&id);
    image_id_free(&file);
    free(text);
}

static bool all_equal(const struct image_id *a, const struct image_id *b)
{
    json_object *x = image_id_to_json(a), *y = image_id_to_json(b);
    bool same = !strcmp(json_object_to_json_string(x),
                        json_object_to_json_string(y));

    json_object_put(x);
    json_object_put(y);
    return same;
}

static bool survives(const struct image_id *id)
{
    json_object *o = json_object_new_object();
    struct image_id back, copy;
    struct err e = { 0 };
    bool same;

    json_object_object_add(o, "id", image_id_to_json(id));
    same = !image_id_parse(o, "id", at, &back, &e) && all_equal(id, &back);
    if (!same)
        printf("# %s %s\n", json_object_to_json_string(o), e.text);
    image_id_copy(&copy, &back);
    image_id_free(&back);
    same = same && all_equal(id, &copy);
    image_id_free(&copy);
    json_object_put(o);
    return same;
}

static void written_and_read(void)
{
    static const char *const texts[] = {
        FILE_ID("x", "18446744073709551615", ",'inode':18446744073709551615,"
                "'generation':4294967295,'birth_time':'-12.123456789',"
                "'file_system':'nfs:s\\u00e4:/a b\\\\\\n','file_system_device'"
                ":'dm:x+0'"),
        DEV("x", "5", DM ",'offset':9223372036854775807"),
        LOOP("x", "5", "12", ",'offset':512"), FILE_ID("", "0", INODE),
    };
    json_object *o = json_object_new_object();
    struct image_id id;
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_ok(parse(texts[i], &id, &e), &e, "identity %zu is read", i);
        check(survives(&id), "written, read and copied it is the same");
        image_id_free(&id);
    }
    id = read_id("hard");
    check(survives(&id), "so is one that was read from a file");
    image_id_free(&id);
    check(!image_id_parse(o, "id", at, &id, &e) && !image_id_given(&id),
          "an older version's record gives none");
    json_object_object_add(o, "id", image_id_to_json(&id));
    check(!image_id_parse(o, "id", at, &id, &e) && !image_id_given(&id),
          "which is written as none");
    json_object_put(o);
}

/* A /sys of the test's own */

static void attribute(const char *dir, const char *name, const char *value)
{
    char *path = mem_printf("%s/%s/%s", sys_dir, dir, name), *p;

    for (p = path + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(path, 0700);
        *p = '/';
    }
    unit_puts(path, value);
    free(path);
}

/* A whole disk, under its name and its number. */
static void add_disk(const char *name, const char *number)
{
    char *dir = mem_printf("block/%s", name);
    char *dev = mem_printf("%s\n", number);
    char *target = mem_printf("../../block/%s", name);
    char *path = mem_printf("%s/dev/block/%s", sys_dir, number);

    attribute("dev/block", "x", "");
    attribute(dir, "dev", dev);
    if (symlink(target, path))
        exit(2);
    free(path);
    free(target);
    free(dev);
    free(dir);
}

static bool has_id(unsigned maj, unsigned min, const char *id,
                   uint64_t offset, bool shared)
{
    struct device d;
    bool same;

    device_read(makedev(maj, min), &d);
    same = d.offset == offset && d.shared == shared;
    if (id)
        same = same && d.id && !strcmp(d.id, id);
    else
        same = same && !d.id;
    if (!same)
        printf("# %s, %ju, %d\n", d.id ? d.id : "none", (uintmax_t)d.offset,
               d.shared);
    device_free(&d);
    return same;
}

static void fake_disks(void)
{
    char *part;

    add_disk("dm-0", "253:0");
    attribute("block/dm-0", "dm/uuid", "LVM-abcDEF\n");
    check(has_id(253, 0, "dm:LVM-abcDEF", 0, false), "a volume's uuid");
    add_disk("dm-1", "253:1");
    attribute("block/dm-1", "dm/uuid", "\n");
    check(has_id(253, 1, NULL, 0, false), "a mapped device without one");
    check(has_id(253, 9, NULL, 0, false), "a device that is not there");
    add_disk("nvme0n1", "259:0");
    attribute("block/nvme0n1", "wwid", "eui.0025\n");
    attribute("block/nvme0n1", "device/serial", "of the controller\n");
    check(has_id(259, 0, "wwid:eui.0025", 0, false), "NVMe");
    add_disk("sda", "8:0");
    attribute("block/sda", "device/wwid", "naa.5000\n");
    check(has_id(8, 0, "wwid:naa.5000", 0, false), "SCSI");
    attribute("block/sda/sda2", "partition", "2\n");
    attribute("block/sda/sda2", "start", "2048\n");
    part = mem_printf("%s/dev/block/8:2", sys_dir);
    check(!symlink("../../block/sda/sda2", part) &&
          has_id(8, 2, "wwid:naa.5000", 2048 * 512, false),
          "a partition is where it begins on its disk");
    free(part);
    add_disk("mmcblk0", "179:0");
    attribute("block/mmcblk0", "device/cid", "0353\n");
    check(has_id(179, 0, "cid:0353", 0, false), "MMC");
    add_disk("md0", "9:0");
    attribute("block/md0", "md/uuid", "1:2:3:4\n");
    check(has_id(9, 0, "md:1:2:3:4", 0, false), "RAID");
    add_disk("vda", "254:0");
    attribute("block/vda", "serial", "\x83g");
    check(has_id(254, 0, NULL, 0, false), "virtio's serial may be anything");
    add_disk("sdb", "8:16");
    attribute("block/sdb", "device/wwid", "naa.5000\n");
    check(has_id(8, 0, "wwid:naa.5000", 0, true) &&
          has_id(8, 16, "wwid:naa.5000", 0, true),
          "a name that two disks have is shared");
}

static void fake_rbd(void)
{
    add_disk("rbd0", "251:0");
    attribute("block/rbd0", "device/pool", "vms\n");
    attribute("block/rbd0", "device/image_id", "5e6\n");
    check(has_id(251, 0, NULL, 0, false), "an image of an unknown cluster");
    attribute("block/rbd0", "device/cluster_fsid", "c-f\n");
    check(has_id(251, 0, "rbd:c-f/vms//5e6@-", 0, false), "of Ceph");
    attribute("block/rbd0", "device/pool_ns", "ns\n");
    attribute("block/rbd0", "device/current_snap", "-\n");
    check(has_id(251, 0, "rbd:c-f/vms/ns/5e6@-", 0, false),
          "in a namespace");
    attribute("block/rbd0", "device/current_snap", "old\n");
    check(has_id(251, 0, "rbd:c-f/vms/ns/5e6@old", 0, false),
          "a snapshot of it");
}

static void fake_loop(void)
{
    char *file = unit_path("hard");
    char *line = mem_printf("%s\n", file);
    struct device d;

    add_disk("loop3", "7:3");
    attribute("block/loop3", "loop/backing_file", line);
    attribute("block/loop3", "loop/offset", "4096\n");
    device_read(makedev(7, 3), &d);
    check(d.backing_file && !strcmp(d.backing_file, file) &&
          d.offset == 4096 && !d.id, "a loop device's file and offset");
    device_free(&d);
    attribute("block/loop3", "loop/backing_file", "/a\nb\n");
    device_read(makedev(7, 3), &d);
    check(d.backing_file && !strcmp(d.backing_file, "/a\nb"),
          "a file's name may have a line break in it");
    device_free(&d);
    free(line);
    free(file);
}

static void fake_sys(void)
{
    char *dir = unit_path("sys");

    sys_dir = dir;
    fake_disks();
    fake_rbd();
    fake_loop();
    sys_dir = "/sys";
    free(dir);
}

/* Mount tables of the test's own */

static int mount_id(int fd)
{
    char *path = mem_printf("/proc/self/fdinfo/%d", fd), line[128];
    FILE *f = fopen(path, "re");
    int id = -1;

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "mnt_id: %d", &id) == 1)
            break;
    if (f)
        fclose(f);
    free(path);
    return id;
}

static bool has_name(const char *line, const char *name)
{
    int fd = open(unit_dir(), O_PATH | O_CLOEXEC);
    char *table = mem_printf("1 1 0:1 / / rw - rootfs rootfs rw\nnonsense\n"
                             "%d 1 %s\n9999", mount_id(fd), line);
    char *file = unit_path("mounts");
    struct mounted m;
    bool same;

    unit_puts(file, table);
    mounts_file = file;
    mounted_read(fd, &m);
    same = name ? m.name && !strcmp(m.name, name) : !m.name;
    if (!same)
        printf("# %s\n", m.name ? m.name : "none");
    mounted_free(&m);
    mounts_file = "/proc/self/mountinfo";
    close(fd);
    free(file);
    free(table);
    return same;
}

static void tables(void)
{
    check(has_name("0:50 / /vm rw,noatime shared:1 - nfs4 srv:/vm rw",
                   "nfs:srv:/vm"), "NFS: server and export");
    check(has_name("0:50 / /vm rw - nfs srv:/a\\040b\\134 rw",
                   "nfs:srv:/a b\\"), "with a blank in its name");
    check(has_name("0:50 /x /vm rw - ceph 1.2.3.4:6789:/ rw",
                   "ceph:1.2.3.4:6789:/"), "CephFS");
    check(has_name("0:50 / /vm rw master:1 - nfs", NULL),
          "a line that ends too early");
    check(has_name("0:50 / /vm rw nfs srv:/vm rw", NULL),
          "a line without its dash");
    check(has_name("x:50 / /vm rw - nfs srv:/vm rw", NULL),
          "a line without a number");
    image_id_forget_mounts();
    tables_read = 0;
    check(is(compare("hard", "hard"), ID_SAME) && tables_read == 1,
          "the table is read once for a file system");
    mounts_file = "/nonexistent";
    image_id_forget_mounts();
    check(is(compare("hard", "hard"), ID_SAME),
          "without a mount table a file is known within the boot");
    image_id_forget_mounts();
    mounts_file = "/proc/self/mountinfo";
}

/* Real devices and file systems */

#define MIB (1024 * 1024)

static void real_loops(void)
{
    char *a = unit_path("loop.a"), *b = unit_path("loop.b"), *one, *two;
    struct image_id old;
    int fd, fd2;

    unit_puts(a, "");
    unit_puts(b, "");
    if (truncate(a, MIB) || truncate(b, MIB))
        exit(2);
    fd = loop_attach(a, 0, &one);
    if (fd < 0) {
        skip("no loop devices here");
        goto out;
    }
    check(is(compare(one, a), ID_SAME) && same_key(one, a),
          "a loop device is its file, and has its key");
    check(is(compare(one, b), ID_OTHER) && !same_key(one, b),
          "and no other");
    old = recorded(one);
    check(is(compare_recorded(&old, b), ID_OTHER), "after a boot too");
    image_id_free(&old);
    fd2 = loop_attach(a, 0, &two);
    check(strcmp(one, two) && is(compare(one, two), ID_SAME) &&
          same_key(one, two), "two of one file are the same");
    close(fd2);
    free(two);
    fd2 = loop_attach(a, 4096, &two);
    check(is(compare(one, two), ID_OTHER) && same_key(one, two),
          "one with an offset is not, but the lock is the same");
    close(fd2);
    free(two);
    old = read_id(one);
    check(!rename(b, a) && is(compare(one, a), ID_UNKNOWN) &&
          is(compare_recorded(&old, one), ID_UNKNOWN),
          "a loop device whose file was removed may be any");
    image_id_free(&old);
    close(fd);
    free(one);

out:
    free(a);
    free(b);
}

struct volume {
    char *file, *loop, *point;
    int fd;
};

static bool mount_it(struct volume *v)
{
    mkdir(v->point, 0700);
    v->fd = loop_attach(v->file, 0, &v->loop);
    image_id_forget_mounts();
    return v->fd >= 0 && !mount(v->loop, v->point, "ext4", 0, NULL);
}

static void unmount_it(struct volume *v)
{
    umount(v->point);
    close(v->fd);
    free(v->loop);
    image_id_forget_mounts();
}

static bool copy_file(const char *from, const char *to)
{
    size_t len;
    char *data = unit_get(from, &len);

    unit_put(to, data, len);
    free(data);
    return true;
}

static void fs_here(struct volume *v, const struct image_id *id)
{
    char *gone = mem_printf("%s/no/such/folder/f", v->point);
    char *file = mem_printf("%s/f", v->point);
    struct image_id old = recorded(file);
    struct image_id device = read_id(v->loop);

    check(image_id_fs_here(id, file) && image_id_fs_here(id, gone) &&
          image_id_fs_here(&old, gone),
          "on this file system, also where folders are gone");
    check(!image_id_fs_here(id, unit_dir()) && !image_id_fs_here(id, "f") &&
          !image_id_fs_here(id, "/f"), "another path is not on it");
    check(!image_id_fs_here(&device, v->loop), "of a device it says nothing");
    unmount_it(v);
    check(!image_id_fs_here(id, file) && !image_id_fs_here(&old, gone),
          "unmounted, it is not here");
    check(mount_it(v) && image_id_fs_here(id, file) &&
          image_id_fs_here(&old, gone), "mounted again, it is");
    image_id_free(&device);
    image_id_free(&old);
    free(file);
    free(gone);
}

/* A second one, that has the number of the first one meanwhile. */
static void mounted_again(struct volume *v, struct volume *copy,
                          const struct image_id *id)
{
    char *file = mem_printf("%s/f", v->point);
    char *theirs = mem_printf("%s/f", copy->point), *spare;
    struct image_id old = recorded(file);
    int fd;

    unmount_it(v);
    fd = loop_attach("hard", 0, &spare);
    check(mount_it(v), "unmounted, and mounted from another loop device");
    check(is(compare_recorded(id, file), ID_SAME), "a file is the same");
    check(is(compare_recorded(&old, file), ID_SAME), "after a boot too");
    close(fd);
    free(spare);
    unmount_it(v);
    check(copy_file(v->file, copy->file) && mount_it(copy),
          "a copy of the whole file system, mounted instead");
    check(is(compare_recorded(id, theirs), ID_OTHER),
          "has another file, in this boot");
    check(mount_it(v), "both of them mounted");
    check(is(compare(file, theirs), ID_OTHER), "have two files");
    check(is(compare_recorded(&old, file), ID_UNKNOWN) &&
          is(compare_recorded(&old, theirs), ID_UNKNOWN),
          "and after a boot nothing tells which it was");
    check(!image_id_fs_here(&old, file), "nor which file system");
    unmount_it(copy);
    check(is(compare_recorded(&old, file), ID_SAME), "but when one is gone");
    image_id_free(&old);
    free(file);
    free(theirs);
}

static void real_file_systems(void)
{
    const char *small[] = { "-I", "128", NULL };
    struct volume v = { .file = unit_path("fs"), .point = unit_path("mnt") };
    struct volume copy = {
        .file = unit_path("fs.copy"), .point = unit_path("mnt.copy"),
    };
    char *file = unit_path("mnt/f");
    struct image_id id;

    if (!loop_own_mounts() || !loop_make_ext4(v.file, 8 * MIB, small) ||
        !mount_it(&v)) {
        skip("no file systems can be mounted here");
        return;
    }
    unit_puts(file, "x");
    id = read_id(file);
    check(!id.birth && id.has_generation && id.fs && id.fs_device &&
          !id.shared, "ext4 with small inodes: no time of birth, but all "
          "else");
    check(is(compare(v.loop, v.file), ID_SAME), "its device is its image");
    fs_here(&v, &id);
    mounted_again(&v, &copy, &id);
    image_id_free(&id);
    unmount_it(&v);
    check(!mount("none", v.point, "tmpfs", 0, NULL), "tmpfs is mounted");
    image_id_forget_mounts();
    unit_puts(file, "x");
    id = recorded(file);
    check(!id.fs && is(compare(file, file), ID_SAME) &&
          is(compare_recorded(&id, file), ID_UNKNOWN),
          "its files are known within the boot only");
    image_id_free(&id);
    umount(v.point);
    free(file);
    free(v.file);
    free(v.point);
    free(copy.file);
    free(copy.point);
}

int main(void)
{
    size_t before;

    unit_dir();
    before = unit_open_fds();
    spellings();
    not_images();
    reused();
    files();
    remounted();
    devices();
    shared_devices();
    loops();
    hostile();
    times();
    deeply_nested();
    written_and_read();
    fake_sys();
    tables();
    real_loops();
    real_file_systems();
    check(unit_open_fds() == before, "no descriptor is left open");
    return unit_done();
}
