/* /v1/channels/{channel_id}/number: the phone number behind a channel. What changes it is an operation. */
#include "domain/channel/channel.h"
#include "domain/channel/channel_number.h"
#include "program/gateway/media_named.h"
#include "program/gateway/operation_show.h"
#include "wire/json/json.h"

#define NUMBER_BODY_BYTES_MAX 8192u

static json_t *
fact_show(const struct channel_number *number, enum channel_number_fact fact)
{
    return show_text_or_null(number->facts[fact]);
}

static json_t *
number_show(const struct channel *channel, const struct channel_number *number)
{
    json_t *profile = NULL;

    if (number->profile.ptr != NULL && json_parse(number->profile, &profile) != ERR_OK)
        return NULL;
    json_t *shown = json_pack("{s:o, s:o, s:o}", "channel_id", show_id(ID_CHANNEL, channel->id),
                              "phone_number_id", show_text(channel->phone_number_id), "display_phone_number",
                              show_text(channel->display_phone_number));
    for (unsigned i = 0; i < CHANNEL_NUMBER_FACTS; i++)
        show_set(&shown, channel_number_fact_word((enum channel_number_fact)i),
                 fact_show(number, (enum channel_number_fact)i));
    show_set(&shown, "profile", profile == NULL ? json_null() : profile);
    show_set(&shown, "synced_at", number->is_synced ? show_time(number->synced_at) : json_null());
    return shown;
}

struct read {
    struct id id;
    struct arena *arena;
    struct channel channel;
    struct channel_number number;
};

static enum err
read_in(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;
    enum err err = channel_get(tx, read->id, read->arena, &read->channel);

    if (err != ERR_OK)
        return err;
    err = channel_number_get(tx, read->id, read->arena, &read->number);
    return err == ERR_NOT_FOUND ? ERR_OK : err; /* nothing is known yet */
}

static enum err
number_get(struct http_request *request, struct http_response *response)
{
    struct read read = { .arena = request->arena };
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &read.id);

    if (err == ERR_OK)
        err = gateway_read(request, read_in, &read);
    return err == ERR_OK ? http_reply_json(request, response, 200, number_show(&read.channel, &read.number))
                         : err;
}

/* The body is what the provider is to be told; the dispatcher says it in the provider's way. */
static enum err
number_operation(struct http_request *request, struct http_response *response, enum provider_task_kind kind,
                 bool has_body)
{
    json_t *content = has_body ? json_deep_copy(request_json(request)) : NULL;
    struct provider_task task;
    struct id channel;

    if (has_body && content == NULL)
        return ERR_NO_MEMORY;
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &channel);
    if (err != ERR_OK) {
        json_decref(content);
        return err;
    }
    err = operation_begin(request,
                          &(struct operation_new){
                              .kind = kind,
                              .channel = channel,
                              .moves_media = json_object_get(content, "profile_picture_media_id") != NULL },
                          content, &task);
    return err == ERR_OK ? operation_reply(request, response, &task) : err;
}

static enum err
number_sync(struct http_request *request, struct http_response *response)
{
    return number_operation(request, response, PROVIDER_TASK_NUMBER_SYNC, false);
}

static enum err
number_register(struct http_request *request, struct http_response *response)
{
    return number_operation(request, response, PROVIDER_TASK_NUMBER_REGISTER, true);
}

static enum err
number_deregister(struct http_request *request, struct http_response *response)
{
    return number_operation(request, response, PROVIDER_TASK_NUMBER_DEREGISTER, false);
}

static enum err
number_pin(struct http_request *request, struct http_response *response)
{
    return number_operation(request, response, PROVIDER_TASK_NUMBER_PIN, true);
}

static enum err
number_request_code(struct http_request *request, struct http_response *response)
{
    return number_operation(request, response, PROVIDER_TASK_NUMBER_REQUEST_CODE, true);
}

static enum err
number_verify_code(struct http_request *request, struct http_response *response)
{
    return number_operation(request, response, PROVIDER_TASK_NUMBER_VERIFY_CODE, true);
}

static enum err
number_display_name(struct http_request *request, struct http_response *response)
{
    return number_operation(request, response, PROVIDER_TASK_NUMBER_DISPLAY_NAME, true);
}

static enum err
number_profile(struct http_request *request, struct http_response *response)
{
    enum err err = media_named_picture_check(request, "profile_picture_media_id");

    return err == ERR_OK ? number_operation(request, response, PROVIDER_TASK_NUMBER_PROFILE, true) : err;
}

const struct http_route number_routes[] = {
    { HTTP_GET, "/v1/channels/{channel_id}/number", number_get, "getChannelNumber", HTTP_ACCESS_KEY,
      "channels:read" },
    { HTTP_POST, "/v1/channels/{channel_id}/number/sync", number_sync, "syncChannelNumber", HTTP_ACCESS_KEY,
      "channels:manage" },
    { HTTP_POST, "/v1/channels/{channel_id}/number/register", number_register, "registerChannelNumber",
      HTTP_ACCESS_KEY, "channels:manage", .body_bytes_max = NUMBER_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/channels/{channel_id}/number/deregister", number_deregister, "deregisterChannelNumber",
      HTTP_ACCESS_KEY, "channels:manage" },
    { HTTP_POST, "/v1/channels/{channel_id}/number/pin", number_pin, "setChannelNumberPin", HTTP_ACCESS_KEY,
      "channels:manage", .body_bytes_max = NUMBER_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/channels/{channel_id}/number/request-code", number_request_code,
      "requestChannelNumberCode", HTTP_ACCESS_KEY, "channels:manage",
      .body_bytes_max = NUMBER_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/channels/{channel_id}/number/verify-code", number_verify_code,
      "verifyChannelNumberCode", HTTP_ACCESS_KEY, "channels:manage",
      .body_bytes_max = NUMBER_BODY_BYTES_MAX },
    { HTTP_POST, "/v1/channels/{channel_id}/number/display-name", number_display_name,
      "requestChannelNumberName", HTTP_ACCESS_KEY, "channels:manage",
      .body_bytes_max = NUMBER_BODY_BYTES_MAX },
    { HTTP_PATCH, "/v1/channels/{channel_id}/number/profile", number_profile, "updateChannelNumberProfile",
      HTTP_ACCESS_KEY, "channels:manage", .body_bytes_max = NUMBER_BODY_BYTES_MAX },
    { .handler = NULL },
};
