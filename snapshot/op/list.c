/* SPDX-License-Identifier: LGPL-2.1-only */

#include <string.h>
#include <sys/stat.h>

#include "op/session.h"
#include "op/verify.h"
#include "store/store.h"
#include "store/tree.h"
#include "sys/err.h"
#include "sys/name.h"
#include "txn/journal.h"

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
    size_t i;

    node->size_on_disk = store_size_on_disk(st, s->name) +
                         size_of(s->memory.file);
    for (i = 0; i < s->ndisks; i++)
        if (!strcmp(s->disks[i].type, "copy"))
            node->size_on_disk += size_of(s->disks[i].part);
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

int snap_check(const struct snap_env *env, const struct snapshot *s,
               struct err *problems, struct err *e)
{
    struct store st;

    if (store_open(&st, env->root, s->domain.name, false, e))
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
