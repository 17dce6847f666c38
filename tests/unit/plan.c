#include <stdio.h>
#include <string.h>

#include "snapshot/sys/mem.h"
#include "snapshot/txn/plan.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

/* A running domain with a good disk, a raw one, a CD and a read-only one. */
static struct domain_disk disks[] = {
    { .vdev = "xvda", .path = "/a.qcow2", .format = "qcow2",
      .backend = "qdisk" },
    { .vdev = "xvdb", .path = "/cd.iso", .format = "raw", .backend = "qdisk",
      .readonly = true, .cdrom = true },
    { .vdev = "xvdc", .path = "/ro.qcow2", .format = "qcow2",
      .backend = "qdisk", .readonly = true },
    { .vdev = "xvdd", .path = "/d.qcow2", .format = "qcow2",
      .backend = "qdisk" },
};
static struct domain dom = {
    .domid = 3, .name = "g1", .uuid = "6c2b3f5e-0b1c-4d55-9f3e-2f6a1f0e7a11",
    .type = "pvh", .state = DOMAIN_RUNNING, .max_kib = 131072,
    .disks = disks, .ndisks = 4, .config = "{\"c_info\":{}}",
};
static const struct tree no_tree = { .first_root = TREE_NONE };

static int try(const struct domain *d, const struct tree *t,
               const struct disk_wish *wish, struct snapshot *draft,
               struct plan *p, struct err *problems)
{
    static const struct disk_wish none;
    struct plan_create req = {
        .name = "snap1", .description = "text", .unique = "0badcafe",
        .disks = wish ? wish : &none, .now = 1795395723,
    };

    memset(problems, 0, sizeof(*problems));
    return plan_create(&req, d, t, draft, p, problems);
}

/* What is wrong with a create, or NULL; the caller's to free. */
static char *problems_of(const struct domain *d, const struct tree *t,
                         const struct disk_wish *wish)
{
    struct snapshot draft;
    struct plan p;
    struct err e;
    char *text = NULL;

    if (try(d, t, wish, &draft, &p, &e)) {
        text = mem_strdup(e.text);
        check(e.status == SNAP_FAILED && !p.n, "no plan: %s", text);
    }
    plan_free(&p);
    meta_free(&draft);
    return text;
}

static void refused(const struct domain *d, const struct disk_wish *wish,
                    const char *part, const char *also)
{
    char *text = problems_of(d, &no_tree, wish);

    check(text && strstr(text, part) && strstr(text, also),
          "refused with '%s'", part);
    free(text);
}

static char *verbs_of(const struct plan *p)
{
    char *text = mem_strdup("");
    size_t i;

    for (i = 0; i < p->n; i++) {
        char *more = mem_printf("%s%s%s%s", text, i ? " " : "",
                                i == p->commit ? "*" : "",
                                plan_verb_name(p->steps[i].verb));

        free(text);
        text = more;
    }
    return text;
}

static bool verbs_are(const struct plan *p, const char *want)
{
    char *text = verbs_of(p);
    bool same = !strcmp(text, want);

    if (!same)
        printf("# steps '%s'\n", text);
    free(text);
    return same;
}

static void cold(void)
{
    static const struct disk_wish none;
    struct plan_create req = {
        .name = "snap1", .disks = &none, .unique = "0badcafe", .cold = true,
    };
    struct snapshot s;
    struct plan p;
    struct err e = { 0 };
    char *text;

    check_ok(plan_create(&req, &dom, &no_tree, &s, &p, &e), &e,
             "a plan for a cold one");
    text = verbs_of(&p);
    check(!strcmp(text, "stage prepare hold-monitor save close "
                  "release-monitor capture reopen unpause record *publish "
                  "set-current"),
          "the domain is gone while the disks are taken: %s", text);
    free(text);
    plan_free(&p);
    meta_free(&s);
    req.paused = true;
    check_ok(plan_create(&req, &dom, &no_tree, &s, &p, &e), &e,
             "one that leaves the domain paused");
    text = verbs_of(&p);
    check(strstr(text, "reopen record") && !strstr(text, "unpause"),
          "does not let it run");
    free(text);
    plan_free(&p);
    meta_free(&s);
}

static void verbs(void)
{
    bool unique = true, back = true;
    enum verb v, w;

    for (v = 0; v < STEP_COUNT; v++) {
        if (!plan_verb_name(v) || plan_verb(plan_verb_name(v)) != v)
            back = false;
        for (w = 0; w < v; w++)
            if (!strcmp(plan_verb_name(v), plan_verb_name(w)))
                unique = false;
    }
    check(unique && back, "each verb has a name of its own that reads back");
    check(plan_verb("") == STEP_COUNT && plan_verb("reboot") == STEP_COUNT,
          "an unknown word is no verb");
}

