#include "program/vault/vault_core_testing.h"
#include "core/secret.h"
#include <stdlib.h>

const struct vault_core_options core_options = { .key_capacity = VAULT_SEAL_KEYS_MAX,
                                                 .scrypt_n = KDF_SCRYPT_N_MIN,
                                                 .seals_max = VAULT_KEY_SEALS_MAX };
const struct slice core_master_key = { "a master key of thirty-two bytes", 32 };
const struct slice core_other_master_key = { "A master key of thirty-two bytes", 32 };
const struct id core_tenant_a = { { 0xa } }, core_tenant_b = { { 0xb } };
void *core_page;
struct vault_request core_request;
struct vault_answer core_answer;
struct buf core_answer_bytes;

enum vault_result
core_ask(struct vault_core *core, enum vault_role role)
{
    struct vault_outcome outcome;
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    vault_request_encode(&frame, &core_request);
    assert_ok(buf_done(&frame));
    assert_ok(vault_core_handle(core, role, buf_slice(&frame), &core_answer_bytes, &outcome));
    buf_release(&frame);
    assert_ok(vault_answer_decode(buf_slice(&core_answer_bytes), &core_answer));
    assert_int_equal(core_answer.op, core_request.op);
    assert_int_equal(core_answer.id, core_request.id);
    assert_int_equal(core_answer.result, outcome.result);
    assert_int_equal(core_answer.op, outcome.op);
    return core_answer.result;
}

struct vault_frame_place
core_place(struct id tenant, const char *table, const char *column)
{
    return (struct vault_frame_place){ .tenant = tenant,
                                       .table = slice_text(table),
                                       .column = slice_text(column),
                                       .row = { { 0x77 } },
                                       .generation = 3 };
}

void
core_request_of(enum vault_op op)
{
    memset(&core_request, 0, sizeof(core_request));
    core_request.op = op;
    core_request.id = 41;
}

enum vault_result
core_seal(struct vault_core *core, enum vault_role role, enum vault_purpose purpose,
          struct vault_frame_place place, struct slice plain)
{
    core_request_of(VAULT_OP_SEAL);
    core_request.purpose = purpose;
    core_request.item_count = 1;
    core_request.items[0].place = place;
    core_request.items[0].plain = plain;
    return core_ask(core, role);
}

void
core_keep(struct core_kept *kept)
{
    assert_int_equal(core_answer.result, VAULT_RESULT_OK);
    assert_int_equal(core_answer.sealed_count, 1);
    assert_true(core_answer.sealed[0].cipher.len <= sizeof(kept->cipher));
    kept->sealed = core_answer.sealed[0];
    memcpy(kept->cipher, core_answer.sealed[0].cipher.ptr, core_answer.sealed[0].cipher.len);
    kept->sealed.cipher.ptr = kept->cipher;
}

enum vault_result
core_open(struct vault_core *core, enum vault_role role, enum vault_purpose purpose,
          struct vault_frame_place place, const struct vault_sealed *sealed)
{
    core_request_of(VAULT_OP_OPEN);
    core_request.purpose = purpose;
    core_request.place = place;
    core_request.sealed = *sealed;
    return core_ask(core, role);
}

enum vault_result
core_use(struct vault_core *core, enum vault_role role, enum vault_op op, struct vault_frame_place place,
         const struct vault_sealed *sealed, struct slice data, const unsigned char *mac)
{
    core_request_of(op);
    core_request.place = place;
    core_request.sealed = *sealed;
    core_request.data = data;
    if (mac != NULL)
        memcpy(core_request.mac, mac, sizeof(core_request.mac));
    return core_ask(core, role);
}

enum vault_result
core_make_ed25519(struct vault_core *core, enum vault_role role, struct vault_frame_place place)
{
    core_request_of(VAULT_OP_MAKE_ED25519);
    core_request.place = place;
    return core_ask(core, role);
}

