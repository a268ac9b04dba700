#include "program/gateway/message_ask.h"
#include "domain/channel/channel.h"
#include "domain/channel/whatsapp/whatsapp_content.h"
#include "domain/channel/whatsapp/whatsapp_media.h"
#include "domain/media/media.h"
#include "program/gateway/gateway.h"
#include "program/gateway/message_show.h"
#include "program/gateway/reach.h"
#include "program/gateway/sms_check.h"
#include "program/gateway/template_check.h"
#include "wire/json/json.h"
#include <stdio.h>

#define METADATA_KEY_MAX   40u
#define METADATA_VALUE_MAX 500u
#define VALUE_BYTES_USUAL  512u /* room from the start, so that most values need no second one */
/* A repeated request is still the same one after its times have passed; keys are kept as long. */
#define PAST_S_MAX 86400

/* "/messages/3" and "/send_at": the pointer of a member, which is borrowed as long as the pointer is used. */
static struct slice
pointer_of(const struct message_ask *ask, const char *member)
{
    if (ask->at.len == 0)
        return slice_text(member);
    return arena_format(ask->arena, "%.*s%s", SLICE_FMT(ask->at), member);
}

static enum err
refuse(const struct message_ask *ask, const char *member, const char *detail, enum err err)
{
    problem_add(ask->problem, ask->arena, pointer_of(ask, member), slice_text(detail));
    return err;
}

static enum err
target_check(struct db_tx *tx, void *ctx)
{
    const struct message_new *message = ctx;

    return message_target_check(tx, message->channel, message->target);
}

/* The message that is answered or reacted to: ours, of this channel, and known to the provider. */
static enum err
target_read(struct http_request *request, const json_t *content, struct message_ask *ask)
{
    struct slice reply_to = json_text_of(ask->body, "reply_to");
    struct slice reacted = json_text_of(json_member(content, "reaction"), "message_id");
    struct slice target = reacted.ptr != NULL ? reacted : reply_to;

    if (target.ptr == NULL)
        return ERR_OK;
    if (reacted.ptr != NULL && reply_to.ptr != NULL)
        return refuse(ask, "/reply_to", "is not possible with a reaction", ERR_MESSAGE_INVALID);
    enum err err = id_parse(ID_MESSAGE, target, &ask->message.target);
    if (err == ERR_OK)
        err = gateway_read(request, target_check, &ask->message);
    if (err == ERR_NOT_FOUND)
        return refuse(ask, reacted.ptr != NULL ? "/content/reaction/message_id" : "/reply_to",
                      "is not a message of this channel that the provider has taken", ERR_MESSAGE_INVALID);
    return err;
}

/* SLICE_EMPTY when there is no value; else it printed, in the arena. */
static enum err
value_print(const struct message_ask *ask, const json_t *value, struct slice *out)
{
    struct buf text;

    *out = SLICE_EMPTY;
    if (value == NULL)
        return ERR_OK;
    buf_init(&text, 2 * MESSAGE_BODY_BYTES_MAX);
    (void)buf_reserve(&text, VALUE_BYTES_USUAL);
    enum err err = json_print(value, &text);
    *out = arena_copy(ask->arena, buf_slice(&text));
    if (err == ERR_OK && out->ptr == NULL)
        err = ERR_NO_MEMORY;
    buf_release_wiped(&text);
    return err;
}

static enum err
metadata_check(const struct message_ask *ask)
{
    json_t *metadata = json_iterable(json_member(ask->body, "metadata")), *value;
    const char *name;

    json_object_foreach(metadata, name, value)
    {
        size_t name_len = strlen(name);
        if (name_len == 0 || name_len > METADATA_KEY_MAX)
            return refuse(ask, "/metadata", "must have names of 1 to 40 octets", ERR_CONTRACT);
        if (!json_is_string(value) || json_string_length(value) > METADATA_VALUE_MAX)
            return refuse(ask, "/metadata", "must have strings of at most 500 octets as values",
                          ERR_CONTRACT);
    }
    return ERR_OK;
}

static enum err
tags_read(struct message_ask *ask)
{
    const json_t *tags = json_member(ask->body, "tags");
    size_t count = json_array_size(tags);
    struct slice *out = arena_array(ask->arena, count, sizeof(*out));

    if (out == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const json_t *tag = json_array_get(tags, i);
        out[i] = slice_of(json_string_value(tag), json_string_length(tag));
    }
    ask->message.tags = out;
    ask->message.tag_count = count;
    return ERR_OK;
}

