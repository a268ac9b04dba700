#include "domain/event/event.h"

static const struct {
    const char *word;
    bool is_public;
} event_rows[EVENT_TYPE_COUNT] = {
#define EVENT(name, word, is_public) [EVENT_##name] = { word, is_public },
#include "domain/event/event.def"
#undef EVENT
};

const char *
event_type_word(enum event_type type)
{
    if ((unsigned)type >= EVENT_TYPE_COUNT)
        bug("an event type outside event.def");
    return event_rows[type].word;
}

bool
event_type_is_public(enum event_type type)
{
    if ((unsigned)type >= EVENT_TYPE_COUNT)
        bug("an event type outside event.def");
    return event_rows[type].is_public;
}

enum err
event_type_parse(struct slice word, enum event_type *out)
{
    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++)
        if (slice_eq(word, slice_text(event_rows[i].word))) {
            *out = (enum event_type)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

struct vault_place
event_content_place(struct id tenant, struct id event)
{
    return (struct vault_place){ .tenant = tenant, .table = "event", .column = "content", .row = event };
}

static const struct db_stmt event_append_stmt = {
    "event_append", "INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data, "
                    "key_version, content_ct,"
                    " content_iv, content_tag) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
};

enum err
event_append(struct db_tx *tx, const struct event *event)
{
    const struct vault_sealed *content = event->content;
    struct slice none = SLICE_EMPTY;

    return db_exec_one(
        tx, &event_append_stmt,
        DB_ARGS(DB_ID(event->id), DB_TEXT_Z(event_type_word(event->type)), DB_ID(event->subject),
                id_is_zero(event->channel) ? DB_NULL : DB_ID(event->channel), DB_TIME(event->occurred_at),
                DB_JSON(event->data.len == 0 ? SLICE("{}") : event->data),
                content == NULL ? DB_NULL : DB_I64(content->key_version),
                DB_BYTES(content == NULL ? none : content->cipher),
                DB_BYTES(content == NULL ? none : slice_of(content->iv, VAULT_IV_BYTES)),
                DB_BYTES(content == NULL ? none : slice_of(content->tag, VAULT_TAG_BYTES))));
}

enum err
event_tell(struct db_tx *tx, const struct clock *clock, enum event_type type, struct id subject,
           struct id channel, struct buf *data)
{
    struct event event = { .id = id_new(clock),
                           .type = type,
                           .subject = subject,
                           .channel = channel,
                           .occurred_at = clock_wall(clock),
                           .data = buf_slice(data) };
    enum err err = buf_done(data);

    if (err == ERR_OK)
        err = event_append(tx, &event);
    buf_release(data);
    return err;
}

static const struct db_stmt event_timeline_stmt = {
    "event_timeline",
    "SELECT id, type, subject_id, channel_id, occurred_at, event_data(type, data)::text FROM event_log"
    " WHERE tenant_id = $1 AND subject_id = $2 AND xid IS NOT NULL ORDER BY id LIMIT 200" /* EVENT_TIMELINE_MAX
                                                                                           */
};

enum err
event_timeline(struct db_tx *tx, struct id subject, struct arena *arena, struct event **out,
               size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &event_timeline_stmt, DB_ARGS(DB_ID(subject)), &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows), kept = 0;
    struct event *events = arena_array(arena, count, sizeof(*events));
    err = events == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct event *event = &events[kept];
        if (event_type_parse(db_text(rows, i, 1), &event->type) != ERR_OK)
            continue; /* written by a newer build */
        event->id = db_id(rows, i, 0);
        event->subject = db_id(rows, i, 2);
        if (!db_is_null(rows, i, 3))
            event->channel = db_id(rows, i, 3);
        event->occurred_at = db_time(rows, i, 4);
        event->data = arena_copy(arena, db_text(rows, i, 5));
        if (event->data.ptr == NULL)
            err = ERR_NO_MEMORY;
        kept++;
    }
    if (err == ERR_OK) {
        *out = events;
        *count_out = kept;
    }
done:
    db_rows_free(rows);
    return err;
}
