#include <stdlib.h>
#include <string.h>

#include "snapshot/xen/portable.h"
#include "tests/unit/unit.h"

static bool ours(const void *arg, const char *vdev)
{
    (void)arg;
    return !strcmp(vdev, "xvda");
}

/* What is refused of a configuration; the caller's to free. */
static char *refused(const char *config)
{
    json_object *o = json_tokener_parse(config);
    struct err problems = { 0 };

    check(o != NULL, "the test's configuration is JSON");
    portable_check(o, ours, NULL, &problems);
    json_object_put(o);
    return strdup(problems.status == SNAP_OK ? "" : problems.text);
}

static void passes(const char *config, const char *what)
{
    char *why = refused(config);

    check(!*why, "%s", what);
    free(why);
}

static void is_refused(const char *config, const char *word)
{
    char *why = refused(config);

    check(strstr(why, word) != NULL, "refused: %s", word);
    free(why);
}

/* As libxl writes it of guests of each type. */
static void common(void)
{
    passes("{\"c_info\":{\"type\":\"pvh\",\"name\":\"web 1/x\",\"uuid\":\"bf79de17-"
           "e247-401a-80b0-58fb16487a93\",\"run_hotplug_scripts\":\"True\"},"
           "\"b_info\":{\"max_vcpus\":1,\"avail_vcpus\":[0,1],\"max_memkb\":1,"
           "\"sched_params\":{\"sched\":\"credit\",\"weight\":256},"
           "\"claim_mode\":\"True\",\"cmdline\":\"root=/dev/xvda1, x=$(y)\","
           "\"type.pvh\":{},\"arch_x86\":{\"msr_relaxed\":\"False\"}},"
           "\"disks\":[{\"pdev_path\":\"/srv/a.qcow2\",\"vdev\":\"xvda\","
           "\"format\":\"qcow2\",\"readwrite\":1}],\"nics\":[{\"mac\":"
           "\"00:16:3e:00:00:01\",\"bridge\":\"xenbr0\",\"ip\":\"10.0.0.1/24 "
           "fe80::1\",\"script\":\"/etc/xen/scripts/vif-bridge\"}],"
           "\"on_reboot\":\"restart\",\"pcidevs\":[]}", "a PVH guest's");
    passes("{\"b_info\":{\"type.hvm\":{\"bios\":\"seabios\",\"vga\":{\"kind\":"
           "\"cirrus\",\"video_mem_kb\":0},\"vnc\":{\"enable\":\"True\",\"listen\":"
           "\"127.0.0.1\",\"passwd\":\"a/b\"},\"serial\":\"pty\",\"boot\":\"cd\","
           "\"usbdevice_list\":[\"tablet\",\"mouse\"],\"ms_vm_genid\":[1,2],"
           "\"sdl\":{},\"spice\":{\"enable\":\"False\"}}},"
           "\"disks\":[{\"vdev\":\"hdc\",\"is_cdrom\":1,\"pdev_path\":\"\"}]}",
           "an HVM guest's, with an empty CD-ROM");
}

static void hostile(void)
{
    is_refused("{\"b_info\":{\"kernel\":\"/etc/shadow\"}}",
               "b_info.kernel=\"/etc/shadow\"");
    is_refused("{\"disks\":[{\"vdev\":\"xvda\",\"pdev_path\":\"/a\"},"
               "{\"vdev\":\"xvdb\",\"pdev_path\":\"/b\"}]}",
               "disks.pdev_path=\"/b\"");
    is_refused("{\"disks\":[{\"pdev_path\":\"/b\"}]}", "disks.pdev_path=\"/b\"");
    is_refused("{\"disks\":[[{\"vdev\":\"xvda\"},{\"pdev_path\":\"/b\"}]]}",
               "disks.pdev_path=\"/b\"");
    is_refused("{\"disks\":[{\"vdev\":\"xvda\",\"backend_domname\":\"x\"}]}",
               "disks.backend_domname");
    is_refused("{\"nics\":[{\"script\":\"/etc/xen/scripts/../../x\"}]}",
               "nics.script");
    is_refused("{\"nics\":[{\"ifname\":\"a;b\"}]}", "nics.ifname=\"a;b\"");
    is_refused("{\"nics\":[{\"bridge\":\"../x\"}]}", "nics.bridge");
    is_refused("{\"nics\":[{\"ip\":\"$(x)\"}]}", "nics.ip");
    is_refused("{\"vfbs\":[{\"vnc\":{\"listen\":\"0,path=/x\"}}]}",
               "vfbs.vnc.listen");
    is_refused("{\"vfbs\":[{\"sdl\":{\"xauthority\":\"/x\"}}]}",
               "vfbs.sdl.xauthority");
    is_refused("{\"b_info\":{\"type.hvm\":{\"gfx_passthru\":\"True\"}}}",
               "gfx_passthru");
    is_refused("{\"b_info\":{\"type.hvm\":{\"serial_list\":[\"pty\",\"pipe:/x\"]"
               "}}}", "serial_list=\"pipe:/x\"");
    is_refused("{\"b_info\":{\"type.hvm\":{\"keymap\":\"-x\"}}}", "keymap");
    is_refused("{\"b_info\":{\"device_model_stubdomain\":\"True\"}}",
               "device_model_stubdomain");
    is_refused("{\"pcidevs\":[{\"bus\":1}]}", "pcidevs.bus=1");
    is_refused("{\"p9s\":[{\"path\":\"/\"}]}", "p9s.path");
    is_refused("{\"b_info\":7}", "b_info=7");
    is_refused("{\"b_info.kernel\":\"/x\"}", "b_info.kernel");
    is_refused("{\"pvcallsifs\":[{}]}", "pvcallsifs={}");
    is_refused("{\"pcidevs\":[{}]}", "pcidevs={}");
    is_refused("{\"pcidevs\":[null]}", "pcidevs=null");
    is_refused("{\"pcidevs\":[{\"x\":[]}]}", "pcidevs.x=[]");
    is_refused("{\"usbdevs\":[{\"type.hostdev\":{}}]}", "usbdevs.type.hostdev={}");
    is_refused("{\"b_info\":{\"device_model\":\"\"}}", "device_model");
    is_refused("{\"vfbs\":[{\"vnc\":{\"listen\":\"unix:passwd\"}}]}",
               "vfbs.vnc.listen");
    is_refused("{\"b_info\":{\"type.hvm\":{\"vnc\":{\"listen\":\"unix:a\"}}}}",
               "vnc.listen");
    is_refused("{\"b_info\":{\"type.hvm\":{\"soundhw\":\"usb-host\"}}}",
               "soundhw");
}

int main(void)
{
    common();
    hostile();
    return unit_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
