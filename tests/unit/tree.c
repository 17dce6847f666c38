#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"
#include "snapshot/store/tree.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

/* Rows of name, parent, creation time. */
struct row { const char *name, *parent; uint64_t time; };

static void plant(const struct row *rows, size_t n, const char *current,
                  struct tree *t)
{
    size_t i;

    memset(t, 0, sizeof(*t));
    t->nodes = mem_zalloc(n, sizeof(*t->nodes));
    t->n = n;
    t->current = mem_strdup(current);
    for (i = 0; i < n; i++) {
        t->nodes[i].s.name = mem_strdup(rows[i].name);
        t->nodes[i].s.parent = mem_strdup(rows[i].parent);
        t->nodes[i].s.creation_time = rows[i].time;
    }
}

/* "a a1 a2" with the depth before each: "0a 1a1 1a2". */
static bool walk_is(const struct tree *t, const char *want)
{
    size_t *depth, *order = tree_walk(t, &depth), i;
    char *text = mem_strdup("");
    bool same;

    for (i = 0; i < t->n; i++) {
        char *more = mem_printf("%s%s%zu%s", text, i ? " " : "", depth[i],
                                t->nodes[order[i]].s.name);

        free(text);
        text = more;
    }
    same = !strcmp(text, want);
    if (!same)
        printf("# walk '%s', want '%s'\n", text, want);
    free(text);
    free(order);
    free(depth);
    return same;
}

static bool subtree_is(const struct tree *t, const char *name,
                       const char *want)
{
    size_t n, i, *list = tree_subtree(t, tree_find(t, name), &n);
    char *text = mem_strdup("");
    bool same;

    for (i = 0; i < n; i++) {
        char *more = mem_printf("%s%s%s", text, i ? " " : "",
                                t->nodes[list[i]].s.name);

        free(text);
        text = more;
    }
    same = !strcmp(text, want);
    if (!same)
        printf("# subtree '%s', want '%s'\n", text, want);
    free(text);
    free(list);
    return same;
}

static void family(void)
{
    static const struct row rows[] = {
        { "c2", "a", 30 }, { "a", NULL, 10 }, { "c1", "a", 20 },
        { "g", "c1", 25 }, { "b", NULL, 5 }, { "c0", "a", 20 },
    };
    struct tree t;
    struct err p = { 0 };

    plant(rows, 6, "g", &t);
    tree_link(&t, NULL, 0, &p);
    check(p.status == SNAP_OK, "a good tree has no problems");
    check(walk_is(&t, "0b 0a 1c0 1c1 2g 1c2"),
          "parents first, by time and then by name");
    check(subtree_is(&t, "a", "c2 g c1 c0 a") && subtree_is(&t, "g", "g") &&
          subtree_is(&t, "c1", "g c1") && subtree_is(&t, "b", "b"),
          "a subtree has children before their parents, the node last");
    check(tree_find(&t, "c1") != TREE_NONE &&
          tree_find(&t, "x") == TREE_NONE &&
          tree_find(&t, NULL) == TREE_NONE, "nodes are found by name");
    tree_free(&t);
}

static void empty(void)
{
    struct tree t;
    struct err p = { 0 };

    plant(NULL, 0, NULL, &t);
    tree_link(&t, NULL, 0, &p);
    check(p.status == SNAP_OK && walk_is(&t, "") &&
          tree_find(&t, "a") == TREE_NONE, "an empty tree");
    tree_free(&t);
}

static void missing(void)
{
    static const struct row rows[] = {
        { "a", "gone", 1 }, { "b", "a", 2 },
    };
    struct tree t;
    struct err p = { 0 };

    plant(rows, 2, "lost", &t);
    tree_link(&t, NULL, 0, &p);
    check(walk_is(&t, "0a 1b"), "a missing parent makes a root");
    check(strstr(p.text, "snapshot a: its parent gone does not exist") &&
          strstr(p.text, "current snapshot lost does not exist"),
          "and is told, as a missing current is: %s", p.text);
    tree_free(&t);
}

