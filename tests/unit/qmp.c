/* Against a monitor in a child process that says what the test wants. */

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/sys/clock.h"
#include "snapshot/sys/mem.h"
#include "snapshot/qemu/qmp.h"
#include "tests/unit/unit.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n"

/* What the monitor does, for the client's Nth line; false ends it. */
typedef bool (*monitor)(int fd, unsigned n, const char *line);

static char *socket_path;

static int listen_at(const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) ||
        listen(fd, 1)) {
        perror(path);
        exit(2);
    }
    return fd;
}

static void serve(int listener, monitor m)
{
    char line[65536];
    unsigned n = 0;
    size_t len = 0;
    int fd = accept(listener, NULL, NULL);

    signal(SIGPIPE, SIG_IGN);
    if (!m(fd, n++, NULL))
        return;
    while (len < sizeof(line) - 1 && read(fd, line + len, 1) == 1) {
        if (line[len++] != '\n')
            continue;
        line[len] = '\0';
        len = 0;
        if (!m(fd, n++, line))
            return;
    }
}

static pid_t start(monitor m)
{
    int listener = listen_at(socket_path);
    pid_t pid;

    fflush(stdout);
    pid = fork();
    if (pid == 0) {
        alarm(60);
        serve(listener, m);
        _exit(0);
    }
    close(listener);
    return pid;
}

