#include "domain/channel/whatsapp/whatsapp_inbound.h"
#include "core/attribute.h"
#include "domain/channel/whatsapp/whatsapp_json_internal.h"
#include "wire/json/json.h"
#include "wire/json/json_foreign.h"

/* How a member is taken over. */
enum take {
    TAKE_TEXT, /* text, or a number as text */
    TAKE_BOOL,
    TAKE_REAL,
    TAKE_RAW, /* as it is */
};

struct member {
    const char *name;
    enum take take;
    bool is_needed; /* without it there is nothing to show */
};

#define COPY_DEPTH_MAX (JSON_DEPTH_MAX / 2)
#define MEMBERS_MAX    8u

static const struct type_row {
    const char *type;
    struct member members[MEMBERS_MAX]; /* ends with a NULL name */
} types[] = {
    { "text", { { "body", TAKE_TEXT, true } } },
    { "image",
      { { "id", TAKE_TEXT, true },
        { "mime_type", TAKE_TEXT, false },
        { "sha256", TAKE_TEXT, false },
        { "caption", TAKE_TEXT, false } } },
    { "video",
      { { "id", TAKE_TEXT, true },
        { "mime_type", TAKE_TEXT, false },
        { "sha256", TAKE_TEXT, false },
        { "caption", TAKE_TEXT, false } } },
    { "audio",
      { { "id", TAKE_TEXT, true },
        { "mime_type", TAKE_TEXT, false },
        { "sha256", TAKE_TEXT, false },
        { "voice", TAKE_BOOL, false } } },
    { "document",
      { { "id", TAKE_TEXT, true },
        { "mime_type", TAKE_TEXT, false },
        { "sha256", TAKE_TEXT, false },
        { "filename", TAKE_TEXT, false },
        { "caption", TAKE_TEXT, false } } },
    { "sticker",
      { { "id", TAKE_TEXT, true },
        { "mime_type", TAKE_TEXT, false },
        { "sha256", TAKE_TEXT, false },
        { "animated", TAKE_BOOL, false } } },
    { "location",
      { { "latitude", TAKE_REAL, true },
        { "longitude", TAKE_REAL, true },
        { "name", TAKE_TEXT, false },
        { "address", TAKE_TEXT, false },
        { "url", TAKE_TEXT, false } } },
    { "button", { { "text", TAKE_TEXT, true }, { "payload", TAKE_TEXT, false } } },
    { "order",
      { { "catalog_id", TAKE_TEXT, false },
        { "text", TAKE_TEXT, false },
        { "product_items", TAKE_RAW, true } } },
    { "system",
      { { "type", TAKE_TEXT, false },
        { "body", TAKE_TEXT, false },
        { "wa_id", TAKE_TEXT, false },
        { "new_wa_id", TAKE_TEXT, false },
        { "user_id", TAKE_TEXT, false },
        { "parent_user_id", TAKE_TEXT, false } } },
};

/* Gathers failures, so that each step need not be asked. */
struct maker {
    struct whatsapp_reader reader;
    bool has_failed;
};

/* Takes `value`. */
static void
put(struct maker *maker, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) != 0) /* also when either could not be made */
        maker->has_failed = true;
}

static void
put_text(struct maker *maker, json_t *object, const char *name, struct slice text)
{
    put(maker, object, name, json_stringn(text.len == 0 ? "" : text.ptr, text.len));
}

static bool
is_deeper(const json_t *value, unsigned depth)
{
    const char *name;
    json_t *member;
    size_t index;

    if (!json_is_object(value) && !json_is_array(value))
        return false;
    if (depth == 0)
        return true;
    json_object_foreach((json_t *)(uintptr_t)value, name, member)
    {
        if (is_deeper(member, depth - 1))
            return true;
    }
    json_array_foreach(value, index, member)
    {
        if (is_deeper(member, depth - 1))
            return true;
    }
    return false;
}

/* What nests deeper than we read again, with all that is put around it, becomes null. */
static void
put_copy(struct maker *maker, json_t *object, const char *name, const json_t *value)
{
    put(maker, object, name, is_deeper(value, COPY_DEPTH_MAX) ? json_null() : json_deep_copy(value));
}

/* false: it is not there in any form. */
static bool
member_put(struct maker *maker, json_t *object, const struct member *member, const json_t *from)
{
    const json_t *value = json_member(from, member->name);
    bool truth = false;
    double real = 0;

    switch (member->take) {
    case TAKE_TEXT:
        if (!json_is_string(value) && !json_is_number(value))
            return false;
        put_text(maker, object, member->name,
                 whatsapp_json_text(&maker->reader, from, member->name, WHATSAPP_BODY_BYTES_MAX));
        return true;
    case TAKE_BOOL:
        if (!whatsapp_json_bool(from, member->name, &truth))
            return false;
        put(maker, object, member->name, json_boolean(truth));
        return true;
    case TAKE_REAL:
        if (!whatsapp_json_real(from, member->name, &real))
            return false;
        put(maker, object, member->name, json_real(real));
        return true;
    case TAKE_RAW:
        if (!json_is_object(value) && !json_is_array(value))
            return false;
        put_copy(maker, object, member->name, value);
        return true;
    }
    return false;
}

