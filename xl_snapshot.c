/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The command line of snapshots: parses, calls the engine (snapshot/), and
 * prints.  It decides nothing.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "xl.h"
#include "xl_utils.h"
#include "xl_snapshot.h"

#include "snapshot/cfg.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/name.h"
#include "snapshot/snapshot.h"
#include "snapshot/show.h"

#define WAIT_FOREVER (1u << 30)         /* seconds */
#define PROGRESS_MS 200

/* Options without a letter. */
enum {
    OPT_CHECK = 0x100,
    OPT_MATCH,
    OPT_PROTECT,
    OPT_UNPROTECT,
    OPT_KEEP,                   /* and the rules of retain.h behind it */
};

struct output {
    struct reporter rep;
    bool quiet;
    bool only_deleted;          /* of the verdicts: not what is kept */
    bool progress_shown;
    uint64_t progress_ms;       /* when it was last written */
    uint64_t progress_began, progress_done;
};

/* The line of progress, so that the next message starts a new one. */
static void end_progress(struct output *out)
{
    if (out->progress_shown)
        fputs("\r\033[K", stderr);
    out->progress_shown = false;
}

static void print_note(void *arg, const char *line)
{
    struct output *out = arg;

    end_progress(out);
    fprintf(stderr, "xl: %s\n", line);
}

static void print_info(void *arg, const char *line)
{
    struct output *out = arg;

    if (!out->quiet)
        print_note(arg, line);
}

static void print_progress(void *arg, const char *what, uint64_t done,
                           uint64_t total)
{
    struct output *out = arg;
    uint64_t now = clock_ms();
    char *text;

    if (out->quiet || !isatty(STDERR_FILENO))
        return;
    if (done >= total) {
        end_progress(out);
        return;
    }
    if (!out->progress_shown || done < out->progress_done)
        out->progress_began = now;
    else if (now - out->progress_ms < PROGRESS_MS)
        return;
    out->progress_ms = now;
    out->progress_done = done;
    out->progress_shown = true;
    text = show_progress(what, done, total, now - out->progress_began);
    fprintf(stderr, "\r%s\033[K", text);
    free(text);
}

static void print_verdict(void *arg, const char *name, bool keep,
                          const char *why)
{
    struct output *out = arg;

    if (!dryrun_only && (out->quiet || (out->only_deleted && keep)))
        return;
    end_progress(out);
    printf("%-6s %s (%s)\n", keep ? "keep" : "delete", name, why);
}

static void print_step(void *arg, const char *step)
{
    unsigned *n = arg;

    printf("%2u. %s\n", ++*n, step);
}

static void init_output(struct output *out, struct snap_env *env,
                        unsigned *steps)
{
    memset(out, 0, sizeof(*out));
    memset(env, 0, sizeof(*env));
    out->rep.note = print_note;
    out->rep.info = print_info;
    out->rep.progress = print_progress;
    out->rep.verdict = print_verdict;
    out->rep.arg = out;
    env->root = STORE_ROOT;
    env->rep = &out->rep;
    *steps = 0;
    if (dryrun_only) {
        env->plan = print_step;
        env->plan_arg = steps;
    }
    snap_init(ctx);
    /* One clear line is ours; libxl's own are for -v. */
    if (minmsglevel == minmsglevel_default)
        xtl_stdiostream_set_minlevel(logger, XTL_CRITICAL);
}

/* One line: what failed, and what to do. */
static int fail(struct output *out, const char *command, const struct err *e)
{
    end_progress(out);
    fprintf(stderr, "xl %s: %s\n", command, e->text);
    return e->status;
}

static int usage(const char *command, const char *why)
{
    fprintf(stderr, "xl %s: %s (see 'xl help %s')\n", command, why, command);
    return SNAP_USAGE;
}

static int parse_number(const char *arg, unsigned max, unsigned *n_r)
{
    char *end;
    unsigned long n = strtoul(arg, &end, 10);

    if (arg[0] < '0' || arg[0] > '9' || *end || n > max)
        return -1;
    *n_r = (unsigned)n;
    return 0;
}