/* A time of the request; us 0 when it is not there. */
static enum err
time_read(const struct message_ask *ask, const char *member, struct wall_time *out)
{
    struct slice text = json_text_of(ask->body, member);

    return text.ptr == NULL ? ERR_OK : wall_parse(text, out);
}

static enum err
times_read(struct message_ask *ask, struct wall_time now)
{
    struct message_new *message = &ask->message;
    enum err err = time_read(ask, "send_at", &message->send_at);

    if (err == ERR_OK)
        err = time_read(ask, "expires_at", &message->expires_at);
    if (err != ERR_OK)
        return err;
    bool is_held = message->send_at.us != 0, has_expiry = message->expires_at.us != 0;
    struct wall_time from = is_held ? message->send_at : id_time(message->id);
    struct wall_time past = wall_after_ms(now, -PAST_S_MAX * INT64_C(1000));
    if (is_held && message->send_at.us < past.us)
        return refuse(ask, "/send_at", "lies more than a day in the past", ERR_TIME_ORDER);
    if (is_held && message->send_at.us > wall_after_ms(now, MESSAGE_SEND_AHEAD_S_MAX * INT64_C(1000)).us)
        return refuse(ask, "/send_at", "must lie within a year from now", ERR_TIME_ORDER);
    ask->has_ttl = json_int_of(ask->body, "ttl_s", &ask->ttl_s);
    if (ask->has_ttl) {
        if (has_expiry)
            return refuse(ask, "/ttl_s", "is not possible with expires_at", ERR_TIME_ORDER);
        message->expires_at = wall_after_ms(from, ask->ttl_s * 1000);
        return ERR_OK;
    }
    if (has_expiry && is_held && message->expires_at.us <= message->send_at.us)
        return refuse(ask, "/expires_at", "must come after send_at", ERR_TIME_ORDER);
    if (has_expiry && message->expires_at.us < past.us)
        return refuse(ask, "/expires_at", "lies more than a day in the past", ERR_TIME_ORDER);
    if (has_expiry && message->expires_at.us > wall_after_ms(from, MESSAGE_EXPIRY_S_MAX * INT64_C(1000)).us)
        return refuse(ask, "/expires_at", "must lie within 30 days of the sending", ERR_TIME_ORDER);
    return ERR_OK;
}

/* Our own media that the content names, of this workspace: there, and of the type that the message says. */
struct media_look {
    const struct http_request *request;
    struct whatsapp_media_ref refs[WHATSAPP_MEDIA_REFS_MAX];
    size_t count, at;
    struct arena *arena;
};

static enum err
media_look_in(struct db_tx *tx, void *ctx)
{
    struct media_look *look = ctx;
    struct media media;
    enum media_kind kind;

    for (look->at = 0; look->at < look->count; look->at++) {
        const struct whatsapp_media_ref *ref = &look->refs[look->at];
        enum err err = media_get(tx, ref->media, look->arena, &media);
        if (err == ERR_NOT_FOUND)
            return ERR_MEDIA_UNKNOWN;
        if (err != ERR_OK)
            return err;
        if (media.direction == MEDIA_IN && !reach_has_channel(look->request, media.channel))
            return ERR_MEDIA_UNKNOWN;
        if (media.state != MEDIA_READY && media.state != MEDIA_FETCHING)
            return ERR_MEDIA_UNKNOWN;
        if (media_kind_parse(slice_text(ref->kind), &kind) != ERR_OK || media.type == NULL ||
            (media.type->kind != kind && kind != MEDIA_DOCUMENT) || media.bytes > media.type->bytes_max)
            return ERR_MEDIA_KIND;
    }
    return ERR_OK;
}

static enum err
media_check(struct http_request *request, const struct message_ask *ask, const json_t *content,
            const char *at)
{
    struct media_look look = { .request = request, .arena = ask->arena };
    enum err err = whatsapp_media_refs(json_iterable(content), look.refs, &look.count);

    if (err == ERR_LIMIT)
        return refuse(ask, at, "names too much media", ERR_MESSAGE_INVALID);
    if (err == ERR_OK && look.count != 0)
        err = gateway_read(request, media_look_in, &look);
    if (err == ERR_MEDIA_UNKNOWN)
        return refuse(ask, at, "names media that is not of this workspace, or was deleted", err);
    if (err == ERR_MEDIA_KIND)
        return refuse(ask, at, "names media that cannot be sent as this type of message", err);
    return err;
}

