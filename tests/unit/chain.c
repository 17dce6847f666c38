/* Layers in a QEMU: a qemu-storage-daemon, whose exports are the disks. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/qemu/chain.h"
#include "snapshot/qemu/graph.h"
#include "snapshot/qemu/qemu.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/json.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

char *__wrap_domain_qmp_path(uint32_t domid);

char *__wrap_domain_qmp_path(uint32_t domid)
{
    (void)domid;
    return unit_path("qmp");
}

static char *base, *layer;
static pid_t daemon_pid;
static struct qemu *q;

static int run(const char *const *argv)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void image(const char *path, const char *backing)
{
    const char *const plain[] = { "qemu-img", "create", "-q", "-f", "qcow2",
                                  path, "8M", NULL };
    const char *const overlay[] = { "qemu-img", "create", "-q", "-f", "qcow2",
                                    "-F", "qcow2", "-b", backing, path, NULL };

    if (run(backing ? overlay : plain))
        abort();
}

/* The daemon has "base" as a disk, "more" are further options of its node. */
static bool start(const char *more)
{
    char *socket = unit_path("qmp"), *nbd = unit_path("nbd");
    char *node = mem_printf("driver=qcow2,node-name=xvda-qcow2,"
                            "file.driver=file,file.filename=%s,"
                            "file.locking=off%s", base, more);
    char *chardev = mem_printf("socket,path=%s,server=on,wait=off,id=c",
                               socket);
    char *server = mem_printf("addr.type=unix,addr.path=%s", nbd);
    const char *const argv[] = {
        "qemu-storage-daemon", "--blockdev", node, "--chardev", chardev,
        "--monitor", "chardev=c", "--nbd-server", server, "--export",
        "type=nbd,id=xvda,node-name=xvda-qcow2,name=xvda,writable=on", NULL
    };
    uint64_t until = clock_ms() + 20000;
    struct err e;
    int rc = -1;

    unlink(socket);
    unlink(nbd);
    daemon_pid = fork();
    if (daemon_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!freopen("/dev/null", "w", stderr))
            _exit(70);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    while (rc && clock_ms() < until && !waitpid(daemon_pid, NULL, WNOHANG)) {
        rc = qemu_open(1, &q, &e);
        clock_sleep_ms(5);
    }
    free(socket);
    free(nbd);
    free(node);
    free(chardev);
    free(server);
    return !rc;
}

static void stop(void)
{
    qemu_close(q);
    q = NULL;
    kill(daemon_pid, SIGKILL);
    waitpid(daemon_pid, NULL, 0);
    unlink(base);
    unlink(layer);
}

static void begin(const char *more)
{
    image(base, NULL);
    image(layer, base);
    if (!start(more))
        abort();
}

static json_object *text(const char *key, const char *value)
{
    json_object *o = json_object_new_object();

    json_add_str(o, key, value);
    return o;
}

/* As if the disk was detached: what xen-block does, as far as it comes. */
static void detach(void)
{
    json_object *exports = NULL;
    struct err e = { 0 };
    bool there = true;

    check_ok(qemu_run(q, "block-export-del", text("id", "xvda"), NULL, &e), &e,
             "the disk is detached");
    while (there) {
        if (qemu_run(q, "query-block-exports", NULL, &exports, &e))
            abort();
        there = json_object_array_length(exports) > 0;
        json_object_put(exports);
        clock_sleep_ms(1);
    }
    (void)qemu_run(q, "blockdev-del", text("node-name", "xvda-qcow2"), NULL,
                   &e);
}

static size_t count(void)
{
    struct err e = { 0 };
    struct graph g;
    size_t n;

    if (graph_get(q, &g, &e))
        abort();
    n = g.n;
    graph_free(&g);
    return n;
}

static void take(void)
{
    json_object *actions = json_object_new_array();
    struct err e = { 0 };

    json_object_array_add(actions, qemu_overlay_action("xvda-qcow2", layer));
    check_ok(qemu_transaction(q, actions, &e), &e, "the transaction");
}

static void add(void)
{
    struct err e = { 0 };

    check_ok(qemu_add_layer(q, layer, "xvda-qcow2", &e), &e, "a layer is added");
}

/* Of the layer's node or its file's. */
static json_object *node(bool file, struct graph *g)
{
    char *name = qemu_node_name(layer);
    struct err e = { 0 };
    size_t i;

    if (graph_get(q, g, &e))
        abort();
    i = graph_find(g, name);
    free(name);
    if (i != GRAPH_NONE && file)
        i = g->nodes[i].storage;
    if (i == GRAPH_NONE)
        abort();
    return g->nodes[i].info;
}

