/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot-recover on the command line. */

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"

/* What the options and words mean together; NULL or what is wrong. */
static const char *check_line(const struct snap_recover *req)
{
    if (req->all && req->domain)
        return "--all takes no domain";
    if (req->adopt && (req->all || req->give_up))
        return "--adopt goes neither with --all nor with --give-up";
    if ((req->adopt || req->give_up) && !req->all && !req->domain)
        return "which domain: a name, or --all with --give-up, is needed";
    return NULL;
}

static void print_done(struct cli *c, const struct snap_recover *req)
{
    if (req->adopt)
        cli_say(c, "The snapshots of domain %s are now of domain %s\n",
                req->adopt, req->domain);
    else if (req->all)
        cli_say(c, "No domain has an unfinished operation\n");
    else if (req->domain)
        cli_say(c, "Domain %s has no unfinished operation\n", req->domain);
}

int main_snapshot_recover(int argc, char **argv)
{
    struct snap_recover req = { 0 };
    struct cli cli;
    const struct cli_option options[] = {
        CLI_TEXT("adopt", 0, &req.adopt),
        CLI_FLAG("all", 'a', &req.all),
        CLI_FLAG("give-up", 0, &req.give_up),
        CLI_CHANGES(&cli, &req.wait_s),
    };
    const char *wrong;
    struct err e;

    cli_begin(&cli, "snapshot-recover");
    if (cli_parse(&cli, options, CLI_N(options), argc, argv, 0, 1))
        return SNAP_USAGE;
    if (cli.nwords)
        req.domain = cli.words[0];
    wrong = check_line(&req);
    if (wrong)
        return cli_usage(&cli, "%s", wrong);
    cli.reads = !req.domain && !req.all;
    if (snap_recover(&cli.env, &req, &e))
        return cli_fail(&cli, &e);
    print_done(&cli, &req);
    return cli_end(&cli, SNAP_OK);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
