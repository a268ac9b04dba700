#include "core/unit.h"
#include "wire/vault/hsm_frame.h"

static const struct hsm_wrapped sample = { .version = 7, .cipher = "cipher", .iv = "iv", .tag = "tag" };

static void
a_frame_is_read_as_it_was_written_and_not_with_an_octet_less_or_more(void **state UNUSED)
{
    const struct hsm_open open = { .make_version = 3, .pin = SLICE("1234") };
    const struct hsm_opened opened = { .has_made = true, .made = sample };
    const struct hsm_secret secret = { .bytes = SLICE("0123456789abcdef0123456789abcdef") };
    struct hsm_open open_back;
    struct hsm_opened opened_back;
    struct hsm_wrapped wrapped_back;
    struct hsm_secret secret_back;
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
    assert_int_equal(open_back.make_version, 3);
    assert_true(slice_eq(open_back.pin, SLICE("1234")));
    CHECK_CUTS(opened, opened, opened_back)
    assert_true(opened_back.has_made);
    assert_memory_equal(opened_back.made.cipher, sample.cipher, sizeof(sample.cipher));
    CHECK_CUTS(wrapped, sample, wrapped_back)
    assert_int_equal(wrapped_back.version, 7);
    assert_memory_equal(wrapped_back.iv, sample.iv, sizeof(sample.iv));
    assert_memory_equal(wrapped_back.tag, sample.tag, sizeof(sample.tag));
    CHECK_CUTS(secret, secret, secret_back)
    assert_true(slice_eq(secret_back.bytes, secret.bytes));
    buf_release(&frame);
}

static void
what_is_out_of_bounds_is_no_frame(void **state UNUSED)
{
    const struct {
        const char *what;
        struct slice frame;
    } rows[] = {
        { "another format", SLICE("\2\0\0\0\0\1"
                                  "1") },
        { "a PIN of no octets", SLICE("\1\0\0\0\0\0") },
        { "an unknown trouble", SLICE("\1\11\0") },
        { "a truth of neither kind", SLICE("\1\0\2") },
    };
    struct hsm_open open;
    struct hsm_opened opened;
    struct hsm_secret secret;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_int_equal(hsm_open_decode(rows[i].frame, &open), ERR_FRAME);
        assert_int_equal(hsm_opened_decode(rows[i].frame, &opened), ERR_FRAME);
        assert_int_equal(hsm_secret_decode(rows[i].frame, &secret), ERR_FRAME);
    }
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
