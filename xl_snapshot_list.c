/* SPDX-License-Identifier: LGPL-2.1-only */

/* snapshot-list on the command line. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <libxl.h>

#include "xl.h"
#include "xl_snapshot.h"
#include "xl_snapshot_cli.h"

#include "snapshot/show.h"
#include "snapshot/store/store.h"
#include "snapshot/store/tree.h"
#include "snapshot/sys/mem.h"

/* Of a terminal that does not say it. */
#define COLUMNS 80

struct list_line {
    struct cli cli;
    struct show sh;
    bool check;
};

/* A terminal's width; 0, nothing is cut, for a pipe or a file. */
static size_t columns(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
        return COLUMNS;
    return size.ws_col;
}

static void free_checked(struct show *sh, size_t n)
{
    while (sh->problems && n--)
        free(sh->problems[n]);
    free(sh->problems);
    sh->problems = NULL;
}

/* Fills in sh.problems, and *bad_r if there are any. */
static int check_tree(struct list_line *l, const char *domain,
                      const struct tree *t, const char *name, bool *bad_r, struct err *e)
{
    size_t i;

    l->sh.problems = mem_zalloc(t->n, sizeof(*l->sh.problems));
    for (i = 0; i < t->n; i++) {
        struct err found = { 0 };

        if (name && strcmp(t->nodes[i].s.name, name))
            continue;
        if (snap_check(&l->cli.env, domain, &t->nodes[i].s, &found, e))
            return -1;
        if (found.status == SNAP_OK)
            continue;
        l->sh.problems[i] = mem_strdup(found.text);
        *bad_r = true;
    }
    return 0;
}

/* The result, for people who would wonder; scripts see that it is empty. */
static void say_empty(const struct list_line *l, const char *domain)
{
    if (l->sh.style == SHOW_JSON || l->sh.style == SHOW_NAMES ||
        !isatty(STDOUT_FILENO))
        return;
    if (domain)
        printf("Domain %s has no snapshots.\n", domain);
    else
        puts("There are no snapshots.");
}

static int show_one(struct list_line *l, const char *domain,
                    const struct tree *t, const char *name)
{
    struct err e;
    bool bad = false;
    int rc = SNAP_OK;

    if (name && tree_find(t, name) == TREE_NONE) {
        err_set(&e, SNAP_FAILED, "domain %s has no snapshot '%s'", domain,
                name);
        cli_hint_swapped(&l->cli, &e);
        return cli_error(&l->cli, &e);
    }
    if (l->check && check_tree(l, domain, t, name, &bad, &e))
        rc = cli_error(&l->cli, &e);
    else
        show_domain(&l->sh, domain, t, name);
    if (bad)
        rc = SNAP_FAILED;
    free_checked(&l->sh, t->n);
    return rc;
}

static int list_one(struct list_line *l, const char *word, const char *name)
{
    struct err problems = { 0 };
    struct err e;
    struct tree t = { 0 };
    char *domain = NULL;
    bool sizes = l->sh.style == SHOW_LONG || l->sh.style == SHOW_JSON;
    bool pending = false;
    int rc;

    if (snap_list(&l->cli.env, word, sizes, &domain, &t, &pending, &problems,
                  &e)) {
        cli_hint_swapped(&l->cli, &e);
        rc = cli_error(&l->cli, &e);
        goto out;
    }
    rc = show_one(l, domain, &t, name);
    if (!rc && !t.n && !l->sh.headings)
        say_empty(l, domain);
    if (pending)
        fprintf(stderr, "xl: an operation on domain %s is under way or was "
                "interrupted; the next command that changes its snapshots "
                "recovers it\n", domain);
    if (problems.status != SNAP_OK)
        rc = cli_error(&l->cli, &problems);

out:
    tree_free(&t);
    free(domain);
    return rc;
}

static int list_all(struct list_line *l)
{
    char **names = NULL;
    struct err e;
    size_t n, i;
    int rc = SNAP_OK;

    if (store_domains(l->cli.env.root, &names, &n, &e))
        return cli_error(&l->cli, &e);
    l->sh.begun = true;
    for (i = 0; i < n; i++) {
        int one = list_one(l, names[i], NULL);

        if (one)
            rc = one;
    }
    store_free_names(names, n);
    if (!rc && !l->sh.printed)
        say_empty(l, NULL);
    return rc;
}

int main_snapshot_list(int argc, char **argv)
{
    struct list_line l = { .sh.style = SHOW_TABLE };
    enum show_style *style = &l.sh.style;
    const struct cli_option options[] = {
        CLI_FLAG("check", 0, &l.check),
        CLI_CHOICE("json", 'j', style, SHOW_JSON),
        CLI_CHOICE("long", 'l', style, SHOW_LONG),
        CLI_CHOICE_NOT("names", 'n', style, SHOW_NAMES, "check"),
        CLI_CHOICE_NOT("tree", 't', style, SHOW_TREE, "check"),
    };
    int rc;

    cli_begin(&l.cli, "snapshot-list");
    l.cli.reads = true;
    if (cli_parse(&l.cli, options, CLI_N(options), argc, argv, 0, 2))
        return SNAP_USAGE;
    l.sh.columns = columns();
    l.sh.headings = l.cli.nwords == 0;
    if (l.sh.headings)
        rc = list_all(&l);
    else
        rc = list_one(&l, l.cli.words[0], l.cli.words[1]);
    show_end(&l.sh);
    return cli_end(&l.cli, rc);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
