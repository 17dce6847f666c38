/* SPDX-License-Identifier: LGPL-2.1-only */

/* What the kernel and /etc tell of this host. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/host.h"
#include "sys/mem.h"

/* A test puts another file here, to boot its host. */
#ifndef BOOT_ID_FILE
#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"
#endif

/* The first line of a small file, or NULL. */
static char *first_line(const char *path)
{
    FILE *f = fopen(path, "re");
    char line[256] = "";

    if (f && !fgets(line, sizeof(line), f))
        line[0] = '\0';
    if (f)
        fclose(f);
    line[strcspn(line, "\n")] = '\0';
    if (!line[0])
        return NULL;
    return mem_strdup(line);
}

char *host_boot_id(void)
{
    char *id = first_line(BOOT_ID_FILE);

    if (!id)
        return mem_strdup("");
    return id;
}

bool host_is_same_boot(const char *boot)
{
    char *now = host_boot_id();
    bool same = boot && now[0] && !strcmp(now, boot);

    free(now);
    return same;
}

char *host_machine_id(void)
{
    return first_line("/etc/machine-id");
}

char *host_name(void)
{
    char name[256] = "";

    if (gethostname(name, sizeof(name) - 1) || !name[0])
        return NULL;
    return mem_strdup(name);
}

char *host_cpu_model(void)
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

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
