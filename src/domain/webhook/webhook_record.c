/* What became of deliveries: the attempts, the rows, and what it means for the endpoints. */
#include "domain/webhook/webhook_delivery.h"

/*
 * Attempts are numbered through, also those of a delivery that is made again. One whose delivery was removed
 * meanwhile has nothing to belong to.
 */
static const struct db_stmt attempts_insert_stmt = {
    "webhook_attempts_insert",
    "INSERT INTO webhook_attempt (tenant_id, id, delivery_id, number, at, outcome, status_code, latency_ms, address,"
    " answer_key_version, answer_ct, answer_iv, answer_tag) SELECT $1, o.id, d.id, coalesce((SELECT a.number"
    " FROM webhook_attempt a WHERE a.tenant_id = $1 AND a.delivery_id = d.id ORDER BY a.number DESC LIMIT 1), 0) + 1,"
    " o.at, o.outcome, nullif(o.status, 0), o.latency_ms, o.address, nullif(o.key_version, 0), o.ct, o.iv, o.tag"
    " FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::bigint[], $7::bigint[], $8::text[],"
    " $9::bigint[], $10::bytea[], $11::bytea[], $12::bytea[]) AS o (id, delivery_id, at, outcome, status, latency_ms,"
    " address, key_version, ct, iv, tag) CROSS JOIN LATERAL (SELECT d.id FROM webhook_delivery d WHERE d.tenant_id = $1"
    " AND d.id = o.delivery_id OFFSET 0) d"
};
/*
 * A delivery's place in the lists. Of two outcomes of one delivery, which only a lease that ran out can bring
 * into one list, the second is passed over: at the worst the delivery is made again.
 */
#define PLACE "[array_position($2::uuid[], d.id)]"
/*
 * Pending is what has not finished: by that word, the planner of a young table would look at all that waits.
 * And it looks up these rows once: joined with the lists, it would do so for each of their rows.
 */
static const struct db_stmt deliveries_settle_stmt = {
    "webhook_deliveries_settle",
    "UPDATE webhook_delivery d SET state = ($4::text[])" PLACE ","
    " due_at = now() + make_interval(secs => ($5::bigint[])" PLACE " / 1000.0), lease_until = NULL,"
    " finished_at = CASE WHEN ($4::text[])" PLACE " = 'pending' THEN NULL ELSE now() END"
    " WHERE d.tenant_id = $1 AND d.id = ANY ($2::uuid[]) AND d.fence = ($3::bigint[])" PLACE
    " AND d.finished_at IS NULL RETURNING d.id"
};
/* What a success changes at an endpoint that had failed; of the others no row is touched. */
static const struct db_stmt endpoints_well_stmt = {
    "webhook_endpoints_well",
    "UPDATE webhook_endpoint SET failures = 0, failing_since = NULL, notices = 0,"
    " not_before = CASE WHEN failures >= $3 THEN '-infinity' ELSE not_before END"
    " WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND state = 'enabled' AND (failures > 0 OR failing_since IS NOT NULL)"
};
/*
 * Failing since the first failure after the last success; five days of nothing else, and it is left alone. A
 * success that changes nothing finds no row.
 */
