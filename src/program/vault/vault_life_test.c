/* The vault's process: it starts with the right key alone, works with its peers, and ends with its
 * supervisor. */
#include "core/metric.h"
#include "core/num.h"
#include "core/secret.h"
#include "program/vault/vault_process_testing.h"
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static void
the_processes_work_together(void **state UNUSED)
{
    struct vault_process process = vault_process_ready();
    struct vault gateway = vault_process_client(&process, VAULT_ROLE_GATEWAY);
    struct vault dispatcher = vault_process_client(&process, VAULT_ROLE_DISPATCHER);
    struct arena *arena = arena_new(1u << 20);
    struct vault_sealed token;
    struct secret *secret;
    struct vault_facts facts;

    vault_process_fetched = 0;
    assert_ok(vault_seal(&gateway, VAULT_CREDENTIAL, &vault_process_token_place,
                         SLICE(VAULT_PROCESS_CREDENTIAL), arena, &token));
    assert_int_equal(vault_process_fetched, 1);
    assert_int_equal(vault_open(&gateway, VAULT_CREDENTIAL, &vault_process_token_place, &token, &secret),
                     ERR_VAULT_FORBIDDEN);
    assert_ok(vault_open(&dispatcher, VAULT_CREDENTIAL, &vault_process_token_place, &token, &secret));
    assert_true(slice_eq(secret_slice(secret), SLICE(VAULT_PROCESS_CREDENTIAL)));
    secret_free(secret);
    assert_ok(vault_facts(&dispatcher, &facts));
    assert_int_equal(facts.kek_version, 1);
    assert_true(facts.keys_held == 1);
    assert_int_equal(metric_read(process.page, METRIC_VAULT_REFUSED), 1);
    assert_int_equal(metric_read(process.page, METRIC_VAULT_OPENS_CREDENTIAL), 1);
    vault_client_free(gateway.client);
    vault_client_free(dispatcher.client);
    arena_free(arena);
    vault_process_end(&process);
}

static void
a_vault_started_again_opens_what_the_one_before_sealed(void **state UNUSED)
{
    struct vault_process process = vault_process_ready();
    struct vault gateway = vault_process_client(&process, VAULT_ROLE_GATEWAY);
    struct arena *arena = arena_new(1u << 20);
    struct vault_sealed sealed;
    struct slice plain;
    int status;

    assert_ok(vault_seal(&gateway, VAULT_CONTENT, &vault_process_message_place, SLICE(VAULT_PROCESS_CONTENT),
                         arena, &sealed));
    assert_int_equal(kill(process.pid, SIGKILL), 0);
    status = vault_process_wait(&process);
    assert_true(WIFSIGNALED(status));
    process = vault_process_ready();
    vault_client_relink(gateway.client, vault_process_link(&process, VAULT_ROLE_GATEWAY));
    assert_ok(vault_open_content(&gateway, &vault_process_message_place, &sealed, arena, &plain));
    assert_true(slice_eq(plain, SLICE(VAULT_PROCESS_CONTENT)));
    vault_client_free(gateway.client);
    arena_free(arena);
    vault_process_end(&process);
}

static void
a_wrong_master_key_refuses_to_start_and_says_why(void **state UNUSED)
{
    struct vault_process process;
    struct vault_booted booted;
    struct buf frame;

    vault_process_start(&process, "vault");
    vault_process_say_settings(&process);
    vault_process_say_boot(&process, SLICE("not the master key, as long as i"));
    vault_process_hear_booted(&process, &booted);
    assert_int_equal(booted.result, VAULT_RESULT_KEK_WRONG);
    assert_int_equal(booted.kek_version, 1);
    buf_init(&frame, 64);
    assert_int_equal(vault_process_hear(&process, &frame), LINK_FAILED);
    assert_int_equal(num_u16be_get(frame.ptr), ERR_VAULT_KEK_WRONG);
    buf_release(&frame);
    int status = vault_process_wait(&process);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ROLE_EXIT_CONFIG);
}

/* Its HMAC is broken: it says that it failed before it has heard of any key. */
static void
a_vault_that_computes_wrongly_does_not_start(void **state UNUSED)
{
    struct vault_process process;
    struct buf frame;

    vault_process_start(&process, "vault-broken");
    vault_process_say_settings(&process);
    buf_init(&frame, 64);
    assert_int_equal(vault_process_hear(&process, &frame), LINK_FAILED);
    assert_int_equal(num_u16be_get(frame.ptr), ERR_CRYPTO);
    buf_release(&frame);
    int status = vault_process_wait(&process);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ROLE_EXIT_FAILED);
}

static void
without_a_proper_boot_frame_there_is_no_vault(void **state UNUSED)
{
    const struct slice frames[] = { SLICE("\5"), SLICE("\5\1short"), SLICE("\2") };

    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        struct vault_process process;
        vault_process_start(&process, "vault");
        vault_process_say_settings(&process);
        assert_ok(link_send(process.link, frames[i], -1, VAULT_PROCESS_WAIT_MS));
        int status = vault_process_wait(&process);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), ROLE_EXIT_FAILED);
    }
}

static void
the_vault_ends_with_its_supervisor(void **state UNUSED)
{
    struct vault_process process = vault_process_ready();

    close(process.link);
    process.link = -1;
    int status = vault_process_wait(&process);
    /* Told by the link, or by the kernel, whichever comes first (the parent of both is alive here). */
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ROLE_EXIT_ORPHAN);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_processes_work_together),
        cmocka_unit_test(a_vault_started_again_opens_what_the_one_before_sealed),
        cmocka_unit_test(a_vault_that_computes_wrongly_does_not_start),
        cmocka_unit_test(a_wrong_master_key_refuses_to_start_and_says_why),
        cmocka_unit_test(without_a_proper_boot_frame_there_is_no_vault),
        cmocka_unit_test(the_vault_ends_with_its_supervisor),
    };
    return cmocka_run_group_tests(tests, vault_process_setup, NULL);
}
