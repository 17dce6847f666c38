/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * xl of the fake host: what xl-snapshot runs (restore), and what a test does
 * to the host and as the guest.  Also installed as fake-xen.
 *
 *   xl create <name> <vdev>=<image>[,cdrom|,ro]...      made, built and
 *                               running; a name with ".raw" is raw, with
 *                               ".phy" raw and phy
 *   xl destroy|pause|unpause <domain>
 *   xl shutdown <domain>        the guest powers off, and the monitor, if one
 *                               does its work, takes the domain away
 *   xl reboot <domain> [<ms>]   the guest reboots; with a time, this returns
 *                               when the name has become nobody's for as long
 *   xl rename <domain> <name>   the monitor keeps its log
 *   xl block-attach <domain> <vdev>=<image>
 *   xl block-detach <domain> <vdev>
 *   xl host-reboot              the machine loses its power
 *   xl up <domid>                           a saved record: QEMU and monitor
 *   xl list
 *   xl restore [-p] <file>
 *   xl boot <domain>            a guest just started finds its number on disk
 *   xl mend <domain>            it finds disks of several instants, and makes
 *                               one of them
 *   xl tick <domain> [<n>]      the guest runs for n ticks
 *   xl read <domain>            memory, then each disk's digest
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "host.h"
#include "spec.h"
#include "stream.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"

static int die(const char *what, const char *why)
{
    fprintf(stderr, "xl: %s: %s\n", what, why);
    return 1;
}

/* Takes the word away from the path's end. */
static bool has_option(char *path, const char *option)
{
    size_t len = strlen(path), n = strlen(option);

    if (len < n || strcmp(path + len - n, option))
        return false;
    path[len - n] = '\0';
    return true;
}

static void set_format(struct vm_disk *d)
{
    bool phy;

    d->cdrom = has_option(d->path, ",cdrom");
    d->readonly = has_option(d->path, ",ro") || d->cdrom;
    if (d->cdrom) {
        d->format = mem_strdup("raw");
        d->backend = mem_strdup("qdisk");
        return;
    }
    phy = strstr(d->path, ".phy");

    d->format = mem_strdup(phy || strstr(d->path, ".raw") ? "raw" : "qcow2");
    d->backend = mem_strdup(phy ? "phy" : "qdisk");
}

/* <vdev>=<image> */
static int parse_disk(const char *word, struct vm_disk *d)
{
    const char *path = strchr(word, '=');

    if (!path)
        return die(word, "a disk is <vdev>=<image>");
    d->vdev = mem_printf("%.*s", (int)(path - word), word);
    d->path = mem_strdup(path + 1);
    set_format(d);
    return 0;
}

/* From a line of a configuration: "KEY=VALUE,"; the rest of it for a target. */
static char *part_of(const char *line, const char *key)
{
    const char *at = strstr(line, key);

    if (!at)
        return NULL;
    at += strlen(key);
    return mem_printf("%.*s", (int)strcspn(at, strcmp(key, "target=") ? ",\"" :
                                               "\""), at);
}

static int create(int argc, char **argv);

/* Of the file that a clone or an import writes: its name and its disks. */
static int create_of_file(const char *path)
{
    char *words[2 + VM_DISKS] = { (char *)"create" }, line[4096];
    FILE *f = fopen(path, "r");
    int n = 2;

    if (!f)
        return die("create", "no such file");
    while (fgets(line, sizeof(line), f) && n < 2 + VM_DISKS) {
        char *vdev = part_of(line, "vdev="), *target = part_of(line, "target=");

        if (!strncmp(line, "name = \"", 8))
            words[1] = mem_printf("%.*s", (int)strcspn(line + 8, "\""),
                                  line + 8);
        if (vdev && target)
            words[n++] = mem_printf("%s=%s", vdev, target);
        free(vdev);
        free(target);
    }
    fclose(f);
    return create(n, words);
}

