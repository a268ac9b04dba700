#include "domain/channel/whatsapp/whatsapp_event.h"
#include "core/num.h"
#include "domain/channel/whatsapp/whatsapp_json_internal.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"

struct event_walk {
    struct whatsapp_reader reader;
    enum err (*visit)(void *ctx, const struct whatsapp_event *event);
    void *ctx;
};

static enum err
visit(struct event_walk *walk, struct whatsapp_event event, enum whatsapp_event_kind kind, const json_t *raw)
{
    event.kind = kind;
    event.raw = raw;
    if (walk->reader.has_run_out)
        return ERR_NO_MEMORY;
    return walk->visit(walk->ctx, &event);
}

/* [{"code","title",...}]; some samples carry the error object without the array. */
static size_t
errors_read(const json_t *errors, struct whatsapp_error *out, size_t max)
{
    size_t given = json_is_array(errors) ? json_array_size(errors) : 1, count = 0;

    for (size_t i = 0; i < given && count < max; i++) {
        const json_t *one = json_is_array(errors) ? json_array_get(errors, i) : errors;
        int64_t code = WHATSAPP_CODE_NONE, subcode = 0;
        size_t same = 0;

        if (!json_is_object(one))
            continue;
        (void)whatsapp_json_int(one, "code", &code);
        (void)whatsapp_json_int(one, "error_subcode", &subcode);
        out[count] =
            whatsapp_error_of(code < 0 ? WHATSAPP_CODE_NONE : code, subcode < 0 ? 0 : subcode, false, 0);
        while (out[same].code != out[count].code || out[same].subcode != out[count].subcode)
            same++;
        if (same == count)
            count++;
    }
    return count;
}

static bool
error_read(const json_t *errors, struct whatsapp_error *out)
{
    return errors_read(errors, out, 1) == 1;
}

static struct slice
id_of(struct event_walk *walk, const json_t *object, const char *member)
{
    return whatsapp_json_text(&walk->reader, object, member, WHATSAPP_ID_MAX);
}

static struct slice
word_of(struct event_walk *walk, const json_t *object, const char *member)
{
    return whatsapp_json_text(&walk->reader, object, member, WHATSAPP_WORD_MAX);
}

static struct slice
first_of(struct slice a, struct slice b)
{
    return a.len > 0 ? a : b;
}

static void
pricing_read(struct event_walk *walk, const json_t *status, struct whatsapp_pricing *out)
{
    const json_t *pricing = json_member(status, "pricing");

    out->is_given = json_is_object(pricing);
    (void)whatsapp_json_bool(pricing, "billable", &out->is_billable);
    out->model = word_of(walk, pricing, "pricing_model");
    out->type = word_of(walk, pricing, "type");
    out->category = word_of(walk, pricing, "category");
}

static enum err
status_read(struct event_walk *walk, const struct whatsapp_event *base, const json_t *raw)
{
    struct whatsapp_event event = *base;
    struct whatsapp_status_event *status = &event.status;
    const json_t *conversation = json_member(raw, "conversation");

    *status = (struct whatsapp_status_event){ .provider_id = id_of(walk, raw, "id") };
    if (whatsapp_json_time(raw, "timestamp", &event.time))
        event.has_time = true;
    /* A payment fails or succeeds by itself: its words must not be taken for the message's. */
    if (slice_eq(word_of(walk, raw, "type"), SLICE("payment"))) {
        event.field = SLICE("messages.payment");
        return visit(walk, event, WHATSAPP_EVENT_NOTICE, raw);
    }
    if (status->provider_id.len == 0)
        return visit(walk, event, WHATSAPP_EVENT_UNKNOWN, raw);
    status->text = word_of(walk, raw, "status");
    status->word = whatsapp_status_word_of(status->text);
    status->callback_data =
        whatsapp_json_text(&walk->reader, raw, "biz_opaque_callback_data", WHATSAPP_CALLBACK_DATA_MAX);
    status->recipient_id = id_of(walk, raw, "recipient_id");
    status->recipient_user_id = id_of(walk, raw, "recipient_user_id");
    status->is_group = slice_eq(word_of(walk, raw, "recipient_type"), SLICE("group"));
    status->participant_id = first_of(id_of(walk, raw, "recipient_participant_id"),
                                      id_of(walk, raw, "participant_recipient_id")); /* both are documented */
    status->conversation_id = id_of(walk, conversation, "id");
    status->conversation_origin = word_of(walk, json_member(conversation, "origin"), "type");
    status->error_count = errors_read(json_member(raw, "errors"), status->errors, COUNT_OF(status->errors));
    pricing_read(walk, raw, &status->pricing);
    return visit(walk, event, WHATSAPP_EVENT_STATUS, raw);
}

