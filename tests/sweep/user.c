/* SPDX-License-Identifier: LGPL-2.1-only */

/* What a user does between a crash and the recovery, and what he must find. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "qcow2.h"
#include "sweep.h"
#include "snapshot/sys/mem.h"

static words tick = { "bin/xl", "tick", DOMAIN, "2" };
static words destroy = { "bin/xl", "destroy", DOMAIN };

/* His guest runs: it works on.  It hangs, or is paused: he ends it. */
static void end_guest(struct trial *t)
{
    struct vm vm;
    bool found = vm_find(DOMAIN, &vm);

    if (found && !strcmp(vm.state, "running") && vm.built)
        trial_expect(t, tick, 0, "the guest works on");
    if (found)
        trial_expect(t, destroy, 0, "the user destroys it");
    vm_free(&vm);
}

void user_starts(struct trial *t)
{
    static words boot = { "bin/xl", "boot", DOMAIN };
    const char *argv[4 + NIMAGES] = { "bin/xl", "create", DOMAIN };
    size_t i;

    for (i = 0; i < NIMAGES; i++) {
        char *path = scene_path(&t->w->scene, scene_images[i].file);

        argv[3 + i] = mem_printf("xvd%c=%s", 'a' + (char)i, path);
        free(path);
    }
    trial_expect(t, argv, 0, "the user starts it");
    trial_expect(t, boot, 0, "it boots");
    for (i = 0; i < NIMAGES; i++)
        free((char *)argv[3 + i]);
}

static void note(struct moment *m)
{
    struct vm vm;
    size_t i;

    memset(m, 0, sizeof(*m));
    if (!vm_find(DOMAIN, &vm))
        return;
    m->memory = vm.memory;
    for (i = 0; i < NIMAGES && i < vm.ndisks; i++)
        guest_digest(&vm, i, &m->sums[i]);
    vm_free(&vm);
}

void user_acts(struct trial *t, bool shuts_down, struct moment *left)
{
    static words mend = { "bin/xl", "mend", DOMAIN };
    struct run r;

    end_guest(t);
    user_starts(t);
    run_program(&t->w->scene, tick, NULL, NULL, 0, &r);
    /* Between two disks of a revert they are not of one instant. */
    if (r.status && !strncmp(t->op->name, "revert", 6)) {
        trial_expect(t, mend, 0, "it mends its disks");
        trial_expect(t, tick, 0, "it works");
    } else if (r.status) {
        text_add(&t->why, "the user's guest: %s; ", r.out);
    }
    note(left);
    if (shuts_down)
        trial_expect(t, destroy, 0, "the user shuts it down");
}

static void check_closed(struct trial *t, const struct moment *left)
{
    uint64_t sum;
    size_t i;

    for (i = 0; i < NIMAGES; i++) {
        char *path = scene_path(&t->w->scene, scene_images[i].file);

        if (!image_sum(path, i == COPY, &sum) || sum != left->sums[i])
            text_add(&t->why, "%s does not have the user's work; ",
                     scene_images[i].file);
        free(path);
    }
}

void user_check(struct trial *t, const struct moment *left)
{
    struct vm vm;
    bool found = vm_find(DOMAIN, &vm);
    char *path = scene_path(&t->w->scene, "store/" DOMAIN "/.journal");

    if (!access(path, F_OK))
        text_add(&t->why, "a journal is left; ");
    if (!found) {
        check_closed(t, left);
    } else if (!scene_is_at(&t->w->scene, left)) {
        text_add(&t->why, "the guest is %s, without the user's work; ",
                 vm.state);
    } else {
        trial_expect(t, tick, 0, "the guest that came back");
    }
    vm_free(&vm);
    /* For the rest of the case it runs. */
    if (!found)
        user_starts(t);
    free(path);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
