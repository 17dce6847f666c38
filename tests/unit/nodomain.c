/* In place of snapshot/xen/domain.c: no Xen, and no domain of any name. */

#include <string.h>

#include "snapshot/xen/domain.h"
#include "snapshot/sys/mem.h"

static int none(struct err *e)
{
    return err_set(e, SNAP_FAILED, "there is no Xen in a unit test");
}

void domain_init(void *libxl_ctx)
{
    (void)libxl_ctx;
}

char *domain_name(const char *word)
{
    (void)word;
    return NULL;
}

int domain_find(const char *word, struct domain *d, struct err *e)
{
    (void)word;
    (void)e;
    memset(d, 0, sizeof(*d));
    return 0;
}

int domain_look(const char *word, struct domain *d, struct err *e)
{
    return domain_find(word, d, e);
}

int domain_check(uint32_t domid, const char *uuid, bool *same_r,
                 enum domain_state *state_r, struct err *e)
{
    (void)domid;
    (void)uuid;
    (void)e;
    *same_r = false;
    *state_r = DOMAIN_DYING;
    return 0;
}

int domain_suspend(uint32_t domid, int fd, bool live, struct err *e)
{
    (void)live;
    (void)domid;
    (void)fd;
    return none(e);
}

int domain_resume(uint32_t domid, bool paused, struct err *e)
{
    (void)domid;
    (void)paused;
    return none(e);
}

int domain_unpause(uint32_t domid, struct err *e)
{
    (void)domid;
    return none(e);
}

int domain_destroy(uint32_t domid, struct err *e)
{
    (void)domid;
    return none(e);
}

int domain_restore(ssize_t (*source)(void *arg, void *buf, size_t len),
                   void *arg, struct err *e)
{
    (void)source;
    (void)arg;
    return none(e);
}

int domain_restore_file(int fd, struct err *e)
{
    (void)fd;
    return none(e);
}

int domain_create(const char *cfg, bool paused, struct err *e)
{
    (void)cfg;
    (void)paused;
    return err_set(e, SNAP_FAILED, "no domain");
}

int domain_check_config(const char *json, struct err *e)
{
    (void)json;
    return none(e);
}

int domain_need_memory(const char *json, uint64_t *kib_r, struct err *e)
{
    (void)json;
    *kib_r = 0;
    return none(e);
}

int domain_free_memory(uint64_t *kib_r, struct err *e)
{
    (void)kib_r;
    return none(e);
}

uint64_t domain_used_kib(uint32_t domid)
{
    (void)domid;
    return 0;
}

char *domain_xen_version(void)
{
    return mem_strdup("none");
}

char *domain_of_uuid(const char *uuid)
{
    (void)uuid;
    return NULL;
}

char *domain_qmp_path(uint32_t domid)
{
    return mem_printf("/nonexistent/qmp-%u", (unsigned)domid);
}

int domain_each_disk(int (*fn)(void *arg, const char *domain,
                               const struct domain_disk *disk),
                     void *arg, struct err *e)
{
    (void)fn;
    (void)arg;
    (void)e;
    return 0;
}

bool domain_has_process(const struct domain *d, pid_t pid)
{
    (void)d;
    (void)pid;
    return false;
}
