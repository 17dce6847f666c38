/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A job: one operation on one snapshot, as its steps see it.  What is needed
 * to undo or complete it after a crash goes into the journal's header
 * (job_to_json); the rest lives only while the operation runs.
 */

#ifndef SNAPSHOT_JOB_H
#define SNAPSHOT_JOB_H

#include "disk/disk.h"
#include "memory/memory.h"
#include "txn/plan.h"
#include "sys/report.h"
#include "store/store.h"
#include "txn/journal.h"

enum op { OP_CREATE, OP_REVERT, OP_DELETE, OP_SET, OP_IMPORT, OP_COUNT };

/* PATH, this and some hex digits: a file that is being imported. */
#define JOB_IMPORT_NAME ".import-"

/* Where an import has its images and memory from; each returns 0 or -1. */
struct job_source {
    /* Fills the new, empty image at path, which is open as fd. */
    int (*image)(void *arg, const struct snapshot_disk *d, const char *path,
                 int fd, struct err *e);
    /* Writes libxl's stream, which follows the header, to fd. */
    int (*memory)(void *arg, int fd, struct err *e);
    void *arg;
};

struct job {
    /* in the journal */
    enum op op;
    struct snapshot s;          /* made, reverted to, deleted, changed */
    struct plan plan;
    uint32_t domid;             /* create, revert: the domain that ran, */
    char *uuid;                 /* or 0 and NULL */
    char *domain;               /* its name, after job_parse(); else st's */
    bool paused;                /* leave the domain paused */
    bool force;                 /* delete: parts whose image is gone, too */
    bool retire;                /* delete: all of the domain */
    bool live;                  /* create: save memory while the guest runs */
    bool live_only;             /* or not at all */
    char *unique;               /* import: of the files' first names */
    char *cfg;                  /* import: path of the file for xl */
    char *boot;                 /* host_boot_id() */
    json_object *notes;         /* job_note() */

    /* not in the journal */
    struct store *st;           /* of the domain, st->domain, as it is called now */
    struct journal *log;        /* open, while it runs */
    const struct reporter *rep;
    struct disk_host host;
    struct memory_writer *memory;
    const struct job_source *source;    /* import */
    char *cfg_text;             /* import: what is written to that file */
    bool held;                  /* import: this undo has found a file in use */
    uint64_t memory_kib;        /* expected size of the memory image */
    unsigned memory_level;      /* of its compression (memory.h) */
    uint64_t stopped_ms;        /* clock_ms() when the guest stopped, or 0 */
    uint64_t downtime_ms;
    struct snapshot *others;    /* of the domain, where layers are concerned */
    size_t nothers;
    char **children;            /* of the snapshot to be deleted, */
    size_t nchildren;
    bool knows_children;        /* or else all are looked at */
    size_t last;                /* in an undo: the step begun last */
    bool keep_memory;           /* the guest has no other */
    const char *lost;           /* why a cold create's guest is not restored */
    bool unused;                /* its disks, as this undo has found */
    bool back;                  /* this undo has restored the guest */
};

const char *job_op_name(enum op op);    /* "create" ... */
/* A create that closes the domain. */
bool job_is_cold(const struct job *j);
/* Does its plan destroy the domain? */
bool job_destroys(const struct job *j);

/*
 * Notes a fact for a recovery, durably.  What a step that joins others notes
 * is on disk before the guest goes on, so such a step notes nothing.
 */
int job_note(struct job *j, const char *key, json_object *value,
             struct err *e);
int job_note_flag(struct job *j, const char *key, struct err *e);
/* A flag and a value in one record, so that none is there without the other. */
int job_note_all(struct job *j, const char *flag, const char *key,
                 json_object *value, struct err *e);
bool job_is_noted(const struct job *j, const char *key);
/* From the journal: what identifies the files that the operation made. */
void job_take_notes(struct job *j);
/* The identity of what was made for a disk. */
int job_note_made(struct job *j, struct err *e);
/* The domain that is in the journal is of this boot of the host. */
bool job_is_of_this_boot(const struct job *j);

/* The journal's header; the caller's to put. */
json_object *job_to_json(const struct job *j);
/* Fills in a zeroed job; st and rep are left to the caller. */
int job_parse(json_object *o, const char *what, struct job *j,
              struct err *e);
void job_free(struct job *j);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
