#include "core/unit.h"
#include "wire/oidc/oidc_discovery.h"

#define ISSUER "https://idp.example/realm"
#define ENDS                                                                                                    \
    "\"authorization_endpoint\":\"https://idp.example/auth\",\"token_endpoint\":\"https://idp.example/token\"," \
    "\"jwks_uri\":\"https://keys.example/jwks\""

static enum err
read_text(const char *json, bool allows_loopback, struct arena *arena, struct oidc_discovery *out)
{
    return oidc_discovery_read(slice_text(json), SLICE(ISSUER), allows_loopback, arena, out);
}

static void
a_document_says_where_to_ask(void **state UNUSED)
{
    struct arena *arena = arena_new(65536);
    struct oidc_discovery found;

    assert_ok(read_text("{\"issuer\":\"" ISSUER "\"," ENDS "}", false, arena, &found));
    assert_true(slice_eq(found.authorization_endpoint, SLICE("https://idp.example/auth")));
    assert_true(slice_eq(found.token_endpoint, SLICE("https://idp.example/token")));
    assert_true(slice_eq(found.jwks_uri, SLICE("https://keys.example/jwks")));
    assert_false(found.names_itself || found.wants_secret_post);
    assert_ok(read_text("{\"issuer\":\"" ISSUER "\",\"authorization_response_iss_parameter_supported\":true,"
                        "\"token_endpoint_auth_methods_supported\":[\"none\",\"client_secret_post\"],"
                        "\"code_challenge_methods_supported\":[\"plain\",\"S256\"]," ENDS "}",
                        false, arena, &found));
    assert_true(found.names_itself && found.wants_secret_post);
    assert_ok(read_text("{\"issuer\":\"" ISSUER
                        "\",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\","
                        "\"client_secret_basic\"]," ENDS "}",
                        false, arena, &found));
    assert_false(found.wants_secret_post);
    arena_free(arena);
}

static void
a_document_of_another_or_without_what_is_needed_is_refused(void **state UNUSED)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{" ENDS "}",
        "{\"issuer\":\"" ISSUER "/\"," ENDS "}",
        "{\"issuer\":\"https://evil.example\"," ENDS "}",
        "{\"issuer\":\"" ISSUER "\",\"issuer\":\"" ISSUER "\"," ENDS "}",
        "{\"issuer\":\"" ISSUER "\",\"code_challenge_methods_supported\":[\"plain\"]," ENDS "}",
        "{\"issuer\":\"" ISSUER "\",\"response_types_supported\":[\"id_token\"]," ENDS "}",
        "{\"issuer\":\"" ISSUER
        "\",\"authorization_endpoint\":\"https://idp.example/auth\",\"jwks_uri\":\"https://k.example\"}",
        "{\"issuer\":\"" ISSUER
        "\",\"authorization_endpoint\":\"https://idp.example/auth\",\"jwks_uri\":\"https://k.example\","
        "\"token_endpoint\":\"http://idp.example/token\"}",
        "{\"issuer\":\"" ISSUER
        "\",\"authorization_endpoint\":\"javascript:alert(1)\",\"jwks_uri\":\"https://k.example\","
        "\"token_endpoint\":\"https://idp.example/token\"}",
        "{\"issuer\":\"" ISSUER "\",\"authorization_endpoint\":\"https://idp.example/auth\",\"jwks_uri\":"
        "\"http://127.0.0.1/jwks\",\"token_endpoint\":\"https://idp.example/token\"}",
    };
    struct arena *arena = arena_new(65536);
    struct oidc_discovery found;

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(read_text(bad[i], false, arena, &found), ERR_ENCODING);
    assert_ok(
        read_text(bad[COUNT_OF(bad) - 1], true, arena, &found)); /* a developer's own, when that is allowed */
    arena_free(arena);
}

static void
addresses_are_https_or_where_allowed_loopback(void **state UNUSED)
{
    static const struct {
        const char *url;
        bool fits, fits_loopback;
    } rows[] = {
        { "https://idp.example", true, true },
        { "https://idp.example:8443/a?b=c", true, true },
        { "https://[2001:db8::1]/a", true, true },
        { "http://127.0.0.1:3000/oidc", false, true },
        { "http://localhost:3000", false, false },
        { "http://[::1]:3000", false, true },
        { "http://127.0.0.1.evil.example", false, false },
        { "http://localhost.evil.example:80/", false, false },
        { "http://127.0.0.1@evil.example/", false, false },
        { "http://127.0.0.1:3000@evil.example/", false, false },
        { "http://idp.example", false, false },
        { "https://user@idp.example", false, false },
        { "https://", false, false },
        { "https:///path", false, false },
        { "https://:443/", false, false },
        { "https://[::1", false, false },
        { "https://idp.example/#f", false, false },
        { "https://idp.example/a b", false, false },
        { "https://idp.example/\r\nX: y", false, false },
        { "HTTPS://idp.example", false, false },
        { "ftp://idp.example", false, false },
        { "", false, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (oidc_url_is_fit(slice_text(rows[i].url), false) != rows[i].fits ||
            oidc_url_is_fit(slice_text(rows[i].url), true) != rows[i].fits_loopback)
            fail_msg("%s", rows[i].url);
    }
}

static void
the_document_lies_behind_the_issuer(void **state UNUSED)
{
    static const struct {
        const char *issuer, *url;
    } rows[] = { { "https://a.example", "https://a.example/.well-known/openid-configuration" },
                 { "https://a.example/", "https://a.example/.well-known/openid-configuration" },
                 { "https://a.example/b", "https://a.example/b/.well-known/openid-configuration" } };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct buf url;
        buf_init(&url, 256);
        oidc_discovery_url(&url, slice_text(rows[i].issuer));
        assert_true(slice_eq(buf_slice(&url), slice_text(rows[i].url)));
        buf_release(&url);
    }
}

UNIT_MAIN(cmocka_unit_test(a_document_says_where_to_ask),
          cmocka_unit_test(a_document_of_another_or_without_what_is_needed_is_refused),
          cmocka_unit_test(addresses_are_https_or_where_allowed_loopback),
          cmocka_unit_test(the_document_lies_behind_the_issuer))
