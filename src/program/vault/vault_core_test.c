#include "core/metric.h"
#include "core/num.h"
#include "core/secret.h"
#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "crypto/sign.h"
#include "program/vault/vault_core.h"
#include "program/vault/vault_policy.h"
#include "program/vault/vault_selftest.h"
#include <stdio.h>
#include <stdlib.h>

#define POOL_BYTES (1u << 20)

static const struct vault_core_options options = { .key_capacity = VAULT_SEAL_KEYS_MAX,
                                                   .scrypt_n = KDF_SCRYPT_N_MIN,
                                                   .seals_max = VAULT_KEY_SEALS_MAX };
static const struct slice master_key = { "a master key of thirty-two bytes", 32 };
static const struct slice other_master_key = { "A master key of thirty-two bytes", 32 };
static const struct id tenant_a = { { 0xa } }, tenant_b = { { 0xb } };

static void *page; /* this process's figures */
static struct vault_request request;
static struct vault_answer answer; /* its slices point into answer_bytes */
static struct buf answer_bytes;

/* Asks in a role; the answer stands in `answer`. */
static enum vault_result
ask(struct vault_core *core, enum vault_role role)
{
    struct vault_outcome outcome;
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    vault_request_encode(&frame, &request);
    assert_ok(buf_done(&frame));
    assert_ok(vault_core_handle(core, role, buf_slice(&frame), &answer_bytes, &outcome));
    buf_release(&frame);
    assert_ok(vault_answer_decode(buf_slice(&answer_bytes), &answer));
    assert_int_equal(answer.op, request.op);
    assert_int_equal(answer.id, request.id);
    assert_int_equal(answer.result, outcome.result);
    assert_int_equal(answer.op, outcome.op);
    return answer.result;
}

static struct vault_frame_place
place_of(struct id tenant, const char *table, const char *column)
{
    return (struct vault_frame_place){ .tenant = tenant,
                                       .table = slice_text(table),
                                       .column = slice_text(column),
                                       .row = { { 0x77 } },
                                       .generation = 3 };
}

static void
request_of(enum vault_op op)
{
    memset(&request, 0, sizeof(request));
    request.op = op;
    request.id = 41;
}

static enum vault_result
seal(struct vault_core *core, enum vault_role role, enum vault_purpose purpose,
     struct vault_frame_place place, struct slice plain)
{
    request_of(VAULT_OP_SEAL);
    request.purpose = purpose;
    request.item_count = 1;
    request.items[0].place = place;
    request.items[0].plain = plain;
    return ask(core, role);
}

/* A sealed value that outlives the answer. */
struct kept {
    struct vault_sealed sealed;
    char cipher[256];
};

static void
keep(struct kept *kept)
{
    assert_int_equal(answer.result, VAULT_RESULT_OK);
    assert_int_equal(answer.sealed_count, 1);
    assert_true(answer.sealed[0].cipher.len <= sizeof(kept->cipher));
    kept->sealed = answer.sealed[0];
    memcpy(kept->cipher, answer.sealed[0].cipher.ptr, answer.sealed[0].cipher.len);
    kept->sealed.cipher.ptr = kept->cipher;
}

static enum vault_result
open_value(struct vault_core *core, enum vault_role role, enum vault_purpose purpose,
           struct vault_frame_place place, const struct vault_sealed *sealed)
{
    request_of(VAULT_OP_OPEN);
    request.purpose = purpose;
    request.place = place;
    request.sealed = *sealed;
    return ask(core, role);
}

static enum vault_result
use_credential(struct vault_core *core, enum vault_role role, enum vault_op op,
               struct vault_frame_place place, const struct vault_sealed *sealed, struct slice data,
               const unsigned char *mac)
{
    request_of(op);
    request.place = place;
    request.sealed = *sealed;
    request.data = data;
    if (mac != NULL)
        memcpy(request.mac, mac, sizeof(request.mac));
    return ask(core, role);
}

static enum vault_result
make_ed25519(struct vault_core *core, enum vault_role role, struct vault_frame_place place)
{
    request_of(VAULT_OP_MAKE_ED25519);
    request.place = place;
    return ask(core, role);
}

static enum vault_result
load(struct vault_core *core, enum vault_role role, const struct vault_wrapped_key *key, bool is_newest)
{
    request_of(VAULT_OP_KEY_LOAD);
    request.key = *key;
    request.is_newest = is_newest;
    return ask(core, role);
}

static enum vault_result
make_keys(struct vault_core *core, struct id tenant, struct vault_wrapped_key out[3])
{
    request_of(VAULT_OP_MAKE_KEYS);
    request.tenant = tenant;
    enum vault_result result = ask(core, VAULT_ROLE_ADMIN);
    memcpy(out, answer.keys, sizeof(answer.keys));
    return result;
}

static void
load_all(struct vault_core *core, const struct vault_wrapped_key keys[3])
{
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &keys[i], true), VAULT_RESULT_OK);
}

/* A vault with a new KEK. */
static struct vault_core *
core_booted(const struct vault_core_options *with, struct vault_kek *kek_out)
{
    struct vault_boot boot = { .masters = { master_key }, .master_count = 1, .make_version = 1 };
    struct vault_booted booted;
    struct vault_core *core;

    assert_ok(vault_core_new(with, &core));
    assert_ok(vault_core_boot(core, &boot, &booted));
    assert_true(booted.has_made);
    assert_int_equal(booted.result, VAULT_RESULT_OK);
    assert_int_equal(booted.kek_version, 1);
    if (kek_out != NULL)
        *kek_out = booted.made;
    return core;
}

/* And with all keys of both tenants. */
static struct vault_core *
core_with_tenants(void)
{
    struct vault_core *core = core_booted(&options, NULL);
    const struct id tenants[] = { tenant_a, tenant_b };

    for (size_t i = 0; i < COUNT_OF(tenants); i++) {
        struct vault_wrapped_key keys[3];
        assert_int_equal(make_keys(core, tenants[i], keys), VAULT_RESULT_OK);
        load_all(core, keys);
    }
    return core;
}

