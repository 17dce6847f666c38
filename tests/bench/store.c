/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Large stores, for the benchmark: the engine itself, without Xen.
 *
 *   store make DIR N            N snapshots of the domain "bench"
 *   store list DIR STYLE        what "xl snapshot-list" does; STYLE is
 *                               table, tree, json, names or long
 *   store delete DIR NAME...    what "xl snapshot-delete" does
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/sys/clock.h"
#include "snapshot/sys/file.h"
#include "snapshot/sys/mem.h"
#include "snapshot/show.h"
#include "snapshot/snapshot.h"

#define DOMAIN "bench"
#define UUID "6c2b3f5e-0b1c-4d55-9f3e-2f6a1f0e7a11"

/* As long as libxl's of a small PVH domain with two disks. */
static const char config[] =
"{\"c_info\":{\"type\":\"pvh\",\"name\":\"bench\",\"uuid\":\"" UUID "\","
"\"run_hotplug_scripts\":\"True\",\"passthrough\":\"disabled\"},"
"\"b_info\":{\"max_vcpus\":2,\"avail_vcpus\":[0,1],\"vcpu_hard_affinity\":[],"
"\"numa_placement\":\"False\",\"max_memkb\":131072,\"target_memkb\":131072,"
"\"video_memkb\":0,\"shadow_memkb\":2048,\"iommu_memkb\":0,"
"\"device_model_version\":\"qemu_xen\","
"\"device_model_stubdomain\":\"False\",\"sched_params\":{},"
"\"kernel\":\"/boot/vmlinuz-6.1.0-18-amd64\","
"\"ramdisk\":\"/boot/initrd.img-6.1.0-18-amd64\","
"\"cmdline\":\"root=/dev/xvda ro console=hvc0 quiet\","
"\"claim_mode\":\"True\",\"type.pvh\":{\"pvshim\":\"False\"},"
"\"arch_arm\":{},\"arch_x86\":{}},"
"\"disks\":[{\"pdev_path\":\"/var/lib/xen/images/bench-a.qcow2\","
"\"vdev\":\"xvda\",\"backend\":\"qdisk\",\"format\":\"qcow2\","
"\"removable\":1,\"readwrite\":1,\"discard_enable\":\"False\","
"\"colo_enable\":\"False\",\"colo_restore_enable\":\"False\"},"
"{\"pdev_path\":\"/var/lib/xen/images/bench-b.qcow2\","
"\"vdev\":\"xvdb\",\"backend\":\"qdisk\",\"format\":\"qcow2\","
"\"removable\":1,\"readwrite\":1,\"discard_enable\":\"False\","
"\"colo_enable\":\"False\",\"colo_restore_enable\":\"False\"}],"
"\"nics\":[{\"devid\":0,\"mac\":\"00:16:3e:53:65:5c\",\"bridge\":\"xenbr0\","
"\"script\":\"/etc/xen/scripts/vif-bridge\",\"nictype\":\"vif\","
"\"coloft_forwarddev\":\"eth0\"}],"
"\"on_poweroff\":\"destroy\",\"on_reboot\":\"restart\","
"\"on_watchdog\":\"destroy\",\"on_crash\":\"destroy\","
"\"on_soft_reset\":\"soft_reset\"}";

static void check(int rc, const struct err *e)
{
    if (rc) {
        fprintf(stderr, "store: %s\n", e->text);
        exit(1);
    }
}

static char *name_of(size_t i)
{
    return mem_printf("nightly-%05zu", i);
}

