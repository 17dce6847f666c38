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
