/* The client against a TLS server that the test plays on a thread, under certificates of its own. */
#include "core/log.h"
#include "core/secret.h"
#include "core/unit.h"
#include "platform/net/http_client.h"
#include "platform/net/net_testing.h"
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
};

struct server {
    SSL_CTX *tls;
    int listen_fd;
    uint16_t port;
    pthread_t thread;
    bool is_h2_offered;
    char got[4096]; /* of the one request that came through */
};

static void
extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* Signed by `authority`, or by itself when that is NULL; good from an hour ago until `seconds` from now. */
static struct authority
certificate_make(const struct authority *authority, const char *name, const char *alternative, long seconds)
{
    struct authority made = { EVP_EC_gen("P-256"), X509_new() };
    static long serial = 1;

    assert_non_null(made.key);
    assert_non_null(made.certificate);
    X509 *issuer = authority == NULL ? made.certificate : authority->certificate;
    X509_set_version(made.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -3600 - (seconds < 0 ? 3600 : 0));
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), seconds);
    X509_set_pubkey(made.certificate, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer));
    extension_add(made.certificate, issuer, NID_basic_constraints,
                  authority == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (alternative != NULL)
        extension_add(made.certificate, issuer, NID_subject_alt_name, alternative);
    assert_true(X509_sign(made.certificate, authority == NULL ? made.key : authority->key, EVP_sha256()) > 0);
    return made;
}

static void
authority_release(struct authority *authority)
{
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
}

/* Serves one connection: one request, one answer. A failed handshake ends it. */
static void *
server_main(void *ctx)
{
    struct server *server = ctx;
    int fd = accept(server->listen_fd, NULL, NULL);
    SSL *ssl = SSL_new(server->tls);
    char rest[256];
    size_t len = 0;

    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        int got;
        while (strstr(server->got, "hello") == NULL &&
               (got = SSL_read(ssl, server->got + len, (int)(sizeof(server->got) - 1 - len))) > 0)
            len += (size_t)got;
        if (len != 0)
            SSL_write(ssl, reply, sizeof(reply) - 1);
        SSL_shutdown(ssl);
    }
    shutdown(fd, SHUT_WR); /* else what was not read would turn the last alert into a reset */
    while (read(fd, rest, sizeof(rest)) > 0)
        ;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static int
on_alpn(SSL *ssl UNUSED, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
        unsigned in_len, void *ctx)
{
    struct server *server = ctx;
    static const unsigned char ours[] = "\10http/1.1";

    server->is_h2_offered = slice_contains(slice_of(in, in_len), SLICE("\2h2"));
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_len, ours, sizeof(ours) - 1, in,
                                 in_len) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

static void
server_start(struct server *server, const struct authority *identity, int version_max,
             const struct authority *clients)
{
    memset(server, 0, sizeof(*server));
    server->tls = SSL_CTX_new(TLS_server_method());
    assert_non_null(server->tls);
    SSL_CTX_set_security_level(server->tls, 0); /* else it would refuse old versions by itself */
    if (version_max != 0)
        assert_int_equal(SSL_CTX_set_max_proto_version(server->tls, version_max), 1);
    assert_int_equal(SSL_CTX_use_certificate(server->tls, identity->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server->tls, identity->key), 1);
    SSL_CTX_set_alpn_select_cb(server->tls, on_alpn, server);
    if (clients != NULL) {
        assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(server->tls), clients->certificate), 1);
        SSL_CTX_set_verify(server->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    }
    server->listen_fd = testing_listen(&server->port);
    assert_int_equal(pthread_create(&server->thread, NULL, server_main, server), 0);
}

static void
server_end(struct server *server)
{
    pthread_join(server->thread, NULL);
    close(server->listen_fd);
    SSL_CTX_free(server->tls);
}

struct outcome {
    unsigned done;
    enum http_failure failure;
    bool was_sent;
    int status, http_version;
};

static void
on_done(void *ctx, const struct http_result *result)
{
    struct outcome *outcome = ctx;

    outcome->done++;
    outcome->failure = result->failure;
    outcome->was_sent = result->was_sent;
    outcome->status = result->status;
    outcome->http_version = result->http_version;
}

