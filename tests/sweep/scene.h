/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What the sweep sees of a fake host: a prepared one that every case starts
 * from, and all that an operation could change as one text, so that "the old
 * state or the new one, exactly" is a comparison.
 */

#ifndef SWEEP_SCENE_H
#define SWEEP_SCENE_H

#include "tests/fake/host.h"

/* Of the scene: where --path puts memory images. */
#define PLACE "place"
/* Where an import makes images; its export is there, too. */
#define IMPORTS "imports"
#define DOMAIN "g"
#define NIMAGES 3
#define MAX_SNAPSHOTS 8
/* For a command that makes a snapshot: the kinds are chosen at the first. */
#define DISKS "disks=['vdev=xvdb,type=external']"

/* In order of the disks; layers and copies lie beside them. */
enum { INTERNAL, EXTERNAL, COPY };
struct scene_image {
    const char *file, *format;
};
extern const struct scene_image scene_images[NIMAGES];

/* What a snapshot must give back. */
struct moment {
    char name[16];
    uint64_t memory, sums[NIMAGES];
};

/*
 * What the scene can be:
 *
 *   BARE   no snapshot yet
 *   ONE    s1, the guest further on
 *   TREE   s1 - s2 - s3
 *                  ` s4 (current), the guest further on
 */
enum layout { BARE, ONE, TREE, NLAYOUTS };

struct scene {
    char *dir;                  /* FAKE_XEN_DIR */
    char *tools;                /* where xl-snapshot is */
    struct moment moments[MAX_SNAPSHOTS];
    size_t nmoments;
    uint32_t domids[NLAYOUTS];  /* of the prepared domain */
    enum layout now;
    bool reopened;              /* a domain of another id is as good */
    bool user;                  /* a memory image may be kept: .lost-* */
    unsigned runs;              /* makes names unique, the same each time */
};

/* Text that grows. */
struct text {
    char *s;
    size_t len;
};
void text_add(struct text *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void text_free(struct text *t);

/* How a program ended, and what it printed. */
struct run {
    int status;                 /* exit status, or 256 + signal */
    bool timeout;
    char out[4096];
};
/* fault and log may be NULL; timeout_s shortens the program's deadlines. */
void run_program(struct scene *s, const char *const *argv, const char *fault,
                 const char *log, unsigned timeout_s, struct run *r);

/* All layouts; then it is none of them. */
void scene_make(struct scene *s, const char *dir, const char *tools);
/* One of them, to the inode.  off: no domain runs. */
void scene_reset(struct scene *s, enum layout layout, bool off);
/* Every process ends; false with a reason if one does not. */
bool scene_end(struct scene *s, struct text *why);
/* Waits for what a killed program left running: qemu-img, xl restore. */
void scene_settle(void);
/* A QEMU that hangs goes on, be its domain gone. */
void scene_wake(void);
void scene_remove(struct scene *s);

/*
 * All that matters and nothing that differs from run to run; the caller's to
 * free.
 */
char *scene_look(struct scene *s);
/* Appends what must not be there, in any state, to "why". */
void scene_strays(struct scene *s, struct text *why);
/* "qemu-img check" of every image while nobody holds it. */
void scene_check_images(struct scene *s, struct text *why, unsigned *leaks);
/* The domain's memory and disks are the moment's. */
bool scene_is_at(struct scene *s, const struct moment *m);
char *scene_path(struct scene *s, const char *name);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
