/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot-delete and snapshot-set on the command line. */

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"

#define USE_SET "that is 'xl snapshot-set' now"

struct delete_line {
    struct snap_delete req;
    struct retain which;
    bool expired, all;
};

/* How many of the ways to choose there are on the line. */
static unsigned ways(const struct delete_line *l)
{
    unsigned n = 0;

    if (l->req.nnames)
        n++;
    if (retain_has_rule(&l->which))
        n++;
    if (l->expired)
        n++;
    if (l->all)
        n++;
    return n;
}

/* What the options and names mean together; NULL, or what is wrong. */
static const char *choose(struct delete_line *l)
{
    unsigned n = ways(l);

    if (n > 1)
        return "names, the --keep options, --expired and --all exclude each "
               "other";
    if (n == 0)
        return "which ones: names, a --keep option of at least 1, --expired "
               "or --all is needed";
    if (l->req.nnames && l->which.match)
        return "--match goes with a --keep option, --expired or --all";
    if (l->req.nnames)
        return NULL;
    if (l->req.subtree != SNAP_ALONE)
        return "--children and --children-only go with names only";
    if (l->req.force && !l->all)
        return "--force goes with names and --all only";
    if (l->expired)
        l->which.what = RETAIN_UNEXPIRED;
    if (l->all)
        l->which.what = RETAIN_NOTHING;
    l->req.keep = &l->which;
    return NULL;
}

static void print_deleted(struct cli *c)
{
    if (c->deleted == 1)
        cli_say(c, "Deleted snapshot %s of domain %s\n", c->deleted_names,
                c->words[0]);
    else if (c->deleted)
        cli_say(c, "Deleted %u snapshots of domain %s: %s\n", c->deleted,
                c->words[0], c->deleted_names);
    else
        cli_say(c, "There was no snapshot of domain %s to delete\n",
                c->words[0]);
}

static int run_delete(struct cli *c, const struct snap_delete *req)
{
    struct err e;
    size_t n;
    int rc = SNAP_OK;

    if (snap_delete(&c->env, req, &n, &e)) {
        cli_hint_swapped(c, &e);
        rc = cli_error(c, &e);
    }
    if (!rc || c->deleted)
        print_deleted(c);
    if (c->deleted_names)
        cli_about(c, c->deleted_names);
    return cli_end(c, rc);
}

int main_snapshot_delete(int argc, char **argv)
{
    struct delete_line l = { .req.subtree = SNAP_ALONE };
    struct cli cli;
    const struct cli_option options[] = {
        CLI_FLAG("all", 0, &l.all),
        CLI_CHOICE("children", 'c', &l.req.subtree, SNAP_WITH_CHILDREN),
        CLI_CHOICE("children-only", 'C', &l.req.subtree, SNAP_ONLY_CHILDREN),
        CLI_FLAG("expired", 0, &l.expired),
        CLI_FLAG("force", 'F', &l.req.force),
        CLI_NUMBER("keep-last", 0, &l.which.keep[RETAIN_LAST], RETAIN_MAX),
        CLI_NUMBER("keep-hourly", 0, &l.which.keep[RETAIN_HOURLY], RETAIN_MAX),
        CLI_NUMBER("keep-daily", 0, &l.which.keep[RETAIN_DAILY], RETAIN_MAX),
        CLI_NUMBER("keep-weekly", 0, &l.which.keep[RETAIN_WEEKLY], RETAIN_MAX),
        CLI_NUMBER("keep-monthly", 0, &l.which.keep[RETAIN_MONTHLY],
                   RETAIN_MAX),
        CLI_TEXT("match", 0, &l.which.match),
        CLI_MOVED("protect", 0, USE_SET),
        CLI_MOVED("unprotect", 0, USE_SET),
        CLI_CHANGES(&cli, &l.req.wait_s),
    };
    const char *wrong;

    cli_begin(&cli, "snapshot-delete");
    if (cli_parse(&cli, options, CLI_N(options), argc, argv, 1, CLI_MANY))
        return SNAP_USAGE;
    l.req.domain = cli.words[0];
    l.req.names = cli.words + 1;
    l.req.nnames = (size_t)cli.nwords - 1;
    wrong = choose(&l);
    if (wrong)
        return cli_usage(&cli, "%s", wrong);
    return run_delete(&cli, &l.req);
}

static void print_set(struct cli *c, const struct snap_set *req)
{
    size_t i;

    if (req->nnames == 1)
        cli_say(c, "Changed snapshot '%s'", req->names[0]);
    else
        cli_say(c, "Changed snapshots '%s'", req->names[0]);
    for (i = 1; i < req->nnames; i++)
        cli_say(c, ", '%s'", req->names[i]);
    cli_say(c, " of domain %s\n", req->domain);
}

int main_snapshot_set(int argc, char **argv)
{
    struct snap_set req = { 0 };
    struct cli cli;
    const struct cli_option options[] = {
        CLI_TEXT("description", 'd', &req.description),
        CLI_AGE_OR_NEVER("expire", 0, &req.expire_s),
        CLI_CHOICE("protect", 0, &req.protect, SNAP_PROTECT),
        CLI_CHOICE("unprotect", 0, &req.protect, SNAP_UNPROTECT),
        CLI_CHANGES(&cli, &req.wait_s),
    };
    struct err e;
    size_t i;

    cli_begin(&cli, "snapshot-set");
    if (cli_parse(&cli, options, CLI_N(options), argc, argv, 2, CLI_MANY))
        return SNAP_USAGE;
    req.domain = cli.words[0];
    req.names = cli.words + 1;
    req.nnames = (size_t)cli.nwords - 1;
    if (!req.description && !req.expire_s && req.protect == SNAP_LEAVE)
        return cli_usage(&cli, "what to set: --description, --protect, "
                         "--unprotect or --expire is needed");
    for (i = 0; i < req.nnames; i++)
        cli_about(&cli, req.names[i]);
    if (snap_set(&cli.env, &req, &e)) {
        cli_hint_swapped(&cli, &e);
        return cli_fail(&cli, &e);
    }
    print_set(&cli, &req);
    return cli_end(&cli, SNAP_OK);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
