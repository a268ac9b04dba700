/* The exchange against an issuer in a thread of the test, which says what a test wants. */
#include "core/secret.h"
#include "core/unit.h"
#include "crypto/encode.h"
#include "platform/net/net_testing.h"
#include "program/dispatcher/oidc_exchanger.h"
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* of all below but the thread and its socket */
    char discovery[2048], keys[8192], token[8192], seen[16384];
    int token_status;
    unsigned discoveries, key_fetches, codes;
    pthread_t thread;
    int listener;
} idp = { .lock = PTHREAD_MUTEX_INITIALIZER };

static char issuer[64];
static EVP_PKEY *keys[2];
static struct clock_manual hands; /* so that no test depends on how long it takes */
static struct oidc_exchanger *exchanger;
static struct arena *arena;
static struct oidc_trouble trouble;
static struct id_token token;

static void
answer(int fd, const char *request)
{
    const char *body = "{}";
    struct buf out;
    int status = 200;

    pthread_mutex_lock(&idp.lock);
    if (strncmp(request, "GET /.well-known/openid-configuration ", 38) == 0) {
        idp.discoveries++;
        body = idp.discovery;
    } else if (strncmp(request, "GET /jwks ", 10) == 0) {
        idp.key_fetches++;
        body = idp.keys;
    } else if (strncmp(request, "POST /token ", 12) == 0) {
        idp.codes++;
        snprintf(idp.seen, sizeof(idp.seen), "%s", request);
        status = idp.token_status;
        body = idp.token;
    } else {
        status = 404;
    }
    buf_init(&out, 65536);
    buf_add_format(
        &out,
        "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        status, strlen(body), body);
    pthread_mutex_unlock(&idp.lock);
    testing_send(fd, buf_slice(&out));
    buf_release(&out);
}

/* Until the end of the head, and of the body that it speaks of. */
static void
serve(int fd)
{
    static char request[16384];
    size_t len = 0, want = 0;
    ssize_t n = 0;

    while (len < sizeof(request) - 1 && (want == 0 || len < want) &&
           (n = read(fd, request + len, sizeof(request) - 1 - len)) > 0) {
        len += (size_t)n;
        request[len] = '\0';
        const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
        if (end != NULL)
            want = (size_t)(end - request) + 4 + (length == NULL ? 0 : strtoul(length + 16, NULL, 10));
    }
    if (want > 0 && len >= want)
        answer(fd, request);
}

static void *
idp_run(void *ctx UNUSED)
{
    for (;;) {
        int fd = accept(idp.listener, NULL, NULL);
        if (fd < 0)
            return NULL; /* shut down */
        serve(fd);
        close(fd);
    }
}

static void
number_add(struct buf *out, EVP_PKEY *key, const char *name)
{
    unsigned char bytes[512];
    BIGNUM *number = NULL;

    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    encode_base64url(out, slice_of(bytes, (size_t)BN_bn2bin(number, bytes)));
    BN_free(number);
}

/* The issuer publishes these keys, "k0" and "k1" by their place. */
static void
publish(unsigned set)
{
    struct buf json;

    buf_init(&json, sizeof(idp.keys));
    buf_add_text(&json, "{\"keys\":[");
    for (unsigned i = 0; i < 2; i++) {
        if ((set & (1u << i)) == 0)
            continue;
        buf_add_format(&json, "%s{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"k%u\",\"n\":\"",
                       i == 1 && set == 3 ? "," : "", i);
        number_add(&json, keys[i], OSSL_PKEY_PARAM_RSA_N);
        buf_add_text(&json, "\",\"e\":\"");
        number_add(&json, keys[i], OSSL_PKEY_PARAM_RSA_E);
        buf_add_text(&json, "\"}");
    }
    buf_add_text(&json, "]}");
    assert_ok(buf_done(&json));
    pthread_mutex_lock(&idp.lock);
    snprintf(idp.keys, sizeof(idp.keys), "%.*s", SLICE_FMT(buf_slice(&json)));
    pthread_mutex_unlock(&idp.lock);
    buf_release(&json);
}

/* The next code is answered with this header and these claims, signed by a key. */
static void
say(const char *header, const char *claims, unsigned key)
{
    unsigned char signature[512];
    size_t len = sizeof(signature);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    struct buf text;

    buf_init(&text, sizeof(idp.token));
    encode_base64url(&text, slice_text(header));
    buf_add_byte(&text, '.');
    encode_base64url(&text, slice_text(claims));
    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, keys[key]), 1);
    assert_int_equal(EVP_DigestSign(ctx, signature, &len, (const unsigned char *)text.ptr, text.len), 1);
    buf_add_byte(&text, '.');
    encode_base64url(&text, slice_of(signature, len));
    EVP_MD_CTX_free(ctx);
    pthread_mutex_lock(&idp.lock);
    idp.token_status = 200;
    snprintf(idp.token, sizeof(idp.token), "{\"access_token\":\"x\",\"id_token\":\"%.*s\"}",
             SLICE_FMT(buf_slice(&text)));
    pthread_mutex_unlock(&idp.lock);
    buf_release(&text);
}

