/* /v1/channels: connect a WhatsApp number or an SMS sender. Credentials go in, are sealed at once, and are
 * never read back. */
#include "domain/channel/channel.h"
#include "domain/channel/channel_window.h"
#include "domain/channel/provider_task.h"
#include "domain/message/message.h"
#include "domain/message/message_queue.h"
#include "program/gateway/act.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/http/etag.h"
#include "wire/json/json.h"

#define CHANNEL_BODY_BYTES_MAX (16u * 1024u)

static const char *const credential_members[CHANNEL_CREDENTIALS] = { [CHANNEL_ACCESS_TOKEN] = "access_token",
                                                                     [CHANNEL_APP_SECRET] = "app_secret",
                                                                     [CHANNEL_VERIFY_TOKEN] =
                                                                         "verify_token" };

static json_t *
channel_show(const struct gateway *gateway, const struct channel *channel, struct arena *arena)
{
    char id[ID_TEXT_BYTES];

    if (channel->is_sms)
        return json_pack("{s:o, s:o, s:o, s:s, s:o, s:{s:o, s:s, s:o, s:i}, s:n, s:o, s:o}", "id",
                         show_id(ID_CHANNEL, channel->id), "kind", show_text(channel->kind), "name",
                         show_text(channel->name), "state", channel_state_word(channel->state),
                         "state_reason", show_text_or_null(channel->state_reason), "sms", "sender",
                         show_text(channel->sms.sender), "sender_kind",
                         channel_sms_kind_word(channel->sms.kind), "unicode", show_text(channel->sms.unicode),
                         "parts_max", (int)channel->sms.parts_max, "callback_url", "created_at",
                         show_time(channel->created_at), "updated_at", show_time(channel->updated_at));
    struct slice callback =
        arena_format(arena, "%s/callbacks/whatsapp/%.*s", gateway->role->config.public_url,
                     SLICE_FMT(id_print(ID_CHANNEL, channel->id, id)));

    return json_pack("{s:o, s:o, s:o, s:s, s:o, s:{s:o, s:o, s:o, s:o, s:o}, s:o, s:o, s:o}", "id",
                     show_id(ID_CHANNEL, channel->id), "kind", show_text(channel->kind), "name",
                     show_text(channel->name), "state", channel_state_word(channel->state), "state_reason",
                     show_text_or_null(channel->state_reason), "whatsapp", "waba_id",
                     show_text(channel->waba_id), "phone_number_id", show_text(channel->phone_number_id),
                     "display_phone_number", show_text(channel->display_phone_number), "window_check",
                     show_text(channel->window_check), "fetch_media", show_text(channel->fetch_media),
                     "callback_url", show_text(callback), "created_at", show_time(channel->created_at),
                     "updated_at", show_time(channel->updated_at));
}

static enum err
channel_reply(struct http_request *request, struct http_response *response, int status,
              const struct channel *channel)
{
    char tag[ETAG_TEXT_BYTES];
    const struct gateway *gateway = gateway_worker_of(request)->gateway;

    http_response_add(response, "ETag", arena_copy(request->arena, etag_print(channel->revision, tag)));
    return http_reply_json(request, response, status, channel_show(gateway, channel, request->arena));
}

struct create {
    struct channel_new with;
    const struct clock *clock;
    struct arena *arena;
    struct channel channel;
};

static enum err
create_in(struct db_tx *tx, void *ctx)
{
    struct create *create = ctx;
    enum err err = channel_create(tx, create->clock, &create->with, create->arena, &create->channel);

    return err == ERR_OK && !create->with.is_sms
               ? provider_task_ask_syncs(tx, create->clock, create->channel.id)
               : err;
}

/* What an SMS sender is; the contract has checked the words. */
static enum err
sms_read(const json_t *sms, struct channel_new *with)
{
    int64_t parts_max = 10;

    with->is_sms = true;
    with->sms = (struct channel_sms){ .sender = json_text_of(sms, "sender"),
                                      .unicode = json_text_of(sms, "unicode") };
    (void)json_int_of(sms, "parts_max", &parts_max);
    with->sms.parts_max = (unsigned)parts_max;
    enum err err = channel_sms_kind_parse(json_text_of(sms, "sender_kind"), &with->sms.kind);
    return err == ERR_OK ? channel_sms_check(&with->sms) : err;
}

