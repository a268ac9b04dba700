/* /v1/channels/{channel_id}/number: the phone number behind a channel. What changes it is an operation. */
#include "program/gateway/operation_show.h"

static enum err
number_operation(struct http_request *request, struct http_response *response, enum provider_task_kind kind,
                 json_t *content)
{
    struct provider_task task;
    struct id channel;
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &channel);

    if (err == ERR_OK)
        err = operation_begin(request, kind, channel, (struct id){ { 0 } }, content, &task);
    else
        json_decref(content);
    return err == ERR_OK ? operation_reply(request, response, &task) : err;
}

static enum err
number_sync(struct http_request *request, struct http_response *response)
{
    return number_operation(request, response, PROVIDER_TASK_NUMBER_SYNC, NULL);
}

const struct http_route number_routes[] = {
    { HTTP_POST, "/v1/channels/{channel_id}/number/sync", number_sync, "syncChannelNumber", HTTP_ACCESS_KEY,
      "channels:manage" },
    { .handler = NULL },
};
