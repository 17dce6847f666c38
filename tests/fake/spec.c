/* SPDX-License-Identifier: LGPL-2.1-only */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "spec.h"
#include "snapshot/sys/mem.h"

/* By system calls: in the program itself the C library's are wrapped. */
static void log_point(const char *class, unsigned n, const char *what)
{
    const char *file = getenv("FAULT_LOG");
    char *line;
    long fd;

    if (!file)
        return;
    line = mem_printf("%s %u %s\n", class, n, what);
    fd = syscall(SYS_openat, AT_FDCWD, file,
                 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || syscall(SYS_write, fd, line, strlen(line)) < 0)
        abort();
    syscall(SYS_close, fd);
    free(line);
}

static const char *parse(char *word, const char *class, unsigned n)
{
    char *count, *mode, *end;
    unsigned long at;

    count = strchr(word, ':');
    if (!count)
        return "";
    *count++ = '\0';
    mode = strchr(count, ':');
    if (!mode || strcmp(word, class))
        return "";
    *mode++ = '\0';
    at = strtoul(count, &end, 10);
    return at == n || (*end == '+' && n > at) ? mode : "";
}

const char *spec_mode(const char *class, unsigned n, const char *what)
{
    const char *all = getenv("FAULT"), *mode = "";
    char *copy, *word, *save = NULL;

    log_point(class, n, what);
    if (!all)
        return "";
    copy = mem_strdup(all);
    for (word = strtok_r(copy, ",", &save); word && !*mode;
         word = strtok_r(NULL, ",", &save))
        mode = parse(word, class, n);
    mode = *mode ? mem_strdup(mode) : "";
    free(copy);
    return mode;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
