/* SPDX-License-Identifier: LGPL-2.1-only */

/* Cuts a stream of bytes into the JSON objects of QMP. */

#include <stdlib.h>
#include <string.h>

#include "qemu/qmp_frame.h"
#include "sys/err.h"
#include "sys/mem.h"

int qmp_frame_feed(struct qmp_frame *f, const void *data, size_t len,
                   struct err *e)
{
    if (f->len + len > JSON_MAX_SIZE)
        return err_set(e, SNAP_FAILED, "QMP: an answer exceeds %u bytes",
                       JSON_MAX_SIZE);
    f->buf = mem_grow(f->buf, f->len + len + 1, 1);
    memcpy(f->buf + f->len, data, len);
    f->len += len;
    f->buf[f->len] = '\0';      /* where strspn() ends at the latest */
    return 0;
}

static void drop(struct qmp_frame *f, size_t n)
{
    f->len -= n;
    memmove(f->buf, f->buf + n, f->len);
    f->scanned = 0;
}

/* The length of the first line with its newline; 0 if that is not there. */
static size_t first_line(struct qmp_frame *f)
{
    char *nl = NULL;

    if (f->scanned < f->len)
        nl = memchr(f->buf + f->scanned, '\n', f->len - f->scanned);
    f->scanned = f->len;
    if (!nl)
        return 0;
    return (size_t)(nl - f->buf) + 1;
}

int qmp_frame_next(struct qmp_frame *f, json_object **o_r, struct err *e)
{
    size_t line;

    *o_r = NULL;
    while ((line = first_line(f))) {
        if (strspn(f->buf, " \t\r\n") >= line) {
            drop(f, line);
            continue;
        }
        *o_r = json_parse_object(f->buf, line, "QMP", e);
        drop(f, line);
        if (!*o_r)
            return -1;
        break;
    }
    return 0;
}

void qmp_frame_free(struct qmp_frame *f)
{
    free(f->buf);
    memset(f, 0, sizeof(*f));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