static int create(int argc, char **argv)
{
    struct vm vm = { 0 };
    int i, lock, rc;

    if (argc == 3 && argv[1][0] == '-')
        return create_of_file(argv[2]);
    if (argc < 2 || vm_find_name(argv[1], &vm))
        return die("create", "no name, or it exists");
    vm.name = mem_strdup(argv[1]);
    for (i = 2; i < argc && vm.ndisks < VM_DISKS; i++)
        if (parse_disk(argv[i], &vm.disks[vm.ndisks++]))
            return 1;
    lock = host_lock();
    vm_make(&vm, true);
    rc = vm_start_qemu(&vm);
    vm.built = true;
    if (!rc)
        vm_set_state(&vm, "running");
    host_unlock(lock);
    if (rc)
        return die("create", "QEMU does not start");
    vm_start_monitor(&vm);
    vm_free(&vm);
    return 0;
}

/* The record of the domain is there, its processes are not. */
static int up(const char *word)
{
    int lock = host_lock(), rc = -1;
    struct vm vm;

    if (vm_find(word, &vm))
        rc = vm_start_qemu(&vm);
    host_unlock(lock);
    if (rc)
        return die("up", "QEMU does not start");
    vm_start_monitor(&vm);
    vm_free(&vm);
    return 0;
}

