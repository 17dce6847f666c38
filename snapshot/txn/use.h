/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Did somebody write to the disks of an operation since it let go of them
 * (doc/design.md 8, "Use since")?  Within the boot of the journal a seal in a
 * note tells; where there is none that holds, only the content proves that
 * nobody did.  What cannot be proved counts as used: no guest gets memory that
 * is older than its disks, and no disk is written over.
 *
 * Calling sequence: the domain is gone and its images are closed; use_seal()
 * notes all seals; each act that writes to a disk is followed by
 * use_seal_disk().  Between its beginning and that, the old seal does not
 * hold, which is what makes it safe to be cut off there.
 */

#ifndef SNAPSHOT_TXN_USE_H
#define SNAPSHOT_TXN_USE_H

#include "txn/job.h"

/*
 * Notes the seals of all disks with a part, as one record with a mark, that
 * job_is_noted() finds.
 */
int use_seal(struct job *j, const char *mark, struct err *e);
int use_seal_disk(struct job *j, size_t disk, struct err *e);
/* The first disk that may have been used since, or NULL: its vdev. */
int use_find(struct job *j, const char **vdev_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
