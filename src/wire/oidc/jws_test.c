/* Signatures and keys as published: RFC 7515, A.2 and A.3, RFC 8037, A.4. */
#include "core/buf.h"
#include "core/unit.h"
#include "crypto/encode.h"
#include "wire/oidc/jwks.h"
#include "wire/oidc/jws.h"

#define CLAIMS                                                                                               \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RS256_TOKEN                                                                                                 \
    "eyJhbGciOiJSUzI1NiJ9." CLAIMS                                                                                  \
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU" \
    "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO" \
    "--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN" \
    "_IoypGlUPQGe77Rw"
#define ES256_TOKEN                                                                                          \
    "eyJhbGciOiJFUzI1NiJ9." CLAIMS                                                                           \
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define EDDSA_TOKEN                                                                                                 \
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR" \
    "4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define RSA_N                                                                                                        \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-" \
    "pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Ca" \
    "pHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb"  \
    "54h4FRWyuXpoQ"
#define RSA_KEY "{\"kty\":\"RSA\",\"kid\":\"r\",\"use\":\"sig\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"
#define EC_X    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC_KEY                                                                                               \
    "{\"kty\":\"EC\",\"kid\":\"e\",\"alg\":\"ES256\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"
#define OKP_KEY "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define KEYS    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"},7," RSA_KEY "," EC_KEY "," OKP_KEY "]}"

static const struct {
    enum public_key_algorithm algorithm;
    const char *token;
} tokens[] = { { PUBLIC_KEY_RS256, RS256_TOKEN },
               { PUBLIC_KEY_ES256, ES256_TOKEN },
               { PUBLIC_KEY_EDDSA, EDDSA_TOKEN } };

static struct arena *arena;

static int
opened(void **state UNUSED)
{
    arena = arena_new(1u << 20);
    return arena == NULL;
}

static int
closed(void **state UNUSED)
{
    arena_free(arena);
    return 0;
}

static void
published_tokens_are_verified_with_published_keys(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        struct public_key key;
        struct jws jws;
        assert_ok(jws_read(slice_text(tokens[i].token), tokens[i].algorithm, arena, &jws));
        assert_int_equal(jws.key_id.len, 0);
        assert_ok(jwks_find(SLICE(KEYS), tokens[i].algorithm, SLICE_EMPTY, arena, &key));
        assert_ok(jws_verify(&jws, &key));
        for (size_t bit = 0; bit < jws.signature.len * 8; bit += 11) {
            unsigned char changed[512];
            struct jws forged = jws;
            memcpy(changed, jws.signature.ptr, jws.signature.len);
            changed[bit / 8] ^= (unsigned char)(1u << bit % 8);
            forged.signature = slice_of(changed, jws.signature.len);
            assert_int_equal(jws_verify(&forged, &key), ERR_SIGNATURE);
        }
    }
    struct jws jws;
    assert_ok(jws_read(SLICE(RS256_TOKEN), PUBLIC_KEY_RS256, arena, &jws));
    assert_true(slice_starts_with(jws.payload, SLICE("{\"iss\":\"joe\"")));
}

static void
the_algorithm_is_the_one_that_was_agreed_on(void **state UNUSED)
{
    for (size_t i = 0; i < COUNT_OF(tokens); i++)
        for (int algorithm = PUBLIC_KEY_ES256; algorithm <= (int)PUBLIC_KEY_RS256; algorithm++) {
            struct jws jws;
            struct public_key key;
            bool is_same = algorithm == (int)tokens[i].algorithm;
            assert_int_equal(
                jws_read(slice_text(tokens[i].token), (enum public_key_algorithm)algorithm, arena, &jws),
                is_same ? ERR_OK : ERR_ENCODING);
            if (!is_same)
                continue;
            assert_ok(jwks_find(SLICE(KEYS), tokens[(i + 1) % 3].algorithm, SLICE_EMPTY, arena, &key));
            assert_int_equal(jws_verify(&jws, &key), ERR_SIGNATURE); /* a key of another kind */
        }
}

/* A token with this header and any payload and signature. */
static enum err
header_read(const char *header)
{
    struct jws jws;
    struct buf text;

    buf_init(&text, 8192);
    encode_base64url(&text, slice_text(header));
    buf_add_text(&text, ".e30.c2ln");
    enum err err = jws_read(buf_slice(&text), PUBLIC_KEY_RS256, arena, &jws);
    if (err == ERR_OK && strstr(header, "kid") != NULL)
        assert_true(slice_eq(jws.key_id, SLICE("r")));
    buf_release(&text);
    return err;
}

static void
headers_that_ask_for_more_are_refused(void **state UNUSED)
{
    static const char *const good[] = { "{\"alg\":\"RS256\"}",
                                        "{\"alg\":\"RS256\",\"kid\":\"r\",\"typ\":\"JWT\"}" };
    static const char *const bad[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"\"}",
        "{}",
        "[]",
        "\"RS256\"",
        "{\"alg\":[\"RS256\"]}",
        "{\"alg\":\"HS256\"}",
        "{\"alg\":\"RS384\"}",
        "{\"alg\":\"rs256\"}",
        "{\"alg\":\"RS256\",\"alg\":\"none\"}",
        "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"RS256\",\"crit\":[]}",
        "{\"alg\":\"RS256\",\"jwk\":{}}",
        "{\"alg\":\"RS256\",\"jku\":\"https://evil.example\"}",
        "{\"alg\":\"RS256\",\"x5u\":\"\"}",
        "{\"alg\":\"RS256\",\"x5c\":[]}",
        "{\"alg\":\"RS256\",\"b64\":false}",
        "{\"alg\":\"RS256\",\"kid\":7}",
        "{\"alg\":\"RS256\"",
        "",
    };

    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_ok(header_read(good[i]));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(header_read(bad[i]), ERR_ENCODING);
}

