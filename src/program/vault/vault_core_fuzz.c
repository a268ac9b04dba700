#include "core/fuzz.h"
#include "core/num.h"
#include "core/secret.h"
#include "program/vault/vault_core.h"
#include "program/vault/vault_policy.h"

/*
 * A peer that has valid sealed values and may say anything. Four octets choose a role, an operation, a column
 * and a purpose; a proper request is made of them, for a value that was really sealed; then each three octets
 * of the rest change one octet of its frame (or, with the highest offsets, cut it). Whatever comes out, a
 * sealed text appears in an answer only where the policy lets this role open this column, at its own place.
 */
static const struct slice canary = { "a sealed text, to be recognised", 31 };
static const struct id tenant = { { 0xa } };
static const struct {
    enum vault_purpose purpose;
    const char *table, *column;
} columns[] = {
    { VAULT_CONTENT, "message", "peer" },
    { VAULT_CONTENT, "message", "content" },
    { VAULT_CONTENT, "event", "content" },
    { VAULT_CONTENT, "provider_event", "body" },
    { VAULT_CREDENTIAL, "whatsapp_channel", "access_token" },
    { VAULT_CREDENTIAL, "whatsapp_channel", "app_secret" },
    { VAULT_CREDENTIAL, "whatsapp_channel", "verify_token" },
    { VAULT_CREDENTIAL, "webhook_endpoint", "secret" },
    { VAULT_CREDENTIAL, "totp", "secret" }, /* the last: nobody seals it, it is made */
};
#define TOTP (COUNT_OF(columns) - 1)
static char totp_secret[VAULT_TOTP_SECRET_BYTES];

static struct vault_core *core;
static struct vault_wrapped_key keys[VAULT_PURPOSE_COUNT];
static struct vault_sealed sealed[COUNT_OF(columns)];
static char ciphers[COUNT_OF(columns)][64];
static struct vault_request request, changed;
static struct vault_answer answer;
static struct buf frame, answer_bytes;

static struct vault_frame_place
place_of(size_t column)
{
    return (struct vault_frame_place){ .tenant = tenant,
                                       .table = slice_text(columns[column].table),
                                       .column = slice_text(columns[column].column),
                                       .row = { { 7 } },
                                       .generation = 1 };
}

static enum err
ask(enum vault_role role)
{
    struct vault_outcome outcome;

    enum err err = vault_core_handle(core, role, buf_slice(&frame), &answer_bytes, &outcome);
    if (err == ERR_OK) {
        FUZZ_CHECK(vault_answer_decode(buf_slice(&answer_bytes), &answer) == ERR_OK);
        FUZZ_CHECK(answer.op == outcome.op && answer.result == outcome.result);
    }
    return err;
}

static void
ask_well(enum vault_role role)
{
    buf_clear(&frame);
    vault_request_encode(&frame, &request);
    FUZZ_CHECK(ask(role) == ERR_OK && answer.result == VAULT_RESULT_OK);
}

/* Once: a core with a tenant's keys, and one value sealed for each column that the gateway seals. */
static void
begin(void)
{
    const struct vault_core_options options = { VAULT_SEAL_KEYS_MAX, KDF_SCRYPT_N_MIN, VAULT_KEY_SEALS_MAX };
    const struct vault_boot boot = { .masters = { SLICE("0123456789abcdef0123456789abcdef") },
                                     .master_count = 1,
                                     .make_version = 1 };
    struct vault_booted booted;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    buf_init(&answer_bytes, VAULT_FRAME_BYTES_MAX);
    if (secret_pool_memory() == SECRET_MEMORY_NONE)
        FUZZ_CHECK(secret_pool_open_unlocked(1u << 20) == ERR_OK);
    FUZZ_CHECK(vault_core_new(&options, &core) == ERR_OK);
    FUZZ_CHECK(vault_core_boot(core, &boot, &booted) == ERR_OK);
    request = (struct vault_request){ .op = VAULT_OP_MAKE_KEYS, .tenant = tenant };
    ask_well(VAULT_ROLE_ADMIN);
    memcpy(keys, answer.keys, sizeof(keys));
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        request = (struct vault_request){ .op = VAULT_OP_KEY_LOAD, .is_newest = true, .key = keys[i] };
        ask_well(VAULT_ROLE_GATEWAY);
    }
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        request = (struct vault_request){ .op = i == TOTP ? VAULT_OP_MAKE_TOTP : VAULT_OP_SEAL,
                                          .purpose = columns[i].purpose,
                                          .item_count = 1,
                                          .place = place_of(i) };
        request.items[0].place = place_of(i);
        request.items[0].plain = canary;
        ask_well(VAULT_ROLE_GATEWAY);
        if (i == TOTP)
            memcpy(totp_secret, answer.plain.ptr, sizeof(totp_secret));
        sealed[i] = answer.sealed[0];
        memcpy(ciphers[i], sealed[i].cipher.ptr, sealed[i].cipher.len);
        sealed[i].cipher.ptr = ciphers[i];
    }
}

