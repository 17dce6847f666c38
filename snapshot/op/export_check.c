/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads a finished export, and says whether it is what was exported. */

#include <stdlib.h>
#include <unistd.h>

#include "op/exported.h"
#include "op/exported_disk.h"
#include "op/serve.h"
#include "snapshot.h"
#include "store/manifest.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/report.h"

struct check {
    const struct snap_env *env;
    struct exported x;
    char run[SERVE_DIR_LEN];
    uint64_t done, total;       /* bytes */
};

static int check_content(struct check *c, const struct manifest_disk *d,
                         struct err *e)
{
    struct exported_disk disk;
    const void *data;
    size_t len;
    int rc = exported_disk_open(&c->x, d, c->run, &disk, e);

    while (!rc && !(rc = exported_disk_next(&disk, &data, &len, e)) && len) {
        c->done += len;
        report_progress(c->env->rep, "check", c->done, c->total);
    }
    exported_disk_close(&disk);
    return rc;
}

static int check_disk(struct check *c, const struct manifest_disk *d,
                      struct err *e)
{
    char *name = manifest_image_name(d);
    int rc = exported_check_file(&c->x, name, &d->image, e);

    free(name);
    if (rc)
        return -1;
    return check_content(c, d, e);
}

static int check_all(struct check *c, struct err *e)
{
    struct err problems = { 0 }, one;
    const struct manifest *m = &c->x.m;
    size_t i;

    /* QEMU is not given what is not what it says. */
    if (exported_check_chain(&c->x, 0, e) || serve_make_dir(c->run, e))
        return -1;
    if (m->memory.sha256 &&
        exported_check_file(&c->x, manifest_memory_name(m), &m->memory, &one))
        err_join(&problems, &one);
    for (i = 0; i < m->ndisks; i++)
        c->total += m->disks[i].virtual_size;
    for (i = 0; i < m->ndisks; i++)
        if (check_disk(c, &m->disks[i], &one))
            err_join(&problems, &one);
    report_progress(c->env->rep, "check", 1, 1);
    if (problems.status == SNAP_OK)
        return 0;
    *e = problems;
    return -1;
}

int snap_export_check(const struct snap_env *env, const char *dir,
                      struct err *e)
{
    struct check c = { .env = env };
    int rc;

    if (interrupt_catch(e) || exported_open(dir, &c.x, e))
        return -1;
    rc = check_all(&c, e);
    if (c.run[0])
        rmdir(c.run);
    exported_close(&c.x);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
