#include "core/num.h"
#include "core/unit.h"
#include "wire/vault/vault_frame.h"
#include <stdlib.h>

static struct id
id_filled(uint8_t byte)
{
    struct id id;
    memset(id.bytes, byte, sizeof(id.bytes));
    return id;
}

static struct vault_frame_place
place_of(const char *table, const char *column)
{
    return (struct vault_frame_place){ .tenant = id_filled(1),
                                       .table = slice_text(table),
                                       .column = slice_text(column),
                                       .row = id_filled(2),
                                       .generation = 0x01020304 };
}

static struct vault_sealed
sealed_of(const char *cipher)
{
    struct vault_sealed sealed = { .cipher = slice_text(cipher), .key_version = 7 };
    memset(sealed.iv, 0x11, sizeof(sealed.iv));
    memset(sealed.tag, 0x22, sizeof(sealed.tag));
    return sealed;
}

static struct vault_wrapped_key
wrapped_key(enum vault_purpose purpose)
{
    struct vault_wrapped_key key = {
        .tenant = id_filled(3), .purpose = purpose, .version = 4, .kek_version = 5
    };
    memset(key.cipher, 0x33, sizeof(key.cipher));
    memset(key.iv, 0x44, sizeof(key.iv));
    memset(key.tag, 0x55, sizeof(key.tag));
    return key;
}

/* One request of each operation, with every field it has. */
static void
request_fill(enum vault_op op, struct vault_request *out)
{
    memset(out, 0, sizeof(*out));
    out->op = op;
    out->id = 0xa1b2c3d4;
    switch (op) {
    case VAULT_OP_SEAL:
        out->purpose = VAULT_CONTENT;
        out->item_count = 2;
        out->items[0].place = place_of("message", "peer");
        out->items[0].plain = SLICE("+14155550123");
        out->items[0].index_label = SLICE("peer");
        out->items[1].place = place_of("message", "content");
        out->items[1].plain = SLICE_EMPTY;
        return;
    case VAULT_OP_OPEN:
        out->purpose = VAULT_CREDENTIAL;
        out->place = place_of("whatsapp_channel", "access_token");
        out->sealed = sealed_of("cipher");
        return;
    case VAULT_OP_INDEX:
        out->tenant = id_filled(9);
        out->label = SLICE("message.peer");
        out->data = SLICE("value");
        return;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_SIGN_MAC:
    case VAULT_OP_SIGN_ED25519:
        out->place = place_of("webhook_endpoint", "secret");
        out->sealed = sealed_of("");
        out->data = SLICE("body");
        if (op == VAULT_OP_VERIFY_MAC)
            memset(out->mac, 0x66, sizeof(out->mac));
        return;
    case VAULT_OP_KEY_LOAD:
        out->key = wrapped_key(VAULT_INDEX);
        out->key.seals = 0x123456789ab;
        out->is_newest = true;
        return;
    case VAULT_OP_REWRAP:
        out->key = wrapped_key(VAULT_CREDENTIAL);
        return;
    case VAULT_OP_RESEAL:
        out->purpose = VAULT_CONTENT;
        out->item_count = 2;
        out->items[0].place = place_of("message", "peer");
        out->items[0].sealed = sealed_of("cipher");
        out->items[1].place = place_of("message", "content");
        out->items[1].sealed = sealed_of("");
        return;
    case VAULT_OP_MAKE_KEY:
        out->tenant = id_filled(8);
        out->purpose = VAULT_CONTENT;
        out->version = 9;
        return;
    case VAULT_OP_FORGET:
        out->tenant = id_filled(8);
        out->purpose = VAULT_CREDENTIAL;
        out->version = 3;
        return;
    case VAULT_OP_KEK_FORGET:
        out->version = 2;
        return;
    case VAULT_OP_USAGE:
        out->taken = 0xfffffffe;
        return;
    case VAULT_OP_MAKE_KEYS:
        out->tenant = id_filled(8);
        return;
    case VAULT_OP_MAKE_ED25519:
        out->place = place_of("webhook_endpoint", "private_key");
        return;
    case VAULT_OP_MAKE_TOTP:
        out->place = place_of("totp", "secret");
        return;
    case VAULT_OP_CHECK_TOTP:
        out->totp_step = 0x123456789;
        out->totp_last = UINT64_MAX;
        out->place = place_of("totp", "secret");
        out->sealed = sealed_of("sealed");
        out->data = SLICE("123456");
        return;
    case VAULT_OP_FACTS:
        return;
    }
}

