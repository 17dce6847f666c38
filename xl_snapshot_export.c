/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot-export on the command line. */

#include <stdio.h>
#include <string.h>

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"

static int check(struct cli *c, const char *dir)
{
    struct err e;

    c->reads = true;
    if (snap_export_check(&c->env, dir, &e))
        return cli_fail(c, &e);
    cli_say(c, "The export %s is whole.\n", dir);
    return cli_end(c, SNAP_OK);
}

static int read_compression(struct cli *c, const char *word, bool *plain)
{
    *plain = word && !strcmp(word, "none");
    if (!word || *plain || !strcmp(word, "zstd"))
        return 0;
    return cli_usage(c, "--compress takes none or zstd, not '%s'", word);
}

static int export(struct cli *c, const struct snap_export *req)
{
    struct snap_exported done;
    struct err e;

    if (snap_export(&c->env, req, &done, &e)) {
        cli_hint_swapped(c, &e);
        return cli_fail(c, &e);
    }
    cli_about(c, req->name);
    cli_say(c, "Exported snapshot '%s' to %s: %s, %zu disk%s, %.1f MiB\n",
            req->name, req->dir, req->no_memory ? "no memory" : "memory",
            done.ndisks, done.ndisks == 1 ? "" : "s",
            (double)done.bytes / (1 << 20));
    return cli_end(c, SNAP_OK);
}

int main_snapshot_export(int argc, char **argv)
{
    struct snap_export req = { 0 };
    struct cli cli;
    const char *dir = NULL, *compress = NULL;
    const struct cli_option options[] = {
        CLI_TEXT("since", 0, &req.since),
        CLI_TEXT("compress", 'z', &compress),
        CLI_FLAG("no-memory", 0, &req.no_memory),
        CLI_TEXT("check", 0, &dir),
        CLI_CHANGES(&cli, &req.wait_s),
    };
    int rc;

    cli_begin(&cli, "snapshot-export");
    if (cli_parse(&cli, options, CLI_N(options), argc, argv, 0, 3))
        return SNAP_USAGE;
    if (dir && (cli.nwords || req.since || compress || req.no_memory))
        return cli_usage(&cli, "--check=DIR goes with nothing else");
    if (dir)
        return check(&cli, dir);
    if (cli.nwords < 3)
        return cli_usage(&cli, "a domain, a snapshot and a directory are "
                         "needed");
    rc = read_compression(&cli, compress, &req.plain);
    if (rc)
        return rc;
    req.domain = cli.words[0];
    req.name = cli.words[1];
    req.dir = cli.words[2];
    return export(&cli, &req);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
