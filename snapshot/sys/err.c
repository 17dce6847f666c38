/* SPDX-License-Identifier: LGPL-2.1-only */

/* Fills in errors, each as one line of printable text. */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sys/err.h"
#include "sys/text.h"

/* One line of printable text, whatever it was made from. */
static void clean(char *text)
{
    size_t len;

    text_clean(text);
    for (len = strlen(text); len && text[len - 1] == ' '; len--)
        text[len - 1] = '\0';
}

static enum err_code code_of(int number)
{
    switch (number) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case EIO:
        return ERR_IO;
    default:
        return ERR_OTHER;
    }
}

int err_set(struct err *e, enum snap_status status, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    clean(e->text);
    e->status = status;
    e->code = ERR_OTHER;
    e->hot_only = false;
    return -1;
}

int err_errno(struct err *e, const char *fmt, ...)
{
    int saved = errno;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    snprintf(e->text + strlen(e->text), sizeof(e->text) - strlen(e->text),
             ": %s", strerror(saved));
    clean(e->text);
    e->status = SNAP_FAILED;
    e->code = code_of(saved);
    e->hot_only = false;
    return -1;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
    char old[sizeof(e->text)];
    size_t len;
    va_list ap;

    memcpy(old, e->text, sizeof(old));
    va_start(ap, fmt);
    vsnprintf(e->text, sizeof(e->text), fmt, ap);
    va_end(ap);
    len = strlen(e->text);
    snprintf(e->text + len, sizeof(e->text) - len, ": %s", old);
    clean(e->text);
    return -1;
}

void err_add(struct err *e, const char *fmt, ...)
{
    size_t len = strlen(e->text);
    va_list ap;

    if (len && len + 2 < sizeof(e->text)) {
        memcpy(e->text + len, "; ", 3);
        len += 2;
    }
    va_start(ap, fmt);
    vsnprintf(e->text + len, sizeof(e->text) - len, fmt, ap);
    va_end(ap);
    clean(e->text);
    e->code = ERR_OTHER;
    e->hot_only = false;
    if (e->status == SNAP_OK)
        e->status = SNAP_FAILED;
}

void err_join(struct err *e, const struct err *one)
{
    bool hot_only = one->hot_only && (e->status == SNAP_OK || e->hot_only);

    err_add(e, "%s", one->text);
    e->hot_only = hot_only;
}

void err_join_worst(struct err *e, const struct err *one)
{
    enum snap_status worst = e->status;

    if (one->status > worst)
        worst = one->status;
    err_join(e, one);
    e->status = worst;
}

int err_hot_only(struct err *e)
{
    e->hot_only = true;
    return -1;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
