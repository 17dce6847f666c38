/* SPDX-License-Identifier: LGPL-2.1-only */

/* Connects to a QMP monitor and runs commands with a deadline. */

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qemu/qmp.h"
#include "qemu/qmp_frame.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"

struct qmp {
    int fd;
    bool broken;
    uint64_t id;
    struct qmp_frame in;
};

static uint64_t deadline(void)
{
    return clock_ms() + QMP_TIMEOUT_S * 1000ull;
}

static int wait_for(struct qmp *q, short events, uint64_t until,
                    struct err *e)
{
    struct pollfd pfd = { .fd = q->fd, .events = events };
    uint64_t now;
    int n;

    for (;;) {
        now = clock_ms();
        n = 0;
        if (now < until)
            n = poll(&pfd, 1, (int)(until - now));
        if (n > 0)
            return 0;
        if (n == 0)
            return err_set(e, SNAP_FAILED, "QEMU's monitor did not answer "
                           "within %d s (another program, such as xentop, "
                           "may hold it)", QMP_TIMEOUT_S);
        if (errno != EINTR)
            return err_errno(e, "cannot wait for QEMU's monitor");
    }
}

static int receive(struct qmp *q, uint64_t until, json_object **o_r,
                   struct err *e)
{
    char buf[16384];
    ssize_t n;

    for (;;) {
        if (qmp_frame_next(&q->in, o_r, e))
            return -1;
        if (*o_r)
            return 0;
        if (wait_for(q, POLLIN, until, e))
            return -1;
        n = recv(q->fd, buf, sizeof(buf), MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return err_errno(e, "cannot read from QEMU's monitor");
        if (n == 0)
            return err_set(e, SNAP_FAILED, "QEMU closed its monitor: the "
                           "device model may have died");
        if (qmp_frame_feed(&q->in, buf, (size_t)n, e))
            return -1;
    }
}

static int send_text(struct qmp *q, const char *text, uint64_t until,
                     struct err *e)
{
    size_t len = strlen(text);

    while (len) {
        ssize_t n = send(q->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n >= 0) {
            text += n;
            len -= (size_t)n;
        } else if (errno == EAGAIN) {
            if (wait_for(q, POLLOUT, until, e))
                return -1;
        } else if (errno != EINTR) {
            return err_errno(e, "cannot write to QEMU's monitor");
        }
    }
    return 0;
}

/* QEMU's answer to the command with our id; events in between are skipped. */
static int answer(struct qmp *q, uint64_t until, json_object **o_r,
                  struct err *e)
{
    json_object *o, *id;

    for (;;) {
        if (receive(q, until, &o, e))
            return -1;
        if (json_object_object_get_ex(o, "id", &id) &&
            json_object_is_type(id, json_type_int) &&
            json_object_get_uint64(id) == q->id) {
            *o_r = o;
            return 0;
        }
        json_object_put(o);
    }
}

static int judge(json_object *o, const char *command, json_object **ret_r,
                 struct err *e)
{
    struct json_at at = { "QMP", "error" };
    json_object *v;
    const char *desc;

    if (json_object_object_get_ex(o, "return", &v)) {
        if (ret_r)
            *ret_r = json_object_get(v);
        return 0;
    }
    if (json_obj(o, "error", (struct json_at){ "QMP", "" }, &v, e) ||
        json_str(v, "desc", at, &desc, e))
        return -1;
    return err_set(e, SNAP_FAILED, "QEMU refused '%s': %s", command, desc);
}

int qmp_run(struct qmp *q, const char *command, json_object *args,
            json_object **ret_r, struct err *e)
{
    json_object *req = json_object_new_object(), *o = NULL;
    char *text = NULL;
    uint64_t until = deadline();
    int rc = -1;

    if (ret_r)
        *ret_r = NULL;
    json_add_str(req, "execute", command);
    if (args)
        json_object_object_add(req, "arguments", args);
    json_add_u64(req, "id", ++q->id);
    text = mem_printf("%s\n", json_object_to_json_string_ext(req,
                          JSON_C_TO_STRING_PLAIN));
    if (q->broken) {
        err_set(e, SNAP_FAILED, "the connection to QEMU's monitor is broken");
        goto out;
    }
    if (send_text(q, text, until, e) || answer(q, until, &o, e)) {
        q->broken = true;
        goto out;
    }
    rc = judge(o, command, ret_r, e);

out:
    json_object_put(o);
    json_object_put(req);
    free(text);
    return rc;
}

static int connect_to(const char *path, struct err *e)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    const struct timeval patience = { .tv_sec = QMP_TIMEOUT_S };
    int fd, why;

    if (strlen(path) >= sizeof(addr.sun_path))
        return err_set(e, SNAP_FAILED, "the path of QEMU's monitor is too "
                       "long");
    strcpy(addr.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_errno(e, "cannot make a socket");
    /* A QEMU that hangs takes only so many callers. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
                   sizeof(patience)) ||
        connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
        why = errno;
        if (errno == EAGAIN)
            errno = ETIMEDOUT;
        err_errno(e, "cannot reach QEMU's monitor at %s", path);
        close(fd);
        /* There is none, as with a device model in a stub domain. */
        if (why == ENOENT || why == ECONNREFUSED)
            err_hot_only(e);
        return -1;
    }
    return fd;
}

int qmp_open(const char *path, struct qmp **q_r, struct err *e)
{
    struct qmp *q = NULL;
    json_object *greeting = NULL;
    int fd = connect_to(path, e), rc = -1;

    *q_r = NULL;
    if (fd < 0)
        return -1;
    q = mem_zalloc(1, sizeof(*q));
    q->fd = fd;
    if (receive(q, deadline(), &greeting, e))
        goto out;
    if (!json_has(greeting, "QMP")) {
        err_set(e, SNAP_FAILED, "%s: no greeting from a QEMU monitor", path);
        goto out;
    }
    if (qmp_run(q, "qmp_capabilities", NULL, NULL, e))
        goto out;
    *q_r = q;
    q = NULL;
    rc = 0;

out:
    json_object_put(greeting);
    qmp_close(q);
    return rc;
}

void qmp_close(struct qmp *q)
{
    if (!q)
        return;
    qmp_frame_free(&q->in);
    close(q->fd);
    free(q);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
