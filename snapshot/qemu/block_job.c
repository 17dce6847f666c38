/* SPDX-License-Identifier: LGPL-2.1-only */

/* Starts, awaits and ends the block jobs of a running QEMU. */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "qemu/block_job.h"
#include "qemu/chain.h"
#include "qemu/qemu.h"
#include "sys/clock.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/json.h"
#include "sys/mem.h"

#define POLL_MS 20
#define STALL_MS (300 * 1000)   /* a job that does nothing for so long hangs */

static char *job_name(const char *layer)
{
    return mem_printf("xls-job-%016" PRIx64,
                      (uint64_t)XXH3_64bits(layer, strlen(layer)));
}

static json_object *member(const char *key, const char *value)
{
    json_object *o = json_object_new_object();

    json_add_str(o, key, value);
    return o;
}

int qemu_add_copy(struct qemu *q, const char *path, struct err *e)
{
    json_object *args = member("driver", "file");
    char *name = qemu_node_name(path);

    json_add_str(args, "node-name", name);
    json_add_str(args, "filename", path);
    json_add_str(args, "locking", "off");
    json_add_str(args, "discard", "unmap");     /* holes stay holes */
    free(name);
    return qemu_run(q, "blockdev-add", args, NULL, e);
}

json_object *qemu_copy_action(const char *node, const char *path)
{
    json_object *action = member("type", "blockdev-backup");
    json_object *data = member("device", node);
    char *name = qemu_node_name(path), *job = job_name(path);

    json_add_str(data, "job-id", job);
    json_add_str(data, "target", name);
    json_add_str(data, "sync", "full");
    json_add_bool(data, "auto-dismiss", false);
    json_object_object_add(action, "data", data);
    free(job);
    free(name);
    return action;
}

static int dismiss(struct qemu *q, const char *job, json_object *o,
                   struct err *e)
{
    json_object *args = json_object_new_object();
    char *why = mem_strdup(json_text(o, "error"));
    int rc;

    json_add_str(args, "id", job);
    rc = qemu_run(q, "job-dismiss", args, NULL, e);
    if (!rc && why[0])
        rc = err_set(e, SNAP_FAILED, "QEMU's job failed: %s", why);
    free(why);
    return rc;
}

/*
 * What QEMU holds in its caches of a node gets to disk, which only the guest
 * asks for otherwise.  There is no QMP command for it.
 */
static int flush(struct qemu *q, const char *node, struct err *e)
{
    json_object *args = json_object_new_object(), *said = NULL;
    char *line = mem_printf("qemu-io %s flush", node);
    int rc;

    json_add_str(args, "command-line", line);
    rc = qemu_run(q, "human-monitor-command", args, &said, e);
    if (!rc && (!json_object_is_type(said, json_type_string) ||
                json_object_get_string_len(said)))
        rc = err_set(e, SNAP_FAILED, "QEMU cannot flush its node %s: %s",
                     node, json_object_get_string(said));
    json_object_put(said);
    free(line);
    return rc;
}

/*
 * Until the job is over, or, if that is asked for, waits to be finalized.
 * One that is not there is over.
 */
static int wait_job(struct qemu *q, const char *job, bool interruptible,
                    bool *pending_r, struct err *e)
{
    uint64_t seen = UINT64_MAX, since = clock_ms();
    bool pending = false;

    for (;;) {
        json_object *jobs = NULL, *o;
        int rc = qemu_run(q, "query-jobs", NULL, &jobs, e);
        bool over, stalls;

        if (rc)
            return -1;
        o = NULL;
        if (json_object_is_type(jobs, json_type_array))
            o = json_element(jobs, "id", job);
        over = o && !strcmp(json_text(o, "status"), "concluded");
        if (pending_r)
            *pending_r = pending = o && !strcmp(json_text(o, "status"), "pending");
        if (o && json_number(o, "current-progress") != seen) {
            seen = json_number(o, "current-progress");
            since = clock_ms();
        }
        stalls = clock_ms() - since > STALL_MS;
        if (over)
            rc = dismiss(q, job, o, e);
        else if (stalls && !pending)
            rc = err_set(e, SNAP_FAILED, "QEMU's job %s makes no progress",
                         job);
        json_object_put(jobs);
        if (!o || over || pending || stalls)
            return rc;
        if (interruptible && interrupt_pending())
            return interrupt_error(e);
        clock_sleep_ms(POLL_MS);
    }
}

