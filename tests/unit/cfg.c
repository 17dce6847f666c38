#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "snapshot/cfg.h"
#include "snapshot/sys/mem.h"
#include "tests/unit/unit.h"

static char *file;

/* text NULL: no file; settings end in NULL. */
static int read_cfg(const char *text, const char *const *settings,
                    struct cfg *c, struct err *e)
{
    char *copy[8] = { NULL };
    size_t n = 0, i;
    int rc;

    if (text)
        unit_puts(file, text);
    while (settings && settings[n] && n < 8) {
        copy[n] = mem_strdup(settings[n]);
        n++;
    }
    rc = cfg_read(text ? file : NULL, copy, n, c, e);
    for (i = 0; i < n; i++)
        free(copy[i]);
    return rc;
}

static bool name_is(const char *text, const char *setting, const char *want)
{
    const char *settings[] = { setting, NULL };
    struct cfg c;
    struct err e;
    bool same;

    if (read_cfg(text, settings, &c, &e)) {
        printf("# %s\n", e.text);
        return false;
    }
    same = c.name && !strcmp(c.name, want);
    if (!same)
        printf("# name '%s'\n", c.name ? c.name : "(none)");
    cfg_free(&c);
    return same;
}

static void good(void)
{
    struct cfg c;
    struct err e;

    check(!read_cfg("# a comment\n\nname = \"before\"\n"
                    "description = 'two words'\n"
                    "compress = \"zstd:3\"\n"
                    "memory_path = \"/mnt/big\"\n"
                    "disks = [ 'vdev=xvda,type=internal',\n"
                    "          'vdev=xvdb, type=none', ]\n", NULL, &c, &e),
          "a configuration is read");
    check(c.name && !strcmp(c.name, "before") && c.description &&
          !strcmp(c.description, "two words") && c.compress &&
          !strcmp(c.compress, "zstd:3") &&
          c.path && !strcmp(c.path, "/mnt/big") && c.ndisks == 2 &&
          !strcmp(c.disks[0].vdev, "xvda") &&
          !strcmp(c.disks[0].type, "internal") &&
          !strcmp(c.disks[1].vdev, "xvdb") &&
          !strcmp(c.disks[1].type, "none"), "with all that it says");
    cfg_free(&c);
    check(!read_cfg("", NULL, &c, &e) && !c.name && !c.compress &&
          !c.ndisks,
          "an empty one is fine");
    cfg_free(&c);
    check(!read_cfg(NULL, NULL, &c, &e) && !c.name, "so is none");
    cfg_free(&c);
    check(name_is("name = \"a\"", NULL, "a"),
          "a last line without newline counts");
}

static void settings(void)
{
    check(name_is(NULL, "name=snap1", "snap1"), "Key=Value");
    check(name_is("name = \"file\"\n", "name=line", "line") &&
          name_is("name = \"file\"", "name=line", "line"),
          "it wins over the file");
    check(name_is(NULL, "name=\"quoted\"", "quoted") &&
          name_is(NULL, "name='quoted'", "quoted"), "quotes may be there");
    check(name_is(NULL, "name=two words", "two words") &&
          name_is(NULL, "name=a=b", "a=b") &&
          name_is(NULL, "name=backup-%Y%m%d", "backup-%Y%m%d") &&
          name_is(NULL, "name=a#b", "a#b") &&
          name_is(NULL, "name=n-[12]*", "n-[12]*") &&
          name_is("name = \"a\"", "name=", "") &&
          name_is(NULL, "name=it's \"a\"", "it's \"a\"") &&
          name_is(NULL, "name=a\\n", "a\\n") &&
          name_is(NULL, "name=20261123", "20261123"),
          "blanks, '=', '%%', '#', quotes, globs and digits need none");
}

static void list_setting(void)
{
    const char *const disks[] = { "disks=['vdev=xvda,type=none']", NULL };
    struct cfg c;
    struct err e;

    check(!read_cfg("disks=['vdev=xvdb,type=none']", disks, &c, &e) &&
          c.ndisks == 1 && !strcmp(c.disks[0].vdev, "xvda"),
          "a list as Key=Value replaces the file's");
    cfg_free(&c);
}

