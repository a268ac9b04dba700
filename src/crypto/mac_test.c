#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/mac.h"
#include "crypto/unit_alloc.h"
#include <pthread.h>

#define TEN(text) text text text text text text text text text text

/* SLICE, as the initializer of an object that lives on. */
/* clang-format off */
#define FIXED(literal) { "" literal, sizeof(literal) - 1 }
/* clang-format on */

/* RFC 4231, 4.2 to 4.8; the fifth is published cut to 16 octets. */
static const struct vector {
    struct slice key, data;
    const char *mac;
} vectors[] = {
    { FIXED(TEN("\x0b\x0b")), FIXED("Hi There"),
      "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
    { FIXED("Jefe"), FIXED("what do ya want for nothing?"),
      "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
    { FIXED(TEN("\xaa\xaa")), FIXED(TEN("\xdd\xdd\xdd\xdd\xdd")),
      "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe" },
    { FIXED(
          "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19"),
      FIXED(TEN("\xcd\xcd\xcd\xcd\xcd")),
      "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b" },
    { FIXED(TEN("\x0c\x0c")), FIXED("Test With Truncation"), "a3b6167473100ee06e0c796c2955552b" },
    { FIXED(TEN(TEN("\xaa")) TEN("\xaa\xaa\xaa") "\xaa"),
      FIXED("Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
    { FIXED(TEN(TEN("\xaa")) TEN("\xaa\xaa\xaa") "\xaa"),
      FIXED(
          "This is a test using a larger than block-size key and a larger than block-size data. The key needs to "
          "be hashed before being used by the HMAC algorithm."),
      "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2" },
};

static void
the_published_macs_are_reached(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        unsigned char out[MAC_BYTES], want[MAC_BYTES];
        size_t len = strlen(vectors[i].mac) / 2;
        assert_ok(decode_hex(slice_text(vectors[i].mac), want, len));
        assert_ok(mac_sha256(vectors[i].key, vectors[i].data, out));
        assert_memory_equal(out, want, len);
    }
}

/* RFC 2202, 3: 1, 2 and 6. */
static void
the_published_macs_of_sha1_are_reached(void **state UNUSED)
{
    const struct vector rows[] = {
        { SLICE(TEN("\x0b\x0b")), SLICE("Hi There"), "b617318655057264e28bc0b6fb378c8ef146be00" },
        { SLICE("Jefe"), SLICE("what do ya want for nothing?"), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
        { SLICE(TEN("\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa")),
          SLICE("Test Using Larger Than Block-Size Key - Hash Key First"),
          "aa4ae5e15272d00e95705637ce8a3b55ed402112" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        unsigned char out[MAC_SHA1_BYTES], want[MAC_SHA1_BYTES];
        assert_ok(decode_hex(slice_text(rows[i].mac), want, sizeof(want)));
        assert_ok(mac_sha1(rows[i].key, rows[i].data, out));
        assert_memory_equal(out, want, sizeof(want));
    }
}

static void
pieces_give_the_mac_of_the_whole_wherever_it_is_cut(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        unsigned char whole[MAC_BYTES], out[MAC_BYTES];
        struct slice data = vectors[i].data;
        assert_ok(mac_sha256(vectors[i].key, data, whole));
        for (size_t cut = 0; cut <= data.len; cut++) {
            struct slice pieces[] = { slice_first(data, cut), SLICE_EMPTY, slice_drop(data, cut) };
            assert_ok(mac_sha256_pieces(vectors[i].key, pieces, COUNT_OF(pieces), out));
            assert_memory_equal(out, whole, sizeof(out));
        }
    }
}

/* Computed with Python's hmac. */
static void
an_empty_key_and_an_empty_message_have_a_mac(void **state UNUSED)
{
    unsigned char out[MAC_BYTES], want[MAC_BYTES];

    assert_ok(decode_hex(SLICE("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"), want,
                         sizeof(want)));
    assert_ok(mac_sha256(SLICE_EMPTY, SLICE_EMPTY, out));
    assert_memory_equal(out, want, sizeof(out));
    assert_ok(mac_sha256(SLICE(""), SLICE(""), out));
    assert_memory_equal(out, want, sizeof(out));
    /* An empty key is not the key of the call before. */
    assert_ok(mac_sha256(SLICE("another key"), SLICE_EMPTY, out));
    assert_ok(mac_sha256_pieces(SLICE_EMPTY, NULL, 0, out));
    assert_memory_equal(out, want, sizeof(out));
}

static void
every_bit_of_key_and_message_counts(void **state UNUSED)
{
    unsigned char key[40] = "0123456789", data[40] = "abc", whole[MAC_BYTES], out[MAC_BYTES];

    assert_ok(mac_sha256(slice_of(key, sizeof(key)), slice_of(data, sizeof(data)), whole));
    for (size_t bit = 0; bit < 8 * sizeof(key); bit++) {
        key[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_ok(mac_sha256(slice_of(key, sizeof(key)), slice_of(data, sizeof(data)), out));
        assert_memory_not_equal(out, whole, sizeof(out));
        key[bit / 8] ^= (unsigned char)(1u << bit % 8);
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_ok(mac_sha256(slice_of(key, sizeof(key)), slice_of(data, sizeof(data)), out));
        assert_memory_not_equal(out, whole, sizeof(out));
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (size_t len = 0; len < sizeof(data); len++) {
        assert_ok(mac_sha256(slice_of(key, sizeof(key)), slice_of(data, len), out));
        assert_memory_not_equal(out, whole, sizeof(out));
    }
}

static void *
thread_run(void *ctx)
{
    const struct vector *vector = ctx;
    unsigned char out[MAC_BYTES], want[MAC_BYTES];

    if (decode_hex(slice_text(vector->mac), want, MAC_BYTES) != ERR_OK)
        return ctx;
    for (int i = 0; i < 500; i++)
        if (mac_sha256(vector->key, vector->data, out) != ERR_OK || memcmp(out, want, sizeof(out)) != 0)
            return ctx;
    return NULL;
}

static void
threads_work_side_by_side(void **state UNUSED)
{
    struct vector given[4];
    pthread_t threads[4];
    void *wrong = NULL;

    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        given[i] = vectors[i];
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, &given[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

/* Has to come before the library's first allocation. */
static void
the_library_takes_our_allocator(void **state UNUSED)
{
    assert_true(unit_alloc_install());
}

static void
each_allocation_that_fails_is_an_error(void **state UNUSED)
{
    unsigned char out[MAC_BYTES];
    long count = 0;
    enum err err;

    for (;; count++) {
        unit_alloc_arm(count);
        err = mac_sha256(SLICE("key"), SLICE("abc"), out);
        if (!unit_alloc_disarm())
            break;
        assert_int_equal(err, ERR_CRYPTO);
    }
    assert_ok(err);
    assert_true(count > 0);
}

/* The threads run before the rest, so that they race for the one fetch of the algorithm. */
UNIT_MAIN(cmocka_unit_test(the_library_takes_our_allocator), cmocka_unit_test(threads_work_side_by_side),
          cmocka_unit_test(the_published_macs_are_reached),
          cmocka_unit_test(the_published_macs_of_sha1_are_reached),
          cmocka_unit_test(pieces_give_the_mac_of_the_whole_wherever_it_is_cut),
          cmocka_unit_test(an_empty_key_and_an_empty_message_have_a_mac),
          cmocka_unit_test(every_bit_of_key_and_message_counts),
          cmocka_unit_test(each_allocation_that_fails_is_an_error))
