/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Running programs: argv, never a shell.  The child gets no descriptor but
 * 0, 1 and 2, default signals (but for what a terminal stops a program with,
 * which is ignored) and a process group of its own, so that a
 * Ctrl-C reaches only us and we decide what becomes of it.
 *
 * But for proc_start()'s no child outlives its call: libxl reaps every child of the process
 * while one of its calls runs (libxl_event.h, libxl_sigchld_owner_libxl).
 */

#ifndef SNAPSHOT_PROC_H
#define SNAPSHOT_PROC_H

#include <stdbool.h>
#include <sys/types.h>

#include "sys/err.h"

struct proc {
    /* in */
    const char *const *argv;    /* argv[0] is looked up in PATH and sbin */
    unsigned timeout_s;         /* 0: none */
    bool uninterruptible;       /* go on when a signal came (interrupt.h) */
    /* Gives the child's stdin: bytes read, 0 at the end, -1 to give up. */
    ssize_t (*source)(void *arg, void *buf, size_t len);
    void *source_arg;
    /* Or this descriptor is it, which stays the caller's; else it is empty. */
    const int *input;
    /* out */
    char *out;                  /* stdout, NUL-terminated; caller frees */
    size_t out_len;
    char why[512];              /* last line of stderr */
    int exit_status;            /* -1 if it did not exit by itself */
    bool late;                  /* it was stopped, as its time was over */
};

/*
 * 0 if the program exited with status 0.  Else -1 with an error that names
 * the program, the reason and its last line on stderr.
 */
int proc_run(struct proc *p, struct err *e);

/*
 * A program that runs beside us until it is stopped, with nothing to read and
 * nobody to read what it prints; it is stopped too when this thread ends, however
 * that is.  Between start and stop libxl is not to be called (see above), and
 * argv[0] has to stay.
 */
struct proc_beside;

int proc_start(const char *const *argv, struct proc_beside **b_r,
               struct err *e);
/* -1 if it has ended by itself, with an error as that of proc_run(). */
int proc_check_runs(struct proc_beside *b, struct err *e);
/* Asks it to end, waits for that, and frees it; NULL is none. */
void proc_stop(struct proc_beside *b);

/*
 * What a child of the main thread, one of libxl's, next writes to a file fails
 * with EFBIG, now and for ever; pipes are not concerned.
 */
void proc_bar_writes(void);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
