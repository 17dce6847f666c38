/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A QEMU monitor (QMP, docs/interop/qmp-spec).  On Xen the socket is
 * libxenstat's, /run/xen/qmp-libxenstat-<domid>: libxl keeps its own.  A
 * monitor serves one client at a time; a second one waits for a greeting
 * that does not come, which ends at the deadline.
 *
 * Calling sequence: qmp_open(), qmp_run() as often as needed, qmp_close().
 * After an error other than QEMU's own answer the connection is not usable
 * and every further call fails.
 */

#ifndef SNAPSHOT_QMP_H
#define SNAPSHOT_QMP_H

#include "sys/json.h"

#ifndef QMP_TIMEOUT_S            /* tests have less patience */
#define QMP_TIMEOUT_S 30        /* for a greeting or an answer */
#endif

struct qmp;

/* *q_r is NULL on failure. */
int qmp_open(const char *path, struct qmp **q_r, struct err *e);
/*
 * Runs one command.  Takes over args (may be NULL).  *ret_r, if asked for,
 * is the "return" value and the caller's to put.  QEMU's error text is in
 * the error.
 */
int qmp_run(struct qmp *q, const char *command, json_object *args,
            json_object **ret_r, struct err *e);
void qmp_close(struct qmp *q);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