/* Whether the member is this id, be it text or a number. */
static bool
is_same_id(const json_t *object, const char *member, struct slice id)
{
    const json_t *value = json_member(object, member);
    int64_t number = 0;

    if (id.len == 0)
        return false;
    if (json_is_integer(value))
        return num_i64_parse(id, &number) == ERR_OK && number == json_integer_value(value);
    return slice_eq(json_text_of(object, member), id);
}

/* value.contacts beside the messages: the sender's, or the only one there is. */
static const json_t *
contact_of(const json_t *contacts, const struct whatsapp_inbound *message)
{
    for (size_t i = 0; i < json_array_size(contacts); i++) {
        const json_t *contact = json_array_get(contacts, i);
        if (is_same_id(contact, "wa_id", message->wa_id) || is_same_id(contact, "user_id", message->user_id))
            return contact;
    }
    return json_array_size(contacts) == 1 ? json_array_get(contacts, 0) : NULL;
}

static void
contact_read(struct event_walk *walk, const json_t *contacts, struct whatsapp_inbound *message)
{
    const json_t *contact = contact_of(contacts, message), *profile = json_member(contact, "profile");

    message->profile_name = whatsapp_text_cut(json_text_of(profile, "name"), WHATSAPP_NAME_MAX);
    message->username = whatsapp_text_cut(json_text_of(profile, "username"), WHATSAPP_NAME_MAX);
    message->user_id = first_of(message->user_id, id_of(walk, contact, "user_id"));
    message->parent_user_id = first_of(message->parent_user_id, id_of(walk, contact, "parent_user_id"));
    message->identity_key_hash = id_of(walk, contact, "identity_key_hash");
}

/* A number in E.164 has at most 15 digits and no 0 in front. */
static bool
is_number(struct slice wa_id)
{
    if (wa_id.len < 7 || wa_id.len > 15 || wa_id.ptr[0] == '0')
        return false;
    for (size_t i = 0; i < wa_id.len; i++)
        if (wa_id.ptr[i] < '0' || wa_id.ptr[i] > '9')
            return false;
    return true;
}

static struct slice
peer_of(struct event_walk *walk, const struct whatsapp_inbound *message)
{
    if (!is_number(message->wa_id))
        return first_of(message->user_id, message->wa_id);
    struct slice peer = arena_format(walk->reader.arena, "+%.*s", SLICE_FMT(message->wa_id));
    if (peer.ptr == NULL)
        walk->reader.has_run_out = true;
    return peer;
}

