/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot-import on the command line. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"
#include "snapshot/store/meta.h"

static size_t count_images(const struct snapshot *s)
{
    size_t i, n = 0;

    for (i = 0; i < s->ndisks; i++)
        n += meta_disk_has_part(&s->disks[i]);
    return n;
}

static void say(struct cli *c, const struct snap_imported *r)
{
    size_t n = count_images(&r->s);

    cli_say(c, "Imported snapshot '%s' of domain %s: %s, %zu disk%s, %s; ",
            r->s.name, r->s.domain.name, r->memory ? "memory" : "no memory",
            n, n == 1 ? "" : "s", r->cfg);
    if (r->memory)
        cli_say(c, "'xl snapshot-revert %s %s' starts it\n",
                r->s.domain.name, r->s.name);
    else
        cli_say(c, "'xl create %s' boots it\n", r->cfg);
}

static int import(struct cli *c, const struct snap_import *req)
{
    struct snap_imported done;
    struct err e;

    if (snap_import(&c->env, req, &done, &e))
        return cli_fail(c, &e);
    cli_about(c, done.s.name);
    say(c, &done);
    meta_free(&done.s);
    free(done.cfg);
    return cli_end(c, SNAP_OK);
}

int main_snapshot_import(int argc, char **argv)
{
    struct snap_import req = { 0 };
    struct cli_list disks = { .n = 0 };
    struct cli cli;
    const struct cli_option options[] = {
        CLI_TEXT("name", 0, &req.name),
        CLI_LIST("disk", 0, &disks),
        CLI_TEXT("path", 'P', &req.path),
        CLI_FLAG("force", 'F', &req.force),
        CLI_FLAG("no-memory", 0, &req.no_memory),
        CLI_CHANGES(&cli, &req.wait_s),
    };

    cli_begin(&cli, "snapshot-import");
    if (cli_parse(&cli, options, CLI_N(options), argc, argv, 1, 1) ||
        cli_check_disks(&cli, &disks))
        return SNAP_USAGE;
    req.dir = cli.words[0];
    if (!strcmp(req.dir, "-") && isatty(STDIN_FILENO))
        return cli_usage(&cli, "no tar comes from a terminal: redirect the "
                         "input, or give a directory");
    req.disks = disks.p;
    req.ndisks = disks.n;
    return import(&cli, &req);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
