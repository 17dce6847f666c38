/* SPDX-License-Identifier: LGPL-2.1-only */

/* The line of a snapshot command: its options and words, and its end. */

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "xl.h"
#include "xl_utils.h"
#include "xl_snapshot_cli.h"

#include "snapshot/sys/mem.h"
#include "snapshot/sys/text.h"

#define NO_LETTER 0x100         /* what getopt gives for an option without */
#define MAX_AGE 1000000

/* What was read of a line. */
struct line {
    struct cli *cli;
    const struct cli_option *options;
    size_t n;
    bool given[CLI_MAX_OPTIONS];
    const char *args[CLI_MAX_OPTIONS];
};

void cli_begin(struct cli *c, const char *command)
{
    memset(c, 0, sizeof(*c));
    c->command = command;
    c->env.root = STORE_ROOT;
    c->out = stdout;
    cli_report_begin(c);
    snap_init(ctx);
    /* One clear line is ours; libxl's own are for -v. */
    if (minmsglevel == minmsglevel_default)
        xtl_stdiostream_set_minlevel(logger, XTL_CRITICAL);
}

int cli_usage(struct cli *c, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "xl %s: ", c->command);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, " (see 'xl help %s')\n", c->command);
    return SNAP_USAGE;
}

static bool has_argument(const struct cli_option *o)
{
    return o->kind >= CLI_IS_TEXT;
}

static int parse_number(const char *arg, unsigned max, char **end_r,
                        unsigned *n_r)
{
    unsigned long n;

    if (arg[0] < '0' || arg[0] > '9')
        return -1;
    errno = 0;
    n = strtoul(arg, end_r, 10);
    if (errno || n > max)
        return -1;
    *n_r = (unsigned)n;
    return 0;
}

/* 12h, 30d, 4w */
static int parse_age(const char *arg, uint64_t *seconds_r)
{
    unsigned n, hours;
    char *end;

    if (parse_number(arg, MAX_AGE, &end, &n) || !n)
        return -1;
    if (!strcmp(end, "h"))
        hours = 1;
    else if (!strcmp(end, "d"))
        hours = 24;
    else if (!strcmp(end, "w"))
        hours = 24 * 7;
    else
        return -1;
    *seconds_r = (uint64_t)n * hours * 3600;
    return 0;
}

static int take_item(struct cli *c, const struct cli_option *o,
                     const char *arg)
{
    struct cli_list *list = o->to.list;

    if (list->n < CLI_MAX_LIST) {
        list->p[list->n++] = arg;
        return 0;
    }
    cli_usage(c, "more than %d times --%s", CLI_MAX_LIST, o->name);
    return -1;
}

static int take_number(struct cli *c, const struct cli_option *o,
                       const char *arg)
{
    char *end;

    if (!parse_number(arg, (unsigned)o->choice, &end, o->to.number) && !*end)
        return 0;
    cli_usage(c, "--%s takes a number up to %d, not '%s'", o->name,
              o->choice, arg);
    return -1;
}

static int take_wait(struct cli *c, const struct cli_option *o,
                     const char *arg)
{
    char *end;

    if (!strcmp(arg, "forever")) {
        *o->to.number = CLI_WAIT_FOREVER;
        return 0;
    }
    if (!parse_number(arg, CLI_WAIT_FOREVER, &end, o->to.number) && !*end)
        return 0;
    cli_usage(c, "--%s takes whole seconds or 'forever', not '%s'", o->name,
              arg);
    return -1;
}

static int take_age(struct cli *c, const struct cli_option *o,
                    const char *arg)
{
    const char *or_never = "";

    if (o->kind == CLI_IS_AGE_OR_NEVER) {
        or_never = ", or 'never'";
        if (!strcmp(arg, "never")) {
            *o->to.seconds = SNAP_NEVER;
            return 0;
        }
    }
    if (!parse_age(arg, o->to.seconds))
        return 0;
    cli_usage(c, "--%s takes an age such as 12h, 30d or 4w%s, not '%s'",
              o->name, or_never, arg);
    return -1;
}

