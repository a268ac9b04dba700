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
    " FROM webhook_attempt a WHERE a.tenant_id = $1 AND a.delivery_id = d.id ORDER BY a.number DESC LIMIT 1),"
    " (d.tried_at IS NOT NULL)::int) + 1,"
    " o.at, o.outcome, nullif(o.status, 0), o.latency_ms, o.address, nullif(o.key_version, 0), o.ct, o.iv, o.tag"
    " FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[], $5::text[], $6::bigint[], $7::bigint[], $8::text[],"
    " $9::bigint[], $10::bytea[], $11::bytea[], $12::bytea[]) AS o (id, delivery_id, at, outcome, status, latency_ms,"
    " address, key_version, ct, iv, tag) CROSS JOIN LATERAL (SELECT d.id, d.tried_at FROM webhook_delivery d WHERE d.tenant_id = $1"
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
/*
 * Of those that were handed over: their first attempt, and the state that it brought, by one change of the
 * row. The place in the lists is looked up once for all columns.
 */
static const struct db_stmt firsts_settle_stmt = {
    "webhook_firsts_settle",
    "UPDATE webhook_delivery d SET (state, due_at, lease_until, finished_at, tried_at, outcome, status_code, latency_ms,"
    " address, answer_key_version, answer_ct, answer_iv, answer_tag) = (SELECT ($3::text[])[p.at],"
    " now() + make_interval(secs => ($4::bigint[])[p.at] / 1000.0), NULL::timestamptz,"
    " CASE WHEN ($3::text[])[p.at] = 'pending' THEN NULL ELSE now() END, ($5::timestamptz[])[p.at], ($6::text[])[p.at],"
    " nullif(($7::bigint[])[p.at], 0)::smallint, ($8::bigint[])[p.at]::integer, ($9::text[])[p.at],"
    " nullif(($10::bigint[])[p.at], 0)::integer, ($11::bytea[])[p.at], ($12::bytea[])[p.at], ($13::bytea[])[p.at]"
    " FROM (SELECT array_position($2::uuid[], d.id) AS at OFFSET 0) p)"
    " WHERE d.tenant_id = $1 AND d.id = ANY ($2::uuid[]) AND d.fence = 0 AND d.tried_at IS NULL"
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

/* Of each outcome what its attempt was, and what follows. */
struct lists {
    struct id *ids, *rows; /* the deliveries, the attempts' own rows */
    struct wall_time *times;
    struct slice *outcomes, *addresses, *ciphers, *ivs, *tags, *states;
    int64_t *statuses, *latencies, *key_versions, *fences, *delays;
};

static enum err
lists_make(struct lists *lists, const struct webhook_outcome *const *outcomes, size_t count,
           struct arena *arena)
{
    struct slice **const slices[] = { &lists->outcomes, &lists->addresses, &lists->ciphers,
                                      &lists->ivs,      &lists->tags,      &lists->states };
    int64_t **const numbers[] = { &lists->statuses, &lists->latencies, &lists->key_versions, &lists->fences,
                                  &lists->delays };

    lists->ids = arena_array(arena, count, sizeof(struct id));
    lists->rows = arena_array(arena, count, sizeof(struct id));
    lists->times = arena_array(arena, count, sizeof(struct wall_time));
    if (lists->ids == NULL || lists->rows == NULL || lists->times == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < COUNT_OF(slices); i++)
        if ((*slices[i] = arena_array(arena, count, sizeof(struct slice))) == NULL)
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if ((*numbers[i] = arena_array(arena, count, sizeof(int64_t))) == NULL)
            return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const struct webhook_outcome *outcome = outcomes[i];
        lists->ids[i] = outcome->delivery;
        lists->rows[i] = outcome->attempt_row;
        lists->times[i] = outcome->began_at;
        lists->outcomes[i] = slice_text(webhook_result_word(outcome->result.result));
        lists->states[i] = slice_text(states[outcome->plan.verdict]);
        lists->statuses[i] = outcome->result.status;
        lists->latencies[i] = outcome->latency_ms;
        lists->fences[i] = outcome->fence;
        lists->delays[i] = outcome->plan.delay_ms;
        if (outcome->address.len > 0)
            lists->addresses[i] = outcome->address;
        if (!outcome->has_answer)
            continue;
        lists->key_versions[i] = outcome->answer.key_version;
        lists->ciphers[i] = outcome->answer.cipher;
        lists->ivs[i] = slice_of(outcome->answer.iv, VAULT_IV_BYTES);
        lists->tags[i] = slice_of(outcome->answer.tag, VAULT_TAG_BYTES);
    }
    return ERR_OK;
}

static enum err
attempts_insert(struct db_tx *tx, const struct lists *lists, size_t count)
{
    return db_later(tx, &attempts_insert_stmt,
                    DB_ARGS(DB_ID_ARRAY(lists->rows, count), DB_ID_ARRAY(lists->ids, count),
                            DB_TIME_ARRAY(lists->times, count), DB_TEXT_ARRAY(lists->outcomes, count),
                            DB_I64_ARRAY(lists->statuses, count), DB_I64_ARRAY(lists->latencies, count),
                            DB_TEXT_ARRAY(lists->addresses, count), DB_I64_ARRAY(lists->key_versions, count),
                            DB_BYTES_ARRAY(lists->ciphers, count), DB_BYTES_ARRAY(lists->ivs, count),
                            DB_BYTES_ARRAY(lists->tags, count)),
                    NULL);
}

