/* GET /v1/usage, /v1/usage/api-keys: how limits stand; GET, PUT .../limits of a channel and of an API key. */
#include "domain/channel/channel.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/limiter.h"
#include "program/gateway/reach.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define LIMITS_BODY_BYTES_MAX 1024u
#define NAMES_MAX             3u /* of one subject */

static const enum limit_name workspace_names[] = { LIMIT_WORKSPACE, LIMIT_WORKSPACE_DAY,
                                                   LIMIT_WORKSPACE_MONTH };
static const enum limit_name sender_names[] = { LIMIT_SENDER_SECOND, LIMIT_SENDER_DAY, LIMIT_SENDER_MONTH };
static const enum limit_name key_names[] = { LIMIT_KEY };

/* NULL without memory. */
static json_t *
counter_show(const struct limit_counter *counter, struct wall_time now)
{
    enum limit_kind kind = limit_kind(counter->name);
    struct wall_time resets = { now.us + counter->reset_us };

    if (kind != LIMIT_RATE)
        resets = limit_rule_window_start(kind, counter->window + 1);
    return json_pack("{s:s, s:I, s:I, s:I, s:o}", "name", limit_word(counter->name), "limit",
                     (json_int_t)counter->limit, "used", (json_int_t)counter->used, "remaining",
                     (json_int_t)counter->remaining, "resets_at",
                     counter->used == 0 && kind == LIMIT_RATE ? json_null() : show_time(resets));
}

/* How the limits of one subject stand; of the workspace with a zero id. */
static enum err
limits_show(struct http_request *request, struct id subject, const enum limit_name *names, size_t count,
            json_t **out)
{
    struct wall_time now = clock_wall(gateway_worker_of(request)->gateway->clock);
    struct limit_counter counters[NAMES_MAX];
    struct limit_values values;
    enum err err = limiter_values(request, subject, &values);

    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < count; i++)
        counters[i] = limit_counter_of(names[i], request->tenant, subject, values.of[names[i]], 0);
    err = limiter_look(request, counters, count);
    if (err != ERR_OK)
        return err;
    *out = json_array();
    for (size_t i = 0; i < count; i++)
        show_append(out, counter_show(&counters[i], now));
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

struct subjects {
    struct gateway_page page;
    struct channel_filter filter;
    struct arena *arena;
    struct channel *channels;
    struct api_key *keys;
    size_t count;
};

static enum err
channels_in(struct db_tx *tx, void *ctx)
{
    struct subjects *subjects = ctx;

    return channel_list(tx, &subjects->filter, subjects->page.limit, subjects->arena, &subjects->channels,
                        &subjects->count);
}

static enum err
keys_in(struct db_tx *tx, void *ctx)
{
    struct subjects *subjects = ctx;

    if (subjects->filter.channels != NULL) /* no key is limited to channels */
        return ERR_OK;
    return api_key_list(tx, subjects->page.cursor, subjects->page.limit, subjects->arena, &subjects->keys,
                        &subjects->count);
}

