/* What was sealed opens in its place, whole and unchanged, and nowhere else. */
#include "crypto/mac.h"
#include "program/vault/vault_core_testing.h"
#include <stdlib.h>

static void
what_was_sealed_opens_in_its_place(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "message", "content");
    const struct slice texts[] = { SLICE("hello"), SLICE_EMPTY, SLICE("\0\0") };
    struct core_kept kept;

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, texts[i]);
        core_keep(&kept);
        assert_int_equal(kept.sealed.cipher.len, texts[i].len);
        assert_int_equal(kept.sealed.key_version, 1);
        assert_int_equal(core_open(core, VAULT_ROLE_DISPATCHER, VAULT_CONTENT, place, &kept.sealed),
                         VAULT_RESULT_OK);
        assert_true(slice_eq(core_answer.plain, texts[i]));
    }
    vault_core_free(core);
}

static void
equal_values_do_not_seal_alike(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "message", "content");
    struct core_kept one, two;

    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("the same text, long enough"));
    core_keep(&one);
    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("the same text, long enough"));
    core_keep(&two);
    assert_memory_not_equal(one.sealed.iv, two.sealed.iv, sizeof(one.sealed.iv));
    assert_memory_not_equal(one.cipher, two.cipher, one.sealed.cipher.len);
    vault_core_free(core);
}

/* Each part of where a value belongs: another one, and it does not open. */
static void
a_moved_value_does_not_open(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    const struct vault_frame_place home = core_place(core_tenant_a, "message", "content");
    struct vault_frame_place moved[6];
    struct core_kept kept;

    for (size_t i = 0; i < COUNT_OF(moved); i++)
        moved[i] = home;
    moved[0].tenant = core_tenant_b;
    moved[1].column = SLICE("peer");
    moved[2].table = SLICE("event"); /* has a column of that name */
    moved[3].row.bytes[15] = 1;
    moved[4].generation++;
    moved[5].generation--; /* an older value put back */
    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, home, SLICE("hello"));
    core_keep(&kept);
    for (size_t i = 0; i < COUNT_OF(moved); i++) {
        if (core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, moved[i], &kept.sealed) !=
            VAULT_RESULT_CORRUPT)
            fail_msg("move %zu is not seen", i);
        assert_int_equal(core_answer.plain.len, 0);
    }
    assert_int_equal(core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, home, &kept.sealed), VAULT_RESULT_OK);
    vault_core_free(core);
}

static void
a_changed_value_does_not_open(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "message", "content");
    struct core_kept kept, bad;

    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("sixteen octets.."));
    core_keep(&kept);
    const struct {
        const char *what;
        size_t offset, len;
    } parts[] = { { "cipher", offsetof(struct core_kept, cipher), 16 },
                  { "iv", offsetof(struct core_kept, sealed.iv), VAULT_IV_BYTES },
                  { "tag", offsetof(struct core_kept, sealed.tag), VAULT_TAG_BYTES } };
    for (size_t part = 0; part < COUNT_OF(parts); part++)
        for (size_t bit = 0; bit < parts[part].len * 8; bit++) {
            bad = kept;
            bad.sealed.cipher.ptr = bad.cipher;
            ((unsigned char *)&bad)[parts[part].offset + bit / 8] ^= (unsigned char)(1u << bit % 8);
            if (core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, &bad.sealed) !=
                VAULT_RESULT_CORRUPT)
                fail_msg("bit %zu of %s makes no difference", bit, parts[part].what);
        }
    for (size_t len = 0; len < 18; len++) {
        bad = kept;
        bad.cipher[16] = bad.cipher[17] = 0;
        bad.sealed.cipher = slice_of(bad.cipher, len);
        if (len != 16)
            assert_int_equal(core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, &bad.sealed),
                             VAULT_RESULT_CORRUPT);
    }
    vault_core_free(core);
}

/* An access token that is replaced gets a new generation; the old ciphertext, put back into the row, is
 * worthless. */
static void
an_older_generation_does_not_come_back(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "whatsapp_channel", "access_token");
    struct core_kept old, new;

    place.generation = 1;
    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("leaked token"));
    core_keep(&old);
    place.generation = 2;
    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("new token"));
    core_keep(&new);
    assert_int_equal(core_open(core, VAULT_ROLE_DISPATCHER, VAULT_CREDENTIAL, place, &new.sealed),
                     VAULT_RESULT_OK);
    assert_true(slice_eq(core_answer.plain, SLICE("new token")));
    assert_int_equal(core_open(core, VAULT_ROLE_DISPATCHER, VAULT_CREDENTIAL, place, &old.sealed),
                     VAULT_RESULT_CORRUPT);
    vault_core_free(core);
}

