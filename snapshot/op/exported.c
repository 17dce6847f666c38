/* SPDX-License-Identifier: LGPL-2.1-only */

/* Opens exports and checks that they are what they say. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/content.h"
#include "image/image.h"
#include "op/exported.h"
#include "store/manifest.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/json.h"
#include "sys/mem.h"

/* QEMU opens all files of a chain at a time, and so many are slow to read. */
#define MAX_CHAIN 128

static int read_manifest(struct exported *x, struct err *e)
{
    char *what = mem_printf("%s/%s", x->path, MANIFEST_FILE), *text = NULL;
    unsigned char sum[DIGEST_LEN];
    struct digest *d = NULL;
    size_t len;
    int rc = -1;

    if (digest_open(&d, e) ||
        file_read(x->fd, MANIFEST_FILE, JSON_MAX_SIZE, what, &text, &len, e))
        goto out;
    digest_of(text, len, sum);
    x->sha256 = digest_hex(sum);
    rc = manifest_parse(text, len, what, &x->m, e);

out:
    digest_close(d);
    free(text);
    free(what);
    return rc;
}

int exported_open(const char *path, struct exported *x, struct err *e)
{
    memset(x, 0, sizeof(*x));
    x->fd = -1;
    x->path = realpath(path, NULL);
    if (!x->path)
        return err_errno(e, "cannot find the export %s", path);
    x->fd = open(x->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (x->fd < 0)
        err_errno(e, "cannot open the export %s", x->path);
    if (x->fd < 0 || read_manifest(x, e)) {
        exported_close(x);
        return -1;
    }
    return 0;
}

void exported_close(struct exported *x)
{
    if (x->fd >= 0)
        close(x->fd);
    free(x->path);
    free(x->sha256);
    manifest_free(&x->m);
    memset(x, 0, sizeof(*x));
    x->fd = -1;
}

static char *image_path(const struct exported *x,
                        const struct manifest_disk *d)
{
    char *name = manifest_image_name(d);
    char *path = mem_printf("%s/%s", x->path, name);

    free(name);
    return path;
}

/* The backing file that the image's header names is the earlier export's. */
static int check_backing(const char *path, const struct image_info *info,
                         const struct exported *base,
                         const struct manifest_disk *d, struct err *e)
{
    const struct manifest_disk *below = NULL;
    char *want, *real;
    int rc = 0;

    if (!d->incremental && info->backing)
        return err_set(e, SNAP_FAILED, "%s has a backing file, which its "
                       "export does not have", path);
    if (!d->incremental)
        return 0;
    if (base)
        below = manifest_find(&base->m, d->vdev);
    if (!below)
        return err_set(e, SNAP_FAILED, "%s stands on an earlier export that "
                       "has no such disk", path);
    want = image_path(base, below);
    real = info->backing ? realpath(info->backing, NULL) : NULL;
    if (!real || strcmp(want, real))
        rc = err_set(e, SNAP_FAILED, "%s does not have the backing file %s, "
                     "as its export says", path, want);
    /* A raw one opened as qcow2 would be what its guest wrote. */
    else if (!info->backing_format ||
             strcmp(info->backing_format, below->format))
        rc = err_set(e, SNAP_FAILED, "%s does not have %s as the format of "
                     "its backing file, as its export says", path,
                     below->format);
    free(want);
    free(real);
    return rc;
}

static int check_regular(const struct exported *x, const char *name,
                         const char *path, uint64_t size, struct err *e)
{
    struct stat st;

    if (fstatat(x->fd, name, &st, AT_SYMLINK_NOFOLLOW))
        return err_errno(e, "cannot look at %s", path);
    if (!S_ISREG(st.st_mode))
        return err_set(e, SNAP_FAILED, "%s is not a regular file", path);
    if ((uint64_t)st.st_size != size)
        return err_set(e, SNAP_FAILED, "%s has %" PRIu64 " bytes instead of "
                       "%" PRIu64 ": the export is damaged", path,
                       (uint64_t)st.st_size, size);
    return 0;
}

static int check_qcow2(const char *path, const struct exported *base,
                       const struct manifest_disk *d, struct err *e)
{
    struct image_info info;
    int rc;

    if (image_info_read(path, d->format, &info, e))
        return -1;
    if (info.data_file || info.encrypted ||
        info.virtual_size != d->virtual_size)
        rc = err_set(e, SNAP_FAILED, "%s is not the image that its export "
                     "describes", path);
    else
        rc = check_backing(path, &info, base, d, e);
    image_info_free(&info);
    return rc;
}

static int check_image(const struct exported *x, const struct exported *base,
                       const struct manifest_disk *d, struct err *e)
{
    char *name = manifest_image_name(d), *path = image_path(x, d);
    int rc = check_regular(x, name, path, d->image.size, e);

    if (!rc && strcmp(d->format, "raw"))
        rc = check_qcow2(path, base, d, e);
    free(name);
    free(path);
    return rc;
}

static int check_images(const struct exported *x, const struct exported *base,
                        struct err *e)
{
    size_t i;

    for (i = 0; i < x->m.ndisks; i++)
        if (check_image(x, base, &x->m.disks[i], e))
            return -1;
    return 0;
}

static int open_base(const struct exported *x, struct exported *base,
                     struct err *e)
{
    char *path = mem_printf("%s/%s", x->path, x->m.since);
    int rc = exported_open(path, base, e);

    free(path);
    if (rc)
        return err_wrap(e, "%s needs the export that it stands on", x->path);
    if (strcmp(base->sha256, x->m.since_sha256)) {
        rc = err_set(e, SNAP_FAILED, "%s does not stand on this %s, but on "
                     "another export that was there", x->path, base->path);
        exported_close(base);
    }
    return rc;
}

static int check_from(const struct exported *x, unsigned left, struct err *e)
{
    struct exported base;
    int rc;

    if (!x->m.since)
        return check_images(x, NULL, e);
    if (!left)
        return err_set(e, SNAP_FAILED, "more than %d exports stand on each "
                       "other, down to %s: make a complete one", MAX_CHAIN,
                       x->path);
    if (open_base(x, &base, e))
        return -1;
    rc = check_from(&base, left - 1, e);
    if (!rc)
        rc = check_images(x, &base, e);
    exported_close(&base);
    return rc;
}

int exported_check_chain(const struct exported *x, unsigned more,
                         struct err *e)
{
    return check_from(x, MAX_CHAIN - 1 - more, e);
}

static int check_open_file(int fd, const char *what,
                           const struct manifest_file *f, struct err *e)
{
    unsigned char sum[DIGEST_LEN];
    uint64_t size;
    char *hex;
    int rc = 0;

    if (digest_file(fd, what, sum, &size, e))
        return -1;
    hex = digest_hex(sum);
    if (size != f->size || strcmp(hex, f->sha256))
        rc = err_set(e, SNAP_FAILED, "%s does not have the recorded size and "
                     "checksum: the export is damaged", what);
    free(hex);
    return rc;
}

int exported_check_file(const struct exported *x, const char *name,
                        const struct manifest_file *f, struct err *e)
{
    char *what = mem_printf("%s/%s", x->path, name);
    int fd = file_open_read(x->fd, name, what, e), rc = -1;

    if (fd >= 0) {
        rc = f->sha256 ? check_open_file(fd, what, f, e) : 0;
        close(fd);
    }
    free(what);
    return rc;
}

/* One for each chunk of the disk. */
static int check_count(const char *what, const struct manifest_disk *d,
                       struct err *e)
{
    uint64_t n = d->virtual_size / CONTENT_CHUNK;

    if (d->virtual_size % CONTENT_CHUNK)
        n++;
    if (d->chunks.size == n * DIGEST_LEN)
        return 0;
    return err_set(e, SNAP_FAILED, "%s does not have a checksum for each "
                   "chunk of the disk", what);
}

FILE *exported_chunks(const struct exported *x,
                      const struct manifest_disk *d, struct err *e)
{
    char *name = manifest_chunks_name(d);
    char *what = mem_printf("%s/%s", x->path, name);
    int fd = file_open_read(x->fd, name, what, e);
    FILE *f = NULL;

    if (fd >= 0 && !check_count(what, d, e) &&
        !check_open_file(fd, what, &d->chunks, e)) {
        f = fdopen(fd, "r");
        if (!f)
            err_errno(e, "cannot read %s", what);
    }
    if (fd >= 0 && !f)
        close(fd);
    free(what);
    free(name);
    return f;
}

int exported_next_chunk(FILE *chunks, unsigned char *sum)
{
    return fread(sum, DIGEST_LEN, 1, chunks) == 1 ? 0 : -1;
}

void exported_sum_chunk(const void *data, size_t len, unsigned char *sum)
{
    static const char zeros[CONTENT_CHUNK];
    static unsigned char of_zeros[DIGEST_LEN];
    static size_t zeros_len;

    if (data) {
        digest_of(data, len, sum);
        return;
    }
    if (zeros_len != len)
        digest_of(zeros, len, of_zeros);
    zeros_len = len;
    memcpy(sum, of_zeros, DIGEST_LEN);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
