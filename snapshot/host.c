/*
 * This program is free software; you can redistribute it and/or modify
 * it under the terms of the GNU Lesser General Public License as published
 * by the Free Software Foundation; version 2.1 only.
 *
 * This program is distributed in the hope that it will be useful,
 * but WITHOUT ANY WARRANTY; without even the implied warranty of
 * MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE.  See the
 * GNU Lesser General Public License for more details.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "domain.h"
#include "host.h"
#include "mem.h"

/* The processor's name as /proc/cpuinfo has it, or NULL. */
static char *cpu_model(void)
{
    FILE *f = fopen("/proc/cpuinfo", "re");
    char line[256], *model = NULL;

    while (f && !model && fgets(line, sizeof(line), f)) {
        char *colon = strchr(line, ':');

        if (colon && !strncmp(line, "model name", 10)) {
            colon += 1 + strspn(colon + 1, " ");
            colon[strcspn(colon, "\n")] = '\0';
            model = mem_strdup(colon);
        }
    }
    if (f)
        fclose(f);
    return model;
}

char *host_boot_id(void)
{
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");
    char id[64] = "";

    if (f && !fgets(id, sizeof(id), f))
        id[0] = '\0';
    if (f)
        fclose(f);
    id[strcspn(id, "\n")] = '\0';
    return mem_strdup(id);
}

bool host_is_same_boot(const char *boot)
{
    char *now = host_boot_id();
    bool same = boot && now[0] && !strcmp(now, boot);

    free(now);
    return same;
}

void host_describe(const char *qemu, struct snapshot *s)
{
    char name[256] = "";

    if (!gethostname(name, sizeof(name) - 1) && name[0])
        s->host.hostname = mem_strdup(name);
    s->host.xen = domain_xen_version();
    s->host.qemu = mem_strdup(qemu);
    s->host.cpu = cpu_model();
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
