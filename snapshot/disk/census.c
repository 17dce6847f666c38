/* SPDX-License-Identifier: LGPL-2.1-only */

/* Reads all snapshots of all domains and the disks of those that run. */

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "disk/census.h"
#include "image/identity.h"
#include "image/layer.h"
#include "store/meta.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/mem.h"
#include "xen/domain.h"

/* One disk of a snapshot. */
struct entry {
    const char *domain, *name;
    const struct snapshot_disk *disk;
    struct image_id id;         /* of its image, zeroed if not known */
};

/* A file that another domain needs. */
struct use {
    struct image_id id;
    bool content;               /* its bytes, and not just whatever is live */
    bool running;               /* as the disk of a domain that runs */
    char *who;
};

struct census {
    char *domain;               /* that asks */
    struct snapshot *snapshots;
    char **domains;             /* of each of them */
    size_t n, room;
    struct entry *entries;
    size_t nentries;
    struct use *uses;
    size_t nuses, uses_room;
    char *unreadable;
};

static bool is_foreign(const struct census *c, const char *domain)
{
    return strcmp(domain, c->domain) != 0;
}

static void add_use(struct census *c, const struct image_id *id,
                    bool content, const char *who)
{
    if (c->nuses == c->uses_room) {
        c->uses_room = 2 * c->uses_room + 16;
        c->uses = mem_grow(c->uses, c->uses_room, sizeof(*c->uses));
    }
    image_id_copy(&c->uses[c->nuses].id, id);
    c->uses[c->nuses].content = content;
    c->uses[c->nuses].running = false;
    c->uses[c->nuses++].who = mem_strdup(who);
}

/* A file that is not there has no identity, and nobody asks for it. */
static void add_file(struct census *c, const char *path, bool content,
                     const char *who)
{
    struct image_id id;
    struct err ignored;

    if (image_id_read(path, &id, &ignored))
        return;
    add_use(c, &id, content, who);
    image_id_free(&id);
}

/*
 * The file and all that it stands on, as far as that can be read.  Of what a
 * domain has live, only what is below is needed as it is.
 */
static void add_chain(struct census *c, const char *path, const char *format,
                      bool live, const char *who)
{
    char **files = NULL;
    size_t n = 0, i;
    struct err ignored;

    if (strcmp(format, "qcow2") || layer_chain(path, &files, &n, &ignored)) {
        add_file(c, path, !live, who);
        return;
    }
    for (i = 0; i < n; i++)
        add_file(c, files[i], i || !live, who);
    layer_free_chain(files, n);
}

static void add_foreign(struct census *c, const struct entry *entry)
{
    const struct snapshot_disk *d = entry->disk;
    char *who = mem_printf("snapshot '%s' of domain %s", entry->name,
                           entry->domain);

    if (image_id_given(&entry->id))
        add_use(c, &entry->id, d->link != NULL, who);
    add_chain(c, d->path, d->format, true, who);
    if (d->link)
        add_chain(c, d->part, d->format, false, who);
    else if (d->part[0] == '/')
        add_file(c, d->part, true, who);
    free(who);
}

static void fill_entry(struct entry *entry, const char *domain,
                       const struct snapshot *s, size_t disk)
{
    struct json_at at = { s->name, "identity" };
    struct err ignored;
    json_object *holder = json_object_new_object();

    memset(entry, 0, sizeof(*entry));
    entry->domain = domain;
    entry->name = s->name;
    entry->disk = &s->disks[disk];
    if (entry->disk->identity)
        json_object_object_add(holder, "identity",
                               json_object_get(entry->disk->identity));
    if (image_id_parse(holder, "identity", at, &entry->id, &ignored))
        memset(&entry->id, 0, sizeof(entry->id));
    json_object_put(holder);
}

static void take_snapshot(struct census *c, const char *domain,
                          struct snapshot *s)
{
    if (c->n == c->room) {
        c->room = 2 * c->room + 16;
        c->snapshots = mem_grow(c->snapshots, c->room, sizeof(*s));
        c->domains = mem_grow(c->domains, c->room, sizeof(*c->domains));
    }
    c->domains[c->n] = mem_strdup(domain);
    c->snapshots[c->n++] = *s;
}

/* The snapshots in one state; a new one has no record for most of its time. */
static int read_state(struct census *c, struct store *st,
                      enum store_state state, struct err *e)
{
    char **names;
    size_t n, i;
    struct snapshot s;
    struct err bad;

    if (store_names(st, state, &names, &n, e))
        return -1;
    for (i = 0; i < n; i++) {
        if (!store_load(st, state, names[i], &s, &bad))
            take_snapshot(c, st->domain, &s);
        else if (state == STORE_COMMITTED && is_foreign(c, st->domain) &&
                 store_exists(st, state, names[i]) && !c->unreadable)
            c->unreadable = mem_printf("snapshot '%s' of domain %s cannot be "
                                       "read (%s)", names[i], st->domain,
                                       bad.text);
    }
    store_free_names(names, n);
    return 0;
}

