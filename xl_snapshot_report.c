/* SPDX-License-Identifier: LGPL-2.1-only */

/* What the engine tells on the way: notes, progress, verdicts, steps. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot_cli.h"

#include "snapshot/show.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"

#define PROGRESS_MS 200

void cli_report_end(struct cli *c)
{
    if (c->progress_shown)
        fputs("\r\033[K", stderr);
    c->progress_shown = false;
}

static void note(void *arg, const char *line)
{
    cli_report_end(arg);
    fprintf(stderr, "xl: %s\n", line);
}

static void info(void *arg, const char *line)
{
    const struct cli *c = arg;

    if (!c->quiet)
        note(arg, line);
}

static void progress(void *arg, const char *what, uint64_t done,
                     uint64_t total)
{
    struct cli *c = arg;
    uint64_t now = clock_ms();
    char *text;

    if (c->quiet || !isatty(STDERR_FILENO))
        return;
    if (done >= total) {
        cli_report_end(c);
        return;
    }
    if (!c->progress_shown || done < c->progress_done)
        c->progress_began = now;
    else if (now - c->progress_ms < PROGRESS_MS)
        return;
    c->progress_ms = now;
    c->progress_done = done;
    c->progress_shown = true;
    text = show_progress(what, done, total, now - c->progress_began);
    fprintf(stderr, "\r%s\033[K", text);
    free(text);
}

static void verdict(void *arg, const char *name, bool keep, const char *why)
{
    struct cli *c = arg;

    if (!dryrun_only && (c->quiet || (c->only_deleted && keep)))
        return;
    cli_report_end(c);
    printf("%-6s %s (%s)\n", keep ? "keep" : "delete", name, why);
}

static void deleted(void *arg, const char *name)
{
    struct cli *c = arg;
    char *names = c->deleted_names;

    c->deleted++;
    if (names)
        c->deleted_names = mem_printf("%s, '%s'", names, name);
    else
        c->deleted_names = mem_printf("'%s'", name);
    free(names);
}

static void step(void *arg, const char *text)
{
    struct cli *c = arg;

    printf("%2u. %s\n", ++c->steps, text);
}

static void outlook(void *arg, const struct snap_outlook *o)
{
    (void)arg;
    show_outlook(o);
}

void cli_report_begin(struct cli *c)
{
    c->rep = (struct reporter){
        .note = note, .info = info, .progress = progress,
        .verdict = verdict, .deleted = deleted, .arg = c,
    };
    c->env.rep = &c->rep;
    if (dryrun_only) {
        c->env.plan = step;
        c->env.outlook = outlook;
        c->env.plan_arg = c;
    }
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
