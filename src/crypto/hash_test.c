#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "crypto/unit_alloc.h"
#include <pthread.h>

static void
assert_hex(const unsigned char *got, size_t len, const char *want)
{
    unsigned char bytes[64];

    assert_true(len <= sizeof(bytes));
    assert_ok(decode_hex(slice_text(want), bytes, len));
    assert_memory_equal(got, bytes, len);
}

/* FIPS 180-4 example values (NIST "SHA256.pdf" and the million of "a"). */
static void
the_published_digests_are_reached(void **state UNUSED)
{
    static const struct {
        const char *text, *digest;
    } rows[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
        { "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
          "mnopqrstnopqrstu",
          "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1" },
    };
    unsigned char out[HASH_BYTES];
    static char million[1000000];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_ok(hash_sha256(slice_text(rows[i].text), out));
        assert_hex(out, sizeof(out), rows[i].digest);
    }
    memset(million, 'a', sizeof(million));
    assert_ok(hash_sha256(slice_of(million, sizeof(million)), out));
    assert_hex(out, sizeof(out), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    assert_ok(hash_sha256(SLICE_EMPTY, out));
    assert_hex(out, sizeof(out), rows[0].digest);
}

static void
pieces_hash_as_the_whole_wherever_it_is_cut(void **state UNUSED)
{
    unsigned char bytes[200], whole[HASH_BYTES], out[HASH_BYTES];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    struct slice all = slice_of(bytes, sizeof(bytes));
    assert_ok(hash_sha256(all, whole));
    for (size_t cut = 0; cut <= all.len; cut++) {
        struct slice pieces[] = { slice_first(all, cut / 2), SLICE_EMPTY,
                                  slice_first(slice_drop(all, cut / 2), cut - cut / 2),
                                  slice_drop(all, cut) };
        assert_ok(hash_sha256_pieces(pieces, COUNT_OF(pieces), out));
        assert_memory_equal(out, whole, sizeof(out));
    }
    assert_ok(hash_sha256_pieces(NULL, 0, out));
    assert_hex(out, sizeof(out), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void *
thread_run(void *ctx)
{
    unsigned char out[HASH_BYTES];

    for (int i = 0; i < 500; i++)
        if (hash_sha256(SLICE("abc"), out) != ERR_OK || memcmp(out, ctx, sizeof(out)) != 0)
            return ctx;
    return NULL;
}

static void
threads_hash_side_by_side(void **state UNUSED)
{
    unsigned char want[HASH_BYTES];
    pthread_t threads[4];
    void *wrong = NULL;

    assert_ok(decode_hex(SLICE("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"), want,
                         sizeof(want)));
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, thread_run, want), 0);
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
    unsigned char out[HASH_BYTES];
    long count = 0;
    enum err err;

    for (;; count++) {
        unit_alloc_arm(count);
        err = hash_sha256(SLICE("abc"), out);
        if (!unit_alloc_disarm())
            break;
        assert_int_equal(err, ERR_CRYPTO);
    }
    assert_ok(err);
    assert_true(count > 0);
}

/* The threads run before the rest, so that they race for the one fetch of the algorithm. */
UNIT_MAIN(cmocka_unit_test(the_library_takes_our_allocator), cmocka_unit_test(threads_hash_side_by_side),
          cmocka_unit_test(the_published_digests_are_reached),
          cmocka_unit_test(pieces_hash_as_the_whole_wherever_it_is_cut),
          cmocka_unit_test(each_allocation_that_fails_is_an_error))
