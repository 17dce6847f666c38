/* SPDX-License-Identifier: LGPL-2.1-only */

/* What shows, within a boot, whether an image was written to. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "image/device.h"
#include "image/seal.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/host.h"
#include "sys/mem.h"

#define MAGIC "seal1"
#define NONE "none"             /* nothing would show a write */
#define BOOT_MAX 64

#define NS_PER_S 1000000000ll
#define NS_PER_MS 1000000ll
#define POLL_MS 1
#define SETTLE_MAX_MS 3000      /* more than any file system's granularity */
#define REMOTE_TICKS_MS 20      /* two of the slowest kernel's, 100 Hz */

#define BLOCK 4096

static int64_t ns(struct timespec ts)
{
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/*
 * A file system may keep less of a time than nanoseconds: as much as this
 * one is a multiple of.  ext4 with small inodes keeps seconds, FAT two.
 */
static int64_t granularity(struct timespec ts)
{
    int64_t unit = 1;

    if (ts.tv_nsec == 0)
        return 2 * NS_PER_S;
    while (ts.tv_nsec % (unit * 10) == 0)
        unit *= 10;
    return unit;
}

/*
 * The kernel stamps files with the time of its last clock tick, so until the
 * next one a further write leaves mtime and ctime as they are (Linux 6.13
 * corrected that for a file whose times were looked at, on some file systems).
 * A seal taken in between would not show such a write.  Times do differ
 * from the moment on when that same clock, CLOCK_REALTIME_COARSE, is past
 * the file's ctime: read before the ctime, it is earlier than any stamp of
 * a write that the ctime does not show.
 *
 * *settled_r is false where the ctime is in the future, as the clock was set
 * back: no wait would be long enough.
 */
static int settle_local(int fd, const char *path, struct stat *st,
                        bool *settled_r, struct err *e)
{
    uint64_t until = clock_ms() + SETTLE_MAX_MS;
    struct timespec now;

    for (;;) {
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        if (fstat(fd, st))
            return err_errno(e, "cannot look at %s", path);
        *settled_r = ns(now) - ns(st->st_ctim) >= granularity(st->st_ctim);
        if (*settled_r || clock_ms() > until)
            return 0;
        clock_sleep_ms(POLL_MS);
    }
}

static bool is_remote(int fd)
{
    static const uint32_t magics[] = {
        NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, 0xff534d42 /* CIFS */,
        0xfe534d42 /* SMB2 */, 0x00c36400 /* Ceph */, V9FS_MAGIC,
        AFS_SUPER_MAGIC, 0x65735546 /* FUSE */,
    };
    struct statfs fs;
    size_t i;

    if (fstatfs(fd, &fs))
        return false;
    for (i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
        if ((uint32_t)fs.f_type == magics[i])
            return true;
    return false;
}

/*
 * Another host stamps the file, by a clock that cannot be asked: so long
 * after the last write that any such clock has moved on.
 */
static int settle_remote(int fd, const char *path, struct stat *st,
                         struct err *e)
{
    if (fstat(fd, st))
        return err_errno(e, "cannot look at %s", path);
    clock_sleep_ms((unsigned)(granularity(st->st_ctim) / NS_PER_MS) +
                   REMOTE_TICKS_MS);
    return 0;
}

/* Looks at the file when any later write will give it another time. */
static int settle(int fd, const char *path, struct stat *st, bool *settled_r,
                  struct err *e)
{
    *settled_r = true;
    if (is_remote(fd))
        return settle_remote(fd, path, st, e);
    return settle_local(fd, path, st, settled_r, e);
}

static char *stat_text(const struct stat *st)
{
    return mem_printf("file %ju %ju %jd %jd.%09ld %jd.%09ld",
                      (uintmax_t)st->st_dev, (uintmax_t)st->st_ino,
                      (intmax_t)st->st_size, (intmax_t)st->st_mtim.tv_sec,
                      st->st_mtim.tv_nsec, (intmax_t)st->st_ctim.tv_sec,
                      st->st_ctim.tv_nsec);
}

/* NULL in *text_r: nothing would show a write. */
static int file_text(int fd, const char *path, bool take, char **text_r,
                     struct err *e)
{
    bool settled = true;
    struct stat st;

    *text_r = NULL;
    if (take) {
        if (settle(fd, path, &st, &settled, e))
            return -1;
    } else if (fstat(fd, &st)) {
        return err_errno(e, "cannot look at %s", path);
    }
    if (settled)
        *text_r = stat_text(&st);
    return 0;
}

/* What the kernel counted of a device or partition, in sectors. */
struct counts {
    uint64_t read, written, discarded;
};

/*
 * Documentation/admin-guide/abi-stable: /sys/block/DISK/stat.  Sectors, and
 * not requests: those are counted after whoever wrote was told that he has,
 * and device-mapper counts a flush, such as our own fsync(), as one.
 */
static bool read_counts(const char *dir, struct counts *c)
{
    char *path = mem_printf("%s/stat", dir);
    FILE *f = fopen(path, "re");
    uint64_t v[14] = { 0 };
    size_t n = 0;

    while (f && n < 14 && fscanf(f, "%" SCNu64, &v[n]) == 1)
        n++;
    if (f)
        fclose(f);
    free(path);
    c->read = v[2];
    c->written = v[6];
    c->discarded = v[13];       /* of Linux 4.18 on */
    return n >= 11;
}

static bool read_block(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECT | O_NONBLOCK | O_CLOEXEC);
    void *buf = NULL;
    ssize_t n = -1;

    if (fd >= 0 && !posix_memalign(&buf, BLOCK, BLOCK))
        n = pread(fd, buf, BLOCK, 0);
    free(buf);
    if (fd >= 0)
        close(fd);
    return n > 0;
}

/*
 * Some drivers count nothing, and any device stops when its queue/iostats is
 * set to 0.  One that counts a read counts a write.
 */
static bool counts_reads(const char *path, const char *dir)
{
    struct counts before, after;

    return read_counts(dir, &before) && read_block(path) &&
           read_counts(dir, &after) && after.read > before.read;
}

/* A loop device's file can be written to past it, or be another one now. */
static char *behind_text(dev_t rdev, bool take)
{
    struct err ignored;
    struct device d;
    char *text = NULL;
    struct stat st;
    int fd = -1;

    device_read(rdev, &d);
    if (!d.backing_file)
        text = mem_strdup("");
    else if (!stat(d.backing_file, &st) && S_ISREG(st.st_mode))
        fd = open(d.backing_file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        (void)file_text(fd, d.backing_file, take, &text, &ignored);
        close(fd);
    }
    device_free(&d);
    return text;
}

/* NULL if nothing would show a write to it. */
static char *block_text(const char *path, dev_t rdev, bool take)
{
    char *dir = mem_printf("/sys/dev/block/%u:%u", major(rdev), minor(rdev));
    char *behind = behind_text(rdev, take), *text = NULL;
    struct counts c;
    struct stat node;

    /*
     * Counting begins anew when a volume is activated anew: its folder in
     * sysfs is then another one.
     */
    if (behind && !stat(dir, &node) && counts_reads(path, dir) &&
        read_counts(dir, &c))
        text = mem_printf("block %u:%u %ju %" PRIu64 " %" PRIu64 " %s",
                          major(rdev), minor(rdev), (uintmax_t)node.st_ino,
                          c.written, c.discarded, behind);
    free(behind);
    free(dir);
    return text;
}

/* For reading; what is not an image must not hang or be set off. */
static int open_image(const char *path, struct err *e)
{
    struct stat st;
    int fd;

    if (stat(path, &st))
        return err_errno(e, "cannot look at %s", path);
    if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
        return err_set(e, SNAP_FAILED, "%s is neither a regular file nor a "
                       "block device", path);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_errno(e, "cannot open %s", path);
    return fd;
}

/* What is to be said of the image; NULL in *text_r: nothing would prove it. */
static int describe(const char *path, bool take, char **text_r, struct err *e)
{
    int fd = open_image(path, e), rc = -1;
    struct stat st;

    *text_r = NULL;
    if (fd < 0)
        return -1;
    if (fstat(fd, &st)) {
        err_errno(e, "cannot look at %s", path);
        goto out;
    }
    /* What is in a device's page cache is counted when it is written out. */
    if ((take || S_ISBLK(st.st_mode)) && file_sync(fd, path, e))
        goto out;
    rc = 0;
    if (S_ISBLK(st.st_mode))
        *text_r = block_text(path, st.st_rdev, take);
    else
        rc = file_text(fd, path, take, text_r, e);

out:
    close(fd);
    return rc;
}

int seal_take(const char *path, char **seal_r, struct err *e)
{
    char *boot, *text;

    *seal_r = NULL;
    if (describe(path, true, &text, e))
        return -1;
    if (!text)
        text = mem_strdup(NONE);
    boot = host_boot_id();
    *seal_r = mem_printf(MAGIC " %s %s", boot, text);
    free(boot);
    free(text);
    return 0;
}

static bool is_file_text(const char *text)
{
    int end = -1;

    sscanf(text, "file %*[0-9] %*[0-9] %*[0-9] %*[-0-9].%*9[0-9] "
           "%*[-0-9].%*9[0-9]%n", &end);
    return end > 0 && !text[end];
}

static bool is_block_text(const char *text)
{
    int end = -1;

    sscanf(text, "block %*[0-9]:%*[0-9] %*[0-9] %*[0-9] %*[0-9]%n", &end);
    if (end < 0 || text[end] != ' ')
        return false;
    return !text[end + 1] || is_file_text(text + end + 1);
}

/* What a seal of this boot says; NULL if it is none. */
static const char *sealed_text(const char *seal)
{
    char boot[BOOT_MAX] = "";
    int start = -1;

    if (!seal || sscanf(seal, MAGIC " %63[-0-9a-f] %n", boot, &start) != 1 ||
        start < 0 || !host_is_same_boot(boot))
        return NULL;
    if (!is_file_text(seal + start) && !is_block_text(seal + start))
        return NULL;
    return seal + start;
}

enum seal_state seal_check(const char *path, const char *seal)
{
    const char *then = sealed_text(seal);
    enum seal_state state;
    struct err ignored;
    char *now = NULL;

    if (!then)
        return SEAL_UNKNOWN;
    if (describe(path, false, &now, &ignored))
        return SEAL_UNREADABLE;
    if (!now)
        return SEAL_UNKNOWN;
    if (strcmp(then, now))
        state = SEAL_BROKEN;
    else
        state = SEAL_INTACT;
    free(now);
    return state;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
