/* What providers report of messages: applied forward only, one by one or many at once. */
#include "domain/message/message_events.h"
#include "domain/message/message_fallback.h"
#include "domain/message/message_queue.h"
#include "domain/message/message_report_internal.h"
#include "wire/json/json.h"
#include <stdlib.h>

static const struct db_stmt provider_refs_stmt = {
    "provider_refs_keep",
    "INSERT INTO provider_ref (tenant_id, channel_id, provider_id, message_id, sender)"
    " SELECT $1, r.channel_id, r.provider_id, r.message_id, r.sender"
    " FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::bigint[]) AS r (channel_id, provider_id, message_id, sender)"
    " ON CONFLICT DO NOTHING"
};

enum err
provider_refs_keep(struct db_tx *tx, const struct provider_refs *refs, size_t *kept_out)
{
    return db_exec(tx, &provider_refs_stmt,
                   DB_ARGS(DB_ID_ARRAY(refs->channels, refs->count), DB_TEXT_ARRAY(refs->ids, refs->count),
                           DB_ID_ARRAY(refs->messages, refs->count),
                           DB_I64_ARRAY(refs->senders, refs->count)),
                   kept_out);
}

/* The channel must be that of the sender which is reported on. What is known is known of that sender. */
static const struct db_stmt message_lock_stmt = {
    "message_lock",
    "SELECT m.status, m.updated_at, CASE WHEN m.sender = $4 THEN m.known ELSE coalesce(f.known, 0) END, m.sender = $4"
    " FROM message m LEFT JOIN message_fallback f ON f.tenant_id = $1 AND f.message_id = $2 AND f.position = $4"
    " WHERE m.tenant_id = $1 AND m.id = $2 AND coalesce(f.channel_id, m.channel_id) = $3 AND $4 <= m.sender"
    " AND m.direction = 'out' FOR UPDATE OF m"
};
/* A sender that was left has delivered it after all. */
static const struct db_stmt message_status_left_stmt = {
    "message_status_left",
    "UPDATE message SET status = $3, error_code = NULL, error_title = NULL, error_class = NULL,"
    " updated_at = now() WHERE tenant_id = $1 AND id = $2"
};
static const struct db_stmt message_known_left_stmt = {
    "message_known_left", "UPDATE message_fallback SET known = $4, provider_id = coalesce(provider_id, $5)"
                          " WHERE tenant_id = $1 AND message_id = $2 AND position = $3"
};
static const struct db_stmt message_status_stmt = {
    "message_status_set",
    "UPDATE message SET status = $3, provider_id = coalesce($4, provider_id), error_code = $5, error_title = $6,"
    " error_class = $7, known = $8, updated_at = now() WHERE tenant_id = $1 AND id = $2"
};
static const struct db_stmt message_known_stmt = {
    "message_known_set", "UPDATE message SET known = $3, provider_id = coalesce(provider_id, $4)"
                         " WHERE tenant_id = $1 AND id = $2"
};
static const struct db_stmt message_unqueue_stmt = {
    "message_unqueue", "DELETE FROM dispatch_queue WHERE tenant_id = $1 AND message_id = $2"
};
/* Providers tell whole seconds: within the second of the step before it, a report comes after that step. */
static struct wall_time
report_time(const struct message_report *report, struct wall_time step_before)
{
    bool is_same_second = report->at.us / 1000000 == step_before.us / 1000000;

    return is_same_second && report->at.us < step_before.us ? step_before : report->at;
}

/* How the message stood when the report came. */
struct report_before {
    enum message_status status;
    unsigned known;      /* of the sender that is reported on */
    bool is_in_use;      /* that sender is the message's; else it was left */
    struct wall_time at; /* when the report's steps are said to have happened */
};

/* {"report": {"status": "failed", "error": {...}}} */
static enum err
report_details(const struct message_report *report, enum message_status fact, struct arena *arena,
               struct slice *out)
{
    struct buf text;

    buf_init(&text, 8192);
    buf_add_format(&text, "{\"report\":{\"status\":\"%.*s\"", SLICE_FMT(message_status_name(fact)));
    if (fact == MESSAGE_FAILED && report->status == MESSAGE_FAILED) {
        buf_add_text(&text, ",\"error\":{\"code\":");
        json_add_string(&text, report->error_code);
        buf_add_text(&text, ",\"title\":");
        json_add_string(&text, report->error_title);
        buf_add_text(&text, ",\"class\":");
        json_add_string(&text, slice_text(report->error_class));
        buf_add_byte(&text, '}');
        if (report->errors.ptr != NULL)
            buf_add_format(&text, ",\"errors\":%.*s", SLICE_FMT(report->errors));
    }
    buf_add_text(&text, "}}");
    enum err err = buf_done(&text);
    *out = err == ERR_OK ? arena_copy(arena, buf_slice(&text)) : SLICE_EMPTY;
    buf_release(&text);
    return err == ERR_OK && out->ptr == NULL ? ERR_NO_MEMORY : err;
}

