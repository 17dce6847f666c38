#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/image/same.h"
#include "snapshot/sys/interrupt.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/proc.h"
#include "tests/unit/loop.h"
#include "tests/unit/unit.h"

#define MIB (1024 * 1024)

/* Runs a script in the test's folder; ends the test if it fails. */
static void sh(const char *script)
{
    char *line = mem_printf("cd '%s' && %s", unit_dir(), script);
    const char *argv[] = { "sh", "-ec", line, NULL };
    struct proc p = { .argv = argv };
    struct err e;

    if (proc_run(&p, &e)) {
        printf("# %s: %s\n", script, e.text);
        exit(2);
    }
    free(p.out);
    free(line);
}

static bool has(const char *program)
{
    const char *argv[] = { program, "--version", NULL };
    struct proc p = { .argv = argv };
    struct err e;
    bool yes = !proc_run(&p, &e);

    free(p.out);
    return yes;
}

/* Whether they are found to be as alike as they are. */
static bool is(const struct content *a, const struct content *b, bool want)
{
    struct err e = { 0 };
    bool same = !want;
    int rc = image_same(a, b, &same, &e);

    if (rc || same != want)
        printf("# %s: %d, %s\n", a->path, same, e.text);
    return rc == 0 && same == want;
}

/* Names in the test's folder, which is the current one. */
static bool alike(const char *a, const char *fa, const char *b,
                  const char *fb, bool want)
{
    struct content one = { a, fa, NULL }, two = { b, fb, NULL };

    return is(&one, &two, want) && is(&two, &one, want);
}

static void plain(void)
{
    sh("qemu-img create -q -f raw a.raw 8M; "
       "qemu-io -f raw -c 'write -P 5 1M 64k' a.raw; "
       "cp a.raw b.raw; qemu-img convert -f raw -O qcow2 a.raw c.qcow2; "
       "cp a.raw d.raw; qemu-io -f raw -c 'write -P 6 7M 512' d.raw; "
       "cp a.raw e.raw; truncate -s 9M e.raw");
    check(alike("a.raw", "raw", "b.raw", "raw", true), "two files with the "
          "same bytes");
    check(alike("a.raw", "raw", "d.raw", "raw", false), "and with others");
    check(alike("a.raw", "raw", "c.qcow2", "qcow2", true),
          "the same content in two formats");
    check(alike("c.qcow2", "raw", "c.qcow2", "qcow2", false),
          "the format is as given, not guessed");
    check(alike("a.raw", "raw", "e.raw", "raw", true),
          "zeros behind the shorter one make no difference");
    sh("qemu-io -f raw -c 'write -P 1 8M 512' e.raw");
    check(alike("a.raw", "raw", "e.raw", "raw", false), "other bytes do");
}

static void chains(void)
{
    sh("mkdir -p base; cp a.raw base/b.raw; "
       "qemu-img create -q -f qcow2 -b base/b.raw -F raw o.qcow2");
    check(alike("a.raw", "raw", "o.qcow2", "qcow2", true),
          "an overlay is read with what is below, relative to it");
    sh("qemu-io -f qcow2 -c 'write -P 9 3M 512' o.qcow2");
    check(alike("a.raw", "raw", "o.qcow2", "qcow2", false),
          "and with what is its own");
}

static void odd_names(void)
{
    static const char *const names[] = {
        "with blank", "nbd:unix:x", "a,b=c", "q\"uote", "json:{}", "-f",
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = unit_path(names[i]);

        if (link("a.raw", path))
            exit(2);
        check(alike(path, "raw", "a.raw", "raw", true), "a file called '%s'",
              names[i]);
        free(path);
    }
}

static void errors(void)
{
    struct content a = { "a.raw", "raw", NULL };
    struct content gone = { "gone.qcow2", "qcow2", NULL };
    struct content odd = { "a.raw", "qcow2", NULL };
    struct content none = { "c.qcow2", "qcow2", "nosuch" };
    struct content raw = { "a.raw", "raw", "s1" };
    struct err e;
    bool same = true;

    check_err(image_same(&a, &gone, &same, &e), &e, SNAP_FAILED, "gone.qcow2",
              "a file that is not there is an error");
    check(!same, "and no proof");
    check_err(image_same(&odd, &a, &same, &e), &e, SNAP_FAILED, "a.raw",
              "nor one of another format");
    check_err(image_same(&a, &none, &same, &e), &e, SNAP_FAILED,
              "snapshot nosuch in c.qcow2", "a snapshot that is not there");
    check_err(image_same(&raw, &a, &same, &e), &e, SNAP_FAILED,
              "snapshot s1 in a.raw", "or cannot be");
}

