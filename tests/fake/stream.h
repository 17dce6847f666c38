/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The fake host's save stream, behind the header of xl's save files
 * (tools/xl/xl.h, struct save_file_header).
 */

#ifndef FAKE_STREAM_H
#define FAKE_STREAM_H

#include <stdint.h>

struct save_header {
    char magic[32];
    uint32_t byteorder, mandatory_flags, optional_flags, optional_data_len;
};

static const char save_magic[32] = "Xen saved domain, xl format\n \0 \r";
#define SAVE_BYTEORDER 0x01020304u

#define STREAM_MAGIC "FAKEMEM"
#define STREAM_WORDS 8188u              /* a record has 64 KiB with them */
#define STREAM_PAGE 65536u
enum { STREAM_DATA, STREAM_END };

struct stream_record {
    char magic[8];
    uint64_t memory;
    uint32_t type, page, pad[2];
    uint64_t data[STREAM_WORDS];
};

_Static_assert(sizeof(struct stream_record) == STREAM_PAGE, "record size");

static inline uint64_t stream_word(uint64_t memory, uint32_t page,
                                   uint32_t i)
{
    return (memory + 1) * 11400714819323198485u ^
           ((uint64_t)page << 32 | i) * 6364136223846793005u;
}

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
