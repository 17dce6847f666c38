/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Layers: the files of an external snapshot's disk, a chain of images, each
 * backed by the next; ours are qcow2, what the user began with may stand on
 * files of any format.  The user's path is a symbolic link to the live layer;
 * the others have names that never change (doc/design.md 5, rule 3).  Nothing
 * here concerns a running QEMU (qemu/chain.h); what writes to a layer looks for
 * holders first (image.h).
 *
 * A question that cannot be answered is an error: a "no" could lose a layer.
 */

#ifndef SNAPSHOT_LAYER_H
#define SNAPSHOT_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/err.h"

/* The file that a path leads to, NULL with the error; the caller's to free. */
char *layer_live(const char *path, struct err *e);
/* Do both lead to the same file or device?  No, if one of them is not there. */
int layer_is_same(const char *a, const char *b, bool *same_r, struct err *e);
/* Is there something at the path, if only a link? */
int layer_exists(const char *path, bool *there_r, struct err *e);
int layer_is_link(const char *path, bool *link_r, struct err *e);
/*
 * The link to a live layer on the way from a path to its image, known by the
 * layer's name; it may be all that is left when no snapshot has layers any
 * more.  NULL if there is none; the caller's to free.
 */
char *layer_find_link(const char *path);
/* Has the file a name that a layer of that link has? */
bool layer_is_ours(const char *link, const char *layer);
/*
 * The name of a new layer; the caller's to free.  It is never longer than the
 * file system takes.
 */
char *layer_name(const char *link, const char *snapshot, const char *unique);
/* The folder of a file; the caller's to free. */
char *layer_folder(const char *path);

/*
 * The files from the one at path, which is qcow2, down to the one without a
 * backing file.  A backing file whose format is not recorded is an error that
 * says how to record it.  The caller frees with layer_free_chain().
 */
int layer_chain(const char *path, char ***paths_r, size_t *n_r,
                struct err *e);
void layer_free_chain(char **paths, size_t n);
/*
 * The file behind a qcow2 file, or NULL; the caller's to free.
 */
int layer_backing(const char *path, char **backing_r, struct err *e);
/* The same with its format, both the caller's to free; format_r may be NULL. */
int layer_backing_format(const char *path, char **backing_r, char **format_r,
                         struct err *e);

/*
 * Makes an empty layer on top of another one, durably, with that one's owner
 * and mode.  Nothing may be at its path yet.
 */
int layer_create(const char *path, const char *backing, uint64_t size,
                 struct err *e);
/* Makes "path" a link to a layer by one durable rename; repeatable. */
int layer_point(const char *path, const char *layer, struct err *e);
/* Removes what a crash left of that. */
int layer_tidy(const char *path, struct err *e);
/* Unlinks a layer that nobody holds; one that is gone is no error. */
int layer_unlink(const char *path, struct err *e);

/* Writes the content of a layer into the one behind it. */
int layer_commit(const char *path, struct err *e);
/*
 * Copies what a layer reads from those above "backing" (or NULL), which has
 * that format, into it.
 */
int layer_pull(const char *path, const char *backing, const char *format,
               struct err *e);
/* Only changes the name of the qcow2 layer behind it, for the same content. */
int layer_rename_backing(const char *path, const char *backing,
                         struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
