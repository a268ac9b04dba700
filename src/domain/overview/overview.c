#include "domain/overview/overview.h"
#include <stdlib.h>

static const struct {
    const char *word, *severity;
} kinds[OVERVIEW_ATTENTION_COUNT] = {
#define ATTENTION(name, word, severity) [OVERVIEW_##name] = { word, severity },
#include "domain/overview/overview_attention.def"
#undef ATTENTION
};

const char *
overview_attention_word(enum overview_attention_kind kind)
{
    if ((unsigned)kind >= OVERVIEW_ATTENTION_COUNT)
        bug("no such kind of attention");
    return kinds[kind].word;
}

const char *
overview_attention_severity(enum overview_attention_kind kind)
{
    if ((unsigned)kind >= OVERVIEW_ATTENTION_COUNT)
        bug("no such kind of attention");
    return kinds[kind].severity;
}

static enum err
attention_parse(struct slice word, enum overview_attention_kind *out)
{
    for (unsigned i = 0; i < OVERVIEW_ATTENTION_COUNT; i++)
        if (slice_eq(word, slice_text(kinds[i].word))) {
            *out = (enum overview_attention_kind)i;
            return ERR_OK;
        }
    return ERR_DB_STATEMENT;
}

/* Days begin and end where people say so; one may have 23 or 25 hours. */
static const struct db_stmt days_stmt = {
    "overview_days",
    "SELECT z.name, (d.day - interval '1 day') AT TIME ZONE z.name, d.day AT TIME ZONE z.name,"
    " (d.day + interval '1 day') AT TIME ZONE z.name FROM (SELECT coalesce((SELECT s.time_zone FROM message_settings s"
    " WHERE s.tenant_id = $1), 'UTC') AS name) z CROSS JOIN LATERAL"
    " (SELECT date_trunc('day', $2::timestamptz AT TIME ZONE z.name) AS day) d"
};

static enum err
days_read(struct db_tx *tx, struct wall_time now, struct arena *arena, struct overview *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &days_stmt, DB_ARGS(DB_TIME(now)), &rows);

    if (err == ERR_OK && db_rows_count(rows) != 1)
        err = ERR_DB_STATEMENT;
    if (err == ERR_OK) {
        out->time_zone = arena_copy(arena, db_text(rows, 0, 0));
        out->yesterday_at = db_time(rows, 0, 1);
        out->today_at = db_time(rows, 0, 2);
        out->tomorrow_at = db_time(rows, 0, 3);
        if (out->time_zone.ptr == NULL)
            err = ERR_NO_MEMORY;
    }
    db_rows_free(rows);
    return err;
}

/* By hours of the zone. The last five are what had been counted a day ago by this time of the day. */
static const struct db_stmt hours_stmt = {
    "overview_hours",
    "SELECT date_trunc('hour', f.at, $4), sum(f.sent)::bigint, sum(f.delivered)::bigint, sum(f.failed)::bigint,"
    " sum(f.blocked)::bigint, sum(f.received)::bigint, coalesce(sum(f.sent) FILTER (WHERE f.at < $5), 0)::bigint,"
    " coalesce(sum(f.delivered) FILTER (WHERE f.at < $5), 0)::bigint,"
    " coalesce(sum(f.failed) FILTER (WHERE f.at < $5), 0)::bigint,"
    " coalesce(sum(f.blocked) FILTER (WHERE f.at < $5), 0)::bigint,"
    " coalesce(sum(f.received) FILTER (WHERE f.at < $5), 0)::bigint FROM message_figure f"
    " WHERE f.tenant_id = $1 AND f.at >= $2 AND f.at < $3 AND ($6::uuid[] IS NULL OR f.channel_id = ANY ($6::uuid[]))"
    " GROUP BY 1 ORDER BY 1 LIMIT 50" /* OVERVIEW_HOURS_MAX */
};

static struct overview_figures
figures_from(const struct db_rows *rows, size_t row, int column)
{
    return (struct overview_figures){ .sent = db_i64(rows, row, column),
                                      .delivered = db_i64(rows, row, column + 1),
                                      .failed = db_i64(rows, row, column + 2),
                                      .blocked = db_i64(rows, row, column + 3),
                                      .received = db_i64(rows, row, column + 4) };
}

static void
figures_add(struct overview_figures *sum, struct overview_figures part)
{
    sum->sent += part.sent;
    sum->delivered += part.delivered;
    sum->failed += part.failed;
    sum->blocked += part.blocked;
    sum->received += part.received;
}

