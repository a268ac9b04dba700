#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "domain/webhook/webhook_signature.h"

/* The check vector that the standard's libraries publish. */
static void
the_published_vector_is_met(void **state UNUSED)
{
    unsigned char key[48], mac[MAC_BYTES];
    size_t key_len = 0;
    struct buf content, printed;

    assert_ok(decode_base64(SLICE("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), key, &key_len));
    assert_int_equal(key_len, 24);
    buf_init(&content, 1024);
    webhook_signed_content(SLICE("msg_p5jXN8AQM9LWM0D4loKWxJek"),
                           (struct wall_time){ INT64_C(1614265330999999) }, SLICE("{\"test\": 2432232314}"),
                           &content);
    assert_ok(buf_done(&content));
    assert_ok(mac_sha256(slice_of(key, key_len), buf_slice(&content), mac));
    buf_init(&printed, 256);
    webhook_signature_add(&printed, "v1", slice_of(mac, sizeof(mac)));
    assert_true(slice_eq(buf_slice(&printed), SLICE("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")));
    webhook_signature_add(&printed, "v1a", SLICE("abc"));
    assert_true(slice_ends_with(buf_slice(&printed), SLICE("OE= v1a,YWJj")));
    buf_clear(&printed);
    webhook_public_key_print(SLICE("0123456789abcdef0123456789abcdef"), &printed);
    assert_true(slice_eq(buf_slice(&printed), SLICE("whpk_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")));
    buf_release(&printed);
    buf_release(&content);
}

static void
a_new_secret_is_written_as_the_standard_says(void **state UNUSED)
{
    struct secret *octets, *text, *others, *other_text;
    unsigned char decoded[64];
    size_t len = 0;

    assert_ok(secret_pool_open_unlocked(65536));
    assert_ok(webhook_secret_make(&octets, &text));
    assert_ok(webhook_secret_make(&others, &other_text));
    struct slice written = secret_slice(text);
    assert_true(slice_starts_with(written, SLICE("whsec_")));
    assert_ok(decode_base64(slice_drop(written, 6), decoded, &len));
    assert_true(slice_eq(slice_of(decoded, len), secret_slice(octets)));
    assert_int_equal(len, WEBHOOK_SECRET_BYTES);
    assert_false(slice_eq(secret_slice(octets), secret_slice(others)));
    secret_free(octets);
    secret_free(text);
    secret_free(others);
    secret_free(other_text);
    assert_int_equal(secret_pool_used(), 0);
}

UNIT_MAIN(cmocka_unit_test(the_published_vector_is_met),
          cmocka_unit_test(a_new_secret_is_written_as_the_standard_says))
