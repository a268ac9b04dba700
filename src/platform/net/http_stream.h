/*
 * Requests and answers that are not held whole. A route that asks for it (HTTP_BODY_STREAMED) is served by
 * workers of its own, so that a slow client holds up no ordinary request; between its worker and the loop
 * lies a ring of HTTP_STREAM_RING_BYTES, and whoever is ahead waits: the worker on a condition, the client
 * because it is not read from or has nothing to read.
 *
 * All of this is for the worker that handles the request, and blocks it. A client that goes away, or moves
 * nothing for HTTP_STREAM_MS, or takes longer than HTTP_STREAM_TOTAL_MS altogether, is ERR_HTTP_BROKEN.
 */
#ifndef PLATFORM_NET_HTTP_STREAM_H
#define PLATFORM_NET_HTTP_STREAM_H
#include "platform/net/http_server.h"

#define HTTP_STREAM_RING_BYTES (128u * 1024u)
#define HTTP_STREAM_MS         30000
#define HTTP_STREAM_TOTAL_MS   (15 * 60 * 1000)
#define HTTP_STREAM_UNDECLARED                                                                               \
    UINT64_MAX /* the length of a chunked body, or of an answer that is sent as one */

/* Of the request's body; 0: it has none. */
uint64_t http_stream_declared(const struct http_request *request);
/*
 * From now on the body is read: before, nothing of it was, so who is refused has sent little in vain (and a
 * client that waits for 100 Continue, nothing). Once. ERR_HTTP_BROKEN, ERR_NO_MEMORY.
 */
MUST_CHECK enum err http_stream_accept(struct http_request *request);
/* Some bytes of the body, at least one; *len_out is 0 at its end. ERR_HTTP_BROKEN: it was cut short. */
MUST_CHECK enum err http_stream_read(struct http_request *request, char *to, size_t max, size_t *len_out);

/*
 * Answers with the head of *head (its body is not looked at) and `bytes` bytes that follow; of an answer
 * whose length is not declared, as many as are written: what is in it must tell whether it is whole. The
 * handler then writes them, calls http_stream_end whatever happened, and returns ERR_DEFERRED. On an error of
 * this one nothing was answered, and the handler returns the error. ERR_HTTP_BROKEN, ERR_NO_MEMORY.
 */
MUST_CHECK enum err http_stream_answer(struct http_request *request, const struct http_response *head,
                                       uint64_t bytes);
/* ERR_HTTP_BROKEN. */
MUST_CHECK enum err http_stream_write(struct http_request *request, struct slice bytes);
/* The request is gone afterwards. Fewer bytes than were announced: the connection is closed, so the client
 * sees it. */
void http_stream_end(struct http_request *request);

#endif