static void
several_values_seal_in_one_request_or_none_does(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    uint64_t sealed = (uint64_t)metric_read(core_page, METRIC_VAULT_SEALS);

    core_request_of(VAULT_OP_SEAL);
    core_request.purpose = VAULT_CONTENT;
    core_request.item_count = 3;
    core_request.items[0].place = core_place(core_tenant_a, "message", "peer");
    core_request.items[0].plain = SLICE("+14155550123");
    core_request.items[1].place = core_place(core_tenant_b, "message", "content");
    core_request.items[1].plain = SLICE_EMPTY;
    core_request.items[2].place = core_place(core_tenant_a, "provider_event", "body");
    core_request.items[2].plain = SLICE("third");
    struct vault_request three = core_request;
    assert_int_equal(core_ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_OK);
    assert_int_equal(core_answer.sealed_count, 3);
    assert_int_equal(metric_read(core_page, METRIC_VAULT_SEALS), sealed + 3);
    static struct vault_answer all;
    static char bytes[4096];
    all = core_answer;
    for (size_t i = 0, at = 0; i < 3; at += all.sealed[i].cipher.len, i++) {
        memcpy(bytes + at, all.sealed[i].cipher.ptr, all.sealed[i].cipher.len);
        all.sealed[i].cipher.ptr = bytes + at;
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, three.items[i].place, &all.sealed[i]),
            VAULT_RESULT_OK);
        assert_true(slice_eq(core_answer.plain, three.items[i].plain));
    }
    core_request = three;
    core_request.items[2].place.column = SLICE("head"); /* nobody may */
    assert_int_equal(core_ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_FORBIDDEN);
    core_request = three;
    core_request.items[2].place.tenant.bytes[5] = 1; /* no key */
    assert_int_equal(core_ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_KEY_MISSING);
    assert_int_equal(metric_read(core_page, METRIC_VAULT_SEALS), sealed + 3);
    vault_core_free(core);
}

/* One round trip instead of two: the same index as by itself, for those who may have one. */
static void
a_value_is_sealed_and_indexed_in_one_request(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    unsigned char index[VAULT_INDEX_BYTES];
    struct vault_wrapped_key keys[3];

    assert_int_equal(core_index(core, core_tenant_a, SLICE("peer"), SLICE("+14155550123"), index),
                     VAULT_RESULT_OK);
    core_request_of(VAULT_OP_SEAL);
    core_request.purpose = VAULT_CONTENT;
    core_request.item_count = 2;
    core_request.items[0].place =
        core_place(core_tenant_a, "event", "content"); /* webhooks may seal it, but not index */
    core_request.items[0].plain = SLICE("+14155550123");
    core_request.items[1] = core_request.items[0];
    core_request.items[1].index_label = SLICE("peer");
    struct vault_request both = core_request;
    assert_int_equal(core_ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_OK);
    assert_false(core_answer.indexes[0].is_made);
    assert_true(core_answer.indexes[1].is_made);
    assert_memory_equal(core_answer.indexes[1].mac, index, sizeof(index));
    core_request = both;
    assert_int_equal(core_ask(core, VAULT_ROLE_WEBHOOKS), VAULT_RESULT_FORBIDDEN);
    core_request = both;
    core_request.items[1].index_label = SLICE_EMPTY;
    assert_int_equal(core_ask(core, VAULT_ROLE_WEBHOOKS), VAULT_RESULT_OK);
    vault_core_free(core);

    core = core_booted(&core_options, NULL);
    assert_int_equal(core_make_keys(core, core_tenant_a, keys), VAULT_RESULT_OK);
    assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &keys[0], true), VAULT_RESULT_OK);
    core_request = both;
    assert_int_equal(core_ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_KEY_MISSING);
    assert_int_equal(core_answer.missing.purpose, VAULT_INDEX);
    vault_core_free(core);
}

