#include "platform/stream/stream.h"
#include "core/attribute.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROBLEM_BYTES 128u

struct stream_tls {
    SSL_CTX *ctx;
    atomic_uint refs;
};

struct stream {
    int fd;
    struct stream_tls *tls;
    SSL *ssl; /* NULL: plain */
    bool is_connected, is_ready, is_server;
    short tls_wants; /* what the TLS layer waits for, whichever way we go */
    char problem[PROBLEM_BYTES];
};

static enum err
tls_new(const SSL_METHOD *method, struct stream_tls **out)
{
    struct stream_tls *tls = calloc(1, sizeof(*tls));

    if (tls == NULL)
        return ERR_NO_MEMORY;
    atomic_init(&tls->refs, 1);
    tls->ctx = SSL_CTX_new(method);
    if (tls->ctx == NULL || SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION) != 1) {
        stream_tls_unref(tls);
        return ERR_NO_MEMORY;
    }
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    *out = tls;
    return ERR_OK;
}

enum err
stream_tls_file(const char *path, struct stream_tls **out)
{
    struct stream_tls *tls = NULL;
    enum err err = tls_new(TLS_client_method(), &tls);

    *out = NULL;
    if (err != ERR_OK)
        return err;
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_file(tls->ctx, path) != 1) {
        ERR_clear_error();
        stream_tls_unref(tls);
        return ERR_CONFIG;
    }
    *out = tls;
    return ERR_OK;
}

enum err
stream_tls_pem(struct slice pem, struct stream_tls **out)
{
    struct stream_tls *tls = NULL;
    size_t count = 0;
    enum err err = tls_new(TLS_client_method(), &tls);

    *out = NULL;
    if (err != ERR_OK)
        return err;
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.ptr, (int)pem.len);
    for (X509 *one; bio != NULL && (one = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;) {
        count += X509_STORE_add_cert(SSL_CTX_get_cert_store(tls->ctx), one) == 1;
        X509_free(one);
    }
    BIO_free(bio);
    ERR_clear_error(); /* that there are no more */
    if (count == 0) {
        stream_tls_unref(tls);
        return ERR_CONFIG;
    }
    *out = tls;
    return ERR_OK;
}

enum err
stream_tls_identity(const char *certificate_path, const char *key_path, struct stream_tls **out)
{
    struct stream_tls *tls = NULL;
    enum err err = tls_new(TLS_server_method(), &tls);

    *out = NULL;
    if (err != ERR_OK)
        return err;
    (void)SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (SSL_CTX_use_certificate_chain_file(tls->ctx, certificate_path) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls->ctx, key_path, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls->ctx) != 1) {
        ERR_clear_error();
        stream_tls_unref(tls);
        return ERR_CONFIG;
    }
    *out = tls;
    return ERR_OK;
}

struct stream_tls *
stream_tls_ref(struct stream_tls *tls)
{
    if (tls != NULL)
        atomic_fetch_add(&tls->refs, 1);
    return tls;
}

void
stream_tls_unref(struct stream_tls *tls)
{
    if (tls == NULL || atomic_fetch_sub(&tls->refs, 1) > 1)
        return;
    SSL_CTX_free(tls->ctx);
    free(tls);
}