static void snapshots(void)
{
    struct content live = { "s.qcow2", "qcow2", NULL };
    struct content one = { "s.qcow2", "qcow2", "s1" };
    struct content two = { "s.qcow2", "qcow2", "s2" };
    struct content odd = { "s.qcow2", "qcow2", "a,b" };
    struct content raw = { "a.raw", "raw", NULL };
    struct content none = { "s.qcow2", "qcow2", "nosuch" };
    struct err e;
    bool same;

    sh("cp c.qcow2 s.qcow2; qemu-img snapshot -c s1 s.qcow2");
    check(is(&live, &one, true) && is(&one, &raw, true),
          "an internal snapshot of what did not change");
    sh("qemu-io -f qcow2 -c 'write -P 7 2M 512' s.qcow2; "
       "qemu-img snapshot -c s2 s.qcow2");
    check(is(&live, &one, false) && is(&one, &live, false),
          "of what did change");
    check(is(&one, &raw, true) && is(&live, &two, true) &&
          is(&one, &two, false), "each snapshot has its own content");
    sh("qemu-img resize -q s.qcow2 12M; qemu-img snapshot -c a,b s.qcow2");
    check(is(&live, &two, true) && is(&two, &live, true),
          "an image that grew has zeros behind");
    check(is(&live, &odd, true), "a snapshot called 'a,b'");
    sh("qemu-io -f qcow2 -c 'write -P 8 11M 512' s.qcow2");
    check(is(&live, &two, false), "until they are written to");
    /* The first one's server was started in vain, and never asked. */
    check_err(image_same(&one, &none, &same, &e), &e, SNAP_FAILED, "nosuch",
              "of two snapshots one is not there");
}

/* QEMU's locks of others are no hindrance, as they are none for Xen's. */
static void in_use(void)
{
    struct content live = { "s.qcow2", "qcow2", NULL };
    struct content one = { "s.qcow2", "qcow2", "s1" };

    if (!has("qemu-storage-daemon")) {
        skip("qemu-storage-daemon is not installed");
        return;
    }
    sh("qemu-storage-daemon --daemonize --pidfile qsd.pid --blockdev "
       "driver=qcow2,node-name=n,file.driver=file,file.filename=s.qcow2 "
       "--nbd-server addr.type=unix,addr.path=qsd.sock "
       "--export type=nbd,id=e,node-name=n,writable=on");
    check(is(&live, &one, false) && is(&one, &one, true),
          "images that somebody has open are read");
    sh("p=$(cat qsd.pid); kill $p; "
       "while kill -0 $p 2>/dev/null && grep -q . /proc/$p/cmdline; "
       "do :; done");
}

static void devices(void)
{
    struct content file = { "a.raw", "raw", NULL };
    struct content dev = { NULL, "raw", NULL };
    char *path;
    int fd = loop_attach("a.raw", 0, &path);

    if (fd < 0) {
        skip("no loop devices here");
        return;
    }
    dev.path = path;
    check(is(&file, &dev, true), "a block device is read");
    close(fd);
    free(path);
}

/* Overlays */

static bool is_empty(const char *path, bool want)
{
    struct err e = { 0 };
    bool empty = !want;
    int rc = image_is_empty_overlay(path, &empty, &e);

    if (rc || empty != want)
        printf("# %s: %d, %s\n", path, empty, e.text);
    return rc == 0 && empty == want;
}

static void overlays(void)
{
    struct err e;
    bool empty = true;

    sh("qemu-img create -q -f qcow2 -b a.raw -F raw p.qcow2; "
       "qemu-img create -q -f qcow2 -b a.raw -F raw big.qcow2 64M; "
       "cp p.qcow2 z.qcow2; cp p.qcow2 same.qcow2; cp p.qcow2 tail.qcow2; "
       "qemu-img create -q -f qcow2 -b p.qcow2 -F qcow2 top.qcow2");
    check(is_empty("p.qcow2", true), "a new overlay is empty");
    check(is_empty("big.qcow2", true), "also one larger than its base");
    check(is_empty("top.qcow2", true), "and one on an overlay");
    sh("qemu-io -f qcow2 -c 'write -P 5 1M 512' same.qcow2");
    check(is_empty("same.qcow2", false), "written to, it is not");
    sh("qemu-io -f qcow2 -c 'write -P 0 8191k 1k' tail.qcow2");
    check(is_empty("tail.qcow2", false), "not even with a zero at its end");
    sh("qemu-io -f qcow2 -c 'write -z 0 64k' z.qcow2");
    check(is_empty("z.qcow2", false), "or with clusters of zeros");
    sh("qemu-io -f qcow2 -c 'write -P 1 60M 512' big.qcow2");
    check(is_empty("big.qcow2", false), "or behind the end of its base");
    sh("qemu-io -f qcow2 -c 'write -P 1 0 512' p.qcow2");
    check(is_empty("top.qcow2", true), "what is below it does not count");
    sh("mv p.qcow2 away.qcow2");
    check(is_empty("top.qcow2", true), "nor need it be there");
    check_err(image_is_empty_overlay("a.raw", &empty, &e), &e, SNAP_FAILED,
              "a.raw", "a raw image is no overlay");
    check(!empty, "and no proof");
    check_err(image_is_empty_overlay("gone", &empty, &e), &e, SNAP_FAILED,
              "gone", "what is not there is an error");
}

/* Another qemu-img, found before the real one. */

static char *fake_path;

#define HEAD "#!/bin/sh\nif [ ! -e first ]; then touch first; cat <<'E'\n"

