/* export.json: what is accepted leads nowhere else, and can be written again. */

#include <string.h>

#include "snapshot/disk/disk.h"
#include "snapshot/store/manifest.h"
#include "snapshot/xen/portable.h"
#include "tests/fuzz/fuzz.h"

/* The records of disks are read by their kinds. */
__attribute__((constructor)) static void know_kinds(void)
{
    disk_init();
}

static void again(const struct manifest *m)
{
    char *text = manifest_text(m);
    struct manifest copy;
    struct err e;

    fuzz_demand(!manifest_parse(text, strlen(text), "fuzz", &copy, &e),
                "what is written can be read");
    fuzz_demand(copy.ndisks == m->ndisks && !strcmp(copy.s.name, m->s.name),
                "and is the same");
    manifest_free(&copy);
    free(text);
}

static void look_at_files(const struct manifest *m)
{
    size_t i;

    fuzz_demand(manifest_is_file(manifest_memory_name(m)),
                "the memory image is a file of an export");
    for (i = 0; i < m->ndisks; i++) {
        char *image = manifest_image_name(&m->disks[i]);
        char *chunks = manifest_chunks_name(&m->disks[i]);

        fuzz_demand(manifest_is_file(image) && manifest_is_file(chunks) &&
                    !strchr(image, '/') && !strchr(chunks, '/'),
                    "so are a disk's");
        free(image);
        free(chunks);
    }
}

static bool none(const void *arg, const char *vdev)
{
    (void)arg;
    (void)vdev;
    return false;
}

static void look_at_config(const char *text)
{
    struct err problems = { 0 }, e;
    json_object *o = json_parse_object(text, strlen(text), "fuzz", &e);

    if (o)
        portable_check(o, none, NULL, &problems);
    fuzz_demand(!o || problems.status != SNAP_OK ||
                !strstr(json_object_to_json_string(o), "\"kernel\": \"\\/"),
                "no kernel of the host passes");
    json_object_put(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct manifest m;
    struct err e;
    char *text = malloc(len + 1);

    memcpy(text, data, len);
    text[len] = '\0';
    if (!manifest_parse(text, len, "fuzz", &m, &e)) {
        look_at_files(&m);
        look_at_config(m.s.config);
        again(&m);
        manifest_free(&m);
    } else {
        fuzz_demand(!strncmp(e.text, "fuzz", 4), "the error names the file");
    }
    free(text);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
