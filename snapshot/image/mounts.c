/* SPDX-License-Identifier: LGPL-2.1-only */

/* The mount table, and the uuids of what is mounted. */

#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "image/mounts.h"
#include "sys/mem.h"

#ifndef MOUNTS_FILE
#define MOUNTS_FILE "/proc/self/mountinfo"
#endif

#define UUID_PREFIX "uuid:"
#define NFS_PREFIX "nfs:"
#define CEPH_PREFIX "ceph:"

/* FS_IOC_GETFSUUID, which the headers of older systems lack. */
struct fs_uuid {
    uint8_t len, uuid[16];
};
#define GET_FS_UUID _IOR(0x15, 0, struct fs_uuid)

struct mount {
    int id;
    dev_t dev;          /* of its files, but for btrfs */
    char *type, *source;
};

struct table {
    struct mount *mounts;
    size_t n;
};

/* In place: a blank, for one, is "\040". */
static void unescape(char *s)
{
    char *to = s;
    unsigned code;

    while (*s) {
        if (s[0] == '\\' && sscanf(s + 1, "%3o", &code) == 1) {
            *to++ = (char)code;
            s += 4;
        } else {
            *to++ = *s++;
        }
    }
    *to = '\0';
}

/* "ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS] - TYPE SOURCE OPTIONS" */
static bool parse_mount(char *line, struct mount *m)
{
    unsigned maj, min;
    char *p, *type, *source, *save = NULL;

    if (sscanf(line, "%d %*d %u:%u ", &m->id, &maj, &min) != 3)
        return false;
    p = strstr(line, " - ");
    if (!p)
        return false;
    type = strtok_r(p + 3, " \n", &save);
    source = strtok_r(NULL, " \n", &save);
    if (!type || !source)
        return false;
    unescape(source);
    m->dev = makedev(maj, min);
    m->type = mem_strdup(type);
    m->source = mem_strdup(source);
    return true;
}

static void read_table(struct table *t)
{
    FILE *f = fopen(MOUNTS_FILE, "re");
    size_t room = 0, line_room = 0;
    char *line = NULL;

    memset(t, 0, sizeof(*t));
    while (f && getline(&line, &line_room, f) > 0) {
        if (t->n == room) {
            room = 2 * room + 64;
            t->mounts = mem_grow(t->mounts, room, sizeof(*t->mounts));
        }
        if (parse_mount(line, &t->mounts[t->n]))
            t->n++;
    }
    free(line);
    if (f)
        fclose(f);
}

static void free_table(struct table *t)
{
    size_t i;

    for (i = 0; i < t->n; i++) {
        free(t->mounts[i].type);
        free(t->mounts[i].source);
    }
    free(t->mounts);
}

/*
 * By the mount's id: the device number that stat() gives for files on btrfs
 * is a subvolume's, which is not in the table.
 */
static const struct mount *mount_of(const struct table *t, int fd)
{
    char path[64], line[128];
    int id = -1;
    size_t i;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    f = fopen(path, "re");
    while (f && id < 0 && fgets(line, sizeof(line), f))
        if (sscanf(line, "mnt_id: %d", &id) != 1)
            id = -1;
    if (f)
        fclose(f);
    for (i = 0; i < t->n; i++)
        if (t->mounts[i].id == id)
            return &t->mounts[i];
    return NULL;
}

static bool is_type(const struct mount *m, const char *type)
{
    return !strcmp(m->type, type);
}

/* The device number of the block device that it is on, or 0. */
static dev_t device_of(const struct mount *m)
{
    struct stat st;

    if (major(m->dev))
        return m->dev;
    /* btrfs, on one or several: any of them has the uuid. */
    if (is_type(m, "btrfs") && !stat(m->source, &st) && S_ISBLK(st.st_mode))
        return st.st_rdev;
    return 0;
}

/*
 * The kernel's own name for a device: what the table calls its source may be
 * "/dev/root", or have been renamed.
 */
static char *device_path(dev_t dev)
{
    char *uevent = mem_printf("/sys/dev/block/%u:%u/uevent", major(dev),
                              minor(dev));
    FILE *f = fopen(uevent, "re");
    char line[256], *path = NULL;
    struct stat st;

    while (f && !path && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        if (!strncmp(line, "DEVNAME=", 8))
            path = mem_printf("/dev/%s", line + 8);
    }
    if (f)
        fclose(f);
    free(uevent);
    if (path && (stat(path, &st) || !S_ISBLK(st.st_mode) ||
                 st.st_rdev != dev)) {
        free(path);
        path = NULL;
    }
    return path;
}

static bool is_ext(const char *type)
{
    return !strcmp(type, "ext2") || !strcmp(type, "ext3") ||
           !strcmp(type, "ext4");
}