static void
answer_fill(enum vault_op op, enum vault_result result, struct vault_answer *out)
{
    memset(out, 0, sizeof(*out));
    out->op = op;
    out->id = 77;
    out->result = result;
    if (result == VAULT_RESULT_KEY_MISSING) {
        out->missing.tenant = id_filled(6);
        out->missing.purpose = VAULT_INDEX;
        out->missing.version = 2;
    }
    if (result != VAULT_RESULT_OK)
        return;
    switch (op) {
    case VAULT_OP_SEAL:
        out->sealed_count = 2;
        out->sealed[0] = sealed_of("one");
        out->sealed[1] = sealed_of("");
        out->indexes[0].is_made = true;
        memset(out->indexes[0].mac, 0x99, sizeof(out->indexes[0].mac));
        return;
    case VAULT_OP_OPEN:
        out->plain = SLICE("plain");
        return;
    case VAULT_OP_INDEX:
    case VAULT_OP_SIGN_MAC:
        memset(out->mac, 0x77, sizeof(out->mac));
        return;
    case VAULT_OP_MAKE_KEYS:
        out->keys[0] = wrapped_key(VAULT_CONTENT);
        out->keys[1] = wrapped_key(VAULT_CREDENTIAL);
        out->keys[2] = wrapped_key(VAULT_INDEX);
        return;
    case VAULT_OP_FACTS:
        out->memory = SECRET_MEMORY_FD;
        out->kek_version = 3;
        out->keys_held = UINT64_MAX;
        out->uses_uncounted = 5;
        out->instance = id_filled(4);
        out->kek_count = 2;
        out->keks[0] = 2;
        out->keks[1] = 3;
        return;
    case VAULT_OP_RESEAL:
        out->sealed_count = 2;
        out->sealed[0] = sealed_of("one");
        out->sealed[1] = sealed_of("");
        return;
    case VAULT_OP_REWRAP:
    case VAULT_OP_MAKE_KEY:
        out->keys[0] = wrapped_key(VAULT_CONTENT);
        return;
    case VAULT_OP_USAGE:
        out->instance = id_filled(4);
        out->batch = 6;
        out->use_count = 1;
        out->uses[0] = (struct vault_use){ id_filled(3), VAULT_CONTENT, 2, UINT64_MAX, 12 };
        return;
    case VAULT_OP_MAKE_ED25519:
        out->sealed_count = 1;
        out->sealed[0] = sealed_of("seed");
        memset(out->public_key, 0x12, sizeof(out->public_key));
        return;
    case VAULT_OP_SIGN_ED25519:
        memset(out->signature, 0x34, sizeof(out->signature));
        return;
    case VAULT_OP_MAKE_TOTP:
        out->sealed_count = 1;
        out->sealed[0] = sealed_of("sealed");
        out->plain = SLICE("secret");
        return;
    case VAULT_OP_CHECK_TOTP:
        out->totp_step = 0x123456789;
        return;
    case VAULT_OP_VERIFY_MAC:
    case VAULT_OP_MATCHES:
    case VAULT_OP_KEY_LOAD:
    case VAULT_OP_FORGET:
    case VAULT_OP_KEK_FORGET:
        return;
    }
}

static struct vault_kek
kek_of(uint32_t version)
{
    struct vault_kek kek = { .version = version, .scrypt = { .n = 1u << 17, .r = 8, .p = 1 } };
    memset(kek.scrypt.salt, 0x88, sizeof(kek.scrypt.salt));
    memset(kek.check_cipher, 0x99, sizeof(kek.check_cipher));
    memset(kek.check_iv, 0xaa, sizeof(kek.check_iv));
    memset(kek.check_tag, 0xbb, sizeof(kek.check_tag));
    return kek;
}

static bool
place_eq(const struct vault_frame_place *a, const struct vault_frame_place *b)
{
    return id_eq(a->tenant, b->tenant) && slice_eq(a->table, b->table) && slice_eq(a->column, b->column) &&
           id_eq(a->row, b->row) && a->generation == b->generation;
}

static bool
sealed_eq(const struct vault_sealed *a, const struct vault_sealed *b)
{
    return slice_eq(a->cipher, b->cipher) && a->key_version == b->key_version &&
           memcmp(a->iv, b->iv, sizeof(a->iv)) == 0 && memcmp(a->tag, b->tag, sizeof(a->tag)) == 0;
}