static void
other_spellings_are_refused(void **state UNUSED)
{
    static char large[JWS_BYTES_MAX + 1];
    static const char *const bad[] = {
        "",
        ".",
        "..",
        "...",
        "eyJhbGciOiJSUzI1NiJ9",
        "eyJhbGciOiJSUzI1NiJ9.e30",
        "eyJhbGciOiJSUzI1NiJ9.e30.",
        "eyJhbGciOiJSUzI1NiJ9..c2ln",
        "eyJhbGciOiJSUzI1NiJ9.e30.c2ln.c2ln",
        "eyJhbGciOiJSUzI1NiJ9.e30.c2l=",
        "eyJhbGciOiJSUzI1NiJ9.e30.c2k=",
        "eyJhbGciOiJSUzI1NiJ9.e31.c2ln", /* spare bits that say something */
        "eyJhbGciOiJSUzI1NiJ9.e30.c+ln",
        " eyJhbGciOiJSUzI1NiJ9.e30.c2ln",
        "eyJhbGciOiJSUzI1NiJ9.e30.c2ln\n",
        "eyJhbGciOiJSUzI1NiJ9.e 0.c2ln",
    };
    struct jws jws;

    assert_ok(jws_read(SLICE("eyJhbGciOiJSUzI1NiJ9.e30.c2ln"), PUBLIC_KEY_RS256, arena, &jws));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(jws_read(slice_text(bad[i]), PUBLIC_KEY_RS256, arena, &jws), ERR_ENCODING);
    memset(large, 'A', sizeof(large));
    assert_int_equal(jws_read(slice_of(large, sizeof(large)), PUBLIC_KEY_RS256, arena, &jws), ERR_ENCODING);
}

static void
keys_are_found_by_id_use_and_algorithm(void **state UNUSED)
{
    static const struct {
        const char *json, *key_id;
        enum err err;
    } rows[] = {
        { "{\"keys\":[" RSA_KEY "]}", "r", ERR_OK },
        { "{\"keys\":[" RSA_KEY "]}", "s", ERR_NOT_FOUND },            /* rotated: ask again */
        { "{\"keys\":[" RSA_KEY "," RSA_KEY "]}", "", ERR_NOT_FOUND }, /* which one? */
        { "{\"keys\":[]}", "", ERR_NOT_FOUND },
        { "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}]}", "",
          ERR_NOT_FOUND },
        { "{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"PS256\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}]}", "",
          ERR_NOT_FOUND },
        { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}]}", "",
          ERR_NOT_FOUND }, /* exponent 1 */
        { "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", "", ERR_NOT_FOUND }, /* 17 bits */
        { "{\"keys\":[{\"kty\":\"RSA\",\"n\":7,\"e\":\"AQAB\"}]}", "", ERR_NOT_FOUND },
        { "{\"keys\":{}}", "", ERR_ENCODING },
        { "{}", "", ERR_ENCODING },
        { "[]", "", ERR_ENCODING },
        { "", "", ERR_ENCODING },
        { "{\"keys\":[],\"keys\":[]}", "", ERR_ENCODING },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct public_key key;
        assert_int_equal(
            jwks_find(slice_text(rows[i].json), PUBLIC_KEY_RS256, slice_text(rows[i].key_id), arena, &key),
            rows[i].err);
    }
}

static void
a_key_set_has_its_limits(void **state UNUSED)
{
    static char large[JWKS_BYTES_MAX + 1];
    struct public_key key;
    struct buf many;

    memset(large, ' ', sizeof(large));
    memcpy(large, "{\"keys\":[]}", 11);
    assert_int_equal(jwks_find(slice_of(large, sizeof(large)), PUBLIC_KEY_RS256, SLICE_EMPTY, arena, &key),
                     ERR_ENCODING);
    assert_int_equal(
        jwks_find(slice_of(large, sizeof(large) - 1), PUBLIC_KEY_RS256, SLICE_EMPTY, arena, &key),
        ERR_NOT_FOUND);
    for (size_t count = JWKS_KEYS_MAX; count <= JWKS_KEYS_MAX + 1; count++) {
        buf_init(&many, 4096);
        buf_add_text(&many, "{\"keys\":[0");
        for (size_t i = 1; i < count; i++)
            buf_add_text(&many, ",0");
        buf_add_text(&many, "]}");
        assert_int_equal(jwks_find(buf_slice(&many), PUBLIC_KEY_RS256, SLICE_EMPTY, arena, &key),
                         count == JWKS_KEYS_MAX ? ERR_NOT_FOUND : ERR_ENCODING);
        buf_release(&many);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

UNIT_MAIN(TEST(published_tokens_are_verified_with_published_keys),
          TEST(the_algorithm_is_the_one_that_was_agreed_on), TEST(headers_that_ask_for_more_are_refused),
          TEST(other_spellings_are_refused), TEST(keys_are_found_by_id_use_and_algorithm),
          TEST(a_key_set_has_its_limits))
