/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Of the memory image's writer and reader alone: the sink of a new file, and
 * the compression.
 */

#ifndef SNAPSHOT_MEMORY_FILE_H
#define SNAPSHOT_MEMORY_FILE_H

#include <pthread.h>
#include <stdint.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "store/meta.h"
#include "sys/report.h"

#define MEMORY_CHUNK (1u << 20)

/* tools/xl/xl.h; all numbers in the host's byte order. */
struct memory_header {
    char magic[32];
    uint32_t byteorder;
    uint32_t mandatory_flags;
    uint32_t optional_flags;
    uint32_t optional_data_len;
};

extern const char memory_magic[32];
#define MEMORY_BYTEORDER 0x01020304u
#define MEMORY_FLAG_JSON 1u
#define MEMORY_FLAG_STREAM_V2 2u

/* A file whose checksum is computed as it is written. */
struct memory_file {
    int fd;
    const char *what;
    XXH3_state_t *hash;
    uint64_t stored;
};

int memory_file_put(struct memory_file *f, const void *data, size_t len,
                    struct err *e);
/* The same for what is in the file already. */
void memory_file_add(struct memory_file *f, const void *data, size_t len);

/* Of the file in its directory (memory_place.h). */
const char *memory_name(const struct snapshot *s);
XXH3_state_t *memory_hash(struct err *e);
/* As the metadata has it; the caller's to free. */
char *memory_checksum(const XXH3_state_t *hash);
/* All signals are blocked in it but those of interrupt.h. */
int memory_thread(void *(*fn)(void *), void *arg, pthread_t *thread_r,
                  struct err *e);

/* Processors that may be used: all, or those beside a busy one; 1 to 4. */
unsigned memory_cpus(void);
unsigned memory_spare_cpus(void);

/* Of the image, in one frame of zstd; "zstd -dc" reads any number of them. */
#define PACK_FRAME (2u * MEMORY_CHUNK)

/*
 * Compression by a ring's threads: of its struct ring_ops, work() compresses
 * s->in into s->out with s->tool, which drop() ends.
 */
struct ring_slot;
int memory_pack(struct ring_slot *s, unsigned level, const char *what);
void memory_pack_drop(void *tool);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
