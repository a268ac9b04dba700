#include "core/unit.h"
#include "crypto/aead.h"
#include "crypto/encode.h"
#include "crypto/unit_alloc.h"
#include <pthread.h>
#include <stdlib.h>

#define PLAIN_MAX 80u

struct sealed {
    unsigned char key[AEAD_KEY_BYTES], associated[24], iv[AEAD_IV_BYTES], tag[AEAD_TAG_BYTES];
    unsigned char cipher[PLAIN_MAX];
    size_t len, associated_len;
};

static struct sealed
sealed_make(size_t len, size_t associated_len)
{
    struct sealed sealed = { .len = len, .associated_len = associated_len };
    unsigned char plain[PLAIN_MAX];

    for (size_t i = 0; i < sizeof(sealed.key); i++)
        sealed.key[i] = (unsigned char)(i * 7 + 1);
    for (size_t i = 0; i < sizeof(sealed.associated); i++)
        sealed.associated[i] = (unsigned char)(i * 11 + 3);
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (unsigned char)(i + 1);
    assert_ok(aead_seal(slice_of(sealed.key, sizeof(sealed.key)), slice_of(sealed.associated, associated_len),
                        slice_of(plain, len), sealed.cipher, sealed.iv, sealed.tag));
    return sealed;
}

static enum err
sealed_open(const struct sealed *sealed, unsigned char *plain)
{
    return aead_open(slice_of(sealed->key, sizeof(sealed->key)),
                     slice_of(sealed->associated, sealed->associated_len),
                     slice_of(sealed->cipher, sealed->len), sealed->iv, sealed->tag, plain);
}

static bool
is_all(const unsigned char *p, size_t len, unsigned char value)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != value)
            return false;
    return true;
}