static void answer(const char *first, const char *then)
{
    char *script = mem_printf(HEAD "%s\nE\nelse cat <<'E'\n%s\nE\nfi\n",
                              first, then);

    unlink("first");
    unit_puts("fake/qemu-img", script);
    chmod("fake/qemu-img", 0700);
    free(script);
}

static void refused(const char *text, const char *why)
{
    struct err e = { 0 };
    bool empty = true;

    answer(text, text);
    check_err(image_is_empty_overlay("top.qcow2", &empty, &e), &e,
              SNAP_FAILED, why, "refused: %.50s", text);
    check(!empty, "and no proof");
}

#define OLD(depth, zero, data) "[{\"start\":0,\"length\":8,\"depth\":" depth \
    ",\"zero\":" zero ",\"data\":" data "}]"

/* Of QEMU before 6.1, whose map does not tell what is allocated. */
static void old_qemu(void)
{
    answer(OLD("0", "false", "true"), "no more");
    check(is_empty("top.qcow2", false), "an old QEMU tells of data");
    answer(OLD("0", "true", "false"), OLD("1", "false", "true"));
    check(is_empty("top.qcow2", true), "zeros that are nobody's");
    answer(OLD("0", "true", "false"), OLD("0", "true", "false"));
    check(is_empty("top.qcow2", false), "and zeros that are its own");
}

static void hostile(void)
{
    refused("", "qemu-img map");
    refused("7", "'map' is not an array");
    refused("{}", "'map' is not an array");
    refused("[", "not valid JSON");
    refused("[]}{", "not one JSON object");
    refused("[7]", "an entry is not an object");
    refused("[{}]", "'depth' is missing");
    refused("[{\"depth\":-1}]", "'depth' is not a number in range");
    refused("[{\"depth\":\"0\"}]", "'depth' is not a whole number");
    refused("[{\"depth\":0,\"present\":1}]", "'present' is not true or");
    refused("[{\"depth\":0,\"data\":\"x\"}]", "'data' is not true or");
    refused("[{\"depth\":0,\"zero\":[]}]", "'zero' is not true or");
}

static void endless(void)
{
    unit_puts("fake/qemu-img", "#!/bin/sh\necho '['; while echo '{ \"start\""
              ": 0, \"length\": 65536, \"depth\": 0, \"present\": true},'; "
              "do :; done\n");
    check(is_empty("top.qcow2", false), "a map without end is of one that is "
          "used");
}

static void other_answers(void)
{
    char *old = mem_strdup(getenv("PATH"));

    setenv("PATH", fake_path, 1);
    old_qemu();
    hostile();
    endless();
    setenv("PATH", old, 1);
    free(old);
}

/* Signals */

/* While a qemu-img runs that does not end. */
static int interrupted(void *arg)
{
    struct content raw = { "a.raw", "raw", NULL };
    struct content one = { "s.qcow2", "qcow2", "s1" };
    struct err e;
    bool same = true;

    (void)arg;
    setenv("PATH", fake_path, 1);
    interrupt_catch(&e);
    raise(SIGINT);
    if (!image_same(&one, &raw, &same, &e) || same)
        return 1;
    return strstr(e.text, "interrupted") ? 0 : 2;
}

static void signals(void)
{
    unit_puts("fake/qemu-img", "#!/bin/sh\nexec sleep 1000\n");
    check(unit_child(interrupted, NULL) == 0, "Ctrl-C ends it");
}

/* Folders with sockets that were left in TMPDIR, and servers. */
static bool is_left(void)
{
    DIR *dir = opendir("tmp");
    struct dirent *de;
    bool left = false;

    while (dir && (de = readdir(dir)))
        left |= de->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return left;
}

static bool is_served(void)
{
    char *script = mem_printf("cat /proc/[0-9]*/cmdline 2>/dev/null | "
                              "tr '\\0' '\\n' | grep -c '^%s/tmp/' || :",
                              unit_dir());
    const char *argv[] = { "sh", "-c", script, NULL };
    struct proc p = { .argv = argv };
    struct err e;
    bool served = proc_run(&p, &e) || atoi(p.out) > 0;

    free(p.out);
    free(script);
    return served;
}

int main(void)
{
    char *tmp = unit_path("tmp");
    size_t before;

    if (!has("qemu-img") || !has("qemu-nbd") || !has("qemu-io")) {
        skip("QEMU's tools are not installed");
        return 0;
    }
    mkdir(tmp, 0700);
    setenv("TMPDIR", tmp, 1);
    free(tmp);
    if (chdir(unit_dir()))
        return 2;
    before = unit_open_fds();
    plain();
    chains();
    odd_names();
    errors();
    snapshots();
    in_use();
    devices();
    overlays();
    fake_path = mem_printf("%s/fake:%s", unit_dir(), getenv("PATH"));
    mkdir("fake", 0700);
    other_answers();
    signals();
    check(!is_left() && !is_served(), "no server and no socket is left");
    check(unit_open_fds() == before, "no descriptor is left open");
    free(fake_path);
    return unit_done();
}