static void refused(const char *text, const char *part)
{
    struct cfg c;
    struct err e = { 0 };

    check_err(read_cfg(text, NULL, &c, &e), &e, SNAP_USAGE, part,
              "refused: %s", e.text);
    check(!c.name && !c.disks && !c.ndisks, "nothing is left of it");
}

static void syntax(void)
{
    char *where = mem_printf("%s:3:", file);

    refused("name = \"a\"\n\ndescription = \"open\n", where);
    refused("name = \"a\"\n\n= 5\n", where);
    refused("name\n", "syntax error");
    refused("\x01\x02", file);
    free(where);
}

static void disk_words(void)
{
    refused("disks = [ 'vdev=xvda,type=magic' ]", "magic");
    refused("disks = [ 'vdev=xvda,type=magic' ]", "xvda");
    refused("disks = [ 'vdev=xvda' ]", "needs vdev= and type=");
    refused("disks = [ 'type=none' ]", "needs vdev= and type=");
    refused("disks = [ '' ]", "needs vdev= and type=");
    refused("disks = [ 'vdev=xvda,type=none,colour=red' ]", "colour");
    refused("disks = [ 'vdev=xvda,type=none,fast' ]", "fast");
    refused("disks = [ 'vdev=xvda,vdev=xvdb,type=none' ]", "twice");
    refused("disks = [ 'vdev=xvda,type=none', 'vdev=xvdb,type=none',\n"
            "'vdev=xvda,type=internal' ]", "xvda is named twice");
    refused("disks = [ 'vdev=xvda,type=none', [ 'x' ] ]", "item 2");
}

static void twice(void)
{
    const char *const both[] = { "name=a", "name=b", NULL };
    char *where = mem_printf("%s:3: 'name' is set twice", file);
    struct cfg c;
    struct err e;

    refused("name = \"a\"\ndisks = [ 'vdev=xvda,type=none' ]\n"
            "name = \"b\"\n", where);
    refused("name = \"a\"; name = \"a\"", "'name' is set twice");
    check_err(read_cfg(NULL, both, &c, &e), &e, SNAP_USAGE,
              "command line: 'name' is set twice", "Key=Value twice");
    free(where);
}

/* Numbers in the order of the rules. */
static bool keep_is(const struct cfg *c, unsigned last, unsigned daily,
                    unsigned monthly, const char *match)
{
    const unsigned *k = c->keep.keep;

    return k[RETAIN_LAST] == last && k[RETAIN_HOURLY] == 0 &&
           k[RETAIN_DAILY] == daily && k[RETAIN_MONTHLY] == monthly &&
           (match ? c->keep.match && !strcmp(c->keep.match, match) :
                    !c->keep.match);
}

static void keep_rules(void)
{
    const char *const settings[] = { "keep_daily=0", "keep_last=3",
                                     "keep_match=n-*", NULL };
    static const char text[] = "keep_daily = 7\nkeep_monthly = 12\n"
                               "keep_match = \"a*\"\n";
    struct cfg c;
    struct err e;

    check(!read_cfg(text, NULL, &c, &e) && keep_is(&c, 0, 7, 12, "a*"),
          "rules of retention");
    cfg_free(&c);
    check(!read_cfg(text, settings, &c, &e) && keep_is(&c, 3, 0, 12, "n-*"),
          "Key=Value wins over them, each by itself");
    cfg_free(&c);
    check(!read_cfg("", NULL, &c, &e) && keep_is(&c, 0, 0, 0, NULL) &&
          !retain_has_rule(&c.keep), "none is none");
    cfg_free(&c);
    refused("keep_last = \"many\"", "keep_last: not a number");
    refused("keep_daily = \"-1\"", "keep_daily: not a number");
    refused("keep_hourly = 1000001", "keep_hourly: not a number");
    refused("keep_weekly = 99999999999999999999", "keep_weekly");
    refused("keep_monthly = [ '1' ]", "keep_monthly: not a number");
    refused("keep_yearly = 1", "'keep_yearly'");
}

