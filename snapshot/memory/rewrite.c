/* SPDX-License-Identifier: LGPL-2.1-only */

/* The header of a memory image with another configuration. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "memory/rewrite.h"
#include "memory/save_file.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

/* Of the image: as many bytes as there are, up to len. */
static int take(struct rewrite *w, char *buf, size_t len, size_t *got_r,
                struct err *e)
{
    ssize_t n = 1;

    *got_r = 0;
    while (*got_r < len && n > 0) {
        n = w->source(w->arg, buf + *got_r, len - *got_r);
        if (n > 0)
            *got_r += (size_t)n;
    }
    if (n < 0)
        return err_set(e, SNAP_FAILED, "cannot read the memory image");
    return 0;
}

static void put_header(struct rewrite *w, struct memory_header *hdr,
                       const char *config)
{
    uint32_t len = (uint32_t)strlen(config) + 1;

    hdr->optional_data_len = sizeof(len) + len;
    w->len = sizeof(*hdr) + sizeof(len) + len;
    w->head = mem_grow(w->head, w->len, 1);
    memcpy(w->head, hdr, sizeof(*hdr));
    memcpy(w->head + sizeof(*hdr), &len, sizeof(len));
    memcpy(w->head + sizeof(*hdr) + sizeof(len), config, len);
    w->changed = true;
}

/* The header is read; what is behind the configuration goes on as it is. */
static int change_config(struct rewrite *w, struct memory_header *hdr,
                         rewrite_fn *fn, void *fn_arg, struct err *e)
{
    char *config, *other = NULL;
    uint32_t len;
    size_t n;

    memcpy(&len, w->head + sizeof(*hdr), sizeof(len));
    if (memcmp(hdr->magic, memory_magic, sizeof(hdr->magic)) || !len ||
        len > JSON_MAX_SIZE || hdr->optional_data_len != sizeof(len) + len)
        return 0;
    w->head = mem_grow(w->head, w->len + len, 1);
    config = w->head + w->len;
    if (take(w, config, len, &n, e))
        return -1;
    w->len += n;
    if (n < len || config[len - 1])
        return 0;
    w->known = hdr->byteorder == MEMORY_BYTEORDER && hdr->mandatory_flags ==
               (MEMORY_FLAG_JSON | MEMORY_FLAG_STREAM_V2);
    if (fn && fn(fn_arg, config, &other, e))
        return -1;
    if (other)
        put_header(w, hdr, other);
    free(other);
    return 0;
}

int rewrite_begin(struct rewrite *w,
                  ssize_t (*source)(void *arg, void *buf, size_t len),
                  void *arg, rewrite_fn *fn, void *fn_arg, struct err *e)
{
    struct memory_header hdr;
    size_t want = sizeof(hdr) + sizeof(uint32_t);

    *w = (struct rewrite){ .source = source, .arg = arg };
    w->head = mem_zalloc(want, 1);
    if (take(w, w->head, want, &w->len, e))
        return -1;
    if (w->len < want)
        return 0;
    memcpy(&hdr, w->head, sizeof(hdr));
    return change_config(w, &hdr, fn, fn_arg, e);
}

int rewrite_drop_header(struct rewrite *w, struct err *e)
{
    if (!w->known)
        return err_set(e, SNAP_FAILED, "it does not begin as an image of a "
                       "domain's memory does");
    w->done = w->len;
    return 0;
}

ssize_t rewrite_source(void *rewrite, void *buf, size_t len)
{
    struct rewrite *w = rewrite;

    if (w->done == w->len)
        return w->source(w->arg, buf, len);
    if (len > w->len - w->done)
        len = w->len - w->done;
    memcpy(buf, w->head + w->done, len);
    w->done += len;
    return (ssize_t)len;
}

void rewrite_end(struct rewrite *w)
{
    free(w->head);
    memset(w, 0, sizeof(*w));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
