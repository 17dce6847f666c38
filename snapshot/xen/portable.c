/* SPDX-License-Identifier: LGPL-2.1-only */

/* Which settings of a configuration concern the guest alone. */

#include <stdlib.h>
#include <string.h>

#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "xen/portable.h"

/* As configured in Xen's own tree; there the Makefile may say otherwise. */
#ifndef XEN_SCRIPT_DIR
#define XEN_SCRIPT_DIR "/etc/xen/scripts"
#endif

#define WORD_MAX 256
#define ALNUM "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

/* What a setting may be, beside a number or a truth value. */
enum trait {
    PLAIN,                      /* a word: no path, no list of options */
    TEXT,                       /* anything: it goes to the guest as it is */
    ADDRESSES,                  /* of a network */
    LISTEN,                     /* an address, and perhaps a display */
    SOUND,                      /* an emulated sound card */
    PTY,                        /* a serial line that ends in dom0's console */
    POINTER,                    /* an emulated USB device */
    VIF_SCRIPT,                 /* one of Xen's own */
    DISK_PATH,
};

/* libxl_types.idl; a path of names, "*" for all that is in an object. */
static const struct setting { const char *path; enum trait trait; } settings[] = {
    { "c_info.type", PLAIN }, { "c_info.hap", PLAIN }, { "c_info.oos", PLAIN },
    { "c_info.name", TEXT }, { "c_info.uuid", PLAIN }, { "c_info.domid", PLAIN },
    { "c_info.ssidref", PLAIN }, { "c_info.poolid", PLAIN },
    { "c_info.pool_name", PLAIN }, { "c_info.run_hotplug_scripts", PLAIN },
    { "c_info.passthrough", PLAIN },
    { "c_info.xend_suspend_evtchn_compat", PLAIN },

    { "b_info.type", PLAIN }, { "b_info.max_vcpus", PLAIN },
    { "b_info.avail_vcpus", PLAIN }, { "b_info.cpumap", PLAIN },
    { "b_info.nodemap", PLAIN }, { "b_info.vcpu_hard_affinity", PLAIN },
    { "b_info.vcpu_soft_affinity", PLAIN }, { "b_info.numa_placement", PLAIN },
    { "b_info.tsc_mode", PLAIN }, { "b_info.max_memkb", PLAIN },
    { "b_info.target_memkb", PLAIN }, { "b_info.video_memkb", PLAIN },
    { "b_info.shadow_memkb", PLAIN }, { "b_info.iommu_memkb", PLAIN },
    { "b_info.rtc_timeoffset", PLAIN }, { "b_info.exec_ssidref", PLAIN },
    { "b_info.localtime", PLAIN }, { "b_info.disable_migrate", PLAIN },
    { "b_info.cpuid", TEXT }, { "b_info.cpuid.*", TEXT },
    { "b_info.blkdev_start", PLAIN }, { "b_info.vnuma_nodes.*", PLAIN },
    { "b_info.max_grant_frames", PLAIN }, { "b_info.max_maptrack_frames", PLAIN },
    { "b_info.max_grant_version", PLAIN },
    { "b_info.device_model_version", PLAIN },
    { "b_info.stubdomain_memkb", PLAIN },
    { "b_info.sched_params.*", PLAIN }, { "b_info.vcpu_sched_params.*", PLAIN },
    { "b_info.claim_mode", PLAIN }, { "b_info.event_channels", PLAIN },
    { "b_info.cmdline", TEXT }, { "b_info.acpi", PLAIN },
    { "b_info.timer_mode", PLAIN }, { "b_info.nested_hvm", PLAIN },
    { "b_info.apic", PLAIN }, { "b_info.dm_restrict", PLAIN },
    { "b_info.bootloader_restrict", PLAIN }, { "b_info.tee", PLAIN },
    { "b_info.arch_arm.*", PLAIN }, { "b_info.arch_x86.*", PLAIN },
    { "b_info.altp2m", PLAIN }, { "b_info.altp2m_count", PLAIN },
    { "b_info.vmtrace_buf_kb", PLAIN }, { "b_info.vpmu", PLAIN },
    { "b_info.trap_unmapped_accesses", PLAIN },
    { "b_info.xenstore_feature_mask", PLAIN },

    { "b_info.type.pv.slack_memkb", PLAIN }, { "b_info.type.pv.e820_host", PLAIN },
    { "b_info.type.pv.features", TEXT },
    { "b_info.type.pvh.pvshim", PLAIN }, { "b_info.type.pvh.pvshim_cmdline", TEXT },
    { "b_info.type.pvh.pvshim_extra", TEXT },

    { "b_info.type.hvm.bios", PLAIN }, { "b_info.type.hvm.pae", PLAIN },
    { "b_info.type.hvm.apic", PLAIN }, { "b_info.type.hvm.acpi", PLAIN },
    { "b_info.type.hvm.acpi_s3", PLAIN }, { "b_info.type.hvm.acpi_s4", PLAIN },
    { "b_info.type.hvm.acpi_laptop_slate", PLAIN }, { "b_info.type.hvm.nx", PLAIN },
    { "b_info.type.hvm.viridian", PLAIN },
    { "b_info.type.hvm.viridian_enable", PLAIN },
    { "b_info.type.hvm.viridian_disable", PLAIN },
    { "b_info.type.hvm.timeoffset", PLAIN }, { "b_info.type.hvm.hpet", PLAIN },
    { "b_info.type.hvm.vpt_align", PLAIN },
    { "b_info.type.hvm.mmio_hole_memkb", PLAIN },
    { "b_info.type.hvm.timer_mode", PLAIN }, { "b_info.type.hvm.nested_hvm", PLAIN },
    { "b_info.type.hvm.altp2m", PLAIN }, { "b_info.type.hvm.hdtype", PLAIN },
    { "b_info.type.hvm.nographic", PLAIN }, { "b_info.type.hvm.vga.*", PLAIN },
    { "b_info.type.hvm.vnc.enable", PLAIN },
    { "b_info.type.hvm.vnc.listen", LISTEN },
    { "b_info.type.hvm.vnc.passwd", TEXT },
    { "b_info.type.hvm.vnc.display", PLAIN },
    { "b_info.type.hvm.vnc.findunused", PLAIN },
    { "b_info.type.hvm.keymap", PLAIN }, { "b_info.type.hvm.sdl.enable", PLAIN },
    { "b_info.type.hvm.sdl.opengl", PLAIN },
    { "b_info.type.hvm.spice.enable", PLAIN },
    { "b_info.type.hvm.serial", PTY }, { "b_info.type.hvm.serial_list", PTY },
    { "b_info.type.hvm.boot", PLAIN }, { "b_info.type.hvm.usb", PLAIN },
    { "b_info.type.hvm.usbversion", PLAIN },
    { "b_info.type.hvm.usbdevice", POINTER },
    { "b_info.type.hvm.usbdevice_list", POINTER },
    { "b_info.type.hvm.vkb_device", PLAIN }, { "b_info.type.hvm.soundhw", SOUND },
    { "b_info.type.hvm.xen_platform_pci", PLAIN },
    { "b_info.type.hvm.xen_platform_pci_bar_uc", PLAIN },
    { "b_info.type.hvm.vendor_device", PLAIN },
    { "b_info.type.hvm.ms_vm_genid", PLAIN }, { "b_info.type.hvm.rdm.*", PLAIN },
    { "b_info.type.hvm.rdm_mem_boundary_memkb", PLAIN },
    { "b_info.type.hvm.mca_caps", PLAIN }, { "b_info.type.hvm.pirq", PLAIN },

    { "disks.pdev_path", DISK_PATH }, { "disks.vdev", PLAIN },
    { "disks.backend", PLAIN }, { "disks.format", PLAIN },
    { "disks.removable", PLAIN }, { "disks.readwrite", PLAIN },
    { "disks.is_cdrom", PLAIN }, { "disks.direct_io_safe", PLAIN },
    { "disks.discard_enable", PLAIN }, { "disks.specification", PLAIN },
    { "disks.transport", PLAIN }, { "disks.irq", PLAIN }, { "disks.base", PLAIN },
    { "disks.trusted", PLAIN }, { "disks.grant_usage", PLAIN },
    { "disks.colo_enable", PLAIN }, { "disks.colo_restore_enable", PLAIN },

    { "nics.devid", PLAIN }, { "nics.mtu", PLAIN }, { "nics.vlan", PLAIN },
    { "nics.model", PLAIN }, { "nics.mac", PLAIN }, { "nics.ip", ADDRESSES },
    { "nics.bridge", PLAIN }, { "nics.ifname", PLAIN },
    { "nics.script", VIF_SCRIPT }, { "nics.nictype", PLAIN },
    { "nics.rate_bytes_per_interval", PLAIN },
    { "nics.rate_interval_usecs", PLAIN }, { "nics.gatewaydev", PLAIN },
    { "nics.trusted", PLAIN },

    { "vfbs.devid", PLAIN }, { "vfbs.keymap", PLAIN },
    { "vfbs.vnc.enable", PLAIN }, { "vfbs.vnc.listen", LISTEN },
    { "vfbs.vnc.passwd", TEXT }, { "vfbs.vnc.display", PLAIN },
    { "vfbs.vnc.findunused", PLAIN },
    { "vfbs.sdl.enable", PLAIN }, { "vfbs.sdl.opengl", PLAIN },
    { "vkbs.devid", PLAIN }, { "vkbs.unique_id", PLAIN },
    { "vkbs.backend_type", PLAIN }, { "vkbs.feature_disable_keyboard", PLAIN },
    { "vkbs.feature_disable_pointer", PLAIN },
    { "vkbs.feature_abs_pointer", PLAIN }, { "vkbs.feature_raw_pointer", PLAIN },
    { "vkbs.feature_multi_touch", PLAIN }, { "vkbs.width", PLAIN },
    { "vkbs.height", PLAIN }, { "vkbs.multi_touch_width", PLAIN },
    { "vkbs.multi_touch_height", PLAIN },
    { "vkbs.multi_touch_num_contacts", PLAIN },

    { "on_poweroff", PLAIN }, { "on_reboot", PLAIN }, { "on_watchdog", PLAIN },
    { "on_crash", PLAIN }, { "on_soft_reset", PLAIN },
};

