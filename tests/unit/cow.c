#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "snapshot/disk/cow.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

#define CHUNK 4096u
#define PAIRS (CHUNK / 16)
#define CHUNKS 600u             /* more than one table can hold */

static char *table_path, *from_path, *to_path;

/* A table file: header, then tables with as many chunks as pairs between. */
struct table {
    uint32_t header[4];
    uint64_t pairs[CHUNKS + 1];     /* chunks of the origin */
    size_t n;
};

static void put_table(const struct table *t, size_t len)
{
    size_t tables = t->n / PAIRS + 1, i;
    size_t whole = (1 + tables * (PAIRS + 1)) * CHUNK;
    char *file = mem_zalloc(whole, 1);

    for (i = 0; i < 4; i++)
        ((uint32_t *)(void *)file)[i] = htole32(t->header[i]);
    for (i = 0; i < t->n; i++) {
        size_t at = (1 + i / PAIRS * (PAIRS + 1)) * CHUNK + i % PAIRS * 16;
        uint64_t pair[2] = { htole64(t->pairs[i]), htole64(i + 2) };

        memcpy(file + at, pair, sizeof(pair));
    }
    unit_put(table_path, file, len ? len : whole);
    free(file);
}

/* A file of chunks with this letter in each, but for its first byte. */
static void put_chunks(const char *path, char letter, size_t len)
{
    char *file = mem_zalloc(len, 1);
    size_t i;

    memset(file, letter, len);
    for (i = 0; i < len; i += CHUNK)
        file[i] = (char)(i / CHUNK);
    unit_put(path, file, len);
    free(file);
}

static struct table good(void)
{
    return (struct table){ .header = { 0x70416e53, 1, 1, CHUNK / 512 } };
}

/* The letters of the origin's chunks; the caller's to free. */
static char *letters(void)
{
    size_t len, i;
    char *file = unit_get(to_path, &len), *s = mem_zalloc(CHUNKS + 2, 1);

    for (i = 0; i * CHUNK + 2 <= len; i++)
        s[i] = file[i * CHUNK] == (char)i &&
               file[i * CHUNK + 1] == file[(i + 1) * CHUNK <= len ?
                                           (i + 1) * CHUNK - 1 : len - 1] ?
               file[i * CHUNK + 1] : '?';
    free(file);
    return s;
}

static int put_back(struct err *e)
{
    return cow_put_back(table_path, from_path, to_path, e);
}

static void what_differs(void)
{
    struct table t = good();
    struct err e;
    char *s;

    put_chunks(from_path, 's', CHUNKS * CHUNK);
    put_chunks(to_path, 'o', CHUNKS * CHUNK);
    put_table(&t, 0);
    check_ok(put_back(&e), &e, "an empty table");
    s = letters();
    check(strspn(s, "o") == CHUNKS, "changes nothing");
    free(s);
    t.n = 4;
    memcpy(t.pairs, ((uint64_t[]){ 7, 599, 8, 0 }), 4 * sizeof(uint64_t));
    put_table(&t, 0);
    check_ok(put_back(&e), &e, "four chunks in any order");
    s = letters();
    check(s[0] == 's' && s[1] == 'o' && s[6] == 'o' && s[7] == 's' &&
          s[8] == 's' && s[9] == 'o' && s[598] == 'o' && s[599] == 's' &&
          !s[600], "come from the snapshot, and no others");
    free(s);
    check_ok(put_back(&e), &e, "it may be done again");
}

static void all_chunks(void)
{
    struct table t = good();
    struct err e;
    char *s;

    put_chunks(to_path, 'o', CHUNKS * CHUNK);
    for (t.n = 0; t.n < CHUNKS; t.n++)
        t.pairs[t.n] = CHUNKS - 1 - t.n;
    put_table(&t, 0);
    check_ok(put_back(&e), &e, "several tables, runs longer than a buffer");
    s = letters();
    check(strspn(s, "s") == CHUNKS, "every chunk is there");
    free(s);
    /* A table that ends just where the next would begin. */
    put_chunks(to_path, 'o', CHUNKS * CHUNK);
    t.n = PAIRS;
    put_table(&t, (1 + PAIRS + 1) * CHUNK);
    check_ok(put_back(&e), &e, "a full table at the end of the device");
    s = letters();
    check(strspn(s + CHUNKS - PAIRS, "s") == PAIRS &&
          strspn(s, "o") == CHUNKS - PAIRS, "is read to its end");
    free(s);
}

static void last_chunk(void)
{
    struct table t = good();
    struct err e;
    char *s;

    put_chunks(from_path, 's', 2 * CHUNK + 512);
    put_chunks(to_path, 'o', 2 * CHUNK + 512);
    t.n = 1;
    t.pairs[0] = 2;
    put_table(&t, 0);
    check_ok(put_back(&e), &e, "half a chunk at the end");
    s = letters();
    check(!strcmp(s, "oos"), "is half a chunk");
    free(s);
}

static void bad(const struct table *t, size_t len, const char *why,
                const char *what)
{
    struct err e;
    char *s;

    put_chunks(from_path, 's', 8 * CHUNK);
    put_chunks(to_path, 'o', 8 * CHUNK);
    put_table(t, len);
    check_err(put_back(&e), &e, SNAP_FAILED, why, "%s", what);
    s = letters();
    check(!strcmp(s, "oooooooo"), "and nothing was written");
    free(s);
}

static void damaged(void)
{
    struct table t = good();
    struct err e;
    size_t i;
    static const uint32_t sizes[] = { 0, 1, 7, 9, 4096, 0x80000000u };

    t.n = 2;
    t.pairs[0] = 1;
    t.pairs[1] = 8;
    bad(&t, 0, "beyond the end", "a chunk that the origin does not have");
    t.pairs[1] = UINT64_MAX;
    bad(&t, 0, "beyond the end", "nor this one");
    t = good();
    t.header[1] = 0;
    bad(&t, 0, "has overflowed", "a snapshot that is no longer valid");
    t = good();
    t.header[0]++;
    bad(&t, 0, "something else", "another magic number");
    t = good();
    t.header[2]++;
    bad(&t, 0, "something else", "another version");
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        t = good();
        t.header[3] = sizes[i];
        bad(&t, 0, "chunk size", "an impossible chunk size");
    }
    t = good();
    bad(&t, 512, "too short", "a device without a header");
    put_chunks(from_path, 's', 4 * CHUNK);
    put_table(&t, 0);
    check_err(put_back(&e), &e, SNAP_FAILED, "not of one size",
              "a snapshot of another size");
    unit_remove(from_path);
    check_err(put_back(&e), &e, SNAP_FAILED, from_path, "no snapshot");
}

int main(void)
{
    size_t fds = unit_open_fds();

    table_path = unit_path("table");
    from_path = unit_path("from");
    to_path = unit_path("to");
    what_differs();
    all_chunks();
    last_chunk();
    damaged();
    check(unit_open_fds() == fds, "no descriptor is left open");
    free(table_path);
    free(from_path);
    free(to_path);
    return unit_done();
}