/* {"id": ..., "limits": [...]} of each that is shown; with `are_keys` of keys. */
static enum err
subjects_show(struct http_request *request, const struct subjects *subjects, bool are_keys, json_t **out)
{
    size_t shown = gateway_page_shown(&subjects->page, subjects->count);
    enum err err = ERR_OK;

    *out = json_array();
    for (size_t i = 0; err == ERR_OK && i < shown; i++) {
        struct id id = are_keys ? subjects->keys[i].id : subjects->channels[i].id;
        json_t *limits = NULL;
        err = limits_show(request, id, are_keys ? key_names : sender_names,
                          are_keys ? COUNT_OF(key_names) : COUNT_OF(sender_names), &limits);
        if (err == ERR_OK) /* "id" is what the cursor is made of */
            show_append(out, json_pack("{s:o, s:o}", "id", show_id(are_keys ? ID_KEY : ID_CHANNEL, id),
                                       "limits", limits));
    }
    if (err != ERR_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return err;
}

static enum err
usage_reply(struct http_request *request, struct http_response *response, bool are_keys)
{
    struct subjects subjects = { .arena = request->arena };
    json_t *items = NULL;
    enum err err = gateway_page_read(request, are_keys ? ID_KEY : ID_CHANNEL, &subjects.page);

    subjects.filter.cursor = subjects.page.cursor;
    subjects.filter.channels = reach_channels(request, &subjects.filter.channel_count);
    if (err == ERR_OK)
        err = gateway_read(request, are_keys ? keys_in : channels_in, &subjects);
    if (err == ERR_OK)
        err = subjects_show(request, &subjects, are_keys, &items);
    return err == ERR_OK ? gateway_page_reply(request, response, &subjects.page, subjects.count, items) : err;
}

static enum err
usage_get_senders(struct http_request *request, struct http_response *response)
{
    return usage_reply(request, response, false);
}

static enum err
usage_get_keys(struct http_request *request, struct http_response *response)
{
    return usage_reply(request, response, true);
}

static enum err
usage_get(struct http_request *request, struct http_response *response)
{
    const struct principal *principal = request->principal;
    const struct id none = { { 0 } };
    json_t *workspace = NULL, *key = NULL;
    bool is_limited =
        reach_check_workspace(request) != ERR_OK; /* what all channels have used says something of others */
    enum err err =
        limits_show(request, none, workspace_names, is_limited ? 0 : COUNT_OF(workspace_names), &workspace);

    if (err == ERR_OK)
        err = limits_show(request, principal->actor, key_names, COUNT_OF(key_names), &key);
    if (err != ERR_OK) {
        json_decref(workspace);
        return err;
    }
    return http_reply_json(
        request, response, 200,
        json_pack("{s:o, s:o, s:o}", "workspace", workspace, "key_id",
                  principal->kind == PRINCIPAL_KEY ? show_id(ID_KEY, principal->actor) : json_null(), "key",
                  key));
}

/* What a workspace sets itself. */

struct setting_work {
    struct http_request *request;
    bool is_key;
    struct limit_setting setting;
    struct limit_values values; /* in force */
};

/* Another tenant's channel or key is not found. */
static enum err
subject_check(struct db_tx *tx, const struct setting_work *work)
{
    struct channel channel;
    struct api_key key;

    return work->is_key ? api_key_get(tx, work->setting.subject, work->request->arena, &key)
                        : channel_get(tx, work->setting.subject, work->request->arena, &channel);
}

static enum err
values_read_in(struct db_tx *tx, struct setting_work *work)
{
    const struct limit_values defaults =
        limiter_defaults(&gateway_worker_of(work->request)->gateway->role->config);

    return limit_values_read(tx, &defaults, work->setting.subject, &work->values);
}

static enum err
setting_read_in(struct db_tx *tx, void *ctx)
{
    struct setting_work *work = ctx;
    enum err err = subject_check(tx, work);

    if (err == ERR_OK)
        err = limit_setting_read(tx, work->setting.subject, &work->setting);
    return err == ERR_OK ? values_read_in(tx, work) : err;
}

/* The tag is compared in the transaction; who comes between the two is a conflict, and this runs again. */
static enum err
setting_write_in(struct db_tx *tx, void *ctx)
{
    struct setting_work *work = ctx;
    struct limit_setting before;
    char tag[ETAG_TEXT_BYTES];
    enum err err = subject_check(tx, work);

    if (err == ERR_OK)
        err = limit_setting_read(tx, work->setting.subject, &before);
    if (err == ERR_OK)
        err = request_check_match(work->request, etag_print(before.revision, tag));
    work->setting.revision = err == ERR_OK ? before.revision : 0;
    if (err == ERR_OK)
        err = limit_setting_write(tx, &work->setting);
    return err == ERR_OK ? values_read_in(tx, work) : err;
}

static json_t *
number_or_null(uint64_t number)
{
    return number == 0 ? json_null() : json_integer((json_int_t)number);
}

static enum err
setting_reply(struct http_request *request, struct http_response *response, const struct setting_work *work)
{
    const struct limit_setting *setting = &work->setting;
    const uint64_t *in_force = work->values.of;
    char tag[ETAG_TEXT_BYTES];
    struct slice printed = arena_copy(request->arena, etag_print(setting->revision, tag));
    json_t *shown = work->is_key
                        ? json_pack("{s:o, s:o, s:{s:I}}", "key_id", show_id(ID_KEY, setting->subject),
                                    "requests_per_second", number_or_null(setting->requests_per_second),
                                    "in_force", "requests_per_second", (json_int_t)in_force[LIMIT_KEY])
                        : json_pack("{s:o, s:o, s:o, s:o, s:{s:I, s:I, s:I}}", "channel_id",
                                    show_id(ID_CHANNEL, setting->subject), "messages_per_second",
                                    number_or_null(setting->messages_per_second), "messages_per_day",
                                    number_or_null(setting->messages_per_day), "messages_per_month",
                                    number_or_null(setting->messages_per_month), "in_force",
                                    "messages_per_second", (json_int_t)in_force[LIMIT_SENDER_SECOND],
                                    "messages_per_day", (json_int_t)in_force[LIMIT_SENDER_DAY],
                                    "messages_per_month", (json_int_t)in_force[LIMIT_SENDER_MONTH]);

    if (shown == NULL || printed.ptr == NULL) {
        json_decref(shown);
        return ERR_NO_MEMORY;
    }
    show_set(&shown, "updated_at", setting->revision == 0 ? json_null() : show_time(setting->updated_at));
    http_response_add(response, "ETag", printed);
    return http_reply_json(request, response, 200, shown);
}

static enum err
setting_do(struct http_request *request, struct http_response *response, bool is_key, bool is_write)
{
    struct setting_work work = { .request = request, .is_key = is_key };
    const json_t *body = is_write ? request_json(request) : NULL;
    int64_t numbers[4] = { 0 };
    enum err err = gateway_path_id(request, is_key ? "key_id" : "channel_id", is_key ? ID_KEY : ID_CHANNEL,
                                   &work.setting.subject);

    if (is_write) { /* what is null or left out is 0: the contract has checked the rest */
        (void)json_int_of(body, "requests_per_second", &numbers[0]);
        (void)json_int_of(body, "messages_per_second", &numbers[1]);
        (void)json_int_of(body, "messages_per_day", &numbers[2]);
        (void)json_int_of(body, "messages_per_month", &numbers[3]);
        work.setting.requests_per_second = (uint64_t)numbers[0];
        work.setting.messages_per_second = (uint64_t)numbers[1];
        work.setting.messages_per_day = (uint64_t)numbers[2];
        work.setting.messages_per_month = (uint64_t)numbers[3];
    }
    if (err == ERR_OK)
        err = is_write ? act_write(request,
                                   &(struct act_work){ .action = AUDIT_LIMITS_UPDATED,
                                                       .object_kind = is_key ? ID_KEY : ID_CHANNEL,
                                                       .object = &work.setting.subject,
                                                       .detail = act_members(request) },
                                   setting_write_in, &work)
                       : gateway_read(request, setting_read_in, &work);
    return err == ERR_OK ? setting_reply(request, response, &work) : err;
}

static enum err
channel_limits_get(struct http_request *request, struct http_response *response)
{
    return setting_do(request, response, false, false);
}

static enum err
channel_limits_put(struct http_request *request, struct http_response *response)
{
    return setting_do(request, response, false, true);
}

static enum err
key_limits_get(struct http_request *request, struct http_response *response)
{
    return setting_do(request, response, true, false);
}

static enum err
key_limits_put(struct http_request *request, struct http_response *response)
{
    return setting_do(request, response, true, true);
}

const struct http_route usage_routes[] = {
    { HTTP_GET, "/v1/usage", usage_get, "getUsage", HTTP_ACCESS_KEY, "usage:read" },
    { HTTP_GET, "/v1/usage/channels", usage_get_senders, "listChannelUsage", HTTP_ACCESS_KEY, "usage:read" },
    { HTTP_GET, "/v1/usage/api-keys", usage_get_keys, "listApiKeyUsage", HTTP_ACCESS_KEY, "usage:read" },
    { HTTP_GET, "/v1/channels/{channel_id}/limits", channel_limits_get, "getChannelLimits", HTTP_ACCESS_KEY,
      "channels:read" },
    { HTTP_PUT, "/v1/channels/{channel_id}/limits", channel_limits_put, "putChannelLimits", HTTP_ACCESS_KEY,
      "channels:manage", .body_bytes_max = LIMITS_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/api-keys/{key_id}/limits", key_limits_get, "getApiKeyLimits", HTTP_ACCESS_KEY,
      "keys:manage" },
    { HTTP_PUT, "/v1/api-keys/{key_id}/limits", key_limits_put, "putApiKeyLimits", HTTP_ACCESS_KEY,
      "keys:manage", .body_bytes_max = LIMITS_BODY_BYTES_MAX },
    { .handler = NULL },
};
