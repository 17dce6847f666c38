/*
 * native: what of the memory image can be measured without Xen.  Each command
 * prints how long it took, in ms.
 *
 *   native guest FILE MIB            makes what stands for a guest's memory
 *   native save DIR FILE none|zstd   a helper like libxl's saves it into an
 *                                    image in DIR: "SAVE TOTAL", until the
 *                                    helper ends and until all is durable
 *   native save DIR FILE plain       into a file, with nothing beside it
 *   native consume RATE [FILE]       reads an image (or stdin) as libxl does,
 *                                    and takes time for it: MiB/s, 0: none
 *   native restore DIR RATE          the image in DIR, through the reader
 *   native verify DIR                its checksum
 *   native read FILE                 its bytes, for comparison
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/memory/memory.h"
#include "snapshot/memory/rewrite.h"
#include "snapshot/store/store.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/file.h"
#include "snapshot/sys/interrupt.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/proc.h"

#define PAGE 4096u
#define BATCH 1024u             /* libxl's: pages at a time */
#define CONFIG "{\"c_info\":{\"name\":\"bench\"}}"

static void check(int rc, const struct err *e)
{
    if (rc) {
        fprintf(stderr, "native: %s\n", e->text);
        exit(1);
    }
}

static void demand(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "native: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static uint64_t noise(uint64_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* Of 16 pages 6 are zero, 9 like pointers and code, one is noise. */
static void fill_page(uint64_t *page, uint64_t *x)
{
    uint64_t kind = noise(x) & 15, base = noise(x) & 0xffffff000;
    size_t i;

    for (i = 0; i < PAGE / sizeof(*page); i++)
        if (kind < 6)
            page[i] = 0;
        else if (kind < 15)
            page[i] = i % 4 ? i / 16 : 0xffff888000000000 + base + i * 64;
        else
            page[i] = noise(x);
}

static int guest(const char *file, size_t mib)
{
    FILE *f = fopen(file, "we");
    uint64_t page[PAGE / 8], x = 88172645463325252ull;
    size_t i;

    demand(f != NULL, file);
    for (i = 0; i < mib << 8; i++) {
        fill_page(page, &x);
        demand(fwrite(page, PAGE, 1, f) == 1, file);
    }
    demand(!fclose(f), file);
    return 0;
}

static char *map(const char *file, size_t *len_r)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    struct stat sb;
    char *p;

    demand(fd >= 0 && !fstat(fd, &sb), file);
    p = mmap(NULL, (size_t)sb.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE,
             fd, 0);
    demand(p != MAP_FAILED, file);
    close(fd);
    *len_r = (size_t)sb.st_size;
    return p;
}

/* As libxl's helper: a header, then the pages of a batch where they are. */
static void write_out(int fd, char *memory, size_t len)
{
    static char hdr[BATCH * 8 + 16];
    struct iovec iov[BATCH];
    size_t at = 0, i;

    while (at < len) {
        ssize_t want = 0;

        demand(write(fd, hdr, sizeof(hdr)) == sizeof(hdr), "cannot write");
        for (i = 0; i < BATCH && at < len; i++, at += PAGE) {
            iov[i] = (struct iovec){ memory + at, PAGE };
            want += PAGE;
        }
        demand(writev(fd, iov, (int)i) == want, "cannot write");
    }
}

static uint64_t helper(int fd, char *memory, size_t len)
{
    uint64_t began = clock_ms();
    int status = 0;
    pid_t pid = fork();

    if (!pid) {
        write_out(fd, memory, len);
        _exit(0);
    }
    demand(pid > 0 && waitpid(pid, &status, 0) == pid && !status, "helper");
    return clock_ms() - began;
}

static char word_snapshot[] = "s", word_config[] = CONFIG;

/* What the image needs to be read is kept beside it. */
static void draft(unsigned level, struct snapshot *s)
{
    memset(s, 0, sizeof(*s));
    s->name = word_snapshot;
    s->memory.file = mem_strdup(level ? META_MEMORY_ZSTD : META_MEMORY_FILE);
    s->memory.compression = mem_strdup(level ? "zstd" : "none");
    s->memory.checksum = mem_strdup("");
    s->config = word_config;
}