/* What a sender would send: an SMS, or fit for WhatsApp, its template and its media. `at`: "/content". */
static enum err
content_check(struct http_request *request, const struct message_ask *ask, struct id channel,
              const json_t *content, const char *at, enum message_category *category,
              enum policy_template *state)
{
    bool is_sms = false;
    enum err err = sms_channel_is(request, channel, &is_sms);

    if (err == ERR_OK && is_sms)
        return sms_send_check(request, channel, ask->plain.peer, content, pointer_of(ask, at),
                              pointer_of(ask, "/to"), ask->arena, ask->problem);
    if (err == ERR_OK && json_member(content, "sms") != NULL) {
        problem_add(ask->problem, ask->arena,
                    arena_format(ask->arena, "%.*s/sms", SLICE_FMT(pointer_of(ask, at))),
                    SLICE("is for SMS alone"));
        return ERR_MESSAGE_INVALID;
    }
    if (err == ERR_OK)
        err = whatsapp_content_check(content, pointer_of(ask, at), ask->arena, ask->problem);

    if (err == ERR_OK)
        err = gateway_template_check(
            request,
            &(struct template_send){ .channel = channel,
                                     .content = content,
                                     .at = pointer_of(ask, at),
                                     .category_at = pointer_of(ask, "/category"),
                                     .idempotency_key = ask->message.idempotency_key,
                                     .has_category = json_member(ask->body, "category") != NULL,
                                     .arena = ask->arena,
                                     .problem = ask->problem,
                                     .state = state },
            category);
    return err == ERR_OK ? media_check(request, ask, content, at) : err;
}

/* Is it a channel of this workspace? A repeated request is answered as it was then, whatever became of it. */
struct sender_look {
    struct id channel;
    struct slice key;
    struct arena *arena;
};

static enum err
sender_look_in(struct db_tx *tx, void *ctx)
{
    const struct sender_look *look = ctx;
    struct channel channel;
    bool is_used = false;
    enum err err = channel_get(tx, look->channel, look->arena, &channel);

    if (err != ERR_NOT_FOUND || look->key.ptr == NULL)
        return err;
    enum err looked = message_key_is_used(tx, look->key, &is_used);
    return looked != ERR_OK ? looked : is_used ? ERR_OK : ERR_NOT_FOUND;
}

/* One of `fallback`; `before` is the channel of the sender before it. */
static enum err
fallback_read(struct http_request *request, struct message_ask *ask, size_t index, struct id before)
{
    const json_t *asked = json_array_get(json_member(ask->body, "fallback"), index);
    const json_t *own = json_member(asked, "content");
    const json_t *content = own == NULL ? json_member(ask->body, "content") : own;
    struct message_fallback *fallback = &ask->message.fallbacks[index];
    enum message_category category = ask->message.category; /* the message's stays that of its first sender */
    char channel_at[64], content_at[64];

    snprintf(channel_at, sizeof(channel_at), "/fallback/%zu/channel_id", index);
    snprintf(content_at, sizeof(content_at), "/fallback/%zu/content", index);
    *fallback =
        (struct message_fallback){ .kind = json_text_of(content, "type"), .has_content = own != NULL };
    if (id_parse(ID_CHANNEL, json_text_of(asked, "channel_id"), &fallback->channel) != ERR_OK ||
        !reach_has_channel(request, fallback->channel))
        return refuse(ask, channel_at, "is not a channel of this workspace", ERR_CHANNEL_UNKNOWN);
    (void)json_int_of(asked, "after_s", &fallback->after_s);
    if (slice_eq(fallback->kind, SLICE("reaction")))
        return refuse(ask, own == NULL ? "/fallback" : content_at, "a reaction has no further senders",
                      ERR_MESSAGE_INVALID);
    if (own == NULL && id_eq(fallback->channel, before))
        return refuse(ask, channel_at, "must be another one than before, or have a content of its own",
                      ERR_MESSAGE_INVALID);
    struct sender_look look = { fallback->channel, ask->message.idempotency_key, ask->arena };
    enum err err = gateway_read(request, sender_look_in, &look);
    if (err == ERR_NOT_FOUND)
        return refuse(ask, channel_at, "is not a channel of this workspace", ERR_CHANNEL_UNKNOWN);
    if (err == ERR_OK)
        err = content_check(request, ask, fallback->channel, content, own == NULL ? "/content" : content_at,
                            &category, &fallback->asked.template_state);
    return err == ERR_OK ? value_print(ask, own, &ask->plain.fallback[index]) : err;
}

