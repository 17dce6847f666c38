/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Layers: the files of an external snapshot's disk, a chain of qcow2 images,
 * each backed by the next.  The user's path is a symbolic link to the live
 * layer; the others have names that never change (DESIGN section 5, rule 3).
 * Nothing here concerns a running QEMU (qemu_chain.h); what writes to a layer
 * looks for holders first (image.h).
 */

#ifndef SNAPSHOT_LAYER_H
#define SNAPSHOT_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/err.h"

/* The file that a path leads to, NULL with the error; the caller's to free. */
char *layer_live(const char *path, struct err *e);
/*
 * 1, 0, or -1 if that cannot be told: taken for a no, it would lose a layer.
 * Both paths lead to the same file; there is something, if only a link; it is
 * a link.
 */
int layer_same(const char *a, const char *b, struct err *e);
int layer_exists(const char *path, struct err *e);
int layer_is_link(const char *path, struct err *e);
/*
 * The link to a live layer on the way from a path to its image, known by the
 * layer's name; it may be all that is left when no snapshot has layers any
 * more.  NULL if there is none; the caller's to free.
 */
char *layer_find_link(const char *path);
/* The name of a new layer; the caller's to free. */
char *layer_name(const char *link, const char *snapshot, const char *unique);

/*
 * The layers from the one at path down to the one without a backing file.
 * The caller frees with layer_free_chain().
 */
int layer_chain(const char *path, char ***paths_r, size_t *n_r,
                struct err *e);
void layer_free_chain(char **paths, size_t n);
/* The layer behind it, or NULL; the caller's to free. */
int layer_backing(const char *path, char **backing_r, struct err *e);

/*
 * Makes an empty layer on top of another one, durably, with that one's owner
 * and mode.  A file of that name, left by a crash, is replaced.
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
/* Copies what a layer reads from those above "backing" (or NULL) into it. */
int layer_pull(const char *path, const char *backing, struct err *e);
/* Only changes the name of the layer behind it, for the same content. */
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
