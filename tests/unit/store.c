#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"
#include "snapshot/store/store.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

static char *root;

static void open_store(struct store *st, bool create)
{
    struct err e;

    check_ok(store_open(st, root, "g1", create, &e), &e, "the store opens");
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

static void remove_snapshot(struct store *st, const char *name)
{
    struct err e;

    if (store_remove(st, STORE_COMMITTED, name, &e))
        check(false, "fixture: %s", e.text);
}

static bool names_are(struct store *st, enum store_state state,
                      const char *want)
{
    char **names, *text = mem_strdup("");
    struct err e;
    size_t n, i;
    bool same;

    if (store_names(st, state, &names, &n, &e))
        return false;
    for (i = 0; i < n; i++) {
        char *more = mem_printf("%s%s%s", text, i ? " " : "", names[i]);

        free(text);
        text = more;
    }
    same = !strcmp(text, want);
    if (!same)
        printf("# names '%s', want '%s'\n", text, want);
    free(text);
    store_free_names(names, n);
    return same;
}

static bool there(const char *name)
{
    char *path = unit_path(name);
    struct stat sb;
    bool yes = !lstat(path, &sb);

    free(path);
    return yes;
}

static void nothing_there(void)
{
    struct store st;
    char *current, **names;
    struct err e;
    size_t n;

    open_store(&st, false);
    check(st.fd < 0 && names_are(&st, STORE_COMMITTED, "") &&
          !store_get_current(&st, &current, &e) && !current &&
          !store_exists(&st, STORE_COMMITTED, "a"),
          "no store is a store with nothing in it");
    check(!store_domains(root, &names, &n, &e) && !n && !there("store"),
          "and looking makes none");
    store_close(&st);
}

static void states(void)
{
    struct snapshot s;
    struct store st;
    struct err e;

    open_store(&st, true);
    fixture_snapshot("b", NULL, &s);
    check(!store_make_new(&st, "b", &e) && !store_make_new(&st, "b", &e) &&
          !store_save(&st, STORE_NEW, &s, &e) &&
          names_are(&st, STORE_NEW, "b") &&
          names_are(&st, STORE_COMMITTED, ""),
          "a snapshot being made is not visible");
    check(!store_move(&st, "b", STORE_NEW, STORE_COMMITTED, &e) &&
          names_are(&st, STORE_NEW, "") &&
          names_are(&st, STORE_COMMITTED, "b"), "a rename makes it visible");
    check_ok(store_move(&st, "b", STORE_NEW, STORE_COMMITTED, &e), &e,
             "doing that twice is no error");
    check_err(store_move(&st, "x", STORE_NEW, STORE_COMMITTED, &e), &e,
              SNAP_FAILED, "store/g1/.new-x", "what is not there cannot be");
    meta_free(&s);
    check(!store_load(&st, STORE_COMMITTED, "b", &s, &e) &&
          !strcmp(s.name, "b"), "it can be read");
    meta_free(&s);
    check(!store_move(&st, "b", STORE_COMMITTED, STORE_DELETED, &e) &&
          names_are(&st, STORE_COMMITTED, "") &&
          names_are(&st, STORE_DELETED, "b") &&
          !store_load(&st, STORE_DELETED, "b", &s, &e),
          "a rename hides it, and it can still be read");
    meta_free(&s);
    check(!store_remove(&st, STORE_DELETED, "b", &e) &&
          !store_remove(&st, STORE_DELETED, "b", &e) &&
          names_are(&st, STORE_DELETED, ""), "removing twice is no error");
    put_snapshot(&st, "c2", NULL);
    put_snapshot(&st, "c10", NULL);
    put_snapshot(&st, "a", NULL);
    check(names_are(&st, STORE_COMMITTED, "a c10 c2"), "names are sorted");
    remove_snapshot(&st, "c2");
    remove_snapshot(&st, "c10");
    remove_snapshot(&st, "a");
    store_close(&st);
}

static void current(void)
{
    struct store st;
    char *name = NULL;
    struct err e;

    open_store(&st, true);
    check(!store_get_current(&st, &name, &e) && !name, "no current at first");
    check(!store_set_current(&st, "uuid", "a", &e) &&
          !store_get_current(&st, &name, &e) && name && !strcmp(name, "a"),
          "current is kept");
    free(name);
    check(!store_set_current(&st, "uuid", NULL, &e) &&
          !store_get_current(&st, &name, &e) && !name, "and can be none");
    store_close(&st);
}

/* Only what we make is removed. */
static void foreign_files(void)
{
    struct store st;
    char *alien, *memory;
    struct err e;

    open_store(&st, true);
    put_snapshot(&st, "a", NULL);
    alien = unit_path("store/g1/a/precious");
    memory = unit_path("store/g1/a/memory.xl");
    unit_puts(alien, "x");
    unit_puts(memory, "x");
    check_err(store_remove(&st, STORE_COMMITTED, "a", &e), &e, SNAP_FAILED,
              "store/g1/a holds files", "a foreign file is an error");
    check(there("store/g1/a/precious"), "and stays");
    unit_remove(alien);
    check_ok(store_remove(&st, STORE_COMMITTED, "a", &e), &e,
             "without it the snapshot can be removed");
    free(memory);
    free(alien);
    store_close(&st);
}

static void modes(void)
{
    static const mode_t masks[] = { 0, 022, 077, 0277 };
    struct store st;
    size_t i;
    struct err e;

    for (i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        char *dir, *sub, *json, *dom, *lock;

        /* Only root can work in directories that it may not write. */
        if (masks[i] & 0200 && geteuid() != 0)
            continue;
        unit_remove(root);
        umask(masks[i]);
        open_store(&st, true);
        store_lock(&st, 0, &e);
        put_snapshot(&st, "a", NULL);
        store_set_current(&st, "uuid", "a", &e);
        dir = unit_path("store/g1");
        sub = unit_path("store/g1/a");
        json = unit_path("store/g1/a/snapshot.json");
        dom = unit_path("store/g1/domain.json");
        lock = unit_path("store/g1/.lock");
        check(unit_mode(dir) == 0700 && unit_mode(sub) == 0700 &&
              unit_mode(json) == 0600 && unit_mode(dom) == 0600 &&
              !(unit_mode(lock) & 0077) && !(unit_mode(root) & 0077),
              "umask %03o: directories 0700, files 0600",
              (unsigned)masks[i]);
        remove_snapshot(&st, "a");
        store_set_current(&st, "uuid", NULL, &e);
        store_close(&st);
        umask(077);
        free(dir);
        free(sub);
        free(json);
        free(dom);
        free(lock);
    }
}

static int try_lock(void *arg)
{
    struct store st;
    struct err e;
    unsigned wait_s = *(unsigned *)arg;
    int rc;

    if (store_open(&st, root, "g1", true, &e))
        return 100;
    rc = store_lock(&st, wait_s, &e) ? (int)e.status : 0;
    if (rc == SNAP_BUSY && !strstr(e.text, "domain g1"))
        rc = 101;
    store_close(&st);
    return rc;
}

/* A child that opens and holds the lock until it is killed. */
static pid_t holder(void)
{
    int fds[2];
    char c = 0;
    pid_t pid;

    if (pipe(fds))
        exit(2);
    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        struct store st;
        struct err e;

        alarm(60);
        if (store_open(&st, root, "g1", true, &e) ||
            store_lock(&st, 5, &e) || write(fds[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(fds[1]);
    if (read(fds[0], &c, 1) != 1)
        check(false, "fixture: the lock's holder");
    close(fds[0]);
    return pid;
}

static void locks(void)
{
    struct store st;
    struct err e;
    unsigned none = 0, one = 1, five = 5;
    uint64_t start;
    pid_t pid;

    open_store(&st, true);
    check_ok(store_lock(&st, 0, &e), &e, "the lock is free");
    check(unit_child(try_lock, &none) == SNAP_BUSY,
          "a second process is told that the domain is busy");
    start = clock_ms();
    check(unit_child(try_lock, &one) == SNAP_BUSY &&
          clock_ms() - start >= 900, "after the time it was to wait");
    /* Keeps the directory from going with the lock. */
    put_snapshot(&st, "a", NULL);
    store_close(&st);
    check(unit_child(try_lock, &none) == 0, "closing the store unlocks");
    pid = holder();
    check(unit_child(try_lock, &none) == SNAP_BUSY, "another one holds it");
    kill(pid, SIGKILL);
    check(unit_child(try_lock, &five) == 0, "the lock dies with its holder");
    waitpid(pid, NULL, 0);
}

/* Another domain's lock is another lock. */
static void lock_per_domain(void)
{
    struct store st, other;
    struct err e;

    open_store(&st, true);
    check(!store_lock(&st, 0, &e) &&
          !store_open(&other, root, "g2", true, &e) &&
          !store_lock(&other, 0, &e), "domains do not wait for each other");
    store_close(&other);
    store_close(&st);
}

/* xl's daemon lives on: it must not keep our lock. */
static void not_inherited(void)
{
    struct store st;
    struct err e;
    unsigned none = 0;
    pid_t pid;

    open_store(&st, true);
    store_lock(&st, 0, &e);
    fflush(stdout);
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    store_close(&st);
    check(unit_child(try_lock, &none) == 0,
          "a child that outlives us does not keep the lock");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* Reading the store while it is locked, by the same process too. */
static void reading_keeps_lock(void)
{
    struct store st, reader;
    char **names;
    size_t n;
    struct err e;
    unsigned none = 0;

    open_store(&st, true);
    store_lock(&st, 0, &e);
    open_store(&reader, false);
    check(names_are(&reader, STORE_COMMITTED, "a") &&
          !store_domains(root, &names, &n, &e),
          "what is locked can be listed");
    store_free_names(names, n);
    store_close(&reader);
    check(unit_child(try_lock, &none) == SNAP_BUSY,
          "and closing the reader does not unlock");
    store_close(&st);
}

static void last_one(void)
{
    struct store st;
    struct err e;
    char *alien = unit_path("store/g1/note.txt");

    open_store(&st, true);
    store_lock(&st, 0, &e);
    store_set_current(&st, "uuid", NULL, &e);
    store_close(&st);
    check(there("store/g1"), "a directory with a snapshot stays");
    open_store(&st, true);
    store_lock(&st, 0, &e);
    remove_snapshot(&st, "a");
    store_close(&st);
    check(!there("store/g1") && there("store"),
          "it goes with the last snapshot");
    open_store(&st, true);
    store_close(&st);
    check(there("store/g1"), "without the lock nothing is removed");
    unit_puts(alien, "x");
    open_store(&st, true);
    store_lock(&st, 0, &e);
    store_close(&st);
    check(there("store/g1/note.txt"), "a foreign file keeps it");
    unit_remove(alien);
    open_store(&st, true);
    store_lock(&st, 0, &e);
    store_set_current(&st, "uuid", "lost", &e);
    store_close(&st);
    check(there("store/g1/domain.json"), "so does a current");
    unit_remove(root);
    free(alien);
}

/* The directory goes between a waiter's opening and its locking. */
static void removed_meanwhile(void)
{
    struct store st, waiter;
    struct err e;
    unsigned none = 0;

    open_store(&st, true);
    store_lock(&st, 0, &e);
    open_store(&waiter, true);
    store_close(&st);
    check(!there("store/g1"), "another process removes the directory");
    check_ok(store_lock(&waiter, 0, &e), &e,
             "who had opened it can still lock");
    check(there("store/g1/.lock") && unit_child(try_lock, &none) == SNAP_BUSY,
          "and holds the lock that the others see");
    put_snapshot(&waiter, "a", NULL);
    check(there("store/g1/a"), "and works in the directory they see");
    remove_snapshot(&waiter, "a");
    store_close(&waiter);
}

static int race(void *arg)
{
    unsigned i, me = *(unsigned *)arg;
    struct err e;

    for (i = 0; i < 40; i++) {
        struct store st;
        char *name = mem_printf("s%u-%u", me, i);
        struct snapshot s;
        int bad = store_open(&st, root, "g1", true, &e) ||
                  store_lock(&st, 60, &e);

        if (!bad) {
            fixture_snapshot(name, NULL, &s);
            /* Alone in here: nobody else's snapshot may be seen. */
            bad = !names_are(&st, STORE_COMMITTED, "") ||
                  store_make_new(&st, name, &e) ||
                  store_save(&st, STORE_NEW, &s, &e) ||
                  store_move(&st, name, STORE_NEW, STORE_COMMITTED, &e) ||
                  !names_are(&st, STORE_COMMITTED, name) ||
                  store_remove(&st, STORE_COMMITTED, name, &e);
            meta_free(&s);
        }
        if (bad) {
            printf("# %s\n", e.text);
            return 1;
        }
        store_close(&st);
        free(name);
    }
    return 0;
}

static void races(void)
{
    pid_t pid[4];
    unsigned i;
    int status, bad = 0;

    fflush(stdout);
    for (i = 0; i < 4; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            alarm(120);
            _exit(race(&i));
        }
    }
    for (i = 0; i < 4; i++)
        bad += waitpid(pid[i], &status, 0) != pid[i] || status;
    check(!bad, "four processes make and remove the directory 40 times each");
    check(!there("store/g1"), "and leave none");
}

static int try_open(struct err *e)
{
    struct store st;
    int rc = store_open(&st, root, "g1", true, e);

    if (!rc)
        store_close(&st);
    return rc;
}

static void hostile_dirs(void)
{
    char *dom = unit_path("store/g1"), *away = unit_path("away");
    char *snap = unit_path("store/g1/a"), *lock = unit_path("store/g1/.lock");
    struct snapshot s;
    struct store st;
    struct err e;

    mkdir(root, 0700);
    mkdir(away, 0700);
    check(!symlink(away, dom) && try_open(&e) && strstr(e.text, dom),
          "a link in the domain's place is refused");
    unlink(dom);
    mkfifo(dom, 0600);
    check(try_open(&e) && strstr(e.text, dom), "so is a FIFO");
    unlink(dom);
    mkdir(dom, 0700);
    chmod(dom, 0777);
    check(try_open(&e) && strstr(e.text, "mode 0777"),
          "so is a directory that all may write");
    chmod(dom, 0700);
    chmod(root, 0770);
    check(try_open(&e) && strstr(e.text, "mode 0770"),
          "so is a root of the store that the group may write");
    chmod(root, 0700);
    open_store(&st, true);
    check(!symlink(away, snap), "a link in a snapshot's place");
    check(names_are(&st, STORE_COMMITTED, ""), "is not listed");
    check_err(store_load(&st, STORE_COMMITTED, "a", &s, &e), &e, SNAP_FAILED,
              snap, "is not read");
    check_err(store_remove(&st, STORE_COMMITTED, "a", &e), &e, SNAP_FAILED,
              snap, "is not removed through");
    unlink(snap);
    check(!symlink(away, lock), "a link in the lock's place");
    check_err(store_lock(&st, 0, &e), &e, SNAP_FAILED, lock, "is refused");
    unlink(lock);
    mkfifo(lock, 0600);
    check_err(store_lock(&st, 0, &e), &e, SNAP_FAILED, lock,
              "so is a FIFO");
    unlink(lock);
    store_close(&st);
    check(unit_mode(away) == 0700 && !rmdir(away),
          "nothing was made where the links lead");
    unit_remove(root);
    free(lock);
    free(snap);
    free(away);
    free(dom);
}

/* snapshot.json says that it is another one, or of another domain. */
static void not_its_own(void)
{
    char *json = unit_path("store/g1/a/snapshot.json"), *text;
    struct snapshot s;
    struct store st;
    struct err e;

    open_store(&st, true);
    put_snapshot(&st, "a", NULL);
    text = fixture_text("b", NULL);
    unit_puts(json, text);
    check_err(store_load(&st, STORE_COMMITTED, "a", &s, &e), &e, SNAP_FAILED,
              "'name' is 'b'", "a name that is not the directory's");
    free(text);
    store_close(&st);
    check(!store_open(&st, root, "g2", true, &e), "another domain's store");
    put_snapshot(&st, "a", NULL);
    check(!store_load(&st, STORE_COMMITTED, "a", &s, &e) &&
          !strcmp(s.domain.name, "g1"),
          "a snapshot of a domain that was called otherwise then");
    meta_free(&s);
    store_close(&st);
    unit_remove(root);
    free(json);
}

static void no_leak(void)
{
    size_t before = unit_open_fds();
    struct store st;
    struct err e;
    char **names;
    size_t n;
    int i;

    for (i = 0; i < 5; i++) {
        store_open(&st, root, "g1", true, &e);
        store_lock(&st, 0, &e);
        names_are(&st, STORE_COMMITTED, "");
        store_close(&st);
        store_domains(root, &names, &n, &e);
        store_free_names(names, n);
        store_open(&st, root, "../x", true, &e);
    }
    check(unit_open_fds() == before, "no descriptor is left open");
}

int main(void)
{
    root = unit_path("store");
    nothing_there();
    states();
    current();
    foreign_files();
    modes();
    locks();
    lock_per_domain();
    not_inherited();
    reading_keeps_lock();
    last_one();
    removed_meanwhile();
    races();
    hostile_dirs();
    not_its_own();
    no_leak();
    free(root);
    return unit_done();
}