/* Whom the certificate has to name. */
static bool
host_set(SSL *ssl, struct slice host)
{
    char name[STREAM_HOST_BYTES_MAX + 1];
    unsigned char address[16];

    if (host.len == 0 || host.len > STREAM_HOST_BYTES_MAX || memchr(host.ptr, '\0', host.len) != NULL)
        return false;
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

static enum err
connect_begin(struct stream *stream, const struct stream_config *config)
{
    socklen_t len =
        config->address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int on = 1;

    stream->fd = socket(config->address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (stream->fd < 0)
        return ERR_SYSTEM;
    (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* or it is a little slower */
    if (connect(stream->fd, config->address, len) == 0 || errno == EINPROGRESS || errno == EINTR)
        return ERR_OK;
    return ERR_HTTP_CONNECT;
}

enum err
stream_open(const struct stream_config *config, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    enum err err = ERR_NO_MEMORY;

    *out = NULL;
    if (stream == NULL)
        return ERR_NO_MEMORY;
    stream->fd = -1;
    err = connect_begin(stream, config);
    if (err == ERR_OK && config->tls != NULL) {
        stream->tls = stream_tls_ref(config->tls);
        stream->ssl = SSL_new(config->tls->ctx);
        if (stream->ssl == NULL || SSL_set_fd(stream->ssl, stream->fd) != 1 ||
            !host_set(stream->ssl, config->host))
            err = ERR_HTTP_TLS;
    }
    if (err != ERR_OK) {
        stream_close(stream);
        return err;
    }
    *out = stream;
    return ERR_OK;
}

enum err
stream_take(int fd, struct stream_tls *tls, struct stream **out)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    int on = 1;

    *out = NULL;
    if (stream == NULL) {
        close(fd);
        return ERR_NO_MEMORY;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* or it is a little slower */
    *stream = (struct stream){ .fd = fd, .is_connected = true, .is_ready = tls == NULL, .is_server = true };
    if (tls != NULL) {
        stream->tls = stream_tls_ref(tls);
        stream->tls_wants = POLLIN;
        stream->ssl = SSL_new(tls->ctx);
        if (stream->ssl == NULL || SSL_set_fd(stream->ssl, fd) != 1) {
            stream_close(stream);
            return ERR_NO_MEMORY;
        }
    }
    *out = stream;
    return ERR_OK;
}

void
stream_close(struct stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->ssl != NULL && stream->is_ready)
        (void)SSL_shutdown(stream->ssl); /* says so once, if it can; the answer is not waited for */
    SSL_free(stream->ssl);
    ERR_clear_error();
    stream_tls_unref(stream->tls);
    if (stream->fd >= 0)
        close(stream->fd);
    free(stream);
}

int
stream_fd(const struct stream *stream)
{
    return stream->fd;
}

short
stream_events(const struct stream *stream, bool has_output)
{
    if (!stream->is_connected)
        return POLLOUT;
    if (!stream->is_ready)
        return stream->tls_wants;
    return (short)(POLLIN | (has_output || (stream->tls_wants & POLLOUT) != 0 ? POLLOUT : 0));
}

static void
problem_set(struct stream *stream, const char *text)
{
    size_t len = strnlen(text, sizeof(stream->problem) - 1);

    memcpy(stream->problem, text, len);
    stream->problem[len] = '\0';
}

static void
problem_of_system(struct stream *stream, int number)
{
    char text[PROBLEM_BYTES];

    problem_set(stream, strerror_r(number, text, sizeof(text)));
}

static void
problem_of_tls(struct stream *stream)
{
    long verified = SSL_get_verify_result(stream->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    problem_set(stream, verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                        : reason != NULL      ? reason
                                              : "The TLS connection ended.");
    ERR_clear_error();
}

/* What the TLS layer said of `result`: to be waited for, or the end. */
static enum err
tls_judge(struct stream *stream, int result)
{
    switch (SSL_get_error(stream->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        stream->tls_wants = POLLIN;
        return ERR_WOULD_WAIT;
    case SSL_ERROR_WANT_WRITE:
        stream->tls_wants = POLLOUT;
        return ERR_WOULD_WAIT;
    default:
        problem_of_tls(stream);
        return ERR_HTTP_TLS;
    }
}

static enum err
connect_step(struct stream *stream)
{
    struct pollfd pollfd = { .fd = stream->fd, .events = POLLOUT };
    int failure = 0;
    socklen_t len = sizeof(failure);

    if (poll(&pollfd, 1, 0) <= 0)
        return ERR_WOULD_WAIT;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0)
        failure = errno;
    if (failure == 0) {
        stream->is_connected = true;
        stream->is_ready = stream->ssl == NULL;
        return ERR_OK;
    }
    problem_of_system(stream, failure);
    return ERR_HTTP_CONNECT;
}

enum err
stream_step(struct stream *stream)
{
    enum err err = stream->is_connected ? ERR_OK : connect_step(stream);

    if (err != ERR_OK || stream->is_ready)
        return err;
    ERR_clear_error();
    int result = stream->is_server ? SSL_accept(stream->ssl) : SSL_connect(stream->ssl);
    if (result != 1)
        return tls_judge(stream, result);
    stream->tls_wants = 0;
    stream->is_ready = true;
    return ERR_OK;
}

enum err
stream_read(struct stream *stream, void *into, size_t room, size_t *read_out)
{
    *read_out = 0;
    if (stream->ssl != NULL) {
        ERR_clear_error();
        int result = SSL_read_ex(stream->ssl, into, room, read_out);
        if (result == 1) {
            stream->tls_wants = 0;
            return ERR_OK;
        }
        return tls_judge(stream, result) == ERR_WOULD_WAIT ? ERR_WOULD_WAIT : ERR_HTTP_BROKEN;
    }
    ssize_t count = recv(stream->fd, into, room, 0);
    if (count > 0) {
        *read_out = (size_t)count;
        return ERR_OK;
    }
    if (count < 0 && (errno == EAGAIN || errno == EINTR))
        return ERR_WOULD_WAIT;
    problem_of_system(stream, count == 0 ? ECONNRESET : errno);
    return ERR_HTTP_BROKEN;
}

enum err
stream_write(struct stream *stream, struct slice octets, size_t *written_out)
{
    *written_out = 0;
    if (octets.len == 0)
        return ERR_OK;
    if (stream->ssl != NULL) {
        ERR_clear_error();
        int result = SSL_write_ex(stream->ssl, octets.ptr, octets.len, written_out);
        if (result == 1) {
            stream->tls_wants = 0;
            return ERR_OK;
        }
        return tls_judge(stream, result) == ERR_WOULD_WAIT ? ERR_WOULD_WAIT : ERR_HTTP_BROKEN;
    }
    ssize_t count = send(stream->fd, octets.ptr, octets.len, MSG_NOSIGNAL);
    if (count >= 0) {
        *written_out = (size_t)count;
        return ERR_OK;
    }
    if (errno == EAGAIN || errno == EINTR)
        return ERR_WOULD_WAIT;
    problem_of_system(stream, errno);
    return ERR_HTTP_BROKEN;
}

const char *
stream_problem(const struct stream *stream)
{
    return stream->problem;
}
