/* SPDX-License-Identifier: LGPL-2.1-only */

/* Which overlay pulls a frozen layer's content, which is committed into it. */

#include "disk/merge_plan.h"

/* QEMU does not have the part, so nobody but us writes to it. */
static bool commit_closed(const struct merge_shape *s)
{
    return s->nabove == 1 && s->above[0] == MERGE_NOT_OPEN;
}

/* Is the overlay that QEMU has on the part committed by a job? */
static bool commit_open(const struct merge_shape *s)
{
    /* The one on it is the live one, or the job could not write to the part. */
    if (s->part < 2 || s->nodes[s->part].stale)
        return false;
    /* A pull would write to it. */
    if (s->nodes[s->part - 1].stale)
        return true;
    /* It is cheaper, but others would have to pull first anyway. */
    if (s->nabove != 1)
        return false;
    /* QEMU makes the one before it writable, unless it is the live one. */
    return s->part == 2 || !s->nodes[s->part - 2].stale;
}

static enum merge_way way_of(const struct merge_shape *s, long overlay)
{
    if (s->part == MERGE_NOT_OPEN)
        return commit_closed(s) ? MERGE_COMMIT : MERGE_PULL;
    if (s->part == 0 || overlay != s->part - 1)
        return MERGE_PULL;
    if (!commit_open(s))
        return MERGE_PULL_IN_QEMU;
    if (s->nodes[overlay].shared)
        return MERGE_IN_USE;
    return MERGE_COMMIT_IN_QEMU;
}

void merge_plan(const struct merge_shape *s, enum merge_way *ways)
{
    size_t i;

    for (i = 0; i < s->nabove; i++)
        ways[i] = way_of(s, s->above[i]);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
