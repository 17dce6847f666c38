/*
 * A memory image: after eight bytes that stand for the sizes in the
 * metadata, the file.
 */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "snapshot/memory/memory.h"
#include "tests/fuzz/fuzz.h"

#define MAX_SIZE (4u << 20)

static char name[] = "/dev/shm/fuzzmemory.XXXXXX";
static int dir = -1;

static void remove_dir(void)
{
    unlinkat(dir, "image", 0);
    rmdir(name);
}

/* A directory with one file, "image", made at the first call. */
static void make_dir(void)
{
    if (dir >= 0)
        return;
    fuzz_demand(mkdtemp(name) != NULL, "a directory can be made");
    dir = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    atexit(remove_dir);
}

static void read_it(struct snapshot *s)
{
    struct memory_reader *r;
    static char buf[65536];
    uint64_t done = 0;
    struct err e;
    ssize_t n;

    fuzz_demand(!memory_open(dir, s, "fuzz", NULL, &r, &e), "it opens");
    while ((n = memory_source(r, buf, sizeof(buf))) > 0) {
        done += (uint64_t)n;
        fuzz_demand(done <= s->memory.size, "no more than recorded");
    }
    fuzz_demand(memory_failed(r, &e) == (n < 0), "a failure has a reason");
    fuzz_demand(n < 0 || done == s->memory.size, "no less than recorded");
    memory_reader_close(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct snapshot s = { .memory = { .file = "image",
                          .compression = "zstd", .checksum = "" } };
    struct err e = { .status = SNAP_OK };
    int fd;
    uint32_t sizes[2];

    if (len < sizeof(sizes))
        return 0;
    make_dir();
    memcpy(sizes, data, sizeof(sizes));
    s.memory.size = sizes[0] % MAX_SIZE;
    s.memory.stored_size = sizes[1] % MAX_SIZE;
    fd = openat(dir, "image", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_demand(fd >= 0 && write(fd, data + sizeof(sizes),
                                 len - sizeof(sizes)) >= 0, "it is written");
    close(fd);
    read_it(&s);
    s.memory.compression = "none";
    read_it(&s);
    fuzz_demand(memory_verify(dir, &s, "fuzz", &e) == -1 &&
                !strncmp(e.text, "fuzz", 4), "the error names the file");
    return 0;
}
