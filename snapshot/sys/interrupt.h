/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT ask an operation to stop: they are
 * noted, and the operation undoes itself and gets the guest running before
 * the process ends (doc/design.md 5, rule 2).  SIGPIPE and SIGXFSZ are
 * ignored; writes report EPIPE and EFBIG.  So are SIGTSTP, SIGTTIN and SIGTTOU:
 * a Ctrl-Z must not leave a guest suspended (rule 9).
 */

#ifndef SNAPSHOT_INTERRUPT_H
#define SNAPSHOT_INTERRUPT_H

#include <signal.h>
#include <stdbool.h>

#include "sys/err.h"

int interrupt_catch(struct err *e);
/* The signal that came, or 0; 0 while they are deferred. */
int interrupt_pending(void);
/*
 * Undo, recovery, and what follows a commit point have to come to their end:
 * meanwhile no signal counts, in none of the programs that they run.
 */
void interrupt_defer(bool defer);
/* Readable from the moment a signal came: for poll(). */
int interrupt_fd(void);
/* Fills the error "interrupted by ..." and returns -1. */
int interrupt_error(struct err *e);
/* True for what a terminal stops a program with; async-signal-safe. */
bool interrupt_is_stop(int sig);
/* Takes the signals out of a set. */
void interrupt_remove(sigset_t *set);
/*
 * Blocks the signals in this thread, for a child that must not die of a Ctrl-C;
 * another thread has to take them meanwhile.
 */
void interrupt_block(sigset_t *old_r);
void interrupt_unblock(const sigset_t *old);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
