/* SPDX-License-Identifier: LGPL-2.1-only */

/* Looks for the files and bridges that a domain's configuration names. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "xen/config.h"

/* As configured in Xen's own tree; there the Makefile may say otherwise. */
#ifndef XEN_SCRIPT_DIR
#define XEN_SCRIPT_DIR "/etc/xen/scripts"
#endif
#ifndef NET_CLASS_DIR
#define NET_CLASS_DIR "/sys/class/net"
#endif
#define VIF_BRIDGE "vif-bridge"

static void need_file(const char *path, const char *what,
                      struct err *problems)
{
    struct stat st;

    if (path[0] != '/' || !stat(path, &st))
        return;
    err_add(problems, "%s, %s, is not there: %s", what, path,
            strerror(errno));
}

static void need_script(const char *script, const char *what,
                        struct err *problems)
{
    char *path;

    if (!script[0])
        return;
    if (script[0] == '/')
        path = mem_strdup(script);
    else
        path = mem_printf(XEN_SCRIPT_DIR "/%s", script);
    need_file(path, what, problems);
    free(path);
}

/* Its backend is in a driver domain, which we do not see. */
static bool is_foreign(json_object *device)
{
    return json_number(device, "backend_domid") ||
           json_text(device, "backend_domname")[0];
}

struct host_check {
    bool (*makes_disk)(const void *arg, const char *vdev);
    const void *arg;
    struct err *problems;
};

static void check_disk(json_object *disk, const struct host_check *c)
{
    const char *script = json_text(disk, "script"), *part = "image";
    const char *vdev = json_text(disk, "vdev");
    char *what;

    if (is_foreign(disk))
        return;
    if (script[0])
        part = "script";
    else if (json_true(disk, "is_cdrom"))
        part = "CD-ROM image";
    what = mem_printf("the %s of disk %s", part, vdev);
    /* With a script, only that knows what the path means. */
    if (script[0])
        need_script(script, what, c->problems);
    else if (!c->makes_disk || !c->makes_disk(c->arg, vdev))
        need_file(json_text(disk, "pdev_path"), what, c->problems);
    free(what);
}

static bool is_bridged(const char *script)
{
    const char *base = strrchr(script, '/');

    if (base)
        script = base + 1;
    return !script[0] || !strcmp(script, VIF_BRIDGE);
}

static void check_nic(json_object *nic, const struct host_check *c)
{
    const char *bridge = json_text(nic, "bridge");
    const char *script = json_text(nic, "script");
    struct stat st;
    char *path;

    if (is_foreign(nic))
        return;
    need_script(script, "the script of a network interface", c->problems);
    if (!bridge[0] || strchr(bridge, '/') || !is_bridged(script))
        return;
    path = mem_printf(NET_CLASS_DIR "/%s", bridge);
    if (stat(path, &st))
        err_add(c->problems, "there is no bridge %s, which a network "
                "interface of the domain needs", bridge);
    free(path);
}

static void each(json_object *config, const char *key,
                 void (*check)(json_object *device,
                               const struct host_check *c),
                 const struct host_check *c)
{
    json_object *arr;
    size_t i;

    if (!json_object_object_get_ex(config, key, &arr) ||
        !json_object_is_type(arr, json_type_array))
        return;
    for (i = 0; i < json_object_array_length(arr); i++) {
        json_object *device = json_object_array_get_idx(arr, i);

        if (json_object_is_type(device, json_type_object))
            check(device, c);
    }
}

static void check_build(json_object *config, struct err *problems)
{
    json_object *b;

    if (!json_object_object_get_ex(config, "b_info", &b) ||
        !json_object_is_type(b, json_type_object))
        return;
    need_file(json_text(b, "kernel"), "the kernel", problems);
    need_file(json_text(b, "ramdisk"), "the ramdisk", problems);
    need_file(json_text(b, "device_model"), "the device model", problems);
}

void config_check_host(const char *json,
                       bool (*makes_disk)(const void *arg, const char *vdev),
                       const void *arg, struct err *problems)
{
    const struct host_check c = { makes_disk, arg, problems };
    struct err e;
    json_object *config = json_parse_object(json, strlen(json),
                                            "the domain's configuration", &e);

    if (!config) {
        err_add(problems, "%s", e.text);
        return;
    }
    check_build(config, problems);
    each(config, "disks", check_disk, &c);
    each(config, "nics", check_nic, &c);
    json_object_put(config);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
