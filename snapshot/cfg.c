/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads the user's configuration of a snapshot with libxlutil. */

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxlutil.h>

#include "cfg.h"
#include "disk/disk.h"
#include "sys/err.h"
#include "sys/mem.h"

#define FILE_MAX (1u << 20)

enum { KEY_NAME, KEY_DESCRIPTION, KEY_COMPRESS, KEY_PATH, KEY_MODE, KEY_LIVE,
       KEY_DISKS, KEY_MATCH, KEY_KEEP,
       KEY_COUNT = KEY_KEEP + RETAIN_RULES };

static const char *const keys[KEY_COUNT] = {
    [KEY_NAME] = "name",
    [KEY_DESCRIPTION] = "description",
    [KEY_COMPRESS] = "compress",
    [KEY_MODE] = "mode",
    [KEY_LIVE] = "live",
    [KEY_PATH] = "memory_path",
    [KEY_DISKS] = "disks",
    [KEY_MATCH] = "keep_match",
    [KEY_KEEP + RETAIN_LAST] = "keep_last",
    [KEY_KEEP + RETAIN_HOURLY] = "keep_hourly",
    [KEY_KEEP + RETAIN_DAILY] = "keep_daily",
    [KEY_KEEP + RETAIN_WEEKLY] = "keep_weekly",
    [KEY_KEEP + RETAIN_MONTHLY] = "keep_monthly",
};

static int read_file(const char *file, char **text_r, struct err *e)
{
    FILE *f = fopen(file, "re");
    char *text = mem_zalloc(FILE_MAX + 1, 1);
    size_t len = 0;
    int rc = 0;

    if (f)
        len = fread(text, 1, FILE_MAX + 1, f);
    if (!f || ferror(f))
        rc = err_errno(e, "cannot read %s", file);
    else if (len > FILE_MAX)
        rc = err_set(e, SNAP_USAGE, "%s is larger than %u bytes", file,
                     FILE_MAX);
    else if (memchr(text, '\0', len))
        rc = err_set(e, SNAP_USAGE, "%s is not a text file: it holds a NUL",
                     file);
    if (f)
        fclose(f);
    if (rc) {
        e->status = SNAP_USAGE;
        free(text);
        return rc;
    }
    *text_r = text;
    return 0;
}

/* The value in the quotes that the grammar wants. */
static char *quoted(const char *value)
{
    char *text = mem_zalloc(2 * strlen(value) + 3, 1), *p = text;

    *p++ = '"';
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            *p++ = '\\';
        *p++ = *value;
    }
    *p = '"';
    return text;
}

/* What is typed in place of a setting is mostly the rest of a description. */
static int check_settings(char *const *settings, size_t n, struct err *e)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (!strchr(settings[i], '='))
            return err_set(e, SNAP_USAGE, "'%s' is not Key=Value; a name has "
                           "no spaces, and a description is given with -d "
                           "'TEXT'", settings[i]);
    return 0;
}

/* Key=Value as a line of the file; a bare word gets the quotes it needs. */
static char *setting_line(const char *setting)
{
    const char *value = strchr(setting, '=');
    char *text, *line;

    if (value[1] && (strchr("\"'[", value[1]) ||
                     !value[1 + strspn(value + 1, "0123456789")]))
        return mem_strdup(setting);
    text = quoted(value + 1);
    line = mem_printf("%.*s=%s", (int)(value - setting), setting, text);
    free(text);
    return line;
}

static char *settings_text(char *const *settings, size_t nsettings)
{
    char *text = mem_strdup("");
    size_t i;

    for (i = 0; i < nsettings; i++) {
        char *line = setting_line(settings[i]);
        char *more = mem_printf("%s%s\n", text, line);

        free(line);
        free(text);
        text = more;
    }
    return text;
}

/* The key's place in the table, or -1. */
static int find_key(const char *word, size_t len)
{
    int k;

    for (k = 0; k < KEY_COUNT; k++)
        if (strlen(keys[k]) == len && !strncmp(keys[k], word, len))
            return k;
    return -1;
}

/* A key at the start of a statement: known, and for the first time. */
static int check_key(const char *word, size_t len, const char *where,
                     bool *seen, struct err *e)
{
    int k = find_key(word, len);

    if (k < 0)
        return err_set(e, SNAP_USAGE, "%s: there is no setting '%.*s'", where,
                       (int)len, word);
    if (seen[k])
        return err_set(e, SNAP_USAGE, "%s: '%s' is set twice", where,
                       keys[k]);
    seen[k] = true;
    return 0;
}

/* Past a string that begins at p, or to the end of the text. */
static const char *skip_string(const char *p)
{
    char quote = *p++;

    while (*p && *p != quote) {
        if (*p == '\\' && p[1])
            p++;
        p++;
    }
    if (*p)
        p++;
    return p;
}

/*
 * libxlutil cannot list the keys.  The text is of its grammar already, so a
 * word at the start of a statement is a key.
 */
