/*
 * Work grows with the number of snapshots, not with its square: counted in
 * calls of read(), three sizes apart by the same number.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "snapshot/sys/mem.h"
#include "snapshot/snapshot.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#define STEP 20

static char *root;

/* read() calls of this process until now, -1 if nobody counts them. */
static long reads(void)
{
    char text[512] = "";
    int fd = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    long count = -1;
    const char *line = n > 0 ? strstr(text, "syscr: ") : NULL;

    if (fd >= 0)
        close(fd);
    if (line)
        sscanf(line, "syscr: %ld", &count);
    return count;
}

static char *name_of(size_t i)
{
    return mem_printf("s%04zu", i);
}

static void put(struct store *st, size_t i)
{
    struct snapshot s;
    char *name = name_of(i), *parent = i ? name_of((i - 1) / 2) : NULL;
    struct err e;

    fixture_snapshot(name, parent, &s);
    s.ndisks = 0;           /* nothing of an image to be looked at */
    json_object_object_add(s.raw, "disks", json_object_new_array());
    if (store_make_new(st, name, &e) || store_save(st, STORE_NEW, &s, &e) ||
        store_move(st, name, STORE_NEW, STORE_COMMITTED, &e))
        check(false, "fixture: %s", e.text);
    s.ndisks = 2;
    meta_free(&s);
    free(parent);
    free(name);
}

static void make_store(size_t n)
{
    struct store st;
    struct err e;
    size_t i;

    unit_remove(root);
    if (store_open(&st, root, "g1", true, &e))
        check(false, "fixture: %s", e.text);
    for (i = 0; i < n; i++)
        put(&st, i);
    store_set_current(&st, "uuid", "s0003", &e);
    store_close(&st);
}

static const struct snap_env *env(void)
{
    static struct snap_env e;

    e.root = root;
    return &e;
}

static void list(size_t n)
{
    struct err problems = { 0 }, e;
    struct tree t = { 0 };
    char *domain = NULL;
    bool pending;

    if (snap_list(env(), "g1", false, &domain, &t, &pending, &problems, &e) ||
        problems.status != SNAP_OK || t.n != n)
        check(false, "list of %zu", n);
    tree_free(&t);
    free(domain);
}

static void delete(size_t first, size_t n)
{
    struct snap_delete req = { .domain = "g1", .nnames = n };
    char **names = mem_zalloc(n, sizeof(*names));
    size_t i, done;
    struct err e;

    for (i = 0; i < n; i++)
        names[i] = name_of(first + i);
    req.names = names;
    if (snap_delete(env(), &req, &done, &e) || done != n)
        check(false, "delete of %zu: %s", n, e.text);
    store_free_names(names, n);
}

static void delete_one(size_t n)
{
    delete(n / 2, 1);
}

/* From the root on, so that each hands its children on. */
static void delete_all(size_t n)
{
    delete(0, n);
}

static void delete_half(size_t n)
{
    delete(n / 4, n / 2);
    list(n - n / 2);
}

static void linear(const char *what, void (*work)(size_t n))
{
    long count[3];
    size_t i;

    for (i = 0; i < 3; i++) {
        make_store((i + 1) * STEP);
        count[i] = -reads();
        work((i + 1) * STEP);
        count[i] += reads();
    }
    check(count[1] > count[0] &&
          count[2] - count[1] == count[1] - count[0],
          "%s: %ld, %ld, %ld reads", what, count[0], count[1], count[2]);
}

int main(void)
{
    root = unit_path("store");
    if (reads() < 0) {
        skip("/proc/self/io does not count reads");
        return 0;
    }
    linear("a list", list);
    linear("one deletion", delete_one);
    linear("the deletion of all", delete_all);
    linear("the deletion of half, and a list", delete_half);
    free(root);
    return unit_done();
}
