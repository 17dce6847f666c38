/* SPDX-License-Identifier: LGPL-2.1-only */

/* Writes a domain's configuration as a file for xl. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sys/json.h"
#include "sys/mem.h"
#include "xen/xl_cfg.h"

/* How a value of libxl's is written for xl. */
enum form {
    WORD,
    FLAG,                       /* 0 or 1 */
    NUMBER,
    MIB,                        /* of KiB */
    ACTION,                     /* a word with "-" for "_" */
    WORDS,                      /* a list of them */
    COUNT,                      /* of the values in a list */
};

/* libxl_types.idl, and what tools/xl/xl_parse.c makes of which key. */
static const struct setting {
    const char *path, *key;
    enum form form;
} settings[] = {
    { "c_info.name", "name", WORD }, { "c_info.uuid", "uuid", WORD },
    { "c_info.type", "type", WORD }, { "c_info.hap", "hap", FLAG },
    { "c_info.oos", "oos", FLAG }, { "c_info.pool_name", "pool", WORD },
    { "b_info.avail_vcpus", "vcpus", COUNT },
    { "b_info.max_vcpus", "maxvcpus", NUMBER },
    { "b_info.target_memkb", "memory", MIB },
    { "b_info.max_memkb", "maxmem", MIB },
    { "b_info.sched_params.weight", "cpu_weight", NUMBER },
    { "b_info.sched_params.cap", "cap", NUMBER },
    { "b_info.tsc_mode", "tsc_mode", WORD },
    { "b_info.localtime", "localtime", FLAG },
    { "b_info.disable_migrate", "nomigrate", FLAG },
    { "b_info.event_channels", "max_event_channels", NUMBER },
    { "b_info.max_grant_frames", "max_grant_frames", NUMBER },
    { "b_info.max_maptrack_frames", "max_maptrack_frames", NUMBER },
    { "b_info.kernel", "kernel", WORD }, { "b_info.ramdisk", "ramdisk", WORD },
    { "b_info.cmdline", "cmdline", WORD },
    { "b_info.bootloader", "bootloader", WORD },
    { "b_info.bootloader_args", "bootloader_args", WORDS },
    { "b_info.acpi", "acpi", FLAG }, { "b_info.apic", "apic", FLAG },
    { "b_info.nested_hvm", "nestedhvm", FLAG },
    { "b_info.timer_mode", "timer_mode", WORD },
    { "b_info.type.pv.e820_host", "e820_host", FLAG },
    { "b_info.type.pvh.pvshim", "pvshim", FLAG },
    { "b_info.type.pvh.pvshim_cmdline", "pvshim_cmdline", WORD },
    { "b_info.type.pvh.pvshim_extra", "pvshim_extra", WORD },
    { "b_info.type.hvm.bios", "bios", WORD },
    { "b_info.type.hvm.pae", "pae", FLAG },
    { "b_info.type.hvm.nx", "nx", FLAG },
    { "b_info.type.hvm.apic", "apic", FLAG },
    { "b_info.type.hvm.acpi", "acpi", FLAG },
    { "b_info.type.hvm.acpi_s3", "acpi_s3", FLAG },
    { "b_info.type.hvm.acpi_s4", "acpi_s4", FLAG },
    { "b_info.type.hvm.viridian", "viridian", FLAG },
    { "b_info.type.hvm.hpet", "hpet", FLAG },
    { "b_info.type.hvm.vpt_align", "vpt_align", FLAG },
    { "b_info.type.hvm.timer_mode", "timer_mode", WORD },
    { "b_info.type.hvm.nested_hvm", "nestedhvm", FLAG },
    { "b_info.type.hvm.vga.kind", "vga", WORD },
    { "b_info.type.hvm.vnc.enable", "vnc", FLAG },
    { "b_info.type.hvm.vnc.listen", "vnclisten", WORD },
    { "b_info.type.hvm.vnc.passwd", "vncpasswd", WORD },
    { "b_info.type.hvm.vnc.display", "vncdisplay", NUMBER },
    { "b_info.type.hvm.vnc.findunused", "vncunused", FLAG },
    { "b_info.type.hvm.keymap", "keymap", WORD },
    { "b_info.type.hvm.sdl.enable", "sdl", FLAG },
    { "b_info.type.hvm.nographic", "nographic", FLAG },
    { "b_info.type.hvm.serial", "serial", WORD },
    { "b_info.type.hvm.serial_list", "serial", WORDS },
    { "b_info.type.hvm.boot", "boot", WORD },
    { "b_info.type.hvm.usb", "usb", FLAG },
    { "b_info.type.hvm.usbversion", "usbversion", NUMBER },
    { "b_info.type.hvm.usbdevice", "usbdevice", WORD },
    { "b_info.type.hvm.usbdevice_list", "usbdevice", WORDS },
    { "b_info.type.hvm.vkb_device", "vkb_device", FLAG },
    { "b_info.type.hvm.soundhw", "soundhw", WORD },
    { "b_info.type.hvm.xen_platform_pci", "xen_platform_pci", FLAG },
    { "on_poweroff", "on_poweroff", ACTION },
    { "on_reboot", "on_reboot", ACTION },
    { "on_watchdog", "on_watchdog", ACTION },
    { "on_crash", "on_crash", ACTION },
    { "on_soft_reset", "on_soft_reset", ACTION },
};

