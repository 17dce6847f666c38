/* SPDX-License-Identifier: LGPL-2.1-only */

/* Runs qemu-img on images that nobody else has open. */

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/holder.h"
#include "image/image.h"
#include "image/layer.h"
#include "sys/err.h"
#include "sys/json.h"
#include "sys/mem.h"
#include "sys/proc.h"

#ifndef INFO_TIMEOUT_S
#define INFO_TIMEOUT_S 60
#endif
#ifndef WRITE_TIMEOUT_S
#define WRITE_TIMEOUT_S 3600    /* a large image on a slow disk */
#endif
#define MAX_ARGS 20

static int parse_snapshot(json_object *o, const char *what,
                          struct image_snapshot *s, struct err *e)
{
    struct json_at at = { what, "snapshots" };
    const char *name;
    uint64_t sec, nsec;

    if (!json_object_is_type(o, json_type_object))
        return err_set(e, SNAP_FAILED, "%s: a snapshot is not an object",
                       what);
    if (json_str(o, "name", at, &name, e) ||
        json_u64(o, "date-sec", at, INT64_MAX, &sec, e) ||
        json_u64(o, "date-nsec", at, 999999999, &nsec, e))
        return -1;
    s->name = mem_strdup(name);
    s->stamp = mem_printf("%" PRIu64 ".%09" PRIu64, sec, nsec);
    return 0;
}

static int parse_snapshots(json_object *o, const char *what,
                           struct image_info *info, struct err *e)
{
    json_object *arr;
    size_t i, n;

    if (!json_has(o, "snapshots"))
        return 0;
    if (json_arr(o, "snapshots", (struct json_at){ what, "" }, &arr, e))
        return -1;
    n = json_object_array_length(arr);
    info->snapshots = mem_zalloc(n, sizeof(*info->snapshots));
    for (i = 0; i < n; i++) {
        info->nsnapshots = i + 1;
        if (parse_snapshot(json_object_array_get_idx(arr, i), what,
                           &info->snapshots[i], e))
            return -1;
    }
    return 0;
}

static json_object *member(json_object *o, const char *key)
{
    json_object *value;

    if (!json_object_is_type(o, json_type_object) ||
        !json_object_object_get_ex(o, key, &value))
        return NULL;
    return value;
}

/* ImageInfoSpecificQCow2, where there is one. */
static void take_specific(json_object *o, struct image_info *info)
{
    json_object *data = member(member(o, "format-specific"), "data");
    json_object *bitmaps = member(data, "bitmaps");

    info->actual_size = json_number(o, "actual-size");
    info->encrypted = json_true(o, "encrypted");
    if (!json_object_is_type(data, json_type_object))
        return;
    info->corrupt = json_true(data, "corrupt");
    info->data_file = json_has(data, "data-file");
    info->refcount_bits = (unsigned)json_number(data, "refcount-bits");
    if (json_object_is_type(bitmaps, json_type_array))
        info->nbitmaps = (unsigned)json_object_array_length(bitmaps);
}

int image_info_parse(json_object *o, const char *what,
                     struct image_info *info, struct err *e)
{
    struct json_at at = { what, "" };
    const char *backing, *backing_format;

    memset(info, 0, sizeof(*info));
    if (json_u64(o, "virtual-size", at, INT64_MAX, &info->virtual_size, e) ||
        json_opt_str(o, "full-backing-filename", at, &backing, e) ||
        json_opt_str(o, "backing-filename-format", at, &backing_format, e) ||
        parse_snapshots(o, what, info, e)) {
        image_info_free(info);
        return -1;
    }
    info->backing = mem_strdup(backing);
    info->backing_format = mem_strdup(backing_format);
    take_specific(o, info);
    return 0;
}

/* qemu-img info of the image or, as an array, of its whole chain. */
static int ask(const char *path, const char *format, bool chain,
               struct proc *p, struct err *e)
{
    const char *argv[] = {
        "qemu-img", "info", "-U", "-f", format, "--output=json", path, NULL,
        NULL
    };
    int rc;

    if (chain) {
        argv[6] = "--backing-chain";
        argv[7] = path;
    }

    p->argv = argv;
    p->timeout_s = INFO_TIMEOUT_S;
    rc = proc_run(p, e);
    p->argv = NULL;
    return rc;
}

int image_info_read(const char *path, const char *format,
                    struct image_info *info, struct err *e)
{
    struct proc p = { 0 };
    json_object *o = NULL;
    int rc = -1;

    memset(info, 0, sizeof(*info));
    if (ask(path, format, false, &p, e))
        goto out;
    o = json_parse_object(p.out, p.out_len, "qemu-img info", e);
    if (!o || image_info_parse(o, "qemu-img info", info, e))
        goto out;
    rc = 0;

out:
    if (rc)
        err_wrap(e, "%s", path);
    json_object_put(o);
    free(p.out);
    return rc;
}

/* The formats are recorded, so that qemu-img has nothing to guess. */
static int check_recorded(const char *path, const char *format, struct err *e)
{
    char **files;
    size_t n;

    if (strcmp(format, "qcow2"))
        return 0;
    if (layer_chain(path, &files, &n, e))
        return -1;
    layer_free_chain(files, n);
    return 0;
}

