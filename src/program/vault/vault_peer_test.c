/* Peers of the vault's process that break the rules: they lose their link, and nobody else notices. */
#include "program/vault/vault_process_testing.h"
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static bool
is_hung_up(int fd)
{
    struct buf frame;
    int rider;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    enum err err = link_receive(fd, &frame, &rider, VAULT_PROCESS_WAIT_MS);
    buf_release(&frame);
    return err == ERR_FRAME;
}

static void
a_peer_that_breaks_the_rules_loses_its_link_and_no_other_does(void **state UNUSED)
{
    struct vault_process process = vault_process_ready();
    struct vault gateway = vault_process_client(&process, VAULT_ROLE_GATEWAY);
    struct vault_facts facts;
    int fds[6];

    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = vault_process_link(&process, i < 4 ? VAULT_ROLE_WEBHOOKS : i == 4 ? 0 : VAULT_ROLE_LAST + 1);
    assert_ok(link_send(fds[0], SLICE("no request"), -1, VAULT_PROCESS_WAIT_MS));
    assert_int_equal(send(fds[1], "\xff\xff\xff\xff", 4, 0), 4);
    assert_ok(link_send(fds[2], SLICE("\1\11\0\0\0\1"), fds[2],
                        VAULT_PROCESS_WAIT_MS)); /* FACTS, with a descriptor */
    assert_int_equal(send(fds[3], "\0\0\0\2x", 5, 0), 5);
    shutdown(fds[3], SHUT_WR); /* in the middle of a frame */
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        if (!is_hung_up(fds[i]))
            fail_msg("link %zu lives", i);
        close(fds[i]);
    }
    assert_ok(vault_facts(&gateway, &facts));
    vault_client_free(gateway.client);
    vault_process_end(&process);
}

/* One peer asks and never reads its answers: the others do not notice, and the vault's memory does not grow.
 */
static void
a_peer_that_does_not_read_stops_nobody_else(void **state UNUSED)
{
    struct vault_process process = vault_process_ready();
    struct vault gateway = vault_process_client(&process, VAULT_ROLE_GATEWAY);
    struct vault_facts facts;
    int greedy = vault_process_link(&process, VAULT_ROLE_GATEWAY);
    size_t sent = 0;

    while (link_send(greedy, SLICE("\1\11\0\0\0\1"), -1, 50) == ERR_OK)
        sent++;
    assert_true(sent > 100); /* until neither takes any more */
    for (int i = 0; i < 100; i++)
        assert_ok(vault_facts(&gateway, &facts));
    close(greedy);
    assert_ok(vault_facts(&gateway, &facts));
    vault_client_free(gateway.client);
    vault_process_end(&process);
}

/*
 * Both ask while the vault is stopped: one for its facts, 200 times, the other to load a key, which those
 * facts tell of. The first ones tell of no key, and the last ones do, so the load was not behind all of them.
 */
static void
a_peer_with_much_to_ask_does_not_hold_up_another(void **state UNUSED)
{
    struct vault_process process = vault_process_ready();
    struct vault gateway = vault_process_client(&process, VAULT_ROLE_GATEWAY);
    int modest = vault_process_link(&process, VAULT_ROLE_GATEWAY);
    int greedy = vault_process_link(&process, VAULT_ROLE_SCHEDULER); /* the latest has the first turn */
    struct vault_request load = { .op = VAULT_OP_KEY_LOAD, .id = 1, .is_newest = true };
    static struct vault_answer answer;
    struct vault_facts facts;
    struct buf frame;
    size_t before = 0;
    int rider, status;

    assert_ok(vault_facts(&gateway, &facts)); /* the links behind it are adopted when the next turn begins */
    for (int i = 0; i < 2; i++) {
        buf_init(&frame, 4096);
        assert_ok(link_send(i == 0 ? greedy : modest, SLICE("\1\11\0\0\0\1"), -1, VAULT_PROCESS_WAIT_MS));
        assert_ok(link_receive(i == 0 ? greedy : modest, &frame, &rider, VAULT_PROCESS_WAIT_MS));
        buf_release(&frame);
    }
    assert_int_equal(kill(process.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(process.pid, &status, WUNTRACED), process.pid);
    assert_true(WIFSTOPPED(status));
    for (int i = 0; i < 200; i++)
        assert_ok(link_send(greedy, SLICE("\1\11\0\0\0\1"), -1, VAULT_PROCESS_WAIT_MS));
    assert_ok(gateway.key_source(gateway.key_source_ctx, vault_process_tenant, VAULT_CONTENT, 0, &load.key));
    buf_init(&frame, 4096);
    vault_request_encode(&frame, &load);
    assert_ok(link_send(modest, buf_slice(&frame), -1, VAULT_PROCESS_WAIT_MS));
    assert_int_equal(kill(process.pid, SIGCONT), 0);
    for (int i = 0; i < 200; i++) {
        assert_ok(link_receive(greedy, &frame, &rider, VAULT_PROCESS_WAIT_MS));
        assert_ok(vault_answer_decode(buf_slice(&frame), &answer));
        before += answer.keys_held == facts.keys_held;
    }
    assert_true(before > 0 && before <= 64);
    buf_release(&frame);
    close(greedy);
    close(modest);
    vault_client_free(gateway.client);
    vault_process_end(&process);
}

static void
links_are_bounded(void **state UNUSED)
{
    struct vault_process process = vault_process_ready();
    int fds[200];
    size_t refused = 0;

    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = vault_process_link(&process, VAULT_ROLE_SCHEDULER);
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        struct buf frame;
        int rider;
        buf_init(&frame, 64);
        if (link_send(fds[i], SLICE("\1\11\0\0\0\1"), -1, VAULT_PROCESS_WAIT_MS) != ERR_OK ||
            link_receive(fds[i], &frame, &rider, VAULT_PROCESS_WAIT_MS) != ERR_OK)
            refused++;
        buf_release(&frame);
    }
    assert_int_equal(refused, COUNT_OF(fds) - 96);
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        close(fds[i]);
    struct vault again =
        vault_process_client(&process, VAULT_ROLE_SCHEDULER); /* closed ones make room, if not at once */
    vault_client_free(again.client);
    vault_process_end(&process);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_breaks_the_rules_loses_its_link_and_no_other_does),
        cmocka_unit_test(a_peer_that_does_not_read_stops_nobody_else),
        cmocka_unit_test(a_peer_with_much_to_ask_does_not_hold_up_another),
        cmocka_unit_test(links_are_bounded),
    };
    return cmocka_run_group_tests(tests, vault_process_setup, NULL);
}