/*
 * Merges into "target".  A power cut must not leave a chain without a layer
 * whose content has not got to disk elsewhere, so that is flushed before the
 * job changes the chain.
 */
static int run_merge(struct qemu *q, const char *command, const char *layer,
                     const char *target, json_object *args, struct err *e)
{
    char *job = job_name(layer);
    bool pending = false;
    int rc = -1;

    json_add_str(args, "job-id", job);
    json_add_bool(args, "auto-dismiss", false);
    json_add_bool(args, "auto-finalize", false);
    if (qemu_run(q, command, args, NULL, e) ||
        wait_job(q, job, false, &pending, e))
        goto out;
    if (pending && (flush(q, target, e) ||
                    qemu_run(q, "job-finalize", member("id", job), NULL, e) ||
                    wait_job(q, job, false, NULL, e)))
        goto out;
    rc = 0;

out:
    free(job);
    return rc;
}

int qemu_end_merge(struct qemu *q, const char *layer, struct err *e)
{
    char *job = job_name(layer);
    struct err canceled;
    bool pending = false;
    int rc = wait_job(q, job, false, &pending, e);

    if (!rc && pending) {
        rc = qemu_run(q, "job-cancel", member("id", job), NULL, e);
        if (!rc)
            (void)wait_job(q, job, false, NULL, &canceled);
    }
    free(job);
    return rc;
}

int qemu_flush_chain(struct qemu *q, const struct chain *c, struct err *e)
{
    return flush(q, c->nodes[0].name, e);
}

int qemu_wait_copy(struct qemu *q, const char *path, struct err *e)
{
    char *job = job_name(path);
    int rc = wait_job(q, job, true, NULL, e);

    free(job);
    return rc;
}

int qemu_drop_copy(struct qemu *q, const char *path, struct err *e)
{
    char *job = job_name(path);
    json_object *args = member("device", job);
    struct err ignored;

    json_add_bool(args, "force", true);
    /* One that is over, or was cancelled, tells an error that is of no use. */
    (void)(qemu_run(q, "block-job-cancel", args, NULL, &ignored) ||
           wait_job(q, job, false, NULL, &ignored));
    free(job);
    return qemu_drop_layer(q, path, e);
}

int qemu_refuse_shared(const char *layer, struct err *e)
{
    return err_set(e, SNAP_FAILED, "something else in QEMU uses %s, perhaps a "
                   "backup: wait for it to end", layer);
}

int qemu_commit(struct qemu *q, const struct chain *c, size_t i,
                struct err *e)
{
    json_object *args;

    /*
     * QEMU turns all that stands on the upper one to the lower one, and dies
     * of it if there is one that it cannot open for writing.
     */
    if (c->nodes[i - 1].shared)
        return qemu_refuse_shared(c->nodes[i - 1].path, e);
    args = json_object_new_object();
    json_add_str(args, "device", c->nodes[0].name);
    json_add_str(args, "top-node", c->nodes[i - 1].name);
    json_add_str(args, "base-node", c->nodes[i].name);
    /* What QEMU would write by itself may be a stale name. */
    json_add_str(args, "backing-file", c->nodes[i].path);
    return run_merge(q, "block-commit", c->nodes[i].path, c->nodes[i].name,
                     args, e);
}

int qemu_pull(struct qemu *q, const struct chain *c, size_t i,
              struct err *e)
{
    json_object *args = json_object_new_object();

    json_add_str(args, "device", c->nodes[i - 1].name);
    if (i + 1 < c->n) {
        json_add_str(args, "base-node", c->nodes[i + 1].name);
        json_add_str(args, "backing-file", c->nodes[i + 1].path);
    }
    return run_merge(q, "block-stream", c->nodes[i].path,
                     c->nodes[i - 1].name, args, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
