/* For rbd_image.c in op: the folder in place of /sys. */

#ifndef TESTS_CEPH_SYS_H
#define TESTS_CEPH_SYS_H

#define RBD_SYS ceph_sys()
const char *ceph_sys(void);

#endif