static void
the_known_answers_come_out(void **state UNUSED)
{
    assert_ok(vault_selftest());
}

static void
what_was_sealed_opens_in_its_place(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "message", "content");
    const struct slice texts[] = { SLICE("hello"), SLICE_EMPTY, SLICE("\0\0") };
    struct kept kept;

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, texts[i]);
        keep(&kept);
        assert_int_equal(kept.sealed.cipher.len, texts[i].len);
        assert_int_equal(kept.sealed.key_version, 1);
        assert_int_equal(open_value(core, VAULT_ROLE_DISPATCHER, VAULT_CONTENT, place, &kept.sealed),
                         VAULT_RESULT_OK);
        assert_true(slice_eq(answer.plain, texts[i]));
    }
    vault_core_free(core);
}

static void
equal_values_do_not_seal_alike(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "message", "content");
    struct kept one, two;

    seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("the same text, long enough"));
    keep(&one);
    seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("the same text, long enough"));
    keep(&two);
    assert_memory_not_equal(one.sealed.iv, two.sealed.iv, sizeof(one.sealed.iv));
    assert_memory_not_equal(one.cipher, two.cipher, one.sealed.cipher.len);
    vault_core_free(core);
}

/* Each part of where a value belongs: another one, and it does not open. */
static void
a_moved_value_does_not_open(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    const struct vault_frame_place home = place_of(tenant_a, "message", "content");
    struct vault_frame_place moved[6];
    struct kept kept;

    for (size_t i = 0; i < COUNT_OF(moved); i++)
        moved[i] = home;
    moved[0].tenant = tenant_b;
    moved[1].column = SLICE("peer");
    moved[2].table = SLICE("event"); /* has a column of that name */
    moved[3].row.bytes[15] = 1;
    moved[4].generation++;
    moved[5].generation--; /* an older value put back */
    seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, home, SLICE("hello"));
    keep(&kept);
    for (size_t i = 0; i < COUNT_OF(moved); i++) {
        if (open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, moved[i], &kept.sealed) !=
            VAULT_RESULT_CORRUPT)
            fail_msg("move %zu is not seen", i);
        assert_int_equal(answer.plain.len, 0);
    }
    assert_int_equal(open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, home, &kept.sealed),
                     VAULT_RESULT_OK);
    vault_core_free(core);
}

static void
a_changed_value_does_not_open(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "message", "content");
    struct kept kept, bad;

    seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("sixteen octets.."));
    keep(&kept);
    const struct {
        const char *what;
        size_t offset, len;
    } parts[] = { { "cipher", offsetof(struct kept, cipher), 16 },
                  { "iv", offsetof(struct kept, sealed.iv), VAULT_IV_BYTES },
                  { "tag", offsetof(struct kept, sealed.tag), VAULT_TAG_BYTES } };
    for (size_t part = 0; part < COUNT_OF(parts); part++)
        for (size_t bit = 0; bit < parts[part].len * 8; bit++) {
            bad = kept;
            bad.sealed.cipher.ptr = bad.cipher;
            ((unsigned char *)&bad)[parts[part].offset + bit / 8] ^= (unsigned char)(1u << bit % 8);
            if (open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, &bad.sealed) !=
                VAULT_RESULT_CORRUPT)
                fail_msg("bit %zu of %s makes no difference", bit, parts[part].what);
        }
    for (size_t len = 0; len < 18; len++) {
        bad = kept;
        bad.cipher[16] = bad.cipher[17] = 0;
        bad.sealed.cipher = slice_of(bad.cipher, len);
        if (len != 16)
            assert_int_equal(open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, &bad.sealed),
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
    struct vault_frame_place place = place_of(tenant_a, "whatsapp_channel", "access_token");
    struct kept old, new;

    place.generation = 1;
    seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("leaked token"));
    keep(&old);
    place.generation = 2;
    seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("new token"));
    keep(&new);
    assert_int_equal(open_value(core, VAULT_ROLE_DISPATCHER, VAULT_CREDENTIAL, place, &new.sealed),
                     VAULT_RESULT_OK);
    assert_true(slice_eq(answer.plain, SLICE("new token")));
    assert_int_equal(open_value(core, VAULT_ROLE_DISPATCHER, VAULT_CREDENTIAL, place, &old.sealed),
                     VAULT_RESULT_CORRUPT);
    vault_core_free(core);
}

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
    };
    static const enum vault_op ops[] = { VAULT_OP_SEAL,        VAULT_OP_OPEN,     VAULT_OP_VERIFY_MAC,
                                         VAULT_OP_MATCHES,     VAULT_OP_SIGN_MAC, VAULT_OP_MAKE_ED25519,
                                         VAULT_OP_SIGN_ED25519 };
    struct vault_core *core = core_with_tenants();
    size_t refused = 0, allowed = 0;

    for (size_t c = 0; c < COUNT_OF(columns); c++) {
        struct vault_frame_place place = place_of(tenant_a, columns[c].table, columns[c].column);
        struct kept kept;
        for (int role = 1; role <= (int)VAULT_ROLE_SCHEDULER; role++) /* somebody may seal it */
            if (seal(core, (enum vault_role)role, columns[c].purpose, place, SLICE("value")) ==
                VAULT_RESULT_OK)
                keep(&kept);
            else if (make_ed25519(core, (enum vault_role)role, place) ==
                     VAULT_RESULT_OK) /* or have it made */
                keep(&kept);
        for (int role = 1; role <= (int)VAULT_ROLE_SCHEDULER; role++)
            for (size_t o = 0; o < COUNT_OF(ops); o++)
                for (int purpose = 1; purpose <= (int)VAULT_INDEX; purpose++) {
                    enum vault_purpose meant = ops[o] == VAULT_OP_SEAL || ops[o] == VAULT_OP_OPEN
                                                   ? (enum vault_purpose)purpose
                                                   : VAULT_CREDENTIAL;
                    bool expected = vault_policy_allows_value((enum vault_role)role, ops[o], meant,
                                                              place.table, place.column);
                    int64_t counted = metric_read(page, METRIC_VAULT_REFUSED);
                    request_of(ops[o]);
                    request.purpose = (enum vault_purpose)purpose;
                    request.item_count = ops[o] == VAULT_OP_SEAL;
                    request.items[0].place = place;
                    request.items[0].plain = SLICE("value");
                    request.place = place;
                    request.sealed = kept.sealed;
                    request.data = SLICE("value");
                    enum vault_result result = ask(core, (enum vault_role)role);
                    if ((result != VAULT_RESULT_FORBIDDEN) != expected)
                        fail_msg("%s %s %d %s.%s: %d", vault_role_name((enum vault_role)role),
                                 vault_op_name(ops[o]), purpose, columns[c].table, columns[c].column, result);
                    assert_int_equal(metric_read(page, METRIC_VAULT_REFUSED), counted + !expected);
                    if (!expected) {
                        assert_int_equal(answer_bytes.len, 7); /* head and result, and no octet more */
                        refused++;
                    } else {
                        assert_int_equal(result, ops[o] == VAULT_OP_VERIFY_MAC ? VAULT_RESULT_MISMATCH
                                                                               : VAULT_RESULT_OK);
                        allowed++;
                    }
                }
    }
    assert_int_equal(refused + allowed, COUNT_OF(columns) * 5 * COUNT_OF(ops) * 3);
    assert_int_equal(allowed,
                     30 + 5 * 3); /* what uses a credential has no purpose in it: three times the same */
    vault_core_free(core);
}

