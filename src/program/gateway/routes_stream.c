/* GET /v1/stream: what changes, as it happens. */
#include "program/gateway/gateway.h"
#include "program/gateway/live.h"

static enum err
stream_get(struct http_request *request, struct http_response *response)
{
    struct slice last = http_header(request, "Last-Event-ID");

    if (request->method == HTTP_HEAD) { /* its answer would have no end */
        response->status = 200;
        response->content_type = SLICE("text/event-stream");
        return ERR_OK;
    }
    return live_open(gateway_worker_of(request)->gateway->live, request, request->principal,
                     last.ptr == NULL ? SLICE_EMPTY : last);
}

const struct http_route stream_routes[] = {
    { HTTP_GET, "/v1/stream", stream_get, "openStream", HTTP_ACCESS_KEY, .is_feed = true },
    { .handler = NULL },
};
