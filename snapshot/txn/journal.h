/* SPDX-License-Identifier: LGPL-2.1-only */

/*
 * The journal of one operation: ROOT/<domain>/.journal, there only while the
 * operation is under way or unrecovered.
 *
 * One record a line, "<16 hex digits of XXH3-64> <JSON>".  The first is the
 * header (what is done, with names, never pointers); it appears by a rename
 * and so is always whole.  Each later one, {"begin": i, "through": k}, is on
 * disk before step i starts and says that steps up to k may follow without
 * another record.  {"note": {...}} holds facts that a recovery needs and the
 * world does not tell; a later note's member replaces an earlier one's.  A torn
 * last line is one that did not get to disk: its step has not started.
 */

#ifndef SNAPSHOT_JOURNAL_H
#define SNAPSHOT_JOURNAL_H

#include "store/store.h"

struct journal {
    struct store *st;
    int fd;
};

/* Room for all records to come, where the file system can promise that. */
int journal_reserve(struct journal *j, struct err *e);
/* Writes the header durably, replacing an older journal. */
int journal_start(struct store *st, json_object *header, struct journal *j,
                  struct err *e);
int journal_begin(struct journal *j, size_t step, size_t through,
                  struct err *e);
/* Writes a note durably; the caller's to put. */
int journal_note(struct journal *j, json_object *note, struct err *e);
/* Removes it durably: the operation is over. */
int journal_end(struct journal *j, struct err *e);
/* Only forgets the descriptor. */
void journal_close(struct journal *j);

bool journal_exists(struct store *st);
/* What journal_read() finds; the objects are the caller's to put. */
struct journal_content {
    json_object *header;
    json_object *notes;         /* all of them as one, perhaps empty */
    long begun;                 /* the last step that may have started, or -1 */
};

/* Reads one and opens it for more records. */
int journal_read(struct store *st, struct journal *j,
                 struct journal_content *c, struct err *e);
/*
 * Takes it out of the way under the name .given-up-<when>.journal, where a
 * person may read it.
 */
int journal_give_up(struct store *st, const char *when, struct err *e);

#endif

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
