/* SPDX-License-Identifier: LGPL-2.1-only */

/* What sysfs tells of a block device. */

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "image/device.h"
#include "sys/mem.h"

#ifndef DEVICE_SYS
#define DEVICE_SYS "/sys"
#endif
#define SECTOR 512

/* The line in DIR/NAME, NULL if there is none or it is empty. */
static char *attribute(const char *dir, const char *name)
{
    char *path = mem_printf("%s/%s", dir, name), *line = NULL;
    size_t room = 0;
    FILE *f = fopen(path, "re");

    /* To the end: a path may have a line break in it. */
    if (f && getdelim(&line, &room, '\0', f) > 0 && line[0]) {
        size_t len = strlen(line);

        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
    }
    if (f)
        fclose(f);
    free(path);
    if (line && line[0])
        return line;
    free(line);
    return NULL;
}

static uint64_t number(const char *dir, const char *name)
{
    char *text = attribute(dir, name);
    uint64_t n = 0;

    if (text)
        n = strtoull(text, NULL, 10);
    free(text);
    return n;
}

/* Makes "NAME:VALUE" of an attribute. */
static char *named(const char *dir, const char *file, const char *name)
{
    char *value = attribute(dir, file);
    char *id = NULL;

    if (value)
        id = mem_printf("%s:%s", name, value);
    free(value);
    return id;
}

static char *rbd_id(const char *dir)
{
    static const char *const names[] = {
        "cluster_fsid", "pool", "pool_ns", "image_id", "current_snap",
    };
    char *v[5], *id = NULL;
    size_t i;

    for (i = 0; i < 5; i++) {
        char *file = mem_printf("device/%s", names[i]);

        v[i] = attribute(dir, file);
        free(file);
    }
    if (v[0] && v[1] && v[3]) {
        /* "-": no snapshot of the image, but the image. */
        const char *space = "", *snap = "-";

        if (v[2])
            space = v[2];
        if (v[4])
            snap = v[4];
        id = mem_printf("rbd:%s/%s/%s/%s@%s", v[0], v[1], space, v[3], snap);
    }
    for (i = 0; i < 5; i++)
        free(v[i]);
    return id;
}

/*
 * Of a whole disk, in its directory of sysfs.  Not virtio's "serial": for a
 * device that has none, Linux under Xen shows what was in memory.
 */
static char *disk_id(const char *dir)
{
    static const struct {
        const char *file, *name;
    } of[] = {
        { "dm/uuid", "dm" }, { "md/uuid", "md" },
        { "wwid", "wwid" },             /* NVMe */
        { "device/wwid", "wwid" },      /* SCSI, SATA */
        { "device/cid", "cid" },        /* MMC */
    };
    char *id = rbd_id(dir);
    size_t i;

    for (i = 0; !id && i < sizeof(of) / sizeof(of[0]); i++)
        id = named(dir, of[i].file, of[i].name);
    return id;
}

/*
 * An emulated disk, or one behind a cheap bridge, may have the serial of its
 * neighbour.  device-mapper and Ceph see to it that theirs differ.
 */
static bool is_shared(const char *id, const char *own_dir)
{
    char *own = attribute(own_dir, "dev");
    char *all = mem_printf("%s/block", DEVICE_SYS);
    DIR *block = opendir(all);
    struct dirent *de;
    bool shared = false;

    while (block && !shared && (de = readdir(block))) {
        char *dir, *dev, *theirs;

        if (de->d_name[0] == '.')
            continue;
        dir = mem_printf("%s/%s", all, de->d_name);
        dev = attribute(dir, "dev");
        theirs = disk_id(dir);
        shared = own && dev && theirs && strcmp(own, dev) &&
                 !strcmp(id, theirs);
        free(theirs);
        free(dev);
        free(dir);
    }
    if (block)
        closedir(block);
    free(all);
    free(own);
    return shared;
}

static bool is_unique(const char *id)
{
    return !strncmp(id, "dm:", 3) || !strncmp(id, "rbd:", 4);
}

void device_read(dev_t dev, struct device *d)
{
    char *dir = mem_printf("%s/dev/block/%u:%u", DEVICE_SYS, major(dev),
                           minor(dev));

    memset(d, 0, sizeof(*d));
    if (number(dir, "partition")) {
        char *disk = mem_printf("%s/..", dir);

        d->offset = number(dir, "start") * SECTOR;
        free(dir);
        dir = disk;
    }
    d->backing_file = attribute(dir, "loop/backing_file");
    if (d->backing_file)
        d->offset += number(dir, "loop/offset");
    else
        d->id = disk_id(dir);
    if (d->id && !is_unique(d->id))
        d->shared = is_shared(d->id, dir);
    free(dir);
}

void device_free(struct device *d)
{
    free(d->id);
    free(d->backing_file);
    memset(d, 0, sizeof(*d));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
