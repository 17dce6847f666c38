/* SPDX-License-Identifier: LGPL-2.1-only */

/* How the random walk's model looks at the world, and follows it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qcow2.h"
#include "walk.h"
#include "snapshot/sys/mem.h"

struct walk_machine *walk_machine(struct walk *w, const char *label)
{
    size_t i;

    for (i = 0; i < WALK_MACHINES; i++)
        if (!strcmp(w->machines[i].label, label))
            return &w->machines[i];
    return NULL;
}

const char *walk_name(const struct walk_machine *m)
{
    return m->names[m->name];
}

struct walk_snap *walk_snap(struct walk *w, const struct walk_machine *m,
                            const char *name)
{
    size_t i;

    for (i = 0; i < w->nsnaps; i++)
        if (w->snaps[i].machine == (size_t)(m - w->machines) &&
            !strcmp(w->snaps[i].name, name))
            return &w->snaps[i];
    return NULL;
}

void walk_drop_snap(struct walk *w, struct walk_snap *s)
{
    *s = w->snaps[--w->nsnaps];
}

void walk_state(const struct walk_machine *m, char state[16])
{
    struct vm vm;

    state[0] = '\0';
    if (vm_find(walk_name(m), &vm))
        snprintf(state, 16, "%s", vm.state);
    vm_free(&vm);
}

struct walk_machine *walk_holder(struct walk *w, size_t set)
{
    char state[16];
    size_t i;

    for (i = 0; i < WALK_MACHINES; i++) {
        walk_state(&w->machines[i], state);
        if (w->machines[i].set == set && state[0])
            return &w->machines[i];
    }
    return NULL;
}

static bool look_open(const struct walk_machine *m, const struct walk_set *s,
                      uint64_t *sums)
{
    struct vm vm;
    bool ok = vm_find(walk_name(m), &vm) && vm.ndisks == s->ndisks &&
              process_is(vm.qemu, "qemu-storage-da");
    size_t i;

    for (i = 0; ok && i < s->ndisks; i++)
        ok = !guest_digest(&vm, i, &sums[i]);
    vm_free(&vm);
    return ok;
}

/* A domain's QEMU, that of one which is half destroyed too, may be gone. */
bool walk_look(struct walk *w, size_t set, uint64_t *sums)
{
    struct walk_machine *m = walk_holder(w, set);
    struct walk_set *s = &w->sets[set];
    bool ok = true;
    size_t i;

    if (m && look_open(m, s, sums))
        return true;
    for (i = 0; ok && i < s->ndisks; i++) {
        char *path = walk_path(w, s->disks[i].file);

        ok = image_sum(path, s->disks[i].raw, &sums[i]);
        free(path);
    }
    return ok;
}

void walk_live(struct walk *w, size_t set, const uint64_t *sums)
{
    w->sets[set].nlive = 0;
    walk_live_add(w, set, sums);
}

void walk_live_add(struct walk *w, size_t set, const uint64_t *sums)
{
    struct walk_set *s = &w->sets[set];

    if (walk_live_is(w, set, sums))
        return;
    if (s->nlive == WALK_LIVES)
        abort();
    memcpy(s->live[s->nlive++], sums, s->ndisks * sizeof(*sums));
}

bool walk_live_is(const struct walk *w, size_t set, const uint64_t *sums)
{
    const struct walk_set *s = &w->sets[set];
    size_t i;

    for (i = 0; i < s->nlive; i++)
        if (!memcmp(s->live[i], sums, s->ndisks * sizeof(*sums)))
            return true;
    return false;
}

bool walk_live_may_be(const struct walk *w, size_t set, size_t disk,
                      uint64_t sum)
{
    const struct walk_set *s = &w->sets[set];
    size_t i;

    for (i = 0; i < s->nlive; i++)
        if (s->live[i][disk] == sum)
            return true;
    return false;
}

char *walk_journal(const struct walk *w, const struct walk_machine *m)
{
    size_t i;

    for (i = 0; i < 2; i++) {
        char *dir = mem_printf("%s/store/%s", w->scene.dir, m->names[i]);
        char *journal = mem_printf("%s/.journal", dir);
        bool there = !access(journal, F_OK);

        free(journal);
        if (there)
            return dir;
        free(dir);
    }
    return NULL;
}

char *walk_snap_dir(const struct walk *w, const struct walk_snap *s)
{
    const struct walk_machine *m = &w->machines[s->machine];
    size_t i;

    for (i = 0; i < 2; i++) {
        char *dir = mem_printf("%s/store/%s/%s", w->scene.dir, m->names[i],
                               s->name);

        if (!access(dir, F_OK))
            return dir;
        free(dir);
    }
    return NULL;
}

static void resolve_live(struct walk *w, struct walk_machine *m,
                         bool given_up)
{
    struct walk_set *s = &w->sets[m->set];
    uint64_t sums[WALK_DISKS];
    size_t i;

    if (s->nlive == 1)
        return;
    if (!walk_look(w, m->set, sums)) {
        walk_broken(w, "unreadable", "a live disk of %s after the recovery",
                    m->label);
        return;
    }
    for (i = 0; i < s->ndisks; i++)
        if (!walk_live_may_be(w, m->set, i, sums[i]))
            walk_broken(w, "live disk changed", "%s of %s after the recovery",
                        s->disks[i].vdev, m->label);
    if (!given_up && !walk_live_is(w, m->set, sums))
        walk_broken(w, "half a revert", "of %s is left", m->label);
    walk_live(w, m->set, sums);
}

void walk_resolve(struct walk *w, struct walk_machine *m, bool given_up)
{
    char *journal = walk_journal(w, m);
    size_t i;

    if (!m->pending || journal) {
        free(journal);
        return;
    }
    m->pending = false;
    for (i = w->nsnaps; i-- > 0; ) {
        struct walk_snap *s = &w->snaps[i];
        char *dir;

        if (s->machine != (size_t)(m - w->machines) ||
            s->fate == SNAP_THERE)
            continue;
        dir = walk_snap_dir(w, s);
        if (!dir) {
            walk_drop_snap(w, s);
            continue;
        }
        s->damaged |= given_up && s->fate == SNAP_MAYBE_GONE;
        s->fate = SNAP_THERE;
        free(dir);
    }
    w->sets[m->set].untidy |= given_up;
    resolve_live(w, m, given_up);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