static char ca_path[] = "/tmp/harkara-tls-XXXXXX";
static struct authority root, stranger;

/* What a client shows of itself; NULLs: nothing. */
struct shown {
    const struct authority *clients; /* whom the server asks for; NULL: nobody */
    struct slice certificate, key;
};

/* One call to this host name (which is 127.0.0.1) under this certificate. */
static struct outcome
call_showing(struct server *server, const struct authority *identity, int version_max, const char *host,
             const struct shown *shown)
{
    struct address_guard guard;
    struct http_client *client;
    struct outcome outcome = { 0 };
    char url[100], resolve[100], resolve_below[100];
    const char *const resolves[] = { resolve, resolve_below, NULL };

    server_start(server, identity, version_max, shown->clients);
    snprintf(url, sizeof(url), "https://%s:%u/path", host, server->port);
    snprintf(resolve, sizeof(resolve), "name.example:%u:127.0.0.1", server->port);
    snprintf(resolve_below, sizeof(resolve_below), "a.name.example:%u:127.0.0.1", server->port);
    assert_ok(address_guard_init(&guard, SLICE("127.0.0.1/32")));
    assert_ok(http_client_new(&(struct http_client_config){ .ca_file = ca_path,
                                                            .guard = &guard,
                                                            .in_flight_max = 4,
                                                            .connections_per_host_max = 4,
                                                            .response_bytes_max = 1000,
                                                            .user_agent = "Harkara/test",
                                                            .resolve = resolves },
                              &client));
    assert_ok(http_client_start(client, &(struct http_call){ .method = "POST",
                                                             .url = url,
                                                             .body = SLICE("hello"),
                                                             .bearer = SLICE("token"),
                                                             .client_certificate = shown->certificate,
                                                             .client_key = shown->key,
                                                             .timeout_ms = TESTING_WAIT_MS,
                                                             .connect_timeout_ms = TESTING_WAIT_MS,
                                                             .ctx = &outcome,
                                                             .done = on_done }));
    while (outcome.done == 0)
        assert_ok(http_client_run(client, -1, 100));
    http_client_free(client);
    server_end(server);
    return outcome;
}

static struct outcome
call(struct server *server, const struct authority *identity, int version_max, const char *host)
{
    return call_showing(server, identity, version_max, host, &(struct shown){ .clients = NULL });
}

static struct slice
pem_of(const struct authority *identity, BIO *certificate, BIO *key, struct slice *key_out)
{
    char *bytes = NULL;

    assert_int_equal(PEM_write_bio_X509(certificate, identity->certificate), 1);
    assert_int_equal(PEM_write_bio_PrivateKey(key, identity->key, NULL, NULL, 0, NULL, NULL), 1);
    size_t len = (size_t)BIO_get_mem_data(key, &bytes);
    *key_out = slice_of(bytes, len);
    len = (size_t)BIO_get_mem_data(certificate, &bytes);
    return slice_of(bytes, len);
}

/* By TLS 1.2 the server refuses within the handshake; by 1.3 afterwards, when the request is under way. */
static void
a_server_that_asks_for_a_certificate_is_shown_the_right_one(void **state UNUSED)
{
    static const struct {
        const struct authority *signer; /* NULL: no certificate */
        int version_max;
        const char *failure;
    } rows[] = {
        { &root, 0, "none" },
        { &stranger, 0, "tls" },
        { NULL, 0, "tls" },
        { &root, TLS1_2_VERSION, "none" },
        { &stranger, TLS1_2_VERSION, "tls" },
        { NULL, TLS1_2_VERSION, "tls" },
    };

    struct authority identity = certificate_make(&root, "someone", "DNS:name.example", 3600);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct shown shown = { .clients = &root };
        struct authority own = { NULL, NULL };
        BIO *certificate = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
        struct server server;
        if (rows[i].signer != NULL) {
            own = certificate_make(rows[i].signer, "a client", NULL, 3600);
            shown.certificate = pem_of(&own, certificate, key, &shown.key);
        }
        struct outcome outcome =
            call_showing(&server, &identity, rows[i].version_max, "name.example", &shown);
        print_message("# row %zu: %s\n", i, http_failure_word(outcome.failure));
        assert_string_equal(http_failure_word(outcome.failure), rows[i].failure);
        assert_int_equal(server.got[0] == 'P', slice_eq(slice_text(rows[i].failure), SLICE("none")));
        BIO_free(certificate);
        BIO_free(key);
        authority_release(&own);
    }
    authority_release(&identity);
}

