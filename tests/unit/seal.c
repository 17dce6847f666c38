#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "snapshot/image/seal.h"
#include "snapshot/sys/host.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/loop.h"
#include "tests/unit/unit.h"

#define MIB (1024 * 1024)

/* Seconds by which the clock that stamps files seems to be set back. */
static time_t set_back;
/* The type of every file system, if it is not 0. */
static long fs_type;

int __real_clock_gettime(clockid_t id, struct timespec *ts);
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
int __real_fstatfs64(int fd, struct statfs *fs);
int __wrap_fstatfs64(int fd, struct statfs *fs);

int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = __real_clock_gettime(id, ts);

    if (id == CLOCK_REALTIME_COARSE)
        ts->tv_sec -= set_back;
    return rc;
}

int __wrap_fstatfs64(int fd, struct statfs *fs)
{
    int rc = __real_fstatfs64(fd, fs);

    if (fs_type)
        fs->f_type = fs_type;
    return rc;
}

static char *take(const char *path)
{
    struct err e;
    char *seal;

    if (seal_take(path, &seal, &e)) {
        printf("# %s\n", e.text);
        exit(2);
    }
    return seal;
}

static bool is(const char *path, const char *seal, enum seal_state want)
{
    enum seal_state state = seal_check(path, seal);

    if (state != want)
        printf("# %d, not %d, of '%s'\n", state, want, seal);
    return state == want;
}

static void write_byte(const char *path, off_t where, char c)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || pwrite(fd, &c, 1, where) != 1) {
        perror(path);
        exit(2);
    }
    close(fd);
}

/* What breaks the seal of a file */

static void by_write(const char *path)
{
    write_byte(path, 3, 'x');
}

static void by_same_bytes(const char *path)
{
    write_byte(path, 0, 's');
}

static void by_append(const char *path)
{
    write_byte(path, 100, 'x');
}

static void by_truncate(const char *path)
{
    (void)!truncate(path, 2);
}

static void by_old_times(const char *path)
{
    struct stat st;
    struct timespec times[2];

    stat(path, &st);
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    write_byte(path, 3, 'x');
    utimensat(AT_FDCWD, path, times, 0);
}

static void by_mapping(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char *map = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    map[0] = 'x';
    munmap(map, 1);
    close(fd);
}

static void by_replacing(const char *path)
{
    char *new = mem_printf("%s.new", path);

    unit_puts(new, "some bytes");
    rename(new, path);
    free(new);
}

static void by_chmod(const char *path)
{
    chmod(path, 0640);
}

static void broken(void)
{
    static const struct {
        void (*by)(const char *path);
        const char *what;
    } of[] = {
        { by_write, "a write" }, { by_same_bytes, "a write of the same" },
        { by_append, "a longer file" }, { by_truncate, "a shorter one" },
        { by_old_times, "a write and its time set back" },
        { by_mapping, "a write to its mapping" },
        { by_replacing, "another file in its place" },
        { by_chmod, "a change of its mode" },
    };
    char *path = unit_path("file"), *seal, *text;
    size_t i;

    for (i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        unit_puts(path, "some bytes");
        seal = take(path);
        check(is(path, seal, SEAL_INTACT) && is(path, seal, SEAL_INTACT),
              "a seal is intact");
        text = unit_get(path, NULL);
        free(text);
        check(is(path, seal, SEAL_INTACT), "also when the file was read");
        of[i].by(path);
        check(is(path, seal, SEAL_BROKEN), "%s breaks it", of[i].what);
        free(seal);
        chmod(path, 0600);
    }
    free(path);
}

/* A seal of this boot that says so. */
static char *with_text(const char *text)
{
    char *boot = host_boot_id();
    char *seal = mem_printf("seal1 %s %s", boot, text);

    free(boot);
    return seal;
}

