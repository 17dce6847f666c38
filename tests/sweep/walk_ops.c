/* SPDX-License-Identifier: LGPL-2.1-only */

/* The commands of the random walk, what happens meanwhile, and what comes. */

#include <dirent.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "copy.h"
#include "look.h"
#include "walk.h"
#include "snapshot/sys/mem.h"

#define CLUSTER 65536

struct op {
    struct walk *w;
    const struct walk_step *step;
    struct walk_machine *m;
    const char *verb, *name;
    bool ran;                   /* the guest, before */
    bool was_pending;
    uint64_t memory;
    /* Snapshots that a deletion may take. */
    char *gone[WALK_SNAPS];
    size_t ngone;
    /* What happens meanwhile. */
    char *from, *to;
    bool stub;
    int reader;
    uint64_t read;
};

static bool is(const struct op *o, const char *verb)
{
    return !strcmp(o->verb, verb);
}

/* By number, of the regular files that lie in the set's directory. */
static char *pick_file(const struct walk *w, const struct walk_set *s,
                       unsigned long number)
{
    char *dir = mem_printf("%s/images/%s", w->base, s->dir), *path = NULL;
    struct dirent **list = NULL;
    int n = scandir(dir, &list, not_dots, alphasort), i;

    for (i = 0; i < n; i++)
        if ((unsigned long)i == number % (unsigned)n)
            path = mem_printf("%s/%s", dir, list[i]->d_name);
    for (i = 0; i < n; i++)
        free(list[i]);
    free(list);
    free(dir);
    return path;
}

static void go_away(struct op *o)
{
    const char *what = o->step->away;

    if (!what)
        return;
    if (!strncmp(what, "dir:", 4))
        o->from = mem_printf("%s/images/%s", o->w->base, what + 4);
    else
        o->from = pick_file(o->w, &o->w->sets[o->m->set],
                            strtoul(what + 5, NULL, 10));
    o->to = mem_printf("%s/images/.away", o->w->base);
    if (!o->from || rename(o->from, o->to)) {
        free(o->from);
        free(o->to);
        o->from = o->to = NULL;
        return;
    }
    o->stub = !strncmp(what, "dir:", 4);
    if (o->stub && mkdir(o->from, 0700))
        fatal(o->from);
    walk_count(o->w, o->stub ? "storage away" : "file away");
}

static void come_back(struct op *o)
{
    if (!o->from)
        return;
    if (o->stub && rmdir(o->from))
        walk_broken(o->w, "strays", "something was made in %s while its "
                    "storage was away", o->from);
    else if (!o->stub && !access(o->from, F_OK))
        walk_broken(o->w, "strays", "%s was made anew while it was away",
                    o->from);
    if (rename(o->to, o->from))
        fatal(o->from);
    free(o->from);
    free(o->to);
}

static char *filler(const struct walk *w)
{
    return walk_path(w, "images/.full");
}

static void fill(struct op *o)
{
    char *path = filler(o->w), *block;
    int fd;
    off_t size = 0;
    ssize_t n;

    if (o->step->full && o->w->has_room) {
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        block = mem_zalloc(1, CLUSTER);
        while (fd >= 0 && (n = write(fd, block, CLUSTER)) > 0)
            size += n;
        size -= (off_t)strtoul(o->step->full, NULL, 10) * CLUSTER;
        if (fd < 0 || ftruncate(fd, size > 0 ? size : 0))
            fatal(path);
        close(fd);
        free(block);
        walk_count(o->w, "full");
    }
    free(path);
}

static void make_space(struct op *o)
{
    char *path = filler(o->w);

    unlink(path);
    free(path);
}

static uint64_t sum_fd(int fd)
{
    struct stat st;
    uint64_t sum = 0;
    char *buf;

    if (fstat(fd, &st))
        return 0;
    buf = mem_zalloc(1, (size_t)st.st_size + 1);
    if (pread(fd, buf, (size_t)st.st_size, 0) == st.st_size)
        sum = XXH3_64bits(buf, (size_t)st.st_size);
    free(buf);
    return sum;
}