static bool
key_eq(const struct vault_wrapped_key *a, const struct vault_wrapped_key *b)
{
    return id_eq(a->tenant, b->tenant) && a->purpose == b->purpose && a->version == b->version &&
           a->kek_version == b->kek_version && memcmp(a->cipher, b->cipher, sizeof(a->cipher)) == 0 &&
           memcmp(a->iv, b->iv, sizeof(a->iv)) == 0 && memcmp(a->tag, b->tag, sizeof(a->tag)) == 0;
}

static void
a_request_decodes_to_what_was_encoded(void **state UNUSED)
{
    static struct vault_request in, out;

    for (int op = 1; op <= (int)VAULT_OP_LAST; op++) {
        struct buf frame;
        request_fill((enum vault_op)op, &in);
        buf_init(&frame, VAULT_FRAME_BYTES_MAX);
        vault_request_encode(&frame, &in);
        assert_ok(buf_done(&frame));
        assert_ok(vault_request_decode(buf_slice(&frame), &out));
        assert_int_equal(out.op, in.op);
        assert_int_equal(out.id, in.id);
        assert_int_equal(out.purpose, in.purpose);
        assert_int_equal(out.item_count, in.item_count);
        for (size_t i = 0; i < in.item_count; i++) {
            assert_true(place_eq(&out.items[i].place, &in.items[i].place));
            assert_true(slice_eq(out.items[i].plain, in.items[i].plain));
            assert_true(slice_eq(out.items[i].index_label, in.items[i].index_label));
        }
        assert_true(place_eq(&out.place, &in.place));
        assert_true(sealed_eq(&out.sealed, &in.sealed));
        assert_true(slice_eq(out.data, in.data));
        assert_memory_equal(out.mac, in.mac, sizeof(in.mac));
        assert_true(id_eq(out.tenant, in.tenant));
        assert_true(slice_eq(out.label, in.label));
        assert_true(key_eq(&out.key, &in.key));
        assert_int_equal(out.is_newest, in.is_newest);
        buf_release(&frame);
    }
}

static void
an_answer_decodes_to_what_was_encoded(void **state UNUSED)
{
    static struct vault_answer in, out;

    for (int op = 1; op <= (int)VAULT_OP_LAST; op++)
        for (int result = 0; result <= (int)VAULT_RESULT_FAILED; result++) {
            struct buf frame;
            answer_fill((enum vault_op)op, (enum vault_result)result, &in);
            buf_init(&frame, VAULT_FRAME_BYTES_MAX);
            vault_answer_encode(&frame, &in);
            assert_ok(buf_done(&frame));
            assert_ok(vault_answer_decode(buf_slice(&frame), &out));
            assert_int_equal(out.op, in.op);
            assert_int_equal(out.id, in.id);
            assert_int_equal(out.result, in.result);
            assert_true(id_eq(out.missing.tenant, in.missing.tenant));
            assert_int_equal(out.missing.purpose, in.missing.purpose);
            assert_int_equal(out.missing.version, in.missing.version);
            assert_int_equal(out.sealed_count, in.sealed_count);
            for (size_t i = 0; i < in.sealed_count; i++) {
                assert_true(sealed_eq(&out.sealed[i], &in.sealed[i]));
                assert_int_equal(out.indexes[i].is_made, in.indexes[i].is_made);
                assert_memory_equal(out.indexes[i].mac, in.indexes[i].mac, VAULT_INDEX_BYTES);
            }
            assert_true(slice_eq(out.plain, in.plain));
            assert_memory_equal(out.mac, in.mac, sizeof(in.mac));
            assert_memory_equal(out.public_key, in.public_key, sizeof(in.public_key));
            assert_memory_equal(out.signature, in.signature, sizeof(in.signature));
            for (size_t i = 0; i < VAULT_PURPOSE_COUNT; i++)
                assert_true(key_eq(&out.keys[i], &in.keys[i]));
            assert_int_equal(out.memory, in.memory);
            assert_int_equal(out.kek_version, in.kek_version);
            assert_true(out.keys_held == in.keys_held);
            buf_release(&frame);
        }
}

static void
kek_assert_equal(const struct vault_kek *a, const struct vault_kek *b)
{
    assert_int_equal(a->version, b->version);
    assert_int_equal(a->scrypt.n, b->scrypt.n);
    assert_int_equal(a->scrypt.r, b->scrypt.r);
    assert_int_equal(a->scrypt.p, b->scrypt.p);
    assert_memory_equal(a->scrypt.salt, b->scrypt.salt, sizeof(a->scrypt.salt));
    assert_memory_equal(a->check_cipher, b->check_cipher, sizeof(a->check_cipher));
    assert_memory_equal(a->check_iv, b->check_iv, sizeof(a->check_iv));
    assert_memory_equal(a->check_tag, b->check_tag, sizeof(a->check_tag));
}

