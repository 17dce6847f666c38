/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A host that plays Xen for the tests: domains whose state outlives every
 * process, in the directory FAKE_XEN_DIR, with real qcow2 images that a real
 * qemu-storage-daemon holds while the domain exists.
 *
 *   dom/<domid>.json     one domain; replaced by a rename, so that a process
 *                        killed at any moment leaves a sane hypervisor
 *   run/qmp-<domid>      the monitor of its QEMU
 *   run/nbd-<domid>      its disks, as the guest sees them
 *   log/xl-<name>.log    stdout of its xl monitor (monitor.h)
 *   gap-<domid>          ms in which a rebooting domain is nobody's
 *   boot_id              once the host was booted anew
 *   store/               what takes the place of /var/lib/xen/snapshots
 *
 * The guest's memory is one number.  guest_tick() is the guest running: it
 * compares the number with what each disk holds and moves all on by one, so
 * memory and disks that are not of one instant are noticed at once.
 */

#ifndef FAKE_HOST_H
#define FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "snapshot/sys/json.h"

#define VM_DISKS 16
/* Bytes of recognisable data in a save stream: more than any pipe takes. */
#define VM_MEMORY (3u << 20)

struct vm_disk {
    char *vdev, *path, *format, *backend;
    bool readonly, cdrom;
};

struct vm {
    uint32_t domid;
    char *name;
    char uuid[37];
    /* running paused suspended shutdown poweroff reboot */
    char *state;
    bool built;             /* false: a restore is not through with it */
    uint64_t memory;
    pid_t qemu, monitor;
    struct vm_disk disks[VM_DISKS];
    size_t ndisks;
};

/* Path below FAKE_XEN_DIR; the caller's to free. */
char *host_path(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * How often programs of this name ran, this time included: one byte each in
 * FAKE_XEN_DIR/<name>, which a test removes before each command.
 */
unsigned host_count(const char *name);
/* One hypercall at a time; the lock dies with its process. */
int host_lock(void);
void host_unlock(int lock);

/* By name, or by id if the word is digits.  All of them end the process if
 * the host is broken. */
bool vm_find(const char *word, struct vm *vm);
bool vm_find_name(const char *name, struct vm *vm);
bool vm_load(uint32_t domid, struct vm *vm);
/* Ids of all domains; the caller's to free. */
uint32_t *vm_list(size_t *n_r);
void vm_save(const struct vm *vm);
void vm_set_state(struct vm *vm, const char *state);
void vm_free(struct vm *vm);

/* A new paused domain without memory; its id and uuid are filled in. */
void vm_make(struct vm *vm, bool new_uuid);
/* Its QEMU opens the images.  -1 if it does not start. */
int vm_start_qemu(struct vm *vm);
/*
 * Its xl monitor, made from this process, which must be xl (xl.c).  Not under
 * the host's lock: it would inherit that.
 */
void vm_start_monitor(struct vm *vm);
/*
 * After the domain was suspended or destroyed: the monitor ends, unless it is
 * stopped.  Not under the host's lock.
 */
void vm_wake_monitor(const struct vm *vm);
/* QEMU gets SIGTERM and is not waited for, as libxl does it. */
void vm_destroy(struct vm *vm);
/* Until that QEMU has closed its images. */
void vm_await_qemu(pid_t qemu);

/*
 * The machine loses its power: no domain, no QEMU and no monitor is left, and
 * the boot is another one.  Under the host's lock.
 */
void host_reboot(void);

/*
 * xl block-attach and block-detach.  As with the real ones, QEMU may keep a
 * detached disk open, and "attached" means that it was asked for.
 */
int vm_attach(struct vm *vm, const struct vm_disk *disk);
int vm_detach(struct vm *vm, const char *vdev);

/* libxl's JSON of the configuration, and back. */
char *vm_config(const struct vm *vm);
int vm_from_config(const char *json, struct vm *vm);

/* Is the process there, not a zombie, and of that name (15 letters)? */
bool process_is(pid_t pid, const char *name);
/* Letter of its state, 0 if it is gone. */
char process_letter(pid_t pid);

/* guest.c: -1 with a reason if the guest does not run or finds damage. */
int guest_tick(const char *word, const char **why_r);
/* Memory gets the number of the first disk. */
int guest_boot(const char *word, const char **why_r);
/*
 * What a guest that boots makes of disks of several instants, which it does
 * not notice: memory and all disks get one number, above all that they have.
 */
int guest_mend(const char *word, const char **why_r);
/* XXH3 of the whole content of a disk. */
int guest_digest(const struct vm *vm, size_t disk, uint64_t *sum_r);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
