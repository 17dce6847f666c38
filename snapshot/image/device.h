/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What a block device is called that outlives the boot, whatever number it
 * has then (doc/design.md 8).  From sysfs alone: nothing is opened.
 */

#ifndef SNAPSHOT_DEVICE_H
#define SNAPSHOT_DEVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct device {
    /*
     * "dm:UUID" (of LVM: the volume's), "rbd:CLUSTER/POOL/NAMESPACE/IMAGE@
     * SNAPSHOT", "md:UUID", "wwid:ID" or "cid:ID"; NULL if it has none.
     */
    char *id;
    bool shared;        /* another device has the same id now */
    /* Of a loop device, as the kernel spells it; id is then NULL. */
    char *backing_file;
    uint64_t offset;    /* bytes at which a partition, or a loop, begins */
};

void device_read(dev_t dev, struct device *d);
void device_free(struct device *d);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
