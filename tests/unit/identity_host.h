/* For what reads /sys and the mount table, in the test of identities. */

#ifndef TESTS_IDENTITY_HOST_H
#define TESTS_IDENTITY_HOST_H

#define DEVICE_SYS identity_sys()
#define MOUNTS_FILE identity_mounts()
const char *identity_sys(void);
const char *identity_mounts(void);

#endif
