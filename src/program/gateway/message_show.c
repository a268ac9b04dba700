#include "program/gateway/message_show.h"
#include "program/gateway/gateway.h"
#include "program/gateway/reach.h"
#include "wire/json/json.h"

#define MESSAGE_SHOWN_BYTES_MAX (1u << 20)
#define RECEIPT_SHOWN_BYTES_MAX 4096u

static json_t *
error_show(const struct message *message)
{
    if (message->error_code.len == 0)
        return json_null();
    return json_pack("{s:o, s:o, s:o}", "code", show_text(message->error_code), "title",
                     show_text(message->error_title), "class", show_text(message->error_class));
}

static json_t *
time_or_null(struct wall_time t)
{
    return t.us == 0 ? json_null() : show_time(t);
}

static void
id_add(struct buf *out, enum id_kind kind, struct id id)
{
    char text[ID_TEXT_BYTES];

    buf_add_byte(out, '"');
    buf_add(out, id_print(kind, id, text));
    buf_add_byte(out, '"');
}

static void
text_add(struct buf *out, struct slice text)
{
    if (text.len == 0)
        buf_add(out, SLICE("null"));
    else
        json_add_string(out, text);
}

static void
time_add(struct buf *out, struct wall_time t)
{
    char text[WALL_TEXT_BYTES];

    if (t.us == 0) {
        buf_add(out, SLICE("null"));
        return;
    }
    buf_add_byte(out, '"');
    buf_add(out, wall_print(t, text));
    buf_add_byte(out, '"');
}

static void
error_add(struct buf *out, const struct message *message)
{
    if (message->error_code.len == 0) {
        buf_add(out, SLICE("null"));
        return;
    }
    buf_add(out, SLICE("{\"code\":"));
    json_add_string(out, message->error_code);
    buf_add(out, SLICE(",\"title\":"));
    json_add_string(out, message->error_title);
    buf_add(out, SLICE(",\"class\":"));
    json_add_string(out, message->error_class);
    buf_add_byte(out, '}');
}

/* What the gate judged from: what is as where nothing is known is left out, but for what is asked for most.
 */
static void
facts_add(struct buf *out, const struct policy_facts *facts)
{
    bool is_first = true;

    for (unsigned number = POLICY_FACT_CATEGORY; number <= POLICY_FACT_MAX; number++) {
        const struct policy_fact_row *row = policy_fact_row(number);
        int64_t value = facts->of[number];
        bool is_usual = number == POLICY_FACT_CATEGORY || number == POLICY_FACT_CHANNEL ||
                        number == POLICY_FACT_SUPPRESSION || number == POLICY_FACT_CONSENT ||
                        number == POLICY_FACT_CONSENT_RULE;
        if (value == 0 && !is_usual)
            continue;
        buf_add_byte(out, is_first ? '{' : ',');
        is_first = false;
        buf_add_byte(out, '"');
        buf_add(out, slice_text(row->word));
        buf_add(out, SLICE("\":"));
        switch (row->kind) {
        case POLICY_WORDS:
            buf_add_byte(out, '"');
            buf_add(out, slice_text(policy_fact_word((enum policy_fact)number, value)));
            buf_add_byte(out, '"');
            break;
        case POLICY_COUNT:
            buf_add_i64(out, value);
            break;
        case POLICY_TIME:
            time_add(out, (struct wall_time){ value });
            break;
        }
    }
    buf_add_byte(out, '}');
}

void
policy_receipt_print(const struct policy_receipt *receipt, struct buf *out)
{
    const char *rule = policy_rule_word(receipt->verdict.rule),
               *title = policy_rule_title(receipt->verdict.rule);

    buf_add(out, SLICE("{\"decision\":"));
    json_add_string(out, slice_text(policy_decision_word(receipt->verdict.decision)));
    buf_add(out, SLICE(",\"rule\":"));
    text_add(out, rule == NULL ? SLICE_EMPTY : slice_text(rule));
    buf_add(out, SLICE(",\"title\":"));
    text_add(out, title == NULL ? SLICE_EMPTY : slice_text(title));
    buf_add(out, SLICE(",\"until\":"));
    time_add(out, receipt->verdict.until);
    buf_add(out, SLICE(",\"at\":"));
    time_add(out, (struct wall_time){ receipt->facts.of[POLICY_FACT_AT] });
    buf_add(out, SLICE(",\"facts\":"));
    facts_add(out, &receipt->facts);
    buf_add_byte(out, '}');
}

static void
receipt_add(struct buf *out, struct slice packed)
{
    struct policy_receipt receipt;

    if (packed.len == 0 || policy_receipt_unpack(packed, &receipt) != ERR_OK)
        buf_add(out, SLICE("null"));
    else
        policy_receipt_print(&receipt, out);
}

