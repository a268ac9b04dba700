#include "core/unit.h"
#include "wire/oidc/id_token.h"

#define NOW_S INT64_C(1800000000)

/* Claims as the first row has them are right; every other row is refused for the reason that it names. */
static const struct {
    const char *claims;
    enum id_token_fault fault;
} rows[] = {
#define REST "\"sub\":\"248289761001\",\"exp\":1800000300,\"iat\":1800000000"
#define GOOD "\"iss\":\"https://idp.example\",\"aud\":\"me\",\"nonce\":\"n-0S6_WzA2Mj\","
    { "{" GOOD REST "}", ID_TOKEN_FAULT_NONE },
    { "{\"iss\":\"https://idp.example/\",\"aud\":\"me\",\"nonce\":\"n-0S6_WzA2Mj\"," REST "}",
      ID_TOKEN_FAULT_ISSUER },
    { "{\"iss\":\"https://evil.example\",\"aud\":\"me\",\"nonce\":\"n-0S6_WzA2Mj\"," REST "}",
      ID_TOKEN_FAULT_ISSUER },
    { "{\"aud\":\"me\",\"nonce\":\"n-0S6_WzA2Mj\"," REST "}", ID_TOKEN_FAULT_ISSUER },
    { "{\"iss\":\"https://idp.example\",\"aud\":\"you\",\"nonce\":\"n-0S6_WzA2Mj\"," REST "}",
      ID_TOKEN_FAULT_AUDIENCE },
    { "{\"iss\":\"https://idp.example\",\"nonce\":\"n-0S6_WzA2Mj\"," REST "}", ID_TOKEN_FAULT_AUDIENCE },
    { "{\"iss\":\"https://idp.example\",\"aud\":[],\"nonce\":\"n-0S6_WzA2Mj\"," REST "}",
      ID_TOKEN_FAULT_AUDIENCE },
    { "{\"iss\":\"https://idp.example\",\"aud\":[\"me\"],\"nonce\":\"n-0S6_WzA2Mj\"," REST "}",
      ID_TOKEN_FAULT_NONE },
    { "{\"iss\":\"https://idp.example\",\"aud\":[\"me\",\"you\"],\"nonce\":\"n-0S6_WzA2Mj\"," REST "}",
      ID_TOKEN_FAULT_AUDIENCE },
    { "{\"iss\":\"https://idp.example\",\"aud\":[\"me\",\"you\"],\"azp\":\"me\",\"nonce\":\"n-0S6_WzA2Mj\"," REST
      "}",
      ID_TOKEN_FAULT_NONE },
    { "{\"iss\":\"https://idp.example\",\"aud\":[\"me\",\"you\"],\"azp\":\"you\",\"nonce\":\"n-0S6_WzA2Mj\"," REST
      "}",
      ID_TOKEN_FAULT_AUDIENCE },
    { "{" GOOD "\"azp\":\"you\"," REST "}", ID_TOKEN_FAULT_AUDIENCE },
    { "{" GOOD "\"azp\":null," REST "}", ID_TOKEN_FAULT_AUDIENCE },
    { "{\"iss\":\"https://idp.example\",\"aud\":\"me\",\"nonce\":\"another\"," REST "}",
      ID_TOKEN_FAULT_NONCE },
    { "{\"iss\":\"https://idp.example\",\"aud\":\"me\"," REST "}", ID_TOKEN_FAULT_NONCE },
    { "{" GOOD "\"sub\":\"s\",\"iat\":1799999000,\"exp\":1799999941}", ID_TOKEN_FAULT_NONE },
    { "{" GOOD "\"sub\":\"s\",\"iat\":1799999000,\"exp\":1799999940}", ID_TOKEN_FAULT_EXPIRED },
    { "{" GOOD "\"sub\":\"s\",\"iat\":1799999000,\"exp\":1799999941.5}", ID_TOKEN_FAULT_NONE },
    { "{" GOOD "\"sub\":\"s\",\"iat\":1800000060,\"exp\":1800000300}", ID_TOKEN_FAULT_NONE },
    { "{" GOOD "\"sub\":\"s\",\"iat\":1800000061,\"exp\":1800000300}", ID_TOKEN_FAULT_FUTURE },
    { "{" GOOD "\"nbf\":1800000061," REST "}", ID_TOKEN_FAULT_FUTURE },
    { "{" GOOD "\"nbf\":\"soon\"," REST "}", ID_TOKEN_FAULT_FORM },
    { "{" GOOD "\"sub\":\"s\",\"exp\":1800000300}", ID_TOKEN_FAULT_FORM },
    { "{" GOOD "\"sub\":\"s\",\"iat\":1800000000}", ID_TOKEN_FAULT_FORM },
    { "{" GOOD "\"sub\":\"s\",\"iat\":1800000000,\"exp\":\"1800000300\"}", ID_TOKEN_FAULT_FORM },
    { "{" GOOD "\"sub\":\"s\",\"iat\":1800000000,\"exp\":9223372036854775807}", ID_TOKEN_FAULT_FORM },
    { "{" GOOD "\"sub\":\"s\",\"iat\":-5,\"exp\":1800000300}", ID_TOKEN_FAULT_FORM },
    { "{" GOOD "\"sub\":\"\",\"iat\":1800000000,\"exp\":1800000300}", ID_TOKEN_FAULT_FORM },
    { "{" GOOD "\"sub\":7,\"iat\":1800000000,\"exp\":1800000300}", ID_TOKEN_FAULT_FORM },
    { "{" GOOD "\"nonce\":\"n-0S6_WzA2Mj\"," REST "}", ID_TOKEN_FAULT_FORM }, /* a name twice */
    { "[]", ID_TOKEN_FAULT_FORM },
    { "", ID_TOKEN_FAULT_FORM },
};

