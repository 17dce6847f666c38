/* SPDX-License-Identifier: LGPL-2.1-only */

/* What xl_snapshot.c uses of xl's own xl_utils.h: see xl.h. */

#ifndef XL_UTILS_H
#define XL_UTILS_H

#include <getopt.h>
#include <stdbool.h>

/*
 * Loops over the options and switches on each.  -h and --help print the help
 * and end the process with 0; an unknown option, or fewer than "required"
 * words behind the options, end it with 2.
 */
#define SWITCH_FOREACH_OPT(opt, opts, longopts, command, required)      \
    while (((opt) = def_getopt(argc, argv, "h" opts, (longopts),        \
                               (command), (required))) != -1)           \
        switch (opt)

#define COMMON_LONG_OPTS {"help", 0, 0, 'h'}, {0, 0, 0, 0}

int def_getopt(int argc, char *const argv[], const char *optstring,
               const struct option *longopts, const char *command,
               int required);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
