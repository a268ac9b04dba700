/*
 * A connection to a host that is known by its address, or one that came to us, plain or under TLS, without
 * waiting: whoever owns it polls stream_fd for stream_events and calls stream_step, stream_read and
 * stream_write. Belongs to one thread; a TLS context may be shared by several.
 *
 * Under TLS (1.2 at the least) a host has to show a certificate that names `host` and that an authority of
 * the context has signed; whoever comes to us is shown ours, and has to show none.
 */
#ifndef PLATFORM_STREAM_STREAM_H
#define PLATFORM_STREAM_STREAM_H
#include "core/err.h"
#include "core/slice.h"
#include <stdbool.h>
#include <sys/socket.h>

#define STREAM_HOST_BYTES_MAX 253u

struct stream;
struct stream_tls; /* whom to trust, or who we are; counted, each stream has its own reference */

/* Trusts the authorities of a PEM file. ERR_CONFIG: it has none, or cannot be read. */
MUST_CHECK enum err stream_tls_file(const char *path, struct stream_tls **out);
/* Trusts those of this PEM text alone. ERR_CONFIG: it has none. */
MUST_CHECK enum err stream_tls_pem(struct slice pem, struct stream_tls **out);
/*
 * Who we are: a certificate with those that lead to its authority, and its key, of PEM files. ERR_CONFIG:
 * they cannot be read, or do not belong together.
 */
MUST_CHECK enum err stream_tls_identity(const char *certificate_path, const char *key_path,
                                        struct stream_tls **out);
struct stream_tls *stream_tls_ref(struct stream_tls *tls);
void stream_tls_unref(struct stream_tls *tls); /* accepts NULL */

struct stream_config {
    const struct sockaddr *address; /* IPv4 or IPv6, with its port */
    struct stream_tls *tls;         /* NULL: plain */
    struct slice host;              /* under TLS: a name or an address, at most STREAM_HOST_BYTES_MAX */
};
/* Begins to connect. ERR_HTTP_CONNECT: the system refuses at once; ERR_NO_MEMORY, ERR_SYSTEM. */
MUST_CHECK enum err stream_open(const struct stream_config *config, struct stream **out);
/*
 * A connection that was accepted: fd is taken, also when it fails. `tls` is of stream_tls_identity, or NULL:
 * plain. stream_step agrees on TLS.
 */
MUST_CHECK enum err stream_take(int fd, struct stream_tls *tls, struct stream **out);
void stream_close(struct stream *stream); /* accepts NULL */

int stream_fd(const struct stream *stream);
/* POLLIN, POLLOUT: what it waits for. `has_output`: there is something to be written. */
short stream_events(const struct stream *stream, bool has_output);

/*
 * Goes on connecting. ERR_OK: it can be read and written; ERR_WOULD_WAIT: not yet; ERR_HTTP_CONNECT: nobody
 * takes the connection; ERR_HTTP_TLS: no agreement on TLS, or the certificate is not trusted.
 */
MUST_CHECK enum err stream_step(struct stream *stream);
/* ERR_WOULD_WAIT: nothing is there now. ERR_HTTP_BROKEN: it has ended. */
MUST_CHECK enum err stream_read(struct stream *stream, void *into, size_t room, size_t *read_out);
/* ERR_WOULD_WAIT: nothing was taken now. ERR_HTTP_BROKEN: it has ended. */
MUST_CHECK enum err stream_write(struct stream *stream, struct slice octets, size_t *written_out);
/* Why the last step, read or write failed, such as "Connection refused" or "certificate has expired". */
const char *stream_problem(const struct stream *stream);

#endif
