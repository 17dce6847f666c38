/* SPDX-License-Identifier: LGPL-2.1-only */

/* The files of an export, in a directory or in a tar. */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image/layer.h"
#include "op/export_dir.h"
#include "op/export_out.h"
#include "store/store.h"
#include "sys/digest.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/interrupt.h"
#include "sys/mem.h"
#include "sys/tar.h"

#define STREAM_PATH "/proc/self/fd/1"
#define STREAM_NAME "the tar to the standard output"

/*
 * One that was closed is the first file that we have opened, which has
 * FD_CLOEXEC; an inherited descriptor never has.
 */
static int open_stream(struct export_out *o, struct err *e)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFD);
    int mode = fcntl(STDOUT_FILENO, F_GETFL) & O_ACCMODE;

    if (flags < 0 || (flags & FD_CLOEXEC))
        return err_set(e, SNAP_FAILED, "the standard output is closed: "
                       "redirect it to where the tar is to go");
    if (mode == O_RDONLY)
        return err_set(e, SNAP_FAILED, "the standard output is not open for "
                       "writing: redirect it to where the tar is to go");
    return tar_open(STDOUT_FILENO, STREAM_NAME, &o->tar, e);
}

int export_out_open(const char *path, bool only_look, struct export_out *o,
                    struct err *e)
{
    memset(o, 0, sizeof(*o));
    o->stream = !strcmp(path, EXPORT_STREAM);
    if (!o->stream)
        return export_dir_open(path, only_look, &o->dir, e);
    if (only_look || !open_stream(o, e))
        return 0;
    export_out_close(o);
    return -1;
}

int export_out_commit(struct export_out *o, struct err *e)
{
    if (o->stream)
        return tar_end(o->tar, e);
    return export_dir_commit(&o->dir, e);
}

void export_out_close(struct export_out *o)
{
    if (!o->stream)
        export_dir_close(&o->dir);
    tar_close(o->tar);
    o->tar = NULL;
}

char *export_out_place(const struct export_out *o, const char *name)
{
    if (o->stream)
        return mem_printf("%s, as %s", STREAM_NAME, name);
    return mem_printf("%s/%s", o->dir.path, name);
}

int export_out_spares(const struct export_out *o, const char *path,
                      struct err *e)
{
    bool same;

    /* What has no path is no file, as Ceph's images. */
    if (!o->stream || path[0] != '/')
        return 0;
    if (layer_is_same(STREAM_PATH, path, &same, e))
        return -1;
    if (same)
        return err_set(e, SNAP_FAILED, "the standard output is %s, which the "
                       "snapshot needs: send the tar somewhere else", path);
    return 0;
}

int export_out_create(struct export_out *o, const char *name, struct err *e)
{
    int fd = openat(o->dir.fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
                    O_CLOEXEC, FILE_MODE);

    if (fd < 0)
        err_errno(e, "cannot make %s/%s", o->dir.building, name);
    return fd;
}

int export_file_open(struct export_out *o, const char *name, uint64_t size,
                     struct export_file *f, struct err *e)
{
    memset(f, 0, sizeof(*f));
    f->out = o;
    f->want = size;
    f->fd = -1;
    if (digest_open(&f->sum, e))
        return -1;
    if (o->stream) {
        f->what = mem_printf("%s", STREAM_NAME);
        return tar_begin(o->tar, name, size, NULL, 0, e);
    }
    f->what = mem_printf("%s/%s", o->dir.building, name);
    f->fd = export_out_create(o, name, e);
    return f->fd < 0 ? -1 : 0;
}

int export_file_put(struct export_file *f, const void *data, size_t len,
                    struct err *e)
{
    if (interrupt_pending())
        return interrupt_error(e);
    if (f->out->stream) {
        if (tar_put(f->out->tar, data, len, e))
            return -1;
    } else if (file_write_all(f->fd, data, len)) {
        return err_errno(e, "cannot write %s", f->what);
    }
    digest_add(f->sum, data, len);
    f->size += len;
    return 0;
}

int export_file_end(struct export_file *f, struct manifest_file *record,
                    struct err *e)
{
    unsigned char sum[DIGEST_LEN];

    /* A tar would have zeros for the rest. */
    if (f->size != f->want)
        return err_set(e, SNAP_FAILED, "cannot write %s: a file is shorter "
                       "than was said", f->what);
    if (!f->out->stream && file_sync(f->fd, f->what, e))
        return -1;
    if (!record)
        return 0;
    digest_end(f->sum, sum);
    record->sha256 = digest_hex(sum);
    record->size = f->size;
    return 0;
}

void export_file_close(struct export_file *f)
{
    if (f->fd >= 0)
        close(f->fd);
    digest_close(f->sum);
    free(f->what);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
