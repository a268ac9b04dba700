/* Streams against a peer that the test plays on a thread, plain and under certificates of its own. */
#include "core/unit.h"
#include "platform/stream/stream.h"
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

/* Sends back what it gets, until the other side closes. */
struct peer {
    int listen_fd;
    struct sockaddr_in address;
    SSL_CTX *tls; /* NULL: plain */
    pthread_t thread;
};

static struct identity identity; /* signs itself; names localhost and 127.0.0.1 */

static void
extension_add(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static int
group_open(void **state UNUSED)
{
    signal(SIGPIPE, SIG_IGN); /* as a role does */
    identity = (struct identity){ EVP_EC_gen("P-256"), X509_new() };
    assert_non_null(identity.key);
    X509_set_version(identity.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(identity.certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(identity.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(identity.certificate), 86400);
    X509_set_pubkey(identity.certificate, identity.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(identity.certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"peer", -1, -1, 0);
    X509_set_issuer_name(identity.certificate, X509_get_subject_name(identity.certificate));
    extension_add(identity.certificate, NID_basic_constraints, "critical,CA:TRUE");
    extension_add(identity.certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    assert_true(X509_sign(identity.certificate, identity.key, EVP_sha256()) > 0);
    return 0;
}

static int
group_close(void **state UNUSED)
{
    EVP_PKEY_free(identity.key);
    X509_free(identity.certificate);
    return 0;
}

static struct stream_tls *
tls_of(X509 *certificate)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct stream_tls *tls = NULL;
    char *text = NULL;

    assert_int_equal(PEM_write_bio_X509(bio, certificate), 1);
    long len = BIO_get_mem_data(bio, &text);
    assert_ok(stream_tls_pem(slice_of(text, (size_t)len), &tls));
    BIO_free(bio);
    return tls;
}

static void
echo(int fd, SSL *ssl)
{
    char octets[4096];

    for (;;) {
        int got =
            ssl == NULL ? (int)recv(fd, octets, sizeof(octets), 0) : SSL_read(ssl, octets, sizeof(octets));
        if (got <= 0)
            return;
        if (ssl == NULL)
            (void)!write(fd, octets, (size_t)got);
        else
            SSL_write(ssl, octets, got);
    }
}

static void *
peer_run(void *ctx)
{
    struct peer *peer = ctx;
    int fd = accept(peer->listen_fd, NULL, NULL);
    SSL *ssl = peer->tls == NULL ? NULL : SSL_new(peer->tls);

    if (ssl != NULL)
        SSL_set_fd(ssl, fd);
    if (ssl == NULL || SSL_accept(ssl) == 1)
        echo(fd, ssl);
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static void
peer_start(struct peer *peer, bool has_tls)
{
    socklen_t len = sizeof(peer->address);

    *peer = (struct peer){ .address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) } };
    peer->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(peer->listen_fd, (struct sockaddr *)&peer->address, len), 0);
    assert_int_equal(listen(peer->listen_fd, 4), 0);
    assert_int_equal(getsockname(peer->listen_fd, (struct sockaddr *)&peer->address, &len), 0);
    if (has_tls) {
        peer->tls = SSL_CTX_new(TLS_server_method());
        assert_int_equal(SSL_CTX_use_certificate(peer->tls, identity.certificate), 1);
        assert_int_equal(SSL_CTX_use_PrivateKey(peer->tls, identity.key), 1);
    }
    assert_int_equal(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static void
peer_end(struct peer *peer)
{
    pthread_join(peer->thread, NULL);
    SSL_CTX_free(peer->tls);
    close(peer->listen_fd);
}

static struct stream *
stream_to(const struct peer *peer, struct stream_tls *tls, const char *host)
{
    struct stream *stream = NULL;

    assert_ok(stream_open(&(struct stream_config){ .address = (const struct sockaddr *)&peer->address,
                                                   .tls = tls,
                                                   .host = slice_text(host) },
                          &stream));
    return stream;
}

/* Waits for what the stream says that it waits for. */
static void
await(struct stream *stream, bool has_output)
{
    struct pollfd fd = { .fd = stream_fd(stream), .events = stream_events(stream, has_output) };

    assert_int_not_equal(fd.events, 0);
    assert_true(poll(&fd, 1, 15000) > 0);
}

static enum err
connected(struct stream *stream)
{
    enum err err = stream_step(stream);

    for (; err == ERR_WOULD_WAIT; err = stream_step(stream))
        await(stream, false);
    return err;
}

/* More than the system holds between two sockets comes back as it went. */
static void
comes_back(struct stream *stream)
{
    enum { MANY = 3 * 1024 * 1024 };
    static char sent[MANY], got[MANY];
    size_t sent_count = 0, got_count = 0, count = 0;

    for (size_t i = 0; i < MANY; i++)
        sent[i] = (char)(i * 31 + i / 255);
    while (got_count < MANY) {
        enum err wrote = ERR_WOULD_WAIT, read = ERR_OK;
        /* At most 64 KiB ahead: the peer answers before it reads on. */
        if (sent_count < MANY && sent_count - got_count < 65536) {
            wrote = stream_write(
                stream, slice_of(sent + sent_count, MANY - sent_count > 16384 ? 16384 : MANY - sent_count),
                &count);
            sent_count += count;
        }
        read = stream_read(stream, got + got_count, MANY - got_count, &count);
        got_count += count;
        assert_true(wrote == ERR_OK || wrote == ERR_WOULD_WAIT);
        assert_true(read == ERR_OK || read == ERR_WOULD_WAIT);
        if (wrote == ERR_WOULD_WAIT && read == ERR_WOULD_WAIT)
            await(stream, sent_count < MANY && sent_count - got_count < 65536);
    }
    assert_memory_equal(sent, got, MANY);
}

static void
what_is_written_comes_back(void **state UNUSED)
{
    struct peer peer;

    for (int has_tls = 0; has_tls < 2; has_tls++) {
        peer_start(&peer, has_tls);
        struct stream_tls *tls = has_tls ? tls_of(identity.certificate) : NULL;
        struct stream *stream = stream_to(&peer, tls, "localhost");
        stream_tls_unref(tls); /* the stream has its own */
        assert_ok(connected(stream));
        comes_back(stream);
        stream_close(stream);
        peer_end(&peer);
    }
}

static void
an_address_is_named_by_its_certificate_too(void **state UNUSED)
{
    struct stream_tls *tls = tls_of(identity.certificate);
    struct peer peer;

    peer_start(&peer, true);
    struct stream *stream = stream_to(&peer, tls, "127.0.0.1");
    assert_ok(connected(stream));
    stream_close(stream);
    peer_end(&peer);
    stream_tls_unref(tls);
}

static void
another_name_is_refused(void **state UNUSED)
{
    struct stream_tls *tls = tls_of(identity.certificate);
    struct peer peer;

    peer_start(&peer, true);
    struct stream *stream = stream_to(&peer, tls, "smpp.example.org");
    assert_int_equal(connected(stream), ERR_HTTP_TLS);
    assert_string_equal(stream_problem(stream), "hostname mismatch");
    stream_close(stream);
    peer_end(&peer);
    stream_tls_unref(tls);
}

static void
a_certificate_that_nobody_vouches_for_is_refused(void **state UNUSED)
{
    struct stream_tls *tls = NULL;
    struct peer peer;

    assert_ok(stream_tls_file("/etc/ssl/certs/ca-certificates.crt", &tls));
    peer_start(&peer, true);
    struct stream *stream = stream_to(&peer, tls, "localhost");
    assert_int_equal(connected(stream), ERR_HTTP_TLS);
    assert_true(stream_problem(stream)[0] != '\0');
    stream_close(stream);
    peer_end(&peer);
    stream_tls_unref(tls);
}

static void
a_port_where_nobody_listens_says_so(void **state UNUSED)
{
    struct peer peer;

    peer_start(&peer, false);
    struct stream *first = stream_to(&peer, NULL, "");
    assert_ok(connected(first));
    stream_close(first);
    peer_end(&peer); /* nobody listens any more */
    struct stream *stream = stream_to(&peer, NULL, "");
    assert_int_equal(connected(stream), ERR_HTTP_CONNECT);
    assert_string_equal(stream_problem(stream), "Connection refused");
    stream_close(stream);
}

static void
a_peer_that_closes_is_told(void **state UNUSED)
{
    char octets[16];
    size_t count = 1;
    struct peer peer;

    peer_start(&peer, false);
    struct stream *stream = stream_to(&peer, NULL, "");
    assert_ok(connected(stream));
    assert_int_equal(shutdown(stream_fd(stream), SHUT_WR), 0); /* the peer ends by it */
    enum err err = stream_read(stream, octets, sizeof(octets), &count);
    for (; err == ERR_WOULD_WAIT; err = stream_read(stream, octets, sizeof(octets), &count))
        await(stream, false);
    assert_int_equal(err, ERR_HTTP_BROKEN);
    assert_int_equal(count, 0);
    stream_close(stream);
    peer_end(&peer);
}

static void
text_without_a_certificate_is_nobody_to_trust(void **state UNUSED)
{
    struct stream_tls *tls = NULL;

    assert_int_equal(
        stream_tls_pem(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &tls),
        ERR_CONFIG);
    assert_int_equal(stream_tls_pem(SLICE_EMPTY, &tls), ERR_CONFIG);
    assert_int_equal(stream_tls_file("/nonexistent.pem", &tls), ERR_CONFIG);
    assert_null(tls);
    stream_tls_unref(tls);
    stream_close(NULL);
}

/* The PEM files of the identity, or of its certificate and another key, in a folder that was made. */
static void
files_write(const char *folder, EVP_PKEY *key, char *certificate_path, char *key_path, size_t bytes)
{
    snprintf(certificate_path, bytes, "%s/certificate.pem", folder);
    snprintf(key_path, bytes, "%s/key.pem", folder);
    FILE *file = fopen(certificate_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, identity.certificate), 1);
    fclose(file);
    file = fopen(key_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

/* Steps both until both are there, or one of them fails. */
static enum err
agreed(struct stream *one, struct stream *other)
{
    for (;;) {
        enum err first = stream_step(one), second = stream_step(other);
        if (first != ERR_WOULD_WAIT && (first != ERR_OK || second != ERR_WOULD_WAIT))
            return first == ERR_OK ? second : first;
        if (second != ERR_OK && second != ERR_WOULD_WAIT)
            return second;
        struct pollfd fds[] = { { .fd = stream_fd(one), .events = stream_events(one, false) },
                                { .fd = stream_fd(other), .events = stream_events(other, false) } };
        assert_true(poll(fds, 2, 15000) > 0);
    }
}

static void
who_comes_to_us_is_shown_who_we_are(void **state UNUSED)
{
    char folder[] = "/tmp/stream-XXXXXX", certificate[64], key[64], got[8] = "";
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(address);
    int listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    EVP_PKEY *another = EVP_EC_gen("P-256");
    struct stream_tls *ours = NULL, *theirs = tls_of(identity.certificate);

    assert_non_null(mkdtemp(folder));
    assert_int_equal(bind(listen_fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listen_fd, 4), 0);
    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &len), 0);
    files_write(folder, another, certificate, key, sizeof(key));
    assert_int_equal(stream_tls_identity(certificate, key, &ours), ERR_CONFIG); /* not its key */
    assert_int_equal(stream_tls_identity(certificate, "/nonexistent", &ours), ERR_CONFIG);
    assert_null(ours);
    files_write(folder, identity.key, certificate, key, sizeof(key));
    assert_ok(stream_tls_identity(certificate, key, &ours));
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        struct stream *near = NULL, *far = NULL;
        size_t count = 0;
        assert_ok(stream_open(&(struct stream_config){ .address = (const struct sockaddr *)&address,
                                                       .tls = is_plain ? NULL : theirs,
                                                       .host = SLICE("localhost") },
                              &far));
        int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        assert_true(fd >= 0);
        assert_ok(stream_take(fd, ours, &near));
        if (is_plain) { /* somebody who speaks no TLS is not let in */
            assert_ok(connected(far));
            assert_ok(stream_write(far, SLICE("GET / HTTP/1.1\r\n\r\n"), &count));
            assert_int_equal(connected(near), ERR_HTTP_TLS);
        } else {
            assert_ok(agreed(near, far));
            assert_ok(stream_write(far, SLICE("hello"), &count));
            enum err err = stream_read(near, got, sizeof(got), &count);
            for (; err == ERR_WOULD_WAIT; err = stream_read(near, got, sizeof(got), &count))
                await(near, false);
            assert_ok(err);
            assert_true(slice_eq(slice_of(got, count), SLICE("hello")));
        }
        stream_close(near);
        stream_close(far);
    }
    stream_tls_unref(ours);
    stream_tls_unref(theirs);
    EVP_PKEY_free(another);
    close(listen_fd);
    unlink(certificate);
    unlink(key);
    rmdir(folder);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_comes_back),
        cmocka_unit_test(an_address_is_named_by_its_certificate_too),
        cmocka_unit_test(another_name_is_refused),
        cmocka_unit_test(a_certificate_that_nobody_vouches_for_is_refused),
        cmocka_unit_test(a_port_where_nobody_listens_says_so),
        cmocka_unit_test(a_peer_that_closes_is_told),
        cmocka_unit_test(text_without_a_certificate_is_nobody_to_trust),
        cmocka_unit_test(who_comes_to_us_is_shown_who_we_are),
    };
    return cmocka_run_group_tests(tests, group_open, group_close);
}
