#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zstd.h>

#include "snapshot/sys/file.h"
#include "snapshot/sys/mem.h"
#include "snapshot/memory/memory.h"
#include "snapshot/memory/save_file.h"
#include "snapshot/sys/proc.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

/* More than any pipe and any block of zstd. */
#define SIZE (5u * MEMORY_CHUNK + 12345)

static const char *const ways[] = { "none", "zstd", "zstd:9" };
#define NWAYS (sizeof(ways) / sizeof(ways[0]))

static int dirfd;
static char *memory;            /* of the guest */

/* Half of it repeats, a quarter is zero, the rest is noise. */
static void make_memory(void)
{
    uint64_t x = 88172645463325252ull;
    size_t i;

    memory = mem_zalloc(SIZE, 1);
    for (i = 0; i < SIZE; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        switch (i >> 16 & 3) {
        case 0:
            memory[i] = (char)x;
            break;
        case 1:
            break;
        default:
            memory[i] = "a guest's page "[i % 15];
        }
    }
}

/* A snapshot whose image will be made so. */
static void draft(const char *way, struct snapshot *s, unsigned *level)
{
    struct err e;

    fixture_snapshot("a", NULL, s);
    if (memory_level(way, level, &e))
        check(false, "compression %s: %s", way, e.text);
    free(s->memory.file);
    free(s->memory.compression);
    free(s->memory.checksum);
    s->memory.file = mem_strdup(*level ? META_MEMORY_ZSTD :
                                META_MEMORY_FILE);
    s->memory.compression = mem_strdup(*level ? "zstd" : "none");
    s->memory.checksum = mem_strdup("");
    s->memory.size = s->memory.stored_size = 0;
}

static char *file_of(const struct snapshot *s)
{
    return unit_path(s->memory.file);
}

/* libxl's part. */
static bool save(struct memory_writer *w, size_t len)
{
    return !file_write_all(memory_fd(w), memory, len);
}

static int make(const char *way, size_t len, struct snapshot *s,
                struct err *e)
{
    struct memory_writer *w = NULL;
    unsigned level;
    int rc = -1;

    draft(way, s, &level);
    if (!memory_create(dirfd, s, "image", level, SIZE, NULL, &w, e) &&
        save(w, len) && !memory_finish(w, true, e))
        rc = memory_sync(w, s, e);
    memory_close(w);
    return rc;
}

/* Reads the image to its end; -1 with the error, else all bytes. */
static ssize_t read_all(const struct snapshot *s, size_t piece, char **out_r,
                        struct err *e)
{
    struct memory_reader *r;
    size_t room = s->memory.size + 2 * 65536, len = 0;
    char *out = mem_zalloc(room, 1);
    ssize_t n = -1;

    if (!memory_open(dirfd, s, "image", NULL, &r, e)) {
        while ((n = memory_source(r, out + len, piece)) > 0 &&
               (len += (size_t)n) + piece < room)
            ;
        if (memory_failed(r, e) != (n < 0))
            check(false, "a failure has a reason");
        memory_reader_close(r);
    }
    if (out_r)
        *out_r = out;
    else
        free(out);
    return n < 0 ? -1 : (ssize_t)len;
}

static bool is_whole(const char *out, ssize_t len, const struct snapshot *s,
                     size_t size)
{
    size_t at = sizeof(struct memory_header), n = strlen(s->config);
    bool padded = !strcmp(s->memory.compression, "none");
    uint32_t room;

    memcpy(&room, out + at, sizeof(room));
    at += sizeof(room);
    return !memcmp(out, memory_magic, sizeof(memory_magic)) &&
           len == (ssize_t)(at + room + size) && !out[at + room - 1] &&
           !strncmp(out + at, s->config, n) &&
           strspn(out + at + n, " ") == room - 1 - n &&
           (!padded || (at + room) % 4096 == 0) &&
           !memcmp(out + at + room, memory, size);
}

