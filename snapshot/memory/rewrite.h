/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Another configuration in the header of a memory image, on the way to
 * "xl restore": the file stays as it is.
 *
 * Calling sequence: rewrite_begin(), rewrite_source() to the end,
 * rewrite_end().
 */

#ifndef SNAPSHOT_MEMORY_REWRITE_H
#define SNAPSHOT_MEMORY_REWRITE_H

#include <stdbool.h>
#include <sys/types.h>

#include "sys/err.h"

/*
 * What to make of the configuration, libxl's JSON: *new_r is another one, which
 * is freed, or NULL to leave it.
 */
typedef int rewrite_fn(void *arg, const char *config, char **new_r,
                       struct err *e);

/*
 * A source (proc.h) in front of that of a memory image.  What is no image
 * comes through as it is.
 */
struct rewrite {
    ssize_t (*source)(void *arg, void *buf, size_t len);
    void *arg;
    bool changed;               /* it has another configuration */
    bool known;                 /* it is an image of a kind that we write */
    char *head;                 /* what is given before the source goes on */
    size_t len, done;
};

/*
 * Reads the image's header; rewrite_end() is right after a failure too.  fn may
 * be NULL.
 */
int rewrite_begin(struct rewrite *w,
                  ssize_t (*source)(void *arg, void *buf, size_t len),
                  void *arg, rewrite_fn *fn, void *fn_arg, struct err *e);
ssize_t rewrite_source(void *rewrite, void *buf, size_t len);
/*
 * Instead of another configuration: rewrite_source() goes on behind the old one.
 * -1 if it is no image as we write them.
 */
int rewrite_drop_header(struct rewrite *w, struct err *e);
void rewrite_end(struct rewrite *w);

/*
 * What a domain that comes from a snapshot may need: changes in the text, all
 * else of which, numbers and members unknown to us, stays as it is to the byte.
 */
struct rewrite_edit {
    const char *name, *uuid;    /* of the domain, or NULL to leave them */
    /*
     * A new generation id (ms_vm_genid in xl.cfg), if it has one: it tells a
     * guest that it was put back in time.
     */
    bool genid;
};

/* A rewrite_fn; the argument is a struct rewrite_edit. */
int rewrite_config(void *edit, const char *config, char **new_r,
                   struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