static void
operations_without_a_value_go_by_role_too(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_wrapped_key keys[3];

    assert_int_equal(make_keys(core, tenant_a, keys), VAULT_RESULT_OK);
    for (int role = 1; role <= (int)VAULT_ROLE_SCHEDULER; role++) {
        const enum vault_op ops[] = { VAULT_OP_INDEX, VAULT_OP_MAKE_KEYS, VAULT_OP_FACTS };
        for (size_t o = 0; o < COUNT_OF(ops); o++) {
            request_of(ops[o]);
            request.tenant = tenant_a;
            request.label = SLICE("peer");
            enum vault_result expected = vault_policy_allows_op((enum vault_role)role, ops[o])
                                             ? VAULT_RESULT_OK
                                             : VAULT_RESULT_FORBIDDEN;
            assert_int_equal(ask(core, (enum vault_role)role), expected);
        }
        for (size_t i = 0; i < COUNT_OF(keys); i++) {
            bool expected = vault_policy_allows_key((enum vault_role)role, keys[i].purpose);
            /* Other keys of the same version are held: an allowed load is found to be another key. */
            assert_int_equal(load(core, (enum vault_role)role, &keys[i], true),
                             expected ? VAULT_RESULT_CORRUPT : VAULT_RESULT_FORBIDDEN);
        }
    }
    vault_core_free(core);
}

static enum vault_result
index_of(struct vault_core *core, struct id tenant, struct slice label, struct slice value,
         unsigned char out[VAULT_INDEX_BYTES])
{
    request_of(VAULT_OP_INDEX);
    request.tenant = tenant;
    request.label = label;
    request.data = value;
    enum vault_result result = ask(core, VAULT_ROLE_GATEWAY);
    memcpy(out, answer.mac, VAULT_INDEX_BYTES);
    return result;
}

static void
several_values_seal_in_one_request_or_none_does(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    uint64_t sealed = (uint64_t)metric_read(page, METRIC_VAULT_SEALS);

    request_of(VAULT_OP_SEAL);
    request.purpose = VAULT_CONTENT;
    request.item_count = 3;
    request.items[0].place = place_of(tenant_a, "message", "peer");
    request.items[0].plain = SLICE("+14155550123");
    request.items[1].place = place_of(tenant_b, "message", "content");
    request.items[1].plain = SLICE_EMPTY;
    request.items[2].place = place_of(tenant_a, "provider_event", "body");
    request.items[2].plain = SLICE("third");
    struct vault_request three = request;
    assert_int_equal(ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_OK);
    assert_int_equal(answer.sealed_count, 3);
    assert_int_equal(metric_read(page, METRIC_VAULT_SEALS), sealed + 3);
    static struct vault_answer all;
    static char bytes[4096];
    all = answer;
    for (size_t i = 0, at = 0; i < 3; at += all.sealed[i].cipher.len, i++) {
        memcpy(bytes + at, all.sealed[i].cipher.ptr, all.sealed[i].cipher.len);
        all.sealed[i].cipher.ptr = bytes + at;
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, three.items[i].place, &all.sealed[i]),
            VAULT_RESULT_OK);
        assert_true(slice_eq(answer.plain, three.items[i].plain));
    }
    request = three;
    request.items[2].place.column = SLICE("head"); /* nobody may */
    assert_int_equal(ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_FORBIDDEN);
    request = three;
    request.items[2].place.tenant.bytes[5] = 1; /* no key */
    assert_int_equal(ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_KEY_MISSING);
    assert_int_equal(metric_read(page, METRIC_VAULT_SEALS), sealed + 3);
    vault_core_free(core);
}