/* Those whose claim still held have their state: true in settled_out. */
static void
settled_note(const struct db_rows *rows, const struct lists *lists, size_t count, bool *settled_out)
{
    size_t settled = db_rows_count(rows);

    for (size_t r = 0, i = 0; r < settled; r++) /* most come in the order of the list */
        for (size_t tries = 0; tries < count; tries++, i = (i + 1) % count)
            if (id_eq(lists->ids[i], db_id(rows, r, 0))) {
                settled_out[i] = true;
                break;
            }
}

/* What was handed over. Of those that are not settled by this, nothing is written yet. */
static enum err
firsts_settle(struct db_tx *tx, const struct webhook_outcome *const *outcomes, size_t count,
              struct arena *arena, bool *settled_out)
{
    struct db_rows *rows = NULL;
    struct lists lists;
    enum err err = lists_make(&lists, outcomes, count, arena);

    if (err == ERR_OK)
        err = db_query(tx, &firsts_settle_stmt,
                       DB_ARGS(DB_ID_ARRAY(lists.ids, count), DB_TEXT_ARRAY(lists.states, count),
                               DB_I64_ARRAY(lists.delays, count), DB_TIME_ARRAY(lists.times, count),
                               DB_TEXT_ARRAY(lists.outcomes, count), DB_I64_ARRAY(lists.statuses, count),
                               DB_I64_ARRAY(lists.latencies, count), DB_TEXT_ARRAY(lists.addresses, count),
                               DB_I64_ARRAY(lists.key_versions, count), DB_BYTES_ARRAY(lists.ciphers, count),
                               DB_BYTES_ARRAY(lists.ivs, count), DB_BYTES_ARRAY(lists.tags, count)),
                       &rows);
    if (err == ERR_OK)
        settled_note(rows, &lists, count, settled_out);
    db_rows_free(rows);
    return err;
}

/* An attempt of its own for each, also when its claim was lost. */
static enum err
claimed_settle(struct db_tx *tx, const struct webhook_outcome *const *outcomes, size_t count,
               struct arena *arena, bool *settled_out)
{
    struct db_rows *rows = NULL;
    struct lists lists;
    enum err err = lists_make(&lists, outcomes, count, arena);

    if (err == ERR_OK)
        err = attempts_insert(tx, &lists, count);
    if (err == ERR_OK)
        err = db_query(tx, &deliveries_settle_stmt,
                       DB_ARGS(DB_ID_ARRAY(lists.ids, count), DB_I64_ARRAY(lists.fences, count),
                               DB_TEXT_ARRAY(lists.states, count), DB_I64_ARRAY(lists.delays, count)),
                       &rows);
    if (err == ERR_OK)
        settled_note(rows, &lists, count, settled_out);
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
               ? db_later(tx, &endpoints_well_stmt,
                          DB_ARGS(DB_ID_ARRAY(well, well_count), DB_I64(WEBHOOK_BREAKER_FAILURES)), NULL)
               : err;
}

/* Those that are not settled yet, all of them or what was handed over; where they stand goes to `at_out`. */
static size_t
outcomes_pick(const struct webhook_outcome *const *outcomes, size_t count, const bool *settled,
              bool only_handed_over, const struct webhook_outcome **out, size_t *at_out)
{
    size_t picked = 0;

    for (size_t i = 0; i < count; i++)
        if (!settled[i] && (!only_handed_over || outcomes[i]->fence == 0)) {
            at_out[picked] = i;
            out[picked++] = outcomes[i];
        }
    return picked;
}

enum err
webhook_record(struct db_tx *tx, const struct clock *clock, const struct webhook_outcome *const *outcomes,
               size_t count, struct arena *arena)
{
    const struct webhook_outcome **some = arena_array(arena, count, sizeof(const struct webhook_outcome *));
    size_t *at = arena_array(arena, count, sizeof(*at));
    bool *settled = arena_array(arena, count, sizeof(*settled));
    bool *some_settled = arena_array(arena, count, sizeof(*some_settled));
    enum err err = ERR_OK;

    if (count == 0)
        return ERR_OK;
    if (some == NULL || at == NULL || settled == NULL || some_settled == NULL)
        return ERR_NO_MEMORY;
    /* What was handed over first; then, with the claims, those of it that somebody has claimed meanwhile. */
    for (int pass = 0; err == ERR_OK && pass < 2; pass++) {
        size_t picked = outcomes_pick(outcomes, count, settled, pass == 0, some, at);
        memset(some_settled, 0, count * sizeof(*some_settled));
        if (picked > 0)
            err = pass == 0 ? firsts_settle(tx, some, picked, arena, some_settled)
                            : claimed_settle(tx, some, picked, arena, some_settled);
        for (size_t i = 0; i < picked; i++)
            settled[at[i]] = some_settled[i];
    }
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