static void
a_boot_and_its_answer_decode_to_what_was_encoded(void **state UNUSED)
{
    struct vault_boot boot = { .masters = { SLICE("0123456789abcdef0123456789abcdef") },
                               .master_count = 1,
                               .keks = { kek_of(1), kek_of(2) },
                               .kek_count = 2,
                               .make_version = 3,
                               .make_n = 1u << 18,
                               .make_of = 5 };
    struct vault_boot boot_out;
    struct vault_booted booted = { .result = VAULT_RESULT_KEK_WRONG,
                                   .kek_version = 2,
                                   .memory = SECRET_MEMORY_UNLOCKED,
                                   .has_made = true,
                                   .made = kek_of(3) };
    struct vault_booted booted_out;
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    vault_boot_encode(&frame, &boot);
    assert_ok(vault_boot_decode(buf_slice(&frame), &boot_out));
    assert_true(slice_eq(boot_out.masters[0], boot.masters[0]));
    assert_int_equal(boot_out.kek_count, 2);
    assert_int_equal(boot_out.master_count, 1);
    assert_int_equal(boot_out.make_version, 3);
    assert_int_equal(boot_out.make_n, 1u << 18);
    assert_int_equal(boot_out.make_of, 5);
    kek_assert_equal(&boot_out.keks[0], &boot.keks[0]);
    kek_assert_equal(&boot_out.keks[1], &boot.keks[1]);
    buf_clear(&frame);
    vault_booted_encode(&frame, &booted);
    assert_ok(vault_booted_decode(buf_slice(&frame), &booted_out));
    assert_int_equal(booted_out.result, VAULT_RESULT_KEK_WRONG);
    assert_int_equal(booted_out.kek_version, 2);
    assert_int_equal(booted_out.memory, SECRET_MEMORY_UNLOCKED);
    assert_true(booted_out.has_made);
    kek_assert_equal(&booted_out.made, &booted.made);
    buf_release(&frame);
}

/* Exactly as long as it says: each shorter prefix and each longer text is refused, read from its own
 * allocation. */
static void
cut_and_lengthened_frames_are_refused(void **state UNUSED)
{
    static struct vault_request request, request_out;
    static struct vault_answer answer, answer_out;

    for (int op = 1; op <= (int)VAULT_OP_LAST; op++)
        for (int is_answer = 0; is_answer < 2; is_answer++) {
            struct buf frame;
            buf_init(&frame, VAULT_FRAME_BYTES_MAX);
            request_fill((enum vault_op)op, &request);
            answer_fill((enum vault_op)op, VAULT_RESULT_OK, &answer);
            if (is_answer)
                vault_answer_encode(&frame, &answer);
            else
                vault_request_encode(&frame, &request);
            for (size_t len = 0; len <= frame.len + 1; len++) {
                char *exact = calloc(1, len == 0 ? 1 : len);
                assert_non_null(exact);
                memcpy(exact, frame.ptr, len > frame.len ? frame.len : len);
                enum err err = is_answer ? vault_answer_decode(slice_of(exact, len), &answer_out)
                                         : vault_request_decode(slice_of(exact, len), &request_out);
                assert_int_equal(err, len == frame.len ? ERR_OK : ERR_FRAME);
                free(exact);
            }
            buf_release(&frame);
        }
}