static enum err
channel_post(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    const struct clock *clock = worker->gateway->clock;
    const json_t *body = request_json(request), *whatsapp = json_member(body, "whatsapp");
    struct create create = { .clock = clock,
                             .arena = request->arena,
                             .with = { .id = id_new(clock),
                                       .name = json_text_of(body, "name"),
                                       .waba_id = json_text_of(whatsapp, "waba_id"),
                                       .phone_number_id = json_text_of(whatsapp, "phone_number_id"),
                                       .display_phone_number = json_text_of(whatsapp, "display_phone_number"),
                                       .window_check = json_text_of(whatsapp, "window_check"),
                                       .fetch_media = json_text_of(whatsapp, "fetch_media") } };
    enum err err = reach_check_workspace(request);

    if (err == ERR_OK && json_member(body, "sms") != NULL)
        err = sms_read(json_member(body, "sms"), &create.with);
    if (err == ERR_CHANNEL_SENDER)
        problem_add(&request->problem, request->arena, SLICE("/sms/sender"),
                    SLICE("must be what its sender_kind says"));
    for (unsigned i = 0; err == ERR_OK && !create.with.is_sms && i < CHANNEL_CREDENTIALS; i++)
        err = channel_seal(&worker->vault, request->tenant, create.with.id, (enum channel_credential)i, 1,
                           json_text_of(whatsapp, credential_members[i]), request->arena,
                           &create.with.sealed[i]);
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_CHANNEL_CREATED,
                                            .object_kind = ID_CHANNEL,
                                            .object = &create.with.id },
                        create_in, &create);
    if (err == ERR_EXISTS)
        problem_add(&request->problem, request->arena,
                    create.with.is_sms ? SLICE("/sms/sender") : SLICE("/whatsapp/phone_number_id"),
                    SLICE("is connected already in this workspace"));
    if (err != ERR_OK)
        return err;
    gateway_locate(request, response, "/v1/channels/", ID_CHANNEL, create.channel.id);
    return channel_reply(request, response, 201, &create.channel);
}

struct read {
    struct id id;
    struct gateway_page page;
    struct channel_filter filter;
    struct arena *arena;
    struct channel channel, *channels;
    size_t count;
    uint32_t generations[CHANNEL_CREDENTIALS];
};

static enum err
read_one(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;

    return channel_get(tx, read->id, read->arena, &read->channel);
}

static enum err
read_generations(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;
    enum err err = read_one(tx, read);

    return err == ERR_OK && !read->channel.is_sms ? channel_generations(tx, read->id, read->generations)
                                                  : err;
}

static enum err
read_list(struct db_tx *tx, void *ctx)
{
    struct read *read = ctx;

    return channel_list(tx, &read->filter, read->page.limit, read->arena, &read->channels, &read->count);
}

static enum err
channel_get_one(struct http_request *request, struct http_response *response)
{
    struct read read = { .arena = request->arena };
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &read.id);

    if (err == ERR_OK)
        err = gateway_read(request, read_one, &read);
    return err == ERR_OK ? channel_reply(request, response, 200, &read.channel) : err;
}

static enum err
channel_get_list(struct http_request *request, struct http_response *response)
{
    struct read read = { .arena = request->arena };
    enum err err = gateway_page_read(request, ID_CHANNEL, &read.page);

    read.filter.cursor = read.page.cursor;
    read.filter.channels = reach_channels(request, &read.filter.channel_count);
    if (err == ERR_OK)
        err = gateway_read(request, read_list, &read);
    if (err != ERR_OK)
        return err;
    size_t shown = gateway_page_shown(&read.page, read.count);
    json_t *items = json_array();
    for (size_t i = 0; i < shown; i++)
        show_append(&items,
                    channel_show(gateway_worker_of(request)->gateway, &read.channels[i], request->arena));
    return gateway_page_reply(request, response, &read.page, read.count, items);
}