static int read_domain(struct census *c, const char *root, const char *domain,
                       struct err *e)
{
    struct store st;
    int rc = -1;

    if (store_open(&st, root, domain, false, e))
        return -1;
    /* A ghost that cannot be read has nothing that anybody needs. */
    if (st.fd < 0 || (!read_state(c, &st, STORE_COMMITTED, e) &&
                      !read_state(c, &st, STORE_DELETED, e) &&
                      !read_state(c, &st, STORE_NEW, e)))
        rc = 0;
    store_close(&st);
    return rc;
}

/*
 * Another folder that is no domain's, or that somebody removes, is passed over.
 * Of the domain's own all that has a record must be seen: what kind of snapshot
 * a disk gets next depends on it.
 */
static int read_store(struct census *c, const char *root, struct err *e)
{
    char **names = NULL;
    size_t n = 0, i;
    struct err bad;

    if (store_domains(root, &names, &n, e))
        return -1;
    for (i = 0; i < n; i++) {
        if (!read_domain(c, root, names[i], &bad))
            continue;
        if (!is_foreign(c, names[i])) {
            store_free_names(names, n);
            *e = bad;
            return -1;
        }
        if (!c->unreadable)
            c->unreadable = mem_strdup(bad.text);
    }
    store_free_names(names, n);
    return 0;
}

static void index_disks(struct census *c)
{
    size_t i, k, n = 0;

    for (i = 0; i < c->n; i++)
        n += c->snapshots[i].ndisks;
    c->entries = mem_zalloc(n, sizeof(*c->entries));
    for (i = 0; i < c->n; i++)
        for (k = 0; k < c->snapshots[i].ndisks; k++) {
            const struct snapshot_disk *d = &c->snapshots[i].disks[k];
            struct entry *entry = &c->entries[c->nentries];

            if (!meta_disk_has_part(d) || d->unknown)
                continue;
            fill_entry(entry, c->domains[i], &c->snapshots[i], k);
            c->nentries++;
            if (is_foreign(c, entry->domain))
                add_foreign(c, entry);
        }
}

static int add_running(void *arg, const char *domain,
                       const struct domain_disk *disk)
{
    struct census *c = arg;
    size_t first;
    char *who;

    if (!is_foreign(c, domain) || disk->cdrom || disk->foreign ||
        disk->path[0] != '/')
        return 0;
    who = mem_printf("domain %s (%s)", domain, disk->vdev);
    first = c->nuses;
    add_chain(c, disk->path, disk->format, true, who);
    if (c->nuses > first && !disk->readonly)
        c->uses[first].running = true;
    free(who);
    return 0;
}

int census_read(const char *root, const char *domain, struct census **c_r,
                struct err *e)
{
    struct census *c = mem_zalloc(1, sizeof(*c));

    c->domain = mem_strdup(domain);
    *c_r = NULL;
    if (read_store(c, root, e) || domain_each_disk(add_running, c, e)) {
        census_free(c);
        return -1;
    }
    index_disks(c);
    *c_r = c;
    return 0;
}

void census_free(struct census *c)
{
    size_t i;

    if (!c)
        return;
    for (i = 0; i < c->nuses; i++) {
        image_id_free(&c->uses[i].id);
        free(c->uses[i].who);
    }
    for (i = 0; i < c->nentries; i++)
        image_id_free(&c->entries[i].id);
    for (i = 0; i < c->n; i++) {
        meta_free(&c->snapshots[i]);
        free(c->domains[i]);
    }
    free(c->uses);
    free(c->entries);
    free(c->snapshots);
    free(c->domains);
    free(c->unreadable);
    free(c->domain);
    free(c);
}

/* The identities of a disk's live image and of all that it stands on. */
struct chain_ids {
    struct image_id *ids;
    size_t n;
};

static void read_ids(const struct domain_disk *disk, struct chain_ids *l)
{
    char **files = NULL;
    size_t n = 0, i;
    struct err ignored;

    memset(l, 0, sizeof(*l));
    if (strcmp(disk->format, "qcow2") ||
        layer_chain(disk->path, &files, &n, &ignored)) {
        files = mem_zalloc(1, sizeof(*files));
        files[0] = mem_strdup(disk->path);
        n = 1;
    }
    l->ids = mem_zalloc(n, sizeof(*l->ids));
    for (i = 0; i < n; i++)
        if (!image_id_read(files[i], &l->ids[l->n], &ignored))
            l->n++;
    layer_free_chain(files, n);
}

static void free_ids(struct chain_ids *l)
{
    while (l->n)
        image_id_free(&l->ids[--l->n]);
    free(l->ids);
}

static bool is_among(const struct chain_ids *l, const struct image_id *id)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        if (image_id_compare(&l->ids[i], id) == ID_SAME)
            return true;
    return false;
}

/* By what was recorded, or where the record leads to now. */
static bool is_of(const struct entry *entry, const struct domain_disk *disk,
                  const struct chain_ids *l)
{
    struct image_id now;
    struct err ignored;
    bool same;

    if (image_id_given(&entry->id) && is_among(l, &entry->id))
        return true;
    if (!strcmp(entry->disk->path, disk->path))
        return true;
    if (image_id_read(entry->disk->path, &now, &ignored))
        return false;
    same = is_among(l, &now);
    image_id_free(&now);
    return same;
}