/* A disk without a part: no image is there to be looked at. */
static void draft(size_t i, struct snapshot *s)
{
    struct snapshot_disk disk = {
        .vdev = mem_strdup("xvda"), .type = mem_strdup("none"),
        .path = mem_strdup("/var/lib/xen/images/bench-a.qcow2"),
        .format = mem_strdup("qcow2"), .backend = mem_strdup("qdisk"),
        .reason = mem_strdup("a disk of the benchmark"),
    };

    memset(s, 0, sizeof(*s));
    s->name = name_of(i);
    s->description = mem_strdup("taken every night by cron");
    s->creation_time = 1795395723 + i * 86400;
    /* Mostly a chain, with a branch here and there. */
    s->parent = i == 0 ? NULL : name_of(i % 10 ? i - 1 : i / 2);
    s->domain.name = mem_strdup(DOMAIN);
    s->domain.uuid = mem_strdup(UUID);
    s->domain.type = mem_strdup("pvh");
    s->domain.state = mem_strdup("running");
    s->memory.file = mem_strdup(META_MEMORY_ZSTD);
    s->memory.compression = mem_strdup("zstd");
    s->memory.checksum = mem_strdup("xxh3:0123456789abcdef");
    s->memory.size = 142660587;
    s->memory.stored_size = 17609085;
    s->disks = mem_zalloc(1, sizeof(disk));
    s->disks[0] = disk;
    s->ndisks = 1;
    s->config = mem_strdup(config);
}

/* Not store_save(): its fsync is not what is measured. */
static void put(int fd, struct snapshot *s)
{
    json_object *o = meta_to_json(s);
    char *text = meta_text(o), *file = mem_printf("%s/snapshot.json", s->name);
    int out;

    if (mkdirat(fd, s->name, FILE_DIR_MODE) ||
        (out = openat(fd, file, O_WRONLY | O_CREAT | O_CLOEXEC, FILE_MODE)) < 0 ||
        file_write_all(out, text, strlen(text)) || close(out)) {
        perror(s->name);
        exit(1);
    }
    free(file);
    free(text);
    json_object_put(o);
}

static int make(const char *root, size_t n)
{
    struct store st;
    struct err e;
    char *last = name_of(n - 1);
    size_t i;

    check(store_open(&st, root, DOMAIN, true, &e), &e);
    for (i = 0; i < n; i++) {
        struct snapshot s;

        draft(i, &s);
        put(st.fd, &s);
        meta_free(&s);
    }
    check(store_set_current(&st, UUID, last, &e), &e);
    store_close(&st);
    free(last);
    return 0;
}

static enum show_style style_of(const char *word)
{
    static const char *const words[] = {
        [SHOW_TABLE] = "table", [SHOW_TREE] = "tree", [SHOW_JSON] = "json",
        [SHOW_NAMES] = "names", [SHOW_LONG] = "long",
    };
    enum show_style s = 0;

    while (strcmp(words[s], word))
        if (++s == sizeof(words) / sizeof(words[0])) {
            fprintf(stderr, "store: no style %s\n", word);
            exit(2);
        }
    return s;
}

/* With how long it took, on standard error, for the tables. */
static int list(const char *root, const char *style)
{
    struct snap_env env = { .root = root };
    struct err problems = { 0 }, e;
    struct show sh = { .style = style_of(style) };
    struct tree t = { 0 };
    uint64_t began = clock_ms();
    bool sizes = sh.style == SHOW_LONG || sh.style == SHOW_JSON;
    bool pending;
    char *domain;

    check(snap_list(&env, DOMAIN, sizes, &domain, &t, &pending, &problems,
                    &e), &e);
    show_domain(&sh, DOMAIN, &t, NULL);
    show_end(&sh);
    fflush(stdout);
    check(problems.status != SNAP_OK, &problems);
    tree_free(&t);
    free(domain);
    fprintf(stderr, "%u\n", (unsigned)(clock_ms() - began));
    return 0;
}

static int delete(const char *root, char **names, size_t n)
{
    struct snap_env env = { .root = root };
    struct snap_delete req = {
        .domain = DOMAIN, .names = names, .nnames = n,
    };
    struct err e;
    size_t done;

    check(snap_delete(&env, &req, &done, &e), &e);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "make"))
        return make(argv[2], strtoul(argv[3], NULL, 10));
    if (argc == 4 && !strcmp(argv[1], "list"))
        return list(argv[2], argv[3]);
    if (argc > 3 && !strcmp(argv[1], "delete"))
        return delete(argv[2], argv + 3, (size_t)argc - 3);
    fprintf(stderr, "usage: see the top of tests/bench/store.c\n");
    return 2;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
