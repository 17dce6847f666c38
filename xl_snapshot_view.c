/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot-view on the command line. */

#include <stdio.h>

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"

struct view_line {
    struct cli cli;
    bool writable;
};

/* The address is the result, so it is printed with --quiet, too. */
static void print_ready(void *arg, const struct snap_served *served)
{
    struct view_line *l = arg;
    const char *kind = "", *mount = "--ro ";

    if (!l->writable)
        kind = "--read-only ";
    else
        mount = "";
    cli_say(&l->cli, "Disk %s of snapshot '%s' of domain %s, %.1f GiB, until "
            "Ctrl-C:\n", served->vdev, served->snapshot, served->domain,
            (double)served->size / (1 << 30));
    printf("nbd+unix:///?socket=%s\n", served->socket);
    cli_say(&l->cli, "To look into it apart from this host's kernel:\n"
            "    guestmount --format=raw %s-i -a "
            "'nbd://?socket=%s' /mnt\n", mount, served->socket);
    cli_say(&l->cli, "Or, if you trust its guest as root, as a disk:\n"
            "    qemu-nbd %s--format=raw --connect=/dev/nbd0 "
            "'nbd+unix:///?socket=%s'\n", kind, served->socket);
    fflush(stdout);
}

int main_snapshot_view(int argc, char **argv)
{
    struct view_line l = { 0 };
    struct snap_view req = { .ready = print_ready, .ready_arg = &l };
    const struct cli_option options[] = {
        CLI_FLAG("writable", 0, &req.writable),
        CLI_TEXT("socket", 0, &req.socket),
        CLI_CHANGES(&l.cli, &req.wait_s),
    };
    struct err e;

    cli_begin(&l.cli, "snapshot-view");
    if (cli_parse(&l.cli, options, CLI_N(options), argc, argv, 2, 3))
        return SNAP_USAGE;
    l.cli.reads = true;
    l.writable = req.writable;
    req.domain = l.cli.words[0];
    req.name = l.cli.words[1];
    if (l.cli.nwords > 2)
        req.vdev = l.cli.words[2];
    if (req.socket && req.socket[0] != '/')
        return cli_usage(&l.cli, "--socket takes an absolute path, not '%s'",
                         req.socket);
    if (snap_view(&l.cli.env, &req, &e)) {
        cli_hint_swapped(&l.cli, &e);
        return cli_fail(&l.cli, &e);
    }
    return cli_end(&l.cli, SNAP_OK);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