static enum err
message_read(struct event_walk *walk, const struct whatsapp_event *base, const json_t *contacts,
             const json_t *raw)
{
    struct whatsapp_event event = *base;
    struct whatsapp_inbound *message = &event.message;

    *message = (struct whatsapp_inbound){ .provider_id = id_of(walk, raw, "id") };
    if (whatsapp_json_time(raw, "timestamp", &event.time))
        event.has_time = true;
    message->wa_id = id_of(walk, raw, "from");
    message->user_id = id_of(walk, raw, "from_user_id");
    message->parent_user_id = id_of(walk, raw, "from_parent_user_id");
    contact_read(walk, contacts, message);
    message->peer = peer_of(walk, message);
    if (message->provider_id.len == 0 || message->peer.len == 0)
        return visit(walk, event, WHATSAPP_EVENT_UNKNOWN, raw);
    message->group_id = id_of(walk, raw, "group_id");
    message->type = word_of(walk, raw, "type");
    message->quoted_id = id_of(walk, json_member(raw, "context"), "id");
    message->is_referred = json_is_object(json_member(raw, "referral"));
    message->has_error = error_read(json_member(raw, "errors"), &message->error);
    return visit(walk, event, WHATSAPP_EVENT_MESSAGE, raw);
}

/* A message that the business sent from its own app: the other side is `to`, be it a number or a user id. */
static enum err
echo_read(struct event_walk *walk, const struct whatsapp_event *base, const json_t *raw)
{
    struct whatsapp_event event = *base;
    struct whatsapp_inbound *message = &event.message;

    *message = (struct whatsapp_inbound){ .provider_id = id_of(walk, raw, "id"), .is_echo = true };
    if (whatsapp_json_time(raw, "timestamp", &event.time))
        event.has_time = true;
    message->wa_id = id_of(walk, raw, "to");
    message->user_id = id_of(walk, raw, "to_user_id");
    message->peer = peer_of(walk, message);
    if (message->provider_id.len == 0 || message->peer.len == 0)
        return visit(walk, event, WHATSAPP_EVENT_UNKNOWN, raw);
    message->group_id = id_of(walk, raw, "group_id");
    message->type = word_of(walk, raw, "type");
    message->quoted_id = id_of(walk, json_member(raw, "context"), "id");
    message->has_error = error_read(json_member(raw, "errors"), &message->error);
    return visit(walk, event, WHATSAPP_EVENT_MESSAGE, raw);
}

static enum err
fault_read(struct event_walk *walk, const struct whatsapp_event *base, const json_t *raw)
{
    struct whatsapp_event event = *base;

    if (!error_read(raw, &event.fault))
        return visit(walk, event, WHATSAPP_EVENT_UNKNOWN, raw);
    return visit(walk, event, WHATSAPP_EVENT_FAULT, raw);
}

/* field "messages": three lists, of which mostly one is there. */
static enum err
messages_read(struct event_walk *walk, const struct whatsapp_event *base, const json_t *value)
{
    const json_t *statuses = json_member(value, "statuses"), *messages = json_member(value, "messages"),
                 *errors = json_member(value, "errors"), *contacts = json_member(value, "contacts");
    enum err err = ERR_OK;

    if (json_array_size(statuses) + json_array_size(messages) + json_array_size(errors) == 0)
        return visit(walk, *base, WHATSAPP_EVENT_UNKNOWN, value);
    for (size_t i = 0; err == ERR_OK && i < json_array_size(statuses); i++)
        err = status_read(walk, base, json_array_get(statuses, i));
    for (size_t i = 0; err == ERR_OK && i < json_array_size(messages); i++)
        err = message_read(walk, base, contacts, json_array_get(messages, i));
    for (size_t i = 0; err == ERR_OK && i < json_array_size(errors); i++)
        err = fault_read(walk, base, json_array_get(errors, i));
    return err;
}

static enum err
echoes_read(struct event_walk *walk, const struct whatsapp_event *base, const json_t *value)
{
    const json_t *echoes = json_member(value, "message_echoes");
    enum err err = ERR_OK;

    if (json_array_size(echoes) == 0)
        return visit(walk, *base, WHATSAPP_EVENT_NOTICE, value);
    for (size_t i = 0; err == ERR_OK && i < json_array_size(echoes); i++)
        err = echo_read(walk, base, json_array_get(echoes, i));
    return err;
}

