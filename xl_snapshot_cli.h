/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * What the snapshot commands share: their options, what they print on the
 * way, and how they end (doc/design.md 2).
 *
 * A command is a table of options and a short main_*():
 *
 *     struct snap_x req = { 0 };
 *     struct cli cli;
 *     const struct cli_option options[] = {
 *         CLI_FLAG("force", 'F', &req.force),
 *         CLI_CHANGES(&cli, &req.wait_s),
 *     };
 *
 *     cli_begin(&cli, "snapshot-x");
 *     if (cli_parse(&cli, options, CLI_N(options), argc, argv, 2, 2))
 *         return SNAP_USAGE;
 *     req.domain = cli.words[0];
 *     if (snap_x(&cli.env, &req, &e))
 *         return cli_fail(&cli, &e);
 *     ... print the result with cli_say() ...
 *     return cli_end(&cli, SNAP_OK);
 *
 * Options may stand anywhere on the line.  None has an optional argument.  Two
 * that contradict each other, which is two with one target and different
 * values but for a list, are wrong usage.
 */

#ifndef XL_SNAPSHOT_CLI_H
#define XL_SNAPSHOT_CLI_H

#include <stdio.h>

#include "snapshot/snapshot.h"

#define CLI_MAX_OPTIONS 32
#define CLI_MAX_LIST 64
#define CLI_MANY 1000000                /* words: as many as there are */
#define CLI_WAIT_FOREVER (1u << 30)     /* seconds */

enum cli_kind {
    CLI_IS_FLAG,
    CLI_IS_CHOICE,              /* sets an enum to "choice" */
    CLI_IS_WORD,                /* sets a text to "word" */
    CLI_IS_MOVED,               /* refused: "word" says what to use */
    /* These have an argument. */
    CLI_IS_TEXT,
    CLI_IS_LIST,                /* may be given several times */
    CLI_IS_NUMBER,              /* 0 to "choice" */
    CLI_IS_WAIT,                /* whole seconds, or "forever" */
    CLI_IS_AGE,                 /* 12h, 30d, 4w: in seconds */
    CLI_IS_AGE_OR_NEVER,        /* never: SNAP_NEVER */
};

struct cli_list {
    const char *p[CLI_MAX_LIST];
    size_t n;
};

struct cli_option {
    const char *name;           /* --name */
    char letter;                /* or 0 */
    enum cli_kind kind;
    union {
        bool *flag;
        const char **text;
        struct cli_list *list;
        unsigned *number;
        uint64_t *seconds;
        void *any;
    } to;
    int choice;
    const char *word;
    const char *not;            /* another option that it contradicts, or NULL */
};

#define CLI_FLAG(n, l, target) \
    { .name = (n), .letter = (l), .kind = CLI_IS_FLAG, .to.flag = (target) }
/* target: of an enum */
#define CLI_CHOICE(n, l, target, value) \
    { .name = (n), .letter = (l), .kind = CLI_IS_CHOICE, \
      .to.any = (target), .choice = (value) }
#define CLI_CHOICE_NOT(n, l, target, value, other) \
    { .name = (n), .letter = (l), .kind = CLI_IS_CHOICE, \
      .to.any = (target), .choice = (value), .not = (other) }
#define CLI_WORD(n, l, target, value) \
    { .name = (n), .letter = (l), .kind = CLI_IS_WORD, \
      .to.text = (target), .word = (value) }
#define CLI_MOVED(n, l, pointer) \
    { .name = (n), .letter = (l), .kind = CLI_IS_MOVED, .word = (pointer) }
#define CLI_TEXT(n, l, target) \
    { .name = (n), .letter = (l), .kind = CLI_IS_TEXT, .to.text = (target) }
#define CLI_LIST(n, l, target) \
    { .name = (n), .letter = (l), .kind = CLI_IS_LIST, .to.list = (target) }
#define CLI_NUMBER(n, l, target, most) \
    { .name = (n), .letter = (l), .kind = CLI_IS_NUMBER, \
      .to.number = (target), .choice = (most) }
#define CLI_WAIT(n, l, target) \
    { .name = (n), .letter = (l), .kind = CLI_IS_WAIT, .to.number = (target) }
#define CLI_AGE(n, l, target) \
    { .name = (n), .letter = (l), .kind = CLI_IS_AGE, .to.seconds = (target) }
#define CLI_AGE_OR_NEVER(n, l, target) \
    { .name = (n), .letter = (l), .kind = CLI_IS_AGE_OR_NEVER, \
      .to.seconds = (target) }
/* Of every command that changes something. */
#define CLI_CHANGES(cli, wait) \
    CLI_FLAG("quiet", 'q', &(cli)->quiet), \
    CLI_WAIT("wait", 'w', (wait))
#define CLI_N(options) (sizeof(options) / sizeof((options)[0]))

struct cli {
    const char *command;        /* "snapshot-create" */
    struct snap_env env;
    char **words;               /* those that are no options, nwords */
    int nwords;
    bool quiet;
    FILE *out;                  /* of its lines; stdout may have a tar */
    bool reads;                 /* changes nothing: syslog need not know */
    bool only_deleted;          /* of the verdicts: not what is kept */
    char *about;                /* for syslog: which snapshot, or NULL */
    /* The rest belongs to xl_snapshot_report.c. */
    struct reporter rep;
    unsigned steps;             /* of a dry run, printed so far */
    unsigned deleted;           /* snapshots */
    char *deleted_names;        /* "'a', 'b'", or NULL */
    bool progress_shown;
    uint64_t progress_ms;       /* when it was last written */
    uint64_t progress_began, progress_done;
};

/* Of xl_snapshot_report.c: sets up what the engine reports to. */
void cli_report_begin(struct cli *c);
/* Ends the line of progress, so that the next message starts a new one. */
void cli_report_end(struct cli *c);

void cli_begin(struct cli *c, const char *command);
/*
 * Reads the line into the options' targets and c->words, of which there are
 * "least" to "most".  0, or -1: what is wrong with it is printed.  Like xl's own
 * loop it ends the process for --help, an unknown option, and too few words.
 */
int cli_parse(struct cli *c, const struct cli_option *options, size_t n,
              int argc, char **argv, int least, int most);
/* Prints what is wrong with the line; returns SNAP_USAGE. */
int cli_usage(struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A line of the result: not in a dry run, nor with --quiet. */
void cli_say(struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints an error; returns its status.  cli_end() is still to be called. */
int cli_error(struct cli *c, const struct err *e);
/* cli_error() and cli_end(). */
int cli_fail(struct cli *c, const struct err *e);
/*
 * The end of a command with this status: all that it printed is written, and
 * syslog knows.  Returns the status, which is another one if stdout failed.
 */
int cli_end(struct cli *c, int status);
/* Items VDEV=PATH, each VDEV once; -1: what is wrong is printed. */
int cli_check_disks(struct cli *c, const struct cli_list *disks);
/* Notes which snapshots it is about, for syslog. */
void cli_about(struct cli *c, const char *name);
/* The two words look swapped: e, which says there is none, says so too. */
void cli_hint_swapped(struct cli *c, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