static int check_keys(const char *text, const char *what, bool lines,
                      struct err *e)
{
    bool at_start = true, seen[KEY_COUNT] = { false };
    const char *p = text;
    unsigned line = 1, depth = 0;
    int rc = 0;

    while (*p && !rc) {
        size_t len = strcspn(p, " \t\r\n=+;#\"'[]");

        if (at_start && len) {
            char *where = lines ? mem_printf("%s:%u", what, line) :
                          mem_strdup(what);

            rc = check_key(p, len, where, seen, e);
            free(where);
            at_start = false;
            p += len;
        } else if (*p == '#') {
            p += strcspn(p, "\n");
        } else if (*p == '"' || *p == '\'') {
            p = skip_string(p);
        } else {
            line += *p == '\n';
            depth += (*p == '[') - (*p == ']');
            if ((*p == '\n' || *p == ';') && !depth)
                at_start = true;
            p++;
        }
    }
    return rc;
}

/* Bytes, or with K, M, G or T behind them. */
static int parse_size(const char *word, const char *value, const char *spec,
                      uint64_t *size_r, struct err *e)
{
    static const char units[] = "KMGT";
    const char *unit = NULL;
    char *end;
    unsigned shift = 0;

    if (*size_r)
        return err_set(e, SNAP_USAGE, "disks: '%s' is given twice in "
                       "'%s'", word, spec);
    errno = 0;
    *size_r = strtoull(value, &end, 10);
    if (*end)
        unit = strchr(units, toupper((unsigned char)*end));
    if (unit) {
        shift = 10 * (unsigned)(unit - units + 1);
        end++;
    }
    if (errno || !isdigit((unsigned char)value[0]) || *end || !*size_r ||
        *size_r > (uint64_t)INT64_MAX >> shift)
        return err_set(e, SNAP_USAGE, "disks: '%s' in '%s' is not a size such "
                       "as 2G", value, spec);
    *size_r <<= shift;
    return 0;
}

static int parse_disk_word(char *word, const char *spec,
                           struct disk_choice *d, struct err *e)
{
    char *value = strchr(word, '=');
    char **where = NULL;

    if (value) {
        *value++ = '\0';
        if (!strcmp(word, "vdev"))
            where = &d->vdev;
        else if (!strcmp(word, "type"))
            where = &d->type;
        else if (!strcmp(word, "path"))
            where = &d->path;
        else if (!strcmp(word, "size"))
            return parse_size(word, value, spec, &d->size, e);
    }
    if (!where)
        return err_set(e, SNAP_USAGE, "disks: '%s' in '%s' is not known "
                       "(vdev=, type=, path=, size=)", word, spec);
    if (*where)
        return err_set(e, SNAP_USAGE, "disks: '%s' is given twice in "
                       "'%s'", word, spec);
    *where = mem_strdup(value);
    return 0;
}

static int parse_disk(const char *spec, struct disk_choice *d,
                      struct err *e)
{
    char *copy = mem_strdup(spec), *word, *save = NULL;
    int rc = 0;

    for (word = strtok_r(copy, ",", &save); word && !rc;
         word = strtok_r(NULL, ",", &save)) {
        word += strspn(word, " \t");
        rc = parse_disk_word(word, spec, d, e);
    }
    free(copy);
    if (rc)
        return -1;
    if (!d->vdev || !d->type)
        return err_set(e, SNAP_USAGE, "disks: '%s' needs vdev= and type=",
                       spec);
    if (strcmp(d->type, "none") && !disk_knows_kind(d->type))
        return err_set(e, SNAP_USAGE, "disks: there is no type '%s' (disk "
                       "%s)", d->type, d->vdev);
    return 0;
}

static void free_disks(struct cfg *c)
{
    size_t i;

    for (i = 0; i < c->ndisks; i++) {
        free(c->disks[i].vdev);
        free(c->disks[i].type);
        free(c->disks[i].path);
    }
    free(c->disks);
    c->disks = NULL;
    c->ndisks = 0;
}

static int get_disks(XLU_Config *config, struct cfg *c, struct err *e)
{
    XLU_ConfigList *list;
    const char *spec;
    int n, i, rc = xlu_cfg_get_list(config, keys[KEY_DISKS], &list, &n, 1);
    size_t k;

    if (rc == ESRCH)
        return 0;
    if (rc)
        return err_set(e, SNAP_USAGE, "disks: not a list: write disks = [ "
                       "'vdev=xvda,type=none', ... ]");
    free_disks(c);
    c->disks = mem_zalloc((size_t)n, sizeof(*c->disks));
    for (i = 0; i < n; i++) {
        spec = xlu_cfg_get_listitem(list, i);
        c->ndisks = (size_t)i + 1;
        if (!spec)
            return err_set(e, SNAP_USAGE, "disks: item %d is not a string",
                           i + 1);
        if (parse_disk(spec, &c->disks[i], e))
            return -1;
        for (k = 0; k < (size_t)i; k++)
            if (!strcmp(c->disks[k].vdev, c->disks[i].vdev))
                return err_set(e, SNAP_USAGE, "disks: %s is named twice",
                               c->disks[i].vdev);
    }
    return 0;
}