/* The senders after the first, in their order. */
static enum err
fallbacks_read(struct http_request *request, struct message_ask *ask)
{
    struct message_new *message = &ask->message;
    size_t count = json_array_size(json_member(ask->body, "fallback"));
    enum err err = ERR_OK;

    if (count > MESSAGE_FALLBACKS_MAX) /* the contract says so too */
        return ERR_CONTRACT;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = fallback_read(request, ask, i, i == 0 ? message->channel : message->fallbacks[i - 1].channel);
    if (err == ERR_OK && count > 0 && slice_eq(message->kind, SLICE("reaction")))
        err = refuse(ask, "/fallback", "a reaction has no further senders", ERR_MESSAGE_INVALID);
    message->fallback_count = count;
    return err;
}

struct key_look {
    struct slice key;
    bool is_used;
};

static enum err
key_look_in(struct db_tx *tx, void *ctx)
{
    struct key_look *look = ctx;

    return message_key_is_used(tx, look->key, &look->is_used);
}

/* What the content says of times, against when it leaves. What was accepted once is answered as it was then.
 */
static enum err
content_times_check(struct http_request *request, const struct message_ask *ask, struct wall_time now)
{
    struct key_look look = { .key = ask->message.idempotency_key };
    struct wall_time leaves_at = ask->message.send_at.us > now.us ? ask->message.send_at : now;
    size_t fault_count = ask->problem->count;
    enum err err = whatsapp_content_check_times(json_member(ask->body, "content"), leaves_at,
                                                pointer_of(ask, "/content"), ask->arena, ask->problem);

    if (err != ERR_MESSAGE_INVALID || look.key.ptr == NULL)
        return err;
    enum err looked = gateway_read(request, key_look_in, &look);
    if (looked != ERR_OK || !look.is_used)
        return looked != ERR_OK ? looked : err;
    ask->problem->count = fault_count;
    return ERR_OK;
}

/* Where the recipient is, by whose hours promotional messages come. */
static enum err
place_find(const struct gateway *gateway, struct message_ask *ask)
{
    if (ask->message.category != MESSAGE_PROMOTIONAL)
        return ERR_OK;
    struct phone_place *place = arena_alloc(ask->arena, sizeof(*place));
    if (place == NULL)
        return ERR_NO_MEMORY;
    phone_place_of(gateway->zones, ask->plain.peer, place);
    ask->message.place = place;
    return ERR_OK;
}

/* What the registries say of each of its senders that is SMS. */
static enum err
registries_ask(struct http_request *request, struct message_ask *ask, const json_t *content)
{
    struct message_new *message = &ask->message;
    enum err err = ERR_OK;

    for (size_t position = 0; err == ERR_OK && position <= message->fallback_count; position++) {
        struct message_fallback *fallback = position == 0 ? NULL : &message->fallbacks[position - 1];
        struct id channel = fallback == NULL ? message->channel : fallback->channel;
        const json_t *own =
            position == 0
                ? NULL
                : json_member(json_array_get(json_member(ask->body, "fallback"), position - 1), "content");
        bool is_sms = false;
        err = sms_channel_is(request, channel, &is_sms);
        if (err == ERR_OK && is_sms)
            err = sms_ask(request, channel, ask->plain.peer, own == NULL ? content : own,
                          message->category == MESSAGE_PROMOTIONAL, ask->arena,
                          fallback == NULL ? &message->asked : &fallback->asked);
    }
    return err;
}

