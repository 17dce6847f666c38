/* SPDX-License-Identifier: LGPL-2.1-only */

/* Finds out whether a file, a block device or a volume is behind a path. */

#include <stdlib.h>
#include <sys/stat.h>

#include "disk/medium.h"
#include "disk/rbd_image.h"
#include "disk/volume.h"
#include "image/layer.h"
#include "sys/err.h"
#include "sys/mem.h"

/* A device of krbd's, or an image that a script has mapped. */
static int probe_rbd(struct domain_disk *disk, struct err *e)
{
    const struct rbd_map *map;
    struct rbd_maps maps;

    if (rbd_maps_read(&maps, e))
        return -1;
    map = rbd_maps_find(&maps, disk->path);
    if (map) {
        disk->medium = MEDIUM_RBD;
        disk->volume = mem_strdup(map->image);
    }
    rbd_maps_free(&maps);
    return 0;
}

static int probe_volume(struct domain_disk *disk, struct err *e)
{
    const struct volume *v;
    struct volumes vs;
    char *name;

    if (volume_of_path(disk->path, &name, e))
        return -1;
    if (!name)
        return 0;
    if (volumes_read_beside(name, &vs, e)) {
        free(name);
        return -1;
    }
    v = volumes_find(&vs, name);
    if (v) {
        disk->medium = MEDIUM_LVM;
        if (v->thin)
            disk->medium = MEDIUM_LVM_THIN;
        disk->volume = name;
        name = NULL;
    }
    free(name);
    volumes_free(&vs);
    return 0;
}

static int probe_block(struct domain_disk *disk, struct err *e)
{
    disk->medium = MEDIUM_BLOCK;
    if (probe_rbd(disk, e))
        return -1;
    if (disk->medium == MEDIUM_RBD)
        return 0;
    return probe_volume(disk, e);
}

static int probe(struct domain_disk *disk, struct err *e)
{
    struct stat st;

    free(disk->live);
    disk->live = realpath(disk->path, NULL);
    if (!disk->live)
        disk->live = mem_strdup(disk->path);
    free(disk->link);
    disk->link = layer_find_link(disk->path);
    free(disk->volume);
    disk->volume = NULL;
    disk->medium = MEDIUM_UNKNOWN;
    if (disk->foreign || !disk->path[0])
        return 0;
    if (disk->script)
        return probe_rbd(disk, e);
    if (stat(disk->path, &st))
        return 0;           /* the check of its kind says what is wrong */
    if (S_ISREG(st.st_mode))
        disk->medium = MEDIUM_FILE;
    else if (S_ISBLK(st.st_mode))
        return probe_block(disk, e);
    return 0;
}

int medium_probe(struct domain *d, struct err *e)
{
    size_t i;

    for (i = 0; i < d->ndisks; i++)
        if (!d->disks[i].cdrom && probe(&d->disks[i], e))
            return err_wrap(e, "disk %s", d->disks[i].vdev);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