FUZZ_TARGET(data, size)
{
    if (core == NULL)
        begin();
    if (size < 4)
        return 0;
    enum vault_role role = (enum vault_role)(data[0] % VAULT_ROLE_LAST + 1);
    size_t column = data[2] % COUNT_OF(columns);
    request = (struct vault_request){ .op = (enum vault_op)(data[1] % VAULT_OP_LAST + 1),
                                      .id = 1,
                                      .purpose = (enum vault_purpose)(data[3] % VAULT_PURPOSE_COUNT + 1),
                                      .item_count = 1,
                                      .place = place_of(column),
                                      .sealed = sealed[column],
                                      .data = canary,
                                      .tenant = tenant,
                                      .label = SLICE("peer"),
                                      .key = keys[data[3] % VAULT_PURPOSE_COUNT] };
    request.items[0].place = request.place;
    request.items[0].plain = canary;
    if ((data[0] & 0x80) != 0)
        request.items[0].index_label = request.label;
    request.items[0].sealed = request.sealed;
    request.version = data[3];
    if (request.op != VAULT_OP_SEAL && request.op != VAULT_OP_RESEAL)
        request.item_count = 0;
    buf_clear(&frame);
    vault_request_encode(&frame, &request);
    for (size_t at = 4; size - at >= 3; at += 3) {
        uint16_t where = num_u16be_get(data + at);
        if (where >= 0xff00)
            frame.len = frame.len > where - 0xff00u ? frame.len - (where - 0xff00u) : 0;
        else if (where < frame.len)
            frame.ptr[where] = (char)(frame.ptr[where] ^ data[at + 2]);
    }
    bool is_request = vault_request_decode(buf_slice(&frame), &changed) == ERR_OK;
    bool may_open = is_request && changed.op == VAULT_OP_OPEN &&
                    vault_policy_allows_value(role, VAULT_OP_OPEN, changed.purpose, changed.place.table,
                                              changed.place.column) &&
                    id_eq(changed.place.tenant, tenant) && id_eq(changed.place.row, request.place.row) &&
                    slice_eq(changed.place.table, request.place.table) &&
                    slice_eq(changed.place.column, request.place.column) && changed.place.generation == 1 &&
                    changed.purpose == columns[column].purpose;
    size_t used = secret_pool_used();
    enum err err = ask(role);
    FUZZ_CHECK(err == (is_request ? ERR_OK : ERR_FRAME));
    FUZZ_CHECK(secret_pool_used() == used);
    FUZZ_CHECK(!slice_contains(buf_slice(&answer_bytes), slice_of(totp_secret, sizeof(totp_secret))));
    FUZZ_CHECK(may_open || !slice_contains(buf_slice(&answer_bytes), canary));
    FUZZ_CHECK(err != ERR_OK || answer.sealed_count == 0 || !answer.indexes[0].is_made ||
               vault_policy_allows_op(role, VAULT_OP_INDEX));
    if (err == ERR_OK && (changed.op == VAULT_OP_FORGET || changed.op == VAULT_OP_KEK_FORGET)) {
        vault_core_free(core); /* what it forgot, the next input wants to find */
        core = NULL;
        buf_release(&frame);
        buf_release(&answer_bytes);
    }
    return 0;
}