/* Files of snapshots that have layers or copies: nothing writes to them. */
static char *pick_part(struct walk *w, struct walk_machine *m,
                       unsigned long number)
{
    char *parts[WALK_SNAPS * WALK_DISKS], *picked = NULL;
    size_t n = 0, i, k;

    for (i = 0; i < w->nsnaps; i++) {
        char *dir = walk_snap_dir(w, &w->snaps[i]);
        char *file = mem_printf("%s/snapshot.json", dir ? dir : "");
        json_object *o = json_object_from_file(file);
        json_object *disks = o ? member(o, "disks") : NULL;

        for (k = 0; disks && k < json_object_array_length(disks); k++) {
            json_object *d = json_object_array_get_idx(disks, k);

            if (w->machines[w->snaps[i].machine].set == m->set &&
                *word(d, "file") && n < WALK_SNAPS * WALK_DISKS)
                parts[n++] = mem_strdup(word(d, "file"));
        }
        json_object_put(o);
        free(file);
        free(dir);
    }
    if (n)
        picked = mem_strdup(parts[number % n]);
    while (n)
        free(parts[--n]);
    return picked;
}

static void begin_reading(struct op *o)
{
    char *path;

    o->reader = -1;
    if (!o->step->reader)
        return;
    path = pick_part(o->w, o->m, strtoul(o->step->reader, NULL, 10));
    if (path)
        o->reader = open(path, O_RDONLY | O_CLOEXEC);
    if (o->reader >= 0) {
        o->read = sum_fd(o->reader);
        walk_count(o->w, "reader");
    }
    free(path);
}

static void end_reading(struct op *o)
{
    if (o->reader < 0)
        return;
    if (sum_fd(o->reader) != o->read)
        walk_broken(o->w, "reader", "of a layer of %s gets other bytes",
                    o->m->label);
    close(o->reader);
}

/* The parent that the store names; the caller's to free. */
static char *parent_of(const struct walk *w, const struct walk_snap *s)
{
    char *dir = walk_snap_dir(w, s);
    char *file = mem_printf("%s/snapshot.json", dir ? dir : "");
    json_object *o = json_object_from_file(file);
    char *parent = mem_strdup(o ? word(o, "parent") : "");

    json_object_put(o);
    free(file);
    free(dir);
    return parent;
}

/* What "delete -c" takes: all that descend from it. */
static void find_gone(struct op *o)
{
    struct walk *w = o->w;
    size_t i, k, before;

    o->gone[o->ngone++] = mem_strdup(o->name);
    do {
        before = o->ngone;
        for (i = 0; o->step->n > 3 && i < w->nsnaps; i++) {
            struct walk_snap *s = &w->snaps[i];
            char *parent = parent_of(w, s);
            bool known = s->machine != (size_t)(o->m - w->machines);

            for (k = 0; k < o->ngone; k++)
                known |= !strcmp(o->gone[k], s->name);
            for (k = 0; !known && k < before; k++)
                if (!strcmp(o->gone[k], parent)) {
                    o->gone[o->ngone++] = mem_strdup(s->name);
                    break;
                }
            free(parent);
        }
    } while (o->ngone != before);
}

static bool applies(struct op *o)
{
    struct walk *w = o->w;
    struct walk_snap *s;
    struct vm vm;
    bool found = vm_find(walk_name(o->m), &vm);

    o->ran = found && !strcmp(vm.state, "running");
    o->memory = found ? vm.memory : 0;
    vm_free(&vm);
    if (is(o, "recover"))
        return true;
    if (!o->name)
        return false;
    s = walk_snap(w, o->m, o->name);
    if (is(o, "create"))
        return found && !s && w->sets[o->m->set].nlive == 1 &&
               w->nsnaps + 1 < WALK_SNAPS && o->step->n > 3;
    if (is(o, "revert"))
        return s && s->fate == SNAP_THERE && !s->damaged &&
               w->sets[o->m->set].nlive < WALK_LIVES;
    if (is(o, "delete"))
        return s && s->fate == SNAP_THERE;
    return false;
}

