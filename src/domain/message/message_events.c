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
    case MESSAGE_BLOCKED:
    case MESSAGE_CANCELED:
        break;
    }
    bug("nothing leads to this status yet");
}

static const struct db_stmt message_tell_stmt = {
    "message_tell",
    "INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT $1, s.id, s.type, m.id, m.channel_id, s.at, jsonb_strip_nulls(jsonb_build_object('cause', s.cause))"
    " || jsonb_strip_nulls(jsonb_build_object('pricing', m.pricing)) || jsonb_build_object('direction', 'outbound', 'category', m.category, 'status', s.status,"
    " 'reference', m.reference, 'provider_id', m.provider_id, 'attempt', m.attempt_count, 'error',"
    " CASE WHEN m.error_code IS NOT NULL THEN"
    " jsonb_build_object('code', m.error_code, 'title', m.error_title, 'class', m.error_class) END)"
    " FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::text[], $7::text[])"
    " AS s (id, type, message_id, at, status, cause) JOIN message m ON m.tenant_id = $1 AND m.id = s.message_id"
    " ORDER BY s.id"
};

enum err
message_tell(struct db_tx *tx, const struct clock *clock, const struct message_step *steps, size_t count,
             struct arena *arena)
{
    if (count == 0)
        return ERR_OK;
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    struct id *messages = arena_array(arena, count, sizeof(*messages));
    struct slice *types = arena_array(arena, count, sizeof(*types));
    struct slice *statuses = arena_array(arena, count, sizeof(*statuses));
    struct slice *causes = arena_array(arena, count, sizeof(*causes));
    struct wall_time *times = arena_array(arena, count, sizeof(*times));
    if (ids == NULL || messages == NULL || types == NULL || statuses == NULL || causes == NULL ||
        times == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        ids[i] = id_new(clock);
        messages[i] = steps[i].message;
        types[i] = slice_text(event_type_word(message_status_event(steps[i].status)));
        statuses[i] = message_status_name(steps[i].status);
        causes[i] = slice_text(steps[i].cause);
        times[i] = steps[i].at;
    }
    return db_exec(tx, &message_tell_stmt,
                   DB_ARGS(DB_ID_ARRAY(ids, count), DB_TEXT_ARRAY(types, count), DB_ID_ARRAY(messages, count),
                           DB_TIME_ARRAY(times, count), DB_TEXT_ARRAY(statuses, count),
                           DB_TEXT_ARRAY(causes, count)),
                   NULL);
}