struct window_read {
    struct id id;
    struct arena *arena;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct channel_window window;
};

static enum err
read_window(struct db_tx *tx, void *ctx)
{
    struct window_read *read = ctx;
    struct channel channel;
    enum err err = channel_get(tx, read->id, read->arena, &channel); /* another tenant's is not found */

    if (err == ERR_OK)
        err = channel_window_read(tx, read->id, slice_of(read->peer_index, sizeof(read->peer_index)),
                                  &read->window);
    return err;
}

static enum err
channel_get_window(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct slice to = http_query(request, "to");
    struct window_read read = { .arena = request->arena };
    const struct channel_window *window = &read.window;
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &read.id);

    if (err == ERR_OK)
        err = message_peer_index(&worker->vault, request->tenant, to, read.peer_index);
    if (err == ERR_OK)
        err = gateway_read(request, read_window, &read);
    if (err != ERR_OK)
        return err;
    struct wall_time now = clock_wall(worker->gateway->clock);
    to = reach_address(request, request->arena, to);
    if (to.ptr == NULL)
        return ERR_NO_MEMORY;
    bool is_open = window->is_known && (window->window_until.us > now.us ||
                                        (window->has_free_entry && window->free_until.us > now.us));
    return http_reply_json(
        request, response, 200,
        json_pack("{s:o, s:b, s:o, s:o}", "to", show_text(to), "is_open", is_open, "window_until",
                  window->is_known ? show_time(window->window_until) : json_null(), "free_entry_until",
                  window->has_free_entry ? show_time(window->free_until) : json_null()));
}

struct change {
    struct id id;
    struct channel_change change;
    const struct clock *clock;
    struct arena *arena;
    struct channel channel;
    struct message_by by;
    size_t failed_count;
};

static enum err
change_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;
    enum err err =
        channel_update(tx, change->clock, change->id, &change->change, change->arena, &change->channel);

    /* Another token may see more, and whether it is good is known sooner. */
    return err == ERR_OK && change->change.has_credential[CHANNEL_ACCESS_TOKEN]
               ? provider_task_ask_syncs(tx, change->clock, change->id)
               : err;
}

static enum err
channel_patch(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    const json_t *body = request_json(request), *whatsapp = json_member(body, "whatsapp");
    struct slice state = json_text_of(body, "state");
    int64_t parts_max = 0;
    struct read read = { .arena = request->arena };
    struct change change = { .clock = worker->gateway->clock, .arena = request->arena };
    char tag[ETAG_TEXT_BYTES];
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &read.id);

    if (err == ERR_OK)
        err = gateway_read(request, read_generations, &read);
    if (err == ERR_OK)
        err = request_check_match(request, etag_print(read.channel.revision, tag));
    if (err == ERR_OK && json_member(body, read.channel.is_sms ? "whatsapp" : "sms") != NULL) {
        problem_add(&request->problem, request->arena,
                    read.channel.is_sms ? SLICE("/whatsapp") : SLICE("/sms"),
                    SLICE("is for another kind of channel"));
        err = ERR_CONTRACT;
    }
    (void)json_int_of(json_member(body, "sms"), "parts_max", &parts_max);
    change.change.unicode = json_text_of(json_member(body, "sms"), "unicode");
    change.change.parts_max = (unsigned)parts_max;
    change.id = read.id;
    /* Without If-Match any revision may be changed; with it, only the one that was compared. */
    change.change.revision = http_header(request, "If-Match").ptr == NULL ? 0 : read.channel.revision;
    change.change.name = json_text_of(body, "name");
    change.change.window_check = json_text_of(whatsapp, "window_check");
    change.change.fetch_media = json_text_of(whatsapp, "fetch_media");
    change.change.has_state = state.ptr != NULL;
    if (err == ERR_OK && state.ptr != NULL)
        err = channel_state_parse(state, &change.change.state);
    for (unsigned i = 0; err == ERR_OK && i < CHANNEL_CREDENTIALS; i++) {
        struct slice plain = json_text_of(whatsapp, credential_members[i]);
        if (plain.ptr == NULL)
            continue;
        change.change.has_credential[i] = true;
        change.change.generation[i] = read.generations[i] + 1;
        err = channel_seal(&worker->vault, request->tenant, read.id, (enum channel_credential)i,
                           read.generations[i] + 1, plain, request->arena, &change.change.sealed[i]);
    }
    /* A new access token mends a channel that the provider had refused. */
    if (err == ERR_OK && !change.change.has_state && change.change.has_credential[CHANNEL_ACCESS_TOKEN] &&
        read.channel.state == CHANNEL_BROKEN) {
        change.change.has_state = true;
        change.change.state = CHANNEL_ACTIVE;
    }
    if (err == ERR_OK)
        err = act_write(request,
                        &(struct act_work){ .action = AUDIT_CHANNEL_UPDATED,
                                            .object_kind = ID_CHANNEL,
                                            .object = &read.id,
                                            .detail = act_members(request) },
                        change_in, &change);
    return err == ERR_OK ? channel_reply(request, response, 200, &change.channel) : err;
}