/* One round trip instead of two: the same index as by itself, for those who may have one. */
static void
a_value_is_sealed_and_indexed_in_one_request(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    unsigned char index[VAULT_INDEX_BYTES];
    struct vault_wrapped_key keys[3];

    assert_int_equal(index_of(core, tenant_a, SLICE("peer"), SLICE("+14155550123"), index), VAULT_RESULT_OK);
    request_of(VAULT_OP_SEAL);
    request.purpose = VAULT_CONTENT;
    request.item_count = 2;
    request.items[0].place = place_of(tenant_a, "event", "content"); /* webhooks may seal it, but not index */
    request.items[0].plain = SLICE("+14155550123");
    request.items[1] = request.items[0];
    request.items[1].index_label = SLICE("peer");
    struct vault_request both = request;
    assert_int_equal(ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_OK);
    assert_false(answer.indexes[0].is_made);
    assert_true(answer.indexes[1].is_made);
    assert_memory_equal(answer.indexes[1].mac, index, sizeof(index));
    request = both;
    assert_int_equal(ask(core, VAULT_ROLE_WEBHOOKS), VAULT_RESULT_FORBIDDEN);
    request = both;
    request.items[1].index_label = SLICE_EMPTY;
    assert_int_equal(ask(core, VAULT_ROLE_WEBHOOKS), VAULT_RESULT_OK);
    vault_core_free(core);

    core = core_booted(&options, NULL);
    assert_int_equal(make_keys(core, tenant_a, keys), VAULT_RESULT_OK);
    assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &keys[0], true), VAULT_RESULT_OK);
    request = both;
    assert_int_equal(ask(core, VAULT_ROLE_GATEWAY), VAULT_RESULT_KEY_MISSING);
    assert_int_equal(answer.missing.purpose, VAULT_INDEX);
    vault_core_free(core);
}

static void
a_missing_key_is_named(void **state UNUSED)
{
    struct vault_core *core = core_booted(&options, NULL);
    struct vault_sealed sealed = { .cipher = SLICE("cipher"), .key_version = 9 };

    assert_int_equal(seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL,
                          place_of(tenant_b, "webhook_endpoint", "secret"), SLICE("x")),
                     VAULT_RESULT_KEY_MISSING);
    assert_true(id_eq(answer.missing.tenant, tenant_b));
    assert_int_equal(answer.missing.purpose, VAULT_CREDENTIAL);
    assert_int_equal(answer.missing.version, 0);
    assert_int_equal(
        open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place_of(tenant_a, "message", "peer"), &sealed),
        VAULT_RESULT_KEY_MISSING);
    assert_true(id_eq(answer.missing.tenant, tenant_a));
    assert_int_equal(answer.missing.version, 9);
    vault_core_free(core);
}

/* The signature of a provider's webhook: checked in here, and never given out. */
static void
a_mac_is_verified_without_giving_the_secret_out(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "whatsapp_channel", "app_secret");
    unsigned char mac[MAC_BYTES];
    struct kept kept;

    seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("app secret"));
    keep(&kept);
    assert_ok(mac_sha256(SLICE("app secret"), SLICE("{\"entry\":[]}"), mac));
    assert_int_equal(use_credential(core, VAULT_ROLE_GATEWAY, VAULT_OP_VERIFY_MAC, place, &kept.sealed,
                                    SLICE("{\"entry\":[]}"), mac),
                     VAULT_RESULT_OK);
    assert_int_equal(answer_bytes.len, 7);
    assert_int_equal(use_credential(core, VAULT_ROLE_GATEWAY, VAULT_OP_VERIFY_MAC, place, &kept.sealed,
                                    SLICE("{\"entry\":[ ]}"), mac),
                     VAULT_RESULT_MISMATCH);
    for (size_t bit = 0; bit < sizeof(mac) * 8; bit++) {
        mac[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(use_credential(core, VAULT_ROLE_GATEWAY, VAULT_OP_VERIFY_MAC, place, &kept.sealed,
                                        SLICE("{\"entry\":[]}"), mac),
                         VAULT_RESULT_MISMATCH);
        assert_int_equal(answer_bytes.len, 7); /* not the right one either */
        mac[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    vault_core_free(core);
}

static void
a_candidate_matches_only_the_whole_value(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "whatsapp_channel", "verify_token");
    const struct {
        struct slice candidate;
        enum vault_result result;
    } cases[] = {
        { SLICE("verify me"), VAULT_RESULT_OK },        { SLICE("verify m"), VAULT_RESULT_MISMATCH },
        { SLICE("verify me!"), VAULT_RESULT_MISMATCH }, { SLICE("Verify me"), VAULT_RESULT_MISMATCH },
        { SLICE("verify mE"), VAULT_RESULT_MISMATCH },  { SLICE(""), VAULT_RESULT_MISMATCH },
        { SLICE("verify me\0"), VAULT_RESULT_MISMATCH }
    };
    struct kept kept;

    seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("verify me"));
    keep(&kept);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(use_credential(core, VAULT_ROLE_GATEWAY, VAULT_OP_MATCHES, place, &kept.sealed,
                                        cases[i].candidate, NULL),
                         cases[i].result);
    vault_core_free(core);
}

static void
a_webhook_is_signed_in_here(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "webhook_endpoint", "secret");
    unsigned char expected[MAC_BYTES];
    struct kept kept;

    seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("endpoint secret"));
    keep(&kept);
    assert_int_equal(use_credential(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed,
                                    SLICE("msg_1.1700000000.{}"), NULL),
                     VAULT_RESULT_OK);
    assert_ok(mac_sha256(SLICE("endpoint secret"), SLICE("msg_1.1700000000.{}"), expected));
    assert_memory_equal(answer.mac, expected, sizeof(expected));
    kept.cipher[0] ^= 1;
    assert_int_equal(use_credential(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed,
                                    SLICE("msg_1.1700000000.{}"), NULL),
                     VAULT_RESULT_CORRUPT);
    vault_core_free(core);
}

