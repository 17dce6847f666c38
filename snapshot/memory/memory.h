/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The memory image: libxl's save stream in xl's own save-file format, so
 * that "xl restore FILE" reads it (tools/xl/xl.h, struct save_file_header;
 * doc/xen.md), or "zstd -dc FILE | xl restore /dev/stdin" if compressed.
 *
 * libxl writes straight into a file, as for "xl save": nothing is between it
 * and the page cache while the guest is stopped.  Not compressed, that file is
 * the image.  Else it is a spool, a file without a name that is mostly cache.
 * Threads of low priority go behind it, compute the checksum, compress and
 * give back the spool's blocks: beside the save on the processors that it leaves
 * over, and when it is done on all.  If that fails or a signal comes, it makes
 * libxl's next write fail (proc_bar_writes()), so that libxl gives up at once,
 * but never in the middle of its dealings with the guest.  If we are killed,
 * libxl's helper ends at its next word to us, every 4 MiB.
 *
 * Calling sequence: memory_create(), domain_suspend(memory_fd()),
 * memory_finish(), memory_sync(), memory_close().  memory_close() alone is
 * right at any point.
 */

#ifndef SNAPSHOT_MEMORY_H
#define SNAPSHOT_MEMORY_H

#include <sys/types.h>

#include "store/meta.h"
#include "sys/report.h"

#define MEMORY_LEVEL_DEFAULT 1
#define MEMORY_LEVEL_MAX 19

/*
 * "none" is level 0, "zstd" or "zstd:LEVEL" 1 to MEMORY_LEVEL_MAX; "auto", as
 * NULL, is the default: zstd where it costs the guest nothing.
 */
int memory_level(const char *text, unsigned *level_r, struct err *e);
/* Disk space that an image of so many bytes may take while it is made. */
uint64_t memory_room(uint64_t size, unsigned level);

struct memory_writer;

/*
 * Makes s->memory.file in the directory, replacing one that is there, and
 * writes the header with s->config.  expected is the size for the progress,
 * in bytes.
 */
int memory_create(int dirfd, const struct snapshot *s, const char *what,
                  unsigned level, uint64_t expected,
                  const struct reporter *rep, struct memory_writer **w_r,
                  struct err *e);
int memory_fd(struct memory_writer *w);
/*
 * Of a live save, which sends again what the guest writes: it is made to give
 * up when the image takes more than the expected size, and than half of what
 * was free.  memory_finish() then fails, and memory_outgrown() is true.
 */
int memory_bound(struct memory_writer *w, struct err *e);
bool memory_outgrown(const struct memory_writer *w);
/*
 * domain_suspend() has returned; whole: with success.  If not, -1 with the
 * cause if it was the image that could not be written, else 0.
 */
int memory_finish(struct memory_writer *w, bool whole, struct err *e);
/* Ends the compression, puts the file on disk and fills in s->memory. */
int memory_sync(struct memory_writer *w, struct snapshot *s, struct err *e);
void memory_close(struct memory_writer *w);

/* The image is there and as long as recorded; nothing of it is read. */
int memory_check_size(int dirfd, const struct snapshot *s, const char *what,
                      struct err *e);
/* The image is whole: length and checksum are as recorded. */
int memory_verify(int dirfd, const struct snapshot *s, const char *what,
                  struct err *e);

/*
 * The same, and put() gets the stored bytes, in pieces and in order; they are
 * good only if it returns 0.
 */
int memory_copy(int dirfd, const struct snapshot *s, const char *what,
                int (*put)(void *arg, const void *data, size_t len,
                           struct err *e), void *arg, struct err *e);

struct memory_reader;

/*
 * Reading it for "xl restore": memory_source is a proc.h source.  It ends only if
 * the bytes that it has read have the recorded checksum.
 */
int memory_open(int dirfd, const struct snapshot *s, const char *what,
                const struct reporter *rep, struct memory_reader **r_r,
                struct err *e);
ssize_t memory_source(void *reader, void *buf, size_t len);
/*
 * The stream in two parts: memory_source() ends, 0, before its last bytes (up
 * to 8), and after memory_hold(r, 0) goes on with them.  At the end of the first part all
 * of the image has been read and found whole, or it is -1.
 */
void memory_hold(struct memory_reader *r, uint64_t bytes);
/*
 * An image that is not compressed: the file itself, from its first byte on and
 * the reader's to close; of use instead of memory_source(), not beside it.
 * Else *fd_r is -1.  0, or -1 as memory_source().
 */
int memory_as_file(struct memory_reader *r, int *fd_r);
/* True, with the error, if one of these gave up. */
bool memory_failed(const struct memory_reader *r, struct err *e);
void memory_reader_close(struct memory_reader *r);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
