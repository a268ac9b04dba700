/* What a role may not ask for is refused and counted; what is no request gets no answer. */
#include "crypto/sign.h"
#include "program/vault/vault_core_testing.h"
#include "program/vault/vault_policy.h"

/*
 * Every role with every operation on every sealed column, under every purpose, with values and keys that
 * would do: what the policy does not allow is refused, and counted. (What the policy allows,
 * vault_policy_test says.)
 */
static void
whatever_is_not_allowed_is_refused_and_counted(void **state UNUSED)
{
    static const struct {
        enum vault_purpose purpose;
        const char *table, *column;
    } columns[] = {
        { VAULT_CONTENT, "message", "peer" },
        { VAULT_CONTENT, "message", "content" },
        { VAULT_CONTENT, "event", "content" },
        { VAULT_CONTENT, "provider_event", "body" },
        { VAULT_CONTENT, "media", "file_name" },
        { VAULT_CONTENT, "media_chunk", "body" },
        { VAULT_CONTENT, "webhook_delivery", "body" },
        { VAULT_CREDENTIAL, "whatsapp_channel", "access_token" },
        { VAULT_CREDENTIAL, "whatsapp_channel", "app_secret" },
        { VAULT_CREDENTIAL, "whatsapp_channel", "verify_token" },
        { VAULT_CREDENTIAL, "webhook_endpoint", "secret" },
        { VAULT_CREDENTIAL, "webhook_endpoint", "private_key" },
        { VAULT_CREDENTIAL, "totp", "secret" },
    };
    static const enum vault_op ops[] = { VAULT_OP_SEAL,         VAULT_OP_OPEN,      VAULT_OP_VERIFY_MAC,
                                         VAULT_OP_MATCHES,      VAULT_OP_SIGN_MAC,  VAULT_OP_MAKE_ED25519,
                                         VAULT_OP_SIGN_ED25519, VAULT_OP_MAKE_TOTP, VAULT_OP_CHECK_TOTP };
    struct vault_core *core = core_with_tenants();
    size_t refused = 0, allowed = 0;

    for (size_t c = 0; c < COUNT_OF(columns); c++) {
        struct vault_frame_place place = core_place(core_tenant_a, columns[c].table, columns[c].column);
        struct core_kept kept;
        for (int role = 1; role <= (int)VAULT_ROLE_LAST; role++) /* somebody may seal it */
            if (core_seal(core, (enum vault_role)role, columns[c].purpose, place, SLICE("value")) ==
                VAULT_RESULT_OK)
                core_keep(&kept);
            else if (core_make_ed25519(core, (enum vault_role)role, place) ==
                     VAULT_RESULT_OK) /* or have it made */
                core_keep(&kept);
            else if (core_make_totp(core, (enum vault_role)role, place) == VAULT_RESULT_OK)
                core_keep(&kept);
        for (int role = 1; role <= (int)VAULT_ROLE_LAST; role++)
            for (size_t o = 0; o < COUNT_OF(ops); o++)
                for (int purpose = 1; purpose <= (int)VAULT_INDEX; purpose++) {
                    enum vault_purpose meant = ops[o] == VAULT_OP_SEAL || ops[o] == VAULT_OP_OPEN
                                                   ? (enum vault_purpose)purpose
                                                   : VAULT_CREDENTIAL;
                    bool expected = vault_policy_allows_value((enum vault_role)role, ops[o], meant,
                                                              place.table, place.column);
                    int64_t counted = metric_read(core_page, METRIC_VAULT_REFUSED);
                    core_request_of(ops[o]);
                    core_request.purpose = (enum vault_purpose)purpose;
                    core_request.item_count = ops[o] == VAULT_OP_SEAL;
                    core_request.items[0].place = place;
                    core_request.items[0].plain = SLICE("value");
                    core_request.place = place;
                    core_request.sealed = kept.sealed;
                    core_request.data = SLICE("value");
                    enum vault_result result = core_ask(core, (enum vault_role)role);
                    if ((result != VAULT_RESULT_FORBIDDEN) != expected)
                        fail_msg("%s %s %d %s.%s: %d", vault_role_name((enum vault_role)role),
                                 vault_op_name(ops[o]), purpose, columns[c].table, columns[c].column, result);
                    assert_int_equal(metric_read(core_page, METRIC_VAULT_REFUSED), counted + !expected);
                    if (!expected) {
                        assert_int_equal(core_answer_bytes.len, 7); /* head and result, and no octet more */
                        refused++;
                    } else {
                        assert_int_equal(result,
                                         ops[o] == VAULT_OP_VERIFY_MAC || ops[o] == VAULT_OP_CHECK_TOTP
                                             ? VAULT_RESULT_MISMATCH
                                             : VAULT_RESULT_OK);
                        allowed++;
                    }
                }
    }
    assert_int_equal(refused + allowed, COUNT_OF(columns) * VAULT_ROLE_LAST * COUNT_OF(ops) * 3);
    assert_int_equal(allowed,
                     34 + 7 * 3); /* what uses a credential has no purpose in it: three times the same */
    vault_core_free(core);
}

static void
operations_without_a_value_go_by_role_too(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_wrapped_key keys[3];

    assert_int_equal(core_make_keys(core, core_tenant_a, keys), VAULT_RESULT_OK);
    for (int role = 1; role <= (int)VAULT_ROLE_LAST; role++) {
        const enum vault_op ops[] = { VAULT_OP_INDEX, VAULT_OP_MAKE_KEYS, VAULT_OP_FACTS };
        for (size_t o = 0; o < COUNT_OF(ops); o++) {
            core_request_of(ops[o]);
            core_request.tenant = core_tenant_a;
            core_request.label = SLICE("peer");
            enum vault_result expected = vault_policy_allows_op((enum vault_role)role, ops[o])
                                             ? VAULT_RESULT_OK
                                             : VAULT_RESULT_FORBIDDEN;
            assert_int_equal(core_ask(core, (enum vault_role)role), expected);
        }
        for (size_t i = 0; i < COUNT_OF(keys); i++) {
            bool expected = vault_policy_allows_key((enum vault_role)role, keys[i].purpose);
            /* Other keys of the same version are held: an allowed load is found to be another key. */
            assert_int_equal(core_load(core, (enum vault_role)role, &keys[i], true),
                             expected ? VAULT_RESULT_CORRUPT : VAULT_RESULT_FORBIDDEN);
        }
    }
    vault_core_free(core);
}

static void
bytes_that_are_no_request_get_no_answer(void **state UNUSED)
{
    struct vault_core *core = core_booted(&core_options, NULL);
    struct vault_outcome outcome;
    const struct slice frames[] = { SLICE_EMPTY, SLICE("x"), SLICE("\1\11\0\0\0\1x"),
                                    SLICE("\2\11\0\0\0\1") };

    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        assert_int_equal(vault_core_handle(core, VAULT_ROLE_GATEWAY, frames[i], &core_answer_bytes, &outcome),
                         ERR_FRAME);
        assert_int_equal(core_answer_bytes.len, 0);
    }
    assert_ok(
        vault_core_handle(core, VAULT_ROLE_GATEWAY, SLICE("\1\11\0\0\0\1"), &core_answer_bytes, &outcome));
    vault_core_free(core);
}

CORE_MAIN(cmocka_unit_test(whatever_is_not_allowed_is_refused_and_counted),
          cmocka_unit_test(operations_without_a_value_go_by_role_too),
          cmocka_unit_test(bytes_that_are_no_request_get_no_answer))