static void
a_certificate_that_holds_is_trusted(void **state UNUSED)
{
    static const struct {
        const char *alternative, *host;
    } rows[] = {
        { "DNS:name.example", "name.example" },
        { "DNS:*.name.example", "a.name.example" },
        { "IP:127.0.0.1", "127.0.0.1" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct authority identity = certificate_make(&root, "someone", rows[i].alternative, 3600);
        struct server server;
        struct outcome outcome = call(&server, &identity, 0, rows[i].host);
        assert_string_equal(http_failure_word(outcome.failure), "none");
        assert_int_equal(outcome.status, 200);
        assert_int_equal(outcome.http_version, 11);
        assert_true(server.is_h2_offered);
        assert_memory_equal(server.got, "POST /path HTTP/1.1\r\n", 21);
        assert_non_null(strstr(server.got, "\r\nAuthorization: Bearer token\r\n"));
        authority_release(&identity);
    }
}

static void
a_certificate_that_does_not_hold_gets_nothing(void **state UNUSED)
{
    static const struct {
        const char *name, *alternative, *host;
        long seconds;
        int version_max;
        bool is_strangers, is_self_signed;
    } rows[] = {
        { "someone", "DNS:name.example", "name.example", 3600, 0, true,
          false }, /* signed by nobody we know */
        { "someone", "DNS:name.example", "name.example", 3600, 0, false, true },
        { "someone", "DNS:name.example", "name.example", -60, 0, false, false }, /* over since a minute */
        { "someone", "DNS:other.example", "name.example", 3600, 0, false, false },
        { "someone", "DNS:*.name.example", "name.example", 3600, 0, false, false },
        { "name.example", "DNS:other.example", "name.example", 3600, 0, false,
          false },                                                          /* the common name says nothing */
        { "someone", "DNS:127.0.0.1", "127.0.0.1", 3600, 0, false, false }, /* an address is no name */
        { "someone", "DNS:name.example", "name.example", 3600, TLS1_1_VERSION, false, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct authority *signer = rows[i].is_self_signed ? NULL
                                         : rows[i].is_strangers ? &stranger
                                                                : &root;
        struct authority identity =
            certificate_make(signer, rows[i].name, rows[i].alternative, rows[i].seconds);
        struct server server;
        struct outcome outcome = call(&server, &identity, rows[i].version_max, rows[i].host);
        print_message("# row %zu: %s\n", i, http_failure_word(outcome.failure));
        assert_string_equal(http_failure_word(outcome.failure), "tls");
        assert_false(outcome.was_sent);
        assert_int_equal(outcome.status, 0);
        assert_string_equal(server.got, "");
        authority_release(&identity);
    }
}

static int
group_setup(void **state UNUSED)
{
    int fd = mkstemp(ca_path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    log_open("test", LOG_ERROR, STDERR_FILENO);
    signal(SIGPIPE, SIG_IGN); /* the server's own writes, to a client that hung up */
    root = certificate_make(NULL, "a root", NULL, 3600);
    stranger = certificate_make(NULL, "another root", NULL, 3600);
    if (file == NULL || PEM_write_X509(file, root.certificate) != 1 || fclose(file) != 0)
        return -1;
    return secret_pool_open_unlocked(1 << 18) == ERR_OK ? 0 : -1;
}

static int
group_teardown(void **state UNUSED)
{
    unlink(ca_path);
    authority_release(&root);
    authority_release(&stranger);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_that_holds_is_trusted),
        cmocka_unit_test(a_certificate_that_does_not_hold_gets_nothing),
        cmocka_unit_test(a_server_that_asks_for_a_certificate_is_shown_the_right_one),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
