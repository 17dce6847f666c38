/* SPDX-License-Identifier: LGPL-2.1-only */

/* The marks of those who read a snapshot. */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "op/image_locks.h"
#include "op/reader.h"
#include "store/store.h"
#include "sys/err.h"
#include "sys/mem.h"

/*
 * By the snapshot's directory, which keeps its inode when the domain is
 * renamed.  On a shared store it is the same for all hosts, the device is not.
 */
static int mark_name(struct session *s, const char *snapshot,
                     char **name_r, struct err *e)
{
    int fd = store_dir(&s->st, STORE_COMMITTED, snapshot, e), rc = 0;
    struct stat sb;

    *name_r = NULL;
    if (fd < 0)
        return -1;
    if (fstat(fd, &sb))
        rc = err_errno(e, "cannot look at snapshot '%s' of domain %s",
                       snapshot, s->st.domain);
    else
        *name_r = mem_printf("reader-%" PRIuMAX, (uintmax_t)sb.st_ino);
    close(fd);
    return rc;
}

int reader_mark(struct session *s, const char *name,
                struct reader_mark *m, struct err *e)
{
    char *mark, *what;
    int rc;

    m->root_fd = fcntl(s->st.root_fd, F_DUPFD_CLOEXEC, 0);
    if (m->root_fd < 0)
        return err_errno(e, "cannot mark snapshot '%s' of domain %s", name,
                         s->st.domain);
    rc = mark_name(s, name, &mark, e);
    if (!rc) {
        what = mem_printf("snapshot '%s' of domain %s", name, s->st.domain);
        rc = image_locks_take_one(m->root_fd, mark, what, false, s->wait_s,
                                  &m->lock, e);
        free(what);
    }
    free(mark);
    if (rc)
        close(m->root_fd);
    return rc;
}

void reader_unmark(struct reader_mark *m)
{
    image_locks_drop(&m->lock);
    close(m->root_fd);
    m->root_fd = -1;
}

/* Is there a mark, perhaps of one that was killed?  Makes no file. */
static bool is_marked(struct session *s, const char *mark)
{
    char *path = mem_printf(IMAGE_LOCKS_DIR "/%s", mark);
    bool yes = !faccessat(s->st.root_fd, path, F_OK, AT_SYMLINK_NOFOLLOW);

    free(path);
    return yes;
}

static int wait_one(struct session *s, const char *name, struct err *e)
{
    struct image_locks l;
    char *mark;
    int rc = mark_name(s, name, &mark, e);

    /* Deleted in this session. */
    if (rc && e->code == ERR_NOT_FOUND)
        return 0;
    if (!rc && is_marked(s, mark)) {
        rc = image_locks_take_one(s->st.root_fd, mark, "a snapshot", true,
                                  s->wait_s, &l, e);
        if (!rc)
            image_locks_drop(&l);
        else if (e->status == SNAP_BUSY)
            err_set(e, SNAP_BUSY, "snapshot '%s' of domain %s is in use by a "
                    "view or an export: end that first, or use --wait", name,
                    s->st.domain);
    }
    free(mark);
    return rc;
}

int reader_wait_none(struct session *s, const char *name,
                     struct err *e)
{
    size_t i;

    if (name)
        return wait_one(s, name, e);
    if (faccessat(s->st.root_fd, IMAGE_LOCKS_DIR, F_OK, 0))
        return 0;
    for (i = 0; i < s->tree.n; i++)
        if (wait_one(s, s->tree.nodes[i].s.name, e))
            return -1;
    return 0;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