static struct db_arg
channels_arg(const struct overview_sight *sight)
{
    return sight->channels_of == NULL ? DB_NULL : DB_ID_ARRAY(sight->channels_of, sight->channel_count);
}

static enum err
hours_read(struct db_tx *tx, struct wall_time now, const struct overview_sight *sight, struct arena *arena,
           struct overview *out)
{
    struct wall_time then = { now.us - (out->today_at.us - out->yesterday_at.us) };
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &hours_stmt,
                            DB_ARGS(DB_TIME(out->yesterday_at), DB_TIME(out->tomorrow_at),
                                    DB_TEXT(out->time_zone), DB_TIME(then), channels_arg(sight)),
                            &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    out->hours = arena_array(arena, count, sizeof(*out->hours));
    if (err == ERR_OK && out->hours == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct overview_hour *hour = &out->hours[out->hour_count++];
        *hour = (struct overview_hour){ db_time(rows, i, 0), figures_from(rows, i, 1) };
        bool is_today = hour->at.us >= out->today_at.us;
        figures_add(is_today ? &out->today : &out->yesterday, hour->figures);
        figures_add(&out->yesterday_by_now, figures_from(rows, i, 6));
    }
    db_rows_free(rows);
    return err;
}

/* Those in trouble first, then those that did most today. */
static const struct db_stmt channels_stmt = {
    "overview_channels",
    "SELECT c.id, c.kind, c.name, c.state, c.state_reason, w.display_phone_number, n.quality_rating, n.messaging_limit,"
    " coalesce(f.sent, 0), coalesce(f.delivered, 0), coalesce(f.failed, 0), coalesce(f.blocked, 0),"
    " coalesce(f.received, 0) FROM channel c"
    " LEFT JOIN whatsapp_channel w ON w.tenant_id = c.tenant_id AND w.channel_id = c.id"
    " LEFT JOIN whatsapp_number n ON n.tenant_id = c.tenant_id AND n.channel_id = c.id"
    " LEFT JOIN (SELECT channel_id, sum(sent)::bigint AS sent, sum(delivered)::bigint AS delivered,"
    " sum(failed)::bigint AS failed, sum(blocked)::bigint AS blocked, sum(received)::bigint AS received FROM message_figure"
    " WHERE tenant_id = $1 AND at >= $2 AND at < $3 AND $4 GROUP BY channel_id) f ON f.channel_id = c.id"
    " WHERE c.tenant_id = $1 AND c.state <> 'deleted' AND ($5::uuid[] IS NULL OR c.id = ANY ($5::uuid[]))"
    " ORDER BY array_position('{broken,connecting,paused}', c.state) NULLS LAST, coalesce(f.sent, 0) DESC, c.id DESC"
    " LIMIT 100" /* OVERVIEW_CHANNELS_MAX */
};

