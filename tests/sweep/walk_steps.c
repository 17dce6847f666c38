/* SPDX-License-Identifier: LGPL-2.1-only */

/* What the user and the host do in the random walk. */

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copy.h"
#include "look.h"
#include "qcow2.h"
#include "walk.h"
#include "snapshot/sys/mem.h"

void walk_tick(struct walk *w, struct walk_machine *m, const char *ticks)
{
    uint64_t sums[WALK_DISKS];
    struct walk_result r;

    WALK_RUN(w, &r, "bin/xl", "tick", walk_name(m), ticks);
    if (r.status)
        walk_broken(w, "two instants", "%s: %s", m->label, r.out);
    else if (walk_look(w, m->set, sums))
        walk_live(w, m->set, sums);
    else
        walk_broken(w, "unreadable", "a disk of %s, which runs", m->label);
}

/* The path of a disk, written in one way or another. */
static char *spelled(const struct walk *w, const struct walk_set *s,
                     size_t disk, const char *how)
{
    const char *file = s->disks[disk].file;
    const char *name = strrchr(file, '/') + 1;

    if (!strcmp(how, "dots"))
        return mem_printf("%s/images/%s/../%s/./%s", w->base, s->dir, s->dir,
                          name);
    if (!strcmp(how, "folder"))
        return mem_printf("%s/linked-%s/%s", w->base, s->dir, name);
    if (!strcmp(how, "link"))
        return mem_printf("%s/links/%s-%zu%s", w->base, s->dir, disk,
                          s->disks[disk].raw ? ".raw" : ".qcow2");
    if (!strcmp(how, "relative"))
        return mem_strdup(name);
    return walk_path(w, file);
}

static int create_domain(struct walk *w, struct walk_machine *m,
                         const char *how, struct walk_result *r)
{
    const struct walk_set *s = &w->sets[m->set];
    char *xl = mem_printf("%s/bin/xl", w->scene.tools);
    char *dir = mem_printf("%s/images/%s", w->base, s->dir);
    const char *argv[8 + WALK_DISKS] = {
        "env", "-C", dir, xl, "create", walk_name(m)
    };
    size_t i;

    for (i = 0; i < s->ndisks; i++) {
        char *path = spelled(w, s, i, how);

        argv[6 + i] = mem_printf("%s=%s", s->disks[i].vdev, path);
        free(path);
    }
    walk_run(w, argv, NULL, NULL, r);
    for (i = 0; i < s->ndisks; i++)
        free((char *)argv[6 + i]);
    free(dir);
    free(xl);
    return r->status;
}

/* Of several possible instants he finds one, or of each disk one. */
static void find_live(struct walk *w, struct walk_machine *m)
{
    struct walk_set *s = &w->sets[m->set];
    uint64_t sums[WALK_DISKS];
    struct walk_result r;
    size_t i;

    if (!walk_look(w, m->set, sums)) {
        walk_broken(w, "unreadable", "a disk of %s, which boots", m->label);
        return;
    }
    for (i = 0; i < s->ndisks; i++)
        if (!walk_live_may_be(w, m->set, i, sums[i]))
            walk_broken(w, "live disk changed", "%s of %s, which boots",
                        s->disks[i].vdev, m->label);
    if (!walk_live_is(w, m->set, sums))
        WALK_RUN(w, &r, "bin/xl", "mend", walk_name(m));
    else
        walk_live(w, m->set, sums);
}

static bool start(struct walk *w, struct walk_machine *m, const char *how)
{
    struct walk_machine *holder = walk_holder(w, m->set);
    struct walk_result r;
    char state[16], *journal;
    bool unsure;
    size_t i;

    walk_state(m, state);
    if ((holder && holder != m) || !strcmp(state, "running"))
        return false;
    if (state[0])
        WALK_RUN(w, &r, "bin/xl", "destroy", walk_name(m));
    if (create_domain(w, m, how, &r)) {
        walk_broken(w, "does not start", "%s: %s", m->label, r.out);
        return true;
    }
    WALK_RUN(w, &r, "bin/xl", "boot", walk_name(m));
    unsure = w->sets[m->set].nlive > 1;
    find_live(w, m);
    /* While something is unfinished for these disks he works at once. */
    for (i = 0; i < WALK_MACHINES; i++) {
        journal = walk_journal(w, &w->machines[i]);
        unsure |= journal && w->machines[i].set == m->set;
        free(journal);
    }
    if (unsure) {
        walk_count(w, "start, unfinished");
        walk_tick(w, m, "2");
    }
    return true;
}

static bool off(struct walk *w, struct walk_machine *m)
{
    struct walk_result r;
    char state[16];

    walk_state(m, state);
    if (!state[0])
        return false;
    WALK_RUN(w, &r, "bin/xl", "destroy", walk_name(m));
    return true;
}

