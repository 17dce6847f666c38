/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Where the files of an export go (doc/design.md 9): to a directory that appears
 * complete or not at all, or to a tar on the standard output, which is complete
 * if it has export.json, its last member.
 * Calling sequence: export_out_open(); the files, one after another;
 * export_out_commit(); export_out_close(), also after a failure.
 */

#ifndef SNAPSHOT_OP_EXPORT_OUT_H
#define SNAPSHOT_OP_EXPORT_OUT_H

#include "op/export_dir.h"
#include "store/manifest.h"
#include "sys/digest.h"
#include "sys/tar.h"

#define EXPORT_STREAM "-"

struct export_out {
    bool stream;                /* a tar; else the directory */
    struct tar *tar;
    struct export_dir dir;
};

/* Nothing is made if "only_look". */
int export_out_open(const char *path, bool only_look, struct export_out *o,
                    struct err *e);
int export_out_commit(struct export_out *o, struct err *e);
void export_out_close(struct export_out *o);
/* What a plan calls a file of it; the caller's to free. */
char *export_out_place(const struct export_out *o, const char *name);

/*
 * -1 if the tar would be written into the file or device at path, which is not a
 * matter of how its path is spelled.
 */
int export_out_spares(const struct export_out *o, const char *path,
                      struct err *e);

/* A file that is written from its first byte to its last. */
struct export_file {
    struct export_out *out;
    char *what;
    int fd;
    struct digest *sum;
    uint64_t size, want;        /* bytes so far, and in the end */
};

/*
 * export_file_open(), export_file_put() for so many bytes, export_file_end(),
 * then it is on disk; export_file_close(), also after a failure.
 */
int export_file_open(struct export_out *o, const char *name, uint64_t size,
                     struct export_file *f, struct err *e);
int export_file_put(struct export_file *f, const void *data, size_t len,
                    struct err *e);
/* record: of its size and sum, or NULL. */
int export_file_end(struct export_file *f, struct manifest_file *record,
                    struct err *e);
void export_file_close(struct export_file *f);

/* A file of the directory, for others to write to; its descriptor or -1. */
int export_out_create(struct export_out *o, const char *name, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
