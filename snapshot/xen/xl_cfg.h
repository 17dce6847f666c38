/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * A configuration for "xl create" (xl.cfg(5)) of libxl's JSON, which xl has no
 * command for.  Pure.
 */

#ifndef SNAPSHOT_XEN_XL_CFG_H
#define SNAPSHOT_XEN_XL_CFG_H

#include "sys/json.h"

/*
 * The text; the caller's to free.  It ends with a comment that names the settings
 * which it does not have.  "about" is its first line, a comment.  Nothing in the
 * configuration or in "about" becomes another setting.
 */
char *xl_cfg_text(json_object *config, const char *about);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
