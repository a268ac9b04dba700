/* POST /v1/messages, GET /v1/messages, GET /v1/messages/{message_id}. */
#include "crypto/hash.h"
#include "domain/channel/whatsapp/whatsapp_content.h"
#include "program/gateway/committer.h"
#include "program/gateway/gateway.h"
#include "program/gateway/message_show.h"
#include "wire/json/json.h"

#define MESSAGE_BODY_BYTES_MAX (64u * 1024u)

/* What the answer repeats of the request. */
struct created {
    struct commit commit;
    struct message message;
    struct slice to;
};

static enum err
created_print(struct commit *commit, struct id id, struct http_response *response)
{
    struct created *created = commit->ctx;

    created->message.id = id; /* of an earlier message, when this request repeats it */
    created->message.created_at = created->message.updated_at = id_time(id);
    gateway_locate(commit->request, response, "/v1/messages/", ID_MESSAGE, id);
    return http_reply_json(commit->request, response, 202, message_show(&created->message, created->to));
}

static enum err
target_check(struct db_tx *tx, void *ctx)
{
    const struct message *message = ctx;

    return message_target_check(tx, message->channel, message->target);
}

/* The message that is answered or reacted to: ours, of this channel, and known to the provider. */
static enum err
target_read(struct http_request *request, const json_t *content, struct message *message)
{
    struct slice reply_to = json_text_of(request_json(request), "reply_to");
    struct slice reacted = json_text_of(json_member(content, "reaction"), "message_id");
    struct slice pointer = reacted.ptr != NULL ? SLICE("/content/reaction/message_id") : SLICE("/reply_to");
    struct slice target = reacted.ptr != NULL ? reacted : reply_to;

    if (target.ptr == NULL)
        return ERR_OK;
    if (reacted.ptr != NULL && reply_to.ptr != NULL) {
        problem_add(&request->problem, request->arena, SLICE("/reply_to"),
                    SLICE("is not possible with a reaction"));
        return ERR_MESSAGE_INVALID;
    }
    enum err err = id_parse(ID_MESSAGE, target, &message->target);
    if (err == ERR_OK)
        err = gateway_read(request, target_check, message);
    if (err == ERR_NOT_FOUND) {
        problem_add(&request->problem, request->arena, pointer,
                    SLICE("is not a message of this channel that the provider has taken"));
        return ERR_MESSAGE_INVALID;
    }
    return err;
}

static enum err
fingerprint(struct http_request *request, unsigned char out[HASH_BYTES])
{
    struct buf canonical;

    buf_init(&canonical, 4 * MESSAGE_BODY_BYTES_MAX);
    buf_add_text(&canonical, "POST /v1/messages\n");
    enum err err = json_print_canonical(request_json(request), &canonical);
    if (err == ERR_OK)
        err = hash_sha256(buf_slice(&canonical), out);
    buf_release_wiped(&canonical);
    return err;
}

/* The content as it is kept: printed into the request's arena. */
static enum err
content_print(struct http_request *request, const json_t *content, struct slice *out)
{
    struct buf text;

    buf_init(&text, 2 * MESSAGE_BODY_BYTES_MAX);
    enum err err = json_print(content, &text);
    *out = arena_copy(request->arena, buf_slice(&text));
    if (err == ERR_OK && out->ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(&text);
    return err;
}

/* From the checked body to a message: everything but the seal. */
static enum err
message_read(struct http_request *request, const json_t *content, struct message *out)
{
    const json_t *body = request_json(request);
    struct slice category = json_text_of(body, "category");

    *out = (struct message){ .id = id_new(gateway_worker_of(request)->gateway->clock),
                             .direction = MESSAGE_OUT,
                             .category = MESSAGE_SERVICE,
                             .status = MESSAGE_ACCEPTED,
                             .kind = json_text_of(content, "type"),
                             .reference = json_text_of(body, "reference") };
    if (id_parse(ID_CHANNEL, json_text_of(body, "channel_id"), &out->channel) != ERR_OK) {
        problem_add(&request->problem, request->arena, SLICE("/channel_id"),
                    SLICE("is not a channel of this workspace"));
        return ERR_CHANNEL_UNKNOWN;
    }
    if (category.ptr != NULL && message_category_parse(category, &out->category) != ERR_OK)
        return ERR_CONTRACT;
    enum err err = whatsapp_content_check(content, SLICE("/content"), request->arena, &request->problem);
    return err == ERR_OK ? target_read(request, content, out) : err;
}

static enum err
message_post(struct http_request *request, struct http_response *response UNUSED)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    const json_t *content = json_member(request_json(request), "content");
    struct created *created = arena_alloc(request->arena, sizeof(*created));
    struct slice content_text = SLICE_EMPTY;

    if (created == NULL)
        return ERR_NO_MEMORY;
    struct commit *commit = &created->commit;
    enum err err = request_idempotency_key(request, &commit->message.idempotency_key);
    if (err == ERR_OK)
        err = message_read(request, content, &created->message);
    if (err == ERR_OK && commit->message.idempotency_key.ptr != NULL)
        err = fingerprint(request, commit->message.fingerprint);
    if (err == ERR_OK)
        err = content_print(request, content, &content_text);
    created->to = json_text_of(request_json(request), "to");
    if (err == ERR_OK)
        err = message_seal(&worker->vault, request->tenant, created->message.id, created->to, content_text,
                           request->arena, &commit->message.sealed);
    if (err != ERR_OK)
        return err;
    commit->request = request;
    commit->print = created_print;
    commit->ctx = created;
    commit->message.id = created->message.id;
    commit->message.tenant = request->tenant;
    commit->message.channel = created->message.channel;
    commit->message.category = created->message.category;
    commit->message.kind = created->message.kind;
    commit->message.reference = created->message.reference;
    commit->message.target = created->message.target;
    return committer_submit(worker->gateway->committer,
                            commit); /* from ERR_DEFERRED on it is the committer's */
}

