/*
 * Loop devices and mounts that end with the test, however it ends.  They
 * need root, and a kernel that has them: what fails here is to be skipped.
 */

#ifndef TESTS_LOOP_H
#define TESTS_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Makes a loop device of the file, from an offset on: *path_r is the
 * caller's to free.  It is there until the descriptor that is returned, and
 * any mount of it, is closed; -1: there are none here.
 */
int loop_attach(const char *file, uint64_t offset, char **path_r);
/* From here on what this process mounts is its own; false if it may not. */
bool loop_own_mounts(void);
/* A file of so many bytes with an ext4, by mke2fs with further options. */
bool loop_make_ext4(const char *file, uint64_t size, const char *options[]);

#endif
