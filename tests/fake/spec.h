/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * Which faults a test wants: FAULT="<class>:<n>:<mode>[,...]", read by
 * the program itself (fault.c), by xl and by the wrapper of qemu-img.
 *
 *   class   n counts                              mode
 *   txn     points of txn.c                       error kill int term hup
 *   io      calls on files of the store, images   enospc eio kill torn
 *   mem     MiB of the memory image               enospc eio kill int ...
 *   spool   MiB that wait for their compression   enospc eio kill int ...
 *   qmp     commands to QEMU                      error lost gone hang kill
 *   xen     calls to the hypervisor               error lost kill late
 *   img     runs of qemu-img                      fail lost hang
 *   xl      runs of "xl restore"                early fail half late
 *
 * "stop" (SIGSTOP) may stand for a signal; "ctrlc" and "ctrlz" are what a
 * terminal sends to the whole process group, which must be the program's own.
 * "cut", in the dom0 of tests/xen
 * only, cuts the machine's power.
 * "lost" does it and then says that it failed; "late" does it and then dies;
 * "torn" writes half and dies.  A '+' behind n means: from then on.
 *
 * FAULT_LOG=<file>: every point that is passed, as "<class> <n> <what>".
 */

#ifndef FAKE_SPEC_H
#define FAKE_SPEC_H

/*
 * The mode wanted at point n of the class, "" if none.  Logs the point.  The
 * result lives as long as the process.
 */
const char *spec_mode(const char *class, unsigned n, const char *what);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