/* Of a device, in one text: "key=value,key=value". */
static const struct setting
    disk_settings[] = {
        { "format", "format", WORD }, { "vdev", "vdev", WORD },
        { "backend", "backendtype", WORD }, { "script", "script", WORD },
        { "specification", "specification", WORD },
    },
    nic_settings[] = {
        { "mac", "mac", WORD }, { "bridge", "bridge", WORD },
        { "script", "script", WORD }, { "ip", "ip", WORD },
        { "ifname", "vifname", WORD }, { "model", "model", WORD },
        { "gatewaydev", "gatewaydev", WORD }, { "vlan", "vlan", WORD },
        { "mtu", "mtu", NUMBER },
    },
    vfb_settings[] = {
        { "vnc.enable", "vnc", FLAG }, { "vnc.listen", "vnclisten", WORD },
        { "vnc.passwd", "vncpasswd", WORD },
        { "vnc.display", "vncdisplay", NUMBER },
        { "vnc.findunused", "vncunused", FLAG }, { "keymap", "keymap", WORD },
        { "sdl.enable", "sdl", FLAG },
    };

#define N(table) (sizeof(table) / sizeof((table)[0]))

struct text {
    char *s;
};

/* The file, and the names of what it does not have. */
struct cfg {
    struct text file, missing;
};

static void add(struct text *t, const char *more)
{
    char *longer = mem_printf("%s%s", t->s ? t->s : "", more);

    free(t->s);
    t->s = longer;
}

/* In xl's quotes, whatever it is (libxlu_cfg_l.l). */
static void add_quoted(struct text *t, const char *value)
{
    char one[8];

    add(t, "\"");
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            snprintf(one, sizeof(one), "\\%c", *value);
        else if (*value == '\n')
            snprintf(one, sizeof(one), "\\n");
        else
            snprintf(one, sizeof(one), "%c", *value);
        add(t, one);
    }
    add(t, "\"");
}

/* Of a comment: no line of it is more than that. */
static void add_comment(struct text *t, const char *value)
{
    char *copy = mem_strdup(value), *c;

    for (c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    add(t, "# ");
    add(t, copy);
    add(t, "\n");
    free(copy);
}

static void add_missing(struct cfg *f, const char *path)
{
    add(&f->missing, "\n#   ");
    add_quoted(&f->missing, path);
}

/* "a.type.b.c": a name may have a dot, as type.hvm has. */
static json_object *find(json_object *o, const char *path)
{
    json_object *in;
    const char *dot;
    char *name;

    if (!json_object_is_type(o, json_type_object))
        return NULL;
    if (json_object_object_get_ex(o, path, &in))
        return in;
    for (dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        name = mem_printf("%.*s", (int)(dot - path), path);
        in = json_object_object_get_ex(o, name, &in) ? find(in, dot + 1) :
             NULL;
        free(name);
        if (in)
            return in;
    }
    return NULL;
}

static bool is_true(json_object *o)
{
    if (json_object_is_type(o, json_type_string))
        return !strcmp(json_object_get_string(o), "True");
    return json_object_get_boolean(o);
}

static char *with_dashes(const char *word)
{
    char *copy = mem_strdup(word), *c;

    for (c = copy; *c; c++)
        if (*c == '_')
            *c = '-';
    return copy;
}

static void add_list(struct text *t, json_object *o)
{
    size_t i;

    add(t, "[ ");
    for (i = 0; i < json_object_array_length(o); i++) {
        add(t, i ? ", " : "");
        add_quoted(t, json_object_get_string(json_object_array_get_idx(o, i)));
    }
    add(t, " ]");
}

/* The value without quotes; the caller's to free. */
static char *plain(json_object *o, enum form form)
{
    switch (form) {
    case FLAG:
        return mem_strdup(is_true(o) ? "1" : "0");
    case MIB:
        return mem_printf("%" PRId64, json_object_get_int64(o) / 1024);
    case COUNT:
        return mem_printf("%zu", json_object_array_length(o));
    case ACTION:
        return with_dashes(json_object_get_string(o));
    default:
        return mem_strdup(json_object_get_string(o));
    }
}

static bool has_form(json_object *o, enum form form)
{
    bool list = form == WORDS || form == COUNT;

    if (!o || list != json_object_is_type(o, json_type_array) ||
        json_object_is_type(o, json_type_object))
        return false;
    return form != WORD || json_object_get_string_len(o) > 0;
}

static void add_setting(struct text *t, json_object *config,
                        const struct setting *s)
{
    json_object *o = find(config, s->path);
    char *value;

    if (!has_form(o, s->form))
        return;
    add(t, s->key);
    add(t, " = ");
    if (s->form == WORDS) {
        add_list(t, o);
    } else {
        value = plain(o, s->form);
        if (s->form == WORD || s->form == ACTION)
            add_quoted(t, value);
        else
            add(t, value);
        free(value);
    }
    add(t, "\n");
}

/*** Devices */

static void add_part(struct text *t, const char *key, const char *value)
{
    add(t, t->s ? "," : "");
    add(t, key);
    add(t, "=");
    add(t, value);
}

/* libxl's words for what xl knows by its absence. */
static bool is_absence(const char *value)
{
    return !strcmp(value, "unknown") || !strcmp(value, "empty");
}

/* A value with a comma would be read as more than one. */
static void add_parts(struct cfg *f, struct text *t, json_object *device,
                      const struct setting *table, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        json_object *o = find(device, table[i].path);
        char *value;

        if (!has_form(o, table[i].form))
            continue;
        value = plain(o, table[i].form);
        if (strchr(value, ','))
            add_missing(f, table[i].path);
        else if (!is_absence(value))
            add_part(t, table[i].key, value);
        free(value);
    }
}