static void cycles(void)
{
    static const struct row self[] = { { "a", "a", 1 } };
    static const struct row two[] = { { "a", "b", 1 }, { "b", "a", 2 } };
    static const struct row tail[] = {
        { "r", NULL, 1 }, { "a", "c", 2 }, { "b", "a", 3 }, { "c", "b", 4 },
        { "d", "c", 5 }, { "s", "r", 6 },
    };
    struct tree t;
    struct err p = { 0 };

    plant(self, 1, NULL, &t);
    tree_link(&t, NULL, 0, &p);
    check(walk_is(&t, "0a") && strstr(p.text, "a: it is its own ancestor"),
          "a snapshot that is its own parent");
    tree_free(&t);
    memset(&p, 0, sizeof(p));
    plant(two, 2, "a", &t);
    tree_link(&t, NULL, 0, &p);
    check((walk_is(&t, "0b 1a") || walk_is(&t, "0a 1b")) &&
          strstr(p.text, "own ancestor"), "two that are each other's");
    tree_free(&t);
    memset(&p, 0, sizeof(p));
    plant(tail, 6, "d", &t);
    tree_link(&t, NULL, 0, &p);
    {
        size_t *order = tree_walk(&t, NULL), n, *sub;

        sub = tree_subtree(&t, tree_find(&t, "r"), &n);
        check(order[0] != TREE_NONE && strstr(p.text, "own ancestor") &&
              n == 2 && subtree_is(&t, "r", "s r"),
              "a cycle with a tail, beside a good tree");
        free(sub);
        free(order);
    }
    tree_free(&t);
}

static void ghost(struct snapshot *s, char *name, char *parent)
{
    memset(s, 0, sizeof(*s));
    s->name = name;
    s->parent = parent;
}

static void ghosts(void)
{
    static const struct row rows[] = {
        { "a", NULL, 1 }, { "c", "g2", 3 }, { "d", "g3", 4 },
    };
    struct snapshot g[4];
    struct tree t;
    struct err p = { 0 };

    ghost(&g[0], "g1", "a");
    ghost(&g[1], "g2", "g1");
    ghost(&g[2], "g3", NULL);
    ghost(&g[3], "g4", "g4");
    plant(rows, 3, "g2", &t);
    tree_link(&t, g, 4, &p);
    check(p.status == SNAP_OK && walk_is(&t, "0a 1c 0d"),
          "children of what is being deleted are its parent's");
    check(t.current && !strcmp(t.current, "a"),
          "and so is current");
    tree_free(&t);
    plant(rows, 1, "g4", &t);
    tree_link(&t, g, 4, &p);
    check(!t.current, "ghosts in a circle end nowhere");
    tree_free(&t);
}

static void chain(size_t n)
{
    struct tree t = { .n = n, .nodes = mem_zalloc(n, sizeof(*t.nodes)) };
    struct err p = { 0 };
    uint64_t start = clock_ms();
    size_t i, *order, *depth, *sub, got;

    for (i = 0; i < n; i++) {
        t.nodes[i].s.name = mem_printf("s%06zu", i);
        t.nodes[i].s.parent = i ? mem_printf("s%06zu", i - 1) : NULL;
        t.nodes[i].s.creation_time = i;
    }
    t.current = mem_printf("s%06zu", n - 1);
    tree_link(&t, NULL, 0, &p);
    order = tree_walk(&t, &depth);
    sub = tree_subtree(&t, tree_find(&t, "s000000"), &got);
    check(p.status == SNAP_OK && depth[n - 1] == n - 1 && got == n &&
          sub[n - 1] == order[0] && sub[0] == order[n - 1],
          "a chain of %zu", n);
    check(clock_ms() - start < 4000, "in no time");
    free(sub);
    free(depth);
    free(order);
    tree_free(&t);
}

/* One cycle of all: every node is another's ancestor. */
static void ring(size_t n)
{
    struct tree t = { .n = n, .nodes = mem_zalloc(n, sizeof(*t.nodes)) };
    struct err p = { 0 };
    uint64_t start = clock_ms();
    size_t i, *order;

    for (i = 0; i < n; i++) {
        t.nodes[i].s.name = mem_printf("s%06zu", i);
        t.nodes[i].s.parent = mem_printf("s%06zu", (i + 1) % n);
    }
    tree_link(&t, NULL, 0, &p);
    order = tree_walk(&t, NULL);
    check(strstr(p.text, "own ancestor") && !strstr(p.text, ";") &&
          clock_ms() - start < 4000, "a ring of %zu is cut once", n);
    free(order);
    tree_free(&t);
}

static void put_snapshot(struct store *st, const char *name,
                         const char *parent)
{
    struct snapshot s;
    struct err e;

    fixture_snapshot(name, parent, &s);
    if (store_make_new(st, name, &e) || store_save(st, STORE_NEW, &s, &e) ||
        store_move(st, name, STORE_NEW, STORE_COMMITTED, &e))
        check(false, "fixture: %s", e.text);
    meta_free(&s);
}