json_t *
policy_receipt_show(const struct policy_receipt *receipt)
{
    struct buf text;
    json_t *shown = NULL;

    buf_init(&text, RECEIPT_SHOWN_BYTES_MAX);
    policy_receipt_print(receipt, &text);
    if (buf_done(&text) != ERR_OK || json_parse(buf_slice(&text), &shown) != ERR_OK)
        shown = NULL;
    buf_release(&text);
    return shown;
}

static json_t *
receipt_or_null(struct slice packed)
{
    struct policy_receipt receipt;

    return packed.len == 0 || policy_receipt_unpack(packed, &receipt) != ERR_OK
               ? json_null()
               : policy_receipt_show(&receipt);
}

/* What only messages have that we send. Metadata is JSON that we have printed ourselves. */
static void
outbound_add(struct buf *out, const struct message *message, struct slice metadata)
{
    buf_add(out, SLICE(",\"send_at\":"));
    time_add(out, message->send_at);
    buf_add(out, SLICE(",\"expires_at\":"));
    time_add(out, message->expires_at);
    buf_add(out, SLICE(",\"tags\":["));
    for (size_t i = 0; i < message->tag_count; i++) {
        if (i > 0)
            buf_add_byte(out, ',');
        json_add_string(out, message->tags[i]);
    }
    buf_add(out, SLICE("],\"metadata\":"));
    buf_add(out, metadata.len == 0 ? SLICE("{}") : metadata);
    buf_add(out, SLICE(",\"sender_position\":"));
    buf_add_u64(out, message->sender);
    buf_add(out, SLICE(",\"purpose\":"));
    json_add_string(out, message->purpose.len == 0 ? slice_text(message_category_word(message->category))
                                                   : message->purpose);
    buf_add(out, SLICE(",\"policy\":{\"accepted\":"));
    receipt_add(out, message->policy);
    buf_add(out, SLICE(",\"sent\":"));
    receipt_add(out, message->policy_sent);
    buf_add(out, SLICE("},\"resent_from\":"));
    if (id_is_zero(message->resent_from))
        buf_add(out, SLICE("null"));
    else
        id_add(out, ID_MESSAGE, message->resent_from);
}

void
message_print(const struct message *message, struct slice peer, struct slice metadata, struct buf *out)
{
    bool is_out = message->direction == MESSAGE_OUT;

    buf_add(out, SLICE("{\"id\":"));
    id_add(out, ID_MESSAGE, message->id);
    buf_add(out, is_out ? SLICE(",\"direction\":\"outbound\"") : SLICE(",\"direction\":\"inbound\""));
    buf_add(out, SLICE(",\"channel_id\":"));
    id_add(out, ID_CHANNEL, message->channel);
    buf_add(out, is_out ? SLICE(",\"to\":") : SLICE(",\"from\":"));
    json_add_string(out, peer);
    buf_add(out, SLICE(",\"type\":"));
    json_add_string(out, message->kind);
    buf_add(out, SLICE(",\"category\":"));
    json_add_string(out, slice_text(message_category_word(message->category)));
    buf_add(out, SLICE(",\"status\":"));
    json_add_string(out, message_status_name(message->status));
    buf_add(out, SLICE(",\"reference\":"));
    text_add(out, message->reference);
    buf_add(out, SLICE(",\"reply_to\":"));
    if (id_is_zero(message->target))
        buf_add(out, SLICE("null"));
    else
        id_add(out, ID_MESSAGE, message->target);
    buf_add(out, SLICE(",\"provider_id\":"));
    text_add(out, message->provider_id);
    buf_add(out, SLICE(",\"attempts\":"));
    buf_add_i64(out, message->attempt_count);
    buf_add(out, SLICE(",\"error\":"));
    error_add(out, message);
    buf_add(out, SLICE(",\"pricing\":")); /* JSON that we have stored */
    buf_add(out, message->pricing.len == 0 ? SLICE("null") : message->pricing);
    buf_add(out, SLICE(",\"created_at\":"));
    time_add(out, message->created_at);
    buf_add(out, SLICE(",\"updated_at\":"));
    time_add(out, message->updated_at);
    if (is_out)
        outbound_add(out, message, metadata);
    buf_add_byte(out, '}');
}

json_t *
message_show(const struct message *message, struct slice peer, struct slice metadata)
{
    struct buf text;
    json_t *shown = NULL;

    buf_init(&text, MESSAGE_SHOWN_BYTES_MAX);
    message_print(message, peer, metadata, &text);
    if (buf_done(&text) == ERR_OK && json_parse(buf_slice(&text), &shown) != ERR_OK)
        shown = NULL; /* what we print and have stored parses, so only memory lacks */
    buf_release_wiped(&text);
    return shown;
}

