/* SPDX-License-Identifier: LGPL-2.1-only */

/* Files and trees of files for the scene.  What fails ends the sweep. */

#ifndef SWEEP_COPY_H
#define SWEEP_COPY_H

#include <dirent.h>
#include <stddef.h>
#include <sys/stat.h>

/* With errno's words. */
void fatal(const char *what);

/* For scandir(). */
int not_dots(const struct dirent *de);
/* S_IFREG, S_IFLNK and so on, of the link itself. */
mode_t type_of(const char *path);
/* All of a file, NUL-terminated, the caller's to free; NULL if unreadable. */
char *slurp(const char *path, size_t *len_r);
/* Into the file that is there: images keep their inode. */
void copy_file(const char *from, const char *to);
void copy_tree(const char *from, const char *to);
void remove_tree(const char *path);
/* Calls fn for each entry of a directory. */
void each_entry(const char *dir, const char *to,
                void (*fn)(const char *from, const char *to));
/* An image, with its inode and its times, and back. */
void keep_image(const char *from, const char *to);
void bring_back_image(const char *from, const char *to);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
