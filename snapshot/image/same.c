/* SPDX-License-Identifier: LGPL-2.1-only */

/* qemu-img compare and map, and a qemu-nbd for what is inside an image. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/same.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/proc.h"

#define COMPARE_TIMEOUT_S (24 * 3600)   /* a large image on a slow disk */
#define MAP_TIMEOUT_S 600
#define START_TIMEOUT_S 60
#define END_MS 5000             /* until SIGTERM is followed by SIGKILL */
#define POLL_MS 5
#define REMOVE_TRIES 200

/* A Unix socket's path has 107 bytes at most. */
#define TMP_DIR_MAX 60
#define SOCKET "nbd"
#define PID_FILE "pid"

/*
 * QEMU's JSON file names (its manual, "Block device options"): a path is
 * then nothing but a path, whatever characters it has.
 */
static char *json_name(json_object *o)
{
    const char *text = json_object_to_json_string_ext(o,
        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    char *name = mem_printf("json:%s", text);

    json_object_put(o);
    return name;
}

static json_object *node(const char *driver)
{
    json_object *o = json_object_new_object();

    json_add_str(o, "driver", driver);
    return o;
}

static json_object *file_node(const char *path)
{
    json_object *cache, *file;
    struct stat st;

    if (stat(path, &st) || !S_ISBLK(st.st_mode)) {
        file = node("file");
    } else {
        /*
         * blkback writes to a device past the page cache, which must not be
         * asked.
         */
        file = node("host_device");
        cache = json_object_new_object();
        json_add_bool(cache, "direct", true);
        json_object_object_add(file, "cache", cache);
    }
    json_add_str(file, "filename", path);
    return file;
}

static json_object *image_node(const char *path, const char *format)
{
    json_object *o = node(format);

    json_add_bool(o, "force-share", true);
    json_object_object_add(o, "file", file_node(path));
    return o;
}

/* A qemu-nbd that serves one internal snapshot */

struct server {
    char *dir;          /* of our own, with the socket and the pid */
    char *socket;
};

static char *server_file(const struct server *s, const char *name)
{
    return mem_printf("%s/%s", s->dir, name);
}

static int make_dir(struct server *s, struct err *e)
{
    const char *tmp = getenv("TMPDIR");

    if (!tmp || tmp[0] != '/' || strlen(tmp) > TMP_DIR_MAX)
        tmp = "/tmp";
    s->dir = mem_printf("%s/xl-snapshot.XXXXXX", tmp);
    if (mkdtemp(s->dir))
        return 0;
    err_errno(e, "cannot make a directory in %s", tmp);
    free(s->dir);
    s->dir = NULL;
    return -1;
}

/* Commas in a value are doubled for QEMU. */
static char *snapshot_option(const char *name)
{
    char *value = mem_zalloc(2 * strlen(name) + 1, 1), *to = value;
    char *option;

    for (; *name; name++) {
        if (*name == ',')
            *to++ = ',';
        *to++ = *name;
    }
    option = mem_printf("snapshot.name=%s", value);
    free(value);
    return option;
}

/*
 * With --fork it returns when the server answers.  That is soon, and must
 * not be cut off between the server's start and its pid file.
 */
static int start_server(struct server *s, const struct content *c,
                        struct err *e)
{
    char *name = NULL, *option = NULL, *pid_file = NULL;
    const char *argv[] = {
        "qemu-nbd", "--read-only", "--fork", "--pid-file", NULL, "--socket",
        NULL, "--load-snapshot", NULL, NULL, NULL
    };
    struct proc p = {
        .argv = argv, .timeout_s = START_TIMEOUT_S, .uninterruptible = true,
    };
    int rc;

    if (make_dir(s, e))
        return -1;
    s->socket = server_file(s, SOCKET);
    pid_file = server_file(s, PID_FILE);
    option = snapshot_option(c->snapshot);
    name = json_name(image_node(c->path, c->format));
    argv[4] = pid_file;
    argv[6] = s->socket;
    argv[8] = option;
    argv[9] = name;
    rc = proc_run(&p, e);
    if (rc)
        err_wrap(e, "cannot read snapshot %s in %s", c->snapshot, c->path);
    free(p.out);
    free(name);
    free(option);
    free(pid_file);
    return rc;
}

/* From the server's own file; 0: there is none. */
static pid_t read_pid(const struct server *s)
{
    char *path = server_file(s, PID_FILE);
    FILE *f = fopen(path, "re");
    int pid = 0;

    if (f && (fscanf(f, "%d", &pid) != 1 || pid < 0))
        pid = 0;
    if (f)
        fclose(f);
    free(path);
    return (pid_t)pid;
}

/*
 * True if the process is our server, still running.  It ends by itself when
 * it is no longer asked, and its pid may then be another's: the path of its
 * socket, in its arguments, is nobody else's.
 */
static bool is_running(const struct server *s, pid_t pid)
{
    char path[64], args[8192];
    size_t n = 0, len = strlen(s->socket), i;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    f = fopen(path, "re");
    if (f)
        n = fread(args, 1, sizeof(args), f);
    if (f)
        fclose(f);
    for (i = 0; i + len < n; i++)
        if (!memcmp(args + i, s->socket, len + 1))
            return true;
    return false;
}

static void end_server(const struct server *s)
{
    uint64_t until = clock_ms() + END_MS;
    pid_t pid = read_pid(s);
    int sig = SIGTERM;

    if (!pid)
        return;
    while (is_running(s, pid) && clock_ms() < until + END_MS) {
        kill(pid, sig);
        clock_sleep_ms(POLL_MS);
        if (clock_ms() > until)
            sig = SIGKILL;
    }
}

/*
 * The folder goes with it.  A server whose start was cut off makes its files
 * later than we look for them, or finds no folder and ends: so again until
 * the folder is gone.
 */
static void stop_server(struct server *s)
{
    char *pid_file;
    unsigned i;

    if (!s->dir)
        return;
    pid_file = server_file(s, PID_FILE);
    for (i = 0; i < REMOVE_TRIES; i++) {
        end_server(s);
        unlink(s->socket);
        unlink(pid_file);
        if (!rmdir(s->dir) || errno != ENOTEMPTY)
            break;
        clock_sleep_ms(POLL_MS);
    }
    free(pid_file);
    free(s->socket);
    free(s->dir);
}

static json_object *nbd_node(const struct server *s)
{
    json_object *o = node("raw"), *nbd = node("nbd");
    json_object *address = json_object_new_object();

    json_add_str(address, "type", "unix");
    json_add_str(address, "path", s->socket);
    json_object_object_add(nbd, "server", address);
    json_object_object_add(o, "file", nbd);
    return o;
}

/* Comparing */

/* The name by which qemu-img reads the content. */
static int open_content(const struct content *c, struct server *s,
                        char **name_r, struct err *e)
{
    if (!c->snapshot) {
        *name_r = json_name(image_node(c->path, c->format));
        return 0;
    }
    if (start_server(s, c, e))
        return -1;
    *name_r = json_name(nbd_node(s));
    return 0;
}

/*
 * qemu-img(1): status 0 for the same, 1 for different content, more for an
 * error.  proc_run() tells 0 from others; what it printed tells the rest.
 */
static int compare(const char *a, const char *b, bool *same_r, struct err *e)
{
    const char *const argv[] = { "qemu-img", "compare", a, b, NULL };
    struct proc p = { .argv = argv, .timeout_s = COMPARE_TIMEOUT_S };
    int rc = proc_run(&p, e);

    *same_r = rc == 0;
    if (rc && strstr(p.out, "Content mismatch at offset "))
        rc = 0;
    free(p.out);
    return rc;
}

int image_same(const struct content *a, const struct content *b,
               bool *same_r, struct err *e)
{
    struct server of_a = { 0 }, of_b = { 0 };
    char *name_a = NULL, *name_b = NULL;
    int rc = -1;

    *same_r = false;
    if (open_content(a, &of_a, &name_a, e))
        goto out;
    if (open_content(b, &of_b, &name_b, e))
        goto out;
    if (compare(name_a, name_b, same_r, e)) {
        err_wrap(e, "cannot compare %s with %s", a->path, b->path);
        goto out;
    }
    rc = 0;

out:
    stop_server(&of_a);
    stop_server(&of_b);
    free(name_a);
    free(name_b);
    return rc;
}

/* Overlays */

/* What the entries of a map say of the topmost image. */
struct allocation {
    bool data, zeros;           /* some of it reads so */
    bool present;               /* some of it is allocated */
    bool tells_present;         /* QEMU 6.1 and later do */
};

static int parse_entry(json_object *o, struct allocation *a, struct err *e)
{
    struct json_at at = { "qemu-img map", "" };
    bool data, zero, present;
    uint64_t depth;

    if (!json_object_is_type(o, json_type_object))
        return err_set(e, SNAP_FAILED, "qemu-img map: an entry is not an "
                       "object");
    if (json_u64(o, "depth", at, INT32_MAX, &depth, e) ||
        json_opt_bool(o, "data", at, &data, e) ||
        json_opt_bool(o, "zero", at, &zero, e) ||
        json_opt_bool(o, "present", at, &present, e))
        return -1;
    if (depth)
        return 0;
    a->data |= data;
    a->zeros |= zero;
    a->present |= present;
    a->tells_present &= json_has(o, "present");
    return 0;
}

static int parse_map(const char *text, size_t len, struct allocation *a,
                     struct err *e)
{
    /* json_parse_object() takes nothing but an object. */
    char *whole = mem_printf("{\"map\":%.*s}", (int)len, text);
    json_object *o = json_parse_object(whole, strlen(whole), "qemu-img map",
                                       e);
    json_object *map;
    size_t i;
    int rc = -1;

    memset(a, 0, sizeof(*a));
    a->tells_present = true;
    if (!o || json_arr(o, "map", (struct json_at){ "qemu-img map", "" }, &map,
                       e))
        goto out;
    for (i = 0; i < json_object_array_length(map); i++)
        if (parse_entry(json_object_array_get_idx(map, i), a, e))
            goto out;
    rc = 0;

out:
    json_object_put(o);
    free(whole);
    return rc;
}

/*
 * Longer than is read or parsed.  That much can be used of an overlay alone,
 * in many pieces, which need not all be counted.
 */
static bool is_endless(const struct proc *p)
{
    return p->out_len > JSON_MAX_SIZE / 2 &&
           strstr(p->out, "\"depth\": 0, \"present\": true");
}

static int map(const char *const *argv, struct allocation *a, struct err *e)
{
    struct proc p = { .argv = argv, .timeout_s = MAP_TIMEOUT_S };
    int rc = proc_run(&p, e);

    if (is_endless(&p)) {
        memset(a, 0, sizeof(*a));
        a->tells_present = a->present = true;
        rc = 0;
    } else if (rc == 0) {
        rc = parse_map(p.out, p.out_len, a, e);
    }
    free(p.out);
    return rc;
}

/* Its own clusters, which need nothing of what is below. */
static int map_alone(const char *path, struct allocation *a, struct err *e)
{
    json_object *o = image_node(path, "qcow2");
    const char *argv[] = {
        "qemu-img", "map", "--output=json", NULL, NULL
    };
    char *name;
    int rc;

    json_object_object_add(o, "backing", NULL);
    name = json_name(o);
    argv[3] = name;
    rc = map(argv, a, e);
    free(name);
    return rc;
}

/* What is below has a depth of its own: neither data nor zeros are theirs. */
static int map_chain(const char *path, struct allocation *a, struct err *e)
{
    char *name = json_name(image_node(path, "qcow2"));
    const char *const argv[] = {
        "qemu-img", "map", "--output=json", name, NULL
    };
    int rc = map(argv, a, e);

    free(name);
    return rc;
}

static int is_empty(const char *path, bool *empty_r, struct err *e)
{
    struct allocation a;

    if (map_alone(path, &a, e))
        return -1;
    if (a.tells_present || a.data) {
        *empty_r = !a.present && !a.data;
        return 0;
    }
    /* Zeros may be its own, or what is read where there is nothing. */
    if (map_chain(path, &a, e))
        return -1;
    *empty_r = !a.data && !a.zeros;
    return 0;
}

int image_is_empty_overlay(const char *path, bool *empty_r, struct err *e)
{
    *empty_r = false;
    if (is_empty(path, empty_r, e))
        return err_wrap(e, "cannot look into %s", path);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
