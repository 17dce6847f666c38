/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot-clone on the command line. */

#include <stdio.h>
#include <stdlib.h>

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"
#include "snapshot/store/meta.h"

static void say(struct cli *c, const struct snap_clone *req,
                const struct snap_imported *r)
{
    const char *how = "it boots";

    if (req->memory)
        how = "it is paused, without network interfaces";
    else if (req->paused)
        how = "it is paused";
    cli_say(c, "Cloned snapshot '%s' of domain %s to domain %s: %s; later 'xl "
            "create %s' starts it\n", req->name, req->domain, req->clone, how,
            r->cfg);
}

int main_snapshot_clone(int argc, char **argv)
{
    struct snap_clone req = { 0 };
    struct snap_imported done;
    struct cli_list disks = { .n = 0 };
    struct cli cli;
    const struct cli_option options[] = {
        CLI_FLAG("memory", 0, &req.memory),
        CLI_LIST("disk", 0, &disks),
        CLI_FLAG("paused", 'p', &req.paused),
        CLI_CHANGES(&cli, &req.wait_s),
    };
    struct err e;
    int rc;

    cli_begin(&cli, "snapshot-clone");
    if (cli_parse(&cli, options, CLI_N(options), argc, argv, 3, 3) ||
        cli_check_disks(&cli, &disks))
        return SNAP_USAGE;
    req.domain = cli.words[0];
    req.name = cli.words[1];
    req.clone = cli.words[2];
    req.disks = disks.p;
    req.ndisks = disks.n;
    rc = snap_clone(&cli.env, &req, &done, &e);
    if (rc) {
        cli_hint_swapped(&cli, &e);
        rc = cli_fail(&cli, &e);
    } else {
        cli_about(&cli, req.name);
        say(&cli, &req, &done);
        rc = cli_end(&cli, SNAP_OK);
    }
    meta_free(&done.s);
    free(done.cfg);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
