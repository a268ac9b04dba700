#include "core/unit.h"
#include "crypto/mac.h"
#include "domain/channel/whatsapp/whatsapp_signature.h"

#define DIGITS "945bf15dad176d805c44a026679cc2d419896948267cda30bc1d7b131802103e"

static void
the_documented_form_gives_its_octets(void **state UNUSED)
{
    unsigned char out[WHATSAPP_SIGNATURE_BYTES];

    assert_ok(whatsapp_signature_parse(SLICE("sha256=" DIGITS), out));
    assert_int_equal(out[0], 0x94);
    assert_int_equal(out[1], 0x5b);
    assert_int_equal(out[31], 0x3e);
}

static void
anything_else_is_refused_and_changes_nothing(void **state UNUSED)
{
    static const char *const wrong[] = {
        "",
        "sha256=",
        DIGITS,
        "sha1=" DIGITS,
        "SHA256=" DIGITS,
        "sha256:" DIGITS,
        " sha256=" DIGITS,
        "sha256= " DIGITS,
        "sha256=" DIGITS " ",
        "sha256=" DIGITS ",sha256=" DIGITS,
        "sha256=0" DIGITS,
        "sha256=45bf15dad176d805c44a026679cc2d419896948267cda30bc1d7b131802103e",
        "sha256=945BF15DAD176D805C44A026679CC2D419896948267CDA30BC1D7B131802103E",
        "sha256=945bf15dad176d805c44a026679cc2d419896948267cda30bc1d7b131802103g",
        "sha256=0x5bf15dad176d805c44a026679cc2d419896948267cda30bc1d7b131802103e",
        "sha256=+45bf15dad176d805c44a026679cc2d419896948267cda30bc1d7b131802103e",
    };
    unsigned char out[WHATSAPP_SIGNATURE_BYTES];

    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        memset(out, 0xA5, sizeof(out));
        if (whatsapp_signature_parse(slice_text(wrong[i]), out) != ERR_SIGNATURE)
            fail_msg("row %zu was accepted", i);
        for (size_t k = 0; k < sizeof(out); k++)
            assert_int_equal(out[k], 0xA5);
    }
    char nul[WHATSAPP_SIGNATURE_TEXT_BYTES + 1] = "sha256=" DIGITS;
    nul[40] = '\0';
    assert_int_equal(whatsapp_signature_parse(slice_of(nul, WHATSAPP_SIGNATURE_TEXT_BYTES), out),
                     ERR_SIGNATURE);
}

/* Vectors made with another implementation: the signature is over the bytes received, not over what they
 * mean. */
static void
the_octets_are_the_hmac_of_the_raw_body(void **state UNUSED)
{
#define SLICE_OF(literal) literal, sizeof(literal) - 1
    static const struct {
        const char *body;
        size_t len;
        const char *header;
    } rows[] = {
        /* a plain body */
        { SLICE_OF("{\"object\":\"whatsapp_business_account\",\"entry\":[]}"),
          "sha256=9ed201a7e2716d7f1dcde644143f7ad8c8d4e78d41c97060ac594f34d32017d4" },
        /* escaped text, as it is on the wire */
        { SLICE_OF("{\"body\":\"Ol\\u00e1, a\\u00e7\\u00e3o \\u2014 50\\u0025 a\\u0040b "
                   "https:\\/\\/shop.example\\/a\"}"),
          "sha256=371b2f0dd4eb7d457fc759a3333ee560e688f34a3a41f081aec98f0ddb62a927" },
        /* the same text in UTF-8 */
        { SLICE_OF(
              "{\"body\":\"Ol\303\241, a\303\247\303\243o \342\200\224 50% a@b https://shop.example/a\"}"),
          "sha256=3b4bc679dcc0d6f247ace93667e21ecdfe89035958424512a1b62797664ffa23" },
        /* an emoji as a surrogate pair */
        { SLICE_OF("{\"emoji\":\"\\ud83d\\udc4d\"}"),
          "sha256=7497ba5209cffa7826b7983f291c858f0c67c7b5190ccff3800dd78e50b04115" },
        /* an empty body */
        { SLICE_OF(""), "sha256=b551572e3c4ab185ae9044b774a8658823482d6252fc114dafc686899568109a" },
    };
    unsigned char claimed[WHATSAPP_SIGNATURE_BYTES], ours[MAC_BYTES];

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        assert_ok(whatsapp_signature_parse(slice_text(rows[i].header), claimed));
        assert_ok(
            mac_sha256(SLICE("b7c2f05d91e84a3c96a1d4e8f3075b2a"), slice_of(rows[i].body, rows[i].len), ours));
        assert_memory_equal(claimed, ours, sizeof(ours));
    }
}

UNIT_MAIN(cmocka_unit_test(the_documented_form_gives_its_octets),
          cmocka_unit_test(the_octets_are_the_hmac_of_the_raw_body),
          cmocka_unit_test(anything_else_is_refused_and_changes_nothing))
