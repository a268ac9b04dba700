#include "core/unit.h"
#include "platform/ipc/link.h"
#include "program/harkara/control.h"
#include "program/harkara/listener.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/harkara-control-XXXXXX";
static char path[64];
static int listen_fd = -1;
static struct complaint complaint;

/* A command in a process of its own; its exit code says what it got. */
static pid_t
ask(bool as_another)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    struct complaint why = { { 0 } };
    int link = -1;
    char byte;
    if (as_another && setresuid(65534, 65534, 65534) != 0)
        _exit(99);
    enum err err = control_ask(path, &link, &why);
    if (err == ERR_OK)
        _exit(read(link, &byte, 1) == 1 && byte == 'v' ? 0 : 98);
    _exit(err == ERR_SCOPE ? 2 : why.text[0] == '\0' ? 97 : 1);
}

static int
answer_of(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
wait_for_somebody(void)
{
    struct pollfd wait = { .fd = listen_fd, .events = POLLIN };

    assert_int_equal(poll(&wait, 1, 10000), 1);
}

static void
our_own_user_is_handed_the_link(void **state UNUSED)
{
    int connection = -1, ends[2];
    pid_t pid = ask(false);

    wait_for_somebody();
    assert_ok(control_accept(listen_fd, &connection));
    assert_ok(link_pair(ends));
    assert_int_equal(write(ends[0], "v", 1), 1);
    control_answer(connection, ends[1]);
    assert_int_equal(answer_of(pid), 0);
    close(ends[0]);
    assert_int_equal(control_accept(listen_fd, &connection), ERR_NOTHING);
}

/* The file's mode keeps others out already; this is for a mode that somebody changed. */
static void
another_user_is_not(void **state UNUSED)
{
    int connection = -1;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(folder, 0711), 0);
    pid_t pid = ask(true);
    assert_int_equal(answer_of(pid), 2); /* by the mode */
    assert_int_equal(chmod(path, 0666), 0);
    pid = ask(true);
    wait_for_somebody();
    assert_int_equal(control_accept(listen_fd, &connection), ERR_SCOPE);
    assert_int_equal(connection, -1);
    assert_int_equal(answer_of(pid), 1);
    assert_int_equal(chmod(path, 0600), 0);
}

static void
without_a_server_the_command_says_so(void **state UNUSED)
{
    int link = 0;

    assert_int_equal(control_ask("/nowhere/control.sock", &link, &complaint), ERR_VAULT_UNAVAILABLE);
    assert_int_equal(link, -1);
    assert_true(complaint.text[0] != '\0');
}

static int
set_up(void **state UNUSED)
{
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/control.sock", folder);
    assert_ok(listener_open_unix(path, 0600, &listen_fd, &complaint));
    return 0;
}

static int
tear_down(void **state UNUSED)
{
    listener_close(path, listen_fd);
    return rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_user_is_handed_the_link),
        cmocka_unit_test(another_user_is_not),
        cmocka_unit_test(without_a_server_the_command_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