int image_check_chain(const char *path, const char *format,
                      struct image_info *info, struct err *e)
{
    struct proc p = { 0 };
    json_object *o = NULL, *arr = NULL;
    char *text = NULL;
    int rc = -1;

    memset(info, 0, sizeof(*info));
    if (check_recorded(path, format, e))
        return -1;
    if (ask(path, format, true, &p, e))
        goto out;
    /* Our parser takes objects. */
    text = mem_printf("{\"chain\":%s}", p.out);
    o = json_parse_object(text, strlen(text), "qemu-img info", e);
    if (!o || json_arr(o, "chain", (struct json_at){ "qemu-img info", "" },
                       &arr, e) ||
        image_info_parse(json_object_array_get_idx(arr, 0), "qemu-img info",
                         info, e))
        goto out;
    rc = 0;

out:
    if (rc)
        err_wrap(e, "%s", path);
    json_object_put(o);
    free(text);
    free(p.out);
    return rc;
}

void image_info_free(struct image_info *info)
{
    size_t i;

    for (i = 0; i < info->nsnapshots; i++) {
        free(info->snapshots[i].name);
        free(info->snapshots[i].stamp);
    }
    free(info->snapshots);
    free(info->backing);
    free(info->backing_format);
    memset(info, 0, sizeof(*info));
}

const struct image_snapshot *image_info_find(const struct image_info *info,
                                             const char *name)
{
    size_t i;

    for (i = 0; i < info->nsnapshots; i++)
        if (!strcmp(info->snapshots[i].name, name))
            return &info->snapshots[i];
    return NULL;
}

int image_check_free(const char *path, const struct domain *but,
                     unsigned wait_s, struct err *e)
{
    char *who = NULL;
    int rc = holder_find(path, but, wait_s, &who, e);

    if (who)
        rc = err_set(e, SNAP_FAILED, "%s is in use by %s", path, who);
    free(who);
    return rc;
}

int image_wait_free(const char *path, struct err *e)
{
    return image_check_free(path, NULL, HOLDER_WAIT_S, e);
}

static int run(const char *const *args, bool interruptible, struct err *e)
{
    const char *argv[MAX_ARGS] = { "qemu-img" };
    struct proc p = {
        .argv = argv, .timeout_s = WRITE_TIMEOUT_S,
        .uninterruptible = !interruptible,
    };
    size_t i;
    int rc;

    for (i = 0; args[i] && i + 2 < MAX_ARGS; i++)
        argv[i + 1] = args[i];
    rc = proc_run(&p, e);
    free(p.out);
    return rc;
}

int image_look_again(const char *path, struct err *e)
{
    char *who = NULL;
    int rc = holder_find(path, NULL, 0, &who, e);

    if (who)
        rc = err_set(e, SNAP_FAILED, "%s was opened by %s while qemu-img "
                     "changed it: shut that down at once, then check the "
                     "image with 'qemu-img check'", path, who);
    free(who);
    return rc;
}

int image_write(const char *path, const char *const *args, struct err *e)
{
    if (image_wait_free(path, e) || run(args, false, e))
        return -1;
    return image_look_again(path, e);
}

int image_make(const char *const *args, struct err *e)
{
    return run(args, false, e);
}

int image_size(const char *path, uint64_t *size_r, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    off_t end = -1;
    int rc = 0;

    *size_r = 0;
    if (fd >= 0)
        end = lseek(fd, 0, SEEK_END);
    if (end < 0)
        rc = err_errno(e, "cannot look at %s", path);
    else
        *size_r = (uint64_t)end;
    if (fd >= 0)
        close(fd);
    return rc;
}

/* True if the two now share their blocks. */
static bool cloned(const char *src, const char *dst)
{
    int from = open(src, O_RDONLY | O_CLOEXEC);
    int to = open(dst, O_WRONLY | O_CLOEXEC);
    bool yes = from >= 0 && to >= 0 && !ioctl(to, FICLONE, from);

    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    return yes;
}

static bool is_block(const char *path)
{
    struct stat st;

    return !stat(path, &st) && S_ISBLK(st.st_mode);
}

/*
 * blkback writes to a block device past the page cache, which must not be
 * asked.
 */
static const char *cache_mode(const char *path)
{
    if (is_block(path))
        return "none";
    return "writeback";
}

/* The copied bytes go to disk before qemu-img ends. */
int image_copy(const char *src, const char *dst, bool fresh, struct err *e)
{
    const char *const args[] = {
        "convert", "-U", "-f", "raw", "-O", "raw", "-n",
        "-T", cache_mode(src), "-t", cache_mode(dst), src, dst,
        fresh ? "--target-is-zero" : NULL, NULL
    };
    uint64_t size;

    if (image_check_free(dst, NULL, HOLDER_WAIT_S, e) ||
        image_size(src, &size, e))
        return -1;
    if (!is_block(dst) && truncate(dst, (off_t)size))
        return err_errno(e, "cannot make %s as large as %s", dst, src);
    if (!is_block(src) && !is_block(dst) && cloned(src, dst))
        return 0;
    if (run(args, fresh, e))
        return -1;
    return image_look_again(dst, e);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
