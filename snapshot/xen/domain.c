/* SPDX-License-Identifier: LGPL-2.1-only */

/* The domain, by libxl's public API. */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_utils.h>
#include <libxl_uuid.h>

#include "sys/clock.h"
#include "sys/err.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/proc.h"
#include "xen/domain.h"

/* As configured in Xen's own tree; there the Makefile may say otherwise. */
#ifndef XEN_RUN_DIR
#define XEN_RUN_DIR "/var/run/xen"
#endif

/* libxl gives a guest 60 s, once or twice (libxl_dom_suspend.c). */
#define SUSPEND_MS 30000
#define SAVER_POLL_MS 100
#define DESTROY_MS 20000
#define DESTROY_POLL_MS 200

static libxl_ctx *ctx;

void domain_init(void *libxl_ctx_)
{
    ctx = libxl_ctx_;
}

static int failed(struct err *e, uint32_t domid, const char *what, int rc)
{
    char *name = libxl_domid_to_name(ctx, domid);
    const char *shown = "?";

    if (name)
        shown = name;
    err_set(e, SNAP_FAILED, "libxl cannot %s domain %s (id %u): error %d; "
            "'xl -vvv' and /var/log/xen tell more", what, shown, domid, rc);
    free(name);
    return -1;
}

/* The result of a call of libxl's. */
static int result(struct err *e, uint32_t domid, const char *what, int rc)
{
    if (rc)
        return failed(e, domid, what, rc);
    return 0;
}

static enum domain_state state_of(const libxl_dominfo *info)
{
    if (info->dying)
        return DOMAIN_DYING;
    if (info->shutdown &&
        info->shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND)
        return DOMAIN_SUSPENDED;
    if (info->shutdown)
        return DOMAIN_SHUTDOWN;
    if (info->paused)
        return DOMAIN_PAUSED;
    return DOMAIN_RUNNING;
}

static void format_uuid(const libxl_uuid *uuid, char text[37])
{
    snprintf(text, 37, LIBXL_UUID_FMT, LIBXL_UUID_BYTES((*uuid)));
}

/* 1 with the info, 0 if there is no such domain, -1. */
static int get_info(uint32_t domid, libxl_dominfo *info, struct err *e)
{
    int rc = libxl_domain_info(ctx, info, domid);

    if (rc == ERROR_DOMAIN_NOTFOUND)
        return 0;
    if (rc)
        return failed(e, domid, "look at", rc);
    return 1;
}

static const char *type_name(libxl_domain_type type)
{
    switch (type) {
    case LIBXL_DOMAIN_TYPE_PV: return "pv";
    case LIBXL_DOMAIN_TYPE_PVH: return "pvh";
    case LIBXL_DOMAIN_TYPE_HVM: return "hvm";
    default: return "unknown";
    }
}

static const char *known(const char *word)
{
    if (!word || !strcmp(word, "unknown"))
        return "";
    return word;
}

static char *dup_or_empty(const char *s)
{
    if (!s)
        return mem_strdup("");
    return mem_strdup(s);
}

static void fill_disk(struct domain_disk *d, const libxl_device_disk *disk)
{
    d->vdev = dup_or_empty(disk->vdev);
    d->path = dup_or_empty(disk->pdev_path);
    d->script = mem_strdup(disk->script);
    d->format = known(libxl_disk_format_to_string(disk->format));
    d->backend = known(libxl_disk_backend_to_string(disk->backend));
    d->readonly = !disk->readwrite;
    d->cdrom = disk->is_cdrom;
    d->foreign = disk->backend_domid != 0;
}

/*
 * The configuration has the format of each disk; which backend it got and
 * what is in the drive now is in xenstore.
 */
