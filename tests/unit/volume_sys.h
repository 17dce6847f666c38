/*
 * For volume.c and rbd_image.c in their tests: the folder in place of /sys,
 * and less patience.
 */

#ifndef TESTS_VOLUME_SYS_H
#define TESTS_VOLUME_SYS_H

#define VOLUME_SYS volume_sys()
#define RBD_SYS volume_sys()
const char *volume_sys(void);

#define RBD_SHORT_S 5
#define RBD_PATIENT_S 5
#define RBD_LONG_S 5
#define RBD_WATCH_S 1

#endif