static int save_plain(int dir, char *memory, size_t len)
{
    uint64_t began = clock_ms(), ms;
    int fd;

    unlinkat(dir, "plain", 0);
    fd = openat(dir, "plain", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    demand(fd >= 0, "plain");
    ms = helper(fd, memory, len);
    demand(!fsync(fd), "fsync");
    printf("%u %u\n", (unsigned)ms, (unsigned)(clock_ms() - began));
    close(fd);
    return 0;
}

static int save(const char *where, const char *file, const char *way)
{
    struct memory_writer *w;
    struct snapshot s;
    unsigned level;
    size_t len;
    char *memory = map(file, &len);
    uint64_t began, ms;
    struct err e;
    int dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FILE *f;

    demand(dir >= 0, where);
    if (!strcmp(way, "plain"))
        return save_plain(dir, memory, len);
    check(interrupt_catch(&e), &e);
    check(memory_level(way, &level, &e), &e);
    draft(level, &s);
    began = clock_ms();
    check(memory_create(dir, &s, where, level, len, NULL, &w, &e), &e);
    ms = helper(memory_fd(w), memory, len);
    check(memory_finish(w, true, &e), &e);
    check(memory_sync(w, &s, &e), &e);
    printf("%u %u\n", (unsigned)ms, (unsigned)(clock_ms() - began));
    memory_close(w);
    f = fdopen(openat(dir, "numbers", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                      0600), "w");
    demand(f != NULL, "numbers");
    fprintf(f, "%u %llu %llu %s\n", level,
            (unsigned long long)s.memory.size,
            (unsigned long long)s.memory.stored_size, s.memory.checksum);
    fclose(f);
    return 0;
}

static int load(const char *where, struct snapshot *s)
{
    char *path = mem_printf("%s/numbers", where), sum[64];
    FILE *f = fopen(path, "re");
    unsigned long long size, stored;
    unsigned level;

    demand(f && fscanf(f, "%u %llu %llu %63s", &level, &size, &stored,
                       sum) == 4, path);
    fclose(f);
    free(path);
    draft(level, s);
    s->memory.size = size;
    s->memory.stored_size = stored;
    free(s->memory.checksum);
    s->memory.checksum = mem_strdup(sum);
    return open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Busy, as libxl is with the hypervisor, for as long as its rate says. */
static void work(char *to, const char *from, size_t len, double us)
{
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    do {
        memcpy(to, from, len);
        clock_gettime(CLOCK_MONOTONIC, &b);
    } while ((double)(b.tv_sec - a.tv_sec) * 1e6 +
             (double)(b.tv_nsec - a.tv_nsec) / 1e3 < us);
}

static int consume(double rate, const char *file)
{
    size_t size = BATCH * PAGE, len;
    char *buf = mem_zalloc(size, 1), *to = mem_zalloc(size, 1);
    int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : 0;
    uint64_t began = clock_ms();
    ssize_t n = 1;

    demand(fd >= 0, file ? file : "stdin");
    while (n > 0) {
        for (len = 0; len < size && n > 0; len += (size_t)n) {
            n = read(fd, buf + len, size - len);
            demand(n >= 0, "cannot read");
        }
        if (rate > 0)
            work(to, buf, 16384, (double)len / (rate * 1.048576));
    }
    fprintf(stderr, "%u\n", (unsigned)(clock_ms() - began));
    return 0;
}

static int restore(const char *where, const char *rate, const char *self)
{
    const char *const argv[] = { self, "consume", rate, NULL };
    struct proc p = { .argv = argv };
    struct rewrite_edit edit = { .genid = false };
    struct memory_reader *r;
    struct rewrite w;
    struct snapshot s;
    struct err e;
    uint64_t began = clock_ms();
    int fd, dir = load(where, &s);

    check(memory_open(dir, &s, where, NULL, &r, &e), &e);
    check(rewrite_begin(&w, memory_source, r, rewrite_config, &edit, &e), &e);
    /* As a revert does it; NATIVE_PIPE: as if the header had changed. */
    fd = -1;
    if (!getenv("NATIVE_PIPE") && memory_as_file(r, &fd))
        check(memory_failed(r, &e) ? -1 : 0, &e);
    if (fd >= 0) {
        p.input = &fd;
    } else {
        p.source = rewrite_source;
        p.source_arg = &w;
    }
    check(proc_run(&p, &e), &e);
    check(memory_failed(r, &e) ? -1 : 0, &e);
    printf("%u\n", (unsigned)(clock_ms() - began));
    return 0;
}

static int verify(const char *where)
{
    struct snapshot s;
    struct err e;
    int dir = load(where, &s);
    uint64_t began = clock_ms();

    check(memory_verify(dir, &s, where, &e), &e);
    printf("%u\n", (unsigned)(clock_ms() - began));
    return 0;
}

static int read_it(const char *file)
{
    uint64_t began = clock_ms();
    char *buf = mem_zalloc(1 << 20, 1);
    int fd = open(file, O_RDONLY | O_CLOEXEC);

    demand(fd >= 0, file);
    while (read(fd, buf, 1 << 20) > 0)
        ;
    printf("%u\n", (unsigned)(clock_ms() - began));
    return 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    if (argc == 4 && !strcmp(word, "guest"))
        return guest(argv[2], strtoul(argv[3], NULL, 10));
    if (argc == 5 && !strcmp(word, "save"))
        return save(argv[2], argv[3], argv[4]);
    if (argc >= 3 && !strcmp(word, "consume"))
        return consume(strtod(argv[2], NULL), argv[3]);
    if (argc == 4 && !strcmp(word, "restore"))
        return restore(argv[2], argv[3], argv[0]);
    if (argc == 3 && !strcmp(word, "verify"))
        return verify(argv[2]);
    if (argc == 3 && !strcmp(word, "read"))
        return read_it(argv[2]);
    fprintf(stderr, "usage: see the top of tests/bench/native.c\n");
    return 2;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
