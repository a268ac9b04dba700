/*
 * The vault without memory: each operation with its 1st, 2nd, 3rd ... allocation failing, OpenSSL's too,
 * until it succeeds. Whatever fails, it says so, keeps no secret behind, and the same operation succeeds
 * afterwards.
 */
#include "core/secret.h"
#include "core/unit.h"
#include "crypto/totp.h"
#include "program/vault/vault_core.h"
#include "program/vault/vault_selftest.h"
#include <openssl/crypto.h>
#include <stdlib.h>

static long allocations_left = -1; /* -1: all succeed */
static bool has_failed;

static bool
must_fail(void)
{
    if (allocations_left < 0 || --allocations_left >= 0)
        return false;
    allocations_left = -1; /* one fails; what follows may clean up */
    has_failed = true;
    return true;
}

/* The linker sends our own objects' calls here (meson.build). */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *
__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : __real_calloc(count, size);
}

static void *
openssl_malloc(size_t size, const char *file UNUSED, int line UNUSED)
{
    return must_fail() ? NULL : __real_malloc(size);
}

static void *
openssl_realloc(void *from, size_t size, const char *file UNUSED, int line UNUSED)
{
    return must_fail() ? NULL : realloc(from, size);
}

static void
openssl_free(void *from, const char *file UNUSED, int line UNUSED)
{
    free(from);
}

static const struct vault_core_options options = { VAULT_SEAL_KEYS_MAX, KDF_SCRYPT_N_MIN,
                                                   VAULT_KEY_SEALS_MAX };
static const struct vault_boot boot = { .masters = { { "a master key of thirty-two bytes", 32 } },
                                        .master_count = 1,
                                        .make_version = 1 };
static const struct id tenant = { { 0xa } };

static struct vault_core *core;
static struct vault_request request;
static struct vault_answer answer;
static struct buf frame, answer_bytes;
static struct vault_wrapped_key keys[VAULT_PURPOSE_COUNT];

static void
request_of(enum vault_op op)
{
    memset(&request, 0, sizeof(request));
    request.op = op;
    request.tenant = tenant;
    request.place = (struct vault_frame_place){ .tenant = tenant,
                                                .table = SLICE("webhook_endpoint"),
                                                .column = SLICE("secret") };
}

/* Answers the request in `frame`; the result, also when there was no memory for an answer. */
static enum vault_result
ask(enum vault_role role)
{
    struct vault_outcome outcome;

    enum err err = vault_core_handle(core, role, buf_slice(&frame), &answer_bytes, &outcome);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_NO_MEMORY);
        return VAULT_RESULT_NO_MEMORY;
    }
    assert_ok(vault_answer_decode(buf_slice(&answer_bytes), &answer));
    assert_int_equal(answer.result, outcome.result);
    return answer.result;
}

/* Asks with one allocation failing after another; at the end it succeeds without one. Returns how many
 * failed. */
static long
ask_through_faults(enum vault_role role)
{
    size_t used = secret_pool_used();

    buf_clear(&frame);
    vault_request_encode(&frame, &request);
    assert_ok(buf_done(&frame));
    for (long nth = 0;; nth++) {
        buf_release(&answer_bytes); /* so that the answer has to be allocated too */
        has_failed = false;
        allocations_left = nth;
        enum vault_result result = ask(role);
        allocations_left = -1;
        assert_int_equal(secret_pool_used(), used);
        if (!has_failed) {
            assert_int_equal(result, VAULT_RESULT_OK);
            return nth;
        }
        /* A library that finds another way without that memory has done nothing wrong. */
        if (result != VAULT_RESULT_OK && result != VAULT_RESULT_NO_MEMORY && result != VAULT_RESULT_FAILED)
            fail_msg("with allocation %ld failing: %d", nth, result);
        assert_int_equal(ask(role), VAULT_RESULT_OK);
    }
}

static void
a_vault_that_cannot_be_made_leaves_nothing(void **state UNUSED)
{
    size_t used = secret_pool_used();

    for (long nth = 0;; nth++) {
        struct vault_core *made;
        has_failed = false;
        allocations_left = nth;
        enum err err = vault_core_new(&options, &made);
        allocations_left = -1;
        vault_core_free(made);
        assert_int_equal(secret_pool_used(), used);
        if (!has_failed) {
            assert_ok(err);
            assert_true(nth >= 3);
            return;
        }
        assert_int_equal(err, ERR_NO_MEMORY);
    }
}

static void
a_boot_without_memory_can_be_tried_again(void **state UNUSED)
{
    for (long nth = 0;; nth++) {
        struct vault_booted booted;
        struct vault_core *made;
        size_t used = secret_pool_used();
        assert_ok(vault_core_new(&options, &made));
        size_t made_used = secret_pool_used();
        has_failed = false;
        allocations_left = nth;
        enum err err = vault_core_boot(made, &boot, &booted);
        allocations_left = -1;
        if (err != ERR_OK) {
            assert_true(has_failed);
            assert_true(err == ERR_CRYPTO || err == ERR_NO_MEMORY);
            assert_int_equal(secret_pool_used(), made_used);
            if (nth % 16 == 0) /* scrypt takes its time */
                assert_ok(vault_core_boot(made, &boot, &booted));
        }
        vault_core_free(made);
        assert_int_equal(secret_pool_used(), used);
        if (!has_failed) {
            assert_true(nth > 0);
            return;
        }
    }
}

