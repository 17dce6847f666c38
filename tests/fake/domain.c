/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot/xen/domain.h on the fake host (host.h), in place of libxl. */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.h"
#include "host.h"
#include "stream.h"
#include "snapshot/xen/domain.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/proc.h"

#define GUEST_KIB 8192
#define FREE_KIB (1u << 20)

void domain_init(void *libxl_ctx)
{
    (void)libxl_ctx;
}

static enum domain_state state_of(const struct vm *vm)
{
    enum domain_state s;

    for (s = DOMAIN_RUNNING; s < DOMAIN_SHUTDOWN; s++)
        if (!strcmp(domain_state_name(s), vm->state))
            return s;
    return DOMAIN_SHUTDOWN;
}

static int failed(struct err *e, uint32_t domid, const char *what)
{
    return err_set(e, SNAP_FAILED, "libxl cannot %s domain id %u: error -3",
                   what, domid);
}

/* Every call: under the host's lock, the files of the host not faulted. */
static int enter(void)
{
    fault_off(true);
    return host_lock();
}

static void leave(int lock)
{
    host_unlock(lock);
    fault_off(false);
}

static void fill(struct domain *d, const struct vm *vm)
{
    size_t i;

    d->domid = vm->domid;
    d->name = mem_strdup(vm->name);
    memcpy(d->uuid, vm->uuid, sizeof(d->uuid));
    d->type = "pv";
    d->confined = strstr(vm->name, ".stub") ? "runs in a stub domain" : NULL;
    d->state = state_of(vm);
    d->max_kib = d->used_kib = GUEST_KIB;
    d->config = vm_config(vm);
    d->ndisks = vm->ndisks;
    d->disks = mem_zalloc(vm->ndisks, sizeof(*d->disks));
    for (i = 0; i < vm->ndisks; i++) {
        const struct vm_disk *disk = &vm->disks[i];

        d->disks[i].vdev = mem_strdup(disk->vdev);
        d->disks[i].path = mem_strdup(disk->path);
        d->disks[i].format = strcmp(disk->format, "qcow2") ? "raw" : "qcow2";
        d->disks[i].backend = strcmp(disk->backend, "qdisk") ? "phy" :
                              "qdisk";
        d->disks[i].readonly = disk->readonly;
        d->disks[i].cdrom = disk->cdrom;
    }
}

/* True if the question gets no answer. */
static bool asks(const char *what)
{
    enum fault fault = fault_xen(what);

    fault_xen_after(fault);
    return fault != FAULT_NONE;
}

char *domain_name(const char *word)
{
    char *name = NULL;
    struct vm vm;
    int lock;

    if (asks("name"))
        return NULL;
    lock = enter();
    if (vm_find(word, &vm))
        name = mem_strdup(vm.name);
    vm_free(&vm);
    leave(lock);
    return name;
}

int domain_find(const char *name, struct domain *d, struct err *e)
{
    struct vm vm;
    bool found;
    int lock;

    memset(d, 0, sizeof(*d));
    if (asks("find"))
        return failed(e, 0, "look at");
    lock = enter();
    found = vm_find_name(name, &vm);
    if (found)
        fill(d, &vm);
    vm_free(&vm);
    leave(lock);
    return found;
}

int domain_look(const char *name, struct domain *d, struct err *e)
{
    struct domain all;
    int rc = domain_find(name, &all, e);

    memset(d, 0, sizeof(*d));
    d->domid = all.domid;
    memcpy(d->uuid, all.uuid, sizeof(d->uuid));
    d->state = all.state;
    domain_free(&all);
    return rc;
}

int domain_check(uint32_t domid, const char *uuid, bool *same_r,
                 enum domain_state *state_r, struct err *e)
{
    struct vm vm;
    int lock;

    *same_r = false;
    if (asks("check"))
        return failed(e, domid, "look at");
    lock = enter();
    if (vm_load(domid, &vm)) {
        *same_r = !strcmp(vm.uuid, uuid);
        *state_r = state_of(&vm);
    }
    vm_free(&vm);
    leave(lock);
    return 0;
}

