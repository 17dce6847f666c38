/* SPDX-License-Identifier: LGPL-2.1-only */

/* Disks of the fake host that come and go while the guest runs. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "snapshot/qemu/qmp.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/err.h"
#include "snapshot/sys/mem.h"

#define GONE_MS 5000

static struct qmp *connect_qemu(const struct vm *vm)
{
    char *path = host_path("run/qmp-%u", vm->domid);
    struct err e = { 0 };
    struct qmp *q;

    if (qmp_open(path, &q, &e))
        fprintf(stderr, "xl: %s\n", e.text);
    free(path);
    return q;
}

/* As libxl: what QEMU says to it is in a log that nobody reads. */
static void tell(struct qmp *q, const char *command, json_object *args)
{
    struct err e = { 0 };

    if (qmp_run(q, command, args, NULL, &e))
        fprintf(stderr, "xl: note: QEMU: %s\n", e.text);
}

static json_object *one(const char *key, const char *value)
{
    json_object *o = json_object_new_object();

    json_add_str(o, key, value);
    return o;
}

static bool has_export(struct qmp *q, const char *id)
{
    json_object *list = NULL, *v;
    struct err e = { 0 };
    bool found = false;
    size_t i;

    if (qmp_run(q, "query-block-exports", NULL, &list, &e))
        list = NULL;
    for (i = 0; list && i < json_object_array_length(list); i++)
        if (json_object_object_get_ex(json_object_array_get_idx(list, i),
                                      "id", &v) &&
            !strcmp(json_object_get_string(v), id))
            found = true;
    json_object_put(list);
    return found;
}

int vm_detach(struct vm *vm, const char *vdev)
{
    uint64_t until = clock_ms() + GONE_MS;
    struct qmp *q;
    json_object *args;
    char *node;
    size_t i;

    for (i = 0; i < vm->ndisks && strcmp(vm->disks[i].vdev, vdev); i++)
        ;
    q = i < vm->ndisks ? connect_qemu(vm) : NULL;
    if (!q)
        return -1;
    args = one("id", vdev);
    json_add_str(args, "mode", "hard");
    tell(q, "block-export-del", args);
    while (has_export(q, vdev) && clock_ms() < until)
        clock_sleep_ms(1);
    node = mem_printf("%s-%s", vdev, vm->disks[i].format);
    tell(q, "blockdev-del", one("node-name", node));
    free(node);
    qmp_close(q);
    vm->ndisks--;
    memmove(&vm->disks[i], &vm->disks[i + 1],
            (vm->ndisks - i) * sizeof(vm->disks[0]));
    vm_save(vm);
    return 0;
}

static json_object *node_args(const struct vm_disk *d, const char *node)
{
    json_object *o = one("driver", d->format), *file = one("driver", "file");

    json_add_str(o, "node-name", node);
    json_add_str(file, "filename", d->path);
    json_add_str(file, "locking", "off");
    json_object_object_add(o, "file", file);
    return o;
}

int vm_attach(struct vm *vm, const struct vm_disk *d)
{
    struct qmp *q = vm->ndisks < VM_DISKS ? connect_qemu(vm) : NULL;
    json_object *args;
    char *node;

    if (!q)
        return -1;
    node = mem_printf("%s-%s", d->vdev, d->format);
    tell(q, "blockdev-add", node_args(d, node));
    args = one("type", "nbd");
    json_add_str(args, "id", d->vdev);
    json_add_str(args, "node-name", node);
    json_add_str(args, "name", d->vdev);
    json_add_bool(args, "writable", true);
    tell(q, "block-export-add", args);
    free(node);
    qmp_close(q);
    vm->disks[vm->ndisks++] = *d;
    vm_save(vm);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
