/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Files of the store: durable writes, reads that trust nothing, and the
 * few other things that every user of files needs once.
 *
 * Names are relative to an open directory; a symbolic link, FIFO or device
 * in the place of a file is an error, never followed (doc/design.md 5).
 * "what" is the text for errors, normally the whole path.
 */

#ifndef SNAPSHOT_FILE_H
#define SNAPSHOT_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "sys/err.h"

/* Directories 0700, files 0600, whatever the umask (doc/design.md 3). */
#define FILE_MODE 0600
#define FILE_DIR_MODE 0700

/*
 * After 0 the file holds exactly the data even if the power is cut now;
 * after -1, or a cut in between, the old content or the new.
 */
int file_write_durable(int dirfd, const char *name, const char *data,
                       size_t len, const char *what, struct err *e);
/* Writes all of it; -1 with errno. */
int file_write_all(int fd, const void *data, size_t len);
/*
 * Reads a regular file of ours with at most max bytes.  *buf_r ends in a
 * NUL that is not counted and is the caller's to free.  The
 * code of a failure is ERR_NOT_FOUND if the file does not exist.
 */
int file_read(int dirfd, const char *name, size_t max, const char *what,
              char **buf_r, size_t *len_r, struct err *e);
/*
 * Opens a regular file of ours for reading; the descriptor, or -1, with
 * ERR_NOT_FOUND if it does not exist.
 */
int file_open_read(int dirfd, const char *name, const char *what,
                   struct err *e);
/* The same of a directory of ours (right owner, not writable by others). */
int file_open_dir(int dirfd, const char *name, const char *what,
                  struct err *e);
/* mkdir that accepts an existing directory; fsyncs the parent. */
int file_make_dir(int dirfd, const char *name, const char *what,
                  struct err *e);
/* Renames within a directory and fsyncs it. */
int file_rename(int dirfd, const char *from, const char *to,
                const char *what, struct err *e);
/* Unlinks; a file that is gone already is not an error. */
int file_unlink(int dirfd, const char *name, const char *what,
                struct err *e);
/*
 * Removes a directory of ours with the files named in ours, up to a NULL;
 * any other file in it is an error.  It may be gone already.
 */
int file_remove_dir(int dirfd, const char *name, const char *const *ours,
                    const char *what, struct err *e);
int file_sync(int fd, const char *what, struct err *e);
/* fsyncs the content of a file or block device that others write. */
int file_sync_path(const char *path, struct err *e);
/* fsyncs the directory of a path: its name, made or gone, is durable. */
int file_sync_parent(const char *path, struct err *e);
/* Bytes that root can still write to the file system of the descriptor. */
int file_free_space(int fd, uint64_t *bytes_r, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