static const struct db_stmt endpoint_note_stmt = {
    "webhook_endpoint_note",
    "UPDATE webhook_endpoint e SET failures = CASE WHEN $3 THEN 0 ELSE o.failures + 1 END,"
    " failing_since = CASE WHEN $3 THEN NULL ELSE coalesce(o.failing_since, now()) END,"
    " notices = CASE WHEN $3 THEN 0 ELSE greatest(o.notices, o.notices_due) END,"
    " not_before = CASE WHEN $3 AND o.failures >= $8 THEN '-infinity' WHEN $3 THEN e.not_before"
    " ELSE greatest(e.not_before, now() + make_interval(secs => greatest($4, CASE WHEN o.failures + 1 >= $8"
    " THEN $7 * (1 << least(o.failures + 1 - $8, $9)::integer) ELSE 0 END) / 1000.0)) END,"
    " state = CASE WHEN o.ends THEN 'disabled' ELSE e.state END,"
    " disabled_reason = CASE WHEN o.ends THEN coalesce($5, 'failing') ELSE e.disabled_reason END,"
    " updated_at = CASE WHEN o.ends THEN now() ELSE e.updated_at END,"
    " revision = e.revision + CASE WHEN o.ends THEN 1 ELSE 0 END"
    " FROM (SELECT w.tenant_id, w.id, w.failures, w.failing_since, w.notices,"
    " $5::text IS NOT NULL OR (NOT $3 AND coalesce(w.failing_since < now() - make_interval(secs => $6), false)) AS ends,"
    " CASE WHEN $3 THEN 0 WHEN w.failing_since < now() - interval '72 hours' THEN 2"
    " WHEN w.failing_since < now() - interval '24 hours' THEN 1 ELSE 0 END AS notices_due"
    " FROM webhook_endpoint w WHERE w.tenant_id = $1 AND w.id = $2 AND w.state = 'enabled'"
    " AND NOT ($3 AND w.failures = 0 AND w.failing_since IS NULL) FOR UPDATE) o"
    " WHERE e.tenant_id = $1 AND e.id = o.id"
    " RETURNING e.state, e.notices > o.notices, e.notices, e.failures, e.failing_since, e.disabled_reason"
};
static const struct db_stmt endpoint_cancel_stmt = {
    "webhook_endpoint_cancel",
    "UPDATE webhook_delivery SET state = 'canceled', finished_at = now(), lease_until = NULL"
    " WHERE tenant_id = $1 AND endpoint_id = $2 AND state = 'pending'"
};

/* To the tenant's other endpoints; the fan-out passes by the one it is about. */
static enum err
endpoint_tell(struct db_tx *tx, const struct clock *clock, struct id endpoint, enum event_type type,
              const struct db_rows *row)
{
    char since[WALL_TEXT_BYTES];
    struct slice reason = db_text(row, 0, 5);
    struct buf data;

    buf_init(&data, 512);
    if (db_is_null(row, 0, 4))
        buf_add_text(&data, "{\"failing_since\":null");
    else
        buf_add_format(&data, "{\"failing_since\":\"%.*s\"",
                       SLICE_FMT(wall_print(db_time(row, 0, 4), since)));
    buf_add_format(&data, ",\"failures\":%lld", (long long)db_i64(row, 0, 3));
    if (type == EVENT_WEBHOOK_ENDPOINT_DISABLED)
        buf_add_format(&data, ",\"reason\":\"%.*s\"", SLICE_FMT(reason)); /* a word of ours */
    buf_add_byte(&data, '}');
    enum err err = buf_done(&data);
    if (err == ERR_OK)
        err = event_append(tx, &(struct event){ .id = id_new(clock),
                                                .type = type,
                                                .subject = endpoint,
                                                .occurred_at = clock_wall(clock),
                                                .data = buf_slice(&data) });
    buf_release(&data);
    return err;
}

static enum err
endpoint_note(struct db_tx *tx, const struct clock *clock, const struct webhook_outcome *outcome)
{
    const struct webhook_plan *plan = &outcome->plan;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &endpoint_note_stmt,
                            DB_ARGS(DB_ID(outcome->endpoint), DB_BOOL(plan->verdict == WEBHOOK_DELIVERED),
                                    DB_I64(plan->endpoint_hold_ms), DB_TEXT_Z(plan->disables),
                                    DB_I64(WEBHOOK_DISABLE_AFTER_S), DB_I64(plan->probe_ms),
                                    DB_I64(WEBHOOK_BREAKER_FAILURES), DB_I64(WEBHOOK_PROBE_DOUBLINGS)),
                            &rows);

    if (err != ERR_OK || db_rows_count(rows) == 0)
        goto done;
    if (slice_eq(db_text(rows, 0, 0), SLICE("disabled"))) {
        err = db_exec(tx, &endpoint_cancel_stmt, DB_ARGS(DB_ID(outcome->endpoint)), NULL);
        if (err == ERR_OK)
            err = endpoint_tell(tx, clock, outcome->endpoint, EVENT_WEBHOOK_ENDPOINT_DISABLED, rows);
    } else if (db_bool(rows, 0, 1)) {
        err = endpoint_tell(tx, clock, outcome->endpoint, EVENT_WEBHOOK_ENDPOINT_FAILING, rows);
    }
