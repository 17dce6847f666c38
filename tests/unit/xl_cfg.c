#include <stdlib.h>
#include <string.h>

#include "snapshot/xen/xl_cfg.h"
#include "tests/unit/unit.h"

/* The line that begins so; the caller's to free. */
static char *line_of(const char *config, const char *start)
{
    json_object *o = json_tokener_parse(config);
    char *text = xl_cfg_text(o, "about"), *at, *line = NULL;

    check(o != NULL, "the test's configuration is JSON");
    for (at = text; at && !line; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (!strncmp(at, start, strlen(start)))
            line = strndup(at, strcspn(at, "\n"));
    }
    json_object_put(o);
    free(text);
    return line ? line : strdup("none");
}

static void has(const char *config, const char *start, const char *want)
{
    char *line = line_of(config, start);

    check(!strcmp(line, want), "%s: %s", want, line);
    free(line);
}

static void values(void)
{
    has("{}", "#", "# about");
    has("{\"c_info\":{\"name\":\"g1\"}}", "name", "name = \"g1\"");
    has("{\"c_info\":{\"hap\":\"True\"}}", "hap", "hap = 1");
    has("{\"c_info\":{\"hap\":\"False\"}}", "hap", "hap = 0");
    has("{\"b_info\":{\"avail_vcpus\":[0,1,2]}}", "vcpus", "vcpus = 3");
    has("{\"b_info\":{\"target_memkb\":131072}}", "memory", "memory = 128");
    has("{\"b_info\":{\"kernel\":\"\"}}", "kernel", "none");
    has("{\"on_crash\":\"rename_restart\"}", "on_crash",
        "on_crash = \"rename-restart\"");
    has("{\"b_info\":{\"type.hvm\":{\"vnc\":{\"enable\":\"True\"}}}}", "vnc",
        "vnc = 1");
    has("{\"b_info\":{\"type.hvm\":{\"usbdevice_list\":[\"tablet\",\"mouse\"]}}}",
        "usbdevice", "usbdevice = [ \"tablet\", \"mouse\" ]");
    has("{\"b_info\":{\"max_vcpus\":[1]}}", "maxvcpus", "none");
    has("{\"b_info\":{\"vcpu_hard_affinity\":[[1]],\"type.pv\":{}}}", "#  ",
        "#   \"b_info.vcpu_hard_affinity\"");
}

/* Each line of it is a comment, whatever is said to be in it. */
static void comment(void)
{
    json_object *o = json_object_new_object();
    char *text = xl_cfg_text(o, "x\nbootloader=\"y\"\r\n#");

    check(!strcmp(text, "# x bootloader=\"y\"  #\n"), "the first line: %s",
          text);
    free(text);
    json_object_put(o);
}

/* None of it can end its quotes. */
static void quotes(void)
{
    has("{\"b_info\":{\"cmdline\":\"a \\\"b\\\" 'c' \\\\ \\n bootloader='x'\"}}",
        "cmdline", "cmdline = \"a \\\"b\\\" 'c' \\\\ \\n bootloader='x'\"");
    has("{\"x\\nbootloader='y'\":1}", "#  ", "#   \"x\\nbootloader='y'\"");
}

static void devices(void)
{
    has("{\"disks\":[{\"pdev_path\":\"/a, b.qcow2\",\"vdev\":\"xvda\",\"format\":"
        "\"qcow2\",\"readwrite\":1,\"backend\":\"qdisk\"}]}", "    ",
        "    \"format=qcow2,vdev=xvda,backendtype=qdisk,access=rw,"
        "target=/a, b.qcow2\",");
    has("{\"disks\":[{\"vdev\":\"hdc\",\"is_cdrom\":1,\"format\":\"empty\"}]}",
        "    ", "    \"vdev=hdc,devtype=cdrom,access=ro\",");
    has("{\"nics\":[{\"mac\":\"00:16:3e:00:00:01\",\"bridge\":\"br0\","
        "\"nictype\":\"vif\"}]}", "    ",
        "    \"mac=00:16:3e:00:00:01,bridge=br0,type=vif\",");
    has("{\"vfbs\":[{\"vnc\":{\"enable\":\"True\",\"display\":5}}]}", "    ",
        "    \"vnc=1,vncdisplay=5\",");
    has("{\"vfbs\":[{\"vnc\":{\"passwd\":\"a,vnclisten=unix:/x\"}}]}", "    ",
        "    \"\",");
    has("{\"vfbs\":[{\"vnc\":{\"passwd\":\"a,vnclisten=unix:/x\"}}]}", "#  ",
        "#   \"vnc.passwd\"");
    has("{\"disks\":[7,\"x\"]}", "    ", "    \"access=ro\",");
}

int main(void)
{
    values();
    comment();
    quotes();
    devices();
    return unit_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