/* A changed octet at a place where only some values are allowed. */
static void
values_that_mean_nothing_are_refused(void **state UNUSED)
{
    static struct vault_request request, out;
    const struct {
        const char *what;
        enum vault_op op;
        size_t at;
        uint8_t byte;
    } cases[] = {
        { "another version of the format", VAULT_OP_FACTS, 0, 2 },
        { "no operation", VAULT_OP_FACTS, 1, 0 },
        { "an unknown operation", VAULT_OP_FACTS, 1, VAULT_OP_LAST + 1 },
        { "no purpose", VAULT_OP_SEAL, 6, 0 },
        { "an unknown purpose", VAULT_OP_SEAL, 6, 4 },
        { "more items than there may be", VAULT_OP_SEAL, 7, 1 },
        { "no items", VAULT_OP_SEAL, 8, 0 },
        { "an item whose label has a NUL", VAULT_OP_SEAL, 9 + 16 + 8 + 5 + 16 + 4 + 1, 0 },
        { "a table with no name", VAULT_OP_OPEN, 7 + 16, 0 },
        { "a table whose name is too long", VAULT_OP_OPEN, 7 + 16, 64 },
        { "a table with a letter it may not have", VAULT_OP_OPEN, 7 + 16 + 1, 'W' },
        { "a table with a NUL", VAULT_OP_OPEN, 7 + 16 + 1, 0 },
        { "a flag that is neither", VAULT_OP_KEY_LOAD, 6, 2 },
        { "a label with a NUL, which would end it", VAULT_OP_INDEX, 6 + 16 + 1, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf frame;
        buf_init(&frame, VAULT_FRAME_BYTES_MAX);
        request_fill(cases[i].op, &request);
        vault_request_encode(&frame, &request);
        assert_ok(vault_request_decode(buf_slice(&frame), &out));
        frame.ptr[cases[i].at] = (char)cases[i].byte;
        if (vault_request_decode(buf_slice(&frame), &out) != ERR_FRAME)
            fail_msg("%s is taken", cases[i].what);
        buf_release(&frame);
    }
}

static void
an_answer_that_means_nothing_is_refused(void **state UNUSED)
{
    static struct vault_answer answer, out;
    const struct {
        const char *what;
        enum vault_op op;
        enum vault_result result;
        size_t at;
        uint8_t byte;
    } cases[] = {
        { "another version of the format", VAULT_OP_FACTS, VAULT_RESULT_OK, 0, 2 },
        { "an unknown operation", VAULT_OP_FACTS, VAULT_RESULT_OK, 1, VAULT_OP_LAST + 1 },
        { "an unknown result", VAULT_OP_FACTS, VAULT_RESULT_OK, 6, VAULT_RESULT_FAILED + 1 },
        { "a kind of memory that is none", VAULT_OP_FACTS, VAULT_RESULT_OK, 7, 4 },
        { "more key-encryption keys than there may be", VAULT_OP_FACTS, VAULT_RESULT_OK, 7 + 37, 1 },
        { "nothing sealed", VAULT_OP_SEAL, VAULT_RESULT_OK, 8, 0 },
        { "more sealed than there may be", VAULT_OP_SEAL, VAULT_RESULT_OK, 7, 1 },
        { "nothing sealed again", VAULT_OP_RESEAL, VAULT_RESULT_OK, 8, 0 },
        { "more sealed again than there may be", VAULT_OP_RESEAL, VAULT_RESULT_OK, 7, 1 },
        { "a key of no purpose", VAULT_OP_MAKE_KEYS, VAULT_RESULT_OK, 7 + 16, 0 },
        { "a missing key of an unknown purpose", VAULT_OP_OPEN, VAULT_RESULT_KEY_MISSING, 7 + 16, 4 },
        { "more uses than there may be", VAULT_OP_USAGE, VAULT_RESULT_OK, 7 + 20, 2 },
        { "a use of no purpose", VAULT_OP_USAGE, VAULT_RESULT_OK, 7 + 22 + 16, 0 },
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf frame;
        buf_init(&frame, VAULT_FRAME_BYTES_MAX);
        answer_fill(cases[i].op, cases[i].result, &answer);
        vault_answer_encode(&frame, &answer);
        assert_ok(vault_answer_decode(buf_slice(&frame), &out));
        frame.ptr[cases[i].at] = (char)cases[i].byte;
        if (vault_answer_decode(buf_slice(&frame), &out) != ERR_FRAME)
            fail_msg("%s is taken", cases[i].what);
        buf_release(&frame);
    }
}

static void
a_boot_that_means_nothing_is_refused(void **state UNUSED)
{
    const struct vault_boot boot = { .masters = { SLICE("0123456789abcdef0123456789abcdef") },
                                     .master_count = 1,
                                     .keks = { kek_of(1) },
                                     .kek_count = 1,
                                     .make_version = 3 };
    const struct vault_booted booted = { .kek_version = 2, .has_made = true, .made = kek_of(3) };
    const struct {
        const char *what;
        bool is_answer;
        size_t at;
        uint8_t byte;
    } cases[] = {
        { "another version of the format", false, 0, 2 },
        { "more master keys than are given", false, 1, VAULT_MASTERS_GIVEN_MAX + 1 },
        { "a master key that cannot be there", false, 42, VAULT_MASTERS_MAX },
        { "more key-encryption keys than there may be", false, 44, VAULT_KEKS_MAX + 1 },
        { "a key-encryption key without a version", false, 48, 0 },
        { "an answer in another version of the format", true, 0, 2 },
        { "an unknown result", true, 1, VAULT_RESULT_FAILED + 1 },
        { "a kind of memory that is none", true, 6, 4 },
        { "a truth of neither kind", true, 7, 2 },
    };
    struct vault_boot boot_out;
    struct vault_booted booted_out;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf frame;
        buf_init(&frame, VAULT_FRAME_BYTES_MAX);
        if (cases[i].is_answer)
            vault_booted_encode(&frame, &booted);
        else
            vault_boot_encode(&frame, &boot);
        assert_ok(cases[i].is_answer ? vault_booted_decode(buf_slice(&frame), &booted_out)
                                     : vault_boot_decode(buf_slice(&frame), &boot_out));
        frame.ptr[cases[i].at] = (char)cases[i].byte;
        if ((cases[i].is_answer ? vault_booted_decode(buf_slice(&frame), &booted_out)
                                : vault_boot_decode(buf_slice(&frame), &boot_out)) != ERR_FRAME)
            fail_msg("%s is taken", cases[i].what);
        buf_release(&frame);
    }
}

