/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * qemu-img of the fake host: the real one, found behind this one in PATH, or
 * a fault.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"
#include "spec.h"
#include "snapshot/sys/mem.h"

static void run_real(char **argv)
{
    char *dirs = mem_strdup(getenv("PATH")), *dir, *save = NULL;
    char self[4096], real[4096], path[4096];

    if (!realpath("/proc/self/exe", self))
        abort();
    for (dir = strtok_r(dirs, ":", &save); dir;
         dir = strtok_r(NULL, ":", &save)) {
        snprintf(path, sizeof(path), "%.4000s/qemu-img", dir);
        if (realpath(path, real) && strcmp(real, self))
            execv(path, argv);
    }
    _exit(127);
}

int main(int argc, char **argv)
{
    char what[128];
    const char *mode;
    pid_t pid;
    int status;

    snprintf(what, sizeof(what), "%.60s %.60s", argc > 1 ? argv[1] : "",
             argc > 2 ? argv[2] : "");
    mode = spec_mode("img", host_count("img"), what);
    if (!strcmp(mode, "hang"))
        pause();
    if (!strcmp(mode, "fail")) {
        fputs("qemu-img: injected fault\n", stderr);
        return 1;
    }
    if (strcmp(mode, "lost"))
        run_real(argv);
    pid = fork();
    if (pid == 0)
        run_real(argv);
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        ;
    fputs("qemu-img: injected fault after the work\n", stderr);
    return 1;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