/* The target is last: it may have commas. */
static void add_disk(struct cfg *f, struct text *t, json_object *disk)
{
    const char *path = json_text(disk, "pdev_path");

    add_parts(f, t, disk, disk_settings, N(disk_settings));
    if (is_true(find(disk, "is_cdrom")))
        add_part(t, "devtype", "cdrom");
    add_part(t, "access", is_true(find(disk, "readwrite")) ? "rw" : "ro");
    if (!strcmp(json_text(disk, "discard_enable"), "False"))
        add(t, ",no-discard");
    if (path[0])
        add_part(t, "target", path);
}

static void add_nic(struct cfg *f, struct text *t, json_object *nic)
{
    add_parts(f, t, nic, nic_settings, N(nic_settings));
    if (!strcmp(json_text(nic, "nictype"), "vif"))
        add_part(t, "type", "vif");
}

static void add_vfb(struct cfg *f, struct text *t, json_object *vfb)
{
    add_parts(f, t, vfb, vfb_settings, N(vfb_settings));
}

static void add_devices(struct cfg *f, json_object *config, const char *from,
                        const char *key,
                        void (*fn)(struct cfg *f, struct text *t,
                                   json_object *device))
{
    json_object *devices = find(config, from);
    struct text *t = &f->file;
    size_t i;

    if (!json_object_is_type(devices, json_type_array) ||
        !json_object_array_length(devices))
        return;
    add(t, key);
    add(t, " = [\n");
    for (i = 0; i < json_object_array_length(devices); i++) {
        struct text one = { NULL };

        fn(f, &one, json_object_array_get_idx(devices, i));
        add(t, "    ");
        add_quoted(t, one.s ? one.s : "");
        add(t, ",\n");
        free(one.s);
    }
    add(t, "]\n");
}

/*** What is left out */

static bool is_written(const char *path)
{
    size_t i;

    for (i = 0; i < N(settings); i++)
        if (!strcmp(settings[i].path, path))
            return true;
    return !strcmp(path, "disks") || !strcmp(path, "nics") ||
           !strcmp(path, "vfbs");
}

static bool is_empty(json_object *o)
{
    if (json_object_is_type(o, json_type_object))
        return !json_object_object_length(o);
    return !o || (json_object_is_type(o, json_type_array) &&
                  !json_object_array_length(o));
}

static void find_missing(struct cfg *f, json_object *o, const char *path)
{
    struct json_object_iter it;

    json_object_object_foreachC(o, it) {
        char *below = mem_printf("%s%s%s", path, path[0] ? "." : "", it.key);

        if (is_written(below) || is_empty(it.val))
            ;
        else if (json_object_is_type(it.val, json_type_object))
            find_missing(f, it.val, below);
        else
            add_missing(f, below);
        free(below);
    }
}

char *xl_cfg_text(json_object *config, const char *about)
{
    struct cfg f = { { NULL }, { NULL } };
    size_t i;

    add_comment(&f.file, about);
    for (i = 0; i < N(settings); i++)
        add_setting(&f.file, config, &settings[i]);
    add_devices(&f, config, "disks", "disk", add_disk);
    add_devices(&f, config, "nics", "vif", add_nic);
    add_devices(&f, config, "vfbs", "vfb", add_vfb);
    find_missing(&f, config, "");
    if (f.missing.s) {
        add_comment(&f.file, "The domain had these settings of libxl's, too:");
        /* Each begins a line; that of the comment has ended. */
        add(&f.file, f.missing.s + 1);
        add(&f.file, "\n");
    }
    free(f.missing.s);
    return f.file.s;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
