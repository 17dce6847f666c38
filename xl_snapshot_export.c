/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot-export on the command line. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"

static bool is_stream(const struct snap_export *req)
{
    return !strcmp(req->dir, "-");
}

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

/* What goes with a tar on the standard output, which is not for words then. */
static int check_stream(struct cli *c, const struct snap_export *req,
                        const char *compress)
{
    if (req->since)
        return cli_usage(c, "--since needs a directory beside the earlier "
                         "one: a tar is always complete");
    if (compress && !req->plain)
        return cli_usage(c, "a tar has disks as raw files: compress the "
                         "whole of it, and leave out --compress");
    if (!dryrun_only && isatty(STDOUT_FILENO))
        return cli_usage(c, "a tar is not for a terminal: redirect the "
                         "output, or give a directory");
    c->out = stderr;
    return 0;
}

static int export(struct cli *c, const struct snap_export *req)
{
    const char *to = req->dir;
    struct snap_exported done;
    struct err e;

    if (is_stream(req))
        to = "the standard output";

    if (snap_export(&c->env, req, &done, &e)) {
        cli_hint_swapped(c, &e);
        return cli_fail(c, &e);
    }
    cli_about(c, req->name);
    cli_say(c, "Exported snapshot '%s' to %s: %s, %zu disk%s, %.1f MiB\n",
            req->name, to, req->no_memory ? "no memory" : "memory",
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
    if (is_stream(&req) && check_stream(&cli, &req, compress))
        return SNAP_USAGE;
    return export(&cli, &req);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
