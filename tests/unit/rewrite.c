#include <stdio.h>
#include <string.h>

#include "snapshot/memory/rewrite.h"
#include "snapshot/sys/json.h"
#include "snapshot/store/json_scan.h"
#include "snapshot/sys/mem.h"
#include "snapshot/memory/save_file.h"
#include "tests/unit/unit.h"

#define PAGES "the guest's pages"

/* An image in memory, given in pieces of any size. */
struct image {
    char data[4096];
    size_t len, done, piece;
    size_t fail_at;             /* 0: nowhere */
};

static ssize_t image_source(void *arg, void *buf, size_t len)
{
    struct image *image = arg;

    if (len > image->piece)
        len = image->piece;
    if (len > image->len - image->done)
        len = image->len - image->done;
    if (image->fail_at && image->done + len >= image->fail_at)
        return -1;
    memcpy(buf, image->data + image->done, len);
    image->done += len;
    return (ssize_t)len;
}

static void add(struct image *image, const void *data, size_t len)
{
    memcpy(image->data + image->len, data, len);
    image->len += len;
}

static void make(const char *config, struct image *image)
{
    uint32_t len = (uint32_t)strlen(config) + 1;
    struct memory_header hdr = {
        .byteorder = MEMORY_BYTEORDER,
        .mandatory_flags = MEMORY_FLAG_JSON | MEMORY_FLAG_STREAM_V2,
        .optional_data_len = sizeof(len) + len,
    };

    memset(image, 0, sizeof(*image));
    image->piece = 7;
    memcpy(hdr.magic, memory_magic, sizeof(hdr.magic));
    add(image, &hdr, sizeof(hdr));
    add(image, &len, sizeof(len));
    add(image, config, len);
    add(image, PAGES, sizeof(PAGES));
}

static struct rewrite_edit edit = { .genid = true };
static struct err error;        /* of the last run */

/* All that comes out; its length, or -1. */
static long run(struct image *image, char *out, size_t room)
{
    struct rewrite g;
    ssize_t n = 1;
    size_t len = 0;

    image->done = 0;
    if (rewrite_begin(&g, image_source, image, rewrite_config, &edit,
                      &error))
        n = -1;
    while (n > 0 && (n = rewrite_source(&g, out + len, 5)) > 0 &&
           len + 10 < room)
        len += (size_t)n;
    rewrite_end(&g);
    return n < 0 ? -1 : (long)len;
}

static bool same(struct image *image)
{
    char out[8192];

    return run(image, out, sizeof(out)) == (long)image->len &&
           !memcmp(out, image->data, image->len);
}

static void unchanged(void)
{
    static const char *const configs[] = {
        "{}", "{\"b_info\":{\"type.pv\":{}}}",
        "{\"b_info\":{\"type.hvm\":{\"bios\":\"seabios\"}}}",
        "{\"ms_vm_genid\":[1]}", "not JSON",
    };
    struct image image;
    size_t i, len;

    for (i = 0; i < sizeof(configs) / sizeof(configs[0]); i++) {
        make(configs[i], &image);
        check(same(&image), "without a generation id nothing changes: %s",
              configs[i]);
    }
    make("{\"b_info\":{\"type.hvm\":{\"ms_vm_genid\":[1]}}}", &image);
    image.data[0] ^= 1;
    check(same(&image), "what is no image comes through");
    make("{}", &image);
    len = image.len;
    for (i = 0; i < len; i++) {
        image.len = i;
        if (!same(&image))
            check(false, "an image cut at %zu", i);
    }
    check(true, "so does an image cut anywhere");
}

static void renewed(void)
{
    static const char config[] = "{\"c_info\":{\"name\":\"g1\"},\"b_info\":"
        "{\"max_memkb\":18446744073709551615,\"type.hvm\":{\"bios\":\"b\","
        "\"ms_vm_genid\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],"
        "\"x\":null}},\"end\":1}";
    const char *head = strstr(config, "[1,"), *tail = strstr(config, "],\"x");
    struct memory_header hdr;
    struct image image;
    char out[8192], again[8192];
    const char *json = out + sizeof(hdr) + 4;
    uint32_t len;
    long n;

    make(config, &image);
    n = run(&image, out, sizeof(out));
    memcpy(&hdr, out, sizeof(hdr));
    memcpy(&len, out + sizeof(hdr), sizeof(len));
    check(n > 0 && len == strlen(json) + 1 &&
          hdr.optional_data_len == len + sizeof(len) &&
          (size_t)n == sizeof(hdr) + sizeof(len) + len + sizeof(PAGES) &&
          !strcmp(json + len, PAGES), "lengths are right, pages follow");
    check(!strncmp(json, config, (size_t)(head - config)) &&
          !strcmp(strstr(json, "],\"x"), tail),
          "the rest of the configuration is as it was");
    check(strncmp(json + (head - config), head, 20),
          "the generation id is another one: %.60s", json + (head - config));
    check(run(&image, again, sizeof(again)) > 0 &&
          strcmp(again + sizeof(hdr) + 4, json), "and one more each time");
}