static enum err
delete_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;

    return channel_delete(tx, change->clock, change->id, change->change.revision, change->arena);
}

static enum err
fail_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;

    return message_fail_channel(tx, change->clock, change->id, change->by, "channel-deleted",
                                "The sender channel was deleted.", change->arena, &change->failed_count);
}

static enum err
channel_remove(struct http_request *request, struct http_response *response)
{
    struct change change = { .clock = gateway_worker_of(request)->gateway->clock,
                             .by = reach_asker(request) };
    struct read read = { .arena = request->arena };
    char tag[ETAG_TEXT_BYTES];
    enum err err = gateway_path_id(request, "channel_id", ID_CHANNEL, &read.id);

    if (err == ERR_OK)
        err = gateway_read(request, read_one, &read);
    if (err == ERR_OK)
        err = request_check_match(request, etag_print(read.channel.revision, tag));
    change.id = read.id;
    change.change.revision = http_header(request, "If-Match").ptr == NULL ? 0 : read.channel.revision;
    change.arena = arena_new(4u << 20);
    if (err == ERR_OK && change.arena == NULL)
        err = ERR_NO_MEMORY;
    if (err == ERR_OK)
        err =
            act_write(request,
                      &(struct act_work){
                          .action = AUDIT_CHANNEL_DELETED, .object_kind = ID_CHANNEL, .object = &change.id },
                      delete_in, &change);
    /* Its credentials are gone: nothing of it leaves any more, however long this takes. Should we die here,
     * dispatchers fail the rest. */
    do {
        change.failed_count = 0;
        if (err == ERR_OK)
            err = gateway_write(request, fail_in, &change);
        if (change.arena != NULL)
            arena_reset(change.arena);
    } while (err == ERR_OK && change.failed_count > 0);
    arena_free(change.arena);
    return err == ERR_OK ? http_reply_empty(response, 204) : err;
}

const struct http_route channel_routes[] = {
    { HTTP_POST, "/v1/channels", channel_post, "createChannel", HTTP_ACCESS_KEY, "channels:manage",
      .body_bytes_max = CHANNEL_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/channels", channel_get_list, "listChannels", HTTP_ACCESS_KEY, "channels:read" },
    { HTTP_GET, "/v1/channels/{channel_id}", channel_get_one, "getChannel", HTTP_ACCESS_KEY,
      "channels:read" },
    { HTTP_GET, "/v1/channels/{channel_id}/windows", channel_get_window, "getChannelWindow", HTTP_ACCESS_KEY,
      "messages:read" },
    { HTTP_PATCH, "/v1/channels/{channel_id}", channel_patch, "updateChannel", HTTP_ACCESS_KEY,
      "channels:manage", .body_bytes_max = CHANNEL_BODY_BYTES_MAX },
    { HTTP_DELETE, "/v1/channels/{channel_id}", channel_remove, "deleteChannel", HTTP_ACCESS_KEY,
      "channels:manage" },
    { .handler = NULL },
};