/* disks=[...] for the letters i, e and c; NULL if none is chosen. */
static char *kinds(const struct walk_set *s, const char *letters)
{
    struct text t = { 0 };
    size_t i;

    for (i = 0; i < s->ndisks && letters[i]; i++) {
        const char *kind = letters[i] == 'i' ? "internal" :
                           letters[i] == 'e' ? "external" : "copy";

        if (letters[i] != '-')
            text_add(&t, "%s'vdev=%s,type=%s'", t.len ? "," : "disks=[",
                     s->disks[i].vdev, kind);
    }
    if (t.len)
        text_add(&t, "]");
    return t.s;
}

/* The name under which the store has the snapshot. */
static const char *domain_word(struct op *o)
{
    struct walk_snap *s = o->name ? walk_snap(o->w, o->m, o->name) : NULL;
    char *dir = s ? walk_snap_dir(o->w, s) : NULL;
    const char *name = walk_name(o->m);
    char *there = mem_printf("%s/store/%s/%s", o->w->scene.dir, name,
                             o->name ? o->name : "");

    if (dir && access(there, F_OK))
        name = o->m->names[!o->m->name];
    free(there);
    free(dir);
    return name;
}

static void run(struct op *o, struct walk_result *r)
{
    char *command = mem_printf("snapshot-%s", is(o, "recover") ? "delete" :
                               o->verb);
    const char *argv[10] = { "xl-snapshot", command, "-q" };
    char *disks = NULL;
    size_t n = 3, i;

    if (is(o, "create"))
        disks = kinds(&o->w->sets[o->m->set], o->step->words[3]);
    for (i = 3; i < o->step->n; i++)
        if (!strcmp(o->step->words[i], "cold"))
            argv[n++] = "--cold";
        else if (o->step->words[i][0] == '-' && is(o, "delete"))
            argv[n++] = o->step->words[i];
    argv[n++] = domain_word(o);
    argv[n++] = is(o, "recover") ? "nothing" : o->name;
    if (disks)
        argv[n++] = disks;
    argv[n] = NULL;
    walk_run(o->w, argv, o->step->fault, o->ran ? walk_name(o->m) : NULL, r);
    free(disks);
    free(command);
}

static void add_snap(struct op *o, enum walk_fate fate)
{
    struct walk *w = o->w;
    struct walk_snap *s = &w->snaps[w->nsnaps++];

    memset(s, 0, sizeof(*s));
    snprintf(s->name, sizeof(s->name), "%s", o->name);
    s->machine = (size_t)(o->m - w->machines);
    s->fate = fate;
    s->memory = o->memory;
    memcpy(s->sums, w->sets[o->m->set].live[0], sizeof(s->sums));
}

static void set_gone(struct op *o, bool maybe)
{
    size_t i;

    for (i = 0; i < o->ngone; i++) {
        struct walk_snap *s = walk_snap(o->w, o->m, o->gone[i]);

        if (s && maybe)
            s->fate = SNAP_MAYBE_GONE;
        else if (s)
            walk_drop_snap(o->w, s);
    }
}

/* Nobody knows how far it came. */
static void unfinished(struct op *o)
{
    uint64_t sums[WALK_DISKS];
    struct walk_snap *s;
    char state[16];

    o->m->pending = true;
    if (is(o, "create"))
        add_snap(o, SNAP_MAYBE_NEW);
    if (is(o, "delete"))
        set_gone(o, true);
    if (!is(o, "revert"))
        return;
    s = walk_snap(o->w, o->m, o->name);
    walk_live_add(o->w, o->m->set, s->sums);
    walk_state(o->m, state);
    if (!strcmp(state, "running") && walk_look(o->w, o->m->set, sums)) {
        if (!walk_live_is(o->w, o->m->set, sums))
            walk_broken(o->w, "live disk changed", "%s runs with disks of no "
                        "instant", o->m->label);
        walk_live(o->w, o->m->set, sums);
    }
}

