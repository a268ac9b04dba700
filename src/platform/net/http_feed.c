#include "platform/net/http_feed.h"
#include "core/log.h"
#include "platform/net/http_server_internal.h"

/* A feed is its request's stream: nothing else has to be made for it. */
static struct http_stream *
stream_of(struct http_feed *feed)
{
    return (struct http_stream *)feed;
}

enum err
http_feed_begin(struct http_request *request, const struct http_response *head, struct http_feed **out)
{
    struct http_exchange *exchange = request->transport;

    if (exchange->stream == NULL || !exchange->stream->is_feed)
        bug("a feed is begun that its route does not have");
    enum err err = http_stream_begin(request, head, HTTP_STREAM_UNDECLARED, HTTP_FEED_BYTES);
    if (err == ERR_OK)
        *out = (struct http_feed *)exchange->stream;
    return err;
}

enum err
http_feed_write(struct http_feed *feed, struct slice bytes)
{
    struct http_stream *stream = stream_of(feed);
    enum err err = ERR_OK;

    if (pthread_mutex_lock(&stream->lock) != 0)
        bug("a mutex cannot be locked");
    if (stream->is_broken)
        err = ERR_HTTP_BROKEN;
    else if (!http_stream_put(stream, bytes))
        err = ERR_LIMIT;
    bool wakes = err == ERR_OK && bytes.len != 0 && stream->is_paused && !stream->wants_resume;
    if (wakes)
        stream->wants_resume = true;
    pthread_mutex_unlock(&stream->lock);
    if (wakes)
        http_stream_notify(stream, false);
    return err;
}

void
http_feed_end(struct http_feed *feed)
{
    http_stream_end(&stream_of(feed)->exchange->request);
}
