/* The header of a qcow2 image. */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "snapshot/sys/mem.h"
#include "snapshot/image/qcow2.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char *path = mem_printf("/proc/self/fd/%d", fd);
    struct qcow2_backing b;
    struct err e;

    fuzz_demand(fd >= 0 && write(fd, data, len) == (ssize_t)len,
                "the image can be written");
    if (!qcow2_backing(path, &b, &e))
        fuzz_demand(!b.path || b.path[0], "a backing file has a name");
    else
        fuzz_demand(!b.path && strstr(e.text, path) != NULL,
                    "the error names the image");
    qcow2_backing_free(&b);
    free(path);
    close(fd);
    return 0;
}
