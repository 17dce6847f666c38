/* SPDX-License-Identifier: LGPL-2.1-only */

/* Lists the snapshots of one domain or of all, without a lock. */

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/census.h"
#include "memory/share.h"
#include "op/session.h"
#include "op/verify.h"
#include "store/meta.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/name.h"
#include "sys/report.h"
#include "txn/journal.h"
#include "xen/domain.h"

/* Of a file outside of the store. */
static uint64_t size_of(const char *path)
{
    struct stat sb;

    if (path[0] != '/' || lstat(path, &sb) || !S_ISREG(sb.st_mode))
        return 0;
    return (uint64_t)sb.st_blocks * 512;
}

/* Of the files that are its own; what is inside an image cannot be told. */
static void measure(struct store *st, struct tree_node *node)
{
    const struct snapshot *s = &node->s;
    uint64_t shared;
    size_t i;

    node->size_on_disk = store_size_on_disk(st, s->name) +
                         size_of(s->memory.file);
    for (i = 0; i < s->ndisks; i++)
        if (!strcmp(s->disks[i].type, "copy"))
            node->size_on_disk += size_of(s->disks[i].part);
    /* It may share more than the blocks that are counted, its holes. */
    shared = memory_shared_size(st, s);
    if (shared > node->size_on_disk)
        shared = node->size_on_disk;
    node->size_on_disk -= shared;
}

static void note_owner(const struct snap_env *env, const char *domain,
                       const char *owner)
{
    report_note(env->rep, "the disks of domain %s have snapshots under the "
                "name %s: see 'xl snapshot-list %s'; 'xl snapshot-recover "
                "--adopt=%s %s' takes them over", domain, owner, owner, owner,
                domain);
}

/* A domain that was renamed, or made anew: where its snapshots may be. */
static void note_elsewhere(const struct snap_env *env, const char *domain)
{
    const char *owner, *last = "";
    struct census *c = NULL;
    struct domain d;
    struct err e;
    size_t i;

    if (domain_find(domain, &d, &e) <= 0)
        return;
    if (!census_read(env->root, domain, &c, &e)) {
        for (i = 0; i < d.ndisks; i++) {
            owner = d.disks[i].cdrom ? NULL :
                    census_former_owner(c, &d.disks[i]);
            if (!owner || !strcmp(owner, last))
                continue;
            note_owner(env, domain, owner);
            last = owner;
        }
        census_free(c);
    }
    domain_free(&d);
}

static bool is_gone(const char *path)
{
    struct stat sb;

    return stat(path, &sb) && errno == ENOENT;
}

/* All disks of all snapshots, of which there are some, are gone. */
static bool disks_are_gone(const struct tree *t)
{
    size_t i, k, n = 0;

    for (i = 0; i < t->n; i++)
        for (k = 0; k < t->nodes[i].s.ndisks; k++) {
            const struct snapshot_disk *d = &t->nodes[i].s.disks[k];

            if (!meta_disk_has_part(d))
                continue;
            if (!is_gone(d->path))
                return false;
            n++;
        }
    return n > 0;
}

/* A domain that was given up, but for its snapshots. */
static void note_gone(const struct snap_env *env, const char *domain,
                      const struct tree *t)
{
    struct domain d;
    struct err e;

    if (disks_are_gone(t) && domain_look(domain, &d, &e) == 0)
        report_note(env->rep, "the disks of domain %s are gone; if they do "
                    "not come back, 'xl snapshot-delete --all %s' removes "
                    "what is left of its snapshots", domain, domain);
}

int snap_list(const struct snap_env *env, const char *domain, bool sizes,
              char **domain_r, struct tree *t_r, bool *pending_r,
              struct err *problems, struct err *e)
{
    struct store st;
    size_t i;
    int rc;

    if (session_domain_name(domain, domain_r, e) ||
        store_open(&st, env->root, *domain_r, false, e))
        return -1;
    rc = session_check_known(domain, &st, e);
    if (!rc)
        rc = tree_load(&st, t_r, problems, e);
    for (i = 0; !rc && sizes && i < t_r->n; i++)
        measure(&st, &t_r->nodes[i]);
    *pending_r = !rc && journal_exists(&st);
    /* Under way, the domain's configuration may be locked. */
    if (!rc && !t_r->n && problems->status == SNAP_OK && !*pending_r)
        note_elsewhere(env, *domain_r);
    if (!rc && t_r->n)
        note_gone(env, *domain_r, t_r);
    store_close(&st);
    return rc;
}

bool snap_exists(const struct snap_env *env, const char *domain,
                 const char *name)
{
    struct store st;
    struct err e;
    bool there;

    if (name_check_domain(domain, &e) || name_check(name, &e) ||
        store_open(&st, env->root, domain, false, &e))
        return false;
    there = st.fd >= 0 && store_exists(&st, STORE_COMMITTED, name);
    store_close(&st);
    return there;
}

int snap_check(const struct snap_env *env, const char *domain,
               const struct snapshot *s, struct err *problems,
               struct err *e)
{
    struct store st;

    if (store_open(&st, env->root, domain, false, e))
        return -1;
    verify_snapshot(&st, s, false, problems);
    store_close(&st);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
