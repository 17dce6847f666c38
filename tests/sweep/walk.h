/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The random walk (DESIGN section 8): a user, a host and neighbours act beside
 * the commands, and a model of every disk's bytes says what must be so.
 *
 * walk_world.c makes the world, walk_model.c looks at it, walk_steps.c acts,
 * walk_ops.c runs the commands, walk_check.c has the invariants, walk_next.c
 * chooses, walk.c has the walks, the shrinking and main().
 *
 * A step is a line of words that names what it does and to whom, so that it
 * can be done again after others were dropped:
 *
 *   start G dots        the domain of machine G, from paths spelled so
 *   work G 3            its guest runs for three ticks
 *   off|shutdown|reboot|rename G
 *   boot                the host loses its power
 *   create G s5 iec [cold]      one letter a disk: its kind, or - for no
 *                               choice
 *   revert G s5; delete G s5 [-c]
 *   recover G           a command that only recovers
 *   forget G s5         its directory is removed by hand
 *
 * Before a command there may be what happens meanwhile:
 *
 *   fault=txn:7:kill    tests/fake/spec.h
 *   away=dir:g          storage that is not there; away=file:3: one file
 *   full=2              no more room than as many clusters
 *   reader=1            somebody has a frozen layer open
 */

#ifndef SWEEP_WALK_H
#define SWEEP_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scene.h"

#define WALK_DISKS 3
#define WALK_SETS 3
#define WALK_MACHINES 4
#define WALK_SNAPS 64
#define WALK_LIVES 4
#define WALK_COUNTS 128
#define WALK_WORDS 12

struct walk_disk {
    const char *vdev, *file, *base;
    bool raw;
};

/* Images that belong together; more than one machine may have them. */
struct walk_set {
    const char *dir;
    struct walk_disk disks[WALK_DISKS];
    size_t ndisks;
    /* What the disks may hold: more only while a revert is unfinished. */
    uint64_t live[WALK_LIVES][WALK_DISKS];
    size_t nlive;
    bool untidy;                /* something was given up: files may be left */
};

/* A domain, with the names that it has in turn. */
struct walk_machine {
    const char *label, *names[2];
    size_t name, set;
    bool pending;               /* an operation is unfinished */
};

enum walk_fate { SNAP_THERE, SNAP_MAYBE_NEW, SNAP_MAYBE_GONE };

struct walk_snap {
    char name[24];
    size_t machine;
    enum walk_fate fate;
    bool damaged;               /* in doubt after giving up */
    uint64_t memory, sums[WALK_DISKS];
};

struct walk_count {
    char what[32];
    size_t n;
};

struct walk_seen {
    char *path;
    int64_t when;
    uint64_t size;
};

struct walk {
    struct scene scene;         /* for its programs: dir and tools */
    char *base;                 /* images/ and what leads to them */
    struct walk_set sets[WALK_SETS];
    struct walk_machine machines[WALK_MACHINES];
    struct walk_snap snaps[WALK_SNAPS];
    size_t nsnaps;
    char **orphans;             /* files that the user made nobody's */
    size_t norphans;
    struct walk_seen *seen;     /* images, as they were checked */
    size_t nseen;
    uint64_t golden, raw_base;
    bool has_recover, has_room; /* of the tool; of the machine: tmpfs */
    char *locked;               /* why it ends here: no way out yet */
    struct walk_count counts[WALK_COUNTS];
    size_t ncounts;
    unsigned step;
    char tag[48];               /* of the invariant that is broken */
    struct text why;
};

/* Words of a step. */
struct walk_step {
    const char *words[WALK_WORDS];
    size_t n;
    const char *fault, *away, *reader, *full;
    char *copy;
};

struct walk_result {
    int status;                 /* or 256 + signal */
    bool stopped;               /* while the guest was stopped */
    char out[4096];
};

/* walk_world.c */
void walk_make(struct walk *w, const char *dir, const char *tools);
void walk_end(struct walk *w);
void walk_count(struct walk *w, const char *what);
/* The first broken invariant stays. */
void walk_broken(struct walk *w, const char *tag, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
char *walk_path(const struct walk *w, const char *file);
/* A program; fault may be NULL, domain too (for a terminal's keys). */
void walk_run(struct walk *w, const char *const *argv, const char *fault,
              const char *domain, struct walk_result *r);
#define WALK_RUN(w, r, ...) \
    walk_run(w, (const char *const []){ __VA_ARGS__, NULL }, NULL, NULL, r)

/* walk_model.c */
struct walk_machine *walk_machine(struct walk *w, const char *label);
const char *walk_name(const struct walk_machine *m);
struct walk_snap *walk_snap(struct walk *w, const struct walk_machine *m,
                            const char *name);
void walk_drop_snap(struct walk *w, struct walk_snap *s);
/* "" if there is no domain. */
void walk_state(const struct walk_machine *m, char state[16]);
/* The machine, if any, whose domain has the set's images. */
struct walk_machine *walk_holder(struct walk *w, size_t set);
/* What the disks of a set hold now; false with a reason. */
bool walk_look(struct walk *w, size_t set, uint64_t *sums);
/* They are that now, and nothing else. */
void walk_live(struct walk *w, size_t set, const uint64_t *sums);
/* They may be that, too. */
void walk_live_add(struct walk *w, size_t set, const uint64_t *sums);
/* All of one of the possible instants; each of one of them. */
bool walk_live_is(const struct walk *w, size_t set, const uint64_t *sums);
bool walk_live_may_be(const struct walk *w, size_t set, size_t disk,
                      uint64_t sum);
/* The directory of a machine's journal, or of a snapshot; NULL if none. */
char *walk_journal(const struct walk *w, const struct walk_machine *m);
char *walk_snap_dir(const struct walk *w, const struct walk_snap *s);
/* What was unfinished and is no more: the model follows the world. */
void walk_resolve(struct walk *w, struct walk_machine *m, bool given_up);

/* walk_steps.c: false if there was nothing to do. */
bool walk_do(struct walk *w, const char *line);
/* The guest goes on, and the model with it. */
void walk_tick(struct walk *w, struct walk_machine *m, const char *ticks);
/* walk_ops.c */
bool walk_op(struct walk *w, const struct walk_step *s);

/* walk_check.c */
void walk_check(struct walk *w, bool all);

/* walk_next.c: a step, the caller's to free. */
char *walk_next(struct walk *w, uint64_t *random);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