enum err
message_ask_read(struct http_request *request, struct slice idempotency_key, struct message_ask *ask)
{
    const struct clock *clock = gateway_worker_of(request)->gateway->clock;
    const json_t *content = json_member(ask->body, "content");
    struct slice category = json_text_of(ask->body, "category");
    struct message_new *message = &ask->message;

    *message = (struct message_new){ .id = id_new(clock),
                                     .tenant = request->tenant,
                                     .category = MESSAGE_SERVICE,
                                     .kind = json_text_of(content, "type"),
                                     .reference = json_text_of(ask->body, "reference"),
                                     .purpose = json_text_of(ask->body, "purpose"),
                                     .idempotency_key = idempotency_key,
                                     .by = reach_asker(request) };
    ask->plain = (struct message_plain){ .message = message->id, .peer = json_text_of(ask->body, "to") };
    if (id_parse(ID_CHANNEL, json_text_of(ask->body, "channel_id"), &message->channel) != ERR_OK ||
        !reach_has_channel(request, message->channel))
        return refuse(ask, "/channel_id", "is not a channel of this workspace", ERR_CHANNEL_UNKNOWN);
    if (category.ptr != NULL && message_category_parse(category, &message->category) != ERR_OK)
        return ERR_CONTRACT;
    enum err err = content_check(request, ask, message->channel, content, "/content", &message->category,
                                 &message->asked.template_state);
    if (err == ERR_OK)
        err = fallbacks_read(request, ask);
    if (err == ERR_OK)
        err = target_read(request, content, ask);
    if (err == ERR_OK)
        err = times_read(ask, clock_wall(clock));
    if (err == ERR_OK)
        err = content_times_check(request, ask, clock_wall(clock));
    if (err == ERR_OK)
        err = metadata_check(ask);
    if (err == ERR_OK)
        err = tags_read(ask);
    if (err == ERR_OK)
        err = place_find(gateway_worker_of(request)->gateway, ask);
    if (err == ERR_OK)
        err = registries_ask(request, ask, content);
    if (err == ERR_OK)
        err = value_print(ask, content, &ask->plain.content);
    if (err == ERR_OK)
        err = value_print(ask, json_member(ask->body, "metadata"), &ask->plain.metadata);
    return err == ERR_OK && idempotency_key.ptr != NULL
               ? gateway_request_hash("POST /v1/messages", ask->body, 4 * MESSAGE_BODY_BYTES_MAX,
                                      ask->request_hash)
               : err;
}

static enum message_status
status_of(const struct message_accepted *accepted, struct wall_time send_at)
{
    if (accepted->decision == POLICY_BLOCK)
        return MESSAGE_BLOCKED;
    return send_at.us != 0 || accepted->decision == POLICY_HOLD ? MESSAGE_HELD : MESSAGE_ACCEPTED;
}

/* The later of when it was wanted and when it may go. */
static struct wall_time
held_until(const struct message_accepted *accepted, struct wall_time send_at)
{
    struct policy_receipt receipt;

    if (accepted->decision != POLICY_HOLD ||
        policy_receipt_unpack(slice_of(accepted->policy, accepted->policy_bytes), &receipt) != ERR_OK ||
        receipt.verdict.until.us < send_at.us)
        return send_at;
    return receipt.verdict.until;
}

void
message_ask_print(const struct http_request *request, const struct message_ask *ask,
                  const struct message_accepted *accepted, struct buf *out)
{
    const struct message_new *asked = &ask->message;
    struct wall_time later = id_time(accepted->id);
    struct message message = { .id = accepted->id,
                               .channel = asked->channel,
                               .target = asked->target,
                               .resent_from = asked->resent_from,
                               .direction = MESSAGE_OUT,
                               .category = asked->category,
                               .status = status_of(accepted, asked->send_at),
                               .kind = asked->kind,
                               .reference = asked->reference,
                               .created_at = later,
                               .updated_at = later,
                               .purpose = asked->purpose,
                               .policy = slice_of(accepted->policy, accepted->policy_bytes),
                               .send_at = held_until(accepted, asked->send_at),
                               .expires_at = asked->expires_at,
                               .tags = asked->tags,
                               .tag_count = asked->tag_count };

    /* A repeated request is answered as the first one was: its time to live began then. */
    if (ask->has_ttl)
        message.expires_at =
            wall_after_ms(asked->send_at.us != 0 ? asked->send_at : later, ask->ttl_s * 1000);
    struct slice peer = reach_address(request, ask->arena, ask->plain.peer);
    if (peer.ptr == NULL) /* no room for what is shown in its place */
        peer = SLICE("****");
    message_print(&message, peer, ask->plain.metadata, out);
}