static void valid(void)
{
    static const char config[] =
        "{\"b_info\":{\"type.hvm\":{\"ms_vm_genid\":[9]}}}";
    struct image image;
    char out[8192];
    json_object *o, *b, *h, *id;
    bool good = true;
    size_t i;

    make(config, &image);
    run(&image, out, sizeof(out));
    o = json_tokener_parse(out + sizeof(struct memory_header) + 4);
    good = json_object_object_get_ex(o, "b_info", &b) &&
           json_object_object_get_ex(b, "type.hvm", &h) &&
           json_object_object_get_ex(h, "ms_vm_genid", &id) &&
           json_object_array_length(id) == 16;
    for (i = 0; good && i < 16; i++)
        good = json_object_get_int(json_object_array_get_idx(id, i)) >= 0 &&
               json_object_get_int(json_object_array_get_idx(id, i)) < 256;
    check(good, "it is what libxl reads: 16 bytes");
    json_object_put(o);
}

/* Where the configuration is in what came out. */
static const char *config_of(const char *out)
{
    return out + sizeof(struct memory_header) + sizeof(uint32_t);
}

/* Numbers no machine has, members nobody knows, one twice. */
#define REST "\"b_info\":{\"max_memkb\":18446744073709551615," \
    "\"n\":123456789012345678901234567890,\"x\":1e400,\"y\":0.1," \
    "\"type.hvm\":{}},\"disks\":[],\"on_crash\":\"a\",\"on_crash\":\"b\"}"

static void renamed(void)
{
    static const char old[] = "{ \"c_info\" : {\"name\":\"g1\",\"z\":-0.0,"
        "\"uuid\":\"1\"}," REST;
    struct image image;
    char out[8192];

    edit = (struct rewrite_edit){ .name = "a \"new\" one/2", .uuid = "77" };
    make(old, &image);
    check(run(&image, out, sizeof(out)) > 0 &&
          !strcmp(config_of(out), "{ \"c_info\" : {\"name\":\"a "
                  "\\\"new\\\" one/2\",\"z\":-0.0,\"uuid\":\"77\"}," REST),
          "another name and uuid, all else to the byte");
    check(!strcmp(config_of(out) + strlen(config_of(out)) + 1, PAGES),
          "the pages follow");
    edit = (struct rewrite_edit){ .name = "g1", .uuid = "1" };
    check(same(&image), "the same name and uuid change nothing");
    edit = (struct rewrite_edit){ .name = "x" };
    make("{\"c_info\":{\"uuid\":\"1\"}}", &image);
    check(run(&image, out, sizeof(out)) == -1 &&
          strstr(error.text, "has no 'name'"),
          "without a name there is none to change: an error");
    edit = (struct rewrite_edit){ .genid = true };
}

static int refuse(void *arg, const char *config, char **new_r, struct err *e)
{
    (void)arg;
    (void)new_r;
    return err_set(e, SNAP_FAILED, "not %s", config);
}

static void refused(void)
{
    struct image image;
    struct rewrite w;
    struct err e;

    make("{}", &image);
    check_err(rewrite_begin(&w, image_source, &image, refuse, NULL, &e), &e,
              SNAP_FAILED, "not {}", "the callback's error is the error");
    rewrite_end(&w);
}

static void failures(void)
{
    struct image image;
    char out[8192];
    size_t i;
    bool all = true;

    make("{}", &image);
    for (i = 1; i < image.len; i++) {
        image.fail_at = i;
        all = all && run(&image, out, sizeof(out)) == -1;
    }
    check(all, "a read error anywhere is one");
}

int main(void)
{
    unchanged();
    renewed();
    valid();
    renamed();
    refused();
    failures();
    return unit_done();
}
