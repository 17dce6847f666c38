/* snapshot.json: what is accepted can be written and read again. */

#include <string.h>

#include "snapshot/disk/disk.h"
#include "snapshot/store/meta.h"
#include "tests/fuzz/fuzz.h"

static void again(const struct snapshot *s)
{
    json_object *o = meta_to_json(s), *back;
    char *text = meta_text(o);
    struct snapshot copy;
    struct err e;

    back = json_parse_object(text, strlen(text), "fuzz", &e);
    fuzz_demand(back && !meta_parse(back, "fuzz", &copy, &e),
                "what is written can be read");
    fuzz_demand(!strcmp(copy.name, s->name) && copy.ndisks == s->ndisks,
                "and is the same");
    meta_free(&copy);
    json_object_put(back);
    json_object_put(o);
    free(text);
}

/* As a file it means the same. */
static void as_text(const char *data, size_t len, const struct snapshot *s)
{
    char *text = malloc(len + 1);
    struct snapshot copy;
    struct err e;
    int rc;

    memcpy(text, data, len);
    text[len] = '\0';
    rc = meta_parse_text(text, len, "fuzz", &copy, &e);
    free(text);
    fuzz_demand(!rc == !!s, "as text it is accepted or not as well");
    if (rc)
        return;
    fuzz_demand(!strcmp(copy.name, s->name) && copy.ndisks == s->ndisks,
                "and is the same as text");
    again(&copy);
    meta_free(&copy);
}

/* The records of disks are read by their kinds. */
__attribute__((constructor)) static void know_kinds(void)
{
    disk_init();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct snapshot s;
    struct err e;
    json_object *o = json_parse_object((const char *)data, len, "fuzz", &e);

    if (o && !meta_parse(o, "fuzz", &s, &e)) {
        fuzz_demand(!strchr(s.name, '/') && s.name[0] != '.' &&
                    !strchr(s.memory.file, '/'), "no name leads elsewhere");
        again(&s);
        as_text((const char *)data, len, &s);
        /* As one that was just made. */
        json_object_put(s.raw);
        s.raw = NULL;
        again(&s);
        meta_free(&s);
    } else {
        fuzz_demand(!strncmp(e.text, "fuzz: ", 6), "the error names the file");
        as_text((const char *)data, len, NULL);
    }
    json_object_put(o);
    return 0;
}
