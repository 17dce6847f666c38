/* SPDX-License-Identifier: LGPL-2.1-only */

#include <endian.h>
#include <stdint.h>
#include <string.h>

#include "snapshot/sys/mem.h"
#include "snapshot/image/qcow2.h"
#include "tests/unit/unit.h"

/* The first 4 KiB of an image; offsets as in QEMU's docs/interop/qcow2.txt. */
static unsigned char image[4096];
static char *path;

static void put32(size_t at, uint32_t n)
{
    n = htobe32(n);
    memcpy(image + at, &n, sizeof(n));
}

/* A header, and behind it one extension and the backing file's name. */
static void make(unsigned version, const char *name, const char *format)
{
    size_t at = version == 2 ? 72 : 104;

    memset(image, 0, sizeof(image));
    put32(0, 0x514649fb);
    put32(4, version);
    put32(20, 12);
    put32(100, version == 2 ? 0 : 104);
    if (!name)
        return;
    put32(12, 1024);
    put32(16, strlen(name));
    memcpy(image + 1024, name, strlen(name));
    put32(at, 0x6803f857);          /* feature names, which do not matter */
    put32(at + 4, 5);
    at += 8 + 8;
    if (!format)
        return;
    put32(at, 0xe2792aca);
    put32(at + 4, strlen(format));
    memcpy(image + at + 8, format, strlen(format));
}

static void says(const char *want, const char *format, const char *what)
{
    struct qcow2_backing b;
    struct err e;

    unit_put(path, image, sizeof(image));
    check_ok(qcow2_backing(path, &b, &e), &e, "%s", what);
    check(want ? b.path && !strcmp(b.path, want) : !b.path, "its backing file");
    check(format ? b.format && !strcmp(b.format, format) : !b.format,
          "and that one's format");
    qcow2_backing_free(&b);
}

static void refused(const char *why, const char *what)
{
    struct qcow2_backing b;
    struct err e;

    unit_put(path, image, sizeof(image));
    check_err(qcow2_backing(path, &b, &e), &e, SNAP_FAILED, why, "%s", what);
    check(!b.path && strstr(e.text, path), "the error names the image");
}

static void broken(size_t at, uint32_t n, const char *why, const char *what)
{
    make(3, "/base", "qcow2");
    put32(at, n);
    refused(why, what);
}

int main(void)
{
    char *next = unit_path("base");
    struct qcow2_backing b;
    struct err e;

    path = unit_path("image");
    make(3, NULL, NULL);
    says(NULL, NULL, "an image with nothing behind it");
    make(3, "/base", "qcow2");
    says("/base", "qcow2", "a layer");
    make(2, "/base", "raw");
    says("/base", "raw", "an old image on a raw one");
    make(2, "/base", NULL);
    says("/base", NULL, "an old layer that does not tell the format");
    make(3, "base", "qcow2");
    says(next, "qcow2", "a relative path");
    make(3, "nbd://host/base", "raw");
    says("nbd://host/base", "raw", "an image on the network");

    broken(0, 0, "not a qcow2", "another magic");
    broken(4, 4, "version", "a version of the future");
    broken(20, 40, "damaged", "clusters too large");
    broken(16, 0, "damaged", "a name without characters");
    broken(16, 5000, "damaged", "a name too long");
    broken(8, 1, "damaged", "a name far away");
    broken(12, 4095, "damaged", "a name across the end of the cluster");
    broken(104 + 16 + 4, 100, "damaged", "a format too long");
    make(3, "/base", "qcow2");
    image[1026] = '\0';
    refused("damaged", "a NUL in the name");
    unit_put(path, image, 60);
    check_err(qcow2_backing(path, &b, &e), &e, SNAP_FAILED, "ends",
              "a file that ends in the header");
    unit_remove(path);
    check_err(qcow2_backing(path, &b, &e), &e, SNAP_FAILED, "cannot open",
              "no file");
    free(path);
    free(next);
    return unit_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
