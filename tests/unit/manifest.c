#include <stdlib.h>
#include <string.h>

#include "snapshot/store/manifest.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define OTHER "1123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* With the snapshot of the fixture, whose memory image is memory.xl. */
static char *text_of(const char *since, const char *memory,
                     const char *disks)
{
    json_object *o = fixture_json("snap1", NULL);
    char *text = mem_printf("{\"format\":\"xl-snapshot-export\",\"version\":1,"
                            "\"since\":%s,\"memory\":%s,\"disks\":%s,"
                            "\"snapshot\":%s}", since, memory, disks,
                            json_object_to_json_string(o));

    json_object_put(o);
    return text;
}

#define MEMORY "{\"size\":4096,\"sha256\":\"" SUM "\"}"
#define SINCE "{\"directory\":\"../monday\",\"sha256\":\"" OTHER "\"}"
#define CHUNKS "\"chunks\":{\"size\":32,\"sha256\":\"" SUM "\"}"
#define IMAGE "\"image\":{\"size\":196616,\"sha256\":\"" OTHER "\"}"
#define DISK(vdev, format, more) "{\"vdev\":\"" vdev "\",\"format\":\"" \
    format "\",\"virtual_size\":1048576," more "}"

static void round_trip(void)
{
    char *text = text_of(SINCE, MEMORY, "[" DISK("xvda", "qcow2",
                         "\"incremental\":true," IMAGE "," CHUNKS) ","
                         DISK("sda1", "raw", "\"image\":{\"size\":1048576},"
                              CHUNKS) "]");
    struct manifest m, again;
    char *written, *name;
    struct err e;

    check_ok(manifest_parse(text, strlen(text), "f", &m, &e), &e,
             "a manifest is read");
    free(text);
    check(!strcmp(m.s.name, "snap1") && !strcmp(m.since, "../monday") &&
          !strcmp(m.since_sha256, OTHER) && m.memory.size == 4096 &&
          !strcmp(m.memory.sha256, SUM) && m.ndisks == 2,
          "snapshot, earlier export and memory");
    check(m.disks[0].incremental && m.disks[0].virtual_size == 1 << 20 &&
          m.disks[0].image.size == 196616 &&
          !strcmp(m.disks[0].image.sha256, OTHER) &&
          !strcmp(m.disks[0].chunks.sha256, SUM), "an image on another");
    check(!m.disks[1].incremental && !m.disks[1].image.sha256 &&
          manifest_find(&m, "sda1") == &m.disks[1] &&
          !manifest_find(&m, "xvdz"), "a raw image, which its chunks prove");
    name = manifest_image_name(&m.disks[1]);
    check(!strcmp(name, "sda1.raw"), "a file's name");
    free(name);
    written = manifest_text(&m);
    check_ok(manifest_parse(written, strlen(written), "f", &again, &e), &e,
             "it is read as it was written");
    text = manifest_text(&again);
    check(!strcmp(text, written), "and is the same then");
    free(text);
    free(written);
    manifest_free(&again);
    manifest_free(&m);
}

static void refused(void)
{
    static const struct {
        const char *since, *memory, *disks, *why;
    } cases[] = {
        { "{\"directory\":\"/etc\",\"sha256\":\"" SUM "\"}", MEMORY, "[]",
          "since" },
        { "{\"directory\":\"../x\",\"sha256\":\"abc\"}", MEMORY, "[]",
          "since.sha256" },
        { "null", "{\"size\":-1,\"sha256\":\"" SUM "\"}", "[]", "size" },
        { "null", "{\"size\":1}", "[]", "sha256" },
        { "null", MEMORY, "{}", "disks" },
        { "null", MEMORY, "[1]", "no object" },
        { "null", MEMORY, "[" DISK("../x", "qcow2", IMAGE "," CHUNKS) "]",
          "vdev" },
        { "null", MEMORY, "[" DISK("", "qcow2", IMAGE "," CHUNKS) "]",
          "vdev" },
        { "null", MEMORY, "[" DISK("xvda", "qcow2", IMAGE "," CHUNKS) ","
          DISK("xvda", "raw", IMAGE "," CHUNKS) "]", "vdev" },
        { "null", MEMORY, "[" DISK("xvda", "vmdk", IMAGE "," CHUNKS) "]",
          "format" },
        { "null", MEMORY, "[" DISK("xvda", "qcow2", CHUNKS) "]", "image" },
        { "null", MEMORY, "[" DISK("xvda", "qcow2", IMAGE) "]", "chunks" },
        { "null", MEMORY, "[" DISK("xvda", "qcow2", "\"incremental\":true,"
          IMAGE "," CHUNKS) "]", "no earlier export" },
        { SINCE, MEMORY, "[" DISK("xvda", "raw", "\"incremental\":true,"
          IMAGE "," CHUNKS) "]", "no earlier export" },
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *text = text_of(cases[i].since, cases[i].memory, cases[i].disks);
        struct manifest m;
        struct err e;

        check(manifest_parse(text, strlen(text), "f", &m, &e) &&
              strstr(e.text, cases[i].why), "refused: %s", cases[i].why);
        free(text);
    }
}

static void names(void)
{
    static const char *const ours[] = {
        "export.json", "memory.xl", "memory.xl.zst", "xvda.qcow2", "hda.raw",
        "sda1.chunks",
    };
    static const char *const others[] = {
        ".lock", "x", "Xvda.raw", "xvda.img", ".raw", "a/b.raw",
        "..raw", "abcdefghijklmnopqr.raw", "xvda.raw.bak",
    };
    size_t i;

    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        check(manifest_is_file(ours[i]), "%s is of an export", ours[i]);
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        check(!manifest_is_file(others[i]), "%s is not", others[i]);
}

int main(void)
{
    round_trip();
    refused();
    names();
    return unit_done();
}