/* xl takes no option behind the first other word; no name begins with '-'. */
static int check_words(const char *command, int argc, char **argv)
{
    int i;

    for (i = optind; i < argc; i++)
        if (argv[i][0] == '-')
            return usage(command, "options come before all other words");
    return 0;
}

/* --wait or --wait=SECONDS */
static int parse_wait(const char *arg, unsigned *wait_s)
{
    if (arg)
        return parse_number(arg, WAIT_FOREVER, wait_s);
    *wait_s = WAIT_FOREVER;
    return 0;
}

static void print_created(const struct snapshot *s)
{
    char *memory = show_size(s->memory.stored_size);
    char *disks = show_disks(s);

    printf("Snapshot %s of domain %s: downtime %.2f s, memory %s, disks %s\n",
           s->name, s->domain.name, (double)s->downtime_ms / 1000, memory,
           disks);
    free(disks);
    free(memory);
}

static void print_dry_run(void)
{
    puts("Dry run: nothing was changed.");
}

/* The words behind the options: Domain, Name, Key=Value ... */
static int create_words(int argc, char **argv, struct snap_create *req,
                        const char *file, struct cfg *cfg, struct err *e)
{
    int first = 1;

    req->domain = argv[0];
    if (argc > 1 && !strchr(argv[1], '=')) {
        req->name = argv[1];
        first = 2;
    }
    if (cfg_read(file, argv + first, argc > first ?
                 (size_t)(argc - first) : 0, cfg, e))
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
    if (cfg->mode == SNAP_COLD)
        req->mode = SNAP_COLD;
    if (cfg->live)
        req->live = true;
    return 0;
}

int main_snapshot_create(int argc, char **argv)
{
    static const struct option opts[] = {
        {"cold", 0, 0, 'c'},
        {"config", 1, 0, 'f'},
        {"copy", 0, 0, 'y'},
        {"description", 1, 0, 'd'},
        {"external", 0, 0, 'e'},
        {"internal", 0, 0, 'i'},
        {"live", 0, 0, 'l'},
        {"paused", 0, 0, 'p'},
        {"protect", 0, 0, OPT_PROTECT},
        {"quiet", 0, 0, 'q'},
        {"wait", 2, 0, 'w'},
        {"path", 1, 0, 'P'},
        {"compress", 1, 0, 'z'},
        COMMON_LONG_OPTS
    };
    struct snap_create req = { 0 };
    struct output out;
    struct snap_env env;
    struct snapshot made = { 0 };
    struct cfg cfg = { 0 };
    struct err e;
    const char *file = NULL;
    unsigned steps;
    int opt, rc = SNAP_OK;

    init_output(&out, &env, &steps);
    SWITCH_FOREACH_OPT(opt, "cd:ef:ilpP:qw::yz:", opts, "snapshot-create", 1) {
    case 'c':
        req.mode = SNAP_COLD;
        break;
    case 'e':
        req.disks.all = "external";
        break;
    case 'f':
        file = optarg;
        break;
    case 'd':
        req.description = optarg;
        break;
    case 'i':
        req.disks.all = "internal";
        break;
    case 'l':
        req.live = true;
        break;
    case 'p':
        req.paused = true;
        break;
    case OPT_PROTECT:
        req.protect = true;
        break;
    case 'q':
        out.quiet = true;
        break;
    case 'w':
        if (parse_wait(optarg, &req.wait_s))
            return usage("snapshot-create", "--wait takes whole seconds");
        break;
    case 'y':
        req.disks.all = "copy";
        break;
    case 'P':
        req.path = optarg;
        break;
    case 'z':
        req.compress = optarg;
        break;
    }
    if (check_words("snapshot-create", argc, argv))
        return SNAP_USAGE;
    out.only_deleted = true;
    if (create_words(argc - optind, argv + optind, &req, file, &cfg, &e) ||
        snap_create(&env, &req, &made, &e))
        rc = e.status;
    end_progress(&out);
    if (dryrun_only)
        print_dry_run();
    else if (!out.quiet && made.name)
        print_created(&made);
    if (rc)
        fail(&out, "snapshot-create", &e);
    meta_free(&made);
    cfg_free(&cfg);
    return rc;
}

