/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The disks of a snapshot, for the engine: each function calls the hook of the
 * disk's kind (kind.h) and puts the disk's vdev before an error.  A disk of
 * type "none" has no part, and nothing is done for it.
 */

#ifndef SNAPSHOT_DISK_H
#define SNAPSHOT_DISK_H

#include "image/seal.h"
#include "qemu/qemu.h"
#include "store/meta.h"
#include "xen/domain.h"

struct census;

/* The running domain, if any, whose device model may hold the images. */
struct disk_host {
    bool running;
    bool cold;                  /* a snapshot without its help */
    bool force;                 /* what cannot be told of others is no reason */
    bool retire;                /* all snapshots go, with images or without */
    uint32_t domid;
    const struct domain *domain;    /* for who finds out what can be done */
    const char *confined;       /* domain.h; for who finds out what can be done */
    struct qemu *qemu;          /* connected at the first use */
    json_object *actions;       /* QMP actions of all disks: prepare() */
    /* The other snapshots of the domain, where overlays are concerned. */
    const struct snapshot **others;
    size_t nothers;
    const struct census *census;    /* who else has an image; NULL: not read */
    /*
     * Notes in all of h->others that overlay "from" is about to be written
     * into "to" or, done, that "to" took its place.
     */
    int (*moved)(void *arg, const char *from, const char *to, bool done,
                 struct err *e);
    void *moved_arg;
    struct disk_claim *claims;  /* disk_claim() */
    size_t nclaims;
};

/* Makes the kinds known to the store; once, before any metadata is read. */
void disk_init(void);

/* domain NULL: none that runs. */
int disk_host_open(const char *domain, struct disk_host *h, struct err *e);
/* Connects if need be; NULL with the error. */
struct qemu *disk_host_qemu(struct disk_host *h, struct err *e);
void disk_host_close(struct disk_host *h);
/*
 * What a crash or a detached disk left in the domain's QEMU goes; before an
 * operation on it.
 */
int disk_clear_orphans(struct disk_host *h, struct err *e);
/* Adds to h->others, which does not own it. */
void disk_host_add_other(struct disk_host *h, const struct snapshot *s);
/* Is the file a part of one of h->others? */
int disk_has_part(const struct disk_host *h, const char *path, bool *yes_r,
                  struct err *e);
/*
 * For check(): the part needs so much room in a place that parts of other
 * disks may share.  Returns the sum of all that is needed there so far.
 */
uint64_t disk_claim(struct disk_host *h, const char *place, uint64_t bytes);

/* The kinds that the user asked for, by disk. */
struct disk_wish {
    const char *all;            /* for every disk not named, or NULL */
    struct disk_choice {
        char *vdev, *type;
        char *path;             /* of the new file, or NULL */
        uint64_t size;          /* of the new volume in bytes, or 0 */
    } *each;
    size_t neach;
};

/* What the snapshots of one image have, whatever domain they are of. */
struct disk_others {
    const char *types[8];       /* each once */
    size_t ntypes;
    const char *link;           /* the link to the live overlay, or NULL */
};

struct disk_request;
/*
 * Chooses the kind for a domain's disk and makes its record: for a disk that
 * is left out, type "none" and the reason.  -1 with the reason if the disk
 * cannot have a snapshot.  Pure.
 */
int disk_choose(const struct domain_disk *disk, const struct disk_request *r,
                struct snapshot_disk *d, struct err *e);

/* True if there is such a kind. */
bool disk_knows_kind(const char *type);
/* The deletion of its part does not concern the image, nor its QEMU. */
bool disk_is_alone(const struct snapshot_disk *d);
/* apply() needs something to be made before the domain is destroyed. */
bool disk_needs_ready(const struct snapshot_disk *d);

int disk_check(struct disk_host *h, struct snapshot_disk *d, struct err *e);
int disk_prepare(struct disk_host *h, struct snapshot_disk *d,
                 struct err *e);
/* All disks of the snapshot, at one instant. */
int disk_capture(struct disk_host *h, const struct snapshot *s,
                 struct err *e);
/* Tries all of them; the errors are joined. */
int disk_rescue(struct disk_host *h, const struct snapshot *s,
                struct err *e);
/* Ends what the domain's QEMU does for an operation that is given up. */
int disk_stop(struct disk_host *h, const struct snapshot_disk *d,
              struct err *e);
int disk_finish(struct disk_host *h, struct snapshot_disk *d, struct err *e);
int disk_verify(const struct snapshot_disk *d, bool force, struct err *e);
/* The image is another one by its identity, which the kind can do with. */
bool disk_is_another(const struct snapshot_disk *d);
int disk_aim(struct disk_host *h, const char *snapshot, const char *unique,
             struct snapshot_disk *d, struct err *e);
int disk_ready(const struct snapshot_disk *d, struct err *e);
int disk_unready(const struct snapshot_disk *d, struct err *e);
int disk_apply(const struct snapshot_disk *d, struct err *e);

/* Where QEMU's tools read what a snapshot has of a disk (doc/design.md 9). */
struct disk_source {
    char *path;             /* a file, a device, or QEMU's word for it; ours */
    const char *format;     /* QEMU's name of it; the record's */
    const char *snapshot;   /* an internal one's name, or NULL; the record's */
    uint64_t size;          /* bytes that the guest saw; the image may have more */
    bool activated;         /* a volume that was not in use before */
};

/*
 * The part, which disk_verify() has found to be there; under the domain's lock.
 * After 0 disk_source_close() ends it, which another process need not do for
 * one that was killed.
 */
int disk_source_open(const struct snapshot_disk *d, struct disk_source *src,
                     struct err *e);
int disk_source_close(const struct snapshot_disk *d, struct disk_source *src,
                      struct err *e);
int disk_is_pristine(const struct snapshot_disk *d, bool *yes_r,
                     struct err *e);
int disk_check_remove(struct disk_host *h, struct snapshot_disk *d,
                      struct err *e);
int disk_remove(struct disk_host *h, const struct snapshot_disk *d,
                struct err *e);

/*
 * A record of before there were identities gets them with its first write, if
 * its image is the one by what it has.
 */
void disk_complete_records(struct snapshot *s);
/* A part took another one's place: the identity of the disk is now that of to. */
int disk_record_identity(struct snapshot_disk *d, const char *to,
                         struct err *e);

/*
 * Of what a guest that is started now would write to (seal.h); NULL if there
 * is nothing.
 */
int disk_seal(const struct snapshot_disk *d, char **seal_r, struct err *e);
enum seal_state disk_check_seal(const struct snapshot_disk *d,
                                const char *seal);

/*
 * No domain or program but "but" (may be NULL) holds an image that a revert
 * or a deletion will change: found later, that would leave it half done.
 */
int disk_check_free(const struct snapshot *s, const struct domain *but,
                    bool deletion, struct err *e);

/*
 * The domain is gone: waits until its QEMU, which takes a moment, has closed
 * the images.
 */
int disk_wait_closed(const struct snapshot *s, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
