/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "file.h"
#include "interrupt.h"
#include "mem.h"
#include "memory_file.h"

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

    return slash ? slash + 1 : s->memory.file;
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
    errno = rc;
    return rc ? err_errno(e, "cannot start a thread") : 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