/* One step for each fact that is news: as a move of the status where it is one, else only told. Those of
 * `but` are left out: they are told in another way. Adds to *count_out. */
static enum err
report_steps(const struct message_report *report, const struct report_before *before, bool moves,
             unsigned but, struct arena *arena, struct message_step *steps, size_t *count_out)
{
    static const enum message_status facts[] = { MESSAGE_SENT, MESSAGE_DELIVERED, MESSAGE_READ,
                                                 MESSAGE_FAILED, MESSAGE_EXPIRED };
    enum message_status path[MESSAGE_STATUS_PATH_MAX];
    size_t path_count = moves ? message_status_path(before->status, report->status, path) : 0;
    unsigned news = message_facts_of(report->status) & ~before->known & ~but;
    enum err err = ERR_OK;

    for (size_t f = 0; err == ERR_OK && f < COUNT_OF(facts); f++) {
        unsigned bit = 1u << f;
        if ((news & bit) == 0)
            continue;
        struct message_step *step = &steps[(*count_out)++];
        *step = (struct message_step){ .message = report->message,
                                       .channel = report->channel,
                                       .status = facts[f],
                                       .at = before->at,
                                       .actor = MESSAGE_BY_PROVIDER,
                                       .is_only_told = true };
        for (size_t i = 0; i < path_count; i++)
            if (path[i] == facts[f])
                step->is_only_told = false;
        if (step->is_only_told)
            err = report_details(report, facts[f], arena, &step->details);
        else if (facts[f] == MESSAGE_FAILED && report->errors.ptr != NULL) {
            step->details = arena_format(arena, "{\"errors\":%.*s}", SLICE_FMT(report->errors));
            err = step->details.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
        }
    }
    return err;
}

/* The sender in use failed: is there another one? */
static enum err
report_fall_back(struct db_tx *tx, const struct clock *clock, const struct message_report *report,
                 struct arena *arena, bool *moved_out)
{
    return message_fall_back(tx, clock,
                             &(struct message_leave){ .messages = &report->message,
                                                      .count = 1,
                                                      .why = report->status == MESSAGE_FAILED
                                                                 ? MESSAGE_LEFT_FAILED
                                                                 : MESSAGE_LEFT_EXPIRED,
                                                      .actor = MESSAGE_BY_PROVIDER },
                             arena, moved_out);
}

static enum err
report_write_moved(struct db_tx *tx, const struct message_report *report, const struct report_before *before,
                   int64_t known)
{
    bool is_failure = report->status == MESSAGE_FAILED;
    enum err err =
        before->is_in_use
            ? db_exec_one(tx, &message_status_stmt,
                          DB_ARGS(DB_ID(report->message), DB_TEXT(message_status_name(report->status)),
                                  DB_TEXT(report->provider_id),
                                  is_failure ? DB_TEXT(report->error_code) : DB_NULL,
                                  is_failure ? DB_TEXT(report->error_title) : DB_NULL,
                                  is_failure ? DB_TEXT_Z(report->error_class) : DB_NULL, DB_I64(known)))
            : db_exec_one(tx, &message_status_left_stmt,
                          DB_ARGS(DB_ID(report->message), DB_TEXT(message_status_name(report->status))));

    return err == ERR_OK ? db_exec(tx, &message_unqueue_stmt, DB_ARGS(DB_ID(report->message)), NULL) : err;
}

