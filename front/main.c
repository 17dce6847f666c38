/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * xl-snapshot: the snapshot commands beside a packaged xl.  Takes xl's global
 * options and one of the commands, as the front (front/xl) hands them over.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_utils.h"

xentoollog_level minmsglevel = minmsglevel_default;
int dryrun_only;

static const struct cmd_spec *lookup(const char *command)
{
    int i;

    for (i = 0; i < cmdtable_len; i++)
        if (!strcmp(cmd_table[i].cmd_name, command))
            return &cmd_table[i];
    return NULL;
}

void help(const char *command)
{
    const struct cmd_spec *spec = command ? lookup(command) : NULL;
    int i;

    if (spec) {
        printf("Usage: xl [-vfN] %s %s\n\n%s.\n\n", spec->cmd_name,
               spec->cmd_usage, spec->cmd_desc);
        printf("Options:\n\n%s\n", spec->cmd_option);
        return;
    }
    for (i = 0; i < cmdtable_len; i++)
        printf(" %-19s %s\n", cmd_table[i].cmd_name, cmd_table[i].cmd_desc);
}

static int bad_option(const char *command)
{
    if (optopt)
        fprintf(stderr, "xl %s: option '-%c' is not known or lacks its "
                "argument (see 'xl help %s')\n", command, optopt, command);
    else
        fprintf(stderr, "xl %s: an option is not known (see 'xl help %s')\n",
                command, command);
    exit(2);
}

int def_getopt(int argc, char *const argv[], const char *optstring,
               const struct option *longopts, const char *command,
               int required)
{
    int opt;

    opterr = 0;
    opt = getopt_long(argc, argv, optstring, longopts, NULL);
    if (opt == 'h') {
        help(command);
        exit(0);
    }
    if (opt == '?')
        bad_option(command);
    if (opt == -1 && argc - optind < required) {
        fprintf(stderr, "xl %s: %d argument%s needed (see 'xl help %s')\n",
                command, required, required == 1 ? " is" : "s are", command);
        exit(2);
    }
    return opt;
}

int main(int argc, char **argv)
{
    const struct cmd_spec *spec;
    int opt;

    while ((opt = getopt(argc, argv, "+vftTN")) != -1) {
        if (opt == 'v' && minmsglevel > 0)
            minmsglevel--;
        else if (opt == 'N')
            dryrun_only = 1;
        else if (opt == '?')
            return 2;
    }
    argc -= optind;
    argv += optind;
    optind = 1;
    if (argc == 0 || !strcmp(argv[0], "help")) {
        help(argc > 1 ? argv[1] : NULL);
        return argc ? EXIT_SUCCESS : 2;
    }
    spec = lookup(argv[0]);
    if (!spec) {
        fprintf(stderr, "xl: '%s' is not a snapshot command\n", argv[0]);
        return 2;
    }
    if (spec->modifies && geteuid()) {
        fprintf(stderr, "xl %s: only root may do that\n", argv[0]);
        return EXIT_FAILURE;
    }
    xl_ctx_alloc();
    return spec->cmd_impl(argc, argv);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