/* As the manual says: zstd -dc FILE. */
static bool tool_reads(const char *file, const struct snapshot *s)
{
    const char *const argv[] = { "zstd", "-dc", file, NULL };
    struct proc p = { .argv = argv };
    struct err e;
    bool ok = !proc_run(&p, &e) && is_whole(p.out, (ssize_t)p.out_len, s,
                                          SIZE);

    free(p.out);
    return ok;
}

static void there_and_back(const char *way)
{
    struct snapshot s;
    struct stat st;
    struct err e;
    char *file, *out;
    ssize_t n;

    check_ok(make(way, SIZE, &s, &e), &e, "%s: an image is made", way);
    file = file_of(&s);
    check(unit_mode(file) == 0600 && !stat(file, &st) &&
          (uint64_t)st.st_size == s.memory.stored_size,
          "%s: for root alone, and as long as recorded", way);
    check_ok(memory_verify(dirfd, &s, "image", &e), &e, "%s: it is whole",
             way);
    n = read_all(&s, 65536, &out, &e);
    check(is_whole(out, n, &s, SIZE) && s.memory.size == (uint64_t)n,
          "%s: it gives back header, configuration and memory", way);
    free(out);
    n = read_all(&s, 997, &out, &e);
    check(is_whole(out, n, &s, SIZE), "%s: in odd pieces too", way);
    free(out);
    if (strcmp(way, "none")) {
        check(tool_reads(file, &s), "%s: zstd -dc reads it", way);
        check(s.memory.stored_size < s.memory.size / 2, "%s: it is smaller",
              way);
    }
    check(!unit_mode("memory.xl.spool"), "%s: no spool is left", way);
    free(file);
    meta_free(&s);
}

/* More than one piece, so that several threads have one. */
static void by_frames(void)
{
    unsigned long long n = 0;
    size_t len, at, one, frames = 0;
    struct snapshot s;
    struct err e;
    char *file, *data;

    check_ok(make("zstd", SIZE, &s, &e), &e, "an image of frames");
    file = file_of(&s);
    data = unit_get(file, &len);
    for (at = 0; at < len; at += one) {
        one = ZSTD_findFrameCompressedSize(data + at, len - at);
        n = ZSTD_getFrameContentSize(data + at, len - at);
        if (ZSTD_isError(one) || !n || n > PACK_FRAME)
            break;
        frames++;
    }
    check(at == len && frames == (s.memory.size - 1) / PACK_FRAME + 1,
          "%zu frames, each with its size", frames);
    free(data);
    free(file);
    meta_free(&s);
}

/* In parts: all but the end, and the end. */
static void held(const char *way)
{
    struct memory_reader *r;
    struct snapshot s;
    struct err e;
    size_t len = 0;
    char *out = mem_zalloc(SIZE + 65536, 1);
    ssize_t n;

    check_ok(make(way, SIZE, &s, &e), &e, "%s: an image", way);
    check_ok(memory_open(dirfd, &s, "image", NULL, &r, &e), &e, "%s: opens",
             way);
    memory_hold(r, 4);
    while ((n = memory_source(r, out + len, 60000)) > 0)
        len += (size_t)n;
    check(!n && len == s.memory.size - 4 && !memory_source(r, out, 1),
          "%s: but for the last 4 bytes", way);
    memory_hold(r, 0);
    while ((n = memory_source(r, out + len, 3)) > 0)
        len += (size_t)n;
    check(!n && is_whole(out, (ssize_t)len, &s, SIZE), "%s: and then these",
          way);
    memory_reader_close(r);
    free(out);
    meta_free(&s);
}

/* The first part does not end well if the last one will not. */
static void held_damage(const char *way, long change, const char *why)
{
    static char buf[65536];
    struct memory_reader *r;
    struct snapshot s;
    struct err e;
    char *file, *data;
    size_t len;
    ssize_t n;

    check_ok(make(way, SIZE, &s, &e), &e, "%s: an image", way);
    file = file_of(&s);
    data = unit_get(file, &len);
    if (!change)
        data[len - 2] ^= 1;
    data = mem_grow(data, len + 8, 1);
    memset(data + len, 0, 8);
    unit_put(file, data, len + (size_t)change);
    if (change > 0)
        s.memory.stored_size += (uint64_t)change;
    check(!memory_open(dirfd, &s, "image", NULL, &r, &e), "%s: opens", way);
    memory_hold(r, 4);
    while ((n = memory_source(r, buf, sizeof(buf))) > 0)
        ;
    check(n == -1 && memory_failed(r, &e) && strstr(e.text, why),
          "%s: what is held back is whole, or it is said before: %s", way,
          e.text);
    memory_reader_close(r);
    free(data);
    free(file);
    meta_free(&s);
}

