/*
 * guest.c: the whole of a test guest, a static /init.  It can tell time
 * travel: one number is kept in memory and on every disk, and each tick
 * compares them and moves them all on by one.
 *
 *   START boot=<id> n=<n> xvda=<v> xvdb=<v> ... ok|TORN
 *   TICK boot=<id> n=<n> xvda=<v> xvdb=<v> ... ok|TORN
 *
 * <id>  random, made at boot: it comes back only if memory comes back
 * <n>   the number of this tick; START: where counting goes on from
 * <v>   what the disk held before this tick, read from the disk itself
 *       (O_DIRECT, not the guest's page cache); '-' if it held nothing
 *
 * A line ends in "ok" if every disk held n - 1, else in "TORN": memory and
 * disks are not of one instant.  In a START line, which has no memory to
 * compare with, it means that the disks disagree with each other.
 *
 * Every disk that exists at boot (xvda to xvdp, ext4, writable) takes part.
 * It is mounted, so a file system that was changed under the guest's feet
 * shows up too.  On the kernel's command line: tick=<milliseconds> from the
 * end of one tick to the start of the next (default 250); dirty=<MiB> of memory
 * that each tick writes to; trim=<MiB> that each tick writes to each disk,
 * removes, and trims (TRIM).
 *
 * The same binary is /sbin/poweroff and /sbin/reboot, which the kernel runs
 * when the toolstack asks for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/reboot.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_DISKS 16
#define BLOCK     4096      /* O_DIRECT's unit on any disk */
#define NOTHING   (-1L)

static struct disk {
    char name[8];           /* "xvda" */
    int fd;                 /* its file "state" */
} disks[MAX_DISKS];
static int ndisks;

static char *block;         /* BLOCK bytes, aligned for O_DIRECT */

/* One write for the whole line, so that the kernel's messages stay out. */
static void say(const char *line)
{
    size_t len = strlen(line);

    while (len) {
        ssize_t done = write(STDOUT_FILENO, line, len);

        if (done < 0)
            return;
        line += done;
        len -= done;
    }
}

static void complain(const char *what, const char *name)
{
    char line[200];

    snprintf(line, sizeof(line), "GUEST: %s %s: %s\n", what, name,
             strerror(errno));
    say(line);
}

static void sleep_ms(long ms)
{
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&t, NULL);
}