static void print_reverted(const struct snapshot *s, bool paused,
                           uint64_t downtime_ms)
{
    printf("Domain %s is back at snapshot %s%s", s->domain.name, s->name,
           paused ? ", paused" : "");
    if (downtime_ms)
        printf(": downtime %.2f s", (double)downtime_ms / 1000);
    putchar('\n');
}

int main_snapshot_revert(int argc, char **argv)
{
    static const struct option opts[] = {
        {"force", 0, 0, 'F'},
        {"paused", 0, 0, 'p'},
        {"quiet", 0, 0, 'q'},
        {"running", 0, 0, 'r'},
        {"save", 2, 0, 's'},
        {"wait", 2, 0, 'w'},
        COMMON_LONG_OPTS
    };
    struct snap_revert req = { 0 };
    struct output out;
    struct snap_env env;
    struct snapshot to;
    struct err e;
    uint64_t downtime_ms;
    unsigned steps;
    int opt;

    init_output(&out, &env, &steps);
    SWITCH_FOREACH_OPT(opt, "Fpqrs::w::", opts, "snapshot-revert", 2) {
    case 'F':
        req.force = true;
        break;
    case 'p':
        req.run = SNAP_PAUSED;
        break;
    case 'q':
        out.quiet = true;
        break;
    case 'r':
        req.run = SNAP_RUNNING;
        break;
    case 's':
        req.save = true;
        req.save_name = optarg;
        break;
    case 'w':
        if (parse_wait(optarg, &req.wait_s))
            return usage("snapshot-revert", "--wait takes whole seconds");
        break;
    }
    if (check_words("snapshot-revert", argc, argv))
        return SNAP_USAGE;
    if (argc - optind != 2)
        return usage("snapshot-revert", "too many arguments");
    req.domain = argv[optind];
    req.name = argv[optind + 1];
    if (snap_revert(&env, &req, &to, &downtime_ms, &e))
        return fail(&out, "snapshot-revert", &e);
    end_progress(&out);
    if (dryrun_only)
        print_dry_run();
    else if (!out.quiet)
        print_reverted(&to, req.run == SNAP_PAUSED, downtime_ms);
    meta_free(&to);
    return SNAP_OK;
}

enum delete_mode { MODE_NONE, MODE_NAMES, MODE_KEEP, MODE_PROTECT };

struct delete_line {
    struct snap_delete req;
    struct retain keep;
    bool protect, unprotect;
    enum delete_mode mode;
};

/* What the options and names mean together; NULL or what is wrong. */
static const char *delete_mode(struct delete_line *l)
{
    if (l->protect || l->unprotect) {
        l->mode = MODE_PROTECT;
        if (l->protect && l->unprotect)
            return "--protect and --unprotect exclude each other";
        if (l->req.subtree != SNAP_ALONE || l->req.force ||
            retain_has_rule(&l->keep) || l->keep.match)
            return "--protect and --unprotect go with names only";
    } else if (retain_has_rule(&l->keep)) {
        l->mode = MODE_KEEP;
        l->req.keep = &l->keep;
        if (l->req.nnames || l->req.subtree != SNAP_ALONE || l->req.force)
            return "the --keep options take no names, --children or --force";
    } else {
        l->mode = MODE_NAMES;
        if (l->keep.match)
            return "--match needs one of the --keep options";
    }
    if (l->mode != MODE_KEEP && !l->req.nnames)
        return "which one: a Name, or a --keep option of at least 1, is "
               "needed";
    return NULL;
}

