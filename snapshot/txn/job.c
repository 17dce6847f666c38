/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a job into the journal's header, and reads it back. */

#include <stdlib.h>
#include <string.h>

#include "disk/disk.h"
#include "memory/memory.h"
#include "store/meta.h"
#include "store/record.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/host.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/name.h"
#include "txn/job.h"
#include "txn/journal.h"
#include "txn/plan.h"

#define JOURNAL_FORMAT "xl-snapshot-journal"
#define JOURNAL_VERSION 1
#define MAX_STEPS 100000

static const char *const op_names[] = {
    [OP_CREATE] = "create", [OP_REVERT] = "revert", [OP_DELETE] = "delete",
    [OP_SET] = "change", [OP_IMPORT] = "import",
};

const char *job_op_name(enum op op)
{
    return op_names[op];
}

static bool has_step(const struct job *j, enum verb verb)
{
    size_t i;

    for (i = 0; i < j->plan.n; i++)
        if (j->plan.steps[i].verb == verb)
            return true;
    return false;
}

bool job_is_cold(const struct job *j)
{
    return has_step(j, STEP_CLOSE);
}

bool job_destroys(const struct job *j)
{
    return has_step(j, STEP_CLOSE) || has_step(j, STEP_DESTROY);
}

static void take_note(struct job *j, json_object *note)
{
    struct json_object_iter it;

    if (!j->notes)
        j->notes = json_object_new_object();
    json_object_object_foreachC(note, it)
        json_object_object_add(j->notes, it.key, json_object_get(it.val));
}

/* note is taken over. */
static int write_note(struct job *j, json_object *note, struct err *e)
{
    int rc;

    rc = journal_note(j->log, note, e);
    /* What failed may have been a passing trouble. */
    if (rc)
        rc = journal_note(j->log, note, e);
    if (!rc)
        take_note(j, note);
    json_object_put(note);
    return rc;
}

int job_note(struct job *j, const char *key, json_object *value,
             struct err *e)
{
    json_object *note = json_object_new_object();

    json_object_object_add(note, key, value);
    return write_note(j, note, e);
}

int job_note_flag(struct job *j, const char *key, struct err *e)
{
    return job_note(j, key, json_object_new_boolean(true), e);
}

int job_note_all(struct job *j, const char *flag, const char *key,
                 json_object *value, struct err *e)
{
    json_object *note = json_object_new_object();

    json_add_bool(note, flag, true);
    json_object_object_add(note, key, value);
    return write_note(j, note, e);
}

#define MADE "made"

int job_note_made(struct job *j, struct err *e)
{
    json_object *made = json_object_new_object();
    size_t i;

    for (i = 0; i < j->s.ndisks; i++)
        if (j->s.disks[i].part_identity)
            json_object_object_add(made, j->s.disks[i].vdev,
                json_object_get(j->s.disks[i].part_identity));
    return job_note(j, MADE, made, e);
}

void job_take_notes(struct job *j)
{
    json_object *made, *identity;
    size_t i;

    if (!j->notes || !json_object_object_get_ex(j->notes, MADE, &made) ||
        !json_object_is_type(made, json_type_object))
        return;
    for (i = 0; i < j->s.ndisks; i++) {
        struct snapshot_disk *d = &j->s.disks[i];

        if (d->part_identity ||
            !json_object_object_get_ex(made, d->vdev, &identity))
            continue;
        d->part_identity = json_object_get(identity);
    }
}

bool job_is_noted(const struct job *j, const char *key)
{
    return j->notes && json_has(j->notes, key);
}

bool job_is_of_this_boot(const struct job *j)
{
    return host_is_same_boot(j->boot);
}

static json_object *plan_to_json(const struct plan *p)
{
    json_object *arr = json_object_new_array();
    size_t i;

    for (i = 0; i < p->n; i++) {
        json_object *step = json_object_new_object();

        json_add_str(step, "do", plan_verb_name(p->steps[i].verb));
        json_add_u64(step, "disk", p->steps[i].disk);
        json_object_array_add(arr, step);
    }
    return arr;
}

json_object *job_to_json(const struct job *j)
{
    json_object *o = json_object_new_object();

    json_add_str(o, "format", JOURNAL_FORMAT);
    json_add_u64(o, "version", JOURNAL_VERSION);
    json_add_str(o, "operation", op_names[j->op]);
    if (j->st)
        json_add_str(o, "domain", j->st->domain);
    json_add_u64(o, "domid", j->domid);
    json_add_str(o, "uuid", j->uuid);
    json_add_bool(o, "paused", j->paused);
    json_add_bool(o, "force", j->force);
    json_add_bool(o, "retire", j->retire);
    json_add_str(o, "unique", j->unique);
    json_add_str(o, "cfg", j->cfg);
    json_add_str(o, "boot", j->boot);
    json_object_object_add(o, "steps", plan_to_json(&j->plan));
    json_add_u64(o, "commit", j->plan.commit);
    json_object_object_add(o, "snapshot", meta_to_json(&j->s));
    return o;
}