static void unknown(void)
{
    static const char *const bad[] = {
        "", "none", "file", "file 1 2 3", "file 1 2 3 4.000000000",
        "file 1 2 3 4.000000000 5.000000000 ",
        "file 1 2 3 4.000000000 5.000000000 6",
        "file -1 2 3 4.000000000 5.000000000",
        "file a 2 3 4.000000000 5.000000000",
        "file 1 2 3 4 5", "block", "block 1:2", "block 1:2 3 4 5",
        "block 1:2 3 4 5 file", "block 1:2 3 4 5 6", "block 1 2 3 4 ",
        "dir 1 2 3 4.000000000 5.000000000",
    };
    char *path = unit_path("file"), *gone = unit_path("gone");
    char *seal, *text, *other;
    size_t i;

    unit_puts(path, "some bytes");
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        text = with_text(bad[i]);
        check(is(path, text, SEAL_UNKNOWN), "no seal: '%s'", bad[i]);
        free(text);
    }
    check(is(path, NULL, SEAL_UNKNOWN) && is(path, "", SEAL_UNKNOWN) &&
          is(path, "seal1", SEAL_UNKNOWN), "nor is nothing");
    text = with_text("file 1 2 3 4.000000000 5.000000000");
    check(is(path, text, SEAL_BROKEN), "that of another file is broken");
    text[4] = '2';
    check(is(path, text, SEAL_UNKNOWN), "that of a later version unknown");
    free(text);
    seal = take(path);
    check(is(gone, seal, SEAL_UNREADABLE), "of what is not there nothing is "
          "known");
    check(is(unit_dir(), seal, SEAL_UNREADABLE), "nor of a folder");
    /* "seal1 BOOT ": another digit in it */
    other = mem_strdup(seal);
    other[6] = other[6] == '0' ? '1' : '0';
    check(is(path, other, SEAL_UNKNOWN), "nor in another boot");
    free(other);
    other = mem_printf("seal1  %s", strstr(seal, "file "));
    check(is(path, other, SEAL_UNKNOWN), "nor in one without a name");
    free(other);
    free(seal);
    free(path);
    free(gone);
}

static void errors(void)
{
    char *fifo = unit_path("fifo"), *seal;
    struct err e;

    check_err(seal_take("/nonexistent/x", &seal, &e), &e, SNAP_FAILED,
              "/nonexistent/x", "what is not there cannot be sealed");
    check(!seal, "and gives no seal");
    mkfifo(fifo, 0600);
    check_err(seal_take(fifo, &seal, &e), &e, SNAP_FAILED,
              "neither a regular file", "nor can a FIFO, which hangs nobody");
    check_err(seal_take(unit_dir(), &seal, &e), &e, SNAP_FAILED,
              "neither a regular file", "or a folder");
    free(fifo);
}

/* The next tick of the kernel's clock */

#define FILES 50

/*
 * All of them are written, sealed, and written again at once: within one
 * tick, if sealing did not wait for the next one.
 */
static unsigned missed(const char *dir, unsigned rounds)
{
    char *paths[FILES], *seals[FILES];
    unsigned n = 0, r, i;

    for (i = 0; i < FILES; i++)
        paths[i] = mem_printf("%s/f%u", dir, i);
    for (i = 0; i < FILES; i++)
        unit_puts(paths[i], "x");
    for (r = 0; r < rounds; r++) {
        for (i = 0; i < FILES; i++)
            write_byte(paths[i], 0, 'a');
        for (i = 0; i < FILES; i++) {
            seals[i] = take(paths[i]);
            write_byte(paths[i], 0, 'b');
        }
        for (i = 0; i < FILES; i++) {
            n += seal_check(paths[i], seals[i]) != SEAL_BROKEN;
            free(seals[i]);
        }
    }
    for (i = 0; i < FILES; i++)
        free(paths[i]);
    return n;
}

static void immediate_writes(void)
{
    unsigned n = missed(unit_dir(), 60);

    check(n == 0, "%u of 3000 writes right after the seal are missed", n);
    fs_type = NFS_SUPER_MAGIC;
    n = missed(unit_dir(), 1);
    fs_type = 0;
    check(n == 0, "%u of 50 are where another host's clock counts", n);
}

/* Of those whose times the kernel never makes finer than its tick. */
static void coarse_times(const char *dir)
{
    unsigned n;

    if (mount("none", dir, "ramfs", 0, NULL)) {
        skip("no file system with coarse times here");
        return;
    }
    n = missed(dir, 60);
    check(n == 0, "%u of 3000 are missed where times are coarse", n);
    umount(dir);
}

static void whole_seconds(const char *dir)
{
    const char *small[] = { "-I", "128", NULL };
    char *file = unit_path("seconds"), *loop = NULL;
    int fd = -1;
    unsigned n;

    if (loop_make_ext4(file, 8 * MIB, small))
        fd = loop_attach(file, 0, &loop);
    if (fd < 0 || mount(loop, dir, "ext4", 0, NULL)) {
        skip("no file system with whole seconds here");
    } else {
        n = missed(dir, 1);
        check(n == 0, "%u of 50 are missed where times are seconds", n);
        umount(dir);
    }
    if (fd >= 0)
        close(fd);
    free(loop);
    free(file);
}

static void other_file_systems(void)
{
    char *dir = unit_path("mnt");

    mkdir(dir, 0700);
    if (loop_own_mounts()) {
        coarse_times(dir);
        whole_seconds(dir);
    } else {
        skip("no file systems can be mounted here");
    }
    free(dir);
}

static void clock_set_back(void)
{
    char *path = unit_path("file"), *seal;

    unit_puts(path, "x");
    set_back = 3600;
    seal = take(path);
    check(is(path, seal, SEAL_UNKNOWN), "of a file from the future nothing "
          "is proved");
    free(seal);
    fs_type = NFS_SUPER_MAGIC;
    seal = take(path);
    check(is(path, seal, SEAL_INTACT), "a server's clock may be ahead");
    fs_type = 0;
    set_back = 0;
    free(seal);
    free(path);
}