/* What its monitor does, which a snapshot must not have cost. */
static bool life(struct walk *w, struct walk_machine *m, const char *verb)
{
    struct walk_result r;
    char state[16];

    walk_state(m, state);
    if (strcmp(state, "running") || m->pending)
        return false;
    WALK_RUN(w, &r, "bin/xl", verb, walk_name(m));
    if (r.status)
        walk_broken(w, verb, "of %s is not handled: %s", m->label, r.out);
    if (!strcmp(verb, "reboot"))
        WALK_RUN(w, &r, "bin/xl", "boot", walk_name(m));
    return true;
}

static bool rename_it(struct walk *w, struct walk_machine *m)
{
    const char *to = m->names[!m->name];
    struct walk_result r;
    char state[16];

    walk_state(m, state);
    if (!state[0] || !strcmp(to, walk_name(m)))
        return false;
    WALK_RUN(w, &r, "bin/xl", "rename", walk_name(m), to);
    if (!r.status)
        m->name = !m->name;
    if (m->pending)
        walk_count(w, "rename, unfinished");
    return !r.status;
}

static void keep_orphan(void *arg, const char *path)
{
    struct walk *w = arg;

    w->orphans = mem_grow(w->orphans, w->norphans + 1, sizeof(*w->orphans));
    w->orphans[w->norphans++] = mem_strdup(path);
}

/* The files of its record, and what they stand on, are nobody's then. */
static bool forget(struct walk *w, struct walk_machine *m, const char *name)
{
    struct walk_snap *s = walk_snap(w, m, name);
    char *dir = s && s->fate == SNAP_THERE && !m->pending ?
                walk_snap_dir(w, s) : NULL;
    char *file = dir ? mem_printf("%s/snapshot.json", dir) : NULL;
    json_object *o = file ? json_object_from_file(file) : NULL;
    json_object *disks = o ? member(o, "disks") : NULL;
    size_t i;

    for (i = 0; disks && i < json_object_array_length(disks); i++) {
        const char *part = word(json_object_array_get_idx(disks, i), "file");

        if (*part) {
            keep_orphan(w, part);
            image_chain(part, keep_orphan, w);
        }
    }
    if (dir) {
        remove_tree(dir);
        walk_drop_snap(w, s);
    }
    json_object_put(o);
    free(file);
    free(dir);
    return file != NULL;
}

static void parse(const char *line, struct walk_step *s)
{
    char *word, *save = NULL;

    memset(s, 0, sizeof(*s));
    s->copy = mem_strdup(line);
    for (word = strtok_r(s->copy, " ", &save); word && s->n < WALK_WORDS - 1;
         word = strtok_r(NULL, " ", &save)) {
        if (!strncmp(word, "fault=", 6))
            s->fault = word + 6;
        else if (!strncmp(word, "away=", 5))
            s->away = word + 5;
        else if (!strncmp(word, "full=", 5))
            s->full = word + 5;
        else if (!strncmp(word, "reader=", 7))
            s->reader = word + 7;
        else
            s->words[s->n++] = word;
    }
}

static bool act(struct walk *w, const struct walk_step *s)
{
    const char *verb = s->words[0], *third = s->n > 2 ? s->words[2] : "";
    struct walk_machine *m = s->n > 1 ? walk_machine(w, s->words[1]) : NULL;
    struct walk_result r;
    char state[16];

    if (!strcmp(verb, "boot")) {
        WALK_RUN(w, &r, "bin/xl", "host-reboot");
        return true;
    }
    if (!m)
        return false;
    if (!strcmp(verb, "start"))
        return start(w, m, third);
    if (!strcmp(verb, "off"))
        return off(w, m);
    if (!strcmp(verb, "shutdown") || !strcmp(verb, "reboot"))
        return life(w, m, verb);
    if (!strcmp(verb, "rename"))
        return rename_it(w, m);
    if (!strcmp(verb, "forget"))
        return forget(w, m, third);
    if (strcmp(verb, "work"))
        return walk_op(w, s);
    walk_state(m, state);
    if (strcmp(state, "running"))
        return false;
    walk_tick(w, m, third);
    return true;
}

bool walk_do(struct walk *w, const char *line)
{
    struct walk_step s;
    bool done;

    parse(line, &s);
    done = s.n && act(w, &s);
    if (done) {
        char what[32];

        snprintf(what, sizeof(what), "%s%s%s", s.words[0],
                 !strcmp(s.words[0], "start") && s.n > 2 ? " " : "",
                 !strcmp(s.words[0], "start") && s.n > 2 ? s.words[2] : "");
        walk_count(w, what);
        if (s.n > 1 && !strcmp(s.words[1], "X"))
            walk_count(w, "second domain");
    }
    free(s.copy);
    return done;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