static void fill_disks(struct domain *d, const libxl_domain_config *config)
{
    int i, k, n = 0;
    libxl_device_disk *now = libxl_device_disk_list(ctx, d->domid, &n);

    d->disks = mem_zalloc(config->num_disks, sizeof(*d->disks));
    d->ndisks = config->num_disks;
    for (i = 0; i < config->num_disks; i++) {
        fill_disk(&d->disks[i], &config->disks[i]);
        for (k = 0; k < n; k++)
            if (now[k].vdev && !strcmp(now[k].vdev, d->disks[i].vdev)) {
                d->disks[i].backend =
                    known(libxl_disk_backend_to_string(now[k].backend));
                d->disks[i].foreign = now[k].backend_domid != 0;
            }
    }
    if (now)
        libxl_device_disk_list_free(now, n);
}

static bool is_set(libxl_defbool b)
{
    return !libxl_defbool_is_default(b) && libxl_defbool_val(b);
}

static const char *confined(const libxl_domain_config *config)
{
    if (config->c_info.type != LIBXL_DOMAIN_TYPE_HVM)
        return NULL;
    if (is_set(config->b_info.device_model_stubdomain))
        return "runs in a stub domain";
    if (is_set(config->b_info.dm_restrict))
        return "is restricted (dm_restrict)";
    return NULL;
}

static void fill_info(struct domain *d, const libxl_dominfo *info)
{
    d->domid = info->domid;
    format_uuid(&info->uuid, d->uuid);
    d->state = state_of(info);
    d->type = type_name(LIBXL_DOMAIN_TYPE_INVALID);
    d->max_kib = info->max_memkb;
    d->used_kib = info->current_memkb;
}

static int fill(struct domain *d, const libxl_dominfo *info, struct err *e)
{
    libxl_domain_config config;
    int rc;

    fill_info(d, info);
    d->name = libxl_domid_to_name(ctx, info->domid);
    if (!d->name)
        d->name = mem_strdup("");
    if (info->domid == 0)
        return 0;           /* libxl keeps no configuration of it */
    libxl_domain_config_init(&config);
    rc = libxl_retrieve_domain_configuration(ctx, d->domid, &config, NULL);
    if (!rc) {
        fill_disks(d, &config);
        d->type = type_name(config.c_info.type);    /* dominfo: no PVH */
        d->confined = confined(&config);
        config.c_info.domid = 0;        /* a restored domain gets its own */
        d->config = libxl_domain_config_to_json(ctx, &config);
    }
    libxl_domain_config_dispose(&config);
    if (!d->config && d->state != DOMAIN_DYING)
        return failed(e, d->domid, "get the configuration of", rc);
    return 1;
}

