/* SPDX-License-Identifier: LGPL-2.1-only */

/* Which kind of snapshot a disk gets, and the layers of external ones. */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "snapshot/disk/disk.h"
#include "snapshot/disk/kind.h"
#include "snapshot/image/image.h"
#include "snapshot/image/layer.h"
#include "snapshot/sys/mem.h"
#include "snapshot/sys/name.h"
#include "tests/unit/unit.h"

#define UNIQUE "0badcafe"

static const struct disk_others external_ones = { { "external" }, 1, NULL };
static const struct disk_others internal_ones = { { "internal" }, 1, NULL };

static const struct choice {
    const char *format, *backend;
    enum medium medium;
    struct disk_request r;
    const char *type;           /* that it gets, or NULL */
    const char *why;            /* or a part of the reason against it */
} choices[] = {
    /* what each gets if nobody asks */
    { "qcow2", "qdisk", MEDIUM_FILE, { 0 }, "internal", NULL },
    { "qcow2", "qdisk", MEDIUM_FILE, { .cold = true }, "internal", NULL },
    { "qcow2", "qdisk", MEDIUM_FILE, { .others = &external_ones }, "external",
      NULL },
    { "raw", "phy", MEDIUM_FILE, { 0 }, "copy", NULL },
    { "raw", "qdisk", MEDIUM_FILE, { .cold = true }, "copy", NULL },
    { "raw", "phy", MEDIUM_BLOCK, { 0 }, NULL, "block device" },
    { "vhd", "qdisk", MEDIUM_FILE, { 0 }, NULL, "--cold" },
    { "vhd", "qdisk", MEDIUM_FILE, { .cold = true }, "copy", NULL },
    /* what somebody asks for */
    { "qcow2", "qdisk", MEDIUM_FILE, { .type = "external" }, "external",
      NULL },
    { "qcow2", "qdisk", MEDIUM_FILE, { .type = "none" }, "none", NULL },
    { "qcow2", "qdisk", MEDIUM_FILE, { .type = "copy" }, NULL, "no copies" },
    { "raw", "qdisk", MEDIUM_FILE, { .type = "internal" }, NULL,
      "only qcow2" },
    { "raw", "qdisk", MEDIUM_FILE, { .type = "external" }, NULL,
      "needs a qcow2 image" },
    { "raw", "phy", MEDIUM_BLOCK, { .type = "copy", .path = "/c" }, "copy",
      NULL },
    { "raw", "phy", MEDIUM_FILE, { .type = "magic" }, NULL, "no such type" },
    /* one kind would lose the other at a revert */
    { "qcow2", "qdisk", MEDIUM_FILE,
      { .type = "internal", .others = &external_ones }, NULL,
      "has external snapshots" },
    { "qcow2", "qdisk", MEDIUM_FILE,
      { .type = "external", .others = &internal_ones }, NULL,
      "has internal snapshots" },
};

static void choose(void)
{
    size_t i;

    for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
        const struct choice *c = &choices[i];
        struct domain_disk disk = {
            .vdev = "xvda", .path = "/img", .format = c->format,
            .backend = c->backend, .medium = c->medium, .live = "/img",
        };
        struct disk_request r = c->r;
        struct snapshot s = { .ndisks = 1 };
        struct err e;
        int rc;

        r.snapshot = "snap1";
        r.unique = UNIQUE;
        s.disks = mem_zalloc(1, sizeof(*s.disks));
        rc = disk_choose(&disk, &r, &s.disks[0], &e);
        if (c->type)
            check(!rc && !strcmp(s.disks[0].type, c->type),
                  "%s on %s%s: %s", c->format, c->backend,
                  r.cold ? ", cold" : "", c->type);
        else
            check(rc && strstr(e.text, c->why) && strstr(e.text, "xvda"),
                  "refused: %s", rc ? e.text : s.disks[0].type);
        meta_free(&s);
    }
}

/* Through a linked folder, too, under the name that its layers have. */
static void find_by_folder(const char *link)
{
    char *folder = layer_folder(link), *linked = unit_path("linked");
    char *path = mem_printf("%s%s", linked, strrchr(link, '/')), *found;

    if (symlink(folder, linked))
        abort();
    found = layer_find_link(path);
    check(found && !strcmp(found, link), "through a linked folder: %s",
          found ? found : "none");
    free(found);
    unlink(linked);
    free(path);
    free(linked);
    free(folder);
}

/* The link is known by the name of what it leads to, from any other link. */
static void find_link(void)
{
    char *user = unit_path("user"), *link = unit_path("disk.qcow2");
    char *layer = layer_name(link, "snap1", UNIQUE), *other;
    struct err e;
    char *found;

    unit_puts(link, "");
    found = layer_find_link(link);
    check(!found, "a plain file is no link");
    unit_puts(layer, "");
    check_ok(layer_point(link, layer, &e), &e, "the path becomes a link");
    check_ok(layer_point(link, layer, &e), &e, "once more changes nothing");
    found = layer_find_link(link);
    check(found && !strcmp(found, link), "the link is found");
    free(found);
    if (symlink("disk.qcow2", user))
        abort();
    found = layer_find_link(user);
    check(found && !strcmp(found, link), "also behind a link of the user's");
    free(found);
    find_by_folder(link);
    unlink(link);
    other = unit_path("other.qcow2");
    unit_puts(other, "");
    if (symlink(other, link))
        abort();
    found = layer_find_link(user);
    check(!found, "a link of the user's alone is none of ours");
    unlink(link);
    unlink(user);
    free(other);
    free(layer);
    free(link);
    free(user);
}

static void layers(void)
{
    char *base = unit_path("base"), *mid = unit_path("mid"), *top = unit_path("top");
    const char *const args[] = {
        "create", "-q", "-f", "qcow2", base, "1M", NULL
    };
    char **chain, *below;
    struct stat st;
    struct err e;
    size_t n;

    if (image_make(args, &e) || chmod(base, 0640))
        abort();
    check_ok(layer_create(mid, base, 1 << 20, &e), &e, "a layer on a base");
    check(!stat(mid, &st) && (st.st_mode & 07777) == 0640,
          "has the mode of what it stands on");
    check_err(layer_create(mid, base, 1 << 20, &e), &e, SNAP_FAILED,
              "File exists", "and nothing that is there is replaced");
    check_ok(layer_create(top, mid, 1 << 20, &e), &e, "another one on it");
    check(!layer_chain(top, &chain, &n, &e) && n == 3 &&
          !strcmp(chain[0], top) && !strcmp(chain[2], base),
          "the chain is read");
    layer_free_chain(chain, n);
    check_ok(layer_pull(top, base, "qcow2", &e), &e, "a pull from the middle one");
    check(!layer_backing(top, &below, &e) && below && !strcmp(below, base),
          "stands on the base then");
    free(below);
    check_ok(layer_unlink(mid, &e), &e, "the middle one can go");
    check_ok(layer_unlink(mid, &e), &e, "twice");
    check_ok(layer_commit(top, &e), &e, "a commit to the base");
    check_ok(layer_pull(top, NULL, NULL, &e), &e, "a pull of all");
    check(!layer_backing(top, &below, &e) && !below, "stands on nothing");
    if (symlink(base, mid))
        abort();
    check_err(layer_unlink(mid, &e), &e, SNAP_FAILED,
              "not a regular file", "a link is not taken for a layer");
    free(top);
    free(mid);
    free(base);
}

int main(void)
{
    choose();
    find_link();
    layers();
    return unit_done();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
