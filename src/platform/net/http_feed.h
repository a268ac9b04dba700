/*
 * Answers that go on: what happens is written into them, as it happens, until either side has enough. An
 * ordinary worker takes the request of a route that may have one (HTTP_BODY_FEED), begins it and is free
 * again; whoever has the feed then writes from any thread and never waits. Nothing holds a feed open but its
 * client: there is no time limit, but who takes nothing of what was written for HTTP_SEND_MS is cut. A client
 * that went away is noticed within a second or so. When the server drains, feeds are cut.
 */
#ifndef PLATFORM_NET_HTTP_FEED_H
#define PLATFORM_NET_HTTP_FEED_H
#include "platform/net/http_server.h"

#define HTTP_FEED_BYTES 8192u /* that a client may lie behind, besides what its socket holds */

struct http_feed; /* owned by who began it, until http_feed_end; one thread at a time */

/*
 * Answers with *head (its body is not looked at). The handler then returns ERR_DEFERRED. On an error nothing
 * was answered, and the handler returns it. ERR_HTTP_BROKEN, ERR_NO_MEMORY.
 */
MUST_CHECK enum err http_feed_begin(struct http_request *request, const struct http_response *head,
                                    struct http_feed **out);
/* The whole of it, or nothing; of no bytes only whether the client is there. ERR_LIMIT: the client lies too
 * far behind now. ERR_HTTP_BROKEN: it is gone. */
MUST_CHECK enum err http_feed_write(struct http_feed *feed, struct slice bytes);
/* What was written is still sent; the request is gone afterwards. */
void http_feed_end(struct http_feed *feed);

#endif