static void create(void)
{
    struct snapshot s;
    struct plan p;
    struct err e;

    check_ok(try(&dom, &no_tree, NULL, &s, &p, &e), &e, "a plan to create");
    check(p.n > 0 && p.commit > 0 && p.commit < p.n &&
          p.steps[p.commit].verb == STEP_PUBLISH &&
          p.steps[0].verb == STEP_STAGE,
          "starts with the directory, and the rename is its commit point");
    check(!strcmp(s.name, "snap1") && !strcmp(s.description, "text") &&
          s.creation_time == 1795395723 && !s.parent &&
          !strcmp(s.domain.name, "g1") && !strcmp(s.domain.type, "pvh") &&
          !strcmp(s.domain.state, "running") &&
          !strcmp(s.config, dom.config), "the draft describes the domain");
    check(s.ndisks == 4 && !strcmp(s.disks[0].type, "internal") &&
          !strcmp(s.disks[0].part, "snap1") &&
          !strcmp(s.disks[3].type, "internal"), "writable disks are in it");
    check(!strcmp(s.disks[1].type, "none") &&
          !strcmp(s.disks[1].reason, "CD-ROM") &&
          !strcmp(s.disks[2].type, "none") &&
          !strcmp(s.disks[2].reason, "read-only"),
          "CD-ROM and read-only disks are left out, with the reason");
    plan_free(&p);
    meta_free(&s);
}

/* While the guest is stopped, only what has to happen then happens. */
static void create_order(void)
{
    size_t at[STEP_COUNT], i;
    struct snapshot s;
    struct plan p;
    struct err e;

    memset(at, 0, sizeof(at));
    try(&dom, &no_tree, NULL, &s, &p, &e);
    for (i = 0; i < p.n; i++)
        at[p.steps[i].verb] = i;
    check(at[STEP_PREPARE] < at[STEP_SAVE] &&
          at[STEP_HOLD_MONITOR] < at[STEP_SAVE] &&
          at[STEP_CAPTURE] == at[STEP_SAVE] + 1 &&
          at[STEP_RESUME] == at[STEP_CAPTURE] + 1 &&
          at[STEP_RELEASE_MONITOR] > at[STEP_RESUME] &&
          at[STEP_RECORD] > at[STEP_RESUME] &&
          at[STEP_PUBLISH] > at[STEP_RECORD],
          "disks right after memory, the guest resumed right after them");
    plan_free(&p);
    meta_free(&s);
}

static void memory_image(void)
{
    static const struct disk_wish none;
    struct plan_create req = { .name = "snap1", .disks = &none };
    struct snapshot s;
    struct plan p;
    struct err e = { 0 };
    unsigned i;

    for (i = 0; i < 2; i++) {
        req.compress = i;
        plan_create(&req, &dom, &no_tree, &s, &p, &e);
        check(!strcmp(s.memory.file, i ? "memory.xl.zst" : "memory.xl") &&
              !strcmp(s.memory.compression, i ? "zstd" : "none"),
              "the memory image, compressed: %u", i);
        plan_free(&p);
        meta_free(&s);
    }
}

static void parent(void)
{
    struct tree t = { .n = 1, .nodes = mem_zalloc(1, sizeof(*t.nodes)) };
    struct snapshot s;
    struct plan p;
    struct err e = { 0 };
    char *text;

    fixture_snapshot("base", NULL, &t.nodes[0].s);
    t.current = mem_strdup("base");
    tree_link(&t, NULL, 0, &e);
    check(!try(&dom, &t, NULL, &s, &p, &e) && !strcmp(s.parent, "base"),
          "the parent is the current snapshot");
    plan_free(&p);
    meta_free(&s);
    free(t.nodes[0].s.name);
    t.nodes[0].s.name = mem_strdup("snap1");
    text = problems_of(&dom, &t, NULL);
    check(text && strstr(text, "already has a snapshot named 'snap1'"),
          "a name that is taken is refused");
    free(text);
    tree_free(&t);
}

static void states(void)
{
    static const struct {
        enum domain_state state;
        const char *word;
    } bad[] = {
        { DOMAIN_SUSPENDED, "suspended" },
        { DOMAIN_SHUTDOWN, "shutting down" },
        { DOMAIN_DYING, "dying" },
    };
    struct domain d = dom;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        d.state = bad[i].state;
        refused(&d, NULL, bad[i].word, "domain g1");
    }
    d.state = DOMAIN_RUNNING;
    d.domid = 0;
    refused(&d, NULL, "domain 0", "cannot be saved");
}

