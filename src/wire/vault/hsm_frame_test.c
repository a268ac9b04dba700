#include "core/unit.h"
#include "wire/vault/hsm_frame.h"

static const struct hsm_wrapped sample = { .version = 7, .cipher = "cipher", .iv = "iv", .tag = "tag" };

static void
a_frame_is_read_as_it_was_written_and_not_with_an_octet_less_or_more(void **state UNUSED)
{
    const struct hsm_open open = { .tokens = { { SLICE("old"), SLICE("1234") },
                                               { SLICE("new"), SLICE("56789") } },
                                   .token_count = 2,
                                   .keys = { { 0, SLICE("harkara") }, { 1, SLICE("second") } },
                                   .key_count = 2 };
    const struct hsm_opened opened = { .trouble = HSM_TROUBLE_PIN };
    const struct hsm_make make = { .version = 3, .key = { 1, SLICE("second") } };
    const struct hsm_made made = { .made = sample }, not_made = { .trouble = HSM_TROUBLE_KEY_UNFIT };
    const struct hsm_unwrap unwrap = {
        .secrets = { { { 0, SLICE("harkara") }, sample }, { { 1, SLICE("second") }, sample } }, .count = 2
    };
    const struct hsm_secrets secrets = { .bytes = { SLICE("0123456789abcdef0123456789abcdef"),
                                                    SLICE("fedcba9876543210fedcba9876543210") },
                                         .count = 2 },
                             none = { .trouble = HSM_TROUBLE_REFUSED };
    struct hsm_open open_back;
    struct hsm_opened opened_back;
    struct hsm_make make_back;
    struct hsm_made made_back;
    struct hsm_unwrap unwrap_back;
    struct hsm_secrets secrets_back;
    struct buf frame;

#define CHECK_CUTS(kind, value, back)                                                                        \
    buf_clear(&frame);                                                                                       \
    hsm_##kind##_encode(&frame, &(value));                                                                   \
    buf_add_byte(&frame, 0);                                                                                 \
    assert_int_equal(buf_done(&frame), ERR_OK);                                                              \
    for (size_t len = 0; len <= frame.len; len++)                                                            \
        assert_int_equal(hsm_##kind##_decode(slice_first(buf_slice(&frame), len), &(back)),                  \
                         len + 1 == frame.len ? ERR_OK : ERR_FRAME);                                         \
    assert_int_equal(hsm_##kind##_decode(slice_first(buf_slice(&frame), frame.len - 1), &(back)), ERR_OK);

    buf_init(&frame, HSM_FRAME_BYTES_MAX);
    CHECK_CUTS(open, open, open_back)
    assert_int_equal(open_back.token_count, 2);
    assert_true(slice_eq(open_back.tokens[0].pin, SLICE("1234")));
    assert_true(slice_eq(open_back.tokens[1].label, SLICE("new")));
    assert_int_equal(open_back.key_count, 2);
    assert_int_equal(open_back.keys[1].token, 1);
    assert_true(slice_eq(open_back.keys[1].label, SLICE("second")));
    CHECK_CUTS(opened, opened, opened_back)
    assert_int_equal(opened_back.trouble, HSM_TROUBLE_PIN);
    CHECK_CUTS(make, make, make_back)
    assert_int_equal(make_back.version, 3);
    assert_int_equal(make_back.key.token, 1);
    assert_true(slice_eq(make_back.key.label, SLICE("second")));
    CHECK_CUTS(made, not_made, made_back)
    assert_int_equal(made_back.trouble, HSM_TROUBLE_KEY_UNFIT);
    CHECK_CUTS(made, made, made_back)
    assert_memory_equal(made_back.made.cipher, sample.cipher, sizeof(sample.cipher));
    CHECK_CUTS(unwrap, unwrap, unwrap_back)
    assert_int_equal(unwrap_back.count, 2);
    assert_int_equal(unwrap_back.secrets[1].key.token, 1);
    assert_int_equal(unwrap_back.secrets[1].wrapped.version, 7);
    assert_memory_equal(unwrap_back.secrets[1].wrapped.iv, sample.iv, sizeof(sample.iv));
    assert_memory_equal(unwrap_back.secrets[1].wrapped.tag, sample.tag, sizeof(sample.tag));
    CHECK_CUTS(secrets, none, secrets_back)
    assert_int_equal(secrets_back.count, 0);
    CHECK_CUTS(secrets, secrets, secrets_back)
    assert_int_equal(secrets_back.count, 2);
    assert_true(slice_eq(secrets_back.bytes[1], secrets.bytes[1]));
    buf_release(&frame);
}

static void
what_is_out_of_bounds_is_no_frame(void **state UNUSED)
{
    const struct {
        const char *what;
        struct slice frame;
    } rows[] = {
        { "another format", SLICE("\2\1\1t\1p\0") },
        { "no token", SLICE("\1\0\0") },
        { "more tokens than there may be", SLICE("\1\3\1t\1p\1t\1p\1t\1p\0") },
        { "a PIN of no octets", SLICE("\1\1\1t\0\0") },
        { "a token without a label", SLICE("\1\1\0\1p\0") },
        { "a label with a NUL", SLICE("\1\1\1\0\1p\0") },
        { "a label that is too long", SLICE("\1\1\41"
                                            "123456789012345678901234567890123"
                                            "\1p\0") },
        { "more keys than there may be", SLICE("\1\1\1t\1p\5\0\1k\0\1k\0\1k\0\1k\0\1k") },
        { "a key in a token that cannot be", SLICE("\1\1\1t\1p\1\2\1k") },
        { "a version that cannot be", SLICE("\1\0\0\0\0\0\1k") },
        { "an unknown trouble", SLICE("\1\11\0") },
        { "no secrets and no trouble", SLICE("\1\0\0") },
        { "nothing to unwrap", SLICE("\1\0") },
    };
    struct hsm_open open;
    struct hsm_opened opened;
    struct hsm_make make;
    struct hsm_made made;
    struct hsm_unwrap unwrap;
    struct hsm_secrets secrets;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(hsm_open_decode(rows[i].frame, &open), ERR_FRAME);
        assert_int_equal(hsm_make_decode(rows[i].frame, &make), ERR_FRAME);
        assert_int_equal(hsm_made_decode(rows[i].frame, &made), ERR_FRAME);
        assert_int_equal(hsm_unwrap_decode(rows[i].frame, &unwrap), ERR_FRAME);
        assert_int_equal(hsm_secrets_decode(rows[i].frame, &secrets), ERR_FRAME);
    }
    assert_int_equal(hsm_opened_decode(SLICE("\1\11"), &opened), ERR_FRAME);
    assert_int_equal(hsm_opened_decode(SLICE("\2\0"), &opened), ERR_FRAME);
}

static void
what_is_wrapped_names_its_purpose_and_version(void **state UNUSED)
{
    unsigned char text[HSM_ASSOCIATED_BYTES];

    hsm_wrapped_associated(0x01020304, text);
    assert_memory_equal(text, "\1\4\1\2\3\4", sizeof(text));
}

static void
a_refused_pin_is_not_tried_again(void **state UNUSED)
{
    assert_false(hsm_trouble_may_pass(HSM_TROUBLE_PIN));
    assert_false(hsm_trouble_may_pass(HSM_TROUBLE_PIN_LOCKED));
    assert_false(hsm_trouble_may_pass(HSM_TROUBLE_KEY_UNFIT));
    assert_true(hsm_trouble_may_pass(HSM_TROUBLE_TOKEN));
    for (unsigned i = 0; i <= HSM_TROUBLE_FAILED; i++)
        assert_non_null(hsm_trouble_text((enum hsm_trouble)i));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frame_is_read_as_it_was_written_and_not_with_an_octet_less_or_more),
        cmocka_unit_test(what_is_out_of_bounds_is_no_frame),
        cmocka_unit_test(what_is_wrapped_names_its_purpose_and_version),
        cmocka_unit_test(a_refused_pin_is_not_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