static int take(int fd, void *buf, size_t len)
{
    char *p = buf;

    while (len) {
        ssize_t n = read(fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The header of xl's save file: its configuration, or NULL. */
static char *read_header(int fd)
{
    struct save_header hdr;
    uint32_t len;
    char *json;

    if (take(fd, &hdr, sizeof(hdr)) ||
        memcmp(hdr.magic, save_magic, sizeof(hdr.magic)) ||
        hdr.byteorder != SAVE_BYTEORDER || hdr.mandatory_flags != 3 ||
        take(fd, &len, sizeof(len)) || len > 1u << 20 ||
        hdr.optional_data_len != len + sizeof(len))
        return NULL;
    json = mem_zalloc(len + 1, 1);
    if (!take(fd, json, len) && len && !json[len - 1])
        return json;
    free(json);
    return NULL;
}

/* The guest's pages.  "half" of the fault ends the process on the way. */
static int read_memory(int fd, uint64_t *memory_r, const char *fault)
{
    struct stream_record rec;
    uint32_t page, n;

    for (n = 0; !take(fd, &rec, sizeof(rec)); n++) {
        if (memcmp(rec.magic, STREAM_MAGIC, sizeof(rec.magic)))
            return -1;
        if (rec.type == STREAM_END)
            return n == VM_MEMORY / STREAM_PAGE ? 0 : -1;
        if (rec.page != n)
            return -1;
        *memory_r = rec.memory;
        for (page = 0; page < STREAM_WORDS; page++)
            if (rec.data[page] != stream_word(rec.memory, n, page))
                return -1;
        if (n == VM_MEMORY / STREAM_PAGE / 2 && !strcmp(fault, "half"))
            _exit(1);
    }
    return -1;
}

static int build(struct vm *vm, int fd, const char *fault)
{
    int lock, rc = -1;

    if (read_memory(fd, &vm->memory, fault) || !strcmp(fault, "fail"))
        return -1;
    lock = host_lock();
    rc = vm_start_qemu(vm);
    vm->built = true;
    if (!rc)
        vm_save(vm);
    host_unlock(lock);
    return rc;
}

static int restore(int argc, char **argv)
{
    bool paused = argc > 2 && !strcmp(argv[1], "-p");
    const char *file = argv[paused ? 2 : 1], *fault;
    int fd = argc > 1 ? open(file, O_RDONLY | O_CLOEXEC) : -1, lock;
    char *json = fd >= 0 ? read_header(fd) : NULL;
    struct vm vm, other;
    bool clash;

    fault = spec_mode("xl", host_count("xl"), "restore");
    if (!strcmp(fault, "early"))
        return die("restore", "cannot allocate memory");
    if (!json || vm_from_config(json, &vm))
        return die("restore", "not a save file");
    lock = host_lock();
    clash = vm_find_name(vm.name, &other);
    if (!clash)
        vm_make(&vm, false);
    host_unlock(lock);
    if (clash)
        return die("restore", "a domain of that name exists");
    if (build(&vm, fd, fault)) {
        vm_destroy(&vm);
        return die("restore", "building the domain failed");
    }
    if (!strcmp(fault, "late"))
        return die("restore", "console failed");
    if (!paused)
        vm_set_state(&vm, "running");
    vm_start_monitor(&vm);
    free(json);
    return 0;
}

static int set_state(const char *word, const char *from, const char *to)
{
    int lock = host_lock(), rc = 0;
    struct vm vm;

    if (!vm_find(word, &vm) || strcmp(vm.state, from))
        rc = die(word, "not in the state for that");
    else
        vm_set_state(&vm, to);
    vm_free(&vm);
    host_unlock(lock);
    return rc;
}

static int destroy(const char *word)
{
    int lock = host_lock();
    struct vm vm;
    bool found = vm_find(word, &vm);

    pid_t qemu = vm.qemu;

    if (found)
        vm_destroy(&vm);
    host_unlock(lock);
    if (!found)
        return die(word, "there is no such domain");
    vm_await_qemu(qemu);
    vm_wake_monitor(&vm);
    vm_free(&vm);
    return 0;
}

static void set_gap(uint32_t domid, const char *ms)
{
    char *path = host_path("gap-%u", domid);
    FILE *f = fopen(path, "we");

    if (!f || fputs(ms, f) < 0 || fclose(f))
        abort();
    free(path);
}

static void wake(const struct vm *vm)
{
    if (process_is(vm->monitor, "xl"))
        kill(vm->monitor, SIGUSR1);
}

/* Until the domain is gone; false if it stays. */
static bool await_gone(uint32_t domid)
{
    uint64_t until = clock_ms() + 5000;
    struct vm vm;
    bool there;

    while ((there = vm_load(domid, &vm)) && clock_ms() < until) {
        vm_free(&vm);
        clock_sleep_ms(2);
    }
    vm_free(&vm);
    return !there;
}

/* For both, the monitor does it, if there is one that does its work. */

static int power_off(const char *word)
{
    struct vm vm;
    int rc = 0;

    if (!vm_find(word, &vm) || set_state(word, "running", "poweroff"))
        return 1;
    wake(&vm);
    if (await_gone(vm.domid))
        vm_await_qemu(vm.qemu);
    else
        rc = die("shutdown", "nobody took the domain away");
    vm_free(&vm);
    return rc;
}

static int reboot(const char *word, const char *gap)
{
    uint64_t until = clock_ms() + 5000;
    struct vm vm, now = { 0 };
    bool up = false;

    if (!vm_find(word, &vm))
        return 1;
    if (gap)
        set_gap(vm.domid, gap);
    if (set_state(word, "running", "reboot"))
        return 1;
    wake(&vm);
    if (gap)
        return await_gone(vm.domid) ? 0 : die("reboot", "nobody does it");
    while (!up && clock_ms() < until) {
        clock_sleep_ms(5);
        up = vm_find_name(vm.name, &now) && now.domid != vm.domid &&
             !strcmp(now.state, "running");
        vm_free(&now);
    }
    vm_free(&vm);
    return up ? 0 : die("reboot", "nobody started the domain again");
}

static int rename_domain(const char *word, const char *name)
{
    int lock = host_lock(), rc = 0;
    struct vm vm, other;

    if (!vm_find(word, &vm) || !*name || vm_find_name(name, &other)) {
        rc = die(word, "no such domain, or the name is in use");
    } else {
        free(vm.name);
        vm.name = mem_strdup(name);
        vm_save(&vm);
    }
    host_unlock(lock);
    return rc;
}

static int attach(const char *word, const char *disk)
{
    struct vm_disk d = { 0 };
    int lock, rc;
    struct vm vm;

    if (parse_disk(disk, &d))
        return 1;
    lock = host_lock();
    rc = vm_find(word, &vm) ? vm_attach(&vm, &d) :
         die(word, "there is no such domain");
    host_unlock(lock);
    return rc ? 1 : 0;
}

static int detach(const char *word, const char *vdev)
{
    int lock = host_lock(), rc;
    struct vm vm;

    rc = vm_find(word, &vm) ? vm_detach(&vm, vdev) :
         die(word, "there is no such domain");
    host_unlock(lock);
    return rc ? 1 : 0;
}

static int reboot_host(void)
{
    int lock = host_lock();

    host_reboot();
    host_unlock(lock);
    return 0;
}

static int list(void)
{
    size_t n, i;
    uint32_t *ids = vm_list(&n);
    struct vm vm;

    for (i = 0; i < n; i++)
        if (vm_load(ids[i], &vm)) {
            printf("%u %s %s %s %" PRIu64 "%s\n", vm.domid, vm.name, vm.uuid,
                   vm.state, vm.memory, vm.built ? "" : " half-built");
            vm_free(&vm);
        }
    free(ids);
    return 0;
}

static int tick(const char *word, const char *count)
{
    unsigned long n = count ? strtoul(count, NULL, 10) : 1;
    const char *why;

    while (n--)
        if (guest_tick(word, &why))
            return die(word, why);
    return 0;
}

static int read_back(const char *word)
{
    struct vm vm;
    uint64_t sum;
    size_t i;

    if (!vm_find(word, &vm))
        return die(word, "there is no such domain");
    printf("memory %" PRIu64 "\n", vm.memory);
    for (i = 0; i < vm.ndisks; i++) {
        if (guest_digest(&vm, i, &sum))
            return die(word, "a disk cannot be read");
        printf("%s %016" PRIx64 "\n", vm.disks[i].vdev, sum);
    }
    vm_free(&vm);
    return 0;
}

int main(int argc, char **argv)
{
    const char *why;
    const char *verb = argc > 1 ? argv[1] : "";
    const char *word = argc > 2 ? argv[2] : "";

    /* The monitor is found by the kernel's name of the program. */
    prctl(PR_SET_NAME, "xl");
    if (!strcmp(verb, "create"))
        return create(argc - 1, argv + 1);
    if (!strcmp(verb, "restore"))
        return restore(argc - 1, argv + 1);
    if (!strcmp(verb, "destroy"))
        return destroy(word);
    if (!strcmp(verb, "pause"))
        return set_state(word, "running", "paused");
    if (!strcmp(verb, "unpause"))
        return set_state(word, "paused", "running");
    if (!strcmp(verb, "shutdown"))
        return power_off(word);
    if (!strcmp(verb, "reboot"))
        return reboot(word, argc > 3 ? argv[3] : NULL);
    if (!strcmp(verb, "rename"))
        return rename_domain(word, argc > 3 ? argv[3] : "");
    if (!strcmp(verb, "block-attach"))
        return attach(word, argc > 3 ? argv[3] : "");
    if (!strcmp(verb, "block-detach"))
        return detach(word, argc > 3 ? argv[3] : "");
    if (!strcmp(verb, "host-reboot"))
        return reboot_host();
    if (!strcmp(verb, "up"))
        return up(word);
    if (!strcmp(verb, "list"))
        return list();
    if (!strcmp(verb, "tick"))
        return tick(word, argc > 3 ? argv[3] : NULL);
    if (!strcmp(verb, "boot"))
        return guest_boot(word, &why) ? die(word, why) : 0;
    if (!strcmp(verb, "mend"))
        return guest_mend(word, &why) ? die(word, why) : 0;
    if (!strcmp(verb, "read"))
        return read_back(word);
    fprintf(stderr, "usage: see the top of tests/fake/xl.c\n");
    return 2;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