done:
    db_rows_free(rows);
    return err;
}

static const char *const states[] = {
    [WEBHOOK_DELIVERED] = "delivered", [WEBHOOK_RETRY] = "pending", [WEBHOOK_GIVEN_UP] = "failed"
};

static enum err
attempts_insert(struct db_tx *tx, const struct webhook_outcome *const *outcomes, size_t count,
                struct arena *arena)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    struct id *deliveries = arena_array(arena, count, sizeof(*deliveries));
    struct wall_time *times = arena_array(arena, count, sizeof(*times));
    enum { OUTCOME, ADDRESS, CIPHER, IV, TAG, SLICES };
    enum { STATUS, LATENCY, KEY_VERSION, NUMBERS };
    struct slice *slices[SLICES];
    int64_t *numbers[NUMBERS];

    if (ids == NULL || deliveries == NULL || times == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < SLICES; i++)
        if ((slices[i] = arena_array(arena, count, sizeof(struct slice))) == NULL)
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < NUMBERS; i++)
        if ((numbers[i] = arena_array(arena, count, sizeof(int64_t))) == NULL)
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct webhook_outcome *outcome = outcomes[i];
        ids[i] = outcome->attempt_row;
        deliveries[i] = outcome->delivery;
        times[i] = outcome->began_at;
        slices[OUTCOME][i] = slice_text(webhook_result_word(outcome->result.result));
        numbers[STATUS][i] = outcome->result.status;
        numbers[LATENCY][i] = outcome->latency_ms;
        if (outcome->address.len > 0)
            slices[ADDRESS][i] = outcome->address;
        if (!outcome->has_answer)
            continue;
        numbers[KEY_VERSION][i] = outcome->answer.key_version;
        slices[CIPHER][i] = outcome->answer.cipher;
        slices[IV][i] = slice_of(outcome->answer.iv, VAULT_IV_BYTES);
        slices[TAG][i] = slice_of(outcome->answer.tag, VAULT_TAG_BYTES);
    }
    return db_exec(tx, &attempts_insert_stmt,
                   DB_ARGS(DB_ID_ARRAY(ids, count), DB_ID_ARRAY(deliveries, count),
                           DB_TIME_ARRAY(times, count), DB_TEXT_ARRAY(slices[OUTCOME], count),
                           DB_I64_ARRAY(numbers[STATUS], count), DB_I64_ARRAY(numbers[LATENCY], count),
                           DB_TEXT_ARRAY(slices[ADDRESS], count), DB_I64_ARRAY(numbers[KEY_VERSION], count),
                           DB_BYTES_ARRAY(slices[CIPHER], count), DB_BYTES_ARRAY(slices[IV], count),
                           DB_BYTES_ARRAY(slices[TAG], count)),
                   NULL);
}