static void
keys_are_made_and_loaded_or_not(void **state UNUSED)
{
    request_of(VAULT_OP_MAKE_KEYS);
    assert_true(ask_through_faults(VAULT_ROLE_ADMIN) > 3);
    memcpy(keys, answer.keys, sizeof(keys));
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        request_of(VAULT_OP_KEY_LOAD);
        request.key = keys[i];
        request.is_newest = true;
        assert_true(ask_through_faults(VAULT_ROLE_WEBHOOKS + (i == 2 ? -1 : 0)) > 1);
    }
}

static void
values_are_sealed_and_used_or_not(void **state UNUSED)
{
    static char cipher[64];
    char code[TOTP_DIGITS];

    request_of(VAULT_OP_SEAL);
    request.purpose = VAULT_CREDENTIAL;
    request.item_count = 2;
    request.items[0].place = request.items[1].place = request.place;
    request.items[0].plain = SLICE("first secret");
    request.items[1].plain = SLICE("second secret");
    assert_true(ask_through_faults(VAULT_ROLE_GATEWAY) > 4);
    struct vault_sealed sealed = answer.sealed[1];
    memcpy(cipher, sealed.cipher.ptr, sealed.cipher.len);
    sealed.cipher.ptr = cipher;

    request_of(VAULT_OP_SIGN_MAC);
    request.sealed = sealed;
    request.data = SLICE("message");
    assert_true(ask_through_faults(VAULT_ROLE_WEBHOOKS) > 3);

    request_of(VAULT_OP_MAKE_ED25519);
    request.place.column = SLICE("private_key");
    assert_true(ask_through_faults(VAULT_ROLE_GATEWAY) > 3);
    sealed = answer.sealed[0];
    memcpy(cipher, sealed.cipher.ptr, sealed.cipher.len);
    sealed.cipher.ptr = cipher;

    request_of(VAULT_OP_SIGN_ED25519);
    request.place.column = SLICE("private_key");
    request.sealed = sealed;
    request.data = SLICE("message");
    assert_true(ask_through_faults(VAULT_ROLE_WEBHOOKS) > 3);

    request_of(VAULT_OP_MAKE_TOTP);
    request.place.table = SLICE("totp");
    assert_true(ask_through_faults(VAULT_ROLE_GATEWAY) > 3);
    sealed = answer.sealed[0];
    memcpy(cipher, sealed.cipher.ptr, sealed.cipher.len);
    sealed.cipher.ptr = cipher;
    assert_ok(totp_code(answer.plain, 1000, code));

    request_of(VAULT_OP_CHECK_TOTP);
    request.place.table = SLICE("totp");
    request.sealed = sealed;
    request.data = slice_of(code, sizeof(code));
    request.totp_step = 1000;
    assert_true(ask_through_faults(VAULT_ROLE_GATEWAY) > 3);
    assert_int_equal(answer.totp_step, 1000);

    request_of(VAULT_OP_INDEX);
    request.label = SLICE("peer");
    request.data = SLICE("message");
    assert_true(ask_through_faults(VAULT_ROLE_GATEWAY) > 1);
}

static void
content_is_sealed_and_opened_or_not(void **state UNUSED)
{
    static char cipher[64];
    const struct vault_frame_place place = { .tenant = tenant,
                                             .table = SLICE("message"),
                                             .column = SLICE("content") };

    request_of(VAULT_OP_SEAL);
    request.purpose = VAULT_CONTENT;
    request.item_count = 1;
    request.items[0].place = place;
    request.items[0].plain = SLICE("text");
    assert_true(ask_through_faults(VAULT_ROLE_GATEWAY) > 3);
    struct vault_sealed sealed = answer.sealed[0];
    memcpy(cipher, sealed.cipher.ptr, sealed.cipher.len);
    sealed.cipher.ptr = cipher;
    request_of(VAULT_OP_OPEN);
    request.purpose = VAULT_CONTENT;
    request.place = place;
    request.sealed = sealed;
    assert_true(ask_through_faults(VAULT_ROLE_DISPATCHER) > 3);
    assert_true(slice_eq(answer.plain, SLICE("text")));
}

/* The self-test fetches the algorithms once, as in the process: what follows is without that. */
static int
begin(void **state UNUSED)
{
    struct vault_booted booted;

    if (CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) != 1 ||
        secret_pool_open_unlocked(1u << 20) != ERR_OK || vault_selftest() != ERR_OK ||
        vault_core_new(&options, &core) != ERR_OK)
        return -1;
    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    buf_init(&answer_bytes, VAULT_FRAME_BYTES_MAX);
    return vault_core_boot(core, &boot, &booted) == ERR_OK ? 0 : -1;
}

static int
end(void **state UNUSED)
{
    vault_core_free(core);
    buf_release(&frame);
    buf_release(&answer_bytes);
    return secret_pool_used() == 0 ? 0 : -1;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_vault_that_cannot_be_made_leaves_nothing),
        cmocka_unit_test(a_boot_without_memory_can_be_tried_again),
        cmocka_unit_test(keys_are_made_and_loaded_or_not),
        cmocka_unit_test(values_are_sealed_and_used_or_not),
        cmocka_unit_test(content_is_sealed_and_opened_or_not),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