static void
a_key_version_of_zero_is_refused(void **state UNUSED)
{
    static struct vault_request request, out;
    struct buf frame;

    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    request_fill(VAULT_OP_OPEN, &request);
    request.sealed.key_version = 0;
    vault_request_encode(&frame, &request);
    assert_int_equal(vault_request_decode(buf_slice(&frame), &out), ERR_FRAME);
    buf_release(&frame);
}

static void
the_longest_value_fits_a_frame(void **state UNUSED)
{
    static struct vault_request request, out;
    char *plain = calloc(1, VAULT_PLAIN_BYTES_MAX + 1);
    struct buf frame;

    assert_non_null(plain);
    buf_init(&frame, VAULT_FRAME_BYTES_MAX);
    request_fill(VAULT_OP_VERIFY_MAC, &request);
    request.data = slice_of(plain, VAULT_PLAIN_BYTES_MAX);
    vault_request_encode(&frame, &request);
    assert_ok(buf_done(&frame));
    assert_ok(vault_request_decode(buf_slice(&frame), &out));
    assert_int_equal(out.data.len, VAULT_PLAIN_BYTES_MAX);
    buf_clear(&frame);
    request.data.len++;
    vault_request_encode(&frame, &request);
    assert_int_equal(vault_request_decode(buf_slice(&frame), &out), ERR_FRAME);
    buf_release(&frame);
    free(plain);
}

static void
results_and_errors_map_to_each_other(void **state UNUSED)
{
    for (int result = 0; result <= (int)VAULT_RESULT_FAILED; result++)
        assert_int_equal(vault_result_of(vault_result_err((enum vault_result)result)), result);
    assert_int_equal(vault_result_of(ERR_DB_DATA), VAULT_RESULT_FAILED);
}

static void
names_are_what_postgresql_and_a_label_need(void **state UNUSED)
{
    char long_name[VAULT_NAME_BYTES_MAX + 1];

    memset(long_name, 'a', sizeof(long_name));
    assert_true(vault_name_is_valid(SLICE("whatsapp_channel")));
    assert_true(vault_name_is_valid(SLICE("message.peer2")));
    assert_true(vault_name_is_valid(slice_of(long_name, VAULT_NAME_BYTES_MAX)));
    assert_false(vault_name_is_valid(slice_of(long_name, VAULT_NAME_BYTES_MAX + 1)));
    assert_false(vault_name_is_valid(SLICE("")));
    assert_false(vault_name_is_valid(SLICE("a\0b")));
    assert_false(vault_name_is_valid(SLICE("a b")));
}

UNIT_MAIN(cmocka_unit_test(a_request_decodes_to_what_was_encoded),
          cmocka_unit_test(an_answer_decodes_to_what_was_encoded),
          cmocka_unit_test(a_boot_and_its_answer_decode_to_what_was_encoded),
          cmocka_unit_test(cut_and_lengthened_frames_are_refused),
          cmocka_unit_test(values_that_mean_nothing_are_refused),
          cmocka_unit_test(an_answer_that_means_nothing_is_refused),
          cmocka_unit_test(a_boot_that_means_nothing_is_refused),
          cmocka_unit_test(a_key_version_of_zero_is_refused),
          cmocka_unit_test(the_longest_value_fits_a_frame),
          cmocka_unit_test(results_and_errors_map_to_each_other),
          cmocka_unit_test(names_are_what_postgresql_and_a_label_need))
