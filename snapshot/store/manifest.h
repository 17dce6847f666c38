/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * export.json: what an exported snapshot consists of (doc/design.md 9).  Pure.
 * Names of its files follow from what they are: VDEV.qcow2 or VDEV.raw,
 * VDEV.chunks, and the memory image's.  Nothing in it is trusted.
 */

#ifndef SNAPSHOT_MANIFEST_H
#define SNAPSHOT_MANIFEST_H

#include "store/meta.h"

#define MANIFEST_FILE "export.json"
#define MANIFEST_FORMAT "xl-snapshot-export"
#define MANIFEST_VERSION 1

struct manifest_file {
    uint64_t size;              /* bytes */
    char *sha256;               /* hex */
};

struct manifest_disk {
    char *vdev;
    char *format;               /* qcow2 or raw */
    bool incremental;           /* it stands on the earlier export's */
    uint64_t virtual_size;      /* bytes */
    struct manifest_file image; /* of a raw one the chunks' sums are its sum */
    struct manifest_file chunks;
};

struct manifest {
    struct snapshot s;
    struct manifest_file memory;        /* sha256 is NULL: it has none */
    struct manifest_disk *disks;
    size_t ndisks;
    char *since;                /* the earlier export, from this one's; or NULL */
    char *since_sha256;         /* of its export.json */
};

/* "what" names the source in errors; m is freed again on failure. */
int manifest_parse(const char *text, size_t len, const char *what,
                   struct manifest *m, struct err *e);
/* For its file; the caller's to free. */
char *manifest_text(const struct manifest *m);
void manifest_free(struct manifest *m);

/* NULL if it has no such disk. */
const struct manifest_disk *manifest_find(const struct manifest *m,
                                          const char *vdev);
/* A vdev that can be part of a file's name. */
bool manifest_vdev_is_safe(const char *vdev);
/* The file's name; the caller's to free. */
char *manifest_image_name(const struct manifest_disk *d);
char *manifest_chunks_name(const struct manifest_disk *d);
const char *manifest_memory_name(const struct manifest *m);
/* True for the name of any file of an export. */
bool manifest_is_file(const char *name);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