/* The private key is only ever seen sealed: its public half is what proves that it signs. */
static void
a_signing_key_is_made_and_stays_in_here(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "webhook_endpoint", "private_key");
    unsigned char first[VAULT_PUBLIC_KEY_BYTES];
    uint64_t sealed = (uint64_t)metric_read(page, METRIC_VAULT_SEALS);
    struct kept kept, other;

    assert_int_equal(make_ed25519(core, VAULT_ROLE_GATEWAY, place), VAULT_RESULT_OK);
    keep(&kept);
    memcpy(first, answer.public_key, sizeof(first));
    assert_int_equal(metric_read(page, METRIC_VAULT_SEALS), sealed + 1);
    assert_int_equal(use_credential(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_ED25519, place, &kept.sealed,
                                    SLICE("msg_1.1700000000.{}"), NULL),
                     VAULT_RESULT_OK);
    assert_ok(sign_ed25519_verify(first, SLICE("msg_1.1700000000.{}"), answer.signature));
    assert_int_equal(make_ed25519(core, VAULT_ROLE_GATEWAY, place), VAULT_RESULT_OK);
    keep(&other);
    assert_memory_not_equal(answer.public_key, first, sizeof(first)); /* each is drawn anew */
    place.generation++;
    assert_int_equal(use_credential(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_ED25519, place, &other.sealed,
                                    SLICE("x"), NULL),
                     VAULT_RESULT_CORRUPT);
    place.tenant.bytes[5] = 1;
    assert_int_equal(make_ed25519(core, VAULT_ROLE_GATEWAY, place), VAULT_RESULT_KEY_MISSING);
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
    } others[] = { { tenant_b, SLICE("peer"), SLICE("+14155550123") },
                   { tenant_a, SLICE("name"), SLICE("+14155550123") },
                   { tenant_a, SLICE("peer"), SLICE("+14155550124") },
                   { tenant_a, SLICE("pee"), SLICE("r+14155550123") },
                   { tenant_a, SLICE("pee"), SLICE("r\0+14155550123") } };

    assert_int_equal(index_of(core, tenant_a, SLICE("peer"), SLICE("+14155550123"), first), VAULT_RESULT_OK);
    assert_int_equal(index_of(core, tenant_a, SLICE("peer"), SLICE("+14155550123"), again), VAULT_RESULT_OK);
    assert_memory_equal(first, again, sizeof(first));
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        assert_int_equal(index_of(core, others[i].tenant, others[i].label, others[i].value, again),
                         VAULT_RESULT_OK);
        assert_memory_not_equal(first, again, sizeof(first));
    }
    vault_core_free(core);
}

/* Whoever can write tenant_key cannot give one tenant another's key, nor one key the work of another. */
static void
a_wrapped_key_is_good_only_for_whom_it_was_made(void **state UNUSED)
{
    struct vault_core *core = core_booted(&options, NULL);
    struct vault_wrapped_key of_a[3], of_b[3], bad;

    assert_int_equal(make_keys(core, tenant_a, of_a), VAULT_RESULT_OK);
    assert_int_equal(make_keys(core, tenant_b, of_b), VAULT_RESULT_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(of_a[i].purpose, VAULT_CONTENT + i);
        assert_int_equal(of_a[i].version, 1);
        assert_int_equal(of_a[i].kek_version, 1);
        assert_memory_not_equal(of_a[i].cipher, of_b[i].cipher, VAULT_KEY_BYTES);
        bad = of_b[i];
        bad.tenant = tenant_a;
        assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        bad = of_a[i];
        bad.purpose = of_a[(i + 1) % 3].purpose;
        assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        bad = of_a[i];
        bad.version = 2;
        assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        bad = of_a[i];
        bad.kek_version = 2;
        assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        for (size_t at = 0; at < VAULT_KEY_BYTES + VAULT_IV_BYTES + VAULT_TAG_BYTES; at++) {
            bad = of_a[i];
            unsigned char *octet = at < VAULT_KEY_BYTES ? &bad.cipher[at]
                                   : at < VAULT_KEY_BYTES + VAULT_IV_BYTES
                                       ? &bad.iv[at - VAULT_KEY_BYTES]
                                       : &bad.tag[at - VAULT_KEY_BYTES - VAULT_IV_BYTES];
            *octet ^= 0x80;
            assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &bad, true), VAULT_RESULT_CORRUPT);
        }
    }
    request_of(VAULT_OP_FACTS);
    assert_int_equal(ask(core, VAULT_ROLE_SCHEDULER), VAULT_RESULT_OK);
    assert_true(answer.keys_held == 0);
    load_all(core, of_a);
    load_all(core, of_a); /* twice is nothing new */
    request_of(VAULT_OP_FACTS);
    assert_int_equal(ask(core, VAULT_ROLE_SCHEDULER), VAULT_RESULT_OK);
    assert_true(answer.keys_held == 3);
    vault_core_free(core);
}

/* A ciphertext sealed with one purpose's key says nothing under another's, even in a column of the same name.
 */
static void
the_purposes_have_keys_of_their_own(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "whatsapp_channel", "access_token");
    struct kept kept;

    assert_int_equal(seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("t")),
                     VAULT_RESULT_FORBIDDEN);
    assert_int_equal(seal(core, VAULT_ROLE_GATEWAY, VAULT_INDEX, place, SLICE("t")), VAULT_RESULT_FORBIDDEN);
    seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("t"));
    keep(&kept);
    assert_int_equal(open_value(core, VAULT_ROLE_DISPATCHER, VAULT_CONTENT, place, &kept.sealed),
                     VAULT_RESULT_FORBIDDEN);
    vault_core_free(core);
}

static enum err
boot_with(struct slice key, const struct vault_kek *keks, size_t count, uint32_t make_version,
          struct vault_booted *booted, struct vault_core **core_out)
{
    struct vault_boot boot = {
        .masters = { key }, .master_count = 1, .kek_count = count, .make_version = make_version
    };
    struct vault_core *core;

    for (size_t i = 0; i < count; i++)
        boot.keks[i] = keks[i];
    assert_ok(vault_core_new(&options, &core));
    enum err err = vault_core_boot(core, &boot, booted);
    assert_int_equal(vault_result_err(booted->result), err);
    if (core_out != NULL && err == ERR_OK)
        *core_out = core;
    else
        vault_core_free(core);
    return err;
}

static void
hex_read(const char *text, unsigned char *out, size_t len)
{
    assert_ok(decode_hex(slice_text(text), out, len));
}

/*
 * A database of the first release, made by a second implementation from the description in docs/vault.md.
 * When this fails, sealed data in the world no longer opens.
 */
