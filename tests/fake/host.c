/* SPDX-License-Identifier: LGPL-2.1-only */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"

#define QEMU "qemu-storage-daemon"
#define QEMU_COMM "qemu-storage-da"     /* the kernel keeps 15 letters */
#define WAKE_MS 2000

static void broken(const char *what)
{
    fprintf(stderr, "fake host: %s: %s\n", what, strerror(errno));
    abort();
}

char *host_path(const char *fmt, ...)
{
    const char *dir = getenv("FAKE_XEN_DIR");
    char *tail = NULL, *path;
    va_list ap;

    if (!dir || dir[0] != '/') {
        fputs("fake host: FAKE_XEN_DIR is not set\n", stderr);
        exit(70);
    }
    va_start(ap, fmt);
    if (vasprintf(&tail, fmt, ap) < 0)
        abort();
    va_end(ap);
    path = mem_printf("%s/%s", dir, tail);
    free(tail);
    return path;
}

unsigned host_count(const char *name)
{
    char *path = host_path("%s", name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    struct stat st;

    if (fd < 0 || write(fd, ".", 1) != 1 || fstat(fd, &st))
        abort();
    close(fd);
    free(path);
    return (unsigned)st.st_size;
}

static void make_dirs(void)
{
    static const char *const dirs[] = { "dom", "run", "log" };
    size_t i;

    for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
        char *path = host_path("%s", dirs[i]);

        if (mkdir(path, 0700) && errno != EEXIST)
            broken(path);
        free(path);
    }
}

