/* For volume.c in its test: the folder in place of /sys. */

#ifndef TESTS_VOLUME_SYS_H
#define TESTS_VOLUME_SYS_H

#define VOLUME_SYS volume_sys()
const char *volume_sys(void);

#endif
