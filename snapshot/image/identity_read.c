/* SPDX-License-Identifier: LGPL-2.1-only */

/* Identities, read from files and devices. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/device.h"
#include "image/identity.h"
#include "image/mounts.h"
#include "sys/err.h"
#include "sys/host.h"
#include "sys/mem.h"

/* A loop device on a file in a file system on a loop device, and so on. */
#define MAX_NESTED 8

static unsigned nested;

/* What was found out of file systems, by st_dev. */
static struct known {
    uint64_t dev;
    char *fs, *device;
    bool shared;
} *known;
static size_t nknown;

void image_id_forget_mounts(void)
{
    size_t i;

    for (i = 0; i < nknown; i++) {
        free(known[i].fs);
        free(known[i].device);
    }
    free(known);
    known = NULL;
    nknown = 0;
}

static void read_block(dev_t rdev, struct image_id *id);

/*
 * The name of the device that a file system is on.  It is compared within a
 * boot only, so what stands for a loop device is its file's key.
 */
static char *device_name(dev_t dev)
{
    struct image_id id = { .kind = IMAGE_KIND_BLOCK };
    char *name = NULL, *key;

    if (!dev)
        return NULL;
    read_block(dev, &id);
    if (id.behind) {
        key = image_id_key(&id);
        name = mem_printf("loop:%s+%" PRIu64, key, id.offset);
        free(key);
    } else if (id.device && !id.shared) {
        name = mem_printf("%s+%" PRIu64, id.device, id.offset);
    }
    image_id_free(&id);
    return name;
}

/* By number, as the entry moves when others are added. */
static size_t look_up(int fd, dev_t dev)
{
    struct mounted m;
    char *device;
    size_t i;

    for (i = 0; i < nknown; i++)
        if (known[i].dev == dev)
            return i;
    mounted_read(fd, &m);
    device = device_name(m.device);
    known = mem_grow(known, nknown + 1, sizeof(*known));
    known[nknown].dev = dev;
    known[nknown].fs = mem_strdup(m.name);
    known[nknown].device = device;
    known[nknown].shared = m.shared;
    mounted_free(&m);
    return nknown++;
}

static void read_fs(int fd, dev_t dev, struct image_id *id)
{
    size_t i = look_up(fd, dev);

    id->dev = dev;
    id->fs = mem_strdup(known[i].fs);
    id->fs_device = mem_strdup(known[i].device);
    id->shared = known[i].shared;
}

/*
 * The descriptor may be O_PATH, and the file another user's on NFS: without
 * a right to read it there is no generation.
 */
static void read_generation(int fd, struct image_id *id)
{
    char *path = mem_printf("/proc/self/fd/%d", fd);
    int readable = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    /* A long by its definition, an int by what file systems write. */
    uint32_t version[2] = { 0, 0 };

    if (readable >= 0 && !ioctl(readable, FS_IOC_GETVERSION, version)) {
        id->has_generation = true;
        id->generation = version[0];
    }
    if (readable >= 0)
        close(readable);
    free(path);
}

static void read_birth(int fd, struct image_id *id)
{
    struct statx stx;

    /* ext4 with inodes of 128 bytes keeps none. */
    if (!statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) &&
        (stx.stx_mask & STATX_BTIME))
        id->birth = mem_printf("%lld.%09u", (long long)stx.stx_btime.tv_sec,
                               (unsigned)stx.stx_btime.tv_nsec);
}

/* The file behind a loop device, by the path that the kernel gives. */
static void read_behind(const struct device *d, struct image_id *id)
{
    struct err ignored;

    nested++;
    id->behind = mem_zalloc(1, sizeof(*id->behind));
    if (nested > MAX_NESTED ||
        image_id_read(d->backing_file, id->behind, &ignored)) {
        /* Deleted, or out of sight: it can be any file. */
        free(id->behind);
        id->behind = NULL;
        id->device = mem_printf("loop:%s", d->backing_file);
    }
    nested--;
}

static void read_block(dev_t rdev, struct image_id *id)
{
    struct device d;

    device_read(rdev, &d);
    id->dev = rdev;
    id->offset = d.offset;
    id->shared = d.shared;
    if (d.backing_file)
        read_behind(&d, id);
    else
        id->device = mem_strdup(d.id);
    device_free(&d);
}

static void read_file(int fd, const struct stat *st, struct image_id *id)
{
    id->inode = st->st_ino;
    read_fs(fd, st->st_dev, id);
    read_generation(fd, id);
    read_birth(fd, id);
}

int image_id_read_fd(int fd, const char *what, struct image_id *id,
                     struct err *e)
{
    struct stat st;

    memset(id, 0, sizeof(*id));
    if (fstat(fd, &st))
        return err_errno(e, "cannot look at %s", what);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        errno = EINVAL;
        return err_set(e, SNAP_FAILED, "%s is neither a regular file nor a "
                       "block device", what);
    }
    id->boot = host_boot_id();
    if (S_ISBLK(st.st_mode)) {
        id->kind = IMAGE_KIND_BLOCK;
        read_block(st.st_rdev, id);
    } else {
        id->kind = IMAGE_KIND_FILE;
        read_file(fd, &st, id);
    }
    return 0;
}

int image_id_read(const char *path, struct image_id *id, struct err *e)
{
    /* O_PATH: of a device in the file's place nothing is set off. */
    int fd = open(path, O_PATH | O_CLOEXEC);
    int rc, saved;

    memset(id, 0, sizeof(*id));
    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    rc = image_id_read_fd(fd, path, id, e);
    saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

/* The nearest directory above the path that exists. */
static int open_above(const char *path)
{
    char *dir = mem_strdup(path), *slash;
    int fd = -1;

    while (fd < 0 && (slash = strrchr(dir, '/'))) {
        if (slash == dir) {
            fd = open("/", O_PATH | O_CLOEXEC);
            break;
        }
        *slash = '\0';
        fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    if (!slash)
        fd = open(".", O_PATH | O_CLOEXEC);
    free(dir);
    return fd;
}

bool image_id_fs_here(const struct image_id *id, const char *path)
{
    /* A file that would be the same if it were here. */
    struct image_id here = { .kind = IMAGE_KIND_FILE, .inode = id->inode };
    int fd = open_above(path);
    bool yes = false;
    struct stat st;

    if (id->kind == IMAGE_KIND_FILE && fd >= 0 && !fstat(fd, &st)) {
        here.boot = host_boot_id();
        read_fs(fd, st.st_dev, &here);
        yes = image_id_compare(id, &here) == ID_SAME;
    }
    if (fd >= 0)
        close(fd);
    image_id_free(&here);
    return yes;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