static enum err
report_write(struct db_tx *tx, const struct clock *clock, const struct message_report *report,
             const struct report_before *before, bool moves, struct arena *arena)
{
    int64_t known = (int64_t)(before->known | message_facts_of(report->status));
    struct message_step steps[MESSAGE_STATUS_PATH_MAX];
    size_t count = 0;
    bool fell_back = false;
    enum err err = moves ? report_write_moved(tx, report, before, known) : ERR_OK;

    if (err == ERR_OK && !before->is_in_use)
        err = db_exec_one(tx, &message_known_left_stmt,
                          DB_ARGS(DB_ID(report->message), DB_I64(report->sender), DB_I64(known),
                                  DB_TEXT(report->provider_id)));
    else if (err == ERR_OK && !moves)
        err = db_exec_one(tx, &message_known_stmt,
                          DB_ARGS(DB_ID(report->message), DB_I64(known), DB_TEXT(report->provider_id)));
    if (err == ERR_OK && report->provider_id.ptr != NULL) {
        const int64_t sender = report->sender;
        err = provider_refs_keep(tx,
                                 &(struct provider_refs){ .channels = &report->channel,
                                                          .messages = &report->message,
                                                          .ids = &report->provider_id,
                                                          .senders = &sender,
                                                          .count = 1 },
                                 NULL);
    }
    if (err == ERR_OK && moves && (report->status == MESSAGE_FAILED || report->status == MESSAGE_EXPIRED))
        err = report_fall_back(tx, clock, report, arena, &fell_back);
    if (err == ERR_OK)
        err = report_steps(report, before, moves, fell_back ? message_facts_of(report->status) : 0, arena,
                           steps, &count);
    return err == ERR_OK ? message_tell(tx, clock, steps, count, arena) : err;
}

enum err
message_report_apply(struct db_tx *tx, const struct clock *clock, const struct message_report *report,
                     struct arena *arena, bool *moved_out)
{
    struct db_rows *rows = NULL;
    struct report_before before = { .status = MESSAGE_ACCEPTED };
    enum err err = message_queue_hold(tx, &report->message, 1);

    *moved_out = false;
    if (err == ERR_OK)
        err =
            db_query(tx, &message_lock_stmt,
                     DB_ARGS(DB_ID(report->message), DB_ID(report->channel), DB_I64(report->sender)), &rows);
    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = message_status_parse(db_text(rows, 0, 0), &before.status);
    if (err == ERR_OK) {
        before.at = report_time(report, db_time(rows, 0, 1));
        before.known = (unsigned)db_i64(rows, 0, 2);
        before.is_in_use = db_bool(rows, 0, 3);
    }
    db_rows_free(rows);
    if (err != ERR_OK || (message_facts_of(report->status) & ~before.known) == 0)
        return err; /* it was said before */
    bool moves = message_status_may_report(before.status, report->status) &&
                 (before.is_in_use || report->status == MESSAGE_DELIVERED || report->status == MESSAGE_READ);
    err = report_write(tx, clock, report, &before, moves, arena);
    *moved_out = err == ERR_OK && moves;
    return err;
}

/* Several reports at once: those that take the usual way. */

/*
 * The messages' ids are sorted, and what belongs to each is found by its place among them, by halves: joined
 * with the lists, all of them would be looked up for each.
 * Lock order: gateways alone run it, and they sort.
 */
static const struct db_stmt reports_lock_stmt = {
    "message_reports_lock",
    "SELECT m.n, m.status, m.updated_at, m.known, coalesce(m.provider_id = ($5::text[])[m.n], false),"
    " coalesce(($6::text[])[m.n] IS NOT NULL AND (m.pricing IS NULL OR (($7::bigint[])[m.n] = 1"
    " AND m.pricing <> (($6::text[])[m.n])::jsonb)), false)"
    " FROM (SELECT id, status, updated_at, known, provider_id, pricing, channel_id, sender,"
    " width_bucket(id, $2::uuid[]) AS n FROM message WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND direction = 'out'"
    " ORDER BY id FOR UPDATE) m WHERE m.channel_id = ($3::uuid[])[m.n] AND m.sender = ($4::bigint[])[m.n] LIMIT 10000"
};
#define PLACE "[width_bucket(m.id, $2::uuid[])]"
/*
 * A status NULL: it stays. The usual steps are told with it: moves to sent, delivered or read. What most of
 * them say the same is not stored with each (event_data); `sent` is mostly said by the dispatcher, so by the
 * provider it is said in full.
 */