static void modes(void)
{
    const char *const hot[] = { "mode=hot", NULL };
    const char *const live[] = { "live=1", NULL };
    struct cfg c;
    struct err e;

    check(!read_cfg("", NULL, &c, &e) && c.mode == SNAP_HOT_OR_COLD,
          "hot is the default");
    cfg_free(&c);
    check(!read_cfg("mode = \"cold\"", NULL, &c, &e) && c.mode == SNAP_COLD,
          "cold can be asked for");
    cfg_free(&c);
    check(!read_cfg("mode = \"cold\"", hot, &c, &e) &&
          c.mode == SNAP_HOT_OR_COLD, "and be taken back");
    cfg_free(&c);
    refused("mode = \"warm\"", "mode: 'warm'");
    check(!read_cfg("", NULL, &c, &e) && c.live == SNAP_LIVE_AUTO,
          "live is the default");
    cfg_free(&c);
    check(!read_cfg("live = 0", NULL, &c, &e) && c.live == SNAP_LIVE_NO,
          "it can be refused");
    cfg_free(&c);
    check(!read_cfg("live = 0", live, &c, &e) && c.live == SNAP_LIVE_AUTO,
          "and be taken back");
    cfg_free(&c);
    refused("live = 2", "live: not a number from 0 to 1");
}

static void wrong_types(void)
{
    refused("disks = 'vdev=xvda,type=none'", "disks");
    refused("disks = 5", "disks");
    refused("name = [ 'a' ]", "name");
    refused("description = [ 'a' ]", "description");
}

static void unknown_keys(void)
{
    refused("nmae = \"x\"", "'nmae'");
    refused("name = \"x\"\n# nmae = 1\n\ndisk = [ 'vdev=xvda' ]", ":4:");
    refused("name = \"x\"; nmae = \"y\"", "'nmae'");
    check(name_is("disks = [ 'vdev=xvda,type=none',\n"
                  "    # a comment with ' and = 1\n"
                  "    'vdev=xvdb,type=none' ]\n"
                  "name = \"a=b; c\" # e = 1\n", "name=snap", "snap"),
          "what looks like a key inside values and comments is none");
}

/* Each sample is read, and the samples are where they are expected. */
static void samples(void)
{
    glob_t found;
    size_t i;

    if (glob("snapshot-cfg/*.cfg", 0, NULL, &found)) {
        check(false, "there are samples in snapshot-cfg/");
        return;
    }
    for (i = 0; i < found.gl_pathc; i++) {
        struct cfg c;
        struct err e;
        int rc = cfg_read(found.gl_pathv[i], NULL, 0, &c, &e);

        check_ok(rc, &e, "%s", found.gl_pathv[i]);
        if (!rc)
            cfg_free(&c);
    }
    globfree(&found);
}

static void files(void)
{
    char *none = unit_path("none"), *big = mem_zalloc(1, (1 << 20) + 2);
    struct cfg c;
    struct err e;

    check_err(cfg_read(none, NULL, 0, &c, &e), &e, SNAP_USAGE, none,
              "a file that is not there is named");
    check_err(cfg_read(unit_dir(), NULL, 0, &c, &e), &e, SNAP_USAGE,
              unit_dir(), "a directory is an error");
    memset(big, '#', (1 << 20) + 1);
    unit_put(file, big, (1 << 20) + 1);
    check_err(cfg_read(file, NULL, 0, &c, &e), &e, SNAP_USAGE, file,
              "a file over a megabyte is refused");
    unit_put(file, "name=\"a\"\n\0name=\"b\"\n", 19);
    check_err(cfg_read(file, NULL, 0, &c, &e), &e, SNAP_USAGE, file,
              "a file with a NUL in it is refused");
    free(big);
    free(none);
}

int main(void)
{
    file = unit_path("snap.cfg");
    good();
    settings();
    list_setting();
    syntax();
    disk_words();
    twice();
    keep_rules();
    modes();
    wrong_types();
    unknown_keys();
    samples();
    files();
    free(file);
    return unit_done();
}
