#include <string.h>

#include "snapshot/image/image.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

static int parse(const char *text, struct image_info *info, struct err *e)
{
    json_object *o = json_parse_object(text, strlen(text), "fixture", e);
    int rc = o ? image_info_parse(o, "the.image", info, e) : -2;

    json_object_put(o);
    return rc;
}

static void good(void)
{
    struct image_info i;
    struct err e;

    check(!parse("{\"virtual-size\": 1048576, \"format\": \"raw\"}", &i, &e)
          && i.virtual_size == 1048576 && !i.nsnapshots && !i.corrupt &&
          !image_info_find(&i, "a"), "a raw image");
    image_info_free(&i);
    check(!parse("{\"virtual-size\": 5, \"snapshots\": ["
                 "{\"name\": \"a\", \"id\": \"1\", \"date-sec\": 1795395723,"
                 " \"date-nsec\": 42, \"vm-state-size\": 0},"
                 "{\"name\": \"1\", \"id\": \"2\", \"date-sec\": 0,"
                 " \"date-nsec\": 999999999}],"
                 "\"format-specific\": {\"type\": \"qcow2\", \"data\": "
                 "{\"corrupt\": true}}}", &i, &e) &&
          i.nsnapshots == 2 && i.corrupt, "a qcow2 image, marked corrupt");
    check(image_info_find(&i, "a") &&
          !strcmp(image_info_find(&i, "a")->stamp, "1795395723.000000042") &&
          !image_info_find(&i, "2") && !image_info_find(&i, ""),
          "a snapshot is found by its name, not its id");
    image_info_free(&i);
    image_info_free(&i);
    check(!parse("{\"virtual-size\": 5, \"snapshots\": null, "
                 "\"format-specific\": {\"data\": 7}}", &i, &e) &&
          !i.corrupt, "null is no snapshots, oddities are not corrupt");
    image_info_free(&i);
}

static void bad(const char *text, const char *key)
{
    struct image_info i;
    struct err e;

    check_err(parse(text, &i, &e), &e, SNAP_FAILED, key, "refused: %s", text);
    check(!strncmp(e.text, "the.image: ", 11) && !i.snapshots,
          "the error names the image, nothing is left");
}

int main(void)
{
    good();
    bad("{}", "'virtual-size' is missing");
    bad("{\"virtual-size\": \"5\"}", "'virtual-size'");
    bad("{\"virtual-size\": -1}", "'virtual-size'");
    bad("{\"virtual-size\": 18446744073709551615}", "'virtual-size'");
    bad("{\"virtual-size\": 5, \"snapshots\": {}}", "'snapshots'");
    bad("{\"virtual-size\": 5, \"snapshots\": [1]}", "snapshot");
    bad("{\"virtual-size\": 5, \"snapshots\": [null]}", "snapshot");
    bad("{\"virtual-size\": 5, \"snapshots\": [{}]}", "'snapshots.name'");
    bad("{\"virtual-size\": 5, \"snapshots\": [{\"name\": \"a\"}]}",
        "'snapshots.date-sec'");
    bad("{\"virtual-size\": 5, \"snapshots\": [{\"name\": 5, "
        "\"date-sec\": 1, \"date-nsec\": 1}]}", "'snapshots.name'");
    bad("{\"virtual-size\": 5, \"snapshots\": [{\"name\": \"a\", "
        "\"date-sec\": 1, \"date-nsec\": 1000000000}]}",
        "'snapshots.date-nsec'");
    return unit_done();
}