/* "The Galois/Counter Mode of Operation", test cases 13 to 16, which NIST took over: AES-256, 96-bit IV. */
static void
the_published_ciphertexts_open(void **state UNUSED)
{
#define KEY_0 "0000000000000000000000000000000000000000000000000000000000000000"
#define KEY_1 "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define PLAIN_60                                                                                             \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b5"         \
    "25b16aedf5aa0de657ba637b39"
#define CIPHER_60                                                                                            \
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b10568288"         \
    "38c5f61e6393ba7a0abcc9f662"
    static const struct {
        const char *key, *iv, *associated, *plain, *cipher, *tag;
    } rows[] = {
        { KEY_0, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b" },
        { KEY_0, "000000000000000000000000", "", "00000000000000000000000000000000",
          "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919" },
        { KEY_1, "cafebabefacedbaddecaf888", "", PLAIN_60 "1aafd255", CIPHER_60 "898015ad",
          "b094dac5d93471bdec1a502270e3cc6c" },
        { KEY_1, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2", PLAIN_60, CIPHER_60,
          "76fc6ece0f4e1768cddf8853bb2d551b" },
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sealed sealed = { .len = strlen(rows[i].cipher) / 2,
                                 .associated_len = strlen(rows[i].associated) / 2 };
        unsigned char plain[PLAIN_MAX], want[PLAIN_MAX];
        assert_ok(decode_hex(slice_text(rows[i].key), sealed.key, sizeof(sealed.key)));
        assert_ok(decode_hex(slice_text(rows[i].iv), sealed.iv, sizeof(sealed.iv)));
        assert_ok(decode_hex(slice_text(rows[i].tag), sealed.tag, sizeof(sealed.tag)));
        assert_ok(decode_hex(slice_text(rows[i].associated), sealed.associated, sealed.associated_len));
        assert_ok(decode_hex(slice_text(rows[i].cipher), sealed.cipher, sealed.len));
        assert_ok(decode_hex(slice_text(rows[i].plain), want, sealed.len));
        assert_ok(sealed_open(&sealed, plain));
        assert_memory_equal(plain, want, sealed.len);
    }
}

static void
what_is_sealed_opens_at_every_length(void **state UNUSED)
{
    for (size_t len = 0; len <= PLAIN_MAX; len++) {
        for (size_t associated_len = 0; associated_len <= 24; associated_len += 8) {
            struct sealed sealed = sealed_make(len, associated_len);
            unsigned char plain[PLAIN_MAX + 1];
            memset(plain, 0xEE, sizeof(plain));
            assert_ok(sealed_open(&sealed, plain));
            for (size_t i = 0; i < len; i++)
                assert_int_equal(plain[i], i + 1);
            assert_true(is_all(plain + len, sizeof(plain) - len, 0xEE)); /* not a byte too many */
            if (len >= 8)
                assert_memory_not_equal(sealed.cipher, plain, len);
        }
    }
}

/* The failure must be the right one, and not a byte of the plaintext may be left behind. */
static void
assert_refused(const struct sealed *sealed, const char *what, size_t bit)
{
    unsigned char plain[PLAIN_MAX];

    memset(plain, 0xEE, sizeof(plain));
    if (sealed_open(sealed, plain) != ERR_SEAL_CORRUPT)
        fail_msg("%s, bit %zu", what, bit);
    assert_true(is_all(plain, sealed->len, 0));
}

static void
flip_each(struct sealed *sealed, unsigned char *bytes, size_t len, const char *what)
{
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_refused(sealed, what, bit);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void
any_bit_that_changed_is_refused(void **state UNUSED)
{
    static const size_t lens[] = { 0, 1, 16, 37, PLAIN_MAX };

    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        struct sealed sealed = sealed_make(lens[i], 24);
        unsigned char plain[PLAIN_MAX];
        flip_each(&sealed, sealed.cipher, sealed.len, "ciphertext");
        flip_each(&sealed, sealed.tag, sizeof(sealed.tag), "tag");
        flip_each(&sealed, sealed.iv, sizeof(sealed.iv), "IV");
        flip_each(&sealed, sealed.key, sizeof(sealed.key), "key");
        flip_each(&sealed, sealed.associated, sealed.associated_len, "associated data");
        assert_ok(sealed_open(&sealed, plain));
    }
}

static void
other_lengths_and_parts_of_another_seal_are_refused(void **state UNUSED)
{
    struct sealed sealed = sealed_make(40, 24), other = sealed_make(40, 24), changed;

    for (size_t len = 0; len <= PLAIN_MAX; len++) {
        changed = sealed;
        changed.len = len;
        if (len != sealed.len)
            assert_refused(&changed, "length", len);
    }
    for (size_t len = 0; len < 24; len++) {
        changed = sealed;
        changed.associated_len = len;
        assert_refused(&changed, "length of associated data", len);
    }
    changed = sealed;
    memcpy(changed.tag, other.tag, sizeof(changed.tag));
    assert_refused(&changed, "another's tag", 0);
    changed = sealed;
    memcpy(changed.iv, other.iv, sizeof(changed.iv));
    assert_refused(&changed, "another's IV", 0);
    changed = sealed;
    memcpy(changed.cipher, other.cipher, sizeof(changed.cipher));
    assert_refused(&changed, "another's ciphertext", 0);
}

static int
order(const void *a, const void *b)
{
    return memcmp(a, b, AEAD_IV_BYTES);
}

static void
each_seal_has_an_iv_of_its_own(void **state UNUSED)
{
    enum { COUNT = 2000 };
    static unsigned char ivs[COUNT][AEAD_IV_BYTES];

    for (size_t i = 0; i < COUNT; i++) {
        struct sealed sealed = sealed_make(16, 0);
        memcpy(ivs[i], sealed.iv, sizeof(sealed.iv));
    }
    qsort(ivs, COUNT, sizeof(ivs[0]), order);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(order(ivs[i - 1], ivs[i]) < 0);
}

static void
a_key_of_another_length_is_refused(void **state UNUSED)
{
    struct sealed sealed = sealed_make(16, 0);
    unsigned char key[AEAD_KEY_BYTES + 8] = { 1 }, plain[PLAIN_MAX], cipher[PLAIN_MAX];
    unsigned char iv[AEAD_IV_BYTES], tag[AEAD_TAG_BYTES];

    for (size_t len = 0; len <= sizeof(key); len++) {
        if (len == AEAD_KEY_BYTES)
            continue;
        assert_int_equal(aead_seal(slice_of(key, len), SLICE_EMPTY, SLICE("abc"), cipher, iv, tag),
                         ERR_CRYPTO);
        memset(plain, 0xEE, sizeof(plain));
        assert_int_equal(aead_open(slice_of(key, len), SLICE_EMPTY, slice_of(sealed.cipher, 16), sealed.iv,
                                   sealed.tag, plain),
                         ERR_CRYPTO);
        assert_true(is_all(plain, 16, 0));
    }
}

static void
the_limits_of_length_are_held(void **state UNUSED)
{
    struct sealed sealed = sealed_make(16, 0);
    unsigned char *plain = malloc(AEAD_PLAIN_BYTES_MAX), *cipher = malloc(AEAD_PLAIN_BYTES_MAX);
    unsigned char iv[AEAD_IV_BYTES], tag[AEAD_TAG_BYTES];
    struct slice key = slice_of(sealed.key, sizeof(sealed.key));

    assert_true(plain != NULL && cipher != NULL);
    memset(plain, 'p', AEAD_PLAIN_BYTES_MAX);
    struct slice whole = slice_of(plain, AEAD_PLAIN_BYTES_MAX),
                 more = slice_of(plain, AEAD_PLAIN_BYTES_MAX + 1);
    /* What is too long is refused before it is read. */
    assert_int_equal(aead_seal(key, SLICE_EMPTY, more, cipher, iv, tag), ERR_LIMIT);
    assert_int_equal(aead_seal(key, more, SLICE("abc"), cipher, iv, tag), ERR_LIMIT);
    assert_int_equal(aead_seal(key, SLICE_EMPTY, slice_of(plain, SIZE_MAX), cipher, iv, tag), ERR_LIMIT);
    assert_int_equal(aead_open(key, SLICE_EMPTY, more, iv, tag, cipher), ERR_SEAL_CORRUPT);
    assert_int_equal(aead_open(key, more, SLICE_EMPTY, iv, tag, cipher), ERR_SEAL_CORRUPT);
    assert_ok(aead_seal(key, SLICE("a"), whole, cipher, iv, tag));
    memset(plain, 0, AEAD_PLAIN_BYTES_MAX);
    assert_ok(aead_open(key, SLICE("a"), slice_of(cipher, AEAD_PLAIN_BYTES_MAX), iv, tag, plain));
    assert_true(is_all(plain, AEAD_PLAIN_BYTES_MAX, 'p'));
    free(plain);
    free(cipher);
}

static void *
thread_run(void *ctx)
{
    for (size_t i = 0; i < 300; i++) {
        struct sealed sealed = { .len = i % PLAIN_MAX, .associated_len = i % 24 };
        unsigned char plain[PLAIN_MAX], back[PLAIN_MAX];
        memset(sealed.key, *(const int *)ctx, sizeof(sealed.key));
        memset(plain, (int)i, sizeof(plain));
        if (aead_seal(slice_of(sealed.key, sizeof(sealed.key)),
                      slice_of(sealed.associated, sealed.associated_len), slice_of(plain, sealed.len),
                      sealed.cipher, sealed.iv, sealed.tag) != ERR_OK ||
            sealed_open(&sealed, back) != ERR_OK || memcmp(plain, back, sealed.len) != 0)
            return ctx;
    }
    return NULL;
}

static void
threads_seal_side_by_side(void **state UNUSED)
{
    pthread_t threads[4];
    int numbers[4] = { 1, 2, 3, 4 };
    void *wrong = NULL;

    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, &numbers[i]), 0);
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
each_allocation_that_fails_is_an_error_and_leaves_no_plaintext(void **state UNUSED)
{
    struct sealed sealed = sealed_make(40, 24);
    unsigned char cipher[PLAIN_MAX], iv[AEAD_IV_BYTES], tag[AEAD_TAG_BYTES], plain[PLAIN_MAX];
    struct slice key = slice_of(sealed.key, sizeof(sealed.key));
    long count = 0;
    enum err err;

    for (;; count++) {
        unit_alloc_arm(count);
        err = aead_seal(key, SLICE("abc"), SLICE("plain"), cipher, iv, tag);
        if (!unit_alloc_disarm())
            break;
        assert_int_equal(err, ERR_CRYPTO);
    }
    assert_ok(err);
    assert_true(count > 0);
    for (count = 0;; count++) {
        memset(plain, 0xEE, sizeof(plain));
        unit_alloc_arm(count);
        err = sealed_open(&sealed, plain);
        if (!unit_alloc_disarm())
            break;
        assert_int_equal(err, ERR_CRYPTO);
        assert_true(is_all(plain, sealed.len, 0));
    }
    assert_ok(err);
    assert_true(count > 0);
}

/* The threads run before the rest, so that they race for the one fetch of the algorithm. */
UNIT_MAIN(cmocka_unit_test(the_library_takes_our_allocator), cmocka_unit_test(threads_seal_side_by_side),
          cmocka_unit_test(the_published_ciphertexts_open),
          cmocka_unit_test(what_is_sealed_opens_at_every_length),
          cmocka_unit_test(any_bit_that_changed_is_refused),
          cmocka_unit_test(other_lengths_and_parts_of_another_seal_are_refused),
          cmocka_unit_test(each_seal_has_an_iv_of_its_own),
          cmocka_unit_test(a_key_of_another_length_is_refused),
          cmocka_unit_test(the_limits_of_length_are_held),
          cmocka_unit_test(each_allocation_that_fails_is_an_error_and_leaves_no_plaintext))
