/* SPDX-License-Identifier: LGPL-2.1-only */

/* Runs qemu-nbd on an image. */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "image/nbd.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/proc.h"

#define CLIENTS "16"            /* at a time */
#define POLL_MS 20

struct nbd_server {
    struct proc_beside *proc;
    char *socket;
};

/* A value among QEMU's options: a comma is written twice. */
static char *quote(const char *text)
{
    char *out = mem_zalloc(2 * strlen(text) + 1, 1), *p = out;

    for (; *text; text++) {
        if (*text == ',')
            *p++ = ',';
        *p++ = *text;
    }
    return out;
}

/* A new image of ours; its backing file is found by its name. */
static char *target_options(const struct nbd_image *image)
{
    char *path = quote(image->path), *options;

    if (image->compress)
        options = mem_printf("driver=compress,file.driver=%s,"
                             "file.file.driver=file,file.file.filename=%s",
                             image->format, path);
    else
        options = mem_printf("driver=%s,file.driver=file,file.filename=%s",
                             image->format, path);
    free(path);
    return options;
}

static char *image_options(const struct nbd_image *image)
{
    char *path = quote(image->path), *file, *options;
    const char *driver = "file";
    struct stat st;

    if (!image->format) {
        file = mem_printf("file.driver=nbd,file.server.type=unix,"
                          "file.server.path=%s", path);
    } else {
        if (!stat(image->path, &st) && S_ISBLK(st.st_mode))
            driver = "host_device";
        file = mem_printf("file.driver=%s,file.filename=%s,file.locking=off",
                          driver, path);
    }
    if (image->cut)
        options = mem_printf("driver=raw,size=%" PRIu64 ",%s", image->cut,
                             file);
    else
        options = mem_printf("driver=%s,%s",
                             image->format ? image->format : "raw", file);
    free(file);
    free(path);
    return options;
}

/* A protocol's name, as rbd:POOL/IMAGE@SNAPSHOT, is no option. */
static bool is_plain(const struct nbd_image *image)
{
    return image->format && image->path[0] != '/';
}

static char *options_of(const struct nbd_image *image)
{
    if (is_plain(image))
        return mem_strdup(image->path);
    if (image->target)
        return target_options(image);
    return image_options(image);
}

static int start(const struct nbd_image *image, struct nbd_server *n,
                 struct err *e)
{
    char *socket = mem_printf("--socket=%s", n->socket);
    char *load = mem_printf("--load-snapshot=snapshot.name=%s",
                            image->snapshot ? image->snapshot : "");
    char *what = options_of(image);
    const char *argv[16];
    mode_t mask;
    size_t k = 0;
    int rc;

    argv[k++] = "qemu-nbd";
    argv[k++] = "--persistent";
    argv[k++] = "--shared=" CLIENTS;
    argv[k++] = socket;
    if (image->scratch)
        argv[k++] = "--snapshot";
    else if (!image->target)
        argv[k++] = "--read-only";
    if (image->snapshot)
        argv[k++] = load;
    argv[k++] = is_plain(image) ? "--format=raw" : "--image-opts";
    argv[k++] = "--";
    argv[k++] = what;
    argv[k] = NULL;
    mask = umask(077);
    rc = proc_start(argv, &n->proc, e);
    umask(mask);
    free(what);
    free(load);
    free(socket);
    return rc;
}

static bool can_connect(const char *path)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes;

    if (fd < 0)
        return false;
    memcpy(sa.sun_path, path, strlen(path));
    yes = !connect(fd, (struct sockaddr *)&sa, sizeof(sa));
    close(fd);
    return yes;
}

static int await(struct nbd_server *n, struct err *e)
{
    struct pollfd signal = { .fd = interrupt_fd(), .events = POLLIN };

    while (!can_connect(n->socket)) {
        if (proc_check_runs(n->proc, e))
            return -1;
        if (interrupt_pending())
            return interrupt_error(e);
        (void)poll(&signal, 1, POLL_MS);
    }
    return 0;
}

/* A socket whose server was killed is none. */
static int clear_socket(const char *socket, struct err *e)
{
    struct stat st;

    if (lstat(socket, &st)) {
        if (errno == ENOENT)
            return 0;
        return err_errno(e, "cannot make the socket %s", socket);
    }
    if (!S_ISSOCK(st.st_mode) || can_connect(socket))
        return err_set(e, SNAP_FAILED, "%s is there already: choose another "
                       "path for the socket", socket);
    if (unlink(socket))
        return err_errno(e, "cannot remove the socket %s", socket);
    return 0;
}

int nbd_serve(const struct nbd_image *image, const char *socket,
              struct nbd_server **n_r, struct err *e)
{
    struct sockaddr_un sa;
    struct nbd_server *n;

    *n_r = NULL;
    if (strlen(socket) >= sizeof(sa.sun_path))
        return err_set(e, SNAP_USAGE, "the path of a socket has at most %zu "
                       "bytes, so not %s", sizeof(sa.sun_path) - 1, socket);
    if (clear_socket(socket, e))
        return -1;
    n = mem_zalloc(1, sizeof(*n));
    n->socket = mem_strdup(socket);
    if (start(image, n, e) || await(n, e)) {
        nbd_end(n);
        return -1;
    }
    *n_r = n;
    return 0;
}

int nbd_check_serves(struct nbd_server *n, struct err *e)
{
    return proc_check_runs(n->proc, e);
}

void nbd_end(struct nbd_server *n)
{
    if (!n)
        return;
    proc_stop(n->proc);
    unlink(n->socket);
    free(n->socket);
    free(n);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