static void
what_the_first_release_stored_still_opens(void **state UNUSED)
{
    static const char *const wrapped[3][2] = {
        { "732e469cec42c71334ff130ab7c9b49aa1386f3544aeca91ceeb01a74d966d62",
          "ad162936b05e5a059a7ca94a1c621be3" },
        { "20fd7cce0e4a308f0825e735064cfb557b0f72879d69f88214375bcf6fd4628b",
          "4d85aabbf79831d035ad493daa98fffc" },
        { "2160192a9f40a3c61c186f68f486e925d6bc673030029844dfe18d1660097253",
          "d11e3bdb97955712a6fa4f8b7ce0b557" },
    };
    struct vault_kek kek = { .version = 1, .scrypt = { .n = 16384, .r = 8, .p = 1 } };
    struct vault_wrapped_key keys[3];
    struct vault_sealed sealed = { .key_version = 1 };
    unsigned char cipher[28], index[VAULT_INDEX_BYTES], expected[VAULT_INDEX_BYTES];
    struct vault_booted booted;
    struct vault_core *core = NULL;

    for (size_t i = 0; i < KDF_SALT_BYTES; i++)
        kek.scrypt.salt[i] = (unsigned char)i;
    memset(kek.check_iv, 0x21, sizeof(kek.check_iv));
    hex_read("7fe0449c3860f94598d2a1ee496b9061acba1ddd48b2e2684be8b78dc1e166fe", kek.check_cipher,
             sizeof(kek.check_cipher));
    hex_read("fc49428eeb5b861a82966ea0a3707d3d", kek.check_tag, sizeof(kek.check_tag));
    assert_ok(boot_with(master_key, &kek, 1, 0, &booted, &core));
    for (size_t i = 0; i < 3; i++) {
        keys[i] = (struct vault_wrapped_key){
            .tenant = tenant_a, .purpose = (enum vault_purpose)(i + 1), .version = 1, .kek_version = 1
        };
        memset(keys[i].iv, 0x31 + (int)i, sizeof(keys[i].iv));
        hex_read(wrapped[i][0], keys[i].cipher, sizeof(keys[i].cipher));
        hex_read(wrapped[i][1], keys[i].tag, sizeof(keys[i].tag));
    }
    load_all(core, keys);
    memset(sealed.iv, 0x44, sizeof(sealed.iv));
    hex_read("f463872f411d7eb7b45c6cc35a2002482e5df96f4e5c0694a5816601", cipher, sizeof(cipher));
    hex_read("e0f2003a42b2c6af8a43620b2dfcfbca", sealed.tag, sizeof(sealed.tag));
    sealed.cipher = slice_of(cipher, sizeof(cipher));
    assert_int_equal(open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT,
                                place_of(tenant_a, "message", "content"), &sealed),
                     VAULT_RESULT_OK);
    assert_true(slice_eq(answer.plain, SLICE("hello from the first release")));
    hex_read("f05b555ef8124ccf4ed2f4b9fc2ebb2e4728db84c065238894080bc1c76aaa0e", expected, sizeof(expected));
    assert_int_equal(index_of(core, tenant_a, SLICE("peer"), SLICE("+14155550123"), index), VAULT_RESULT_OK);
    assert_memory_equal(index, expected, sizeof(expected));
    vault_core_free(core);
}

