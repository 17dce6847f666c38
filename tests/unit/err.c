#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static void sets(void)
{
    struct err e;

    check(err_set(&e, SNAP_BUSY, "domain %s", "g1") == -1 &&
          e.status == SNAP_BUSY && !strcmp(e.text, "domain g1"),
          "err_set fills in status and text and returns -1");
    errno = ENOSPC;
    check(err_errno(&e, "cannot write %s", "f") == -1 &&
          e.status == SNAP_FAILED &&
          !strcmp(e.text, "cannot write f: No space left on device"),
          "err_errno puts the system's reason behind the text");
    check(e.code == ERR_OTHER, "an error that nobody tells apart is one");
    errno = ENOENT;
    err_errno(&e, "cannot open %s", "f");
    err_wrap(&e, "g");
    check(e.code == ERR_NOT_FOUND, "the code is errno's, err_wrap keeps it");
    err_set(&e, SNAP_FAILED, "no");
    check(e.code == ERR_OTHER, "err_set has none");
}

static void one_line(void)
{
    struct err e;

    err_set(&e, SNAP_FAILED, "a%sb", "\n\t\x1b[31m\x7f");
    check(!strcmp(e.text, "a   [31m b"),
          "control characters from outside become blanks");
    err_set(&e, SNAP_FAILED, "a\n\n");
    check(!strcmp(e.text, "a"), "a newline at the end is dropped");
    err_set(&e, SNAP_FAILED, "%s", "\n");
    check(!strcmp(e.text, ""), "nothing but a newline is an empty text");
}

static void wraps(void)
{
    struct err e;

    err_set(&e, SNAP_NEEDS_USER, "no space");
    check(err_wrap(&e, "disk %s", "xvda") == -1 &&
          e.status == SNAP_NEEDS_USER &&
          !strcmp(e.text, "disk xvda: no space"),
          "err_wrap puts context in front and keeps the status");
}

static void adds(void)
{
    struct err e = { 0 };

    err_add(&e, "one");
    err_add(&e, "two %d", 2);
    check(e.status == SNAP_FAILED && !strcmp(e.text, "one; two 2"),
          "err_add collects problems");
    e.status = SNAP_NEEDS_USER;
    err_add(&e, "three");
    check(e.status == SNAP_NEEDS_USER, "err_add keeps a graver status");
}

static void bounds(void)
{
    char longer[5000];
    struct err e = { 0 };
    int i;

    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    err_set(&e, SNAP_FAILED, "%s", longer);
    check(strlen(e.text) == sizeof(e.text) - 1, "err_set is bounded");
    errno = EIO;
    err_errno(&e, "%s", longer);
    check(strlen(e.text) == sizeof(e.text) - 1, "err_errno is bounded");
    err_set(&e, SNAP_FAILED, "the cause");
    err_wrap(&e, "%s", longer);
    check(strlen(e.text) == sizeof(e.text) - 1, "err_wrap is bounded");
    memset(&e, 0, sizeof(e));
    for (i = 0; i < 10000; i++)
        err_add(&e, "problem %d", i);
    check(strlen(e.text) == sizeof(e.text) - 1 &&
          !strncmp(e.text, "problem 0; problem 1; ", 22),
          "ten thousand problems fill the text and no more");
}

static void hot_only(void)
{
    struct err list = { 0 }, hot, other;

    check(err_hot_only((err_set(&hot, SNAP_FAILED, "a"), &hot)) == -1 &&
          hot.hot_only, "an error that only a hot operation meets");
    err_join(&list, &hot);
    err_join(&list, &hot);
    check(list.hot_only && !strcmp(list.text, "a; a"),
          "two of them in a list are still of that kind");
    err_set(&other, SNAP_FAILED, "b");
    err_join(&list, &other);
    check(!list.hot_only, "with another one the list is not");
    err_join(&list, &hot);
    check(!list.hot_only && list.status == SNAP_FAILED,
          "and does not become it again");
}

int main(void)
{
    sets();
    one_line();
    wraps();
    adds();
    bounds();
    hot_only();
    return unit_done();
}
