/* SPDX-License-Identifier: LGPL-2.1-only */

#include "xl.h"
#include "xl_snapshot.h"

const struct cmd_spec cmd_table[] = {
#include "snapshot/commands.inc"
};

const int cmdtable_len = sizeof(cmd_table) / sizeof(cmd_table[0]);

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
