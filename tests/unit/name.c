#include <string.h>

#include "snapshot/sys/mem.h"
#include "snapshot/sys/name.h"
#include "tests/unit/unit.h"

/* 2026-11-23 01:02:03 UTC */
#define NOW 1795395723

static char *repeat(char c, size_t n)
{
    char *s = mem_zalloc(n + 1, 1);

    memset(s, c, n);
    return s;
}

static void allowed(void)
{
    static const char *const good[] = {
        "a", "_", "Z9", "snap1", "_1", "before-upgrade", "v1.2_rc-3",
        "auto-20261123T010203Z", "a..", "a-",
        "1a", "20261123-night", "2026-11-23", "0_", "domain", "memory",
    };
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check_ok(name_check(good[i], &e), &e, "'%s' is allowed", good[i]);
}

static void refused(void)
{
    static const struct { const char *name, *why; } bad[] = {
        { "", "0 characters" },
        { "1", "digits alone" },
        { "20261123", "use 'snap-20261123', for example" },
        { "domain.json", "a file of the store" },
        { "snapshot.json", "a file of the store" },
        { "memory.xl", "a file of the store" },
        { "memory.xl.zst", "a file of the store" },
        { "memory.xl.spool", "a file of the store" },
        { ".a", "must start" },
        { "..", "must start" },
        { "-d", "must start" },
        { "\xc3\xa4", "must start" },
        { "a b", "may hold only" },
        { "a/b", "may hold only" },
        { "a,b", "may hold only" },
        { "a\nb", "may hold only" },
        { "a%", "may hold only" },
        { "a\xc3\xa4", "may hold only" },
        { "a;reboot", "may hold only" },
        { "a$(x)", "may hold only" },
    };
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_err(name_check(bad[i].name, &e), &e, SNAP_USAGE, bad[i].why,
                  "bad name %zu is refused: %s", i + 1, bad[i].why);
}

static void length(void)
{
    char *most = repeat('a', NAME_MAX_LEN), *more = repeat('a', 64);
    char *huge = repeat('a', 1 << 20);
    struct err e;

    check_ok(name_check(most, &e), &e, "63 characters are allowed");
    check_err(name_check(more, &e), &e, SNAP_USAGE, "64 characters",
              "64 characters are refused");
    check_err(name_check(huge, &e), &e, SNAP_USAGE, "snapshot name",
              "a million characters are refused");
    free(huge);
    free(more);
    free(most);
}

static void expands(const char *template, const char *want)
{
    char *name = NULL;
    struct err e;
    int rc = name_expand(template, NOW, &name, &e);

    check(!rc && name && !strcmp(name, want), "%s becomes %s",
          template ? template : "no name", want);
    free(name);
}

static void expands_not(const char *template, const char *why)
{
    char *name = NULL;
    struct err e;

    check_err(name_expand(template, NOW, &name, &e), &e, SNAP_USAGE, why,
              "%.20s is refused: %s", template, why);
    free(name);
}

static void templates(void)
{
    char *wide = repeat('a', 300);

    wide[299] = '%';
    expands(NULL, "auto-20261123T010203Z");
    expands("snap1", "snap1");
    expands("backup-%Y%m%d", "backup-20261123");
    expands("daily-%H.%M.%S", "daily-01.02.03");
    expands("%Y-%m-%d", "2026-11-23");
    expands_not("%Y%m%d", "'20261123' is digits alone, which qemu-img takes "
                "for an id: use 'snap-%Y%m%d'");
    expands("snap-%Y%m%d", "snap-20261123");
    expands_not("snap %Y", "may hold only");
    expands_not("at-%T", "may hold only");
    expands_not("snap-%%", "may hold only");
    expands_not("%", "must start");
    expands_not(wide, "too long");
    free(wide);
}

static void domains(void)
{
    static const char *const good[] = { "g1", "web server", "1", "a.b", "-x" };
    static const char *const bad[] = { "", ".", "..", ".hidden", "a/b",
                                       "../etc", "a\nb", "/" };
    char *longer = repeat('d', 255);
    struct err e;
    size_t i;

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        check_ok(name_check_domain(good[i], &e), &e,
                 "domain name '%s' is allowed", good[i]);
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        check_err(name_check_domain(bad[i], &e), &e, SNAP_USAGE, "",
                  "bad domain name %zu is refused", i + 1);
    check_ok(name_check_new_domain("7a", &e), &e, "a new domain '7a'");
    check_err(name_check_new_domain("7", &e), &e, SNAP_USAGE, "digits alone",
              "a new domain '7' is refused");
    check_err(name_check_new_domain("a/b", &e), &e, SNAP_USAGE, "",
              "a new domain 'a/b' is refused");
    check_err(name_check_domain(longer, &e), &e, SNAP_USAGE, "cannot be used",
              "a domain name that is too long for a directory is refused");
    free(longer);
}

int main(void)
{
    allowed();
    refused();
    length();
    templates();
    domains();
    return unit_done();
}
