/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes, reads and removes the journal of an operation. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "txn/journal.h"

#define SUM_LEN 16
#define MAX_STEPS 100000

static char *journal_path(struct store *st)
{
    return mem_printf("%s/" STORE_JOURNAL, st->path);
}

static char *make_record(json_object *o)
{
    const char *text = json_object_to_json_string_ext(o,
                           JSON_C_TO_STRING_PLAIN);

    return mem_printf("%016" PRIx64 " %s\n",
                      (uint64_t)XXH3_64bits(text, strlen(text)), text);
}

/* More than the notes on many disks take. */
#define RESERVE (128 * 1024)

static int open_append(struct journal *j, const char *what, struct err *e)
{
    j->fd = openat(j->st->fd, STORE_JOURNAL, O_WRONLY | O_APPEND |
                   O_NOFOLLOW | O_CLOEXEC);
    return j->fd < 0 ? err_errno(e, "cannot open %s", what) : 0;
}

/*
 * Nothing has been done yet: a journal that got its name but perhaps not to
 * the disk goes again, so that the failure leaves everything as before.
 */
static void withdraw(struct store *st, const char *line, const char *what)
{
    struct err ignored;
    char *text = NULL;
    size_t len;

    if (!file_read(st->fd, STORE_JOURNAL, JSON_MAX_SIZE, what, &text, &len,
                   &ignored) && !strcmp(text, line))
        file_unlink(st->fd, STORE_JOURNAL, what, &ignored);
    free(text);
}

int journal_start(struct store *st, json_object *header, struct journal *j,
                  struct err *e)
{
    char *what = journal_path(st), *line = make_record(header);
    int rc;

    j->st = st;
    j->fd = -1;
    rc = file_write_durable(st->fd, STORE_JOURNAL, line, strlen(line), what,
                            e);
    if (!rc)
        rc = open_append(j, what, e);
    if (rc)
        withdraw(st, line, what);
    free(line);
    free(what);
    return rc;
}

/*
 * A line that was written in part, by a disk that is full, would hide what
 * follows it: it goes again.
 */
static int append(struct journal *j, json_object *o, struct err *e)
{
    char *what = journal_path(j->st), *line = make_record(o);
    off_t end = lseek(j->fd, 0, SEEK_END);
    int rc = -1;

    if (end < 0)
        err_errno(e, "cannot write %s", what);
    else if (file_write_all(j->fd, line, strlen(line))) {
        err_errno(e, "cannot write %s", what);
        if (ftruncate(j->fd, end))
            err_errno(e, "cannot shorten %s", what);
    } else {
        rc = file_sync(j->fd, what, e);
    }
    free(line);
    free(what);
    return rc;
}

int journal_reserve(struct journal *j, struct err *e)
{
    /* Some file systems, NFS for example, cannot promise anything. */
    if (fallocate(j->fd, FALLOC_FL_KEEP_SIZE, 0, RESERVE) &&
        (errno == ENOSPC || errno == EDQUOT))
        return err_errno(e, "no room for the journal in %s", j->st->path);
    return 0;
}

int journal_begin(struct journal *j, size_t step, size_t through,
                  struct err *e)
{
    json_object *o = json_object_new_object();
    int rc;

    json_add_u64(o, "begin", step);
    json_add_u64(o, "through", through);
    rc = append(j, o, e);
    json_object_put(o);
    return rc;
}

