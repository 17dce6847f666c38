/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * snapshot-create and snapshot-revert on the command line: parses, calls the
 * engine (snapshot/), and prints.  It decides nothing.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"

#include "snapshot/cfg.h"
#include "snapshot/show.h"

/* What the options say of the way a snapshot is taken. */
struct create_line {
    struct snap_create req;
    const char *file;
    enum { LIVE_UNSAID, LIVE_AUTO, LIVE_NO, LIVE_ONLY } live;
};

static void print_created(struct cli *c, const struct snapshot *s)
{
    char *memory = show_size(s->memory.stored_size);
    char *disks = show_disks(s);

    cli_say(c, "Created snapshot '%s' of domain %s: downtime %.2f s, memory "
            "%s, disks %s\n", s->name, s->domain.name,
            (double)s->downtime_ms / 1000, memory, disks);
    free(disks);
    free(memory);
}

/* Options win over Key=Value, which wins over the file. */
static void take_mode(struct create_line *l, const struct cfg *cfg)
{
    static const enum snap_live said[] = {
        [LIVE_AUTO] = SNAP_LIVE_AUTO, [LIVE_NO] = SNAP_LIVE_NO,
        [LIVE_ONLY] = SNAP_LIVE_ONLY,
    };

    if (l->live == LIVE_UNSAID) {
        l->req.live = cfg->live;
    } else {
        l->req.live = said[l->live];
        if (l->live != LIVE_NO)
            return;
    }
    if (cfg->mode == SNAP_COLD)
        l->req.mode = SNAP_COLD;
}

/* The words beside the options: Domain, Name, Key=Value ... */
static int create_words(struct cli *c, struct create_line *l,
                        struct cfg *cfg, struct err *e)
{
    struct snap_create *req = &l->req;
    int first = 1;
    size_t nsettings = 0;

    req->domain = c->words[0];
    if (c->nwords > 1 && !strchr(c->words[1], '=')) {
        req->name = c->words[1];
        first = 2;
    }
    if (c->nwords > first)
        nsettings = (size_t)(c->nwords - first);
    if (cfg_read(l->file, c->words + first, nsettings, cfg, e))
        return -1;
    if (!req->name)
        req->name = cfg->name;
    if (!req->description)
        req->description = cfg->description;
    if (!req->compress)
        req->compress = cfg->compress;
    if (!req->path)
        req->path = cfg->path;
    req->disks.each = cfg->disks;
    req->disks.neach = cfg->ndisks;
    req->keep = &cfg->keep;
    take_mode(l, cfg);
    return 0;
}

int main_snapshot_create(int argc, char **argv)
{
    struct create_line l = { .live = LIVE_UNSAID };
    struct snap_create *req = &l.req;
    struct cli cli;
    const struct cli_option options[] = {
        CLI_CHOICE("cold", 'c', &req->mode, SNAP_COLD),
        CLI_TEXT("config", 'f', &l.file),
        CLI_WORD("copy", 'y', &req->disks.all, "copy"),
        CLI_TEXT("description", 'd', &req->description),
        CLI_AGE("expire", 0, &req->expire_s),
        CLI_WORD("external", 'e', &req->disks.all, "external"),
        CLI_WORD("internal", 'i', &req->disks.all, "internal"),
        CLI_CHOICE_NOT("live", 'l', &l.live, LIVE_AUTO, "cold"),
        CLI_CHOICE_NOT("live-only", 0, &l.live, LIVE_ONLY, "cold"),
        CLI_CHOICE("no-live", 'L', &l.live, LIVE_NO),
        CLI_FLAG("paused", 'p', &req->paused),
        CLI_TEXT("path", 'P', &req->path),
        CLI_FLAG("protect", 0, &req->protect),
        CLI_TEXT("compress", 'z', &req->compress),
        CLI_CHANGES(&cli, &req->wait_s),
    };
    struct snapshot made = { 0 };
    struct cfg cfg = { 0 };
    struct err e;
    int rc = SNAP_OK;

    cli_begin(&cli, "snapshot-create");
    if (cli_parse(&cli, options, CLI_N(options), argc, argv, 1, CLI_MANY))
        return SNAP_USAGE;
    cli.only_deleted = true;
    if (create_words(&cli, &l, &cfg, &e) ||
        snap_create(&cli.env, req, &made, &e))
        rc = e.status;
    if (made.name) {
        cli_about(&cli, made.name);
        print_created(&cli, &made);
    }
    if (rc)
        cli_error(&cli, &e);
    meta_free(&made);
    cfg_free(&cfg);
    return cli_end(&cli, rc);
}

static void print_reverted(struct cli *c, const struct snapshot *s,
                           bool paused, uint64_t downtime_ms)
{
    cli_say(c, "Reverted domain %s to snapshot '%s'", s->domain.name,
            s->name);
    if (paused)
        cli_say(c, ", paused");
    if (downtime_ms)
        cli_say(c, ": downtime %.2f s", (double)downtime_ms / 1000);
    cli_say(c, "\n");
}

int main_snapshot_revert(int argc, char **argv)
{
    struct snap_revert req = { 0 };
    struct cli cli;
    const struct cli_option options[] = {
        CLI_FLAG("force", 'F', &req.force),
        CLI_CHOICE("paused", 'p', &req.run, SNAP_PAUSED),
        CLI_CHOICE("running", 'r', &req.run, SNAP_RUNNING),
        CLI_FLAG("save", 's', &req.save),
        CLI_TEXT("save-as", 0, &req.save_name),
        CLI_CHANGES(&cli, &req.wait_s),
    };
    struct snapshot to;
    struct err e;
    uint64_t downtime_ms;

    cli_begin(&cli, "snapshot-revert");
    if (cli_parse(&cli, options, CLI_N(options), argc, argv, 2, 2))
        return SNAP_USAGE;
    req.domain = cli.words[0];
    req.name = cli.words[1];
    if (req.save_name)
        req.save = true;
    cli_about(&cli, req.name);
    if (snap_revert(&cli.env, &req, &to, &downtime_ms, &e)) {
        cli_hint_swapped(&cli, &e);
        return cli_fail(&cli, &e);
    }
    print_reverted(&cli, &to, req.run == SNAP_PAUSED, downtime_ms);
    meta_free(&to);
    return cli_end(&cli, SNAP_OK);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