static void
equal_values_meet_in_the_index_and_only_within_their_tenant(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    unsigned char first[VAULT_INDEX_BYTES], again[VAULT_INDEX_BYTES];
    const struct {
        struct id tenant;
        struct slice label, value;
    } others[] = { { core_tenant_b, SLICE("peer"), SLICE("+14155550123") },
                   { core_tenant_a, SLICE("name"), SLICE("+14155550123") },
                   { core_tenant_a, SLICE("peer"), SLICE("+14155550124") },
                   { core_tenant_a, SLICE("pee"), SLICE("r+14155550123") },
                   { core_tenant_a, SLICE("pee"), SLICE("r\0+14155550123") } };

    assert_int_equal(core_index(core, core_tenant_a, SLICE("peer"), SLICE("+14155550123"), first),
                     VAULT_RESULT_OK);
    assert_int_equal(core_index(core, core_tenant_a, SLICE("peer"), SLICE("+14155550123"), again),
                     VAULT_RESULT_OK);
    assert_memory_equal(first, again, sizeof(first));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(core_index(core, others[i].tenant, others[i].label, others[i].value, again),
                         VAULT_RESULT_OK);
        assert_memory_not_equal(first, again, sizeof(first));
    }
    vault_core_free(core);
}

/* A ciphertext sealed with one purpose's key says nothing under another's, even in a column of the same name.
 */
static void
the_purposes_have_keys_of_their_own(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = core_place(core_tenant_a, "whatsapp_channel", "access_token");
    struct core_kept kept;

    assert_int_equal(core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("t")),
                     VAULT_RESULT_FORBIDDEN);
    assert_int_equal(core_seal(core, VAULT_ROLE_GATEWAY, VAULT_INDEX, place, SLICE("t")),
                     VAULT_RESULT_FORBIDDEN);
    core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("t"));
    core_keep(&kept);
    assert_int_equal(core_open(core, VAULT_ROLE_DISPATCHER, VAULT_CONTENT, place, &kept.sealed),
                     VAULT_RESULT_FORBIDDEN);
    vault_core_free(core);
}

static void
values_have_limits(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place message = core_place(core_tenant_a, "message", "content");
    struct vault_frame_place secret = core_place(core_tenant_a, "whatsapp_channel", "app_secret");
    char *much = malloc(VAULT_PLAIN_BYTES_MAX);
    struct core_kept empty = { .sealed = { .key_version = 1 } };

    assert_non_null(much);
    memset(much, 'm', VAULT_PLAIN_BYTES_MAX);
    assert_int_equal(core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, secret, SLICE("")),
                     VAULT_RESULT_LIMIT);
    assert_int_equal(core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, secret,
                               slice_of(much, VAULT_CREDENTIAL_BYTES_MAX + 1)),
                     VAULT_RESULT_LIMIT);
    assert_int_equal(core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, secret,
                               slice_of(much, VAULT_CREDENTIAL_BYTES_MAX)),
                     VAULT_RESULT_OK);
    /* An empty secret would verify what anybody can compute. */
    unsigned char mac[MAC_BYTES];
    assert_ok(mac_sha256(SLICE(""), SLICE("body"), mac));
    assert_int_equal(
        core_use(core, VAULT_ROLE_GATEWAY, VAULT_OP_VERIFY_MAC, secret, &empty.sealed, SLICE("body"), mac),
        VAULT_RESULT_CORRUPT);
    assert_int_equal(
        core_seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, message, slice_of(much, VAULT_PLAIN_BYTES_MAX)),
        VAULT_RESULT_OK);
    struct vault_sealed sealed = core_answer.sealed[0];
    char *cipher = malloc(sealed.cipher.len);
    assert_non_null(cipher);
    memcpy(cipher, sealed.cipher.ptr, sealed.cipher.len);
    sealed.cipher.ptr = cipher;
    assert_int_equal(core_open(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, message, &sealed), VAULT_RESULT_OK);
    assert_true(slice_eq(core_answer.plain, slice_of(much, VAULT_PLAIN_BYTES_MAX)));
    free(cipher);
    free(much);
    vault_core_free(core);
}

CORE_MAIN(cmocka_unit_test(what_was_sealed_opens_in_its_place),
          cmocka_unit_test(equal_values_do_not_seal_alike), cmocka_unit_test(a_moved_value_does_not_open),
          cmocka_unit_test(a_changed_value_does_not_open),
          cmocka_unit_test(an_older_generation_does_not_come_back),
          cmocka_unit_test(several_values_seal_in_one_request_or_none_does),
          cmocka_unit_test(a_value_is_sealed_and_indexed_in_one_request),
          cmocka_unit_test(equal_values_meet_in_the_index_and_only_within_their_tenant),
          cmocka_unit_test(the_purposes_have_keys_of_their_own), cmocka_unit_test(values_have_limits))
