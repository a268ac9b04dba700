#include "core/unit.h"
#include "platform/ipc/link.h"
#include "program/harkara/control.h"
#include "program/harkara/listener.h"
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
    struct control_request request;
    int connection = -1, ends[2];
    pid_t pid = ask(false);

    wait_for_somebody();
    assert_ok(control_accept(listen_fd, &connection, &request));
    assert_int_equal(request.kind, CONTROL_VAULT);
    assert_ok(link_pair(ends));
    assert_int_equal(write(ends[0], "v", 1), 1);
    control_answer(connection, ends[1]);
    assert_int_equal(answer_of(pid), 0);
    close(ends[0]);
    assert_int_equal(control_accept(listen_fd, &connection, &request), ERR_NOTHING);
}

/* The file's mode keeps others out already; this is for a mode that somebody changed. */
static void
another_user_is_not(void **state UNUSED)
{
    struct control_request request;
    int connection = -1;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(folder, 0711), 0);
    pid_t pid = ask(true);
    assert_int_equal(answer_of(pid), 2); /* by the mode */
    assert_int_equal(chmod(path, 0666), 0);
    pid = ask(true);
    wait_for_somebody();
    assert_int_equal(control_accept(listen_fd, &connection, &request), ERR_SCOPE);
    assert_int_equal(connection, -1);
    assert_int_equal(answer_of(pid), 1);
    assert_int_equal(chmod(path, 0600), 0);
}

/* A command that asks for a key says of which master, and gets what the vault said. */
static void
a_key_is_asked_for_with_all_that_it_needs(void **state UNUSED)
{
    struct control_request request;
    struct vault_booted booted = { .kek_version = 7 };
    struct buf frame;
    int connection = -1;
    pid_t pid = fork();

    if (pid == 0) {
        struct control_kek wanted = { .scrypt_n = 1u << 18, .has_master = true };
        memset(wanted.master, 0x5a, sizeof(wanted.master));
        booted.kek_version = 0;
        _exit(control_ask_kek(path, &wanted, &booted, &complaint) == ERR_OK && booted.kek_version == 7 ? 0
                                                                                                       : 1);
    }
    wait_for_somebody();
    assert_ok(control_accept(listen_fd, &connection, &request));
    assert_int_equal(request.kind, CONTROL_KEK);
    assert_int_equal(request.kek.scrypt_n, 1u << 18);
    assert_true(request.kek.has_master);
    for (size_t i = 0; i < sizeof(request.kek.master); i++)
        assert_int_equal(request.kek.master[i], 0x5a);
    buf_init(&frame, 64);
    buf_add_byte(&frame, LINK_KEK_MADE);
    vault_booted_encode(&frame, &booted);
    control_say(connection, buf_slice(&frame));
    close(connection);
    buf_release(&frame);
    assert_int_equal(answer_of(pid), 0);
}

/* So does one that asks for a master secret, and gets what the token said. */
static void
a_secret_is_asked_for_by_its_labels(void **state UNUSED)
{
    struct control_request request;
    struct hsm_made made = { .made = { .version = 7, .cipher = "sealed" } };
    struct buf frame;
    int connection = -1;
    pid_t pid = fork();

    if (pid == 0) {
        const struct control_secret wanted = { .version = 7,
                                               .token = "12345678901234567890123456789012",
                                               .key = "k" };
        struct hsm_made back = { .trouble = HSM_TROUBLE_FAILED };
        _exit(control_ask_secret(path, &wanted, &back, &complaint) == ERR_OK && back.made.version == 7 &&
                      memcmp(back.made.cipher, "sealed", 6) == 0
                  ? 0
                  : 1);
    }
    wait_for_somebody();
    assert_ok(control_accept(listen_fd, &connection, &request));
    assert_int_equal(request.kind, CONTROL_SECRET);
    assert_int_equal(request.secret.version, 7);
    assert_string_equal(request.secret.token, "12345678901234567890123456789012");
    assert_string_equal(request.secret.key, "k");
    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    buf_add_byte(&frame, LINK_HSM_MADE);
    hsm_made_encode(&frame, &made);
    control_say(connection, buf_slice(&frame));
    close(connection);
    buf_release(&frame);
    assert_int_equal(answer_of(pid), 0);
}

static void
a_request_that_is_none_is_closed(void **state UNUSED)
{
    static const struct slice rows[] = {
        { "\0", 1 },
        { "\x02", 1 },
        { "\x01\0", 2 },
        { "\x05", 1 },
        { "\x04", 1 },
        { "\x04\0\0\0\x01", 5 },
        { "\x04\0\0\0\x01\x01t", 7 },
        { "\x04\0\0\0\x01\x01t\x02k", 9 },
        { "\x04\0\0\0\x01\x01t\x01kk", 10 },
        { "\x04\0\0\0\0\x01t\x01k", 9 },
        { "\x04\0\0\0\x01\0\x01k", 8 },
        { "\x04\0\0\0\x01\x01\0\x01k", 9 },
        { "\x02\0\0\0\0\x02", 6 },
        { "\x02\0\0\0\0\x01", 6 },
        { "\x02\0\0\0\0\0\0", 7 },
    };
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct control_request request;

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int connection = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_ok(link_send(fd, rows[i], -1, 1000));
        assert_int_equal(control_accept(listen_fd, &connection, &request), ERR_NOTHING);
        assert_int_equal(connection, -1);
        close(fd);
    }
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
        cmocka_unit_test(a_key_is_asked_for_with_all_that_it_needs),
        cmocka_unit_test(a_secret_is_asked_for_by_its_labels),
        cmocka_unit_test(a_request_that_is_none_is_closed),
        cmocka_unit_test(without_a_server_the_command_says_so),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
