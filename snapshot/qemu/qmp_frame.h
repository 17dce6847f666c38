/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * QMP framing: a stream of bytes in, one JSON object a line out.  Pure; the
 * peer (a device model that serves a guest) is not trusted: a line without
 * end, nesting without end and garbage are errors.
 *
 * Calling sequence: qmp_frame_feed() with what was read, then
 * qmp_frame_next() until it gives no object; qmp_frame_free() at the end.
 */

#ifndef SNAPSHOT_QMP_FRAME_H
#define SNAPSHOT_QMP_FRAME_H

#include "sys/json.h"

struct qmp_frame {
    char *buf;
    size_t len, scanned;
};

int qmp_frame_feed(struct qmp_frame *f, const void *data, size_t len,
                   struct err *e);
/*
 * *o_r is the next object (the caller's to put), or NULL if there is no whole
 * line yet.
 */
int qmp_frame_next(struct qmp_frame *f, json_object **o_r, struct err *e);
void qmp_frame_free(struct qmp_frame *f);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
