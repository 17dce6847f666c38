/* A tar from anywhere: only regular files come out of it, of bounded size. */

#include <sys/mman.h>
#include <unistd.h>

#include "snapshot/sys/interrupt.h"
#include "snapshot/sys/untar.h"
#include "tests/fuzz/fuzz.h"

__attribute__((constructor)) static void catch(void)
{
    struct err e;

    (void)interrupt_catch(&e);
}

static void read_all(int fd)
{
    struct untar *u = NULL;
    const char *name;
    struct err e;
    int to, rc = untar_open(fd, "fuzz", &u, &e);

    while (!rc && (rc = untar_next(u, &name, &e)) > 0) {
        to = memfd_create("to", MFD_CLOEXEC);
        fuzz_demand(name[0] != '\0' || to >= 0, "a file has a name");
        rc = untar_file(u, to, "to", &e);
        close(to);
    }
    fuzz_demand(!rc || e.text[0], "a failure says why");
    untar_close(u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int fd = memfd_create("from", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, len) != (ssize_t)len ||
        lseek(fd, 0, SEEK_SET))
        abort();
    read_all(fd);
    close(fd);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