static int take(struct cli *c, const struct cli_option *o, const char *arg)
{
    switch (o->kind) {
    case CLI_IS_FLAG:
        *o->to.flag = true;
        return 0;
    case CLI_IS_CHOICE:
        /* An enum has the size of an int. */
        memcpy(o->to.any, &o->choice, sizeof(o->choice));
        return 0;
    case CLI_IS_WORD:
        *o->to.text = o->word;
        return 0;
    case CLI_IS_MOVED:
        cli_usage(c, "--%s no longer exists: %s", o->name, o->word);
        return -1;
    case CLI_IS_TEXT:
        *o->to.text = arg;
        return 0;
    case CLI_IS_LIST:
        return take_item(c, o, arg);
    case CLI_IS_NUMBER:
        return take_number(c, o, arg);
    case CLI_IS_WAIT:
        return take_wait(c, o, arg);
    case CLI_IS_AGE:
    case CLI_IS_AGE_OR_NEVER:
        return take_age(c, o, arg);
    }
    return -1;
}

static bool excludes(const struct cli_option *a, const struct cli_option *b)
{
    if (a->to.any && a->to.any == b->to.any)
        return true;
    return (a->not && !strcmp(a->not, b->name)) ||
           (b->not && !strcmp(b->not, a->name));
}

/* The option against those before it. */
static int check_before(struct line *l, size_t i, const char *arg)
{
    const struct cli_option *o = &l->options[i];
    size_t k;

    if (o->kind != CLI_IS_LIST && l->given[i] && arg && strcmp(arg, l->args[i])) {
        cli_usage(l->cli, "--%s is given twice: '%s' and '%s'", o->name,
                  l->args[i], arg);
        return -1;
    }
    for (k = 0; k < l->n; k++)
        if (k != i && l->given[k] && excludes(o, &l->options[k])) {
            cli_usage(l->cli, "--%s and --%s contradict each other",
                      l->options[k].name, o->name);
            return -1;
        }
    l->given[i] = true;
    l->args[i] = arg;
    return 0;
}

/* For getopt_long: the letters, and the names. */
static void describe(const struct line *l, char *letters,
                     struct option *names)
{
    static const struct option common[] = { COMMON_LONG_OPTS };
    size_t i;

    *letters++ = 'h';
    for (i = 0; i < l->n; i++) {
        const struct cli_option *o = &l->options[i];

        names[i] = (struct option){
            .name = o->name, .has_arg = has_argument(o), .val = o->letter,
        };
        if (!o->letter) {
            names[i].val = NO_LETTER + (int)i;
            continue;
        }
        *letters++ = o->letter;
        if (has_argument(o))
            *letters++ = ':';
    }
    *letters = '\0';
    memcpy(names + l->n, common, sizeof(common));
}

static size_t option_of(const struct line *l, int opt)
{
    size_t i;

    if (opt >= NO_LETTER)
        return (size_t)(opt - NO_LETTER);
    for (i = 0; i < l->n && l->options[i].letter != opt; i++)
        ;
    return i;
}

static int read_options(struct line *l, int argc, char **argv, int least)
{
    char letters[2 * CLI_MAX_OPTIONS + 2];
    struct option names[CLI_MAX_OPTIONS + 2];
    int opt;

    describe(l, letters, names);
    /*
     * xl's main() has used getopt up to the first word; begun anew it takes
     * options that stand anywhere.
     */
    optind = 0;
    while ((opt = def_getopt(argc, argv, letters, names, l->cli->command,
                             least)) != -1) {
        size_t i = option_of(l, opt);
        const char *arg = NULL;

        if (has_argument(&l->options[i]))
            arg = optarg;
        if (check_before(l, i, arg) || take(l->cli, &l->options[i], arg))
            return -1;
    }
    return 0;
}

/*
 * What getopt leaves behind the first word if POSIXLY_CORRECT is set: to take
 * an option for a name would be a trap.  Not behind "--", which says so.
 */
static int check_words(struct cli *c, char **argv)
{
    int i;

    if (!strcmp(argv[optind - 1], "--"))
        return 0;
    for (i = 0; i < c->nwords; i++)
        if (c->words[i][0] == '-' && c->words[i][1]) {
            cli_usage(c, "'%s': options come before all other words where "
                      "POSIXLY_CORRECT is set", c->words[i]);
            return -1;
        }
    return 0;
}