/* Block devices */

static void write_direct(const char *path)
{
    int fd = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC);
    void *buf = NULL;

    if (fd < 0 || posix_memalign(&buf, 4096, 4096))
        exit(2);
    memset(buf, 'd', 4096);
    if (pwrite(fd, buf, 4096, 65536) != 4096)
        exit(2);
    free(buf);
    close(fd);
}

static void write_zeroes(const char *path)
{
    uint64_t range[2] = { 0, 65536 };
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (ioctl(fd, BLKDISCARD, range))
        perror("BLKDISCARD");
    close(fd);
}

/* What reads, and even flushes, but writes nothing. */
static void read_and_sync(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char buf[4096];

    (void)!pread(fd, buf, sizeof(buf), 8192);
    fsync(fd);
    close(fd);
}

static void breaks(const char *path, void (*by)(const char *path),
                   const char *written, const char *what)
{
    char *seal = take(path);

    read_and_sync(path);
    check(is(path, seal, SEAL_INTACT), "a device's seal is intact");
    by(written);
    check(is(path, seal, SEAL_BROKEN), "%s breaks it", what);
    free(seal);
}

/* It stays in the page cache as long as somebody has the device open. */
static void cached(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char *seal = take(path);

    if (pwrite(fd, "x", 1, 12345) != 1)
        exit(2);
    check(is(path, seal, SEAL_BROKEN), "a write that is not written out yet "
          "breaks it");
    free(seal);
    close(fd);
}

static void not_counting(const char *path)
{
    char *file = mem_printf("/sys/block/%s/queue/iostats", path + 5);
    char *seal = take(path), *uncounted;
    int fd = open(file, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, "0", 1) != 1) {
        skip("this kernel counts always");
    } else {
        uncounted = take(path);
        check(is(path, seal, SEAL_UNKNOWN) &&
              is(path, uncounted, SEAL_UNKNOWN),
              "a device that does not count proves nothing");
        (void)!write(fd, "1", 1);
        check(is(path, uncounted, SEAL_UNKNOWN), "not later either");
        free(uncounted);
    }
    if (fd >= 0)
        close(fd);
    free(seal);
    free(file);
}

static void partition(int fd, const char *path)
{
    struct blkpg_partition p = {
        .start = 4 * MIB, .length = MIB, .pno = 1,
    };
    struct blkpg_ioctl_arg arg = {
        .op = BLKPG_ADD_PARTITION, .datalen = sizeof(p), .data = &p,
    };
    char *part = mem_printf("%sp1", path), *seal;

    if (ioctl(fd, BLKPG, &arg) || access(part, R_OK)) {
        skip("no partitions here");
    } else {
        breaks(part, by_write, part, "a write to a partition");
        breaks(part, write_direct, part, "a direct one");
        seal = take(part);
        by_write(part);
        check(is(part, seal, SEAL_BROKEN), "and one right after the seal");
        free(seal);
        arg.op = BLKPG_DEL_PARTITION;
        ioctl(fd, BLKPG, &arg);
    }
    free(part);
}

static void devices(void)
{
    char *file = unit_path("disk"), *other = unit_path("disk2");
    char *path, *seal, *again;
    int fd;

    unit_puts(file, "");
    unit_puts(other, "");
    if (truncate(file, 16 * MIB) || truncate(other, 16 * MIB))
        exit(2);
    fd = loop_attach(file, 0, &path);
    if (fd < 0) {
        skip("no loop devices here");
        goto out;
    }
    breaks(path, by_write, path, "a write to a device");
    breaks(path, write_direct, path, "a direct one");
    breaks(path, write_zeroes, path, "a discard");
    breaks(path, by_write, file, "a write to the file behind a loop device");
    cached(path);
    partition(fd, path);
    not_counting(path);
    seal = take(path);
    check(is(file, seal, SEAL_BROKEN), "its file has another seal");
    close(fd);
    check(is(path, seal, SEAL_UNREADABLE) || is(path, seal, SEAL_BROKEN),
          "without a file it is not intact");
    fd = loop_attach(other, 0, &again);
    check(is(again, seal, SEAL_BROKEN), "with another one neither");
    close(fd);
    free(again);
    free(seal);
    free(path);

out:
    free(file);
    free(other);
}

int main(void)
{
    size_t before;

    unit_dir();
    before = unit_open_fds();
    broken();
    unknown();
    errors();
    immediate_writes();
    clock_set_back();
    devices();
    other_file_systems();
    check(unit_open_fds() == before, "no descriptor is left open");
    return unit_done();
}