static const struct db_stmt reports_write_stmt = {
    "message_reports_write",
    "WITH written AS (UPDATE message m SET status = coalesce(($3::text[])" PLACE ", m.status),"
    " provider_id = coalesce(($4::text[])" PLACE ", m.provider_id),"
    " error_code = CASE WHEN m.error_code IS NOT NULL AND ($3::text[])" PLACE
    " IS NULL THEN m.error_code END,"
    " error_title = CASE WHEN m.error_title IS NOT NULL AND ($3::text[])" PLACE
    " IS NULL THEN m.error_title END,"
    " error_class = CASE WHEN m.error_class IS NOT NULL AND ($3::text[])" PLACE
    " IS NULL THEN m.error_class END,"
    " known = ($5::bigint[])" PLACE ", pricing = coalesce((($6::text[])" PLACE ")::jsonb, m.pricing),"
    " updated_at = CASE WHEN ($3::text[])" PLACE " IS NULL THEN m.updated_at ELSE now() END"
    " WHERE m.tenant_id = $1 AND m.id = ANY ($2::uuid[])"
    " RETURNING m.id, width_bucket(m.id, $2::uuid[]) AS n, m.channel_id, m.category, m.reference, m.tags, m.provider_id,"
    " m.attempt_count, m.pricing)"
    " INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT $1, s.id, s.type, m.id, m.channel_id, s.at,"
    " CASE WHEN m.attempt_count = 1 AND m.reference IS NULL AND m.tags = '{}' AND s.type <> 'message.sent' THEN"
    " CASE WHEN m.pricing IS NULL THEN jsonb_build_object('category', m.category, 'provider_id', m.provider_id)"
    " ELSE jsonb_build_object('category', m.category, 'provider_id', m.provider_id, 'pricing',"
    " jsonb_strip_nulls(m.pricing)) END"
    " ELSE jsonb_build_object('actor', 'provider', 'direction', 'outbound', 'category', m.category, 'status',"
    " substr(s.type, 9), 'reference', m.reference, 'tags', m.tags, 'provider_id', m.provider_id, 'attempt',"
    " m.attempt_count, 'error', NULL)"
    " || CASE WHEN m.pricing IS NULL THEN '{}' ELSE jsonb_build_object('pricing', jsonb_strip_nulls(m.pricing)) END END"
    " FROM unnest($7::uuid[], $8::text[], $9::bigint[], $10::timestamptz[]) AS s (id, type, n, at)"
    " JOIN written m ON m.n = s.n ORDER BY s.id"
};
static const struct db_stmt reports_unqueue_stmt = {
    "message_reports_unqueue",
    "DELETE FROM dispatch_queue WHERE tenant_id = $1 AND message_id = ANY ($2::uuid[])"
};

/* One report of a round: no two of them are of the same message. */
struct reported {
    struct message_report_item *item;
    struct report_before before;
    struct slice pricing; /* NULL ptr: none, or none that is new */
    bool is_found, moves, has_news, has_ref;
    struct message_step steps[MESSAGE_STATUS_PATH_MAX];
    size_t step_count;
    bool is_plain; /* the steps are moves, and nothing more is said of them */
};

/* The round is sorted by message. */
static enum err
round_lock(struct db_tx *tx, struct reported *round, size_t count, struct arena *arena)
{
    int64_t *senders = arena_array(arena, count, sizeof(*senders)),
            *finals = arena_array(arena, count, sizeof(*finals));
    struct id *messages = arena_array(arena, count, sizeof(*messages)),
              *channels = arena_array(arena, count, sizeof(*channels));
    struct slice *ids = arena_array(arena, count, sizeof(*ids)),
                 *pricings = arena_array(arena, count, sizeof(*pricings));
    struct db_rows *rows = NULL;

    if (senders == NULL || finals == NULL || messages == NULL || channels == NULL || ids == NULL ||
        pricings == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct message_report *report = round[i].item->report;
        messages[i] = report->message;
        channels[i] = report->channel;
        senders[i] = report->sender;
        ids[i] = report->provider_id;
        pricings[i] = round[i].pricing;
        finals[i] = round[i].item->pricing != NULL && round[i].item->pricing->is_final;
    }
    enum err err = db_query(tx, &reports_lock_stmt,
                            DB_ARGS(DB_ID_ARRAY(messages, count), DB_ID_ARRAY(channels, count),
                                    DB_I64_ARRAY(senders, count), DB_TEXT_ARRAY(ids, count),
                                    DB_TEXT_ARRAY(pricings, count), DB_I64_ARRAY(finals, count)),
                            &rows);
    size_t found = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t r = 0; err == ERR_OK && r < found; r++) {
        struct reported *reported = &round[db_i64(rows, r, 0) - 1];
        const struct message_report *report = reported->item->report;
        err = message_status_parse(db_text(rows, r, 1), &reported->before.status);
        reported->before.at = report_time(report, db_time(rows, r, 2));
        reported->before.known = (unsigned)db_i64(rows, r, 3);
        reported->before.is_in_use = reported->is_found = true;
        reported->has_ref = report->provider_id.ptr == NULL || db_bool(rows, r, 4);
        if (!db_bool(rows, r, 5))
            reported->pricing = SLICE_EMPTY;
        if (err != ERR_OK)
            break;
        reported->has_news = (message_facts_of(report->status) & ~reported->before.known) != 0;
        reported->moves =
            reported->has_news && message_status_may_report(reported->before.status, report->status);
    }
    db_rows_free(rows);
    return err;
}

