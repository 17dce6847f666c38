/* QMP framing: the first byte is the size of the pieces that arrive. */

#include "snapshot/qemu/qmp_frame.h"
#include "tests/fuzz/fuzz.h"

/* Takes all objects there are; false after an error. */
static int drain(struct qmp_frame *f)
{
    json_object *o;
    struct err e;
    int rc;

    while (!(rc = qmp_frame_next(f, &o, &e)) && o) {
        fuzz_demand(json_object_is_type(o, json_type_object), "an object");
        json_object_put(o);
    }
    return rc == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct qmp_frame f = { 0 };
    size_t piece, n;
    struct err e;

    if (!len)
        return 0;
    piece = data[0] ? data[0] : 4096;
    for (data++, len--; len; data += n, len -= n) {
        n = len < piece ? len : piece;
        if (qmp_frame_feed(&f, data, n, &e) || !drain(&f))
            break;
    }
    qmp_frame_free(&f);
    return 0;
}
