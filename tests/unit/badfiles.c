/* Files in the store that are none: links, devices, other owners, ... */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/unit/badstore.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static void make_fifo(const char *path)
{
    mkfifo(path, 0600);
}

static void make_link(const char *path)
{
    char *to = unit_path("outside/snapshot.json");

    if (symlink(to, path))
        perror(path);
    free(to);
}

static void make_dir_link(const char *path)
{
    if (symlink(bad.outside, path))
        perror(path);
}

static void make_device(const char *path)
{
    mknod(path, S_IFCHR | 0600, makedev(1, 5));
}

static void make_dir(const char *path)
{
    mkdir(path, 0700);
}

static void make_open(const char *path)
{
    char *text = fixture_text("a", NULL);

    unit_puts(path, text);
    chmod(path, 0666);
    free(text);
}

static void make_foreign(const char *path)
{
    char *text = fixture_text("a", NULL);

    unit_puts(path, text);
    if (chown(path, 12345, 12345))
        unlink(path);
    free(text);
}

static const struct { const char *what; void (*make)(const char *path); }
hostile[] = {
    { "a FIFO", make_fifo },
    { "a link to a good file", make_link },
    { "a link to a directory", make_dir_link },
    { "a device", make_device },
    { "a directory", make_dir },
    { "a file that all may write", make_open },
    { "a file of another owner", make_foreign },
};
#define NHOSTILE (sizeof(hostile) / sizeof(hostile[0]))

static bool is_there(const char *path)
{
    struct stat st;

    return !lstat(path, &st);
}

/* Something else in the place of a file; false if it cannot be made here. */
static bool replaced(const char *path, size_t i)
{
    bad_fresh();
    unit_remove(path);
    hostile[i].make(path);
    if (is_there(path))
        return true;
    skip("cannot make %s", hostile[i].what);
    return false;
}

static void replaced_files(void)
{
    struct err problems, e;
    size_t i;

    for (i = 0; i < NHOSTILE; i++) {
        if (!replaced(bad.snap_json, i))
            continue;
        check(bad_refused("") && bad_stays(), "%s as snapshot.json",
              hostile[i].what);
        replaced(bad.dom_json, i);
        check(bad_list(&problems, &e) == -1 && strstr(e.text, bad.dom_json) &&
              bad_delete(&e) == SNAP_FAILED && strstr(e.text, bad.dom_json) &&
              bad_outside_is_whole(), "%s as domain.json", hostile[i].what);
        replaced(bad.journal, i);
        check(bad_delete(&e) == SNAP_NEEDS_USER &&
              strstr(e.text, bad.journal) &&
              bad_revert(&e) == SNAP_FAILED && !is_there(bad.journal) &&
              bad_list(&problems, &e) == 1 && bad_outside_is_whole(),
              "%s as journal; a revert puts it aside", hostile[i].what);
    }
}

static void replaced_dirs(void)
{
    char *dom = unit_path("store/g1"), *lock = unit_path("store/g1/.lock");
    char *ghost = unit_path("store/g1/.del-a");
    struct err problems, e;
    size_t i;

    for (i = 0; i < NHOSTILE; i++) {
        if (!strcmp(hostile[i].what, "a directory") ||
            !replaced(bad.snap_dir, i))
            continue;
        check(bad_list(&problems, &e) == 0 && bad_delete(&e) == SNAP_FAILED &&
              bad_outside_is_whole(), "%s as snapshot", hostile[i].what);
        replaced(dom, i);
        check(bad_list(&problems, &e) == -1 && strstr(e.text, dom) &&
              bad_delete(&e) == SNAP_FAILED && strstr(e.text, dom) &&
              bad_outside_is_whole(), "%s as a domain's directory",
              hostile[i].what);
    }
    for (i = 0; i < 4; i++) {
        if (!replaced(lock, i))
            continue;
        check(bad_delete(&e) == SNAP_FAILED && strstr(e.text, lock) &&
              bad_outside_is_whole(), "%s as lock", hostile[i].what);
        replaced(ghost, i);
        check(bad_list(&problems, &e) == 1 && bad_delete(&e) != SNAP_OK &&
              bad_outside_is_whole(), "%s where a deletion would move it",
              hostile[i].what);
    }
    bad_fresh();
    chmod(bad.snap_dir, 0777);
    check(bad_list(&problems, &e) == 0 && strstr(problems.text, "mode 0777"),
          "a snapshot's directory that all may write");
    free(ghost);
    free(lock);
    free(dom);
}

static void memory_images(void)
{
    char *file = unit_path("store/g1/a/memory.xl");
    struct err e;
    size_t i;

    bad_fresh();
    check(bad_revert(&e) == SNAP_FAILED && strstr(e.text, file),
          "a memory image that is not there");
    unit_puts(file, "too short");
    check(bad_revert(&e) == SNAP_FAILED && strstr(e.text, file),
          "one that is none");
    for (i = 0; i < NHOSTILE; i++)
        if (replaced(file, i))
            check(bad_revert(&e) == SNAP_FAILED && strstr(e.text, file) &&
                  bad_outside_is_whole(), "%s as memory image",
                  hostile[i].what);
    free(file);
}

int main(void)
{
    bad_begin();
    replaced_files();
    replaced_dirs();
    memory_images();
    return bad_done();
}