/* /modules: the file names in /lib, in the order to load them. */
static void load_modules(void)
{
    FILE *list = fopen("/modules", "r");
    char name[100], path[120];
    int fd;

    while (list && fscanf(list, "%99s", name) == 1) {
        snprintf(path, sizeof(path), "/lib/%s", name);
        fd = open(path, O_RDONLY);
        if (fd < 0 ||
            (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
            complain("cannot load", name);
        close(fd);
    }
    if (list)
        fclose(list);
}

static long read_disk(struct disk *d)
{
    if (pread(d->fd, block, BLOCK, 0) != BLOCK)
        return NOTHING;
    block[BLOCK - 1] = 0;
    return strtol(block, NULL, 10);
}

static void write_disk(struct disk *d, long n)
{
    memset(block, '\n', BLOCK);
    block[snprintf(block, BLOCK, "%ld", n)] = '\n';
    if (pwrite(d->fd, block, BLOCK, 0) != BLOCK)
        complain("cannot write to", d->name);
}

static void write_disks(long n)
{
    int i;

    for (i = 0; i < ndisks; i++)
        write_disk(&disks[i], n);
    for (i = 0; i < ndisks; i++)
        if (fsync(disks[i].fd))
            complain("cannot flush", disks[i].name);
}

/* Blkfront connects behind our back: a disk may be a moment late. */
static int disk_appears(const char *dev, const char *sysfs)
{
    int i;

    if (access(sysfs, F_OK))        /* the toolstack gave us none */
        return 0;
    for (i = 0; access(dev, F_OK) && i < 500; i++)
        sleep_ms(10);
    return !access(dev, F_OK);
}

static void find_disks(void)
{
    char letter, dev[20], sysfs[60], dir[20], file[30];

    for (letter = 'a'; letter < 'a' + MAX_DISKS; letter++) {
        struct disk *d = &disks[ndisks];

        snprintf(d->name, sizeof(d->name), "xvd%c", letter);
        snprintf(dev, sizeof(dev), "/dev/%s", d->name);
        snprintf(sysfs, sizeof(sysfs), "/sys/bus/xen/devices/vbd-%d",
                 (202 << 8) + (letter - 'a') * 16);
        if (!disk_appears(dev, sysfs))
            continue;
        snprintf(dir, sizeof(dir), "/mnt/%s", d->name);
        mkdir(dir, 0755);
        if (mount(dev, dir, "ext4", 0, "")) {
            complain("cannot mount", d->name);
            continue;
        }
        snprintf(file, sizeof(file), "%s/state", dir);
        d->fd = open(file, O_RDWR | O_CREAT | O_DIRECT, 0644);
        if (d->fd < 0)
            complain("cannot open the file on", d->name);
        else
            ndisks++;
    }
}

static unsigned long new_boot_id(void)
{
    uint32_t id = 0;
    int fd = open("/dev/urandom", O_RDONLY);

    if (fd < 0 || read(fd, &id, sizeof(id)) != sizeof(id))
        complain("cannot read", "/dev/urandom");
    close(fd);
    return id;
}

static long option(const char *key, long otherwise)
{
    char line[2048], *at;
    FILE *f = fopen("/proc/cmdline", "r");
    size_t len = f ? fread(line, 1, sizeof(line) - 1, f) : 0;

    if (f)
        fclose(f);
    line[len] = 0;
    at = strstr(line, key);
    return at ? strtol(at + strlen(key), NULL, 10) : otherwise;
}

/*
 * Prints one line with what the disks hold.  expect: what each should hold,
 * or NOTHING to compare them only with each other; returns the largest.
 */
static long report(const char *word, unsigned long boot, long n, long expect)
{
    char line[100 + MAX_DISKS * 30];
    size_t at;
    int i, torn = 0;
    long largest = NOTHING, value[MAX_DISKS];

    for (i = 0; i < ndisks; i++) {
        value[i] = read_disk(&disks[i]);
        if (value[i] != (expect == NOTHING ? value[0] : expect))
            torn = 1;
        if (value[i] > largest)
            largest = value[i];
    }
    if (expect == NOTHING)
        n = largest == NOTHING ? 0 : largest;

    at = sprintf(line, "%s boot=%lu n=%ld", word, boot, n);
    for (i = 0; i < ndisks; i++) {
        if (value[i] == NOTHING)
            at += sprintf(line + at, " %s=-", disks[i].name);
        else
            at += sprintf(line + at, " %s=%ld", disks[i].name, value[i]);
    }
    strcpy(line + at, torn ? " TORN\n" : " ok\n");
    say(line);
    return n;
}

/* Writes to each page. */
static void dirty(char *memory, long bytes, long n)
{
    long at;

    for (at = 0; at < bytes; at += BLOCK)
        *(volatile long *)(memory + at) = n;
}

/* Fills a file on the disk, removes it, and gives the room back. */
static void trim_disk(struct disk *d, long mib)
{
    struct fstrim_range all = { .len = UINT64_MAX };
    static char mega[1 << 20];
    char file[30];
    int fd;
    long i;

    memset(mega, 't', sizeof(mega));
    snprintf(file, sizeof(file), "/mnt/%.7s/junk", d->name);
    fd = open(file, O_WRONLY | O_CREAT, 0644);
    for (i = 0; i < mib; i++)
        if (write(fd, mega, sizeof(mega)) != sizeof(mega))
            complain("cannot fill", d->name);
    if (fsync(fd) || close(fd) || unlink(file) || syncfs(d->fd) ||
        ioctl(d->fd, FITRIM, &all))
        complain("cannot trim", d->name);
}

static void open_console(void)
{
    int fd = open("/dev/console", O_RDWR);

    dup2(fd, STDIN_FILENO);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
}

int main(int argc, char **argv)
{
    unsigned long boot;
    long n, pause_ms, busy, junk;
    int i;
    char *memory;

    (void)argc;
    if (strstr(argv[0], "poweroff"))
        return reboot(LINUX_REBOOT_CMD_POWER_OFF);
    if (strstr(argv[0], "reboot"))
        return reboot(LINUX_REBOOT_CMD_RESTART);

    mount("proc", "/proc", "proc", 0, "");
    mount("sysfs", "/sys", "sysfs", 0, "");
    mount("devtmpfs", "/dev", "devtmpfs", 0, "");
    open_console();
    block = aligned_alloc(BLOCK, BLOCK);
    load_modules();
    find_disks();
    boot = new_boot_id();
    pause_ms = option(" tick=", 250);
    busy = option(" dirty=", 0) << 20;
    junk = option(" trim=", 0);
    memory = calloc(1, busy + 1);
    if (!memory) {
        complain("not enough memory for", "dirty=");
        busy = 0;
    }

    n = report("START", boot, 0, NOTHING);
    write_disks(n);
    for (;;) {
        n++;
        report("TICK", boot, n, n - 1);
        write_disks(n);
        dirty(memory, busy, n);
        for (i = 0; i < ndisks && junk > 0; i++)
            trim_disk(&disks[i], junk);
        sleep_ms(pause_ms);
    }
}
