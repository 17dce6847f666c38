/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Disk images on their own: what qemu-img says of them and does to them, and
 * who else has them open.
 *
 * qemu-img takes no lock that a domain's backend would honour (xen-block
 * opens with locking=off), so every call that writes goes through
 * image_write(), which looks for holders first (doc/design.md 5, rule 1).
 */

#ifndef SNAPSHOT_IMAGE_H
#define SNAPSHOT_IMAGE_H

#include "xen/domain.h"
#include "sys/json.h"

struct image_snapshot {
    char *name;
    char *stamp;        /* its creation, "seconds.nanoseconds" */
};

struct image_info {
    uint64_t virtual_size;
    uint64_t actual_size;   /* bytes that the file takes; 0 if not told */
    bool corrupt;       /* qcow2's mark */
    bool encrypted;
    bool data_file;     /* the content lies in another file */
    unsigned refcount_bits; /* qcow2; 0 for other formats */
    unsigned nbitmaps;  /* persistent dirty bitmaps */
    char *backing;      /* path of the backing file, or NULL */
    char *backing_format;   /* as its header has it, or NULL */
    struct image_snapshot *snapshots;
    size_t nsnapshots;
};

/*
 * From QEMU's ImageInfo (qapi/block-core.json), which qemu-img and QMP both
 * give.  "what" names the image in errors.
 */
int image_info_parse(json_object *o, const char *what,
                     struct image_info *info, struct err *e);
/* Of a file, also while it is in use; opened for reading only. */
int image_info_read(const char *path, const char *format,
                    struct image_info *info, struct err *e);
/*
 * Opens the image and all that it stands on, as a start of the domain will, and
 * fills in the first one's.  No format is guessed: what is not recorded is an
 * error (layer.h).  Read-only, also while it is in use.
 */
int image_check_chain(const char *path, const char *format,
                      struct image_info *info, struct err *e);
void image_info_free(struct image_info *info);
/* NULL if it has no internal snapshot of that name. */
const struct image_snapshot *image_info_find(const struct image_info *info,
                                             const char *name);

/*
 * 0 if nobody but the domain "but" (may be NULL) holds the image: no other
 * domain's disk, no process, no loop device.  Else -1 and the error says who.
 * Waits up to wait_s seconds for a holder to let go.
 */
#ifndef HOLDER_WAIT_S
#define HOLDER_WAIT_S 30    /* the QEMU of a domain that was just destroyed */
#endif
int image_check_free(const char *path, const struct domain *but,
                     unsigned wait_s, struct err *e);
/* Nobody at all, and as long as image_write() waits. */
int image_wait_free(const char *path, struct err *e);

/*
 * Runs qemu-img with these arguments (NULL at the end) to change the image,
 * after image_check_free().
 */
int image_write(const char *path, const char *const *args, struct err *e);
/*
 * After qemu-img has changed it: whoever opened it meanwhile reads, and writes,
 * nonsense.  image_write() and image_copy() do so themselves.
 */
int image_look_again(const char *path, struct err *e);

/* Runs it to make a new image that nobody can hold yet. */
int image_make(const char *const *args, struct err *e);

/*
 * Makes dst the same bytes as src: a clone where the file system can, else
 * by qemu-img.  dst exists and is empty if "fresh".  Nobody writes to either.
 * May take long; a signal (interrupt.h) stops it if "fresh".
 */
int image_copy(const char *src, const char *dst, bool fresh, struct err *e);
/* Bytes in a file or block device. */
int image_size(const char *path, uint64_t *size_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