/* It never had its turn: nobody could send by it then, or the policy gate had stopped it from the start. */
static bool
was_passed_over(const struct message_sender *sender)
{
    return slice_eq(sender->left_for, SLICE("skipped")) || slice_eq(sender->left_for, SLICE("blocked"));
}

/* In use, left behind, passed over, or still to come: which it never will when the message is at its end. */
static const char *
sender_state(const struct message *message, const struct message_sender *sender)
{
    if (was_passed_over(sender))
        return "skipped";
    if (sender->left_for.ptr != NULL)
        return "left";
    if (sender->position == message->sender)
        return "in-use";
    switch (message->status) {
    case MESSAGE_ACCEPTED:
    case MESSAGE_QUEUED:
    case MESSAGE_HELD:
    case MESSAGE_SENDING:
    case MESSAGE_SENT:
    case MESSAGE_UNCERTAIN:
        return "waiting";
    case MESSAGE_DELIVERED:
    case MESSAGE_READ:
    case MESSAGE_BLOCKED:
    case MESSAGE_FAILED:
    case MESSAGE_EXPIRED:
    case MESSAGE_CANCELED:
    case MESSAGE_RECEIVED:
        break;
    }
    return "unused";
}

json_t *
message_sender_show(const struct message *message, const struct message_sender *sender, json_t *content)
{
    const struct message as_message = { .error_code = sender->error_code,
                                        .error_title = sender->error_title,
                                        .error_class = sender->error_class };
    bool was_left = sender->left_for.ptr != NULL;
    bool is_in_use = sender->position == message->sender;
    json_t *shown =
        json_pack("{s:i, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "position", (int)sender->position,
                  "channel_id", show_id(ID_CHANNEL, sender->channel), "type", show_text(sender->kind),
                  "after_s", sender->after_s == 0 ? json_null() : json_integer((json_int_t)sender->after_s),
                  "state", sender_state(message, sender), "cause",
                  was_left && !was_passed_over(sender) ? show_text(sender->left_for) : json_null(), "left_at",
                  time_or_null(sender->left_at), "provider_id",
                  show_text_or_null(is_in_use ? message->provider_id : sender->provider_id), "error",
                  error_show(is_in_use ? message : &as_message));

    show_set(&shown, "policy", receipt_or_null(sender->position == 0 ? message->policy : sender->policy));
    if (content != NULL)
        show_set(&shown, "content", content);
    return shown;
}

/* false: no memory. */
static bool
provider_id_set(const struct http_request *request, const json_t *data, json_t *step)
{
    struct slice id = json_text_of(data, "provider_id");

    if (id.ptr == NULL)
        return true;
    id = id.len == 0 ? id : reach_address(request, request->arena, id);
    return id.ptr != NULL && json_object_set_new(step, "provider_id", show_text(id)) == 0;
}

json_t *
message_step_show(const struct http_request *request, const struct event *event)
{
    json_t *data = NULL, *step = NULL;
    int64_t attempt = 0;

    if (json_parse(event->data, &data) != ERR_OK)
        return NULL; /* what we stored parses, so only memory lacks */
    data = reach_strings(request, request->arena, data);
    if (data == NULL)
        return NULL;
    step = json_pack("{s:o, s:s, s:o}", "id", show_id(ID_EVENT, event->id), "type",
                     event_type_word(event->type), "at", show_time(event->occurred_at));
    static const char *const texts[] = {
        "status", "actor", "key_id", "person_id", "cause", "rule", "send_at"
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *value = json_object_get(data, texts[i]);
        if (json_is_string(value))
            show_set(&step, texts[i], json_incref(value));
    }
    /* Of a sender that whoever asks does not reach, only that something happened, and when. */
    bool is_reached = id_is_zero(event->channel) || reach_has_channel(request, event->channel);
    if (!id_is_zero(event->channel) && is_reached)
        show_set(&step, "channel_id", show_id(ID_CHANNEL, event->channel));
    if (json_int_of(data, "attempt", &attempt) && attempt > 0)
        show_set(&step, "attempt", json_integer(attempt));
    static const char *const objects[] = { "error", "report", "fallback" };
    for (size_t i = 0; is_reached && i < COUNT_OF(objects); i++) {
        json_t *object = json_object_get(data, objects[i]);
        struct id from;
        if (json_is_object(object) &&
            (id_parse(ID_CHANNEL, json_text_of(object, "from_channel_id"), &from) != ERR_OK ||
             reach_has_channel(request, from)))
            show_set(&step, objects[i], json_incref(object));
    }
    if (is_reached && json_is_array(json_object_get(data, "errors")))
        show_set(&step, "errors", json_incref(json_object_get(data, "errors")));
    if (step != NULL && is_reached && !provider_id_set(request, data, step)) {
        json_decref(step);
        step = NULL;
    }
    json_decref(data);
    return step;
}