struct look {
    bool (*ours)(const void *arg, const char *vdev);
    const void *arg;
    bool our_disk;              /* of the disk that is looked at */
    struct err *problems;
};

/* "a.b.*" is for a.b.c, and for what is in that. */
static bool is_for(const char *pattern, const char *path)
{
    size_t len = strlen(pattern);

    if (len > 2 && !strcmp(pattern + len - 2, ".*"))
        return !strncmp(pattern, path, len - 1);
    return !strcmp(pattern, path);
}

/* Something that is known is in it: for "a.b.c" and "a.b.*" a, and a.b. */
static bool is_around(const char *pattern, const char *path)
{
    size_t len = strlen(path);

    return !strncmp(pattern, path, len) && pattern[len] == '.';
}

static const struct setting *find_setting(const char *path)
{
    size_t i;

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (is_for(settings[i].path, path))
            return &settings[i];
    return NULL;
}

static bool has_settings(const char *path)
{
    size_t i;

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        if (is_for(settings[i].path, path) ||
            is_around(settings[i].path, path))
            return true;
    return false;
}

static bool consists_of(const char *text, const char *chars)
{
    size_t len = strlen(text);

    return len <= WORD_MAX && text[0] != '-' && strspn(text, chars) == len;
}

/* words: up to a NULL. */
static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(text, *words))
            return true;
    return false;
}

