/* /v1/messages/{message_id}/read: tells a person that the business has read what they wrote, and perhaps is
 * typing. */
#include "domain/message/message.h"
#include "program/gateway/operation_show.h"
#include "program/gateway/reach.h"

struct read {
    struct id id;
    struct arena *arena;
    struct message message;
};

static enum err
read_in(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;

    return message_get(tx, read->id, read->arena, &read->message);
}

static enum err
message_read(struct http_request *request, struct http_response *response)
{
    struct read read = { .arena = request->arena };
    struct provider_task task;
    json_t *content = NULL;
    enum err err = gateway_path_id(request, "message_id", ID_MESSAGE, &read.id);

    if (err == ERR_OK)
        err = gateway_read(request, read_in, &read);
    if (err == ERR_OK)
        err = reach_check_channel(request, read.message.channel);
    if (err == ERR_OK && (read.message.direction != MESSAGE_IN || read.message.provider_id.len == 0))
        err = ERR_STATE_CONFLICT; /* only what a person wrote is read */
    if (err == ERR_OK && (content = json_deep_copy(request_json(request))) == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK) /* takes the content */
        err = operation_begin(request,
                              &(struct operation_new){ .kind = PROVIDER_TASK_MESSAGE_MARK_READ,
                                                       .channel = read.message.channel,
                                                       .subject = read.id },
                              content, &task);
    return err == ERR_OK ? operation_reply(request, response, &task) : err;
}

const struct http_route read_routes[] = {
    { HTTP_POST, "/v1/messages/{message_id}/read", message_read, "markMessageRead", HTTP_ACCESS_KEY,
      "messages:send", .body_bytes_max = 1024 },
    { .handler = NULL },
};
