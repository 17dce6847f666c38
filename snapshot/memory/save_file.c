/* SPDX-License-Identifier: LGPL-2.1-only */

/* What the writer and the reader of a memory image share. */

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

#include "memory/save_file.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/interrupt.h"
#include "sys/mem.h"

#define MAX_CPUS 4

const char memory_magic[32] = "Xen saved domain, xl format\n \0 \r";

int memory_file_put(struct memory_file *f, const void *data, size_t len,
                    struct err *e)
{
    if (file_write_all(f->fd, data, len))
        return err_errno(e, "cannot write %s", f->what);
    memory_file_add(f, data, len);
    return 0;
}

void memory_file_add(struct memory_file *f, const void *data, size_t len)
{
    XXH3_64bits_update(f->hash, data, len);
    f->stored += len;
}

const char *memory_name(const struct snapshot *s)
{
    const char *slash = strrchr(s->memory.file, '/');

    if (!slash)
        return s->memory.file;
    return slash + 1;
}

XXH3_state_t *memory_hash(struct err *e)
{
    XXH3_state_t *hash = XXH3_createState();

    if (hash && !XXH3_64bits_reset(hash))
        return hash;
    XXH3_freeState(hash);
    err_set(e, SNAP_FAILED, "cannot compute checksums");
    return NULL;
}

char *memory_checksum(const XXH3_state_t *hash)
{
    return mem_printf("xxh3:%016" PRIx64,
                      (uint64_t)XXH3_64bits_digest(hash));
}

int memory_thread(void *(*fn)(void *), void *arg, pthread_t *thread_r,
                  struct err *e)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    interrupt_remove(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(thread_r, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (!rc)
        return 0;
    errno = rc;
    return err_errno(e, "cannot start a thread");
}

/* All but so many. */
static unsigned cpus_without(int busy)
{
    cpu_set_t set;
    int n = 1;

    if (!sched_getaffinity(0, sizeof(set), &set))
        n = CPU_COUNT(&set) - busy;
    if (n < 1)
        return 1;
    if (n > MAX_CPUS)
        return MAX_CPUS;
    return (unsigned)n;
}

unsigned memory_cpus(void)
{
    return cpus_without(0);
}

unsigned memory_spare_cpus(void)
{
    return cpus_without(1);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