static enum err
channels_read(struct db_tx *tx, const struct overview_sight *sight, struct arena *arena, struct overview *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &channels_stmt,
                            DB_ARGS(DB_TIME(out->today_at), DB_TIME(out->tomorrow_at),
                                    DB_BOOL(sight->figures), channels_arg(sight)),
                            &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    out->channels = arena_array(arena, count, sizeof(*out->channels));
    if (err == ERR_OK && out->channels == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        out->channels[out->channel_count++] =
            (struct overview_channel){ .id = db_id(rows, i, 0),
                                       .kind = arena_copy(arena, db_text(rows, i, 1)),
                                       .name = arena_copy(arena, db_text(rows, i, 2)),
                                       .state = arena_copy(arena, db_text(rows, i, 3)),
                                       .state_reason = arena_copy(arena, db_text(rows, i, 4)),
                                       .display_phone_number = arena_copy(arena, db_text(rows, i, 5)),
                                       .quality = arena_copy(arena, db_text(rows, i, 6)),
                                       .messaging_limit = arena_copy(arena, db_text(rows, i, 7)),
                                       .today = figures_from(rows, i, 8) };
    db_rows_free(rows);
    return err;
}

/*
 * One branch a kind, each within its index, and not run at all for who may not see it. Templates belong to an
 * account, so to all channels of it.
 */
static const struct db_stmt attention_stmt = {
    "overview_attention",
    "SELECT * FROM (SELECT CASE WHEN c.state = 'active' THEN 'channel-quality' ELSE 'channel-' || c.state END AS kind, c.id,"
    " c.name, CASE WHEN c.state = 'active' THEN lower(n.quality_rating) ELSE c.state_reason END, c.updated_at AS at, 1::bigint"
    " FROM channel c LEFT JOIN whatsapp_number n ON n.tenant_id = c.tenant_id AND n.channel_id = c.id"
    " WHERE $3 AND c.tenant_id = $1 AND c.state <> 'deleted' AND ($9::uuid[] IS NULL OR c.id = ANY ($9::uuid[]))"
    " AND (c.state <> 'active' OR lower(n.quality_rating) IN ('red', 'yellow')) ORDER BY c.updated_at DESC LIMIT 20) channel"
    " UNION ALL SELECT * FROM (SELECT CASE c.state WHEN 'broken' THEN 'connector-broken' ELSE 'connector-unbound' END, c.id,"
    " c.name, CASE c.state WHEN 'broken' THEN c.state_reason ELSE (SELECT l.detail FROM sms_link l WHERE l.tenant_id = $1"
    " AND l.connector_id = c.id AND l.detail IS NOT NULL ORDER BY l.number LIMIT 1) END, c.updated_at, 1 FROM sms_connector c"
    " WHERE $3 AND $9::uuid[] IS NULL AND c.tenant_id = $1 AND (c.state = 'broken' OR (c.state = 'active'"
    " AND c.updated_at < $10::timestamptz - interval '1 minute' AND NOT EXISTS (SELECT FROM sms_link l WHERE l.tenant_id = $1"
    " AND l.connector_id = c.id AND l.state = 'bound' AND l.told_at > $10::timestamptz - interval '30 seconds')))"
    " ORDER BY c.updated_at DESC LIMIT 20) connector"
    " UNION ALL SELECT * FROM (SELECT CASE state WHEN 'disabled' THEN 'endpoint-disabled' ELSE 'endpoint-failing' END, id, url,"
    " disabled_reason, coalesce(failing_since, updated_at), 1 FROM webhook_endpoint WHERE $5 AND tenant_id = $1"
    " AND ((state = 'disabled' AND disabled_reason <> 'by-request') OR (state = 'enabled' AND failing_since IS NOT NULL))"
    " ORDER BY updated_at DESC LIMIT 20) endpoint"
    " UNION ALL SELECT * FROM (SELECT CASE max(q.percent) WHEN 100 THEN 'quota-used' ELSE 'quota-short' END,"
    " nullif(q.subject_id, $1), max(c.name), q.quota, q.begins_on::timestamptz, 1 FROM quota_told q"
    " LEFT JOIN channel c ON c.tenant_id = q.tenant_id AND c.id = q.subject_id WHERE $8 AND q.tenant_id = $1"
    " AND q.begins_on = CASE WHEN q.quota LIKE '%-day' THEN ($10::timestamptz AT TIME ZONE 'UTC')::date"
    " ELSE date_trunc('month', $10::timestamptz AT TIME ZONE 'UTC')::date END"
    " AND ($9::uuid[] IS NULL OR q.subject_id = ANY ($9::uuid[])) GROUP BY q.subject_id, q.quota, q.begins_on"
    " ORDER BY q.begins_on DESC LIMIT 20) quota"
    " UNION ALL SELECT 'messages-uncertain', NULL, NULL, NULL, id_time(min(id::text)::uuid), count(*) FROM (SELECT id FROM message"
    " WHERE $2 AND tenant_id = $1 AND rare_status = 'uncertain' AND ($9::uuid[] IS NULL OR channel_id = ANY ($9::uuid[]))"
    " ORDER BY id DESC LIMIT 1000) uncertain HAVING count(*) > 0" /* OVERVIEW_COUNT_MAX */
    " UNION ALL SELECT * FROM (SELECT 'template-turned-down', t.id, t.name || ' (' || t.language || ')',"
    " coalesce(t.state_reason, t.state), t.updated_at, 1 FROM template t WHERE $4 AND t.tenant_id = $1"
    " AND t.state IN ('rejected', 'refused', 'paused', 'disabled') AND t.updated_at > $10::timestamptz - interval '30 days'"
    " AND ($9::uuid[] IS NULL OR t.waba_id IN (SELECT w.waba_id FROM whatsapp_channel w WHERE w.tenant_id = $1"
    " AND w.channel_id = ANY ($9::uuid[]))) ORDER BY t.updated_at DESC LIMIT 20) template"
    " UNION ALL SELECT * FROM (SELECT 'key-expires', id, name, last_four, expires_at, 1 FROM api_key WHERE $6 AND tenant_id = $1"
    " AND revoked_at IS NULL AND expires_at > $10 AND expires_at < $10::timestamptz + interval '14 days'"
    " ORDER BY expires_at LIMIT 20) key"
    " UNION ALL SELECT 'review-overdue', id, NULL, NULL, due_at, 1 FROM access_review WHERE $7 AND tenant_id = $1"
    " AND state = 'open' AND due_at < $10"
    /* An old registry is one that is asked; a missing one only matters where nothing leaves without
     * (policy_settings.dnd: 0, as it comes, when there is one; 1 always; 2 never). */
    " UNION ALL SELECT $11, NULL, NULL, NULL, coalesce($12::timestamptz, p.updated_at), 1 FROM (SELECT 1) one"
    " LEFT JOIN policy_settings p ON p.tenant_id = $1 WHERE CASE $11 WHEN 'dnd-missing' THEN p.dnd = 1"
    " WHEN 'dnd-old' THEN coalesce(p.dnd, 0) <> 2 END AND EXISTS (SELECT FROM channel c WHERE c.tenant_id = $1"
    " AND c.kind = 'sms' AND c.state <> 'deleted' AND ($9::uuid[] IS NULL OR c.id = ANY ($9::uuid[]))) LIMIT 200"
};

static int
attention_order(const void *a, const void *b)
{
    const struct overview_attention *left = a, *right = b;

    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    /* A key that expires sooner is more urgent; else what is newer goes before. */
    int order = left->at.us < right->at.us ? -1 : left->at.us > right->at.us;
    return left->kind == OVERVIEW_KEY_EXPIRES ? order : -order;
}

static enum err
attention_from_row(const struct db_rows *rows, size_t row, struct arena *arena,
                   struct overview_attention *out)
{
    *out = (struct overview_attention){ .has_object = !db_is_null(rows, row, 1),
                                        .name = arena_copy(arena, db_text(rows, row, 2)),
                                        .detail = arena_copy(arena, db_text(rows, row, 3)),
                                        .at = db_time(rows, row, 4),
                                        .count = db_i64(rows, row, 5) };
    if (out->has_object)
        out->object = db_id(rows, row, 1);
    return attention_parse(db_text(rows, row, 0), &out->kind);
}

static struct db_arg
dnd_arg(enum overview_dnd dnd)
{
    switch (dnd) {
    case OVERVIEW_DND_NONE:
        return DB_TEXT(slice_text(overview_attention_word(OVERVIEW_DND_MISSING)));
    case OVERVIEW_DND_AGED:
        return DB_TEXT(slice_text(overview_attention_word(OVERVIEW_DND_OLD)));
    case OVERVIEW_DND_FRESH:
        break;
    }
    return DB_NULL;
}

static enum err
attention_read(struct db_tx *tx, struct wall_time now, const struct overview_sight *sight,
               struct arena *arena, struct overview *out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &attention_stmt,
                 DB_ARGS(DB_BOOL(sight->messages), DB_BOOL(sight->channels), DB_BOOL(sight->templates),
                         DB_BOOL(sight->webhooks), DB_BOOL(sight->keys), DB_BOOL(sight->people),
                         DB_BOOL(sight->usage), channels_arg(sight), DB_TIME(now), dnd_arg(sight->dnd),
                         sight->dnd == OVERVIEW_DND_AGED ? DB_TIME(sight->dnd_imported_at) : DB_NULL),
                 &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    out->attention = arena_array(arena, count, sizeof(*out->attention));
    if (err == ERR_OK && out->attention == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = attention_from_row(rows, i, arena, &out->attention[out->attention_count++]);
    if (err == ERR_OK && count > 1)
        qsort(out->attention, count, sizeof(*out->attention), attention_order);
    db_rows_free(rows);
    return err;
}

enum err
overview_read(struct db_tx *tx, const struct clock *clock, const struct overview_sight *sight,
              struct arena *arena, struct overview *out)
{
    struct wall_time now = clock_wall(clock);

    *out = (struct overview){ .hour_count = 0 };
    enum err err = days_read(tx, now, arena, out);
    if (err == ERR_OK && sight->figures)
        err = hours_read(tx, now, sight, arena, out);
    if (err == ERR_OK && sight->channels)
        err = channels_read(tx, sight, arena, out);
    return err == ERR_OK ? attention_read(tx, now, sight, arena, out) : err;
}