static void
a_wrong_master_key_is_told_apart(void **state UNUSED)
{
    struct vault_booted booted;
    struct vault_kek kek, bad;
    size_t used = secret_pool_used();

    vault_core_free(core_booted(&options, &kek));
    assert_ok(boot_with(master_key, &kek, 1, 0, &booted, NULL));
    assert_false(booted.has_made);
    assert_int_equal(boot_with(other_master_key, &kek, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    assert_int_equal(booted.kek_version, 1);
    bad = kek;
    bad.scrypt.salt[31] ^= 1;
    assert_int_equal(boot_with(master_key, &bad, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    bad = kek;
    bad.scrypt.p = 2;
    assert_int_equal(boot_with(master_key, &bad, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    bad = kek;
    bad.version = 2;
    assert_int_equal(boot_with(master_key, &bad, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    bad = kek;
    bad.check_tag[0] ^= 1;
    assert_int_equal(boot_with(master_key, &bad, 1, 0, &booted, NULL), ERR_VAULT_KEK_WRONG);
    assert_int_equal(secret_pool_used(), used);
}

static void
parameters_out_of_bounds_do_not_boot(void **state UNUSED)
{
    struct vault_booted booted;
    struct vault_kek kek, keks[2];

    vault_core_free(core_booted(&options, &kek));
    kek.scrypt.n = KDF_SCRYPT_N_MIN / 2; /* weaker than we ever made one */
    assert_int_equal(boot_with(master_key, &kek, 1, 0, &booted, NULL), ERR_LIMIT);
    kek.scrypt.n = KDF_SCRYPT_N_MAX * 2;
    assert_int_equal(boot_with(master_key, &kek, 1, 0, &booted, NULL), ERR_LIMIT);
    assert_int_equal(boot_with(master_key, NULL, 0, 0, &booted, NULL), ERR_LIMIT);
    vault_core_free(core_booted(&options, &kek));
    keks[0] = keks[1] = kek;
    assert_int_equal(boot_with(master_key, keks, 2, 0, &booted, NULL), ERR_LIMIT);
    assert_int_equal(boot_with(master_key, &kek, 1, 1, &booted, NULL), ERR_LIMIT);
}

/* Rotation begins like this: a second KEK, under which new keys are wrapped, while the old ones still load.
 */
static void
a_new_kek_stands_beside_the_old_one(void **state UNUSED)
{
    struct vault_core *core;
    struct vault_booted booted;
    struct vault_wrapped_key old[3], new[3];
    struct vault_kek keks[2];

    core = core_booted(&options, &keks[0]);
    assert_int_equal(make_keys(core, tenant_a, old), VAULT_RESULT_OK);
    vault_core_free(core);
    assert_ok(boot_with(master_key, keks, 1, 2, &booted, &core));
    assert_true(booted.has_made && booted.kek_version == 2);
    assert_memory_not_equal(booted.made.scrypt.salt, keks[0].scrypt.salt, KDF_SALT_BYTES);
    keks[1] = booted.made;
    load_all(core, old);
    assert_int_equal(make_keys(core, tenant_b, new), VAULT_RESULT_OK);
    assert_int_equal(new[0].kek_version, 2);
    vault_core_free(core);
    assert_ok(boot_with(master_key, keks, 2, 0, &booted, &core));
    load_all(core, old);
    load_all(core, new);
    vault_core_free(core);
}

static void
a_key_seals_only_so_many_values(void **state UNUSED)
{
    struct vault_core_options few = options;
    struct vault_wrapped_key keys[3];
    struct vault_frame_place place = place_of(tenant_a, "message", "content");
    struct kept kept;

    few.seals_max = 3;
    struct vault_core *core = core_booted(&few, NULL);
    assert_int_equal(make_keys(core, tenant_a, keys), VAULT_RESULT_OK);
    load_all(core, keys);
    for (int i = 0; i < 3; i++) {
        seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("x"));
        keep(&kept);
    }
    assert_int_equal(seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, SLICE("x")), VAULT_RESULT_LIMIT);
    assert_int_equal(open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, place, &kept.sealed),
                     VAULT_RESULT_OK);
    assert_true(VAULT_CORE_OPTIONS.seals_max == UINT64_C(2147483648));
    vault_core_free(core);
}

static void
values_have_limits(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place message = place_of(tenant_a, "message", "content");
    struct vault_frame_place secret = place_of(tenant_a, "whatsapp_channel", "app_secret");
    char *much = malloc(VAULT_PLAIN_BYTES_MAX);
    struct kept empty = { .sealed = { .key_version = 1 } };

    assert_non_null(much);
    memset(much, 'm', VAULT_PLAIN_BYTES_MAX);
    assert_int_equal(seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, secret, SLICE("")), VAULT_RESULT_LIMIT);
    assert_int_equal(seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, secret,
                          slice_of(much, VAULT_CREDENTIAL_BYTES_MAX + 1)),
                     VAULT_RESULT_LIMIT);
    assert_int_equal(
        seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, secret, slice_of(much, VAULT_CREDENTIAL_BYTES_MAX)),
        VAULT_RESULT_OK);
    /* An empty secret would verify what anybody can compute. */
    unsigned char mac[MAC_BYTES];
    assert_ok(mac_sha256(SLICE(""), SLICE("body"), mac));
    assert_int_equal(use_credential(core, VAULT_ROLE_GATEWAY, VAULT_OP_VERIFY_MAC, secret, &empty.sealed,
                                    SLICE("body"), mac),
                     VAULT_RESULT_CORRUPT);
    assert_int_equal(
        seal(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, message, slice_of(much, VAULT_PLAIN_BYTES_MAX)),
        VAULT_RESULT_OK);
    struct vault_sealed sealed = answer.sealed[0];
    char *cipher = malloc(sealed.cipher.len);
    assert_non_null(cipher);
    memcpy(cipher, sealed.cipher.ptr, sealed.cipher.len);
    sealed.cipher.ptr = cipher;
    assert_int_equal(open_value(core, VAULT_ROLE_GATEWAY, VAULT_CONTENT, message, &sealed), VAULT_RESULT_OK);
    assert_true(slice_eq(answer.plain, slice_of(much, VAULT_PLAIN_BYTES_MAX)));
    free(cipher);
    free(much);
    vault_core_free(core);
}

static void
a_full_key_table_forgets_the_oldest_and_learns_it_again(void **state UNUSED)
{
    struct vault_core *core = core_booted(&options, NULL);
    struct vault_wrapped_key first[3], keys[3];
    unsigned char index[VAULT_INDEX_BYTES], again[VAULT_INDEX_BYTES];

    assert_int_equal(make_keys(core, tenant_a, first), VAULT_RESULT_OK);
    load_all(core, first);
    assert_int_equal(index_of(core, tenant_a, SLICE("peer"), SLICE("x"), index), VAULT_RESULT_OK);
    for (uint32_t i = 0; i < VAULT_SEAL_KEYS_MAX; i++) {
        struct id tenant = { { 0xc } };
        num_u32be_put(tenant.bytes + 12, i);
        assert_int_equal(make_keys(core, tenant, keys), VAULT_RESULT_OK);
        assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &keys[0], true), VAULT_RESULT_OK);
    }
    assert_int_equal(index_of(core, tenant_a, SLICE("peer"), SLICE("x"), again), VAULT_RESULT_KEY_MISSING);
    assert_int_equal(load(core, VAULT_ROLE_GATEWAY, &first[2], true), VAULT_RESULT_OK);
    assert_int_equal(index_of(core, tenant_a, SLICE("peer"), SLICE("x"), again), VAULT_RESULT_OK);
    assert_memory_equal(index, again, sizeof(index));
    vault_core_free(core);
}

static void
bytes_that_are_no_request_get_no_answer(void **state UNUSED)
{
    struct vault_core *core = core_booted(&options, NULL);
    struct vault_outcome outcome;
    const struct slice frames[] = { SLICE_EMPTY, SLICE("x"), SLICE("\1\11\0\0\0\1x"),
                                    SLICE("\2\11\0\0\0\1") };

    for (size_t i = 0; i < COUNT_OF(frames); i++) {
        assert_int_equal(vault_core_handle(core, VAULT_ROLE_GATEWAY, frames[i], &answer_bytes, &outcome),
                         ERR_FRAME);
        assert_int_equal(answer_bytes.len, 0);
    }
    assert_ok(vault_core_handle(core, VAULT_ROLE_GATEWAY, SLICE("\1\11\0\0\0\1"), &answer_bytes, &outcome));
    vault_core_free(core);
}