static void with_disk(void)
{
    struct err e = { 0 };
    struct chain c;
    size_t n;

    begin("");
    add();
    check(qemu_chain(q, base, base, layer, &c, &e) == 1 && c.n == 1,
          "a layer that the guest does not write to is not in the chain");
    qemu_chain_free(&c);
    take();
    check(qemu_chain(q, base, base, layer, &c, &e) == 1 && c.n == 2 &&
          !c.nodes[0].shared, "then it is, and nothing else uses it");
    qemu_chain_free(&c);
    check_ok(qemu_let_layer(q, layer, &e), &e, "it is let go");
    check_ok(qemu_let_layer(q, layer, &e), &e, "twice");
    check_ok(qemu_drop_orphans(q, &n, &e), &e, "looking for orphans");
    check(n == 0 && count() == 4, "a layer in use is none");
    detach();
    check(count() == 0, "the whole chain ends with the disk");
    stop();
}

static void undone(void)
{
    struct err e = { 0 };

    begin("");
    add();
    check_ok(qemu_drop_layer(q, layer, &e), &e, "an added layer is dropped");
    check(count() == 2, "nothing of it is left");
    check_ok(qemu_drop_layer(q, layer, &e), &e, "twice");
    add();
    take();
    check_ok(qemu_let_layer(q, layer, &e), &e, "it is let go");
    check_err(qemu_drop_layer(q, layer, &e), &e, SNAP_FAILED, "in use",
              "a layer in use is not dropped");
    stop();
}

static void crashed(void)
{
    struct err e = { 0 };
    size_t n;

    begin("");
    add();
    check_ok(qemu_drop_orphans(q, &n, &e), &e, "after a crash in between");
    check(n == 1 && count() == 2, "an added layer is gone");
    add();
    take();
    detach();
    check(count() > 0, "a holder keeps the chain after the disk is detached");
    check_ok(qemu_drop_orphans(q, &n, &e), &e, "orphans are dropped");
    check(n == 1 && count() == 0, "nothing is left");
    stop();
}

/* As earlier versions did it. */
static void owned(void)
{
    json_object *args = text("driver", "qcow2"), *file = text("driver", "file");
    char *name = qemu_node_name(layer);
    struct err e = { 0 };
    size_t n;

    begin("");
    json_add_str(file, "filename", layer);
    json_add_str(file, "locking", "off");
    json_add_str(args, "node-name", name);
    json_object_object_add(args, "file", file);
    json_object_object_add(args, "backing", NULL);
    check_ok(qemu_run(q, "blockdev-add", args, NULL, &e), &e, "a node of QMP's");
    take();
    detach();
    check(count() == 4, "its chain outlives the disk");
    check_ok(qemu_drop_orphans(q, &n, &e), &e, "orphans are dropped");
    check(n == 1 && count() == 0, "nothing is left");
    free(name);
    stop();
}

static void modes(void)
{
    struct graph g;
    json_object *cache;

    begin(",detect-zeroes=on");
    add();
    check(!strcmp(json_text(node(false, &g), "detect_zeroes"), "on"),
          "detect-zeroes is that of the node below");
    graph_free(&g);
    stop();

    image(base, NULL);
    image(layer, base);
    if (!start(",file.cache.direct=on,file.aio=native")) {
        skip("this QEMU or file system has no direct I/O with aio=native");
        return;
    }
    add();
    cache = NULL;
    json_object_object_get_ex(node(true, &g), "cache", &cache);
    check(json_true(cache, "direct"), "the layer's file bypasses the cache");
    graph_free(&g);
    stop();
}

/* The export that the guest's writes go through: TRIM reaches the file. */
static void trim(void)
{
    char *nbd = mem_printf("nbd+unix:///xvda?socket=%s/nbd", unit_dir());
    const char *const write_argv[] = { "qemu-io", "-f", "raw", "-c",
                                       "write -q -P 7 0 4M", nbd, NULL };
    const char *const discard_argv[] = { "qemu-io", "-f", "raw", "-d", "unmap",
                                         "-c", "discard -q 0 4M", nbd, NULL };
    struct stat before, after;
    struct err e = { 0 };

    begin(",discard=unmap");
    add();
    take();
    check_ok(qemu_let_layer(q, layer, &e), &e, "it is let go");
    if (run(write_argv) || stat(layer, &before) || run(discard_argv) ||
        stat(layer, &after))
        abort();
    check(before.st_blocks * 512 >= 4 << 20, "the guest's data is in the layer");
    check(after.st_blocks * 512 < 1 << 20, "what it discards is not");
    free(nbd);
    stop();
}

int main(void)
{
    base = unit_path("a.qcow2");
    layer = unit_path("a.qcow2.s1");
    with_disk();
    undone();
    crashed();
    owned();
    modes();
    trim();
    free(base);
    free(layer);
    return unit_done();
}