static void as_file(void)
{
    struct memory_reader *r;
    struct snapshot s;
    struct err e;
    char magic[32], *file;
    size_t len;
    int fd, i;

    for (i = 0; i < 2; i++) {
        check_ok(make(ways[i], SIZE, &s, &e), &e, "%s: an image", ways[i]);
        file = file_of(&s);
        check(!memory_open(dirfd, &s, "image", NULL, &r, &e) &&
              memory_source(r, magic, 5) == 5 && !memory_as_file(r, &fd),
              "%s: after a look into it", ways[i]);
        if (i)
            check(fd == -1, "a compressed one is no file for xl restore");
        else
            check(read(fd, magic, 32) == 32 &&
                  !memcmp(magic, memory_magic, 32), "it is, from its start");
        memory_reader_close(r);
        if (!i) {
            char *data = unit_get(file, &len);

            unit_put(file, data, len - 1);
            free(data);
            check(!memory_open(dirfd, &s, "image", NULL, &r, &e) &&
                  memory_as_file(r, &fd) == -1 && memory_failed(r, &e) &&
                  strstr(e.text, "not as long as recorded"), "nor a cut one");
            memory_reader_close(r);
        }
        free(file);
        meta_free(&s);
    }
}

/* Then all is done behind the save, not beside it. */
static void one_processor(void)
{
    cpu_set_t all, one;
    int i = 0;

    check(!sched_getaffinity(0, sizeof(all), &all), "the processors");
    while (!CPU_ISSET(i, &all))
        i++;
    CPU_ZERO(&one);
    CPU_SET(i, &one);
    check(!sched_setaffinity(0, sizeof(one), &one) && memory_cpus() == 1 &&
          memory_spare_cpus() == 1, "one of them");
    for (i = 0; i < 2; i++)
        there_and_back(ways[i]);
    sched_setaffinity(0, sizeof(all), &all);
}

/* Read to its end, without a look at it before. */
static bool is_read_wrong(const struct snapshot *s, size_t size)
{
    struct err e;
    char *out;
    ssize_t n = read_all(s, 4096, &out, &e);
    bool wrong = n >= 0 && !is_whole(out, n, s, size);

    free(out);
    return wrong;
}

/* Every cut and a change of any byte is noticed before anything is done. */
static void damage(const char *way)
{
    const size_t size = 100000;
    struct snapshot s;
    struct err e;
    char *file, *good;
    size_t len, i, step;
    bool cut = true, flip = true, read = true;

    check_ok(make(way, size, &s, &e), &e, "%s: a small image", way);
    file = file_of(&s);
    good = unit_get(file, &len);
    step = len / 199 + 1;
    for (i = 0; i < len; i += i < 64 ? 1 : step) {
        unit_put(file, good, i);
        cut = cut && is_err(memory_verify(dirfd, &s, "image", &e), &e,
                            SNAP_FAILED, "image") &&
              read_all(&s, 4096, NULL, &e) == -1;
        good[i] ^= 0x10;
        unit_put(file, good, len);
        flip = flip && is_err(memory_verify(dirfd, &s, "image", &e), &e,
                              SNAP_FAILED, "image");
        read = read && !is_read_wrong(&s, size);
        good[i] ^= 0x10;
    }
    check(cut, "%s: no shortened image passes", way);
    check(flip, "%s: no changed image passes", way);
    check(read, "%s: xl restore never gets other bytes", way);
    good = mem_grow(good, len + 1, 1);
    unit_put(file, good, len + 1);
    check_err(memory_verify(dirfd, &s, "image", &e), &e, SNAP_FAILED,
              "longer than recorded", "%s: a longer one", way);
    free(good);
    free(file);
    meta_free(&s);
}