struct get {
    struct id id;
    struct arena *arena;
    struct message message;
    struct event *events;
    size_t event_count;
};

static enum err
message_load(struct db_tx *tx, void *ctx)
{
    struct get *get = ctx;
    enum err err = message_get(tx, get->id, get->arena, &get->message);

    return err == ERR_OK ? event_timeline(tx, get->id, get->arena, &get->events, &get->event_count) : err;
}

static enum err
message_get_one(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct get get = { .arena = request->arena };
    struct slice peer, text;
    json_t *content = NULL;
    enum err err = gateway_path_id(request, "message_id", ID_MESSAGE, &get.id);

    if (err == ERR_OK)
        err = gateway_read(request, message_load, &get);
    if (err == ERR_OK)
        err = message_open(&worker->vault, request->tenant, get.id, &get.message.sealed, request->arena,
                           &peer, &text);
    if (err == ERR_OK)
        err = json_parse(text, &content);
    if (err != ERR_OK)
        return err;
    json_t *shown = message_show(&get.message, peer), *timeline = json_array();
    for (size_t i = 0; i < get.event_count; i++)
        show_append(&timeline, message_step_show(&get.events[i]));
    show_set(&shown, "content", content);
    show_set(&shown, "timeline", timeline);
    return http_reply_json(request, response, 200, shown);
}

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

static enum err
filter_read(struct http_request *request, struct message_filter *filter)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct slice channel = http_query(request, "channel_id"), category = http_query(request, "category");
    struct slice direction = http_query(request, "direction"), to = http_query(request, "to");
    struct slice after = http_query(request, "created_after"), before = http_query(request, "created_before");
    enum err err = statuses_read(http_query(request, "status"), filter);

    filter->reference = http_query(request, "reference");
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

struct list {
    struct message_filter filter;
    struct gateway_page page;
    struct arena *arena;
    struct message *messages;
    size_t count;
};

static enum err
messages_load(struct db_tx *tx, void *ctx)
{
    struct list *list = ctx;

    return message_list(tx, &list->filter, list->page.limit, list->arena, &list->messages, &list->count);
}

static enum err
message_get_list(struct http_request *request, struct http_response *response)
{
    struct gateway_worker *worker = gateway_worker_of(request);
    struct list list = { .arena = request->arena };
    enum err err = gateway_page_read(request, ID_MESSAGE, &list.page);

    list.filter.cursor = list.page.cursor;
    if (err == ERR_OK)
        err = filter_read(request, &list.filter);
    if (err == ERR_OK)
        err = gateway_read(request, messages_load, &list);
    if (err != ERR_OK)
        return err;
    bool has_more = list.count > list.page.limit;
    size_t shown = has_more ? list.page.limit : list.count;
    json_t *items = json_array();
    for (size_t i = 0; err == ERR_OK && i < shown; i++) {
        struct slice peer;
        const struct message *message = &list.messages[i];
        err = message_open_peer(&worker->vault, request->tenant, message->id, &message->sealed,
                                request->arena, &peer);
        if (err == ERR_OK)
            show_append(&items, message_show(message, peer));
    }
    if (err != ERR_OK) {
        json_decref(items);
        return err;
    }
    struct id last = shown == 0 ? (struct id){ { 0 } } : list.messages[shown - 1].id;
    return gateway_page_reply(request, response, items, has_more, ID_MESSAGE, last);
}

const struct http_route message_routes[] = {
    { HTTP_POST, "/v1/messages", message_post, "createMessage", HTTP_ACCESS_KEY, "messages:send",
      .body_bytes_max = MESSAGE_BODY_BYTES_MAX },
    { HTTP_GET, "/v1/messages", message_get_list, "listMessages", HTTP_ACCESS_KEY, "messages:read" },
    { HTTP_GET, "/v1/messages/{message_id}", message_get_one, "getMessage", HTTP_ACCESS_KEY,
      "messages:read" },
    { .handler = NULL },
};