int host_lock(void)
{
    char *path = host_path("host.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0 || flock(fd, LOCK_EX))
        broken(path);
    free(path);
    return fd;
}

void host_unlock(int lock)
{
    close(lock);
}

char process_letter(pid_t pid)
{
    char path[64], buf[256], *p;
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = pid > 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return 0;
    n = read(fd, buf, sizeof(buf) - 1);
    close(fd);
    if (n <= 0)
        return 0;
    buf[n] = '\0';
    p = strrchr(buf, ')');
    return p ? p[2] : 0;
}

bool process_is(pid_t pid, const char *name)
{
    char path[64], comm[32] = "";
    char letter = process_letter(pid);
    FILE *f;

    if (!letter || letter == 'Z' || letter == 'X')
        return false;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    f = fopen(path, "re");
    if (f && !fgets(comm, sizeof(comm), f))
        comm[0] = '\0';
    if (f)
        fclose(f);
    comm[strcspn(comm, "\n")] = '\0';
    return !strcmp(comm, name);
}

static char *slurp(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text;
    size_t n;

    if (!f)
        return NULL;
    text = mem_zalloc(1, 65536);
    n = fread(text, 1, 65535, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void write_file(const char *path, const char *text)
{
    char *tmp = mem_printf("%s.tmp%d", path, (int)getpid());
    FILE *f = fopen(tmp, "we");

    if (!f || fputs(text, f) < 0 || fclose(f) || rename(tmp, path))
        broken(path);
    free(tmp);
}

static char *member(json_object *o, const char *key)
{
    json_object *v;

    if (!json_object_object_get_ex(o, key, &v))
        return mem_strdup("");
    return mem_strdup(json_object_get_string(v));
}

static int64_t number(json_object *o, const char *key)
{
    json_object *v;

    return json_object_object_get_ex(o, key, &v) ?
           json_object_get_int64(v) : 0;
}

static json_object *disks_to_json(const struct vm *vm)
{
    json_object *arr = json_object_new_array();
    size_t i;

    for (i = 0; i < vm->ndisks; i++) {
        const struct vm_disk *d = &vm->disks[i];
        json_object *o = json_object_new_object();

        json_add_str(o, "pdev_path", d->path);
        json_add_str(o, "vdev", d->vdev);
        json_add_str(o, "backend", d->backend);
        json_add_str(o, "format", d->format);
        json_add_bool(o, "is_cdrom", d->cdrom);
        json_add_bool(o, "readwrite", !d->readonly);
        json_object_array_add(arr, o);
    }
    return arr;
}

static void disks_from_json(json_object *arr, struct vm *vm)
{
    size_t i;

    vm->ndisks = json_object_array_length(arr);
    if (vm->ndisks > VM_DISKS)
        vm->ndisks = VM_DISKS;
    for (i = 0; i < vm->ndisks; i++) {
        json_object *o = json_object_array_get_idx(arr, i);
        struct vm_disk *d = &vm->disks[i];

        d->path = member(o, "pdev_path");
        d->vdev = member(o, "vdev");
        d->backend = member(o, "backend");
        d->format = member(o, "format");
        d->cdrom = json_true(o, "is_cdrom");
        d->readonly = !json_true(o, "readwrite");
    }
}

char *vm_config(const struct vm *vm)
{
    json_object *o = json_object_new_object();
    json_object *c = json_object_new_object();
    char *text;

    json_add_str(c, "type", "pv");
    json_add_str(c, "name", vm->name);
    json_add_str(c, "uuid", vm->uuid);
    json_object_object_add(o, "c_info", c);
    json_object_object_add(o, "disks", disks_to_json(vm));
    text = mem_strdup(json_object_to_json_string(o));
    json_object_put(o);
    return text;
}

int vm_from_config(const char *json, struct vm *vm)
{
    json_object *o = json_tokener_parse(json), *c, *disks;
    char *uuid;
    int rc = -1;

    memset(vm, 0, sizeof(*vm));
    if (!json_object_is_type(o, json_type_object) ||
        !json_object_object_get_ex(o, "c_info", &c) ||
        !json_object_object_get_ex(o, "disks", &disks) ||
        !json_object_is_type(disks, json_type_array))
        goto out;
    vm->name = member(c, "name");
    uuid = member(c, "uuid");
    snprintf(vm->uuid, sizeof(vm->uuid), "%s", uuid);
    free(uuid);
    disks_from_json(disks, vm);
    rc = vm->name[0] ? 0 : -1;

out:
    json_object_put(o);
    if (rc)
        vm_free(vm);
    return rc;
}

bool vm_load(uint32_t domid, struct vm *vm)
{
    char *path = host_path("dom/%u.json", domid), *text = slurp(path);
    json_object *o = text ? json_tokener_parse(text) : NULL;
    char *config;

    memset(vm, 0, sizeof(*vm));
    free(path);
    free(text);
    if (!o)
        return false;
    config = member(o, "config");
    if (vm_from_config(config, vm))
        broken("configuration");
    free(config);
    vm->domid = domid;
    vm->state = member(o, "state");
    vm->built = json_true(o, "built");
    vm->memory = (uint64_t)number(o, "memory");
    vm->qemu = (pid_t)number(o, "qemu");
    vm->monitor = (pid_t)number(o, "monitor");
    json_object_put(o);
    return true;
}

void vm_save(const struct vm *vm)
{
    json_object *o = json_object_new_object();
    char *path = host_path("dom/%u.json", vm->domid);
    char *config = vm_config(vm);

    json_add_str(o, "state", vm->state);
    json_add_bool(o, "built", vm->built);
    json_add_u64(o, "memory", vm->memory);
    json_add_u64(o, "qemu", (uint64_t)vm->qemu);
    json_add_u64(o, "monitor", (uint64_t)vm->monitor);
    json_add_str(o, "config", config);
    write_file(path, json_object_to_json_string(o));
    json_object_put(o);
    free(config);
    free(path);
}

void vm_set_state(struct vm *vm, const char *state)
{
    free(vm->state);
    vm->state = mem_strdup(state);
    vm_save(vm);
}

void vm_free(struct vm *vm)
{
    size_t i;

    for (i = 0; i < vm->ndisks; i++) {
        free(vm->disks[i].vdev);
        free(vm->disks[i].path);
        free(vm->disks[i].format);
        free(vm->disks[i].backend);
    }
    free(vm->name);
    free(vm->state);
    memset(vm, 0, sizeof(*vm));
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

uint32_t *vm_list(size_t *n_r)
{
    char *path = host_path("dom");
    uint32_t *ids = NULL;
    struct dirent *de;
    DIR *dir;

    make_dirs();
    dir = opendir(path);
    *n_r = 0;
    if (!dir)
        broken(path);
    while ((de = readdir(dir))) {
        size_t digits = strspn(de->d_name, "0123456789");

        if (!digits || strcmp(de->d_name + digits, ".json"))
            continue;
        ids = mem_grow(ids, *n_r + 1, sizeof(*ids));
        ids[(*n_r)++] = (uint32_t)strtoul(de->d_name, NULL, 10);
    }
    closedir(dir);
    free(path);
    if (*n_r)
        qsort(ids, *n_r, sizeof(*ids), by_id);
    return ids;
}

bool vm_find(const char *word, struct vm *vm)
{
    if (*word && strspn(word, "0123456789") == strlen(word))
        return vm_load((uint32_t)strtoul(word, NULL, 10), vm);
    return vm_find_name(word, vm);
}

bool vm_find_name(const char *name, struct vm *vm)
{
    size_t n, i;
    uint32_t *ids;
    bool found = false;

    ids = vm_list(&n);
    for (i = 0; i < n && !found; i++) {
        if (!vm_load(ids[i], vm))
            continue;
        found = !strcmp(vm->name, name);
        if (!found)
            vm_free(vm);
    }
    free(ids);
    if (!found)
        memset(vm, 0, sizeof(*vm));
    return found;
}

static uint32_t next_domid(void)
{
    char *path = host_path("next"), *text = slurp(path);
    uint32_t id = text ? (uint32_t)strtoul(text, NULL, 10) : 1;
    char *next = mem_printf("%u\n", id + 1);

    write_file(path, next);
    free(next);
    free(text);
    free(path);
    return id;
}

void vm_make(struct vm *vm, bool new_uuid)
{
    make_dirs();
    vm->domid = next_domid();
    /* Unlike any other: the id is never used again on this host. */
    if (new_uuid)
        snprintf(vm->uuid, sizeof(vm->uuid),
                 "00000000-0000-4000-8000-%012x", vm->domid);
    vm->built = false;
    vm_set_state(vm, "paused");
}

/* "fd 1 is the log" and nothing inherited, as a daemon of Xen's. */
static void become_daemon(const char *log, bool close_all)
{
    int null = open("/dev/null", O_RDWR), fd;
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (null < 0 || out < 0)
        _exit(70);
    setsid();
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    close(null);
    close(out);
    for (fd = 3; close_all && fd < 1024; fd++)
        close(fd);
}

static char **qemu_argv(const struct vm *vm)
{
    char **argv = mem_zalloc(16 + 6 * vm->ndisks, sizeof(*argv));
    size_t n = 0, i;

    argv[n++] = mem_strdup(QEMU);
    for (i = 0; i < vm->ndisks; i++) {
        const struct vm_disk *d = &vm->disks[i];
        const char *ro = d->readonly ? "on" : "off";

        /* As QEMU's xen-block: the file follows when the node is reopened. */
        argv[n++] = mem_strdup("--blockdev");
        argv[n++] = mem_printf("driver=%s,node-name=%s-%s,file.driver=file,"
                               "file.filename=%s,file.locking=off,"
                               "read-only=%s", d->format, d->vdev, d->format,
                               d->path, ro);
    }
    argv[n++] = mem_strdup("--chardev");
    argv[n++] = host_path("run/qmp-%u,server=on,wait=off,id=qmp", vm->domid);
    argv[n - 1] = mem_printf("socket,path=%s", argv[n - 1]);
    argv[n++] = mem_strdup("--monitor");
    argv[n++] = mem_strdup("chardev=qmp");
    argv[n++] = mem_strdup("--nbd-server");
    argv[n++] = host_path("run/nbd-%u", vm->domid);
    argv[n - 1] = mem_printf("addr.type=unix,addr.path=%s", argv[n - 1]);
    for (i = 0; i < vm->ndisks; i++) {
        const struct vm_disk *d = &vm->disks[i];

        argv[n++] = mem_strdup("--export");
        argv[n++] = mem_printf("type=nbd,id=%s,node-name=%s-%s,name=%s,"
                               "writable=%s", d->vdev, d->vdev, d->format,
                               d->vdev, d->readonly ? "off" : "on");
    }
    argv[n++] = mem_strdup("--daemonize");
    argv[n++] = mem_strdup("--pidfile");
    argv[n++] = host_path("run/pid-%u", vm->domid);
    return argv;
}

int vm_start_qemu(struct vm *vm)
{
    char **argv = qemu_argv(vm);
    char *log = host_path("log/qemu-%s.log", vm->name);
    char *pidfile = host_path("run/pid-%u", vm->domid), *text;
    int status = -1, i;
    pid_t pid = fork();

    if (pid == 0) {
        become_daemon(log, true);
        execvp(argv[0], argv);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    text = status ? NULL : slurp(pidfile);
    if (text) {
        vm->qemu = (pid_t)strtol(text, NULL, 10);
        vm_save(vm);
    }
    for (i = 0; argv[i]; i++)
        free(argv[i]);
    free(argv);
    free(text);
    free(pidfile);
    free(log);
    return vm->qemu > 0 ? 0 : -1;
}

void vm_await_qemu(pid_t qemu)
{
    uint64_t until = clock_ms() + WAKE_MS;

    while (process_is(qemu, QEMU_COMM) && clock_ms() < until)
        clock_sleep_ms(1);
}

/* How long the name is nobody's in this reboot: xl sleeps there. */
static void sleep_gap(uint32_t domid)
{
    char *path = host_path("gap-%u", domid), *text = slurp(path);

    if (text)
        clock_sleep_ms((unsigned)strtoul(text, NULL, 10));
    unlink(path);
    free(text);
    free(path);
}

/* What xl's monitor writes (tools/xl/xl_vmcontrol.c). */
static void log_waits(const struct vm *vm)
{
    printf("Waiting for domain %s (domid %u) to die [pid %ld]\n", vm->name,
           vm->domid, (long)getpid());
    fflush(stdout);
}

static void log_death(uint32_t domid, int reason, const char *action,
                      const char *done)
{
    printf("Domain %u has shut down, reason code %d 0x%x\n"
           "Action for shutdown reason code %d is %s\n"
           "Domain %u needs to be cleaned up: destroying the domain\n"
           "Done. %s now\n", domid, reason, (unsigned)reason, reason,
           action, domid, done);
    fflush(stdout);
}

/* After a reboot: a new domain.  Its id. */
static uint32_t start_again(struct vm *vm)
{
    int lock = host_lock();
    pid_t qemu = vm->qemu;
    uint32_t old = vm->domid;

    log_death(old, 1, "restart", "Rebooting");
    vm_destroy(vm);
    host_unlock(lock);
    vm_await_qemu(qemu);
    sleep_gap(old);
    lock = host_lock();
    vm_make(vm, true);
    vm->monitor = getpid();
    vm->memory = 0;
    vm->built = true;
    if (!vm_start_qemu(vm))
        vm_set_state(vm, "running");
    host_unlock(lock);
    log_waits(vm);
    return vm->domid;
}

static void power_off(struct vm *vm)
{
    int lock = host_lock();

    log_death(vm->domid, 0, "destroy", "Exiting");
    vm_destroy(vm);
    host_unlock(lock);
}

/*
 * Does what xl's monitor does (tools/xl/xl_vmcontrol.c): ends when it sees
 * the domain suspended or gone, starts it again after a reboot, takes away
 * one that was powered off.
 */
static void watch(uint32_t domid, const sigset_t *signals)
{
    static const struct timespec often = { 1, 0 };
    struct vm vm;

    if (vm_load(domid, &vm))
        log_waits(&vm);
    vm_free(&vm);
    /*
     * Only what ends the domain takes the lock: this process may be stopped
     * at any other time.
     */
    for (;;) {
        bool there = vm_load(domid, &vm);
        bool ends = !there || !strcmp(vm.state, "suspended");

        if (there && !strcmp(vm.state, "reboot"))
            domid = start_again(&vm);
        if (there && !strcmp(vm.state, "poweroff"))
            power_off(&vm);
        if (there && !strcmp(vm.state, "suspended"))
            printf("Domain has suspended.\nDone. Exiting now\n");
        fflush(stdout);
        vm_free(&vm);
        if (ends)
            _exit(0);
        sigtimedwait(signals, NULL, &often);
    }
}

/* Two forks: nobody's child, as a daemon is. */
void vm_start_monitor(struct vm *vm)
{
    char *log = host_path("log/xl-%s.log", vm->name);
    sigset_t signals;
    pid_t pid;
    int up[2];

    if (pipe2(up, O_CLOEXEC))
        broken("pipe");
    pid = fork();
    if (pid == 0) {
        /* xl's keeps what it inherits open: a lock would live on in it. */
        become_daemon(log, false);
        pid = fork();
        if (pid)
            _exit(0);
        /* Blocked before anyone knows the process: no wake is lost. */
        sigemptyset(&signals);
        sigaddset(&signals, SIGUSR1);
        sigprocmask(SIG_SETMASK, &signals, NULL);
        log_waits(vm);
        pid = getpid();
        if (write(up[1], &pid, sizeof(pid)) != sizeof(pid))
            _exit(70);
        close(up[0]);
        close(up[1]);
        watch(vm->domid, &signals);
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(up[1]);
    if (read(up[0], &vm->monitor, sizeof(vm->monitor)) !=
        sizeof(vm->monitor))
        broken("monitor");
    close(up[0]);
    vm_save(vm);
    free(log);
}

void vm_wake_monitor(const struct vm *vm)
{
    uint64_t until = clock_ms() + WAKE_MS;

    if (!process_is(vm->monitor, "xl"))
        return;
    kill(vm->monitor, SIGUSR1);
    while (process_is(vm->monitor, "xl") &&
           process_letter(vm->monitor) != 'T' && clock_ms() < until)
        clock_sleep_ms(1);
}

void vm_destroy(struct vm *vm)
{
    char *path = host_path("dom/%u.json", vm->domid);

    if (process_is(vm->qemu, QEMU_COMM))
        kill(vm->qemu, SIGTERM);
    unlink(path);
    free(path);
    vm->qemu = 0;
}

static void end_process(pid_t pid, const char *name, int sig)
{
    uint64_t until = clock_ms() + WAKE_MS;

    if (!process_is(pid, name))
        return;
    kill(pid, sig);
    while (process_is(pid, name) && clock_ms() < until)
        clock_sleep_ms(1);
}

static void new_boot_id(void)
{
    char *path = host_path("boot_id"), *old = slurp(path), *id;

    id = mem_printf("00000000-0000-4000-9000-%012lx\n",
                    old ? strtoul(old + 24, NULL, 16) + 1 : 1);
    write_file(path, id);
    free(id);
    free(old);
    free(path);
}

void host_reboot(void)
{
    size_t n, i;
    uint32_t *ids = vm_list(&n);
    struct vm vm;

    for (i = 0; i < n; i++) {
        char *path = host_path("dom/%u.json", ids[i]);

        if (vm_load(ids[i], &vm)) {
            end_process(vm.monitor, "xl", SIGKILL);
            /*
             * It may write what it has in its caches: it has no human monitor
             * by which the engine has it flushed (fault.c).
             */
            end_process(vm.qemu, QEMU_COMM, SIGTERM);
            end_process(vm.qemu, QEMU_COMM, SIGKILL);
            vm_free(&vm);
        }
        unlink(path);
        free(path);
    }
    free(ids);
    new_boot_id();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
