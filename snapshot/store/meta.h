/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The metadata of one snapshot: struct snapshot and its JSON form,
 * snapshot.json version 1 (doc/design.md 3).  Pure.
 *
 * A snapshot is made zeroed or by meta_parse(), and freed by
 * meta_free(); every string is its own.
 */

#ifndef SNAPSHOT_META_H
#define SNAPSHOT_META_H

#include "sys/json.h"

#define META_FORMAT "xl-snapshot"
#define META_VERSION 1
#define META_MEMORY_FILE "memory.xl"
#define META_MEMORY_ZSTD "memory.xl.zst"
/* With --path: DIR/<domain>.<name>.<unique>/ and one of the two above. */
#define META_PLACE_FORMAT "%s/%s.%s.%s/%s"
#define META_MEMORY_SPOOL "memory.xl.spool"      /* while it is made */

struct snapshot_disk {
    char *vdev;             /* xvda, hda ... */
    char *path;             /* as the domain's configuration names it */
    char *format;           /* libxl's word: qcow2, raw ... */
    char *backend;          /* libxl's word: qdisk, phy ... */
    char *type;             /* a disk kind (disk.h), or "none" */
    char *part;             /* the part's name: "snapshot", "file", "volume" */
    char *reason;           /* why there is no part, for "none" */
    char *origin;           /* lvm: the disk's own volume, "VG/LV" */
    char *stamp;            /* of the part: proves that it is the same one */
    char *link;             /* external: the path that links to the live layer */
    char *overlay;          /* external: the layer that takes the writes */
    char *discard;          /* external: the layer that goes (disk_merge.c) */
    uint64_t virtual_size;  /* bytes the guest sees */
    /* What proves that it is this image, and this part (image/identity.h). */
    json_object *identity, *part_identity;
    uint64_t inode;         /* of the image, in records without an identity */
    bool unknown;           /* of a kind that this version does not know */
    uint64_t room;          /* lvm: of the part to be made; not in the JSON */
};

struct snapshot {
    char *name, *description;
    uint64_t creation_time;             /* seconds since the epoch */
    uint64_t expires;                   /* the same, or 0: never */
    char *parent;                       /* NULL for a root */
    bool protected;                     /* deleted by nothing but --force */
    char *mode;                         /* live, hot or cold; NULL: unknown */
    struct { char *name, *uuid, *type, *state; } domain;
    struct { char *hostname, *xen, *qemu, *cpu; } host;
    uint64_t downtime_ms;
    struct {
        char *file, *compression, *checksum;
        uint64_t size, stored_size;     /* bytes before and after compression */
    } memory;
    struct snapshot_disk *disks;
    size_t ndisks;
    char *config;                       /* libxl's JSON */
    /* What was parsed, as it keeps its keys: one of the two, or neither. */
    json_object *raw;
    char *text;                         /* but for the configuration */
};

/* "what" names the source in errors; s is freed again on failure. */
int meta_parse(json_object *o, const char *what, struct snapshot *s,
               struct err *e);
/* Of a file: the configuration stays text, which is faster. */
int meta_parse_text(const char *text, size_t len, const char *what,
                    struct snapshot *s, struct err *e);
/* The caller's to put.  Keys of a later minor version are kept. */
json_object *meta_to_json(const struct snapshot *s);
void meta_free(struct snapshot *s);
/* A snapshot of which nothing is known but its name and its domain's. */
void meta_blank(const char *name, const char *domain, struct snapshot *s_r);

/* True if this disk has a part in the snapshot. */
bool meta_disk_has_part(const struct snapshot_disk *d);

/* The text that goes to a file, with a final newline; caller frees. */
char *meta_text(json_object *o);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
