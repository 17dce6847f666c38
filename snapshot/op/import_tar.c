/* SPDX-License-Identifier: LGPL-2.1-only */

/* Unpacks the tar of an export. */

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "op/export_dir.h"
#include "op/import_tar.h"
#include "store/manifest.h"
#include "sys/err.h"
#include "sys/file.h"
#include "sys/mem.h"
#include "sys/untar.h"

#define NAME "xl-snapshot-import"
#define STREAM_NAME "the tar on the standard input"

static int unpack_file(struct untar *u, const char *name,
                       const struct export_dir *d, struct err *e)
{
    char *path = mem_printf("%s/%s", d->building, name);
    int fd = openat(d->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                    FILE_MODE), rc;

    if (fd < 0) {
        rc = err_errno(e, "cannot make %s", path);
    } else {
        rc = untar_file(u, fd, path, e);
        close(fd);
    }
    free(path);
    return rc;
}

static int unpack(struct untar *u, const struct export_dir *d, struct err *e)
{
    bool complete = false;
    const char *name;
    int rc;

    while ((rc = untar_next(u, &name, e)) > 0) {
        if (!manifest_is_file(name) || name[0] == '.')
            return err_set(e, SNAP_FAILED, STREAM_NAME " has '%s', which no "
                           "export has", name);
        if (unpack_file(u, name, d, e))
            return -1;
        complete |= !strcmp(name, MANIFEST_FILE);
    }
    if (!rc && !complete)
        return err_set(e, SNAP_FAILED, STREAM_NAME " has no " MANIFEST_FILE
                       ", its last file: it is no export, or was cut off");
    return rc;
}

int import_tar_unpack(const char *folder, struct export_dir *d,
                      struct err *e)
{
    char *path = mem_printf("%s/" NAME, folder);
    struct untar *u = NULL;
    int rc = export_dir_open(path, false, d, e);

    free(path);
    if (rc)
        return -1;
    rc = untar_open(STDIN_FILENO, STREAM_NAME, &u, e);
    if (!rc)
        rc = unpack(u, d, e);
    untar_close(u);
    if (rc)
        export_dir_close(d);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