/*
 * Only superblocks of the mounted type count: what an earlier use of the
 * device left on it would make the answer ambiguous.
 */
static void filter(blkid_probe probe, const char *type)
{
    char *ext[] = { "ext2", "ext3", "ext4", NULL };
    char *one[] = { (char *)type, NULL };
    char **types = one;

    /* The kernel mounts one as another of them. */
    if (is_ext(type))
        types = ext;
    blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_ONLYIN, types);
}

/* NULL if there is none, or this user may not read the device. */
static char *uuid_of(const struct mount *m)
{
    dev_t dev = device_of(m);
    const char *value;
    blkid_probe probe = NULL;
    char *path = NULL, *uuid = NULL;

    if (dev)
        path = device_path(dev);
    if (path)
        probe = blkid_new_probe_from_filename(path);
    if (probe) {
        blkid_probe_enable_superblocks(probe, 1);
        blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID);
        filter(probe, m->type);
        if (!blkid_do_probe(probe) &&
            !blkid_probe_lookup_value(probe, "UUID", &value, NULL))
            uuid = mem_strdup(value);
        blkid_free_probe(probe);
    }
    free(path);
    return uuid;
}

/* True if another one with this uuid is mounted. */
static bool is_shared(const struct table *t, const struct mount *m,
                      const char *uuid)
{
    bool shared = false;
    size_t i, k;

    for (i = 0; i < t->n && !shared; i++) {
        const struct mount *other = &t->mounts[i];
        char *theirs;

        for (k = 0; k < i && t->mounts[k].dev != other->dev; k++)
            ;
        /* Those mounted twice are one, and a copy has its original's type. */
        if (k < i || other->dev == m->dev ||
            (!is_type(other, m->type) &&
             !(is_ext(other->type) && is_ext(m->type))))
            continue;
        theirs = uuid_of(other);
        shared = theirs && !strcmp(theirs, uuid);
        free(theirs);
    }
    return shared;
}

/* Of Linux 6.9 on; the same uuid that is in the superblock. */
static char *kernel_uuid(int fd)
{
    static const struct fs_uuid none = { .len = sizeof(none.uuid) };
    struct fs_uuid u = { 0 };
    char text[2 * sizeof(u.uuid) + 5], *to = text;
    size_t i;

    if (ioctl(fd, GET_FS_UUID, &u) || u.len != sizeof(u.uuid) ||
        !memcmp(&u, &none, sizeof(u)))
        return NULL;
    for (i = 0; i < sizeof(u.uuid); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        to += sprintf(to, "%02x", u.uuid[i]);
    }
    return mem_strdup(text);
}

/*
 * "/ID": files of two subvolumes, one a snapshot of the other, have the same
 * inode number, generation and birth time.
 */
static char *subvolume(int fd)
{
    struct btrfs_ioctl_ino_lookup_args args = {
        .objectid = BTRFS_FIRST_FREE_OBJECTID,
    };

    if (ioctl(fd, BTRFS_IOC_INO_LOOKUP, &args))
        return NULL;
    return mem_printf("/%llu", (unsigned long long)args.treeid);
}

static int reopen(int fd)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

static void read_uuid(const struct table *t, const struct mount *m, int fd,
                      struct mounted *out)
{
    char *uuid = NULL, *inside = mem_strdup("");
    int readable = reopen(fd);

    /* tmpfs makes one up whenever it is mounted. */
    if (out->device)
        uuid = kernel_uuid(readable);
    if (!uuid)
        uuid = uuid_of(m);
    if (is_type(m, "btrfs")) {
        free(inside);
        inside = subvolume(readable);
    }
    if (uuid && inside) {
        out->name = mem_printf(UUID_PREFIX "%s%s", uuid, inside);
        out->shared = is_shared(t, m, uuid);
    }
    free(uuid);
    free(inside);
    if (readable >= 0)
        close(readable);
}

void mounted_read(int fd, struct mounted *out)
{
    const struct mount *m;
    struct table t;

    memset(out, 0, sizeof(*out));
    read_table(&t);
    m = mount_of(&t, fd);
    if (m) {
        out->device = device_of(m);
        if (is_type(m, "nfs") || is_type(m, "nfs4"))
            out->name = mem_printf(NFS_PREFIX "%s", m->source);
        else if (is_type(m, "ceph"))
            out->name = mem_printf(CEPH_PREFIX "%s", m->source);
        else
            read_uuid(&t, m, fd, out);
    }
    free_table(&t);
}

void mounted_free(struct mounted *m)
{
    free(m->name);
    memset(m, 0, sizeof(*m));
}

bool mounted_is_remote(const char *name)
{
    return strncmp(name, UUID_PREFIX, strlen(UUID_PREFIX)) != 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
