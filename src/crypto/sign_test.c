#include "core/unit.h"
#include "crypto/encode.h"
#include "crypto/sign.h"

/* RFC 8032, 7.1: tests 1, 2, 3 and SHA(abc). */
static const struct {
    const char *seed, *public_key, *data, *signature;
} vectors[] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
      "d25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
      "387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
      "4a7c15e9716ed28dc027beceea1ec40a" },
    { "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
      "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
      "454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030"
      "3dca179c138ac17ad9bef1177331a704" },
};

static void
the_published_signatures_come_out(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        unsigned char seed[SIGN_SEED_BYTES], data[64], expected[SIGN_SIGNATURE_BYTES];
        unsigned char public_key[SIGN_PUBLIC_BYTES], signature[SIGN_SIGNATURE_BYTES];
        struct slice message = slice_of(data, strlen(vectors[i].data) / 2);
        assert_ok(decode_hex(slice_text(vectors[i].seed), seed, sizeof(seed)));
        assert_ok(decode_hex(slice_text(vectors[i].data), data, message.len));
        assert_ok(sign_ed25519_public(slice_of(seed, sizeof(seed)), public_key));
        assert_ok(decode_hex(slice_text(vectors[i].public_key), expected, SIGN_PUBLIC_BYTES));
        assert_memory_equal(public_key, expected, SIGN_PUBLIC_BYTES);
        assert_ok(sign_ed25519(slice_of(seed, sizeof(seed)), message, signature));
        assert_ok(decode_hex(slice_text(vectors[i].signature), expected, SIGN_SIGNATURE_BYTES));
        assert_memory_equal(signature, expected, SIGN_SIGNATURE_BYTES);
        assert_ok(sign_ed25519_verify(public_key, message, signature));
    }
}

static void
any_changed_bit_is_noticed(void **state UNUSED)
{
    const struct slice seed = SLICE("0123456789abcdef0123456789abcdef"), data = SLICE("message");
    unsigned char public_key[SIGN_PUBLIC_BYTES], signature[SIGN_SIGNATURE_BYTES];

    assert_ok(sign_ed25519_public(seed, public_key));
    assert_ok(sign_ed25519(seed, data, signature));
    for (size_t bit = 0; bit < SIGN_SIGNATURE_BYTES * 8; bit++) {
        signature[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_equal(sign_ed25519_verify(public_key, data, signature), ERR_SIGNATURE);
        signature[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(sign_ed25519_verify(public_key, SLICE("messagE"), signature), ERR_SIGNATURE);
    assert_int_equal(sign_ed25519_verify(public_key, SLICE("message\0"), signature), ERR_SIGNATURE);
    public_key[7] ^= 4;
    assert_int_not_equal(sign_ed25519_verify(public_key, data, signature), ERR_OK);
}

static void
a_seed_of_another_length_is_no_key(void **state UNUSED)
{
    const struct slice seeds[] = { SLICE_EMPTY, SLICE("0123456789abcdef0123456789abcde"),
                                   SLICE("0123456789abcdef0123456789abcdef0") };
    unsigned char out[SIGN_SIGNATURE_BYTES];

    for (size_t i = 0; i < COUNT_OF(seeds); i++) {
        assert_int_equal(sign_ed25519_public(seeds[i], out), ERR_CRYPTO);
        assert_int_equal(sign_ed25519(seeds[i], SLICE("x"), out), ERR_CRYPTO);
    }
}

UNIT_MAIN(cmocka_unit_test(the_published_signatures_come_out), cmocka_unit_test(any_changed_bit_is_noticed),
          cmocka_unit_test(a_seed_of_another_length_is_no_key))
