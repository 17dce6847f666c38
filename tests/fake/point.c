/* SPDX-License-Identifier: LGPL-2.1-only */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"
#include "spec.h"
#include "snapshot/txn/fault.h"

void fault_die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* As power_cut in tests/xen/lib.sh. */
static void cut_power(void)
{
    static const char mark[] = "\nBED-CUT\n";
    int fd = open("/dev/hvc0", O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, mark, strlen(mark)) < 0)
        abort();
    for (;;)
        pause();
}

bool fault_mode(const char *mode)
{
    static const struct { const char *mode; int sig; } signals[] = {
        { "int", SIGINT }, { "term", SIGTERM }, { "hup", SIGHUP },
        { "stop", SIGSTOP },
    };
    static const struct { const char *mode; int sig; } keys[] = {
        { "ctrlc", SIGINT }, { "ctrlz", SIGTSTP },
    };
    size_t i;

    /* A terminal sends it to the whole group, the test's own it must be. */
    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (!strcmp(mode, keys[i].mode) && getpgrp() == getpid()) {
            kill(0, keys[i].sig);
            return true;
        }
    if (!strcmp(mode, "kill"))
        fault_die();
    if (!strcmp(mode, "cut"))
        cut_power();
    for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (!strcmp(mode, signals[i].mode)) {
            kill(getpid(), signals[i].sig);
            return true;
        }
    return !*mode;
}

int fault_point(enum fault_place place, enum verb verb, struct err *e)
{
    static const char *const places[] = {
        [FAULT_BEFORE] = "before", [FAULT_AFTER] = "after",
        [FAULT_UNDO] = "undo",
    };
    static unsigned n;
    char what[64];

    snprintf(what, sizeof(what), "%s %s", places[place],
             plan_verb_name(verb));
    if (fault_mode(spec_mode("txn", ++n, what)))
        return 0;
    return err_set(e, SNAP_FAILED, "injected fault: %s", what);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