static void kinds(void)
{
    struct domain_disk odd[] = {
        { .vdev = "xvda", .path = "/a.raw", .format = "raw",
          .backend = "qdisk" },
        { .vdev = "xvdb", .path = "/dev/vg/b", .format = "raw",
          .backend = "phy" },
        { .vdev = "xvdc", .path = "/c.qcow2", .format = "qcow2",
          .backend = "qdisk", .foreign = true },
    };
    struct domain d = dom;
    struct disk_choice internal[] = {
        { .vdev = "xvda", .type = "internal" },
        { .vdev = "xvdb", .type = "internal" },
        { .vdev = "xvdz", .type = "internal" },
    };
    struct disk_wish wish = { .each = internal, .neach = 3 };

    d.disks = odd;
    d.ndisks = 3;
    refused(&d, &wish, "disk xvda (/a.raw): ", "qcow2");
    refused(&d, &wish, "disk xvdb (/dev/vg/b): ", "qcow2");
    refused(&d, &wish, "disk xvdc (/c.qcow2): its backend is in another "
            "domain", "");
    refused(&d, &wish, "domain g1 has no disk xvdz", "xvda");
    d.state = DOMAIN_SHUTDOWN;
    refused(&d, &wish, "shutting down", "xvdz");
    check(true, "all of that in one go");
}

static void wishes(void)
{
    struct disk_choice each[] = {
        { .vdev = "xvda", .type = "none" },
        { .vdev = "xvdd", .type = "magic" },
    };
    struct disk_wish one = { .each = each, .neach = 1 };
    struct disk_wish both = { .each = each, .neach = 2 };
    struct disk_wish all_none = { .all = "none" };
    struct snapshot s;
    struct plan p;
    struct err e;

    check(!try(&dom, &no_tree, &one, &s, &p, &e) &&
          !strcmp(s.disks[0].type, "none") &&
          !strcmp(s.disks[0].reason, "excluded") &&
          !strcmp(s.disks[3].type, "internal"), "a disk can be excluded");
    plan_free(&p);
    meta_free(&s);
    refused(&dom, &both, "disk xvdd", "no such type");
    check(!try(&dom, &no_tree, &all_none, &s, &p, &e) &&
          !strcmp(s.disks[3].type, "none"), "so can all of them");
    plan_free(&p);
    meta_free(&s);
}

static void no_disks(void)
{
    struct domain d = dom;
    struct snapshot s;
    struct plan p;
    struct err e;

    d.disks = NULL;
    d.ndisks = 0;
    d.config = NULL;
    check(!try(&d, &no_tree, NULL, &s, &p, &e) && !s.ndisks &&
          !strcmp(s.config, "{}"), "a domain without disks can be snapshot");
    plan_free(&p);
    meta_free(&s);
}

static void revert(void)
{
    struct snapshot s;
    struct plan p;

    fixture_snapshot("snap1", NULL, &s);
    check(!plan_revert(&s, false, &p) &&
          verbs_are(&p, "*destroy apply set-current restore unpause"),
          "a revert: each disk that has a part, destroy commits");
    plan_free(&p);
    check(!plan_revert(&s, true, &p) &&
          verbs_are(&p, "*destroy apply set-current restore"),
          "left paused");
    plan_free(&p);
    free(s.disks[0].type);
    s.disks[0].type = mem_strdup("external");
    check(!plan_revert(&s, true, &p) &&
          verbs_are(&p, "ready *destroy apply set-current restore"),
          "a new layer is made while the guest still runs");
    plan_free(&p);
    meta_free(&s);
}

static void delete(void)
{
    struct snapshot s;
    struct plan p;

    fixture_snapshot("snap1", NULL, &s);
    check(!plan_delete(&s, &p) &&
          verbs_are(&p, "*hide remove relink purge") &&
          p.steps[1].disk == 0, "a deletion: hiding commits, purging is last");
    plan_free(&p);
    meta_free(&s);
}

static void words(void)
{
    struct step remove = { STEP_REMOVE, 0 }, save = { STEP_SAVE, 0 };
    struct snapshot s;
    char *text, *plain;

    fixture_snapshot("snap1", NULL, &s);
    text = plan_describe(&remove, &s);
    plain = plan_describe(&save, &s);
    check(strstr(text, "xvda") && strstr(text, "/vg/g1.qcow2") &&
          strstr(text, "internal snap1") && strstr(plain, "memory"),
          "steps in words: %s", text);
    free(plain);
    free(text);
    meta_free(&s);
}

int main(void)
{
    verbs();
    create();
    create_order();
    memory_image();
    parent();
    states();
    cold();
    kinds();
    wishes();
    no_disks();
    revert();
    delete();
    words();
    return unit_done();
}