/* The next code is answered with this status. */
static void
token_status_set(int status)
{
    pthread_mutex_lock(&idp.lock);
    idp.token_status = status;
    pthread_mutex_unlock(&idp.lock);
}

/* Claims that hold, but for what a test names: NULL keeps the good one. */
static const char *
claims(const char *iss, const char *aud, const char *nonce, int64_t expires_in_s)
{
    static char text[1024];
    int64_t now_s = clock_wall(&hands.clock).us / 1000000;

    snprintf(text, sizeof(text),
             "{\"iss\":\"%s\",\"aud\":\"%s\",\"nonce\":\"%s\",\"sub\":\"ada\",\"iat\":%lld,\"exp\":%lld,"
             "\"email\":\"ada@example.org\",\"email_verified\":true}",
             iss == NULL ? issuer : iss, aud == NULL ? "me" : aud, nonce == NULL ? "the nonce" : nonce,
             (long long)now_s, (long long)(now_s + expires_in_s));
    return text;
}

static const char header_k0[] = "{\"alg\":\"RS256\",\"kid\":\"k0\"}",
                  header_k1[] = "{\"alg\":\"RS256\",\"kid\":\"k1\"}";

static void
document_set(const char *from, const char *more)
{
    pthread_mutex_lock(&idp.lock);
    snprintf(
        idp.discovery, sizeof(idp.discovery),
        "{\"issuer\":\"%s\",\"authorization_endpoint\":\"%s/auth\",\"token_endpoint\":\"%s/token\",\"jwks_uri\":"
        "\"%s/jwks\"%s}",
        from, issuer, issuer, issuer, more);
    pthread_mutex_unlock(&idp.lock);
}

static void
exchanger_open(bool allows_loopback)
{
    assert_ok(oidc_exchanger_new(&(struct oidc_exchanger_config){ .ca_file = "/nonexistent",
                                                                  .clock = &hands.clock,
                                                                  .allows_loopback = allows_loopback },
                                 &exchanger));
}

static int
opened(void **state UNUSED)
{
    uint16_t port = 0;

    if (secret_pool_memory() == SECRET_MEMORY_NONE && secret_pool_open_unlocked(1u << 20) != ERR_OK)
        return -1;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (keys[i] == NULL)
            keys[i] = EVP_RSA_gen(2048);
    clock_manual_init(&hands, clock_wall(clock_system()));
    idp.listener = testing_listen(&port);
    idp.discoveries = idp.key_fetches = idp.codes = 0;
    snprintf(issuer, sizeof(issuer), "http://127.0.0.1:%u", port);
    document_set(issuer, "");
    publish(1);
    say(header_k0, claims(NULL, NULL, NULL, 300), 0);
    exchanger_open(true);
    arena = arena_new(1u << 20);
    return pthread_create(&idp.thread, NULL, idp_run, NULL);
}

static int
closed(void **state UNUSED)
{
    oidc_exchanger_free(exchanger);
    arena_free(arena);
    shutdown(idp.listener, SHUT_RDWR);
    pthread_join(idp.thread, NULL);
    close(idp.listener);
    return 0;
}

static enum err
run_with(enum public_key_algorithm algorithm)
{
    const struct oidc_party party = { slice_text(issuer), SLICE("me"), algorithm };
    const struct oidc_exchange with = { SLICE("me"), SLICE("the secret"), SLICE("https://app.example/cb"),
                                        SLICE("the code"), SLICE("the verifier") };

    return oidc_exchanger_run(exchanger, &party, &with, SLICE("the nonce"), arena, &token, &trouble);
}

static enum err
run(void)
{
    return run_with(PUBLIC_KEY_RS256);
}

