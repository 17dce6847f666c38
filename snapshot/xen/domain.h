/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The domain: everything that the engine asks of Xen.  domain.c does it with
 * libxl's public API; nothing else in the engine includes Xen's headers, and
 * a test puts another implementation in its place when it links.
 *
 * Calling sequence: domain_init() once; then any call.  A struct domain is a
 * copy of what was true at the call, freed by domain_free().
 */

#ifndef SNAPSHOT_DOMAIN_H
#define SNAPSHOT_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "sys/err.h"

enum domain_state {
    DOMAIN_RUNNING,
    DOMAIN_PAUSED,
    DOMAIN_SUSPENDED,       /* shut down with reason suspend */
    DOMAIN_SHUTDOWN,        /* shut down for another reason */
    DOMAIN_DYING,
};

/* What is behind a disk's path; medium.h finds out. */
enum medium {
    MEDIUM_UNKNOWN,
    MEDIUM_FILE,
    MEDIUM_BLOCK,
    MEDIUM_LVM,                     /* a classic logical volume */
    MEDIUM_LVM_THIN,
    MEDIUM_RBD,                     /* a Ceph image, by the kernel's client */
};

struct domain_disk {
    char *vdev, *path;
    char *script;                   /* what makes a device of path, or NULL */
    const char *format, *backend;   /* libxl's words, "" if unknown */
    bool readonly, cdrom;
    bool foreign;                   /* its backend is not in this domain */
    enum medium medium;
    char *live;                     /* where the path leads to */
    char *link;                     /* our link to layers on the way, or NULL */
    char *volume;                   /* "VG/LV", "POOL/IMAGE", or NULL */
};

struct domain {
    uint32_t domid;
    char *name;
    char uuid[37];
    const char *type;               /* "pv", "pvh" or "hvm" */
    /* What keeps us from dealing with its device model, in words, or NULL. */
    const char *confined;
    enum domain_state state;
    uint64_t max_kib;               /* most memory that it may have */
    uint64_t used_kib;              /* memory that its end would free */
    struct domain_disk *disks;
    size_t ndisks;
    char *config;                   /* libxl's JSON of its configuration */
};

/* The libxl_ctx to use; owned by the caller. */
void domain_init(void *libxl_ctx);

/*
 * What the user typed, resolved once for a command (doc/design.md 5, rule
 * 10): the name of the domain with this name, or with this id if the word is
 * digits, as xl takes it; the caller's to free.  NULL if there is none.  Unlike
 * domain_find() it does not read the domain's configuration, whose lock a
 * stopped xl monitor may hold.
 */
char *domain_name(const char *word);

/*
 * By name alone, as a domain may be called by digits, too: 1 and *d filled in,
 * 0 if there is no such domain, -1.
 */
int domain_find(const char *name, struct domain *d, struct err *e);
/*
 * The same, but of *d only what the hypervisor tells: domid, uuid, state and
 * memory; nothing has to be freed.  domain_find() takes libxl long, as it reads
 * all disks from xenstore, and needs the lock of the configuration.
 */
int domain_look(const char *name, struct domain *d, struct err *e);
void domain_free(struct domain *d);
const char *domain_state_name(enum domain_state state);

/*
 * True in *same_r if the domain with this id still is the one with this
 * uuid; its state then is in *state_r.
 */
int domain_check(uint32_t domid, const char *uuid, bool *same_r,
                 enum domain_state *state_r, struct err *e);

/* The name of a domain that has this uuid, the caller's to free; NULL: none. */
char *domain_of_uuid(const char *uuid);

/* Memory that it has now; 0 if that cannot be told. */
uint64_t domain_used_kib(uint32_t domid);

/*
 * libxl_domain_suspend(): writes the libxl stream to fd; live: while the
 * guest runs, but for the last part of it.  On success the
 * domain is DOMAIN_SUSPENDED, on failure call domain_resume(): it may be or
 * not.  The domain must not be paused: it could not answer.
 */
int domain_suspend(uint32_t domid, int fd, bool live, struct err *e);
/* Does nothing to a domain that is not suspended. */
int domain_resume(uint32_t domid, bool paused, struct err *e);
int domain_unpause(uint32_t domid, struct err *e);
/* The domain is gone after 0, also when there was none. */
int domain_destroy(uint32_t domid, struct err *e);
/*
 * "xl restore" of an image in xl's save-file format, left paused.  "source"
 * gives the bytes (proc.h).
 */
int domain_restore(ssize_t (*source)(void *arg, void *buf, size_t len),
                   void *arg, struct err *e);
/* The same from a file, with nothing between it and libxl. */
int domain_restore_file(int fd, struct err *e);

/* "xl create" of a file for xl. */
int domain_create(const char *cfg, bool paused, struct err *e);

/* libxl can read this configuration (libxl_domain_config_from_json()). */
int domain_check_config(const char *json, struct err *e);
/* Memory that a domain of this configuration takes. */
int domain_need_memory(const char *json, uint64_t *kib_r, struct err *e);
/* Memory that a new domain could have. */
int domain_free_memory(uint64_t *kib_r, struct err *e);
/* Xen's version, for the record; the caller's to free. */
char *domain_xen_version(void);
/* The second monitor of its QEMU (libxenstat's); the caller's to free. */
char *domain_qmp_path(uint32_t domid);

/*
 * Calls fn for each disk of each domain until it returns other than 0,
 * which is the result then; -1 if libxl fails.
 */
int domain_each_disk(int (*fn)(void *arg, const char *domain,
                               const struct domain_disk *disk),
                     void *arg, struct err *e);

/* True if the process serves this domain: its device model. */
bool domain_has_process(const struct domain *d, pid_t pid);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
