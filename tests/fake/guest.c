/* SPDX-License-Identifier: LGPL-2.1-only */

#include <errno.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "host.h"
#include "snapshot/sys/mem.h"

/*
 * The guest's side of a disk: a client of NBD (NetworkBlockDevice/nbd,
 * doc/proto.md) with the old way to open an export.
 */

#define NBD_OPT_EXPORT_NAME 1u
#define NBD_NO_ZEROES 3u        /* and fixed newstyle */
#define NBD_REQUEST 0x25609513u
#define NBD_REPLY 0x67446698u
enum { NBD_READ, NBD_WRITE, NBD_DISC, NBD_FLUSH };

#define BLOCK 4096u
#define READ_CHUNK (1u << 20)

struct nbd {
    int fd;
    uint64_t size;
};

static int all(int fd, void *buf, size_t len, bool out)
{
    char *p = buf;

    while (len) {
        ssize_t n = out ? send(fd, p, len, MSG_NOSIGNAL) :
                    recv(fd, p, len, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int negotiate(struct nbd *c, const char *export)
{
    struct { uint64_t magic, opt; uint16_t flags; }
        __attribute__((packed)) hello;
    struct { uint64_t magic; uint32_t option, len; }
        __attribute__((packed)) opt;
    struct { uint64_t size; uint16_t flags; } __attribute__((packed)) info;
    uint32_t flags = htobe32(NBD_NO_ZEROES);

    if (all(c->fd, &hello, sizeof(hello), false))
        return -1;
    opt.magic = hello.opt;
    opt.option = htobe32(NBD_OPT_EXPORT_NAME);
    opt.len = htobe32((uint32_t)strlen(export));
    if (all(c->fd, &flags, sizeof(flags), true) ||
        all(c->fd, &opt, sizeof(opt), true) ||
        all(c->fd, (void *)export, strlen(export), true) ||
        all(c->fd, &info, sizeof(info), false))
        return -1;
    c->size = be64toh(info.size);
    return 0;
}

static int nbd_open(const struct vm *vm, size_t disk, struct nbd *c)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    char *path = host_path("run/nbd-%u", vm->domid);
    bool fits = strlen(path) < sizeof(addr.sun_path);
    struct timeval patience = { 10, 0 };

    if (fits)
        strcpy(addr.sun_path, path);
    free(path);
    c->fd = fits ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    if (c->fd < 0)
        return -1;
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        negotiate(c, vm->disks[disk].vdev)) {
        close(c->fd);
        return -1;
    }
    return 0;
}

static int nbd_do(struct nbd *c, uint16_t type, uint64_t at, void *buf,
                  size_t len)
{
    struct { uint32_t magic; uint16_t flags, type; uint64_t handle, from;
             uint32_t len; } __attribute__((packed)) req = {
        htobe32(NBD_REQUEST), 0, htobe16(type), 0, htobe64(at),
        htobe32((uint32_t)len)
    };
    struct { uint32_t magic, error; uint64_t handle; }
        __attribute__((packed)) reply;

    if (all(c->fd, &req, sizeof(req), true) ||
        (type == NBD_WRITE && all(c->fd, buf, len, true)))
        return -1;
    if (type == NBD_DISC)
        return 0;
    if (all(c->fd, &reply, sizeof(reply), false) ||
        be32toh(reply.magic) != NBD_REPLY || reply.error)
        return -1;
    return type == NBD_READ ? all(c->fd, buf, len, false) : 0;
}

static void nbd_close(struct nbd *c)
{
    nbd_do(c, NBD_DISC, 0, NULL, 0);
    close(c->fd);
}

/* A block that says which tick wrote it, to which disk and place. */
static void fill_block(uint64_t *block, uint64_t tick, size_t disk,
                       uint64_t at)
{
    size_t i;

    block[0] = tick;
    block[1] = disk;
    block[2] = at;
    for (i = 3; i < BLOCK / sizeof(*block); i++)
        block[i] = (tick * 1000003 + disk * 101 + at) ^ (i * 2654435761u);
}

/* Places of one tick: the first block, and two that move. */
static int tick_disk(const struct vm *vm, size_t disk, const char **why_r)
{
    uint64_t block[BLOCK / sizeof(uint64_t)], tick = vm->memory + 1, at[3];
    struct nbd c;
    size_t i;
    int rc = -1;

    *why_r = "a disk does not answer";
    if (nbd_open(vm, disk, &c))
        return -1;
    at[0] = 0;
    at[1] = (tick * 5 * 65536 + BLOCK) % c.size;
    at[2] = (tick * 7 * 65536 + 32768 + disk * BLOCK) % c.size;
    if (nbd_do(&c, NBD_READ, 0, block, BLOCK))
        goto out;
    *why_r = "memory and a disk are not of one instant";
    if (block[0] != vm->memory)
        goto out;
    *why_r = "a disk cannot be written";
    for (i = 0; i < 3; i++) {
        fill_block(block, tick, disk, at[i]);
        if (nbd_do(&c, NBD_WRITE, at[i], block, BLOCK))
            goto out;
    }
    rc = nbd_do(&c, NBD_FLUSH, 0, NULL, 0);

out:
    nbd_close(&c);
    return rc;
}

int guest_tick(const char *word, const char **why_r)
{
    struct vm vm;
    int lock = host_lock(), rc = -1;
    size_t i;

    if (!vm_find(word, &vm)) {
        *why_r = "there is no such domain";
        goto out;
    }
    *why_r = "it does not run";
    if (strcmp(vm.state, "running"))
        goto out;
    *why_r = "it has no memory";
    if (!vm.built)
        goto out;
    for (i = 0; i < vm.ndisks; i++)
        if (!vm.disks[i].readonly && tick_disk(&vm, i, why_r))
            goto out;
    vm.memory++;
    vm_save(&vm);
    rc = 0;

out:
    vm_free(&vm);
    host_unlock(lock);
    return rc;
}

int guest_boot(const char *word, const char **why_r)
{
    uint64_t block[BLOCK / sizeof(uint64_t)];
    struct vm vm;
    int lock = host_lock(), rc = -1;
    struct nbd c;

    *why_r = "there is no such domain";
    if (vm_find(word, &vm) && vm.ndisks) {
        *why_r = "its first disk does not answer";
        if (!nbd_open(&vm, 0, &c)) {
            rc = nbd_do(&c, NBD_READ, 0, block, BLOCK);
            nbd_close(&c);
        }
        if (!rc) {
            vm.memory = block[0];
            vm_save(&vm);
        }
    }
    vm_free(&vm);
    host_unlock(lock);
    return rc;
}

/* The number that a disk has, or with write set the one that it gets. */
static int disk_number(const struct vm *vm, size_t disk, uint64_t *number,
                       bool write)
{
    uint64_t block[BLOCK / sizeof(uint64_t)];
    struct nbd c;
    int rc;

    if (nbd_open(vm, disk, &c))
        return -1;
    if (write)
        fill_block(block, *number, disk, 0);
    rc = nbd_do(&c, write ? NBD_WRITE : NBD_READ, 0, block, BLOCK);
    if (!rc && write)
        rc = nbd_do(&c, NBD_FLUSH, 0, NULL, 0);
    if (!rc && !write)
        *number = block[0];
    nbd_close(&c);
    return rc;
}

int guest_mend(const char *word, const char **why_r)
{
    int lock = host_lock(), rc = -1;
    uint64_t most = 0, number;
    struct vm vm;
    size_t i;

    *why_r = "there is no such domain, or a disk does not answer";
    if (!vm_find(word, &vm))
        goto out;
    for (i = 0; i < vm.ndisks; i++) {
        if (vm.disks[i].readonly)
            continue;
        if (disk_number(&vm, i, &number, false))
            goto out;
        if (number >= most)
            most = number + 1;
    }
    for (i = 0; i < vm.ndisks; i++)
        if (!vm.disks[i].readonly && disk_number(&vm, i, &most, true))
            goto out;
    vm.memory = most;
    vm_save(&vm);
    rc = 0;

out:
    vm_free(&vm);
    host_unlock(lock);
    return rc;
}

int guest_digest(const struct vm *vm, size_t disk, uint64_t *sum_r)
{
    char *buf = mem_zalloc(1, READ_CHUNK);
    XXH3_state_t *hash = XXH3_createState();
    struct nbd c;
    uint64_t at;
    int rc = -1;

    if (!hash || nbd_open(vm, disk, &c))
        goto out;
    XXH3_64bits_reset(hash);
    for (at = 0, rc = 0; at < c.size && !rc; at += READ_CHUNK) {
        size_t n = c.size - at < READ_CHUNK ? c.size - at : READ_CHUNK;

        rc = nbd_do(&c, NBD_READ, at, buf, n);
        XXH3_64bits_update(hash, buf, n);
    }
    nbd_close(&c);
    *sum_r = XXH3_64bits_digest(hash);

out:
    XXH3_freeState(hash);
    free(buf);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