static void
a_code_becomes_what_the_issuer_says_of_a_person(void **state UNUSED)
{
    for (unsigned i = 1; i <= 3; i++) {
        assert_ok(run());
        assert_true(slice_eq(token.subject, SLICE("ada")) && slice_eq(token.email, SLICE("ada@example.org")));
        assert_true(token.is_email_verified && trouble.step == OIDC_STEP_DONE);
        assert_true(idp.discoveries == 1 && idp.key_fetches == 1 && idp.codes == i); /* both are remembered */
    }
    assert_non_null(strstr(idp.seen, "\r\nAuthorization: Basic bWU6dGhlJTIwc2VjcmV0\r\n"));
    assert_non_null(strstr(idp.seen,
                           "code=the%20code&redirect_uri=https%3A%2F%2Fapp.example%2Fcb&code_verifier=the%20"
                           "verifier"));
    assert_null(strstr(idp.seen, "client_secret"));
}

static void
each_token_that_does_not_hold_is_refused(void **state UNUSED)
{
    const struct {
        const char *iss, *aud, *nonce;
        int64_t expires_in_s;
        enum id_token_fault fault;
    } rows[] = {
        { "https://evil.example", NULL, NULL, 300, ID_TOKEN_FAULT_ISSUER },
        { NULL, "you", NULL, 300, ID_TOKEN_FAULT_AUDIENCE },
        { NULL, NULL, "of another sign-in", 300, ID_TOKEN_FAULT_NONCE },
        { NULL, NULL, NULL, -61, ID_TOKEN_FAULT_EXPIRED },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say(header_k0, claims(rows[i].iss, rows[i].aud, rows[i].nonce, rows[i].expires_in_s), 0);
        assert_int_equal(run(), ERR_IDENTITY_TOKEN);
        assert_int_equal(trouble.step, OIDC_STEP_CLAIMS);
        assert_int_equal(trouble.fault, rows[i].fault);
        assert_int_equal(token.subject.len, 0);
    }
    say("{\"alg\":\"none\"}", claims(NULL, NULL, NULL, 300), 0);
    assert_int_equal(run(), ERR_IDENTITY_TOKEN);
    assert_int_equal(trouble.step, OIDC_STEP_SIGNATURE);
    say("{\"alg\":\"HS256\",\"kid\":\"k0\"}", claims(NULL, NULL, NULL, 300), 0);
    assert_int_equal(run(), ERR_IDENTITY_TOKEN);
    say(header_k0, claims(NULL, NULL, NULL, 300), 1); /* another's signature under the published id */
    assert_int_equal(run(), ERR_IDENTITY_TOKEN);
    assert_int_equal(trouble.step, OIDC_STEP_SIGNATURE);
    say(header_k0, claims(NULL, NULL, NULL, 300), 0); /* good, and not of the algorithm that was agreed on */
    assert_int_equal(run_with(PUBLIC_KEY_ES256), ERR_IDENTITY_TOKEN);
    assert_int_equal(trouble.step, OIDC_STEP_SIGNATURE);
    assert_ok(run());
}

