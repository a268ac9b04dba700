#include "core/unit.h"
#include "wire/oidc/jws.h"
#include "wire/oidc/oidc_request.h"

static void
the_published_challenge_comes_out(void **state UNUSED)
{
    /* RFC 7636, appendix B. */
    static const unsigned char random[32] = { 116, 24,  223, 180, 151, 153, 224, 37,  79,  250, 96,
                                              125, 216, 173, 187, 186, 22,  212, 37,  77,  105, 214,
                                              191, 240, 91,  88,  5,   88,  83,  132, 141, 121 };
    char verifier[OIDC_VERIFIER_BYTES], challenge[OIDC_VERIFIER_BYTES];

    assert_ok(oidc_pkce(random, verifier, challenge));
    assert_memory_equal(verifier, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", sizeof(verifier));
    assert_memory_equal(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", sizeof(challenge));
}

static void
a_browser_is_sent_with_everything_encoded(void **state UNUSED)
{
    const struct oidc_authorization with = { SLICE("my client&x=1"), SLICE("https://app.example/cb?a=b"),
                                             SLICE("st+1"), SLICE("no"), SLICE("ch") };
    static const char *const endpoints[] = { "https://idp.example/auth", "https://idp.example/auth?realm=a" };

    for (size_t i = 0; i < COUNT_OF(endpoints); i++) {
        struct buf url, want;
        buf_init(&url, 2048);
        buf_init(&want, 2048);
        oidc_authorization_url(&url, slice_text(endpoints[i]), &with);
        buf_add_format(
            &want,
            "%s%sresponse_type=code&scope=openid%%20email&code_challenge_method=S256&client_id=my%%20client%%26x"
            "%%3D1&redirect_uri=https%%3A%%2F%%2Fapp.example%%2Fcb%%3Fa%%3Db&state=st%%2B1&nonce=no&code_challenge=ch",
            endpoints[i], i == 0 ? "?" : "&");
        assert_true(slice_eq(buf_slice(&url), buf_slice(&want)));
        buf_release(&url);
        buf_release(&want);
    }
}

static void
a_code_is_exchanged_with_the_secret_where_it_is_wanted(void **state UNUSED)
{
    const struct oidc_exchange with = { SLICE("a:b"), SLICE("p%w d"), SLICE("https://app.example/cb"),
                                        SLICE("c&d"), SLICE("v") };
    struct buf body, authorization;

    buf_init(&body, 4096);
    buf_init(&authorization, 4096);
    oidc_token_request(&with, false, &body, &authorization);
    assert_true(slice_eq(buf_slice(&body), SLICE("grant_type=authorization_code&code=c%26d&redirect_uri="
                                                 "https%3A%2F%2Fapp.example%2Fcb&code_verifier=v")));
    assert_true(
        slice_eq(buf_slice(&authorization), SLICE("Basic YSUzQWI6cCUyNXclMjBk"))); /* a%3Ab:p%25w%20d */
    buf_clear(&body);
    buf_clear(&authorization);
    oidc_token_request(&with, true, &body, &authorization);
    assert_true(slice_ends_with(buf_slice(&body), SLICE("&client_id=a%3Ab&client_secret=p%25w%20d")));
    assert_int_equal(authorization.len, 0);
    buf_release_wiped(&body);
    buf_release_wiped(&authorization);
}

static void
an_answer_of_another_issuer_is_a_mix_up(void **state UNUSED)
{
    const struct slice issuer = SLICE("https://idp.example");

    assert_true(oidc_answer_is_of(issuer, issuer, true));
    assert_true(oidc_answer_is_of(issuer, issuer, false));
    assert_true(oidc_answer_is_of(SLICE_EMPTY, issuer, false));
    assert_false(oidc_answer_is_of(SLICE_EMPTY, issuer, true)); /* it would name itself */
    assert_false(oidc_answer_is_of(SLICE(""), issuer, false));
    assert_false(oidc_answer_is_of(SLICE("https://evil.example"), issuer, false));
    assert_false(oidc_answer_is_of(SLICE("https://idp.example/"), issuer, true));
}

static void
a_token_answer_has_an_id_token(void **state UNUSED)
{
    static char large[JWS_BYTES_MAX + 64];
    static const char *const bad[] = { "",
                                       "[]",
                                       "{}",
                                       "{\"id_token\":\"\"}",
                                       "{\"id_token\":7}",
                                       "{\"error\":\"invalid_grant\"}",
                                       "{\"id_token\":\"a\",\"id_token\":\"b\"}" };
    struct arena *arena = arena_new(65536), *small = arena_new(8);
    struct slice token;

    assert_ok(oidc_token_answer(
        SLICE("{\"access_token\":\"x\",\"id_token\":\"a.b.c\",\"token_type\":\"Bearer\"}"), arena, &token));
    assert_true(slice_eq(token, SLICE("a.b.c")));
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(oidc_token_answer(slice_text(bad[i]), arena, &token), ERR_ENCODING);
    memset(large, 'a', sizeof(large));
    memcpy(large, "{\"id_token\":\"", 13);
    memcpy(large + sizeof(large) - 2, "\"}", 2);
    assert_int_equal(oidc_token_answer(slice_of(large, sizeof(large)), arena, &token), ERR_ENCODING);
    assert_int_equal(oidc_token_answer(SLICE("{\"id_token\":\"a.b.c.d.e.f\"}"), small, &token),
                     ERR_NO_MEMORY);
    arena_free(arena);
    arena_free(small);
}

UNIT_MAIN(cmocka_unit_test(the_published_challenge_comes_out),
          cmocka_unit_test(a_browser_is_sent_with_everything_encoded),
          cmocka_unit_test(a_code_is_exchanged_with_the_secret_where_it_is_wanted),
          cmocka_unit_test(an_answer_of_another_issuer_is_a_mix_up),
          cmocka_unit_test(a_token_answer_has_an_id_token))