/* A revert brings a domain back under the name that the store has. */
static void follow_name(struct walk_machine *m)
{
    char state[16];

    walk_state(m, state);
    if (state[0])
        return;
    m->name = !m->name;
    walk_state(m, state);
    if (!state[0])
        m->name = !m->name;
}

static void succeeded(struct op *o)
{
    struct walk *w = o->w;
    uint64_t sums[WALK_DISKS];
    struct walk_snap *s;
    struct vm vm;

    if (is(o, "create"))
        add_snap(o, SNAP_THERE);
    if (is(o, "delete"))
        set_gone(o, false);
    if (!is(o, "revert"))
        return;
    s = walk_snap(w, o->m, o->name);
    if (!vm_find(walk_name(o->m), &vm) || strcmp(vm.state, "running"))
        walk_broken(w, "revert", "of %s to %s: no guest runs", o->m->label,
                    o->name);
    else if (!walk_look(w, o->m->set, sums) ||
             memcmp(sums, s->sums,
                    w->sets[o->m->set].ndisks * sizeof(*sums)))
        walk_broken(w, "revert", "of %s to %s: other bytes", o->m->label,
                    o->name);
    else if (vm.memory != s->memory)
        walk_broken(w, "revert", "of %s to %s: another memory", o->m->label,
                    o->name);
    vm_free(&vm);
    walk_live(w, o->m->set, s->sums);
}

/* DESIGN section 5, rule 8. */
static void way_out(struct walk *w, struct walk_machine *m)
{
    struct walk_machine *holder = walk_holder(w, m->set);
    char *dir, *name;
    struct walk_result r;
    bool given_up = false;

    if (holder && holder != m)
        WALK_RUN(w, &r, "bin/xl", "destroy", walk_name(holder));
    dir = walk_journal(w, m);
    name = mem_strdup(dir ? strrchr(dir, '/') + 1 : "");
    if (dir) {
        WALK_RUN(w, &r, "xl-snapshot", "snapshot-delete", name, "nothing");
        free(dir);
        dir = walk_journal(w, m);
    }
    if (dir && w->has_recover) {
        WALK_RUN(w, &r, "xl-snapshot", "snapshot-recover", "--give-up",
                 name);
        free(dir);
        dir = walk_journal(w, m);
        given_up = true;
        walk_count(w, "given up");
    }
    if (dir && w->has_recover)
        walk_broken(w, "locked", "%s: %s", m->label, r.out);
    else if (dir && !w->locked)
        w->locked = mem_strdup(r.out);
    free(dir);
    free(name);
    walk_resolve(w, m, given_up);
}

static bool dies_by(const char *fault)
{
    return fault && (strstr(fault, ":kill") || strstr(fault, ":torn") ||
                     strstr(fault, ":late"));
}

static void count_fault(struct op *o, const struct walk_result *r)
{
    const char *fault = o->step->fault;

    if (!fault)
        return;
    if (r->status == 256 + SIGKILL)
        walk_count(o->w, o->was_pending ? "killed, unfinished" : "killed");
    else if (strstr(fault, "ctrlc") || strstr(fault, ":int"))
        walk_count(o->w, "Ctrl-C");
    else if (strstr(fault, "ctrlz"))
        walk_count(o->w, "Ctrl-Z");
}

