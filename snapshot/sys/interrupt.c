/* SPDX-License-Identifier: LGPL-2.1-only */

/* Notes the signals that ask an operation to stop. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "sys/err.h"
#include "sys/interrupt.h"

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* What a terminal stops a program with, and what a failed write sends. */
static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU };

#define NSIGNALS (sizeof(signals) / sizeof(signals[0]))
#define NIGNORED (sizeof(ignored) / sizeof(ignored[0]))

static volatile sig_atomic_t came;
static bool deferred;
static int wake[2] = { -1, -1 };

static void note(int sig)
{
    int saved = errno;
    ssize_t n;

    came = sig;
    n = write(wake[1], "", 1);
    (void)n;        /* the pipe being full says the same */
    errno = saved;
}

int interrupt_catch(struct err *e)
{
    struct sigaction sa;
    size_t i;

    if (wake[0] >= 0)
        return 0;
    if (pipe2(wake, O_CLOEXEC | O_NONBLOCK))
        return err_errno(e, "cannot make a pipe");
    memset(&sa, 0, sizeof(sa));
    sigfillset(&sa.sa_mask);
    for (i = 0; i < NSIGNALS; i++) {
        struct sigaction old;

        if (sigaction(signals[i], NULL, &old))
            return err_errno(e, "cannot read a signal's action");
        /* nohup and background jobs chose to ignore it: that stays. */
        if (old.sa_handler == SIG_IGN)
            continue;
        sa.sa_handler = note;
        if (sigaction(signals[i], &sa, NULL))
            return err_errno(e, "cannot catch signals");
    }
    sa.sa_handler = SIG_IGN;
    for (i = 0; i < NIGNORED; i++)
        if (sigaction(ignored[i], &sa, NULL))
            return err_errno(e, "cannot ignore signals");
    return 0;
}

int interrupt_pending(void)
{
    if (deferred)
        return 0;
    return came;
}

void interrupt_defer(bool defer)
{
    deferred = defer;
}

int interrupt_fd(void)
{
    return wake[0];
}

int interrupt_error(struct err *e)
{
    return err_set(e, SNAP_FAILED, "interrupted by signal %d (%s)", (int)came,
                   strsignal(came));
}

bool interrupt_is_stop(int sig)
{
    return sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
}

void interrupt_remove(sigset_t *set)
{
    size_t i;

    for (i = 0; i < NSIGNALS; i++)
        sigdelset(set, signals[i]);
}

void interrupt_block(sigset_t *old_r)
{
    sigset_t ours;
    size_t i;

    sigemptyset(&ours);
    for (i = 0; i < NSIGNALS; i++)
        sigaddset(&ours, signals[i]);
    pthread_sigmask(SIG_BLOCK, &ours, old_r);
}

void interrupt_unblock(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
