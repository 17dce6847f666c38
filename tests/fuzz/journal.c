/*
 * The journal of an operation.  Behind 'r': the file as it is.  Behind any
 * other byte: its lines without their checksums, which are added, because
 * nothing else would get past them.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "snapshot/disk/disk.h"
#include "snapshot/sys/file.h"
#include "snapshot/txn/job.h"
#include "snapshot/txn/journal.h"
#include "tests/fuzz/fuzz.h"

static struct store st;
static char dir[] = "/dev/shm/fuzz-journal.XXXXXX";

static void clean(void)
{
    unlinkat(st.fd, STORE_JOURNAL, 0);
    rmdir(st.path);
    rmdir(dir);
}

/* The records of disks are read by their kinds. */
__attribute__((constructor)) static void know_kinds(void)
{
    disk_init();
}

static void begin(void)
{
    struct err e;

    if (st.path)
        return;
    if (!mkdtemp(dir) || store_open(&st, dir, "g1", true, &e))
        abort();
    atexit(clean);
}

static void put_lines(FILE *f, const char *p, size_t len)
{
    while (len) {
        const char *nl = memchr(p, '\n', len);
        size_t n = nl ? (size_t)(nl - p) : len;

        fprintf(f, "%016" PRIx64 " ", (uint64_t)XXH3_64bits(p, n));
        fwrite(p, 1, n, f);
        if (nl)
            fputc('\n', f);
        n += nl != NULL;
        p += n;
        len -= n;
    }
}

static void put_file(const uint8_t *data, size_t len)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    int fd;

    if (len && data[0] == 'r')
        fwrite(data + 1, 1, len - 1, f);
    else if (len)
        put_lines(f, (const char *)data + 1, len - 1);
    fclose(f);
    unlinkat(st.fd, STORE_JOURNAL, 0);
    fd = openat(st.fd, STORE_JOURNAL, O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || file_write_all(fd, text, size))
        abort();
    close(fd);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct job j = { 0 };
    struct journal log;
    struct journal_content c;
    json_object *out;
    struct err e;

    begin();
    put_file(data, len);
    if (journal_read(&st, &log, &c, &e)) {
        fuzz_demand(!c.header && e.status == SNAP_NEEDS_USER, "status 4");
        return 0;
    }
    fuzz_demand(c.begun >= -1, "a step, or none");
    if (!job_parse(c.header, "fuzz", &j, &e)) {
        fuzz_demand(j.plan.n && j.plan.commit < j.plan.n,
                    "the commit point is a step");
        out = job_to_json(&j);
        json_object_put(out);
        j.notes = c.notes;
        c.notes = NULL;
        job_take_notes(&j);
        job_free(&j);
    } else {
        fuzz_demand(e.status == SNAP_NEEDS_USER, "status 4");
    }
    journal_close(&log);
    json_object_put(c.header);
    json_object_put(c.notes);
    return 0;
}