/* What is stored as image of so many bytes, with its right checksum. */
static void put_image(struct snapshot *s, const void *data, size_t len,
                      uint64_t size)
{
    struct err e;
    XXH3_state_t *hash = memory_hash(&e);
    unsigned level;
    char *file;

    draft("zstd", s, &level);
    file = file_of(s);
    unit_put(file, data, len);
    XXH3_64bits_update(hash, data, len);
    free(s->memory.checksum);
    s->memory.checksum = memory_checksum(hash);
    s->memory.size = size;
    s->memory.stored_size = len;
    XXH3_freeState(hash);
    free(file);
}

static size_t compress(const void *in, size_t len, int window, void *out,
                       size_t room)
{
    ZSTD_CCtx *c = ZSTD_createCCtx();
    size_t n;

    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window);
    /* The size in the frame would make the window that small. */
    ZSTD_CCtx_setParameter(c, ZSTD_c_contentSizeFlag, 0);
    if (window > 25)
        ZSTD_CCtx_setParameter(c, ZSTD_c_enableLongDistanceMatching, 1);
    n = ZSTD_compress2(c, out, room, in, len);
    ZSTD_freeCCtx(c);
    return n;
}

/* Small frames, one without a size, an empty one, one of ours again. */
static void mixed(void)
{
    size_t room = ZSTD_compressBound(SIZE) + 4096, len = 0, i;
    char *out = mem_zalloc(room, 1), *back;
    const size_t cuts[] = { 0, 100, 3000, 3000, 2 * PACK_FRAME, SIZE };
    struct snapshot s;
    struct err e;
    ssize_t n;

    for (i = 0; i + 1 < sizeof(cuts) / sizeof(cuts[0]); i++)
        len += i == 1 ? compress(memory + cuts[i], cuts[i + 1] - cuts[i], 20,
                                 out + len, room - len) :
               ZSTD_compress(out + len, room - len, memory + cuts[i],
                             cuts[i + 1] - cuts[i], 1);
    put_image(&s, out, len, SIZE);
    n = read_all(&s, 65536, &back, &e);
    check(n == SIZE && !memcmp(back, memory, SIZE),
          "frames of any kind in a row");
    free(back);
    meta_free(&s);
    free(out);
}

static void hostile(void)
{
    size_t big = 16 * MEMORY_CHUNK, room = ZSTD_compressBound(big), n, i;
    char *zeros = mem_zalloc(big, 1), *out = mem_zalloc(room, 1);
    struct snapshot s;
    struct err e;

    memcpy(zeros, memory_magic, sizeof(memory_magic));
    n = compress(zeros, big, 20, out, room);
    put_image(&s, out, n, 1000);
    check_err((int)read_all(&s, 65536, NULL, &e), &e, SNAP_FAILED,
              "more than recorded", "a bomb: %zu bytes of %zu", n, big);
    meta_free(&s);

    put_image(&s, out, n, big);
    check(read_all(&s, 65536, NULL, &e) == (ssize_t)big,
          "an image of one frame, as of earlier versions, is read");
    meta_free(&s);

    put_image(&s, out, n, big + 1);
    check_err((int)read_all(&s, 65536, NULL, &e), &e, SNAP_FAILED,
              "less than recorded", "less than the metadata says");
    meta_free(&s);

    n = compress(zeros, big, 27, out, room);
    put_image(&s, out, n, big);
    check_err(memory_verify(dirfd, &s, "image", &e), &e, SNAP_FAILED,
              "damaged", "a window that would take 128 MiB");
    meta_free(&s);

    /* Skippable frames hold nothing: only the file's length bounds them. */
    memset(out, 0, 4096);
    for (i = 0; i + 8 <= 4096; i += 8)
        memcpy(out + i, "\x50\x2a\x4d\x18\0\0\0\0", 8);
    put_image(&s, out, 4096, 100);
    check_err((int)read_all(&s, 65536, NULL, &e), &e, SNAP_FAILED,
              "less than recorded", "frames without content");
    meta_free(&s);

    put_image(&s, "hello", 5, 5);
    check_err(memory_verify(dirfd, &s, "image", &e), &e, SNAP_FAILED,
              "damaged", "a file that is not of zstd");
    meta_free(&s);

    n = compress("not xl's, but more than xl's header has, of bytes", 48, 20,
                 out, room);
    put_image(&s, out, n, 48);
    check_err(memory_verify(dirfd, &s, "image", &e), &e, SNAP_FAILED,
              "not a memory image", "a stream that is not xl's");
    meta_free(&s);

    put_image(&s, "", 0, 0);
    check_err(memory_verify(dirfd, &s, "image", &e), &e, SNAP_FAILED,
              "not a memory image", "nothing at all");
    meta_free(&s);

    put_image(&s, out, n, 48);
    free(s.memory.compression);
    s.memory.compression = mem_strdup("lzma");
    check_err(memory_verify(dirfd, &s, "image", &e), &e, SNAP_FAILED,
              "'lzma'", "a compression of a later version");
    meta_free(&s);
    free(out);
    free(zeros);
}

