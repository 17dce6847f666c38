/* SPDX-License-Identifier: LGPL-2.1-only */

/* Checks and makes the names of snapshots, domains and volumes. */

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "sys/err.h"
#include "sys/mem.h"
#include "sys/name.h"

#define VOLUME_MAX_LEN 127
#define RBD_MAX_LEN 96          /* what krbd takes */
#define DIGITS "0123456789"
#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* Of the store's own files: a snapshot is a directory beside or above them. */
static const char *const store_files[] = {
    "domain.json", "snapshot.json", "memory.xl", "memory.xl.zst",
    "memory.xl.spool",
};

static bool is_digits(const char *name)
{
    return name[0] && !name[strspn(name, DIGITS)];
}

/* typed: what became the name, to be proposed with a letter before it. */
static int digits_alone(const char *name, const char *typed, struct err *e)
{
    return err_set(e, SNAP_USAGE, "snapshot name '%s' is digits alone, which "
                   "qemu-img takes for an id: use 'snap-%s', for example",
                   name, typed);
}

int name_check(const char *name, struct err *e)
{
    size_t len = strlen(name), i;

    if (len < 1 || len > NAME_MAX_LEN)
        return err_set(e, SNAP_USAGE, "snapshot name '%s' has %zu characters: "
                       "1 to %d are allowed", name, len, NAME_MAX_LEN);
    if (is_digits(name))
        return digits_alone(name, name, e);
    if (!strchr(LETTERS DIGITS "_", name[0]))
        return err_set(e, SNAP_USAGE, "snapshot name '%s' must start with a "
                       "letter, a digit or '_'", name);
    if (strspn(name, LETTERS DIGITS "._-") != len)
        return err_set(e, SNAP_USAGE, "snapshot name '%s' may hold only "
                       "letters, digits, '.', '_' and '-'", name);
    for (i = 0; i < sizeof(store_files) / sizeof(store_files[0]); i++)
        if (!strcmp(name, store_files[i]))
            return err_set(e, SNAP_USAGE, "snapshot name '%s' is that of a "
                           "file of the store: choose another one", name);
    return 0;
}

int name_check_domain(const char *name, struct err *e)
{
    const char *p;

    if (!name[0] || name[0] == '.' || strlen(name) > NAME_MAX - 16)
        return err_set(e, SNAP_USAGE, "'%s' cannot be used as the name of a "
                       "domain's snapshot directory", name);
    for (p = name; *p; p++)
        if (*p == '/' || iscntrl((unsigned char)*p))
            return err_set(e, SNAP_USAGE, "domain name '%s' holds a '/' or a "
                           "control character, which a directory's name "
                           "cannot", name);
    return 0;
}

int name_check_new_domain(const char *name, struct err *e)
{
    if (is_digits(name))
        return err_set(e, SNAP_USAGE, "domain name '%s' is digits alone, which "
                       "xl takes for an id: choose another one", name);
    return name_check_domain(name, e);
}

int name_expand(const char *template, time_t now, char **name_r,
                struct err *e)
{
    char buf[256];
    struct tm tm;

    if (!template)
        template = "auto-%Y%m%dT%H%M%SZ";
    if (!strchr(template, '%')) {
        *name_r = mem_strdup(template);
    } else {
        if (!gmtime_r(&now, &tm))
            return err_errno(e, "cannot tell the time");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        /* strftime reads no arguments: a user's template is harmless. */
        if (!strftime(buf, sizeof(buf), template, &tm))
#pragma GCC diagnostic pop
            return err_set(e, SNAP_USAGE, "snapshot name '%s' is too long or "
                           "empty", template);
        *name_r = mem_strdup(buf);
        if (is_digits(buf))
            return digits_alone(buf, template, e);
    }
    return name_check(*name_r, e);
}

/* How many bytes of it are the name of a group or volume; 0: none. */
static size_t volume_length(const char *name)
{
    size_t len = strspn(name, LETTERS DIGITS "+_.-");

    if (*name == '-' || len > VOLUME_MAX_LEN || (len == 1 && name[0] == '.') ||
        (len == 2 && name[0] == '.' && name[1] == '.'))
        return 0;
    return len;
}

bool name_is_volume(const char *name)
{
    size_t vg = volume_length(name), lv;

    if (!vg || name[vg] != '/')
        return false;
    lv = volume_length(name + vg + 1);
    return lv && !name[vg + 1 + lv];
}

/* How many bytes of it are one word of an image's name; 0: none. */
static size_t rbd_length(const char *name)
{
    size_t len = strspn(name, LETTERS DIGITS "+_.-");

    /* Dots alone are fine for Ceph, but not for who makes a path of them. */
    if (*name == '-' || len > RBD_MAX_LEN || strspn(name, ".") >= len)
        return 0;
    return len;
}

bool name_is_rbd_word(const char *name)
{
    size_t len = rbd_length(name);

    return len && !name[len];
}

bool name_is_rbd_image(const char *name)
{
    size_t len = rbd_length(name), words = 1;

    while (len && name[len] == '/' && words < 3) {
        name += len + 1;
        len = rbd_length(name);
        words++;
    }
    return len && !name[len] && words > 1;
}

int name_unique(char unique[NAME_UNIQUE_LEN + 1], struct err *e)
{
    uint32_t n;

    if (getrandom(&n, sizeof(n), 0) != sizeof(n))
        return err_errno(e, "cannot get random numbers");
    snprintf(unique, NAME_UNIQUE_LEN + 1, "%08" PRIx32, n);
    return 0;
}

bool name_is_unique(const char *text)
{
    return strlen(text) == NAME_UNIQUE_LEN &&
           strspn(text, "0123456789abcdef") == NAME_UNIQUE_LEN;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