static bool all_digits(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

static bool has_name(const libxl_dominfo *info, const char *name)
{
    char *its = libxl_domid_to_name(ctx, info->domid);
    bool same = its && !strcmp(its, name);

    free(its);
    return same;
}

/*
 * By comparing names: what libxl has for it takes a name of digits for an id.
 * All of the domain, or what the hypervisor tells.
 */
static int look(const char *name, bool all, struct domain *d, struct err *e)
{
    int n = 0, i, rc = 0;
    libxl_dominfo *doms = libxl_list_domain(ctx, &n);

    memset(d, 0, sizeof(*d));
    if (!doms)
        return err_set(e, SNAP_FAILED, "libxl cannot list the domains");
    for (i = 0; i < n && !has_name(&doms[i], name); i++)
        ;
    if (i < n && !all) {
        fill_info(d, &doms[i]);
        rc = 1;
    } else if (i < n) {
        rc = fill(d, &doms[i], e);
        if (rc < 0)
            domain_free(d);
        else
            rc = 1;
    }
    libxl_dominfo_list_free(doms, n);
    return rc;
}

char *domain_name(const char *word)
{
    struct domain d;
    struct err ignored;
    unsigned long domid;

    if (!all_digits(word)) {
        if (look(word, false, &d, &ignored) <= 0)
            return NULL;
        return mem_strdup(word);
    }
    errno = 0;
    domid = strtoul(word, NULL, 10);
    if (errno || domid >= UINT32_MAX)
        return NULL;
    return libxl_domid_to_name(ctx, domid);
}

int domain_find(const char *name, struct domain *d, struct err *e)
{
    return look(name, true, d, e);
}

int domain_look(const char *name, struct domain *d, struct err *e)
{
    return look(name, false, d, e);
}

int domain_check(uint32_t domid, const char *uuid, bool *same_r,
                 enum domain_state *state_r, struct err *e)
{
    libxl_dominfo info;
    char text[37];
    int rc;

    *same_r = false;
    libxl_dominfo_init(&info);
    rc = get_info(domid, &info, e);
    if (rc > 0) {
        format_uuid(&info.uuid, text);
        *same_r = !strcmp(text, uuid);
        *state_r = state_of(&info);
        rc = 0;
    }
    libxl_dominfo_dispose(&info);
    return rc;
}

uint64_t domain_used_kib(uint32_t domid)
{
    libxl_dominfo info;
    struct err ignored;
    uint64_t kib = 0;

    libxl_dominfo_init(&info);
    if (get_info(domid, &info, &ignored) > 0)
        kib = info.current_memkb;
    libxl_dominfo_dispose(&info);
    return kib;
}

/* Up to "size" bytes of /proc/PID/NAME, NUL-terminated: how many. */
static size_t read_proc(pid_t pid, const char *name, char *buf, size_t size)
{
    char path[64];
    size_t len = 0;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    f = fopen(path, "re");
    if (f) {
        len = fread(buf, 1, size - 1, f);
        fclose(f);
    }
    buf[len] = '\0';
    return len;
}

static pid_t parent_of(pid_t pid)
{
    char stat[1024];
    const char *at;
    int parent = 0;

    read_proc(pid, "stat", stat, sizeof(stat));
    /* pid (comm) state parent ...; comm may hold anything, even ')'. */
    at = strrchr(stat, ')');
    if (!at || sscanf(at, ") %*c %d", &parent) != 1)
        return 0;
    return parent;
}

/* Does libxl save this domain by the process, and not for us? */
static bool is_saver(pid_t pid, uint32_t domid)
{
    char words[4096], id[16];
    size_t len = read_proc(pid, "cmdline", words, sizeof(words)), i;
    const char *word = words;

    /* PATH --save-domain FD FD DOMID ...: libxl_save_callout.c. */
    for (i = 0; i < 4 && word < words + len; i++) {
        word += strlen(word) + 1;
        if (i == 0 && strcmp(word, "--save-domain"))
            return false;
    }
    snprintf(id, sizeof(id), "%u", domid);
    return word < words + len && !strcmp(word, id) &&
           parent_of(pid) != getpid();
}

/* The process that saves or migrates the domain for somebody else, or 0. */
static pid_t other_saver(uint32_t domid)
{
    DIR *dir = opendir("/proc");
    struct dirent *de;
    pid_t found = 0;

    while (dir && !found && (de = readdir(dir))) {
        pid_t pid = (pid_t)atol(de->d_name);    /* 0: not a process */

        if (pid > 0 && is_saver(pid, domid))
            found = pid;
    }
    if (dir)
        closedir(dir);
    return found;
}

/*
 * Two saves of one domain take each other's dirty pages, and the first that is
 * done lets the guest run under the other.
 */
static int check_alone(uint32_t domid, const char *name, struct err *e)
{
    pid_t pid = other_saver(domid);

    if (!pid)
        return 0;
    return err_set(e, SNAP_FAILED, "another program, such as 'xl save' or 'xl "
                   "migrate', is saving the memory of domain %s (process %d)",
                   name, (int)pid);
}

static const char *how_it_ended(const libxl_dominfo *info)
{
    switch (info->shutdown_reason) {
    case LIBXL_SHUTDOWN_REASON_POWEROFF: return "shut down";
    case LIBXL_SHUTDOWN_REASON_REBOOT: return "rebooted";
    case LIBXL_SHUTDOWN_REASON_CRASH: return "crashed";
    default: return "stopped";
    }
}

/* Why libxl could not save it: what has become of the domain since. */
static int explain(uint32_t domid, const char *name, int rc, uint64_t ms,
                   struct err *e)
{
    libxl_dominfo info;
    int there;

    libxl_dominfo_init(&info);
    there = get_info(domid, &info, e);
    if (there == 0 || (there > 0 && info.dying))
        err_set(e, SNAP_FAILED, "domain %s has ended meanwhile", name);
    else if (there > 0 && state_of(&info) == DOMAIN_SHUTDOWN)
        err_set(e, SNAP_FAILED, "domain %s has %s meanwhile", name,
                how_it_ended(&info));
    else if (there > 0 && info.paused)
        err_set(e, SNAP_FAILED, "domain %s was paused meanwhile, so that its "
                "guest could not suspend itself: run 'xl unpause' and "
                "try again", name);
    else if (there > 0 && rc == ERROR_GUEST_TIMEDOUT && ms >= SUSPEND_MS)
        err_set(e, SNAP_FAILED, "the guest of domain %s does not answer the "
                "request to suspend itself: it is still booting, it hangs, or "
                "its kernel cannot suspend", name);
    else if (there > 0)
        failed(e, domid, "save the memory of", rc);
    libxl_dominfo_dispose(&info);
    return -1;
}

/* Whoever else saves it needs it as it is. */
static void await_others(uint32_t domid)
{
    while (other_saver(domid))
        clock_sleep_ms(SAVER_POLL_MS);
}

int domain_suspend(uint32_t domid, int fd, bool live, struct err *e)
{
    char *name = libxl_domid_to_name(ctx, domid);
    const char *known_as = name ? name : "?";
    uint64_t begun = clock_ms();
    sigset_t old;
    int rc, flags = 0;

    if (live)
        flags = LIBXL_SUSPEND_LIVE;
    if (check_alone(domid, known_as, e)) {
        free(name);
        return -1;
    }
    /*
     * libxl's helper inherits what is blocked: it must not die of a Ctrl-C,
     * which may come when the guest is asked to suspend itself, and does.
     */
    interrupt_block(&old);
    rc = libxl_domain_suspend(ctx, domid, fd, flags, NULL);
    interrupt_unblock(&old);
    if (rc)
        rc = explain(domid, known_as, rc, clock_ms() - begun, e);
    else
        rc = check_alone(domid, known_as, e);
    await_others(domid);
    free(name);
    return rc;
}

int domain_resume(uint32_t domid, bool paused, struct err *e)
{
    libxl_dominfo info;
    int rc;

    libxl_dominfo_init(&info);
    rc = get_info(domid, &info, e);
    if (rc <= 0)
        goto out;
    /* Resuming one that runs would change its registers under it. */
    if (state_of(&info) != DOMAIN_SUSPENDED) {
        rc = 0;
        goto out;
    }
    rc = 0;
    if (paused)
        rc = libxl_domain_pause(ctx, domid, NULL);
    if (!rc)
        rc = libxl_domain_resume(ctx, domid, 1, NULL);
    rc = result(e, domid, "resume", rc);

out:
    libxl_dominfo_dispose(&info);
    return rc;
}

int domain_unpause(uint32_t domid, struct err *e)
{
    int rc = libxl_domain_unpause(ctx, domid, NULL);

    return result(e, domid, "unpause", rc);
}

/* It fails while somebody else destroys the domain, as at its reboot. */
int domain_destroy(uint32_t domid, struct err *e)
{
    uint64_t until = clock_ms() + DESTROY_MS;
    libxl_dominfo info;
    int rc;

    for (;;) {
        libxl_dominfo_init(&info);
        rc = get_info(domid, &info, e);
        libxl_dominfo_dispose(&info);
        if (rc <= 0)
            return rc;
        rc = libxl_domain_destroy(ctx, domid, NULL);
        if (!rc)
            return 0;
        if (clock_ms() > until)
            return failed(e, domid, "destroy", rc);
        clock_sleep_ms(DESTROY_POLL_MS);
    }
}

static int restore(struct proc *p, struct err *e)
{
    const char *const argv[] = { "xl", "restore", "-p", "/dev/stdin", NULL };
    int rc;

    p->argv = argv;
    p->uninterruptible = true;
    rc = proc_run(p, e);
    free(p->out);
    return rc;
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
    struct proc p = { .argv = argv, .uninterruptible = true };
    int rc = proc_run(&p, e);

    free(p.out);
    return rc;
}

int domain_check_config(const char *json, struct err *e)
{
    libxl_domain_config config;
    int rc;

    libxl_domain_config_init(&config);
    rc = libxl_domain_config_from_json(ctx, &config, json);
    if (!rc && (!config.c_info.name || !config.c_info.name[0]))
        rc = ERROR_INVAL;
    libxl_domain_config_dispose(&config);
    if (rc)
        return err_set(e, SNAP_FAILED, "libxl cannot read the domain "
                       "configuration in the snapshot");
    return 0;
}

int domain_need_memory(const char *json, uint64_t *kib_r, struct err *e)
{
    libxl_domain_config config;
    int rc;

    libxl_domain_config_init(&config);
    rc = libxl_domain_config_from_json(ctx, &config, json);
    if (!rc)
        rc = libxl_domain_need_memory(ctx, &config, INVALID_DOMID, kib_r);
    libxl_domain_config_dispose(&config);
    if (rc)
        return err_set(e, SNAP_FAILED, "libxl cannot tell how much memory the "
                       "domain needs: error %d", rc);
    return 0;
}

int domain_free_memory(uint64_t *kib_r, struct err *e)
{
    int rc = libxl_get_free_memory(ctx, kib_r);

    if (rc)
        return err_set(e, SNAP_FAILED, "libxl cannot tell how much memory is "
                       "free: error %d", rc);
    return 0;
}

char *domain_xen_version(void)
{
    const libxl_version_info *v = libxl_get_version_info(ctx);

    if (!v)
        return NULL;
    return mem_printf("%d.%d%s", v->xen_version_major, v->xen_version_minor,
                      v->xen_version_extra ? v->xen_version_extra : "");
}

char *domain_qmp_path(uint32_t domid)
{
    return mem_printf(XEN_RUN_DIR "/qmp-libxenstat-%u", domid);
}

char *domain_of_uuid(const char *uuid)
{
    int n = 0, i;
    libxl_dominfo *doms = libxl_list_domain(ctx, &n);
    char text[37], *name = NULL;

    for (i = 0; doms && i < n && !name; i++) {
        format_uuid(&doms[i].uuid, text);
        if (!strcasecmp(text, uuid))
            name = libxl_domid_to_name(ctx, doms[i].domid);
    }
    if (doms)
        libxl_dominfo_list_free(doms, n);
    return name;
}

int domain_each_disk(int (*fn)(void *arg, const char *domain,
                               const struct domain_disk *disk),
                     void *arg, struct err *e)
{
    int n = 0, i, k, rc = 0;
    libxl_dominfo *doms = libxl_list_domain(ctx, &n);

    if (!doms)
        return err_set(e, SNAP_FAILED, "libxl cannot list the domains");
    for (i = 0; i < n && !rc; i++) {
        int ndisks = 0;
        char *name = libxl_domid_to_name(ctx, doms[i].domid);
        libxl_device_disk *disks =
            libxl_device_disk_list(ctx, doms[i].domid, &ndisks);

        for (k = 0; k < ndisks && !rc; k++) {
            struct domain_disk d;

            fill_disk(&d, &disks[k]);
            rc = fn(arg, name ? name : "?", &d);
            free(d.vdev);
            free(d.path);
            free(d.script);
        }
        if (disks)
            libxl_device_disk_list_free(disks, ndisks);
        free(name);
    }
    libxl_dominfo_list_free(doms, n);
    return rc;
}

static bool is_word(const char *words, size_t len, const char *at,
                    const char *word)
{
    size_t n = strlen(word) + 1;

    return (size_t)(words + len - at) >= n && !memcmp(at, word, n);
}

bool domain_has_process(const struct domain *d, pid_t pid)
{
    char domid[16], words[65536];
    size_t len = read_proc(pid, "cmdline", words, sizeof(words));
    const char *at;

    snprintf(domid, sizeof(domid), "%u", d->domid);
    /* libxl starts every device model with -xen-domid ID. */
    for (at = words; at < words + len; at += strlen(at) + 1)
        if (is_word(words, len, at, "-xen-domid"))
            return is_word(words, len, at + sizeof("-xen-domid"), domid);
    return false;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
