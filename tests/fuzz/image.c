/* What qemu-img and QEMU say of an image. */

#include <string.h>

#include "snapshot/image/image.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct image_info info;
    struct err e;
    json_object *o = json_parse_object((const char *)data, len, "fuzz", &e);
    size_t i;

    if (o && !image_info_parse(o, "fuzz", &info, &e)) {
        for (i = 0; i < info.nsnapshots; i++)
            fuzz_demand(image_info_find(&info, info.snapshots[i].name) &&
                        strchr(info.snapshots[i].stamp, '.'),
                        "a snapshot has name and stamp");
        image_info_free(&info);
    } else {
        fuzz_demand(!strncmp(e.text, "fuzz: ", 6),
                    "the error names the image");
    }
    json_object_put(o);
    return 0;
}