static void levels(void)
{
    static const char *const bad[] = {
        "", "lz4", "zstd:", "zstd:0", "zstd:20", "zstd:-1", "zstd: 1",
        "zstd:1x", "zstd:99999999999999999999", "ZSTD", "none:1",
    };
    unsigned level = 99;
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_err(memory_level(bad[i], &level, &e), &e, SNAP_USAGE,
                  "zstd:LEVEL", "no compression '%s'", bad[i]);
    check(!memory_level(NULL, &level, &e) && level == MEMORY_LEVEL_DEFAULT,
          "the default");
    check(!memory_level("auto", &level, &e) && level == MEMORY_LEVEL_DEFAULT,
          "auto");
    check(!memory_level("none", &level, &e) && level == 0, "none");
    check(!memory_level("zstd:19", &level, &e) && level == 19, "zstd:19");
    check(memory_room(1u << 20, 0) == 1u << 20 &&
          memory_room(1u << 20, 1) > 1u << 20,
          "room for what does not compress");
}

/* At each stage: no thread, descriptor or spool is left. */
static void given_up(void)
{
    size_t before = unit_open_fds(), i, stage;

    for (i = 0; i < NWAYS; i++)
        for (stage = 0; stage < 4; stage++) {
            struct memory_writer *w;
            struct snapshot s;
            struct err e;
            unsigned level;

            draft(ways[i], &s, &level);
            if (memory_create(dirfd, &s, "image", level, SIZE, NULL, &w, &e))
                break;
            if (stage > 0)
                save(w, SIZE);
            if (stage > 1 && memory_finish(w, stage > 2, &e))
                break;
            if (stage > 2 && memory_sync(w, &s, &e))
                break;
            memory_close(w);
            meta_free(&s);
        }
    check(i == NWAYS && unit_open_fds() == before,
          "closing is right at any point");
    memory_close(NULL);
}

static void no_directory(void)
{
    struct memory_writer *w = NULL;
    struct snapshot s;
    struct err e;
    unsigned level;
    size_t i;

    for (i = 0; i < 2; i++) {
        draft(ways[i], &s, &level);
        check_err(memory_create(-1, &s, "image", level, SIZE, NULL, &w, &e),
                  &e, SNAP_FAILED, "image", "%s: nowhere to write", ways[i]);
        meta_free(&s);
    }
}

int main(void)
{
    size_t i;

    dirfd = open(unit_dir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_memory();
    levels();
    for (i = 0; i < NWAYS; i++)
        there_and_back(ways[i]);
    for (i = 0; i < 2; i++)
        damage(ways[i]);
    one_processor();
    by_frames();
    mixed();
    for (i = 0; i < 2; i++)
        held(ways[i]);
    held_damage("none", -1, "less than recorded");
    held_damage("none", 5, "more than recorded");
    held_damage("zstd", -1, "damaged");
    held_damage("zstd", 0, "damaged");
    held_damage("zstd", 5, "damaged");
    as_file();
    hostile();
    given_up();
    no_directory();
    free(memory);
    close(dirfd);
    return unit_done();
}