static enum err
round_steps(struct reported *round, size_t count, struct arena *arena)
{
    enum err err = ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct reported *reported = &round[i];
        if (!reported->has_news)
            continue;
        err = report_steps(reported->item->report, &reported->before, reported->moves, 0, arena,
                           reported->steps, &reported->step_count);
        reported->is_plain = true;
        for (size_t s = 0; s < reported->step_count; s++)
            reported->is_plain &= !reported->steps[s].is_only_told && reported->steps[s].details.ptr == NULL;
    }
    return err;
}

/* What was with the provider already is in no queue. */
static bool
may_be_queued(enum message_status status)
{
    return status != MESSAGE_SENT && status != MESSAGE_DELIVERED && status != MESSAGE_READ;
}

/* Events of what is written, beside each other. */
struct told {
    struct id *ids;
    struct slice *types;
    int64_t *places;
    struct wall_time *times;
    size_t count;
};

static void
told_add(struct told *told, const struct clock *clock, const struct reported *reported, size_t place)
{
    for (size_t s = 0; reported->is_plain && s < reported->step_count; s++) {
        told->ids[told->count] = id_new(clock);
        told->types[told->count] =
            slice_text(event_type_word(message_status_event(reported->steps[s].status)));
        told->places[told->count] = (int64_t)place;
        told->times[told->count++] = reported->steps[s].at;
    }
}

static enum err
round_write(struct db_tx *tx, const struct clock *clock, const struct reported *round, size_t count,
            struct arena *arena)
{
    struct id *messages = arena_array(arena, count, sizeof(*messages)),
              *queued = arena_array(arena, count, sizeof(*queued));
    struct slice *statuses = arena_array(arena, count, sizeof(*statuses)),
                 *ids = arena_array(arena, count, sizeof(*ids));
    struct slice *pricings = arena_array(arena, count, sizeof(*pricings));
    int64_t *known = arena_array(arena, count, sizeof(*known));
    size_t written = 0, queued_count = 0, steps_max = count * MESSAGE_STATUS_PATH_MAX;
    struct told told = { .ids = arena_array(arena, steps_max, sizeof(*told.ids)),
                         .types = arena_array(arena, steps_max, sizeof(*told.types)),
                         .places = arena_array(arena, steps_max, sizeof(*told.places)),
                         .times = arena_array(arena, steps_max, sizeof(*told.times)) };
    enum err err = ERR_OK;

    if (messages == NULL || queued == NULL || statuses == NULL || ids == NULL || pricings == NULL ||
        known == NULL || told.ids == NULL || told.types == NULL || told.places == NULL || told.times == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct reported *reported = &round[i];
        const struct message_report *report = reported->item->report;
        if (!reported->is_found || (!reported->has_news && reported->pricing.ptr == NULL))
            continue;
        messages[written] = report->message;
        if (reported->moves)
            statuses[written] = message_status_name(report->status);
        if (reported->has_news)
            ids[written] = report->provider_id;
        known[written] = reported->before.known | message_facts_of(report->status);
        pricings[written++] = reported->pricing;
        told_add(&told, clock, reported, written);
        if (reported->moves && may_be_queued(reported->before.status))
            queued[queued_count++] = report->message;
    }
    if (written > 0)
        err = db_later(tx, &reports_write_stmt,
                       DB_ARGS(DB_ID_ARRAY(messages, written), DB_TEXT_ARRAY(statuses, written),
                               DB_TEXT_ARRAY(ids, written), DB_I64_ARRAY(known, written),
                               DB_TEXT_ARRAY(pricings, written), DB_ID_ARRAY(told.ids, told.count),
                               DB_TEXT_ARRAY(told.types, told.count), DB_I64_ARRAY(told.places, told.count),
                               DB_TIME_ARRAY(told.times, told.count)),
                       NULL);
    return err == ERR_OK && queued_count > 0
               ? db_later(tx, &reports_unqueue_stmt, DB_ARGS(DB_ID_ARRAY(queued, queued_count)), NULL)
               : err;
}