static void stop(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool say(int fd, const char *text)
{
    size_t len = strlen(text);

    return write(fd, text, len) == (ssize_t)len;
}

/* An answer to the line, whose id it repeats. */
static bool answer(int fd, const char *line, const char *body)
{
    const char *id = strstr(line, "\"id\":");
    char *text = mem_printf("{%s, \"id\": %d}\r\n", body,
                            id ? atoi(id + 5) : 0);
    bool ok = say(fd, text);

    free(text);
    return ok;
}

/* Greets, accepts the capabilities; then it is the test's turn. */
static bool polite(int fd, unsigned n, const char *line)
{
    if (n == 0)
        return say(fd, GREETING);
    if (n == 1)
        return strstr(line, "qmp_capabilities") &&
               answer(fd, line, "\"return\": {}");
    return true;
}

static void opens_not(monitor m, const char *why, const char *what)
{
    pid_t pid = start(m);
    struct qmp *q = (struct qmp *)1;
    struct err e;
    uint64_t begun = clock_ms();

    check_err(qmp_open(socket_path, &q, &e), &e, SNAP_FAILED, why, "%s",
              what);
    check(!q && clock_ms() - begun < 5000, "no monitor, and no hang");
    qmp_close(q == (struct qmp *)1 ? NULL : q);
    stop(pid);
}

/* Opens, runs two commands: the first as wanted, the second on its track. */
static void runs(monitor m, int want, const char *text, int want2,
                 const char *text2, const char *what)
{
    pid_t pid = start(m);
    json_object *ret = NULL;
    struct qmp *q;
    struct err e;
    int rc;
    uint64_t begun = clock_ms();

    check_ok(qmp_open(socket_path, &q, &e), &e, "%s: opens", what);
    if (!q) {
        stop(pid);
        return;
    }
    rc = qmp_run(q, "first", NULL, &ret, &e);
    if (want)
        check_err(rc, &e, SNAP_FAILED, text, "%s", what);
    else
        check(!rc && !strcmp(json_object_to_json_string_ext(ret,
                             JSON_C_TO_STRING_PLAIN), text), "%s", what);
    json_object_put(ret);
    rc = qmp_run(q, "second", NULL, NULL, &e);
    if (want2)
        check_err(rc, &e, SNAP_FAILED, text2, "%s: the next command", what);
    else
        check_ok(rc, &e, "%s: the next command", what);
    check(clock_ms() - begun < 8000, "%s: no hang", what);
    qmp_close(q);
    stop(pid);
}

static bool echo(int fd, unsigned n, const char *line)
{
    if (n == 2)
        return answer(fd, line, strstr(line, "\"arguments\":{\"a\":\"b\"}") ?
                      "\"return\": {\"got\": 1}" : "\"return\": {}");
    return n < 2 ? polite(fd, n, line) : answer(fd, line, "\"return\": []");
}

static bool events(int fd, unsigned n, const char *line)
{
    if (n > 0)
        say(fd, "{\"event\": \"RTC_CHANGE\", \"data\": {\"id\": 3}}\r\n"
                "{\"event\": \"STOP\", \"timestamp\": {}}\r\n");
    return echo(fd, n, line);
}

static bool wrong_ids(int fd, unsigned n, const char *line)
{
    if (n == 2)
        say(fd, "{\"return\": {\"wrong\": 1}, \"id\": 1}\r\n"
                "{\"return\": {\"wrong\": 2}, \"id\": \"2\"}\r\n"
                "{\"return\": {\"wrong\": 3}}\r\n"
                "{\"return\": {\"wrong\": 4}, \"id\": 2.0}\r\n"
                "{\"return\": {\"wrong\": 5}, \"id\": -2}\r\n");
    return echo(fd, n, line);
}

static bool bytewise(int fd, unsigned n, const char *line)
{
    const char *p = "{\"return\": {\"slow\": \"a\"}, \"id\": 2}\r\n";

    if (n != 2)
        return echo(fd, n, line);
    for (; *p; p++) {
        if (write(fd, p, 1) != 1)
            return false;
        clock_sleep_ms(1);
    }
    return true;
}

static bool refuses(int fd, unsigned n, const char *line)
{
    if (n == 2)
        return answer(fd, line, "\"error\": {\"class\": \"GenericError\", "
                      "\"desc\": \"Device\\n'x' is in use\"}");
    return echo(fd, n, line);
}

static bool bad_error(int fd, unsigned n, const char *line)
{
    if (n == 2)
        return answer(fd, line, "\"error\": \"text\"");
    if (n == 3)
        return answer(fd, line, "\"error\": {\"desc\": 5}");
    return echo(fd, n, line);
}

static bool empty_answer(int fd, unsigned n, const char *line)
{
    return n == 2 ? answer(fd, line, "\"x\": 1") : echo(fd, n, line);
}

static bool closes(int fd, unsigned n, const char *line)
{
    return n == 2 ? false : polite(fd, n, line);
}

static bool half_and_closes(int fd, unsigned n, const char *line)
{
    if (n < 2)
        return polite(fd, n, line);
    say(fd, "{\"return\": {");
    return false;
}

static bool silent(int fd, unsigned n, const char *line)
{
    return polite(fd, n, line);
}

static bool garbage(int fd, unsigned n, const char *line)
{
    return n == 2 ? say(fd, "\x01\x02 garbage\r\n") : polite(fd, n, line);
}

/* Events without end: the deadline counts for the answer, not for bytes. */
static bool chatter(int fd, unsigned n, const char *line)
{
    if (n < 2)
        return polite(fd, n, line);
    while (say(fd, "{\"event\": \"NOISE\"}\r\n"))
        ;
    return false;
}

static bool endless_line(int fd, unsigned n, const char *line)
{
    char *chunk;

    if (n < 2)
        return polite(fd, n, line);
    chunk = mem_zalloc(1, 100001);
    memset(chunk, 'x', 100000);
    while (say(fd, chunk))
        ;
    free(chunk);
    return false;
}

static bool no_greeting(int fd, unsigned n, const char *line)
{
    (void)fd;
    (void)n;
    (void)line;
    return true;
}

static bool wrong_greeting(int fd, unsigned n, const char *line)
{
    (void)line;
    return n ? true : say(fd, "{\"hello\": 1}\r\n");
}

static bool hangs_up(int fd, unsigned n, const char *line)
{
    (void)fd;
    (void)n;
    (void)line;
    return false;
}

static bool no_capabilities(int fd, unsigned n, const char *line)
{
    if (n == 0)
        return say(fd, GREETING);
    return answer(fd, line, "\"error\": {\"class\": \"CommandNotFound\", "
                  "\"desc\": \"no\"}");
}

static void arguments(void)
{
    pid_t pid = start(echo);
    json_object *args = json_object_new_object(), *ret = NULL;
    struct qmp *q;
    struct err e;

    json_add_str(args, "a", "b");
    check(!qmp_open(socket_path, &q, &e) &&
          !qmp_run(q, "first", args, &ret, &e) && json_has(ret, "got"),
          "a command has its arguments");
    json_object_put(ret);
    qmp_close(q);
    stop(pid);
}

/* A request that does not fit into the socket, to a monitor that sleeps. */
static void deaf(void)
{
    pid_t pid = start(silent);
    json_object *args = json_object_new_object();
    char *big = mem_zalloc(1, 4000001);
    struct qmp *q;
    struct err e;

    memset(big, 'x', 4000000);
    json_add_str(args, "a", big);
    check_ok(qmp_open(socket_path, &q, &e), &e, "a monitor to be stopped");
    kill(pid, SIGSTOP);
    check_err(qmp_run(q, "first", args, NULL, &e), &e, SNAP_FAILED,
              "did not answer", "a monitor that does not read is given up");
    qmp_close(q);
    free(big);
    stop(pid);
}

static void nobody(void)
{
    char longer[300];
    struct qmp *q;
    struct err e;

    unlink(socket_path);
    check_err(qmp_open(socket_path, &q, &e), &e, SNAP_FAILED, socket_path,
              "no socket: the error names it");
    memset(longer, 'x', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    check_err(qmp_open(longer, &q, &e), &e, SNAP_FAILED, "too long",
              "a path that is too long for a socket is refused");
}

int main(void)
{
    size_t before;

    socket_path = unit_path("qmp");
    before = unit_open_fds();
    runs(echo, 0, "{}", 0, NULL, "an answer");
    arguments();
    runs(events, 0, "{}", 0, NULL, "events in between");
    runs(wrong_ids, 0, "{}", 0, NULL, "answers that are not ours");
    runs(bytewise, 0, "{\"slow\":\"a\"}", 0, NULL, "an answer in pieces");
    runs(refuses, -1, "QEMU refused 'first': Device 'x' is in use", 0, NULL,
         "an error of QEMU");
    runs(bad_error, -1, "'error' is not an object", -1,
         "'error.desc' is not a string", "an error of the wrong type");
    runs(empty_answer, -1, "'error' is missing", 0, NULL,
         "neither return nor error");
    runs(closes, -1, "QEMU closed its monitor", -1, "broken",
         "a monitor that closes");
    runs(half_and_closes, -1, "QEMU closed its monitor", -1, "broken",
         "half an answer");
    runs(silent, -1, "did not answer within", -1, "broken", "silence");
    runs(garbage, -1, "not valid JSON", -1, "broken", "garbage");
    runs(chatter, -1, "did not answer within", -1, "broken",
         "events without end");
    /* The bound or the deadline, whichever a slow machine comes to first. */
    runs(endless_line, -1, "", -1, "broken", "an endless line");
    opens_not(no_greeting, "did not answer", "no greeting");
    opens_not(wrong_greeting, "no greeting from a QEMU", "a wrong greeting");
    opens_not(hangs_up, "closed", "a socket that closes at once");
    opens_not(no_capabilities, "refused 'qmp_capabilities'",
              "capabilities refused");
    deaf();
    nobody();
    qmp_close(NULL);
    check(unit_open_fds() == before, "no descriptor is left open");
    free(socket_path);
    return unit_done();
}