int cli_parse(struct cli *c, const struct cli_option *options, size_t n,
              int argc, char **argv, int least, int most)
{
    struct line l = { .cli = c, .options = options, .n = n };

    if (n > CLI_MAX_OPTIONS)
        abort();
    if (read_options(&l, argc, argv, least))
        return -1;
    c->words = argv + optind;
    c->nwords = argc - optind;
    if (check_words(c, argv))
        return -1;
    if (c->nwords > most) {
        cli_usage(c, "'%s' is one word too many", c->words[most]);
        return -1;
    }
    return 0;
}

void cli_say(struct cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->quiet || dryrun_only)
        return;
    cli_report_end(c);
    va_start(ap, fmt);
    vfprintf(c->out, fmt, ap);
    va_end(ap);
}

int cli_error(struct cli *c, const struct err *e)
{
    cli_report_end(c);
    fprintf(stderr, "xl %s: %s\n", c->command, e->text);
    return e->status;
}

int cli_fail(struct cli *c, const struct err *e)
{
    return cli_end(c, cli_error(c, e));
}

void cli_about(struct cli *c, const char *name)
{
    char *more;

    if (c->about)
        more = mem_printf("%s %s", c->about, name);
    else
        more = mem_strdup(name);
    free(c->about);
    c->about = more;
}

void cli_hint_swapped(struct cli *c, struct err *e)
{
    size_t len = strlen(e->text);

    if (e->status == SNAP_FAILED && c->nwords > 1 &&
        snap_exists(&c->env, c->words[1], c->words[0]))
        snprintf(e->text + len, sizeof(e->text) - len, "; the two words look "
                 "swapped: did you mean 'xl %s %s %s'?", c->command,
                 c->words[1], c->words[0]);
}

static const char *outcome(int status)
{
    switch (status) {
    case SNAP_OK:
        return "done";
    case SNAP_USAGE:
        return "wrong usage";
    case SNAP_BUSY:
        return "busy";
    case SNAP_NEEDS_USER:
        return "failed, needs attention";
    default:
        return "failed";
    }
}

static char *caller(void)
{
    const char *sudo = getenv("SUDO_USER");
    unsigned long uid = getuid();

    if (!sudo)
        return mem_printf("uid %lu", uid);
    return mem_printf("uid %lu, sudo by %.64s", uid, sudo);
}

/* The domain, and what cli_about() was told of. */
static char *object(const struct cli *c)
{
    const char *domain = "?";

    if (c->nwords)
        domain = c->words[0];
    if (!c->about)
        return mem_printf("domain %s", domain);
    return mem_printf("domain %s, %s", domain, c->about);
}

/* Who did what, with which result.  It is no failure if nobody listens. */
static void log_end(const struct cli *c, int status)
{
    char *who = caller(), *what = object(c);
    char *line = mem_printf("%s of %s: %s (status %d; %s)", c->command, what,
                            outcome(status), status, who);

    text_clean(line);
    openlog("xl-snapshot", LOG_PID, LOG_USER);
    syslog(status == SNAP_OK ? LOG_INFO : LOG_WARNING, "%s", line);
    closelog();
    free(line);
    free(what);
    free(who);
}

int cli_end(struct cli *c, int status)
{
    cli_report_end(c);
    if (dryrun_only && !c->reads && status == SNAP_OK)
        puts("Dry run: nothing was changed.");
    errno = 0;
    if (fflush(stdout) || ferror(stdout)) {
        if (!errno)
            errno = EIO;
        fprintf(stderr, "xl %s: cannot write the result: %s\n", c->command,
                strerror(errno));
        if (status == SNAP_OK)
            status = SNAP_FAILED;
    }
    if (!c->reads && !dryrun_only)
        log_end(c, status);
    free(c->about);
    free(c->deleted_names);
    c->about = c->deleted_names = NULL;
    return status;
}

int cli_check_disks(struct cli *c, const struct cli_list *disks)
{
    size_t i, k;

    for (i = 0; i < disks->n; i++) {
        size_t len = strcspn(disks->p[i], "=");

        if (!len || !disks->p[i][len] || !disks->p[i][len + 1])
            return cli_usage(c, "--disk takes VDEV=PATH, as in --disk=xvda="
                             "/srv/web1.qcow2, not '%s'", disks->p[i]);
        for (k = 0; k < i; k++)
            if (!strncmp(disks->p[k], disks->p[i], len + 1))
                return cli_usage(c, "--disk is given twice for %.*s",
                                 (int)len, disks->p[i]);
    }
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