static enum err
round_refs(struct db_tx *tx, const struct reported *round, size_t count, struct arena *arena)
{
    struct id *messages = arena_array(arena, count, sizeof(*messages));
    struct id *channels = arena_array(arena, count, sizeof(*channels));
    struct slice *ids = arena_array(arena, count, sizeof(*ids));
    int64_t *senders = arena_array(arena, count, sizeof(*senders));
    struct provider_refs refs = {
        .channels = channels, .messages = messages, .ids = ids, .senders = senders
    };

    if (messages == NULL || channels == NULL || ids == NULL || senders == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct message_report *report = round[i].item->report;
        if (!round[i].is_found || !round[i].has_news || round[i].has_ref)
            continue;
        messages[refs.count] = report->message;
        channels[refs.count] = report->channel;
        ids[refs.count] = report->provider_id;
        senders[refs.count++] = report->sender;
    }
    return refs.count > 0 ? provider_refs_keep(tx, &refs, NULL) : ERR_OK;
}

static enum err
round_apply(struct db_tx *tx, const struct clock *clock, struct reported *round, size_t count,
            struct arena *arena)
{
    struct message_step *steps = arena_array(arena, count * MESSAGE_STATUS_PATH_MAX, sizeof(*steps));
    size_t step_count = 0;
    enum err err = steps == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (round[i].item->pricing != NULL)
            err = message_pricing_print(round[i].item->pricing, arena, &round[i].pricing);
    if (err == ERR_OK)
        err = round_lock(tx, round, count, arena);
    if (err == ERR_OK)
        err = round_steps(round, count, arena);
    if (err == ERR_OK)
        err = round_write(tx, clock, round, count, arena);
    if (err == ERR_OK)
        err = round_refs(tx, round, count, arena);
    for (size_t i = 0; i < count; i++) {
        round[i].item->is_settled = round[i].is_found;
        for (size_t s = 0; !round[i].is_plain && s < round[i].step_count; s++)
            steps[step_count++] = round[i].steps[s];
    }
    return err == ERR_OK && step_count > 0 ? message_tell(tx, clock, steps, step_count, arena) : err;
}

/* By message, and for one in the order in which they came. */
static int
item_compare(const void *a, const void *b)
{
    const struct message_report_item *left = *(struct message_report_item *const *)a,
                                     *right = *(struct message_report_item *const *)b;
    int order = memcmp(left->report->message.bytes, right->report->message.bytes, ID_BYTES);

    return order != 0 ? order : left < right ? -1 : left > right;
}

static bool
is_usual(const struct message_report *report)
{
    return !id_is_zero(report->message) && (message_facts_of(report->status) & MESSAGE_FACT_SENT) != 0;
}

/* How many of the items from `at` on are of its message; *is_usual_out: none of them needs a look of its own.
 */
static size_t
group_of(struct message_report_item *const *sorted, size_t at, size_t count, bool *is_usual_out)
{
    size_t end = at;

    *is_usual_out = true;
    for (; end < count && id_eq(sorted[end]->report->message, sorted[at]->report->message); end++)
        *is_usual_out &= is_usual(sorted[end]->report);
    return end - at;
}

enum err
message_reports_apply(struct db_tx *tx, const struct clock *clock, struct message_report_item *items,
                      size_t count, struct arena *arena)
{
    struct message_report_item **sorted = arena_array(arena, count, sizeof(struct message_report_item *));
    struct reported *round = arena_array(arena, count, sizeof(*round));
    struct id *messages = arena_array(arena, count, sizeof(*messages));
    enum err err = sorted == NULL || round == NULL || messages == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        items[i].is_settled = false;
        sorted[i] = &items[i];
        messages[i] = items[i].report->message;
    }
    if (err == ERR_OK && count > 0) {
        qsort(sorted, count, sizeof(struct message_report_item *), item_compare);
        err = message_queue_hold(tx, messages, count); /* also those that are left to be applied one by one */
    }
    for (size_t turn = 0, taken = 1; err == ERR_OK && taken > 0; turn++) {
        taken = 0;
        for (size_t at = 0, of; at < count; at += of) {
            bool is_usual = false;
            of = group_of(sorted, at, count, &is_usual);
            if (is_usual && turn < of && (turn == 0 || sorted[at + turn - 1]->is_settled))
                round[taken++] = (struct reported){ .item = sorted[at + turn] };
        }
        if (taken > 0)
            err = round_apply(tx, clock, round, taken, arena);
    }
    return err;
}