static int put(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len) {
        ssize_t n = write(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int put_stream(int fd, uint64_t memory)
{
    struct stream_record *rec = mem_zalloc(1, sizeof(*rec));
    uint32_t page, i;
    int rc = 0;

    memcpy(rec->magic, STREAM_MAGIC, sizeof(rec->magic));
    rec->memory = memory;
    for (page = 0; !rc && page < VM_MEMORY / STREAM_PAGE; page++) {
        rec->page = page;
        for (i = 0; i < STREAM_WORDS; i++)
            rec->data[i] = stream_word(memory, page, i);
        rc = put(fd, rec, sizeof(*rec));
    }
    rec->type = STREAM_END;
    if (!rc)
        rc = put(fd, rec, sizeof(*rec));
    free(rec);
    return rc;
}

/* As libxl's helper does it, rounds without an end. */
static int put_rounds(int fd, uint64_t memory)
{
    int status = -1;
    pid_t pid = fork();

    if (!pid) {
        signal(SIGXFSZ, SIG_IGN);
        while (!put_stream(fd, memory))
            ;
        _exit(1);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status ? -1 : 0;
}

/* What keeps a domain of that name from being saved live. */
static int try_live(uint32_t domid, int fd)
{
    bool pv = false, busy = false;
    struct vm vm;
    int lock = enter();

    if (vm_load(domid, &vm)) {
        pv = strstr(vm.name, ".pv");
        busy = strstr(vm.name, ".busy");
    }
    vm_free(&vm);
    leave(lock);
    if (pv)
        return -1;
    return busy ? put_rounds(fd, 0) : 0;
}

/*
 * The domain goes into state "suspended" first and stays there if the stream
 * cannot be written, as libxl_domain_suspend() leaves it.
 */
int domain_suspend(uint32_t domid, int fd, bool live, struct err *e)
{
    enum fault fault = fault_xen("suspend");
    struct vm vm;
    int lock, rc = -1;

    if (fault == FAULT_ERROR || (live && try_live(domid, fd)))
        return failed(e, domid, "save the memory of");
    lock = enter();
    if (vm_load(domid, &vm) && !strcmp(vm.state, "running")) {
        vm_set_state(&vm, "suspended");
        rc = 0;
    }
    leave(lock);
    if (!rc) {
        fault_off(true);
        vm_wake_monitor(&vm);
        fault_off(false);
        rc = put_stream(fd, vm.memory);
    }
    vm_free(&vm);
    fault_xen_after(fault);
    return rc || fault == FAULT_LOST ?
           failed(e, domid, "save the memory of") : 0;
}

/* Moves a domain from one state to another; others are left alone. */
static int move(uint32_t domid, const char *what, const char *from,
                const char *to, struct err *e)
{
    enum fault fault = fault_xen(what);
    struct vm vm;
    int lock;

    if (fault == FAULT_ERROR)
        return failed(e, domid, what);
    lock = enter();
    /* A guest that was let run half-built crashes. */
    if (vm_load(domid, &vm) && !strcmp(vm.state, from))
        vm_set_state(&vm, vm.built ? to : "shutdown");
    vm_free(&vm);
    leave(lock);
    fault_xen_after(fault);
    return fault == FAULT_LOST ? failed(e, domid, what) : 0;
}

int domain_resume(uint32_t domid, bool paused, struct err *e)
{
    return move(domid, "resume", "suspended", paused ? "paused" : "running",
                e);
}

int domain_unpause(uint32_t domid, struct err *e)
{
    return move(domid, "unpause", "paused", "running", e);
}

int domain_destroy(uint32_t domid, struct err *e)
{
    enum fault fault = fault_xen("destroy");
    struct vm vm;
    bool found;
    int lock;

    if (fault == FAULT_ERROR)
        return failed(e, domid, "destroy");
    lock = enter();
    found = vm_load(domid, &vm);
    if (found)
        vm_destroy(&vm);
    leave(lock);
    if (found)
        vm_wake_monitor(&vm);
    vm_free(&vm);
    fault_xen_after(fault);
    return fault == FAULT_LOST ? failed(e, domid, "destroy") : 0;
}

/* As snapshot/xen/domain.c does it; the xl is the fake host's. */
static int restore(struct proc *p, struct err *e)
{
    const char *const argv[] = { "xl", "restore", "-p", "/dev/stdin", NULL };
    enum fault fault = fault_xen("restore");
    int rc;

    if (fault == FAULT_ERROR)
        return failed(e, 0, "restore");
    p->argv = argv;
    p->uninterruptible = true;
    rc = proc_run(p, e);
    free(p->out);
    fault_xen_after(fault);
    return fault == FAULT_LOST ? failed(e, 0, "restore") : rc;
}

int domain_restore(ssize_t (*source)(void *arg, void *buf, size_t len),
                   void *arg, struct err *e)
{
    struct proc p = { .source = source, .source_arg = arg };

    return restore(&p, e);
}

int domain_restore_file(int fd, struct err *e)
{
    struct proc p = { .input = &fd };

    return restore(&p, e);
}

int domain_create(const char *cfg, bool paused, struct err *e)
{
    const char *const argv[] = { "xl", "create", paused ? "-p" : "-q", cfg,
                                 NULL };
    struct proc p = { .argv = argv };
    int rc = proc_run(&p, e);

    free(p.out);
    return rc;
}

int domain_check_config(const char *json, struct err *e)
{
    struct vm vm;

    if (vm_from_config(json, &vm))
        return err_set(e, SNAP_FAILED, "libxl cannot read the domain "
                       "configuration in the snapshot");
    vm_free(&vm);
    return 0;
}

int domain_need_memory(const char *json, uint64_t *kib_r, struct err *e)
{
    (void)json;
    (void)e;
    *kib_r = GUEST_KIB;
    return 0;
}

int domain_free_memory(uint64_t *kib_r, struct err *e)
{
    (void)e;
    *kib_r = FREE_KIB;
    return 0;
}

uint64_t domain_used_kib(uint32_t domid)
{
    (void)domid;
    return 0;
}

char *domain_xen_version(void)
{
    return mem_strdup("4.17.fake");
}

char *domain_qmp_path(uint32_t domid)
{
    return host_path("run/qmp-%u", domid);
}

char *domain_of_uuid(const char *uuid)
{
    char *name = NULL;
    uint32_t *ids;
    size_t n, i;
    int lock = enter();

    ids = vm_list(&n);
    for (i = 0; i < n && !name; i++) {
        struct vm vm;

        if (vm_load(ids[i], &vm) && !strcasecmp(vm.uuid, uuid))
            name = mem_strdup(vm.name);
        vm_free(&vm);
    }
    free(ids);
    leave(lock);
    return name;
}

int domain_each_disk(int (*fn)(void *arg, const char *domain,
                               const struct domain_disk *disk),
                     void *arg, struct err *e)
{
    size_t n, i, k;
    uint32_t *ids;
    int lock, rc = 0;

    (void)e;
    lock = enter();
    ids = vm_list(&n);
    for (i = 0; i < n && !rc; i++) {
        struct domain d = { 0 };
        struct vm vm;

        if (vm_load(ids[i], &vm))
            fill(&d, &vm);
        for (k = 0; k < d.ndisks && !rc; k++)
            rc = fn(arg, d.name, &d.disks[k]);
        domain_free(&d);
        vm_free(&vm);
    }
    free(ids);
    leave(lock);
    return rc;
}

bool domain_has_process(const struct domain *d, pid_t pid)
{
    struct vm vm;
    bool has = false;
    int lock = enter();

    if (vm_load(d->domid, &vm))
        has = vm.qemu == pid;
    vm_free(&vm);
    leave(lock);
    return has;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
