/* SPDX-License-Identifier: LGPL-2.1-only */


#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "memory/genid.h"
#include "memory/save_file.h"
#include "store/json_scan.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

#define GENID_LEN 16

/* Of the image: as many bytes as there are, up to len; -1. */
static ssize_t take(struct genid *g, char *buf, size_t len)
{
    size_t got = 0;
    ssize_t n = 1;

    while (got < len && n > 0) {
        n = g->source(g->arg, buf + got, len - got);
        if (n > 0)
            got += (size_t)n;
    }
    return n < 0 ? -1 : (ssize_t)got;
}

/* The value of a new one, in libxl's JSON. */
static int new_value(char *text, struct err *e)
{
    unsigned char id[GENID_LEN];
    size_t i;

    if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
        return err_errno(e, "cannot get random numbers");
    for (i = 0; i < sizeof(id); i++)
        text += sprintf(text, "%c%u", i ? ',' : '[', id[i]);
    strcpy(text, "]");
    return 0;
}

static bool find(const char *config, const char **value_r, size_t *len_r)
{
    const char *info, *hvm;
    size_t len;

    return json_scan_member(config, strlen(config), "b_info", &info, &len) &&
           json_scan_member(info, len, "type.hvm", &hvm, &len) &&
           json_scan_member(hvm, len, "ms_vm_genid", value_r, len_r);
}

/* The configuration with another one; *new_r NULL if it has none. */
static int renew(const char *config, char **new_r, struct err *e)
{
    char value[GENID_LEN * 4 + 2];
    const char *old;
    size_t len;

    *new_r = NULL;
    if (!find(config, &old, &len))
        return 0;
    if (new_value(value, e))
        return -1;
    *new_r = mem_printf("%.*s%s%s", (int)(old - config), config, value,
                        old + len);
    return 0;
}

/* The header is read; what is behind it goes on as it is. */
static int read_config(struct genid *g, struct memory_header *hdr,
                       struct err *e)
{
    uint32_t len;
    char *config, *other = NULL;
    ssize_t n;
    int rc = 0;

    memcpy(&len, g->head + sizeof(*hdr), sizeof(len));
    if (memcmp(hdr->magic, memory_magic, sizeof(hdr->magic)) || !len ||
        len > JSON_MAX_SIZE || hdr->optional_data_len != sizeof(len) + len)
        return 0;
    g->head = mem_grow(g->head, g->len + len, 1);
    config = g->head + g->len;
    n = take(g, config, len);
    if (n < 0)
        return err_set(e, SNAP_FAILED, "cannot read the memory image");
    g->len += (size_t)n;
    if ((size_t)n == len && !config[len - 1])
        rc = renew(config, &other, e);
    if (other) {
        len = (uint32_t)strlen(other) + 1;
        hdr->optional_data_len = sizeof(len) + len;
        g->len = sizeof(*hdr) + sizeof(len) + len;
        g->head = mem_grow(g->head, g->len, 1);
        memcpy(g->head, hdr, sizeof(*hdr));
        memcpy(g->head + sizeof(*hdr), &len, sizeof(len));
        memcpy(g->head + sizeof(*hdr) + sizeof(len), other, len);
        free(other);
    }
    return rc;
}

int genid_begin(struct genid *g,
                ssize_t (*source)(void *arg, void *buf, size_t len),
                void *arg, struct err *e)
{
    struct memory_header hdr;
    size_t want = sizeof(hdr) + sizeof(uint32_t);
    ssize_t n;

    *g = (struct genid){ .source = source, .arg = arg };
    g->head = mem_zalloc(want, 1);
    n = take(g, g->head, want);
    if (n < 0)
        return err_set(e, SNAP_FAILED, "cannot read the memory image");
    g->len = (size_t)n;
    if (g->len < want)
        return 0;
    memcpy(&hdr, g->head, sizeof(hdr));
    return read_config(g, &hdr, e);
}

ssize_t genid_source(void *genid, void *buf, size_t len)
{
    struct genid *g = genid;

    if (g->done == g->len)
        return g->source(g->arg, buf, len);
    if (len > g->len - g->done)
        len = g->len - g->done;
    memcpy(buf, g->head + g->done, len);
    g->done += len;
    return (ssize_t)len;
}

void genid_end(struct genid *g)
{
    free(g->head);
    memset(g, 0, sizeof(*g));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
