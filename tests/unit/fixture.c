#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/disk/disk.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/fixture.h"

/* The records of disks are read by their kinds. */
__attribute__((constructor)) static void know_kinds(void)
{
    disk_init();
}

char *fixture_text(const char *name, const char *parent)
{
    char *quoted = parent ? mem_printf("\"%s\"", parent) : mem_strdup("null");
    char *text = mem_printf(
        "{\"format\":\"xl-snapshot\",\"version\":1,\"name\":\"%s\","
        "\"description\":\"before the upgrade\","
        "\"creation_time\":1795395723,\"expires\":null,\"parent\":%s,\"protected\":false,"
        "\"domain\":{\"name\":\"g1\","
        "\"uuid\":\"6c2b3f5e-0b1c-4d55-9f3e-2f6a1f0e7a11\","
        "\"type\":\"pvh\",\"state\":\"running\"},"
        "\"host\":{\"hostname\":\"dom0\",\"xen\":\"4.17\",\"qemu\":\"7.2.0\","
        "\"cpu\":\"a cpu\"},"
        "\"downtime_ms\":120,"
        "\"memory\":{\"file\":\"memory.xl\",\"compression\":\"none\","
        "\"size\":4096,\"stored_size\":4096,"
        "\"checksum\":\"xxh3:0123456789abcdef\"},"
        "\"disks\":[{\"vdev\":\"xvda\",\"path\":\"/vg/g1.qcow2\","
        "\"format\":\"qcow2\",\"backend\":\"qdisk\",\"type\":\"internal\","
        "\"snapshot\":\"%s\",\"virtual_size\":1048576,\"inode\":42,"
        "\"stamp\":\"1795395723.000000001\"},"
        "{\"vdev\":\"xvdb\",\"path\":\"/iso/cd.iso\",\"format\":\"raw\","
        "\"backend\":\"qdisk\",\"type\":\"none\",\"reason\":\"CD-ROM\"}],"
        "\"config\":{\"c_info\":{\"name\":\"g1\"}}}\n", name, quoted, name);

    free(quoted);
    return text;
}

json_object *fixture_json(const char *name, const char *parent)
{
    char *text = fixture_text(name, parent);
    struct err e;
    json_object *o = json_parse_object(text, strlen(text), "fixture", &e);

    if (!o) {
        fprintf(stderr, "%s\n", e.text);
        exit(2);
    }
    free(text);
    return o;
}

void fixture_snapshot(const char *name, const char *parent,
                      struct snapshot *s)
{
    json_object *o = fixture_json(name, parent);
    struct err e;

    if (meta_parse(o, "fixture", s, &e)) {
        fprintf(stderr, "%s\n", e.text);
        exit(2);
    }
    json_object_put(o);
}
