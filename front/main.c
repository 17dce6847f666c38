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

static bool begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

/*
 * As xl: a command by its name, or by the beginning of it that no other has.
 * *n_r is how many begin so.
 */
static const struct cmd_spec *lookup(const char *command, unsigned *n_r)
{
    const struct cmd_spec *found = NULL;
    int i;

    *n_r = 0;
    for (i = 0; i < cmdtable_len; i++) {
        const struct cmd_spec *spec = &cmd_table[i];

        if (!strcmp(spec->cmd_name, command)) {
            *n_r = 1;
            return spec;
        }
        if (begins(spec->cmd_name, command)) {
            ++*n_r;
            found = spec;
        }
    }
    if (*n_r == 1)
        return found;
    return NULL;
}

/* A line for each command that begins so. */
static void list_commands(const char *beginning)
{
    int i;

    for (i = 0; i < cmdtable_len; i++)
        if (begins(cmd_table[i].cmd_name, beginning))
            printf(" %-19s %s\n", cmd_table[i].cmd_name,
                   cmd_table[i].cmd_desc);
}

void help(const char *command)
{
    const struct cmd_spec *spec;
    unsigned n;

    if (!command)
        command = "";           /* all commands begin so */
    spec = lookup(command, &n);
    if (!spec) {
        list_commands(command);
        return;
    }
    printf("Usage: xl [-v%s] %s %s\n\n%s.\n\n", spec->can_dryrun ? "N" : "",
           spec->cmd_name, spec->cmd_usage, spec->cmd_desc);
    printf("Options:\n\n%s\n", spec->cmd_option);
}

/* 2, with what the word could have meant. */
static int no_command(const char *word, unsigned n)
{
    int i;

    if (!n) {
        fprintf(stderr, "xl: '%s' is not a snapshot command (see 'xl help')\n",
                word);
        return 2;
    }
    fprintf(stderr, "xl: '%s' is ambiguous:", word);
    for (i = 0; i < cmdtable_len; i++)
        if (begins(cmd_table[i].cmd_name, word))
            fprintf(stderr, " %s", cmd_table[i].cmd_name);
    fprintf(stderr, "\n");
    return 2;
}

/* Names that begin as the word does, as text; "" if there are none. */
static void find_names(const struct option *longopts, const char *word,
                       char *text, size_t room)
{
    int len = (int)strcspn(word, "=");
    const struct option *o;

    text[0] = '\0';
    for (o = longopts; o->name; o++)
        if (!strncmp(o->name, word + 2, (size_t)len - 2)) {
            size_t used = strlen(text);

            snprintf(text + used, room - used, " --%s", o->name);
        }
}

/*
 * getopt_long() tells by optopt which option it did not like, or 0: the word
 * before optind is the name of none, or the beginning of several.
 */
static void bad_option(const char *command, const struct option *longopts,
                       char *const argv[])
{
    const char *word = argv[optind - 1];
    const struct option *o = longopts;
    char names[512];

    fprintf(stderr, "xl %s: option ", command);
    while (optopt && o->name && o->val != optopt)
        o++;
    if (!optopt) {
        find_names(longopts, word, names, sizeof(names));
        if (names[0])
            fprintf(stderr, "'%s' is ambiguous:%s", word, names);
        else
            fprintf(stderr, "'%s' is not known", word);
    } else if (!o->name) {
        fprintf(stderr, "'-%c' is not known", optopt);
    } else if (o->has_arg) {
        fprintf(stderr, "'%s' needs a value", word);
    } else {
        fprintf(stderr, "'%s' takes no value", word);
    }
    fprintf(stderr, " (see 'xl help %s')\n", command);
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
        bad_option(command, longopts, argv);
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
    unsigned n;
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
    if (argc == 0) {
        help(NULL);
        return 2;
    }
    if (!strcmp(argv[0], "help")) {
        help(argv[1]);          /* NULL behind the last word */
        return EXIT_SUCCESS;
    }
    spec = lookup(argv[0], &n);
    if (!spec)
        return no_command(argv[0], n);
    if (spec->modifies && geteuid()) {
        fprintf(stderr, "xl %s: only root may do that\n", spec->cmd_name);
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
