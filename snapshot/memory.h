/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

/*
 * The memory image: libxl's save stream in xl's own save-file format, so
 * that "xl restore FILE" reads it (tools/xl/xl.h, struct save_file_header;
 * XEN-FACTS).  libxl writes into a pipe; a thread takes it from there to the
 * file and computes the checksum in the same pass.  A full disk, an I/O
 * error or a signal closes the pipe, which makes libxl give up at once.
 *
 * Calling sequence: memory_create(), domain_suspend(memory_fd()),
 * memory_finish(), memory_sync(), memory_close().  memory_close() alone is
 * right at any point.
 */

#ifndef SNAPSHOT_MEMORY_H
#define SNAPSHOT_MEMORY_H

#include <sys/types.h>

#include "meta.h"
#include "report.h"

struct memory_writer;

/*
 * Makes META_MEMORY_FILE in the directory, replacing one that is there, and
 * writes the header with libxl's configuration.  expected is the size for
 * the progress, in bytes.
 */
int memory_create(int dirfd, const char *what, const char *config,
                  uint64_t expected, const struct reporter *rep,
                  struct memory_writer **w_r, struct err *e);
int memory_fd(struct memory_writer *w);
/*
 * After the last byte: closes the pipe, waits for the thread and fills in
 * s->memory.  The file is not on disk yet.  Its error is the cause if libxl
 * failed too.
 */
int memory_finish(struct memory_writer *w, struct snapshot *s,
                  struct err *e);
int memory_sync(struct memory_writer *w, struct err *e);
void memory_close(struct memory_writer *w);

/* The image is there and as long as recorded; nothing of it is read. */
int memory_check_size(int dirfd, const struct snapshot *s, const char *what,
                      struct err *e);
/* The image is whole: length and checksum are as recorded. */
int memory_verify(int dirfd, const struct snapshot *s, const char *what,
                  struct err *e);

/* Reading it for "xl restore": memory_source is a proc.h source. */
struct memory_reader {
    int fd;
    uint64_t done, total;
    const struct reporter *rep;
};
int memory_open(int dirfd, const struct snapshot *s, const char *what,
                const struct reporter *rep, struct memory_reader *r,
                struct err *e);
ssize_t memory_source(void *reader, void *buf, size_t len);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