static int do_delete(const struct snap_env *env, struct output *out,
                     const struct snap_delete *req)
{
    struct err e;
    size_t n;

    if (snap_delete(env, req, &n, &e))
        return fail(out, "snapshot-delete", &e);
    end_progress(out);
    if (dryrun_only)
        print_dry_run();
    else if (!out->quiet)
        printf("Deleted %zu snapshot%s of domain %s\n", n, n == 1 ? "" : "s",
               req->domain);
    return SNAP_OK;
}

static int do_protect(const struct snap_env *env, struct output *out,
                      const struct delete_line *l)
{
    struct snap_protect req = {
        .domain = l->req.domain, .names = l->req.names,
        .nnames = l->req.nnames, .protect = l->protect,
        .wait_s = l->req.wait_s,
    };
    struct err e;

    if (snap_protect(env, &req, &e))
        return fail(out, "snapshot-delete", &e);
    if (dryrun_only)
        print_dry_run();
    else if (!out->quiet)
        printf("%zu snapshot%s of domain %s %s protected\n", req.nnames,
               req.nnames == 1 ? "" : "s", req.domain,
               req.protect ? "now" : "no longer");
    return SNAP_OK;
}

int main_snapshot_delete(int argc, char **argv)
{
    static const struct option opts[] = {
        {"children", 0, 0, 'c'},
        {"children-only", 0, 0, 'C'},
        {"force", 0, 0, 'F'},
        {"keep-last", 1, 0, OPT_KEEP + RETAIN_LAST},
        {"keep-hourly", 1, 0, OPT_KEEP + RETAIN_HOURLY},
        {"keep-daily", 1, 0, OPT_KEEP + RETAIN_DAILY},
        {"keep-weekly", 1, 0, OPT_KEEP + RETAIN_WEEKLY},
        {"keep-monthly", 1, 0, OPT_KEEP + RETAIN_MONTHLY},
        {"match", 1, 0, OPT_MATCH},
        {"protect", 0, 0, OPT_PROTECT},
        {"unprotect", 0, 0, OPT_UNPROTECT},
        {"quiet", 0, 0, 'q'},
        {"wait", 2, 0, 'w'},
        COMMON_LONG_OPTS
    };
    struct delete_line l = { .req.subtree = SNAP_ALONE };
    struct output out;
    struct snap_env env;
    const char *wrong;
    unsigned steps;
    int opt;

    init_output(&out, &env, &steps);
    SWITCH_FOREACH_OPT(opt, "cCFqw::", opts, "snapshot-delete", 1) {
    case 'c':
        l.req.subtree = SNAP_WITH_CHILDREN;
        break;
    case 'C':
        l.req.subtree = SNAP_ONLY_CHILDREN;
        break;
    case 'F':
        l.req.force = true;
        break;
    case OPT_KEEP + RETAIN_LAST ... OPT_KEEP + RETAIN_RULES - 1:
        if (parse_number(optarg, RETAIN_MAX, &l.keep.keep[opt - OPT_KEEP]))
            return usage("snapshot-delete",
                         "the --keep options take a number");
        break;
    case OPT_MATCH:
        l.keep.match = optarg;
        break;
    case OPT_PROTECT:
        l.protect = true;
        break;
    case OPT_UNPROTECT:
        l.unprotect = true;
        break;
    case 'q':
        out.quiet = true;
        break;
    case 'w':
        if (parse_wait(optarg, &l.req.wait_s))
            return usage("snapshot-delete", "--wait takes whole seconds");
        break;
    }
    if (check_words("snapshot-delete", argc, argv))
        return SNAP_USAGE;
    l.req.domain = argv[optind];
    l.req.names = argv + optind + 1;
    l.req.nnames = (size_t)(argc - optind - 1);
    wrong = delete_mode(&l);
    if (wrong)
        return usage("snapshot-delete", wrong);
    if (l.mode == MODE_PROTECT)
        return do_protect(&env, &out, &l);
    return do_delete(&env, &out, &l.req);
}