/* What is read from a store, with damage in it. */
static void loaded(void)
{
    char *root = unit_path("store"), *bad, *foreign;
    struct store st;
    struct tree t;
    struct err p = { 0 }, e;

    check_ok(store_open(&st, root, "g1", true, &e), &e, "a store");
    put_snapshot(&st, "a", NULL);
    put_snapshot(&st, "b", "a");
    put_snapshot(&st, "c", "b");
    put_snapshot(&st, "x", "a");
    store_set_current(&st, "uuid", "b", &e);
    check(!store_move(&st, "b", STORE_COMMITTED, STORE_DELETED, &e) &&
          !tree_load(&st, &t, &p, &e) && p.status == SNAP_OK &&
          walk_is(&t, "0a 1c 1x") && !strcmp(t.current, "a"),
          "a snapshot that is being deleted is out of the tree");
    tree_free(&t);
    bad = unit_path("store/g1/x/snapshot.json");
    unit_puts(bad, "{");
    check(!tree_load(&st, &t, &p, &e) && walk_is(&t, "0a 1c"),
          "a damaged one is left out");
    check(strstr(p.text, "snapshot x is damaged") && strstr(p.text, bad),
          "and told with its file");
    tree_free(&t);
    memset(&p, 0, sizeof(p));
    free(bad);
    bad = unit_path("store/g1/domain.json");
    unit_puts(bad, "{\"current\": 5}");
    check(!tree_load(&st, &t, &p, &e) && !t.current &&
          strstr(p.text, "'current'"),
          "with a damaged domain.json no snapshot is the current one");
    tree_free(&t);
    memset(&p, 0, sizeof(p));
    foreign = unit_path("store/g1/lost+found");
    mkdir(foreign, 0700);
    store_set_current(&st, "uuid", NULL, &e);
    check(!tree_load(&st, &t, &p, &e) && walk_is(&t, "0a 1c"),
          "a foreign directory does not hide the others");
    tree_free(&t);
    free(foreign);
    free(bad);
    store_close(&st);
    free(root);
}

static bool children_are(const struct tree *t, const char *name,
                         const char *want)
{
    size_t n, i;
    char **names = tree_children(t, tree_find(t, name), &n);
    char *text = mem_strdup("");
    bool same;

    for (i = 0; i < n; i++) {
        char *more = mem_printf("%s%s%s", text, i ? " " : "", names[i]);

        free(text);
        text = more;
    }
    same = !strcmp(text, want);
    if (!same)
        printf("# children of %s: '%s', want '%s'\n", name, text, want);
    store_free_names(names, n);
    free(text);
    return same;
}

static void drop(struct tree *t, const char *name)
{
    tree_remove(t, tree_find(t, name));
}

/* As if each had been deleted and the tree read anew. */
static void removal(void)
{
    static const struct row rows[] = {
        { "a", NULL, 1 }, { "b", "a", 2 }, { "c", "b", 3 }, { "d", "b", 4 },
        { "e", "a", 5 }, { "r", NULL, 6 },
    };
    struct tree t;
    struct err p = { 0 };

    plant(rows, 6, "b", &t);
    tree_link(&t, NULL, 0, &p);
    check(children_are(&t, "a", "b e") && children_are(&t, "b", "c d") &&
          children_are(&t, "c", ""), "children, the oldest first");
    drop(&t, "b");
    check(tree_find(&t, "b") == TREE_NONE && !strcmp(t.current, "a"),
          "one that is removed is not found, and current is its parent");
    check(children_are(&t, "a", "d c e") &&
          !strcmp(t.nodes[tree_find(&t, "c")].s.parent, "a"),
          "its children are its parent's");
    drop(&t, "c");
    check(children_are(&t, "a", "d e"), "one from the middle of a list");
    drop(&t, "e");
    check(children_are(&t, "a", "d"), "the last of a list");
    drop(&t, "a");
    check(t.nodes[tree_find(&t, "d")].parent == TREE_NONE &&
          !t.nodes[tree_find(&t, "d")].s.parent && !t.current,
          "a root's children are roots");
    drop(&t, "d");
    check(t.first_root == tree_find(&t, "r") &&
          t.nodes[t.first_root].next == TREE_NONE, "one root is left");
    drop(&t, "r");
    check(t.first_root == TREE_NONE, "none is left");
    tree_free(&t);
}

int main(void)
{
    family();
    empty();
    missing();
    cycles();
    ghosts();
    chain(10000);
    ring(10000);
    loaded();
    removal();
    return unit_done();
}