int journal_note(struct journal *j, json_object *note, struct err *e)
{
    json_object *o = json_object_new_object();
    int rc;

    json_object_object_add(o, "note", json_object_get(note));
    rc = append(j, o, e);
    json_object_put(o);
    return rc;
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

int journal_end(struct journal *j, struct err *e)
{
    char *what = journal_path(j->st);
    int rc = file_unlink(j->st->fd, STORE_JOURNAL, what, e);
    struct err ignored;

    /*
     * If this fails and the power with it, the journal may be back: then the
     * next command does once more what is done already.
     */
    if (!rc)
        (void)file_sync(j->st->fd, j->st->path, &ignored);
    if (!rc)
        journal_close(j);
    free(what);
    return rc;
}

bool journal_exists(struct store *st)
{
    struct stat sb;

    /* If it cannot be told, reading it will fail and nothing is begun. */
    return st->fd >= 0 &&
           (!fstatat(st->fd, STORE_JOURNAL, &sb, AT_SYMLINK_NOFOLLOW) ||
            errno != ENOENT);
}

/* The record of a line without its newline, or NULL if it is not whole. */
static json_object *parse_record(const char *line, size_t len)
{
    char sum[SUM_LEN + 1];
    struct err ignored;

    if (len < SUM_LEN + 1 || line[SUM_LEN] != ' ')
        return NULL;
    snprintf(sum, sizeof(sum), "%016" PRIx64,
             (uint64_t)XXH3_64bits(line + SUM_LEN + 1, len - SUM_LEN - 1));
    if (memcmp(sum, line, SUM_LEN))
        return NULL;
    return json_parse_object(line + SUM_LEN + 1, len - SUM_LEN - 1,
                             "journal", &ignored);
}

static int damaged(const char *what, struct err *e)
{
    return err_set(e, SNAP_NEEDS_USER, "%s is damaged: look at the domain and "
                   "its disks, then run 'xl snapshot-recover --give-up'",
                   what);
}

static void merge(json_object *into, json_object *note)
{
    struct json_object_iter it;

    json_object_object_foreachC(note, it)
        json_object_object_add(into, it.key, json_object_get(it.val));
}

static int parse_line(json_object *o, const char *what,
                      struct journal_content *c, struct err *e)
{
    struct json_at at = { what, "" };
    json_object *note;
    uint64_t through;

    if (json_has(o, "note")) {
        if (json_obj(o, "note", at, &note, e))
            return -1;
        merge(c->notes, note);
        return 0;
    }
    if (json_u64(o, "through", at, MAX_STEPS, &through, e))
        return -1;
    c->begun = (long)through;
    return 0;
}

/*
 * Reads the records behind the header.  *good_r is the length up to the
 * torn last one, if there is such.
 */
static int parse_lines(const char *text, size_t len, size_t *good_r,
                       const char *what, struct journal_content *c,
                       struct err *e)
{
    while (*good_r < len) {
        const char *line = text + *good_r;
        const char *nl = memchr(line, '\n', len - *good_r);
        json_object *o = NULL;
        int rc;

        if (nl)
            o = parse_record(line, (size_t)(nl - line));
        if (!o) {
            if (nl && nl + 1 < text + len)
                return damaged(what, e);
            return 0;
        }
        rc = parse_line(o, what, c, e);
        json_object_put(o);
        if (rc)
            return damaged(what, e);
        *good_r = (size_t)(nl - text) + 1;
    }
    return 0;
}

static void free_content(struct journal_content *c)
{
    json_object_put(c->header);
    json_object_put(c->notes);
    memset(c, 0, sizeof(*c));
}

int journal_read(struct store *st, struct journal *j,
                 struct journal_content *c, struct err *e)
{
    char *what = journal_path(st), *text = NULL, *nl;
    size_t len, good;
    int rc = -1;

    j->st = st;
    j->fd = -1;
    memset(c, 0, sizeof(*c));
    c->begun = -1;
    if (file_read(st->fd, STORE_JOURNAL, JSON_MAX_SIZE, what, &text, &len,
                  e)) {
        if (e->code != ERR_NOT_FOUND)
            e->status = SNAP_NEEDS_USER;
        goto out;
    }
    nl = memchr(text, '\n', len);
    if (nl)
        c->header = parse_record(text, (size_t)(nl - text));
    if (!c->header) {
        damaged(what, e);
        goto out;
    }
    c->notes = json_object_new_object();
    good = (size_t)(nl - text) + 1;
    if (parse_lines(text, len, &good, what, c, e) || open_append(j, what, e))
        goto out;
    if (good < len && !st->fixed && ftruncate(j->fd, (off_t)good)) {
        err_errno(e, "cannot shorten %s", what);
        goto out;
    }
    rc = 0;

out:
    if (rc) {
        free_content(c);
        journal_close(j);
    }
    free(text);
    free(what);
    return rc;
}

int journal_give_up(struct store *st, const char *when, struct err *e)
{
    char *to = mem_printf(STORE_GIVEN_UP "%s.journal", when);
    char *what = journal_path(st);
    unsigned n;
    int rc;

    for (n = 2; !faccessat(st->fd, to, F_OK, AT_SYMLINK_NOFOLLOW); n++) {
        free(to);
        to = mem_printf(STORE_GIVEN_UP "%s-%u.journal", when, n);
    }
    rc = file_rename(st->fd, STORE_JOURNAL, to, what, e);
    free(what);
    free(to);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
