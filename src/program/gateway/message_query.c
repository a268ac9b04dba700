#include "program/gateway/message_query.h"
#include "program/gateway/gateway.h"
#include "program/gateway/message_show.h"
#include "program/gateway/reach.h"

/* "sent,failed" to the filter's statuses; the contract has checked each word. */
static enum err
statuses_read(struct slice list, struct message_filter *filter)
{
    while (list.len > 0 && filter->status_count < MESSAGE_STATUS_COUNT)
        if (message_status_parse(slice_take_until(&list, ','), &filter->statuses[filter->status_count++]) !=
            ERR_OK)
            return ERR_QUERY;
    return ERR_OK;
}

enum err
message_query_read(struct http_request *request, struct message_filter *filter)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct slice channel = http_query(request, "channel_id"), category = http_query(request, "category");
    struct slice direction = http_query(request, "direction"), to = http_query(request, "to");
    struct slice after = http_query(request, "created_after"), before = http_query(request, "created_before");
    enum err err = statuses_read(http_query(request, "status"), filter);

    filter->channels = reach_channels(request, &filter->channel_count);
    filter->reference = http_query(request, "reference");
    filter->tag = http_query(request, "tag");
    filter->has_direction = direction.ptr != NULL;
    filter->direction = slice_eq(direction, SLICE("inbound")) ? MESSAGE_IN : MESSAGE_OUT;
    filter->has_category = category.ptr != NULL;
    filter->has_after = after.ptr != NULL;
    filter->has_before = before.ptr != NULL;
    filter->has_peer = to.ptr != NULL;
    if (err == ERR_OK && filter->has_category)
        err = message_category_parse(category, &filter->category);
    if (err == ERR_OK && filter->has_after)
        err = wall_parse(after, &filter->created_after);
    if (err == ERR_OK && filter->has_before)
        err = wall_parse(before, &filter->created_before);
    if (err == ERR_OK && channel.ptr != NULL)
        err = id_parse(ID_CHANNEL, channel, &filter->channel);
    if (err != ERR_OK)
        return ERR_QUERY;
    return filter->has_peer ? message_peer_index(&worker->vault, request->tenant, to, filter->peer_index)
                            : ERR_OK;
}

/* WhatsApp's id of a message holds the person's number, in base64. */
static enum err
message_mask(const struct http_request *request, struct arena *arena, struct message *message,
             struct slice *peer)
{
    if (reach_reveals(request))
        return ERR_OK;
    *peer = reach_address(request, arena, *peer);
    if (message->provider_id.len > 0)
        message->provider_id = reach_address(request, arena, message->provider_id);
    if (message->error_title.len > 0)
        message->error_title = reach_text(request, arena, message->error_title);
    return peer->ptr == NULL || (message->provider_id.len > 0 && message->provider_id.ptr == NULL) ||
                   (message->error_title.len > 0 && message->error_title.ptr == NULL)
               ? ERR_NO_MEMORY
               : ERR_OK;
}

enum err
messages_open(struct http_request *request, struct message *messages, size_t count, bool wants_content,
              struct arena *arena, struct message_opening **out)
{
    struct message_opening *openings = arena_array(arena, count, sizeof(*openings));
    enum err err = openings == NULL ? ERR_NO_MEMORY : ERR_OK;

    *out = openings;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        openings[i] = (struct message_opening){ .message = messages[i].id,
                                                .sealed = &messages[i].sealed,
                                                .wants_content = wants_content,
                                                .wants_metadata = true };
    if (err == ERR_OK)
        message_open_many(&gateway_worker_of(request)->vault, request->tenant, openings, count, arena);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        err = openings[i].err;
        if (err == ERR_OK) /* from here on nobody sees more than whoever asks may */
            err = message_mask(request, arena, &messages[i], &openings[i].peer);
    }
    return err;
}

enum err
message_opened_show(struct http_request *request, struct message *message, struct arena *arena, json_t **out)
{
    struct message_opening *opened;
    enum err err = messages_open(request, message, 1, false, arena, &opened);

    *out = err == ERR_OK ? message_show(message, opened->peer, opened->metadata) : NULL;
    return err;
}