enum vault_result
core_make_totp(struct vault_core *core, enum vault_role role, struct vault_frame_place place)
{
    core_request_of(VAULT_OP_MAKE_TOTP);
    core_request.place = place;
    return core_ask(core, role);
}

enum vault_result
core_check_totp(struct vault_core *core, struct vault_frame_place place, const struct vault_sealed *sealed,
                struct slice code, uint64_t step, uint64_t last)
{
    core_request_of(VAULT_OP_CHECK_TOTP);
    core_request.place = place;
    core_request.sealed = *sealed;
    core_request.data = code;
    core_request.totp_step = step;
    core_request.totp_last = last;
    return core_ask(core, VAULT_ROLE_GATEWAY);
}

enum vault_result
core_load(struct vault_core *core, enum vault_role role, const struct vault_wrapped_key *key, bool is_newest)
{
    core_request_of(VAULT_OP_KEY_LOAD);
    core_request.key = *key;
    core_request.is_newest = is_newest;
    return core_ask(core, role);
}

enum vault_result
core_make_keys(struct vault_core *core, struct id tenant, struct vault_wrapped_key out[3])
{
    core_request_of(VAULT_OP_MAKE_KEYS);
    core_request.tenant = tenant;
    enum vault_result result = core_ask(core, VAULT_ROLE_ADMIN);
    memcpy(out, core_answer.keys, sizeof(core_answer.keys));
    return result;
}

void
core_load_all(struct vault_core *core, const struct vault_wrapped_key keys[3])
{
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(core_load(core, VAULT_ROLE_GATEWAY, &keys[i], true), VAULT_RESULT_OK);
}

struct vault_core *
core_booted(const struct vault_core_options *with, struct vault_kek *kek_out)
{
    struct vault_boot boot = { .masters = { core_master_key }, .master_count = 1, .make_version = 1 };
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

struct vault_core *
core_with_tenants(void)
{
    struct vault_core *core = core_booted(&core_options, NULL);
    const struct id tenants[] = { core_tenant_a, core_tenant_b };

    for (size_t i = 0; i < COUNT_OF(tenants); i++) {
        struct vault_wrapped_key keys[3];
        assert_int_equal(core_make_keys(core, tenants[i], keys), VAULT_RESULT_OK);
        core_load_all(core, keys);
    }
    return core;
}

enum vault_result
core_index(struct vault_core *core, struct id tenant, struct slice label, struct slice value,
           unsigned char out[VAULT_INDEX_BYTES])
{
    core_request_of(VAULT_OP_INDEX);
    core_request.tenant = tenant;
    core_request.label = label;
    core_request.data = value;
    enum vault_result result = core_ask(core, VAULT_ROLE_GATEWAY);
    memcpy(out, core_answer.mac, VAULT_INDEX_BYTES);
    return result;
}

enum err
core_boot_with(struct slice key, const struct vault_kek *keks, size_t count, uint32_t make_version,
               struct vault_booted *booted, struct vault_core **core_out)
{
    struct vault_boot boot = {
        .masters = { key }, .master_count = 1, .kek_count = count, .make_version = make_version
    };
    struct vault_core *core;

    for (size_t i = 0; i < count; i++)
        boot.keks[i] = keks[i];
    assert_ok(vault_core_new(&core_options, &core));
    enum err err = vault_core_boot(core, &boot, booted);
    assert_int_equal(vault_result_err(booted->result), err);
    if (core_out != NULL && err == ERR_OK)
        *core_out = core;
    else
        vault_core_free(core);
    return err;
}

int
core_testing_open(void **state UNUSED)
{
    core_page = calloc(1, metric_page_bytes());
    if (core_page == NULL || secret_pool_open_unlocked(CORE_POOL_BYTES) != ERR_OK)
        return -1;
    metric_open(core_page, "vault");
    buf_init(&core_answer_bytes, VAULT_FRAME_BYTES_MAX);
    return 0;
}

int
core_testing_close(void **state UNUSED)
{
    buf_release(&core_answer_bytes);
    return 0; /* the page stays with the process */
}