static void judge(struct op *o, const struct walk_result *r)
{
    struct walk *w = o->w;
    int status = r->status;
    char *journal = walk_journal(w, o->m);

    if (is(o, "recover") && status == 1)
        status = journal || !o->was_pending ? 1 : 0;
    if (r->stopped)
        walk_broken(w, "Ctrl-Z", "stopped %s while the guest of %s was",
                    o->verb, o->m->label);
    if (status == 256 + SIGKILL && dies_by(o->step->fault)) {
        unfinished(o);
        if (!journal)
            walk_resolve(w, o->m, false);
    } else if (status == 4) {
        walk_count(w, "status 4");
        unfinished(o);
        way_out(w, o->m);
    } else if (status == 0) {
        if (journal)
            walk_broken(w, "journal", "left by a successful %s of %s",
                        o->verb, o->m->label);
        /* It took the place of a revert that was unfinished. */
        if (is(o, "revert"))
            walk_live(w, o->m->set, walk_snap(w, o->m, o->name)->sums);
        walk_resolve(w, o->m, false);
        succeeded(o);
        walk_count(w, "done");
    } else if (status == 1 || status == 3) {
        if (journal && !o->step->fault && !is(o, "recover") &&
            !strcmp(strrchr(journal, '/') + 1, domain_word(o)))
            walk_broken(w, "journal", "left by a refused %s of %s: %s",
                        o->verb, o->m->label, r->out);
        /* Of several deletions some may be done. */
        if (is(o, "delete") && o->ngone > 1)
            set_gone(o, true);
        o->m->pending = true;
        walk_resolve(w, o->m, false);
        walk_count(w, "refused");
    } else {
        walk_broken(w, "status", "%d of %s: %s", status, o->verb, r->out);
    }
    free(journal);
}

/* DESIGN section 5, rule 2; then the guest goes on. */
static void check_guest(struct op *o, const struct walk_result *r)
{
    struct walk *w = o->w;
    char state[16];

    if (w->tag[0] || r->status == 256 + SIGKILL)
        return;
    walk_state(o->m, state);
    if (!o->m->pending && state[0] && strcmp(state, "running"))
        walk_broken(w, "guest left", "%s by %s of %s: %s", state, o->verb,
                    o->m->label, r->out);
    if (o->ran && r->status != 4 && !state[0])
        walk_broken(w, "guest left", "off by %s of %s: %s", o->verb,
                    o->m->label, r->out);
    if (!strcmp(state, "running") && !w->tag[0])
        walk_tick(w, o->m, "1");
}

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    const char *p;

    for (p = strstr(text, line); p; p = strstr(p + 1, line))
        if ((p == text || p[-1] == '\n') && (p[len] == '\n' || !p[len]))
            return true;
    return false;
}

/* The list has what the store has under the domain's name. */
static void check_list(struct op *o)
{
    struct walk *w = o->w;
    const char *name = walk_name(o->m);
    struct walk_result r;
    size_t i;

    if (w->tag[0] || o->m->pending)
        return;
    WALK_RUN(w, &r, "xl-snapshot", "snapshot-list", "-n", name);
    for (i = 0; i < w->nsnaps; i++) {
        const struct walk_snap *s = &w->snaps[i];
        char *dir = mem_printf("%s/store/%s/%s", w->scene.dir, name,
                               s->name);

        if (s->machine == (size_t)(o->m - w->machines) &&
            s->fate == SNAP_THERE && !s->damaged && !access(dir, F_OK) &&
            !has_line(r.out, s->name))
            walk_broken(w, "list", "does not have %s of %s: %s", s->name,
                        o->m->label, r.out);
        free(dir);
    }
}

bool walk_op(struct walk *w, const struct walk_step *step)
{
    struct op o = { .w = w, .step = step, .verb = step->words[0] };
    struct walk_result r;

    o.m = walk_machine(w, step->words[1]);
    o.name = step->n > 2 ? step->words[2] : NULL;
    if (!o.m || !applies(&o))
        return false;
    o.was_pending = o.m->pending;
    if (is(&o, "delete"))
        find_gone(&o);
    go_away(&o);
    fill(&o);
    begin_reading(&o);
    run(&o, &r);
    end_reading(&o);
    make_space(&o);
    come_back(&o);
    follow_name(o.m);
    count_fault(&o, &r);
    judge(&o, &r);
    check_guest(&o, &r);
    check_list(&o);
    while (o.ngone)
        free(o.gone[--o.ngone]);
    return true;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