static void add_type(struct disk_others *o, const char *type)
{
    size_t i;

    for (i = 0; i < o->ntypes; i++)
        if (!strcmp(o->types[i], type))
            return;
    if (o->ntypes < sizeof(o->types) / sizeof(o->types[0]))
        o->types[o->ntypes++] = type;
}

void census_others(const struct census *c, const struct domain_disk *disk,
                   struct disk_others *o_r)
{
    struct chain_ids l;
    size_t i;

    memset(o_r, 0, sizeof(*o_r));
    read_ids(disk, &l);
    for (i = 0; i < c->nentries; i++) {
        const struct entry *entry = &c->entries[i];

        if (!is_of(entry, disk, &l))
            continue;
        add_type(o_r, entry->disk->type);
        if (entry->disk->link && !is_foreign(c, entry->domain) &&
            !strcmp(entry->disk->path, disk->path))
            o_r->link = entry->disk->link;
    }
    free_ids(&l);
}

const char *census_former_owner(const struct census *c,
                                const struct domain_disk *disk)
{
    const char *owner = NULL;
    struct chain_ids l;
    size_t i;

    read_ids(disk, &l);
    for (i = 0; i < c->nentries; i++) {
        const struct entry *entry = &c->entries[i];

        if (!is_of(entry, disk, &l))
            continue;
        if (!is_foreign(c, entry->domain)) {
            owner = NULL;
            break;
        }
        owner = entry->domain;
    }
    free_ids(&l);
    return owner;
}

static bool is_any(const struct use *use)
{
    (void)use;
    return true;
}

static bool is_content(const struct use *use)
{
    return use->content;
}

static bool is_running(const struct use *use)
{
    return use->running;
}

static const char *find_use(const struct census *c, const char *path,
                            bool (*wanted)(const struct use *use))
{
    const char *who = NULL;
    struct image_id id;
    struct err ignored;
    size_t i;

    if (image_id_read(path, &id, &ignored))
        return NULL;
    for (i = 0; i < c->nuses && !who; i++)
        if (wanted(&c->uses[i]) &&
            image_id_compare(&c->uses[i].id, &id) == ID_SAME)
            who = c->uses[i].who;
    image_id_free(&id);
    return who;
}

const char *census_user(const struct census *c, const char *path)
{
    return find_use(c, path, is_any);
}

const char *census_reader(const struct census *c, const char *path)
{
    return find_use(c, path, is_content);
}

const char *census_runner(const struct census *c, const char *path)
{
    return find_use(c, path, is_running);
}

static bool same_text(const char *a, const char *b)
{
    return a && b && !strcmp(a, b);
}

static bool is_same_path(const char *a, const char *b)
{
    struct err ignored;
    bool same;

    if (!strcmp(a, b))
        return true;
    return !layer_is_same(a, b, &same, &ignored) && same;
}

const char *census_same_part(const struct census *c,
                             const struct snapshot_disk *d)
{
    size_t i;

    for (i = 0; i < c->nentries; i++) {
        const struct entry *entry = &c->entries[i];

        if (is_foreign(c, entry->domain) &&
            !strcmp(entry->disk->type, d->type) &&
            !strcmp(entry->disk->part, d->part) &&
            same_text(entry->disk->stamp, d->stamp) &&
            is_same_path(entry->disk->path, d->path))
            return entry->domain;
    }
    return NULL;
}

const char *census_unreadable(const struct census *c)
{
    return c->unreadable;
}

static bool is_listed(const char *path, char *const *list, size_t n)
{
    bool same = false;
    struct err ignored;
    size_t i;

    for (i = 0; i < n && !same; i++)
        if (layer_is_same(path, list[i], &same, &ignored))
            same = false;
    return same;
}

/* Does the qcow2 file at "clone" stand on the one at "base"? */
static bool stands_on(const char *clone, const char *base)
{
    char *backing = NULL;
    struct err ignored;
    bool same = false;

    if (!layer_backing(clone, &backing, &ignored) && backing &&
        layer_is_same(backing, base, &same, &ignored))
        same = false;
    free(backing);
    return same;
}

int census_find_clone(const char *path, char *const *but, size_t nbut,
                      char **found_r, struct err *e)
{
    char *folder = layer_folder(path);
    DIR *dir = opendir(folder);
    struct dirent *de;

    *found_r = NULL;
    if (!dir) {
        err_errno(e, "cannot list %s", folder);
        free(folder);
        return -1;
    }
    while (!*found_r && (de = readdir(dir))) {
        char *file = mem_printf("%s/%s", folder, de->d_name);

        if ((de->d_type == DT_REG || de->d_type == DT_UNKNOWN) &&
            !is_listed(file, but, nbut) && stands_on(file, path))
            *found_r = file;
        else
            free(file);
    }
    closedir(dir);
    free(folder);
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