static int parse_step(json_object *o, struct json_at at,
                      const struct snapshot *s, struct step *step,
                      struct err *e)
{
    const char *verb;
    uint64_t disk;

    if (!json_object_is_type(o, json_type_object))
        return err_set(e, SNAP_NEEDS_USER, "%s: a step is not an object",
                       at.what);
    if (json_str(o, "do", at, &verb, e) ||
        json_u64(o, "disk", at, s->ndisks, &disk, e))
        return -1;
    step->verb = plan_verb(verb);
    step->disk = disk;
    if (step->verb == STEP_COUNT ||
        (disk >= s->ndisks && (disk || plan_verb_has_disk(step->verb))))
        return err_set(e, SNAP_NEEDS_USER, "%s: no such step as '%s' on disk "
                       "%zu", at.what, verb, step->disk);
    return 0;
}

static int parse_plan(json_object *o, const char *what, struct job *j,
                      struct err *e)
{
    struct json_at at = { what, "steps" }, top = { what, "" };
    json_object *arr;
    uint64_t commit;
    size_t i, n;

    if (json_arr(o, "steps", top, &arr, e))
        return -1;
    n = json_object_array_length(arr);
    if (n < 1 || n > MAX_STEPS ||
        json_u64(o, "commit", top, n - 1, &commit, e))
        return err_set(e, SNAP_NEEDS_USER, "%s: wrong steps", what);
    j->plan.steps = mem_zalloc(n, sizeof(*j->plan.steps));
    j->plan.n = n;
    j->plan.commit = commit;
    for (i = 0; i < n; i++)
        if (parse_step(json_object_array_get_idx(arr, i), at, &j->s,
                       &j->plan.steps[i], e))
            return -1;
    return 0;
}

int job_parse(json_object *o, const char *what, struct job *j,
              struct err *e)
{
    struct json_at top = { what, "" };
    const char *format, *op, *boot, *uuid, *domain, *unique, *cfg;
    json_object *s;
    uint64_t version, domid;
    int rc = -1;

    if (json_str(o, "format", top, &format, e) ||
        json_u64(o, "version", top, UINT32_MAX, &version, e) ||
        json_str(o, "operation", top, &op, e) ||
        json_u64(o, "domid", top, UINT32_MAX, &domid, e) ||
        json_obj(o, "snapshot", top, &s, e))
        goto out;
    for (j->op = 0; j->op < OP_COUNT; j->op++)
        if (!strcmp(op_names[j->op], op))
            break;
    if (j->op == OP_COUNT || strcmp(format, JOURNAL_FORMAT) ||
        version != JOURNAL_VERSION) {
        err_set(e, SNAP_NEEDS_USER, "%s: not a journal of this version",
                what);
        goto out;
    }
    j->domid = domid;
    j->paused = json_true(o, "paused");
    j->force = json_true(o, "force");
    j->retire = json_true(o, "retire");
    if (json_opt_str(o, "boot", top, &boot, e) ||
        json_opt_str(o, "uuid", top, &uuid, e) ||
        json_opt_str(o, "domain", top, &domain, e) ||
        json_opt_str(o, "unique", top, &unique, e) ||
        json_opt_str(o, "cfg", top, &cfg, e))
        goto out;
    if ((unique && !name_is_unique(unique)) ||
        (cfg && !record_path_is_safe(cfg)) ||
        (j->op == OP_IMPORT && (!unique || !cfg))) {
        err_set(e, SNAP_NEEDS_USER, "%s: 'unique' and 'cfg' are not what an "
                "import has", what);
        goto out;
    }
    j->boot = mem_strdup(boot);
    j->uuid = mem_strdup(uuid);
    j->domain = mem_strdup(domain);
    j->unique = mem_strdup(unique);
    j->cfg = mem_strdup(cfg);
    if (meta_parse(s, what, &j->s, e) || parse_plan(o, what, j, e))
        goto out;
    rc = 0;

out:
    if (rc) {
        e->status = SNAP_NEEDS_USER;
        job_free(j);
    }
    return rc;
}

void job_free(struct job *j)
{
    memory_close(j->memory);
    j->memory = NULL;
    disk_host_close(&j->host);
    while (j->nothers)
        meta_free(&j->others[--j->nothers]);
    free(j->others);
    j->others = NULL;
    store_free_names(j->children, j->nchildren);
    j->children = NULL;
    j->nchildren = 0;
    plan_free(&j->plan);
    meta_free(&j->s);
    json_object_put(j->notes);
    j->notes = NULL;
    free(j->domain);
    j->domain = NULL;
    free(j->uuid);
    j->uuid = NULL;
    free(j->unique);
    j->unique = NULL;
    free(j->cfg);
    j->cfg = NULL;
    free(j->cfg_text);
    j->cfg_text = NULL;
    free(j->boot);
    j->boot = NULL;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