static enum err
change_read(struct event_walk *walk, struct whatsapp_event event, const json_t *change)
{
    const json_t *value = json_member(change, "value");
    const json_t *metadata = json_member(value, "metadata");

    event.field = word_of(walk, change, "field");
    event.phone_number_id = id_of(walk, metadata, "phone_number_id");
    event.display_phone_number = first_of(word_of(walk, metadata, "display_phone_number"),
                                          word_of(walk, value, "display_phone_number"));
    if (!json_is_object(value) || event.field.len == 0)
        return visit(walk, event, WHATSAPP_EVENT_UNKNOWN, change);
    if (slice_eq(event.field, SLICE("messages")))
        return messages_read(walk, &event, value);
    if (slice_eq(event.field, SLICE("smb_message_echoes")) || slice_eq(event.field, SLICE("message_echoes")))
        return echoes_read(walk, &event, value);
    return visit(walk, event, WHATSAPP_EVENT_NOTICE, value);
}

static enum err
entry_read(struct event_walk *walk, bool is_ours, const json_t *entry)
{
    const json_t *changes = json_member(entry, "changes");
    struct whatsapp_event event = { .account_id = id_of(walk, entry, "id") };
    enum err err = ERR_OK;

    event.has_time = whatsapp_json_time(entry, "time", &event.time);
    if (!is_ours || !json_is_array(changes))
        return visit(walk, event, WHATSAPP_EVENT_UNKNOWN, entry);
    for (size_t i = 0; err == ERR_OK && i < json_array_size(changes); i++)
        err = change_read(walk, event, json_array_get(changes, i));
    return err;
}

/* As many calls as the body can cause, so that a limit is met before the first and not in the middle. */
static size_t
events_count(const json_t *entries)
{
    static const char *const lists[] = { "statuses", "messages", "errors", "message_echoes" };
    size_t count = 0;

    for (size_t i = 0; i < json_array_size(entries); i++) {
        const json_t *changes = json_member(json_array_get(entries, i), "changes");
        count++;
        for (size_t k = 0; k < json_array_size(changes); k++) {
            const json_t *value = json_member(json_array_get(changes, k), "value");
            count++;
            for (size_t list = 0; list < COUNT_OF(lists); list++)
                count += json_array_size(json_member(value, lists[list]));
        }
    }
    return count;
}

enum err
whatsapp_event_read(struct slice body, struct arena *arena,
                    enum err (*visitor)(void *ctx, const struct whatsapp_event *event), void *ctx)
{
    struct event_walk walk = { .reader = { .arena = arena }, .visit = visitor, .ctx = ctx };
    json_t *tree = NULL;
    enum err err;

    if (body.len > WHATSAPP_BODY_BYTES_MAX)
        return ERR_LIMIT;
    err = json_parse_foreign(body, &tree);
    if (err != ERR_OK)
        return err;
    const json_t *entries = json_member(tree, "entry");
    struct slice object = json_text_of(tree, "object");
    /* One of Meta's own samples leaves `object` out; another product's name there is not ours to read. */
    bool is_ours = object.len == 0 || slice_eq(object, SLICE("whatsapp_business_account"));
    if (!json_is_array(entries))
        err = ERR_PROVIDER_BODY;
    else if (events_count(entries) > WHATSAPP_EVENTS_MAX)
        err = ERR_LIMIT;
    for (size_t i = 0; err == ERR_OK && i < json_array_size(entries); i++)
        err = entry_read(&walk, is_ours, json_array_get(entries, i));
    json_decref(tree);
    return err;
}

bool
whatsapp_event_caller(const json_t *call, struct arena *arena, struct whatsapp_inbound *out)
{
    struct event_walk walk = { .reader = { .arena = arena } };

    *out = (struct whatsapp_inbound){ .wa_id = id_of(&walk, call, "from"),
                                      .user_id = id_of(&walk, call, "from_user_id") };
    out->peer = peer_of(&walk, out);
    return !slice_eq(word_of(&walk, call, "direction"), SLICE("BUSINESS_INITIATED")) && out->peer.len > 0 &&
           !walk.reader.has_run_out;
}