static void
new_keys_are_asked_for_once_a_minute(void **state UNUSED)
{
    assert_ok(run());
    publish(2);
    say(header_k1, claims(NULL, NULL, NULL, 300), 1);
    assert_int_equal(run(), ERR_IDENTITY_TOKEN); /* the keys were fetched a moment ago */
    assert_int_equal(trouble.step, OIDC_STEP_KEYS);
    assert_int_equal(idp.key_fetches, 1);
    clock_manual_advance(&hands, OIDC_KEYS_REFETCH_MS * INT64_C(1000));
    assert_ok(run());
    assert_int_equal(idp.key_fetches, 2);
    say("{\"alg\":\"RS256\",\"kid\":\"k7\"}", claims(NULL, NULL, NULL, 300), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(run(), ERR_IDENTITY_TOKEN); /* no matter how many ask with ids of their own */
    assert_int_equal(idp.key_fetches, 2);
    say(header_k0, claims(NULL, NULL, NULL, 300), 0); /* withdrawn */
    assert_int_equal(run(), ERR_IDENTITY_TOKEN);
}

static void
documents_are_remembered_for_an_hour(void **state UNUSED)
{
    assert_ok(run());
    clock_manual_advance(&hands, OIDC_DOCUMENT_AGE_MS * INT64_C(1000));
    say(header_k0, claims(NULL, NULL, NULL, 300), 0);
    assert_ok(run());
    assert_true(idp.discoveries == 2 && idp.key_fetches == 2);
}

static void
an_issuer_that_does_not_answer_well_is_told_from_a_bad_code(void **state UNUSED)
{
    const struct oidc_discovery *found = NULL;

    assert_ok(oidc_exchanger_discover(exchanger, slice_text(issuer), &found, &trouble));
    assert_true(slice_ends_with(found->authorization_endpoint, SLICE("/auth")));
    token_status_set(400);
    assert_int_equal(run(), ERR_IDENTITY_TOKEN); /* used already, or another's */
    assert_true(trouble.step == OIDC_STEP_CODE && trouble.status == 400);
    token_status_set(500);
    assert_int_equal(run(), ERR_IDENTITY_PROVIDER);
    assert_true(trouble.step == OIDC_STEP_CODE && trouble.status == 500);
    token_status_set(302); /* no redirect is followed */
    assert_int_equal(run(), ERR_IDENTITY_PROVIDER);
    say(header_k0, claims(NULL, NULL, NULL, 300), 0);
    pthread_mutex_lock(&idp.lock);
    snprintf(idp.keys, sizeof(idp.keys), "[]");
    pthread_mutex_unlock(&idp.lock);
    assert_int_equal(run(), ERR_IDENTITY_PROVIDER);
    assert_int_equal(trouble.step, OIDC_STEP_KEYS);
}

static void
a_document_of_another_issuer_is_no_issuer(void **state UNUSED)
{
    const struct oidc_discovery *found = NULL;

    document_set("https://evil.example", "");
    assert_int_equal(run(), ERR_IDENTITY_PROVIDER);
    assert_int_equal(trouble.step, OIDC_STEP_DISCOVERY);
    assert_int_equal(idp.codes, 0); /* the secret went nowhere */
    assert_int_equal(oidc_exchanger_discover(exchanger, SLICE("http://127.0.0.1:1"), &found, &trouble),
                     ERR_IDENTITY_PROVIDER);
    assert_null(found);
    document_set(issuer, "");
    assert_ok(run()); /* nothing of it was remembered */
}

static void
a_secret_goes_into_the_body_where_the_header_is_not_taken(void **state UNUSED)
{
    document_set(issuer, ",\"token_endpoint_auth_methods_supported\":[\"client_secret_post\"]");
    assert_ok(run());
    assert_null(strstr(idp.seen, "Authorization"));
    assert_non_null(strstr(idp.seen, "&client_id=me&client_secret=the%20secret"));
}

static void
loopback_is_for_who_allowed_it(void **state UNUSED)
{
    static const char *const urls[] = { "http://127.0.0.1:80", "https://127.0.0.1", "https://10.0.0.1",
                                        "https://[::1]", "http://idp.example" };
    const struct oidc_discovery *found = NULL;

    oidc_exchanger_free(exchanger);
    exchanger_open(false);
    assert_int_equal(run(), ERR_IDENTITY_PROVIDER);
    for (size_t i = 0; i < COUNT_OF(urls); i++)
        assert_int_equal(oidc_exchanger_discover(exchanger, slice_text(urls[i]), &found, &trouble),
                         ERR_IDENTITY_PROVIDER);
    assert_int_equal(idp.discoveries, 0);
}

static void
more_issuers_than_are_remembered_are_asked_anew(void **state UNUSED)
{
    const struct oidc_discovery *found = NULL;
    char other[64];

    assert_ok(run());
    for (unsigned i = 0; i < OIDC_ISSUERS_KEPT;
         i++) { /* places of issuers that do not answer are given again */
        snprintf(other, sizeof(other), "http://127.0.0.1:1/%u", i);
        assert_int_equal(oidc_exchanger_discover(exchanger, slice_text(other), &found, &trouble),
                         ERR_IDENTITY_PROVIDER);
    }
    assert_ok(run());
    assert_int_equal(idp.discoveries, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)

UNIT_MAIN(TEST(a_code_becomes_what_the_issuer_says_of_a_person),
          TEST(each_token_that_does_not_hold_is_refused), TEST(new_keys_are_asked_for_once_a_minute),
          TEST(documents_are_remembered_for_an_hour),
          TEST(an_issuer_that_does_not_answer_well_is_told_from_a_bad_code),
          TEST(a_document_of_another_issuer_is_no_issuer),
          TEST(a_secret_goes_into_the_body_where_the_header_is_not_taken),
          TEST(loopback_is_for_who_allowed_it), TEST(more_issuers_than_are_remembered_are_asked_anew))