/* Those whose claim still held get their state, and true in settled_out. */
static enum err
deliveries_settle(struct db_tx *tx, const struct webhook_outcome *const *outcomes, size_t count,
                  struct arena *arena, bool *settled_out)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    int64_t *fences = arena_array(arena, count, sizeof(*fences));
    int64_t *delays = arena_array(arena, count, sizeof(*delays));
    struct slice *words = arena_array(arena, count, sizeof(*words));
    struct db_rows *rows = NULL;

    if (ids == NULL || fences == NULL || delays == NULL || words == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        ids[i] = outcomes[i]->delivery;
        fences[i] = outcomes[i]->fence;
        words[i] = slice_text(states[outcomes[i]->plan.verdict]);
        delays[i] = outcomes[i]->plan.delay_ms;
    }
    enum err err = db_query(tx, &deliveries_settle_stmt,
                            DB_ARGS(DB_ID_ARRAY(ids, count), DB_I64_ARRAY(fences, count),
                                    DB_TEXT_ARRAY(words, count), DB_I64_ARRAY(delays, count)),
                            &rows);
    size_t settled = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t r = 0; r < settled; r++)
        for (size_t i = 0; i < count; i++)
            if (id_eq(outcomes[i]->delivery, db_id(rows, r, 0)))
                settled_out[i] = true;
    db_rows_free(rows);
    return err;
}

/* Of an endpoint of which nothing but successes is to be told, these together; of others one by one, in
 * order. */
static enum err
endpoints_note(struct db_tx *tx, const struct clock *clock, const struct webhook_outcome *const *outcomes,
               const bool *settled, size_t count, struct arena *arena)
{
    struct id *well = arena_array(arena, count, sizeof(*well));
    size_t well_count = 0;
    enum err err = well == NULL ? ERR_NO_MEMORY : ERR_OK;

    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        bool has_failed = false, is_first = true;
        for (size_t k = 0; settled[i] && k < count; k++) {
            if (!settled[k] || !id_eq(outcomes[k]->endpoint, outcomes[i]->endpoint))
                continue;
            has_failed |= outcomes[k]->plan.verdict != WEBHOOK_DELIVERED;
            is_first &= k >= i;
        }
        if (settled[i] && has_failed)
            err = endpoint_note(tx, clock, outcomes[i]);
        else if (settled[i] && is_first)
            well[well_count++] = outcomes[i]->endpoint;
    }
    return err == ERR_OK && well_count > 0
               ? db_exec(tx, &endpoints_well_stmt,
                         DB_ARGS(DB_ID_ARRAY(well, well_count), DB_I64(WEBHOOK_BREAKER_FAILURES)), NULL)
               : err;
}

enum err
webhook_record(struct db_tx *tx, const struct clock *clock, const struct webhook_outcome *const *outcomes,
               size_t count, struct arena *arena)
{
    bool *settled = arena_array(arena, count, sizeof(*settled));

    if (count == 0)
        return ERR_OK;
    enum err err = settled == NULL ? ERR_NO_MEMORY : attempts_insert(tx, outcomes, count, arena);
    if (err == ERR_OK)
        err = deliveries_settle(tx, outcomes, count, arena, settled);
    return err == ERR_OK ? endpoints_note(tx, clock, outcomes, settled, count, arena) : err;
}

static const struct db_stmt deliveries_release_stmt = {
    "webhook_deliveries_release",
    "UPDATE webhook_delivery d SET lease_until = NULL, attempt = d.attempt - 1,"
    " due_at = now() + make_interval(secs => ($4::bigint[])" PLACE " / 1000.0)"
    " WHERE d.tenant_id = $1 AND d.id = ANY ($2::uuid[]) AND d.fence = ($3::bigint[])" PLACE
    " AND d.finished_at IS NULL"
};

enum err
webhook_release(struct db_tx *tx, const struct webhook_given_back *given, size_t count, struct arena *arena)
{
    struct id *ids = arena_array(arena, count, sizeof(*ids));
    int64_t *fences = arena_array(arena, count, sizeof(*fences));
    int64_t *delays = arena_array(arena, count, sizeof(*delays));

    if (count == 0)
        return ERR_OK;
    if (ids == NULL || fences == NULL || delays == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        ids[i] = given[i].delivery;
        fences[i] = given[i].fence;
        delays[i] = given[i].delay_ms;
    }
    return db_exec(tx, &deliveries_release_stmt,
                   DB_ARGS(DB_ID_ARRAY(ids, count), DB_I64_ARRAY(fences, count), DB_I64_ARRAY(delays, count)),
                   NULL);
}