static enum err
checked(const char *claims, struct arena *arena, struct id_token *out, enum id_token_fault *fault)
{
    const struct id_token_expected expected = {
        SLICE("https://idp.example"), SLICE("me"), SLICE("n-0S6_WzA2Mj"), { NOW_S * 1000000 }
    };

    return id_token_check(&expected, slice_text(claims), arena, out, fault);
}

static void
each_claim_is_what_was_asked_for(void **state UNUSED)
{
    struct arena *arena = arena_new(65536);

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        enum id_token_fault fault = ID_TOKEN_FAULT_NONE;
        struct id_token token;
        enum err err = checked(rows[i].claims, arena, &token, &fault);
        if (fault != rows[i].fault)
            fail_msg("%s: %s", rows[i].claims, id_token_fault_word(fault));
        assert_int_equal(err, fault == ID_TOKEN_FAULT_NONE ? ERR_OK : ERR_IDENTITY_TOKEN);
        assert_int_equal(token.subject.len > 0, err == ERR_OK);
    }
    arena_free(arena);
}

static void
an_address_is_verified_when_the_issuer_says_true(void **state UNUSED)
{
    static const struct {
        const char *claims, *email;
        bool is_verified;
    } emails[] = {
        { "{" GOOD REST ",\"email\":\"ada@example.org\",\"email_verified\":true}", "ada@example.org", true },
        { "{" GOOD REST ",\"email\":\"ada@example.org\",\"email_verified\":false}", "ada@example.org",
          false },
        { "{" GOOD REST ",\"email\":\"ada@example.org\",\"email_verified\":\"true\"}", "ada@example.org",
          false },
        { "{" GOOD REST ",\"email\":\"ada@example.org\",\"email_verified\":1}", "ada@example.org", false },
        { "{" GOOD REST ",\"email\":\"ada@example.org\"}", "ada@example.org", false },
        { "{" GOOD REST ",\"email_verified\":true}", "", false },
        { "{" GOOD REST ",\"email\":[\"ada@example.org\"],\"email_verified\":true}", "", false },
    };
    struct arena *arena = arena_new(65536);

    for (size_t i = 0; i < COUNT_OF(emails); i++) {
        enum id_token_fault fault;
        struct id_token token;
        assert_ok(checked(emails[i].claims, arena, &token, &fault));
        assert_true(slice_eq(token.email, slice_text(emails[i].email)));
        assert_int_equal(token.is_email_verified, emails[i].is_verified);
        assert_true(slice_eq(token.subject, SLICE("248289761001")));
    }
    arena_free(arena);
}

/* Else a token that says none would be for everybody. */
static void
a_nonce_that_was_never_sent_fits_no_token(void **state UNUSED)
{
    const struct id_token_expected expected = {
        SLICE("https://idp.example"), SLICE("me"), SLICE_EMPTY, { NOW_S * 1000000 }
    };
    struct arena *arena = arena_new(65536);
    enum id_token_fault fault;
    struct id_token token;

    assert_int_equal(
        id_token_check(&expected,
                       SLICE("{\"iss\":\"https://idp.example\",\"aud\":\"me\",\"nonce\":\"\"," REST "}"),
                       arena, &token, &fault),
        ERR_IDENTITY_TOKEN);
    assert_int_equal(fault, ID_TOKEN_FAULT_NONCE);
    arena_free(arena);
}

UNIT_MAIN(cmocka_unit_test(each_claim_is_what_was_asked_for),
          cmocka_unit_test(an_address_is_verified_when_the_issuer_says_true),
          cmocka_unit_test(a_nonce_that_was_never_sent_fits_no_token))
