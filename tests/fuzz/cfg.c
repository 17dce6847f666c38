/* The user's cfg: a file, and behind a NUL one Key=Value argument. */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snapshot/cfg.h"
#include "snapshot/sys/mem.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const uint8_t *nul = memchr(data, 0, len);
    size_t text = nul ? (size_t)(nul - data) : len;
    char *setting = nul ?
        mem_printf("%.*s", (int)(len - text - 1), (const char *)nul + 1) :
        NULL;
    int fd = memfd_create("cfg", MFD_CLOEXEC);
    char *path = mem_printf("/proc/self/fd/%d", fd);
    struct cfg c;
    struct err e;
    size_t i;

    if (fd < 0 || write(fd, data, text) != (ssize_t)text)
        abort();
    if (cfg_read(path, &setting, setting ? 1 : 0, &c, &e)) {
        fuzz_demand(e.status == SNAP_USAGE && e.text[0], "an error is said");
    } else {
        for (i = 0; i < c.ndisks; i++)
            fuzz_demand(c.disks[i].vdev && c.disks[i].type,
                        "a disk has vdev and type");
        cfg_free(&c);
    }
    close(fd);
    free(path);
    free(setting);
    return 0;
}