static int get_string(XLU_Config *config, int key, char **s_r,
                      struct err *e)
{
    const char *s;
    int rc = xlu_cfg_get_string(config, keys[key], &s, 1);

    if (rc == ESRCH)
        return 0;
    if (rc)
        return err_set(e, SNAP_USAGE, "%s: not a string", keys[key]);
    free(*s_r);
    *s_r = mem_strdup(s);
    return 0;
}

static int get_mode(XLU_Config *config, enum snap_mode *mode, struct err *e)
{
    char *word = NULL;
    int rc = get_string(config, KEY_MODE, &word, e);

    if (!rc && word) {
        if (!strcmp(word, "cold"))
            *mode = SNAP_COLD;
        else if (!strcmp(word, "hot"))
            *mode = SNAP_HOT_OR_COLD;
        else
            rc = err_set(e, SNAP_USAGE, "%s: '%s' is neither 'hot' nor "
                         "'cold'", keys[KEY_MODE], word);
    }
    free(word);
    return rc;
}

static int get_number(XLU_Config *config, int key, unsigned max,
                      unsigned *n_r, struct err *e)
{
    long n;
    int rc = xlu_cfg_get_long(config, keys[key], &n, 1);

    if (rc == ESRCH)
        return 0;
    if (rc || n < 0 || n > (long)max)
        return err_set(e, SNAP_USAGE, "%s: not a number from 0 to %u",
                       keys[key], max);
    *n_r = (unsigned)n;
    return 0;
}

/* 1 is what is done by itself. */
static int get_live(XLU_Config *config, enum snap_live *live, struct err *e)
{
    unsigned n = *live != SNAP_LIVE_NO;

    if (get_number(config, KEY_LIVE, 1, &n, e))
        return -1;
    if (n)
        *live = SNAP_LIVE_AUTO;
    else
        *live = SNAP_LIVE_NO;
    return 0;
}

static int get_keep(XLU_Config *config, struct retain *keep, struct err *e)
{
    int rule;

    for (rule = 0; rule < RETAIN_RULES; rule++)
        if (get_number(config, KEY_KEEP + rule, RETAIN_MAX,
                       &keep->keep[rule], e))
            return -1;
    return 0;
}

/* All that one source says replaces what an earlier one said. */
static int take(XLU_Config *config, struct cfg *c, struct err *e)
{
    if (get_string(config, KEY_NAME, &c->name, e) ||
        get_string(config, KEY_DESCRIPTION, &c->description, e) ||
        get_string(config, KEY_COMPRESS, &c->compress, e) ||
        get_string(config, KEY_PATH, &c->path, e) ||
        get_string(config, KEY_MATCH, &c->match, e) ||
        get_mode(config, &c->mode, e) ||
        get_live(config, &c->live, e) ||
        get_keep(config, &c->keep, e))
        return -1;
    return get_disks(config, c, e);
}

/* what: the file, or where else the text is from, which has no lines. */
static int read_source(const char *text, const char *what, bool lines,
                       struct cfg *c, struct err *e)
{
    XLU_Config *config = NULL;
    char *said = NULL;
    size_t said_len = 0;
    FILE *report = open_memstream(&said, &said_len);
    int rc = -1;

    if (!report)
        return err_errno(e, "cannot read the configuration");
    config = xlu_cfg_init(report, what);
    if (!config || xlu_cfg_readdata(config, text, (int)strlen(text))) {
        fflush(report);
        err_set(e, SNAP_USAGE, "%s", said && said[0] ? said : what);
    } else if (!check_keys(text, what, lines, e)) {
        rc = take(config, c, e);
        if (rc)
            err_wrap(e, "%s", what);
    }
    if (config)
        xlu_cfg_destroy(config);
    fclose(report);
    free(said);
    return rc;
}

int cfg_read(const char *file, char *const *settings, size_t nsettings,
             struct cfg *c, struct err *e)
{
    char *of_file = NULL, *of_settings;
    int rc = -1;

    memset(c, 0, sizeof(*c));
    if (check_settings(settings, nsettings, e))
        return -1;
    of_settings = settings_text(settings, nsettings);
    if ((!file || (!read_file(file, &of_file, e) &&
                   !read_source(of_file, file, true, c, e))) &&
        !read_source(of_settings, "command line", false, c, e))
        rc = 0;
    c->keep.match = c->match;
    if (rc)
        cfg_free(c);
    free(of_settings);
    free(of_file);
    return rc;
}

void cfg_free(struct cfg *c)
{
    free_disks(c);
    free(c->name);
    free(c->description);
    free(c->compress);
    free(c->path);
    free(c->match);
    memset(c, 0, sizeof(*c));
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