static bool is_vif_script(const char *text)
{
    static const char *const scripts[] = {
        "vif-bridge", "vif-nat", "vif-openvswitch", "vif-route", NULL
    };
    const size_t len = strlen(XEN_SCRIPT_DIR "/");

    if (!strncmp(text, XEN_SCRIPT_DIR "/", len))
        text += len;
    return is_one_of(text, scripts);
}

static bool may_be(const struct look *l, enum trait trait, const char *text)
{
    static const char *const pointers[] = {
        "tablet", "mouse", "keyboard", NULL
    };
    /* Each of these is a device of QEMU's own; others are the host's. */
    static const char *const cards[] = {
        "ac97", "adlib", "cs4231a", "es1370", "gus", "hda", "pcspk", "sb16",
        NULL
    };

    switch (trait) {
    case PLAIN:
        return consists_of(text, ALNUM "._:+-");
    case TEXT:
        return true;
    case ADDRESSES:
        return consists_of(text, "0123456789abcdefABCDEF.:/ ");
    case LISTEN:
        /* Not "unix:", which is a path. */
        return consists_of(text, "0123456789abcdefABCDEF.:");
    case SOUND:
        return is_one_of(text, cards);
    case PTY:
        return !strcmp(text, "pty");
    case POINTER:
        return is_one_of(text, pointers);
    case VIF_SCRIPT:
        return is_vif_script(text);
    case DISK_PATH:
        return l->our_disk;
    }
    return false;
}

static void check_leaf(const struct look *l, json_object *o, const char *path)
{
    const struct setting *s = find_setting(path);

    if (s && !json_object_is_type(o, json_type_string))
        return;
    if (s && (!json_object_get_string_len(o) ||
              may_be(l, s->trait, json_object_get_string(o))))
        return;
    err_add(l->problems, "the configuration has %s=%s", path,
            json_object_to_json_string_ext(o,
                JSON_C_TO_STRING_NOSLASHESCAPE));
}

/*
 * Something unknown that has nothing in it to be looked at, as a device for
 * which libxl has all it takes.  A list of them that is empty asks for none.
 */
static bool asks_by_being_there(json_object *o, const char *path)
{
    if (!path[0] || has_settings(path))
        return false;
    if (json_object_is_type(o, json_type_object))
        return !json_object_object_length(o);
    return json_object_is_type(o, json_type_array) &&
           !json_object_array_length(o) && strchr(path, '.');
}

static void check(struct look *l, json_object *o, const char *path)
{
    struct json_object_iter it;
    char *below;
    size_t i;

    if (asks_by_being_there(o, path)) {
        check_leaf(l, o, path);
        return;
    }
    if (json_object_is_type(o, json_type_array)) {
        for (i = 0; i < json_object_array_length(o); i++)
            check(l, json_object_array_get_idx(o, i), path);
        return;
    }
    if (!json_object_is_type(o, json_type_object)) {
        check_leaf(l, o, path);
        return;
    }
    if (!strcmp(path, "disks"))
        l->our_disk = l->ours(l->arg, json_text(o, "vdev"));
    json_object_object_foreachC(o, it) {
        below = mem_printf("%s%s%s", path, path[0] ? "." : "", it.key);
        check(l, it.val, below);
        free(below);
    }
}

void portable_check(json_object *config,
                    bool (*ours)(const void *arg, const char *vdev),
                    const void *arg, struct err *problems)
{
    struct look l = { .ours = ours, .arg = arg, .problems = problems };

    check(&l, config, "");
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