/* Everything that was ever in the pool is gone when the vault is: the free part of a pool is zero. */
static void
nothing_stays_in_the_secret_memory(void **state UNUSED)
{
    size_t used = secret_pool_used();
    struct vault_core *core = core_with_tenants();
    struct vault_frame_place place = place_of(tenant_a, "webhook_endpoint", "secret");
    struct kept kept;

    seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("endpoint secret"));
    keep(&kept);
    size_t booted = secret_pool_used();
    assert_true(booted > used);
    use_credential(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed, SLICE("x"), NULL);
    kept.cipher[0] ^= 1;
    use_credential(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed, SLICE("x"), NULL);
    assert_int_equal(secret_pool_used(), booted); /* a request leaves nothing, whether it succeeds or not */
    vault_core_free(core);
    assert_int_equal(secret_pool_used(), used);
    struct secret *rest = secret_new(POOL_BYTES - 4096 - used);
    assert_non_null(rest);
    for (size_t i = 0; i < secret_len(rest); i++)
        if (secret_bytes(rest)[i] != 0)
            fail_msg("octet %zu of the pool was not wiped", i);
    secret_free(rest);
}

static void
a_full_pool_is_an_answer_and_not_an_end(void **state UNUSED)
{
    struct vault_core *core = core_with_tenants(), *second;
    struct vault_frame_place place = place_of(tenant_a, "webhook_endpoint", "secret");
    struct secret *fill[64];
    size_t filled = 0;
    struct kept kept;

    seal(core, VAULT_ROLE_GATEWAY, VAULT_CREDENTIAL, place, SLICE("endpoint secret"));
    keep(&kept);
    for (size_t bytes = POOL_BYTES; bytes > 0; bytes /= 2)
        while (filled < COUNT_OF(fill) && (fill[filled] = secret_new(bytes)) != NULL)
            filled++;
    assert_int_equal(
        use_credential(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed, SLICE("x"), NULL),
        VAULT_RESULT_NO_MEMORY);
    assert_int_equal(vault_core_new(&options, &second), ERR_NO_MEMORY);
    while (filled > 0)
        secret_free(fill[--filled]);
    assert_int_equal(
        use_credential(core, VAULT_ROLE_WEBHOOKS, VAULT_OP_SIGN_MAC, place, &kept.sealed, SLICE("x"), NULL),
        VAULT_RESULT_OK);
    vault_core_free(core);
}

/* Comparing secrets must take the same time wherever they differ: only secret_eq does. */
static void
the_vault_compares_only_in_constant_time(void **state UNUSED)
{
    const char *root = getenv("HARKARA_SOURCE");
    const char *const files[] = { "vault_associated.c", "vault_core.c",       "vault_core_kek.c",
                                  "vault_core_key.c",   "vault_core_value.c", "vault_keyring.c",
                                  "vault_selftest.c" };

    if (root == NULL)
        skip();
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        static char text[65536];
        char path[1024];
        snprintf(path, sizeof(path), "%s/src/program/vault/%s", root, files[i]);
        FILE *file = fopen(path, "rb");
        assert_non_null(file);
        size_t len = fread(text, 1, sizeof(text), file);
        fclose(file);
        assert_true(len > 0 && len < sizeof(text));
        struct slice source = slice_of(text, len);
        if (slice_contains(source, SLICE("memcmp(")) || slice_contains(source, SLICE("slice_eq(")) ||
            slice_contains(source, SLICE("slice_compare(")) || slice_contains(source, SLICE("strcmp(")))
            fail_msg("%s compares in time that tells", files[i]);
    }
}

static int
pool_open(void **state UNUSED)
{
    page = calloc(1, metric_page_bytes());
    if (page == NULL || secret_pool_open_unlocked(POOL_BYTES) != ERR_OK)
        return -1;
    metric_open(page, "vault");
    buf_init(&answer_bytes, VAULT_FRAME_BYTES_MAX);
    return 0;
}

static int
pool_close(void **state UNUSED)
{
    buf_release(&answer_bytes);
    return 0; /* the page stays with the process */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_answers_come_out),
        cmocka_unit_test(what_was_sealed_opens_in_its_place),
        cmocka_unit_test(equal_values_do_not_seal_alike),
        cmocka_unit_test(a_moved_value_does_not_open),
        cmocka_unit_test(a_changed_value_does_not_open),
        cmocka_unit_test(an_older_generation_does_not_come_back),
        cmocka_unit_test(whatever_is_not_allowed_is_refused_and_counted),
        cmocka_unit_test(operations_without_a_value_go_by_role_too),
        cmocka_unit_test(several_values_seal_in_one_request_or_none_does),
        cmocka_unit_test(a_value_is_sealed_and_indexed_in_one_request),
        cmocka_unit_test(a_missing_key_is_named),
        cmocka_unit_test(a_mac_is_verified_without_giving_the_secret_out),
        cmocka_unit_test(a_candidate_matches_only_the_whole_value),
        cmocka_unit_test(a_webhook_is_signed_in_here),
        cmocka_unit_test(a_signing_key_is_made_and_stays_in_here),
        cmocka_unit_test(equal_values_meet_in_the_index_and_only_within_their_tenant),
        cmocka_unit_test(a_wrapped_key_is_good_only_for_whom_it_was_made),
        cmocka_unit_test(the_purposes_have_keys_of_their_own),
        cmocka_unit_test(what_the_first_release_stored_still_opens),
        cmocka_unit_test(a_wrong_master_key_is_told_apart),
        cmocka_unit_test(parameters_out_of_bounds_do_not_boot),
        cmocka_unit_test(a_new_kek_stands_beside_the_old_one),
        cmocka_unit_test(a_key_seals_only_so_many_values),
        cmocka_unit_test(values_have_limits),
        cmocka_unit_test(a_full_key_table_forgets_the_oldest_and_learns_it_again),
        cmocka_unit_test(bytes_that_are_no_request_get_no_answer),
        cmocka_unit_test(nothing_stays_in_the_secret_memory),
        cmocka_unit_test(a_full_pool_is_an_answer_and_not_an_end),
        cmocka_unit_test(the_vault_compares_only_in_constant_time),
    };
    return cmocka_run_group_tests(tests, pool_open, pool_close);
}