/* What this version does not know is handed on as it is; download links live for minutes and need the token.
 */
static void
put_others(struct maker *maker, json_t *object, const struct member *members, json_t *from)
{
    const char *name;
    json_t *value;

    json_object_foreach(from, name, value)
    {
        const struct member *member = members;
        while (member->name != NULL && strcmp(member->name, name) != 0)
            member++;
        if (member->name == NULL && strcmp(name, "url") != 0)
            put_copy(maker, object, name, value);
    }
}

/* What was sent cannot be shown: its word, and why when WhatsApp says so; and what it brought along. */
static void
put_unsupported(struct maker *maker, json_t *content, const json_t *raw,
                const struct whatsapp_inbound *message)
{
    json_t *object = json_object();
    struct slice word = json_text_of(json_member(raw, "unsupported"), "type");

    if (word.len == 0 || word.len > WHATSAPP_WORD_MAX)
        word = message->type.len > 0 ? message->type : SLICE("unknown");
    put_text(maker, object, "type", word);
    if (message->has_error && message->error.code != WHATSAPP_CODE_NONE) {
        put(maker, object, "code", json_integer(message->error.code));
        put_text(maker, object, "title", slice_text(message->error.title));
    }
    const json_t *own = message->type.len == 0 ? NULL : json_member(raw, message->type.ptr);
    if (json_is_object(own) || json_is_array(own)) {
        json_t *kept = json_deep_copy(own);
        json_object_del(kept, "url");
        put_copy(maker, object, "raw", kept);
        json_decref(kept);
    }
    put_text(maker, content, "type", SLICE("unsupported"));
    put(maker, content, "unsupported", object);
}

/* Takes the object of a plain type over; false when it lacks what it needs. */
static bool
put_plain(struct maker *maker, json_t *content, const struct type_row *row, const json_t *raw)
{
    const json_t *from = json_member(raw, row->type);
    bool is_whole = json_is_object(from);
    json_t *object = json_object();

    for (const struct member *member = row->members; is_whole && member->name != NULL; member++)
        if (!member_put(maker, object, member, from) && member->is_needed)
            is_whole = false;
    if (!is_whole) {
        json_decref(object);
        return false;
    }
    put_others(maker, object, row->members, json_object_get(raw, row->type));
    put_text(maker, content, "type", slice_text(row->type));
    put(maker, content, row->type, object);
    return true;
}

/* A flow's answers come as JSON in a text: parsed beside it, when it is an object. */
static void
put_flow_response(struct maker *maker, json_t *reply)
{
    json_t *response = NULL;

    if (json_parse_foreign(json_text_of(reply, "response_json"), &response) != ERR_OK)
        return;
    if (json_is_object(response))
        put_copy(maker, reply, "response", response);
    json_decref(response);
}

/* {"type":"button_reply","button_reply":{...}}: whichever reply it is, as it is. */
static bool
put_interactive(struct maker *maker, json_t *content, const json_t *raw)
{
    const json_t *from = json_member(raw, "interactive");
    struct slice word = json_text_of(from, "type");
    const json_t *reply = word.len == 0 ? NULL : json_member(from, word.ptr);
    json_t *object;

    if (!json_is_object(reply) || word.len > WHATSAPP_WORD_MAX)
        return false;
    object = json_object();
    put_text(maker, object, "type", word);
    put_copy(maker, object, word.ptr, reply);
    put_flow_response(maker, json_object_get(object, word.ptr));
    put_text(maker, content, "type", SLICE("interactive"));
    put(maker, content, "interactive", object);
    return true;
}

static bool
put_contacts(struct maker *maker, json_t *content, const json_t *raw)
{
    const json_t *cards = json_member(raw, "contacts");

    if (json_array_size(cards) == 0)
        return false;
    put_text(maker, content, "type", SLICE("contacts"));
    put_copy(maker, content, "contacts", cards);
    return true;
}

/* reaction, edit and revoke are about another message, which the caller looks up. */
static const struct target_row {
    const char *type, *member;
} targets[] = { { "reaction", "message_id" },
                { "edit", "original_message_id" },
                { "revoke", "original_message_id" } };

static const struct target_row *
target_row_of(struct slice type)
{
    for (size_t i = 0; i < COUNT_OF(targets); i++)
        if (slice_eq(type, slice_text(targets[i].type)))
            return &targets[i];
    return NULL;
}

static bool put_message(struct maker *maker, json_t *content, const json_t *raw, struct slice type);

