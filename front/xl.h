/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What xl_snapshot.c uses of xl's own xl.h, for the build beside xl.  In
 * tools/xl the real one takes its place.
 */

#ifndef XL_H
#define XL_H

#include <libxl.h>
#include <xentoollog.h>

struct cmd_spec {
    const char *cmd_name;
    int (*cmd_impl)(int argc, char **argv);
    int can_dryrun;
    int modifies;
    const char *cmd_desc;
    const char *cmd_usage;
    const char *cmd_option;
};

extern const struct cmd_spec cmd_table[];
extern const int cmdtable_len;

extern libxl_ctx *ctx;
extern xentoollog_logger_stdiostream *logger;
extern xentoollog_level minmsglevel;
#define minmsglevel_default XTL_PROGRESS
extern int dryrun_only;

void help(const char *command);

/* ctx.c: opens libxl; ends the process with a message if it cannot. */
void xl_ctx_alloc(void);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