/* --check: a line for each snapshot. */
static int check_tree(const struct snap_env *env, struct output *out,
                      const struct tree *t, const char *name)
{
    int rc = SNAP_OK;
    size_t i;

    for (i = 0; i < t->n; i++) {
        struct err problems = { 0 }, e;

        if (name && strcmp(t->nodes[i].s.name, name))
            continue;
        if (snap_check(env, &t->nodes[i].s, &problems, &e))
            return fail(out, "snapshot-list", &e);
        printf("%s: %s\n", t->nodes[i].s.name,
               problems.status ? problems.text : "whole");
        if (problems.status)
            rc = SNAP_FAILED;
    }
    return rc;
}

static int list_one(const struct snap_env *env, struct output *out,
                    const char *word, const char *name, struct show *sh,
                    bool check)
{
    struct err problems = { 0 };
    struct err e;
    struct tree t = { 0 };
    char *domain = NULL;
    bool sizes = sh->style == SHOW_LONG || sh->style == SHOW_JSON;
    bool pending = false;
    int rc = SNAP_OK;

    if (snap_list(env, word, sizes, &domain, &t, &pending, &problems, &e)) {
        rc = fail(out, "snapshot-list", &e);
        goto out;
    }
    if (name && tree_find(&t, name) == TREE_NONE) {
        err_set(&e, SNAP_FAILED, "domain %s has no snapshot %s", domain,
                name);
        rc = fail(out, "snapshot-list", &e);
        goto out;
    }
    if (check) {
        show_heading(sh, domain, &t);
        rc = check_tree(env, out, &t, name);
        sh->printed += t.n;
    } else {
        show_domain(sh, domain, &t, name);
    }
    if (pending)
        fprintf(stderr, "xl: an operation on domain %s is under way or was "
                "interrupted; the next snapshot command recovers\n", domain);
    if (problems.status != SNAP_OK)
        rc = fail(out, "snapshot-list", &problems);

out:
    tree_free(&t);
    free(domain);
    return rc;
}

static int list_all(const struct snap_env *env, struct output *out,
                    struct show *sh, bool check)
{
    char **names = NULL;
    struct err e;
    size_t n, i;
    int rc = SNAP_OK;

    if (store_domains(env->root, &names, &n, &e))
        return fail(out, "snapshot-list", &e);
    sh->begun = true;
    for (i = 0; i < n; i++) {
        int one = list_one(env, out, names[i], NULL, sh, check);

        rc = one ? one : rc;
    }
    store_free_names(names, n);
    return rc;
}

int main_snapshot_list(int argc, char **argv)
{
    static const struct option opts[] = {
        {"check", 0, 0, OPT_CHECK},
        {"json", 0, 0, 'j'},
        {"long", 0, 0, 'l'},
        {"names", 0, 0, 'n'},
        {"tree", 0, 0, 't'},
        COMMON_LONG_OPTS
    };
    struct show sh = { .style = SHOW_TABLE };
    struct output out;
    struct snap_env env;
    unsigned steps;
    bool check = false;
    int opt, rc;

    init_output(&out, &env, &steps);
    SWITCH_FOREACH_OPT(opt, "jlnt", opts, "snapshot-list", 0) {
    case OPT_CHECK:
        check = true;
        break;
    case 'j':
        sh.style = SHOW_JSON;
        break;
    case 'l':
        sh.style = SHOW_LONG;
        break;
    case 'n':
        sh.style = SHOW_NAMES;
        break;
    case 't':
        sh.style = SHOW_TREE;
        break;
    }
    if (check_words("snapshot-list", argc, argv))
        return SNAP_USAGE;
    if (argc - optind > 2)
        return usage("snapshot-list", "too many arguments");
    sh.headings = argc == optind;
    if (sh.headings)
        rc = list_all(&env, &out, &sh, check);
    else
        rc = list_one(&env, &out, argv[optind], argv[optind + 1], &sh, check);
    show_end(&sh);
    return rc;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