static bool
put_targeted(struct maker *maker, json_t *content, const json_t *raw, const struct target_row *row)
{
    const json_t *from = json_member(raw, row->type);
    struct slice target = whatsapp_json_text(&maker->reader, from, row->member, WHATSAPP_ID_MAX);
    json_t *object;

    if (target.len == 0)
        return false;
    object = json_object();
    put_text(maker, object, "provider_id", target);
    if (slice_eq(slice_text(row->type), SLICE("reaction"))) {
        put_text(maker, object, "emoji", json_text_of(from, "emoji")); /* none: the reaction was taken back */
    } else if (slice_eq(slice_text(row->type), SLICE("edit"))) {
        const json_t *inner = json_member(from, "message");
        json_t *edited = json_object();
        if (put_message(maker, edited, inner, json_text_of(inner, "type")))
            put(maker, object, "content", edited);
        else
            json_decref(edited);
    }
    put_text(maker, content, "type", slice_text(row->type));
    put(maker, content, row->type, object);
    return true;
}

/* Fills `content` by the message's type; false, and nothing put, when it cannot be shown. */
static bool
put_message(struct maker *maker, json_t *content, const json_t *raw, struct slice type)
{
    const struct target_row *target = target_row_of(type);

    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (slice_eq(type, slice_text(types[i].type)))
            return put_plain(maker, content, &types[i], raw);
    if (target != NULL)
        return put_targeted(maker, content, raw, target);
    if (slice_eq(type, SLICE("interactive")))
        return put_interactive(maker, content, raw);
    if (slice_eq(type, SLICE("contacts")))
        return put_contacts(maker, content, raw);
    if (slice_eq(type, SLICE("request_welcome"))) {
        put_text(maker, content, "type", type);
        put(maker, content, "request_welcome", json_object());
        return true;
    }
    return false;
}

/* Where it came from: forwarded, asked about a product, in a group, through an advertisement, a changed
 * identity. */
static void
put_surroundings(struct maker *maker, json_t *content, const struct whatsapp_event *event)
{
    static const struct member flags[] = { { "forwarded", TAKE_BOOL, false },
                                           { "frequently_forwarded", TAKE_BOOL, false },
                                           { "referred_product", TAKE_RAW, false } };
    static const struct member beside[] = { { "referral", TAKE_RAW, false },
                                            { "identity", TAKE_RAW, false } };
    const json_t *context = json_member(event->raw, "context");
    json_t *object = json_object();

    for (size_t i = 0; i < COUNT_OF(flags); i++)
        (void)member_put(maker, object, &flags[i], context);
    if (event->message.quoted_id.len > 0)
        put_text(maker, object, "provider_id", event->message.quoted_id);
    if (event->message.group_id.len > 0)
        put_text(maker, object, "group_id", event->message.group_id);
    if (json_object_size(object) > 0)
        put_copy(maker, content, "context", object);
    json_decref(object);
    for (size_t i = 0; i < COUNT_OF(beside); i++)
        (void)member_put(maker, content, &beside[i], event->raw);
}

/* Who wrote, as WhatsApp tells: names are the person's own choice. */
static void
put_sender(struct maker *maker, json_t *content, const struct whatsapp_inbound *message)
{
    const struct {
        const char *name;
        struct slice value;
    } members[] = { { "name", message->profile_name },
                    { "username", message->username },
                    { "wa_id", message->wa_id },
                    { "user_id", message->user_id },
                    { "parent_user_id", message->parent_user_id },
                    { "identity_key_hash", message->identity_key_hash } };
    json_t *object = json_object();

    for (size_t i = 0; i < COUNT_OF(members); i++)
        if (members[i].value.len > 0)
            put_text(maker, object, members[i].name, members[i].value);
    put(maker, content, "sender", object);
}

enum err
whatsapp_inbound_content(const struct whatsapp_event *event, struct arena *arena, json_t **out)
{
    struct maker maker = { .reader = { .arena = arena } };
    json_t *content = json_object();

    *out = NULL;
    if (event->kind != WHATSAPP_EVENT_MESSAGE)
        bug("only a message has content");
    if (!put_message(&maker, content, event->raw, event->message.type))
        put_unsupported(&maker, content, event->raw, &event->message);
    put_surroundings(&maker, content, event);
    if (!event->message.is_echo)
        put_sender(&maker, content, &event->message);
    if (content == NULL || maker.has_failed || maker.reader.has_run_out) {
        json_decref(content);
        return ERR_NO_MEMORY;
    }
    *out = content;
    return ERR_OK;
}

struct slice
whatsapp_inbound_target(const struct whatsapp_event *event)
{
    const struct target_row *row =
        event->kind == WHATSAPP_EVENT_MESSAGE ? target_row_of(event->message.type) : NULL;

    if (row == NULL)
        return SLICE_EMPTY;
    struct slice target = json_text_of(json_member(event->raw, row->type), row->member);
    return target.len > WHATSAPP_ID_MAX ? SLICE_EMPTY : target;
}
