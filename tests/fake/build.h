/* SPDX-License-Identifier: LGPL-2.1-only */

/* Put before every file of the test build: what it sets otherwise. */

#ifndef FAKE_BUILD_H
#define FAKE_BUILD_H

const char *fake_store_root(void);
const char *fake_boot_id_file(void);
const char *fake_run(void);
unsigned fake_seconds(unsigned normal);

#define STORE_ROOT fake_store_root()
#define SERVE_RUN fake_run()
#define BOOT_ID_FILE fake_boot_id_file()
#define QMP_TIMEOUT_S fake_seconds(30)
#define HOLDER_WAIT_S fake_seconds(30)
#define INFO_TIMEOUT_S fake_seconds(60)
#define WRITE_TIMEOUT_S fake_seconds(3600)

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
