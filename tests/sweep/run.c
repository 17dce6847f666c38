/* SPDX-License-Identifier: LGPL-2.1-only */

/* Programs of the scene, and what they leave running. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "copy.h"
#include "scene.h"
#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"

#define RUN_MS 60000
#define END_MS 10000

/* Between fork and exec. */
static void become(struct scene *s, const char *const *argv,
                   const char *fault, const char *log, unsigned timeout_s)
{
    char *file = mem_printf("%s/%s", s->tools, argv[0]);
    char *out = scene_path(s, "out");
    char *runs[] = { scene_path(s, "img"), scene_path(s, "xl") };
    int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    int null = open("/dev/null", O_RDONLY);
    char seconds[16], unique[16];

    unlink(runs[0]);
    unlink(runs[1]);
    snprintf(unique, sizeof(unique), "%u", s->runs);
    setenv("FAKE_UNIQUE", unique, 1);
    if (fault)
        setenv("FAULT", fault, 1);
    if (log)
        setenv("FAULT_LOG", log, 1);
    snprintf(seconds, sizeof(seconds), "%u", timeout_s);
    if (timeout_s)
        setenv("FAKE_TIMEOUT", seconds, 1);
    if (chdir(s->dir))      /* where PLACE is */
        _exit(127);
    dup2(null, 0);
    dup2(fd, 1);
    dup2(fd, 2);
    close(fd);
    close(null);
    execv(file, (char *const *)argv);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

void run_program(struct scene *s, const char *const *argv, const char *fault,
                 const char *log, unsigned timeout_s, struct run *r)
{
    uint64_t until = clock_ms() + RUN_MS;
    char *out = scene_path(s, "out"), *text;
    int status = 0;
    size_t len = 0;
    pid_t pid, got;

    s->runs++;
    fflush(NULL);
    pid = fork();
    memset(r, 0, sizeof(*r));
    if (pid < 0)
        fatal("fork");
    if (pid == 0)
        become(s, argv, fault, log, timeout_s);
    while ((got = waitpid(pid, &status, WNOHANG)) == 0) {
        clock_sleep_ms(1);
        if (clock_ms() > until && !r->timeout) {
            r->timeout = true;
            kill(pid, SIGKILL);
        }
    }
    if (got < 0)
        fatal("waitpid");
    r->status = WIFSIGNALED(status) ? 256 + WTERMSIG(status) :
                WEXITSTATUS(status);
    text = slurp(out, &len);
    if (text)
        snprintf(r->out, sizeof(r->out), "%s", text);
    free(text);
    free(out);
}

/* The processes of the host that run now: children of this one, adopted. */
static pid_t any_child(bool (*is)(pid_t pid))
{
    char path[64], *list, *p, *save = NULL;
    size_t len = 0;
    FILE *f;
    pid_t found = 0;

    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    snprintf(path, sizeof(path), "/proc/self/task/%d/children",
             (int)getpid());
    f = fopen(path, "re");
    if (!f)
        fatal(path);
    list = mem_zalloc(1, 65536);
    len = fread(list, 1, 65535, f);
    list[len] = '\0';
    fclose(f);
    for (p = strtok_r(list, " \n", &save); p && !found;
         p = strtok_r(NULL, " \n", &save)) {
        pid_t pid = (pid_t)atol(p);

        if (!is || is(pid))
            found = pid;
    }
    free(list);
    return found;
}

/* Not a QEMU nor a monitor, whose stdout is its log. */
static bool is_worker(pid_t pid)
{
    char link[64], to[512];
    ssize_t n;

    if (process_is(pid, "qemu-storage-da"))
        return false;
    snprintf(link, sizeof(link), "/proc/%d/fd/1", (int)pid);
    n = readlink(link, to, sizeof(to) - 1);
    to[n > 0 ? n : 0] = '\0';
    return !strstr(to, "/log/");
}

static bool is_hung(pid_t pid)
{
    return process_is(pid, "qemu-storage-da") && process_letter(pid) == 'T';
}

void scene_wake(void)
{
    pid_t pid;

    while ((pid = any_child(is_hung))) {
        kill(pid, SIGCONT);
        while (is_hung(pid))
            clock_sleep_ms(1);
    }
}

void scene_settle(void)
{
    uint64_t until = clock_ms() + END_MS;

    while (any_child(is_worker) && clock_ms() < until)
        clock_sleep_ms(2);
}

bool scene_end(struct scene *s, struct text *why)
{
    uint64_t until = clock_ms() + END_MS;
    size_t n, i;
    uint32_t *ids;
    bool clean = true;
    pid_t pid;

    for (ids = vm_list(&n), i = 0; i < n; i++) {
        char *id = mem_printf("%u", ids[i]);
        struct run r;

        run_program(s, (const char *const []){ "bin/xl", "destroy", id,
                    NULL }, NULL, NULL, 0, &r);
        free(id);
    }
    free(ids);
    while (any_child(NULL) && clock_ms() < until)
        clock_sleep_ms(1);
    while ((pid = any_child(NULL))) {
        text_add(why, "process %d is left, state %c; ", (int)pid,
                 process_letter(pid));
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        clean = false;
    }
    return clean;
}

/*
 * Local variables:
 * mode: C
 * c-basic-offset: 4
 * indent-tabs-mode: nil
 * End:
 */
