/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

#include <string.h>
#include <sys/stat.h>

#include "journal.h"
#include "session.h"
#include "verify.h"

/* Of the files that are its own; what is inside an image cannot be told. */
static void measure(struct store *st, struct tree_node *node)
{
    struct stat sb;
    size_t i;

    node->size_on_disk = store_size_on_disk(st, node->s.name);
    for (i = 0; i < node->s.ndisks; i++) {
        const struct snapshot_disk *d = &node->s.disks[i];

        if (!strcmp(d->type, "copy") && !lstat(d->part, &sb) &&
            S_ISREG(sb.st_mode))
            node->size_on_disk += (uint64_t)sb.st_blocks * 512;
    }
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
