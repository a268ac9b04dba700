#include "domain/message/message_events.h"

enum event_type
message_status_event(enum message_status status)
{
    switch (status) {
    case MESSAGE_ACCEPTED:
        return EVENT_MESSAGE_ACCEPTED;
    case MESSAGE_QUEUED:
        return EVENT_MESSAGE_QUEUED;
    case MESSAGE_SENDING:
        return EVENT_MESSAGE_SENDING;
    case MESSAGE_SENT:
        return EVENT_MESSAGE_SENT;
    case MESSAGE_DELIVERED:
        return EVENT_MESSAGE_DELIVERED;
    case MESSAGE_READ:
        return EVENT_MESSAGE_READ;
    case MESSAGE_FAILED:
        return EVENT_MESSAGE_FAILED;
    case MESSAGE_EXPIRED:
        return EVENT_MESSAGE_EXPIRED;
    case MESSAGE_UNCERTAIN:
        return EVENT_MESSAGE_UNCERTAIN;
    case MESSAGE_RECEIVED:
        return EVENT_MESSAGE_RECEIVED;
    case MESSAGE_HELD:
        return EVENT_MESSAGE_HELD;
    case MESSAGE_CANCELED:
        return EVENT_MESSAGE_CANCELED;
    case MESSAGE_BLOCKED:
        return EVENT_MESSAGE_BLOCKED;
    }
    bug("a message status outside its enum");
}

static const char *
actor_word(const struct message_step *step)
{
    switch (step->actor) {
    case MESSAGE_BY_DISPATCHER:
        return "dispatcher";
    case MESSAGE_BY_ASKER:
        return step->by.is_person ? "person" : "api-key";
    case MESSAGE_BY_PROVIDER:
        return "provider";
    case MESSAGE_BY_POLICY:
        return "policy";
    case MESSAGE_BY_SCHEDULE:
        return "schedule";
    }
    bug("an actor outside its enum");
}

static const struct db_stmt message_tell_stmt = {
    "message_tell",
    "INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT $1, s.id, s.type, m.id, coalesce(nullif(s.channel_id, '00000000-0000-0000-0000-000000000000'),"
    " m.channel_id), s.at,"
    " jsonb_strip_nulls(jsonb_build_object('actor', s.actor, 'key_id', CASE s.actor WHEN 'api-key' THEN s.asker END,"
    " 'person_id', CASE s.actor WHEN 'person' THEN s.asker END, 'cause', s.cause, 'send_at',"
    " CASE s.status WHEN 'held' THEN to_char(m.send_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') END))"
    " || jsonb_strip_nulls(jsonb_build_object('pricing', m.pricing))"
    " || jsonb_build_object('direction', 'outbound', 'category', m.category, 'status', coalesce(s.status, m.status),"
    " 'reference', m.reference, 'tags', m.tags, 'provider_id', m.provider_id, 'attempt', m.attempt_count, 'error',"
    " CASE WHEN m.error_code IS NOT NULL THEN"
    " jsonb_build_object('code', m.error_code, 'title', m.error_title, 'class', m.error_class) END)"
    " || coalesce(s.details::jsonb, '{}')"
    " FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],"
    " $9::text[], $10::uuid[], $11::text[])"
    " AS s (id, type, message_id, at, status, cause, actor, asker, channel_id, details)"
    " JOIN message m ON m.tenant_id = $1 AND m.id = s.message_id ORDER BY s.id"
};

enum err
message_tell(struct db_tx *tx, const struct clock *clock, const struct message_step *steps, size_t count,
             struct arena *arena)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    struct id *messages = arena_array(arena, count, sizeof(*messages));
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    struct wall_time *times = arena_array(arena, count, sizeof(*times));
    enum { TYPES, STATUSES, CAUSES, ACTORS, ASKERS, DETAILS, TEXTS };
    struct slice *texts[TEXTS];

    if (count == 0)
        return ERR_OK;
    if (ids == NULL || messages == NULL || channels == NULL || times == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < TEXTS; i++)
        if ((texts[i] = arena_array(arena, count, sizeof(struct slice))) == NULL)
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct message_step *step = &steps[i];
        enum event_type type = step->is_only_told ? EVENT_MESSAGE_REPORTED
                               : step->fell_back  ? EVENT_MESSAGE_FELL_BACK
                                                  : message_status_event(step->status);
        char asker[ID_TEXT_BYTES];
        ids[i] = id_new(clock);
        messages[i] = step->message;
        channels[i] = step->channel;
        times[i] = step->at;
        texts[TYPES][i] = slice_text(event_type_word(type));
        texts[STATUSES][i] = step->is_only_told ? SLICE_EMPTY : message_status_name(step->status);
        texts[CAUSES][i] = slice_text(step->cause);
        texts[ACTORS][i] = slice_text(actor_word(step));
        texts[DETAILS][i] = step->details;
        if (step->actor == MESSAGE_BY_ASKER && !id_is_zero(step->by.id)) {
            texts[ASKERS][i] =
                arena_copy(arena, id_print(step->by.is_person ? ID_PERSON : ID_KEY, step->by.id, asker));
            if (texts[ASKERS][i].ptr == NULL)
                return ERR_NO_MEMORY;
        }
    }
    return db_exec(tx, &message_tell_stmt,
                   DB_ARGS(DB_ID_ARRAY(ids, count), DB_TEXT_ARRAY(texts[TYPES], count),
                           DB_ID_ARRAY(messages, count), DB_TIME_ARRAY(times, count),
                           DB_TEXT_ARRAY(texts[STATUSES], count), DB_TEXT_ARRAY(texts[CAUSES], count),
                           DB_TEXT_ARRAY(texts[ACTORS], count), DB_TEXT_ARRAY(texts[ASKERS], count),
                           DB_ID_ARRAY(channels, count), DB_TEXT_ARRAY(texts[DETAILS], count)),
                   NULL);
}
