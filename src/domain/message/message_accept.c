/*
 * The group commit of the accept path, for all tenants of the batch together. What is known of the rows is
 * asked first (message_accept_judge.c) and the policy gate judges from it; the next statements claim
 * idempotency keys and store messages and queue entries of the rows that are fresh, in one round trip with
 * the commit. Only when keys were there before it is done again with a claim that says which, and a second
 * transaction reads what the earlier requests became.
 */
#include "domain/message/message_accept_internal.h"
#include <stdlib.h>

#define ACCEPT_ROLE "harkara_accept"

/*
 * Keys that were there before come in storms, of clients that do not wait for their answers: for so long
 * after one, keys are claimed in a round trip of their own. Else they are claimed with what is stored, as if
 * none were there.
 */
#define KEYS_REPEAT_US INT64_C(1000000)
static _Atomic int64_t keys_repeated_at; /* of the process, monotonic; 0: never */

static bool
keys_may_repeat(const struct clock *clock)
{
    int64_t at = keys_repeated_at;

    return at != 0 && clock_mono(clock).us - at < KEYS_REPEAT_US;
}

static void
keys_note_repeated(const struct clock *clock)
{
    keys_repeated_at = clock_mono(clock).us;
}

/*
 * The rows come sorted by tenant and key, and stay so: transactions that want the same keys wait for each
 * other, and do not cross. The first fails when any is there; the second says which were not.
 */
#define CLAIM                                                                                                            \
    "INSERT INTO idempotency_key (tenant_id, key, fingerprint, message_id)"                                              \
    " SELECT ($2::uuid[])[i.class], i.key, i.print, i.id FROM unnest($3::uuid[], $4::bigint[], $5::text[], $6::bytea[])" \
    " AS i (id, class, key, print)"
static const struct db_stmt message_claim_stmt = { "message_accept_claim", CLAIM };
static const struct db_stmt message_claim_new_stmt = {
    "message_accept_claim_new", CLAIM " ON CONFLICT (tenant_id, key) DO NOTHING RETURNING message_id"
};

/* The rows that claim a key: all that are not refused and have one. */
struct claims {
    size_t count;
    size_t *at; /* the row of each */
    struct id *ids;
    int64_t *classes;
    struct slice *keys, *prints;
};

static enum err
claims_fill(struct claims *claims, const struct accept_columns *c, const struct message_new *messages,
            const struct message_accepted *accepted, struct arena *arena)
{
    *claims = (struct claims){ .at = arena_array(arena, c->count, sizeof(*claims->at)),
                               .ids = arena_array(arena, c->count, sizeof(*claims->ids)),
                               .classes = arena_array(arena, c->count, sizeof(*claims->classes)),
                               .keys = arena_array(arena, c->count, sizeof(*claims->keys)),
                               .prints = arena_array(arena, c->count, sizeof(*claims->prints)) };
    if (claims->at == NULL || claims->ids == NULL || claims->classes == NULL || claims->keys == NULL ||
        claims->prints == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < c->count; i++) {
        if (accepted[i].err != ERR_OK || messages[i].idempotency_key.ptr == NULL)
            continue;
        size_t n = claims->count++;
        claims->at[n] = i;
        claims->ids[n] = c->ids[i];
        claims->classes[n] = c->classes[i];
        claims->keys[n] = messages[i].idempotency_key;
        claims->prints[n] = slice_of(messages[i].fingerprint, MESSAGE_FINGERPRINT_BYTES);
    }
    return ERR_OK;
}

#define CLAIM_ARGS(c, claims)                                                                                \
    DB_ARGS(DB_ID_ARRAY((c)->class_tenants, (c)->class_count), DB_ID_ARRAY((claims)->ids, (claims)->count),  \
            DB_I64_ARRAY((claims)->classes, (claims)->count),                                                \
            DB_TEXT_ARRAY((claims)->keys, (claims)->count),                                                  \
            DB_BYTES_ARRAY((claims)->prints, (claims)->count))

/* Claims what is new, in a round trip; the others get ERR_EXISTS. */
static enum err
claim_new(struct db_tx *tx, const struct clock *clock, const struct accept_columns *c,
          const struct message_new *messages, struct message_accepted *accepted, struct arena *arena)
{
    struct claims claims;
    struct db_rows *rows = NULL;
    size_t row = 0;
    enum err err = claims_fill(&claims, c, messages, accepted, arena);

    if (err != ERR_OK || claims.count == 0)
        return err;
    err = db_query(tx, &message_claim_new_stmt, CLAIM_ARGS(c, &claims), &rows);
    for (size_t i = 0; err == ERR_OK && i < claims.count; i++)
        if (row < db_rows_count(rows) && id_eq(db_id(rows, row, 0), claims.ids[i]))
            row++;
        else
            accepted[claims.at[i]].err = ERR_EXISTS; /* settled by read_replays */
    if (err == ERR_OK && row != db_rows_count(rows))
        bug("keys were claimed in another order");
    if (err == ERR_OK && row < claims.count)
        keys_note_repeated(clock);
    db_rows_free(rows);
    return err;
}

/* With what comes next, which fails with ERR_EXISTS when one was there. */
static enum err
send_claims(struct db_tx *tx, const struct accept_columns *c, const struct message_new *messages,
            const struct message_accepted *accepted, struct arena *arena)
{
    struct claims claims;
    enum err err = claims_fill(&claims, c, messages, accepted, arena);

    if (err != ERR_OK || claims.count == 0)
        return err;
    return db_later(tx, &message_claim_stmt, CLAIM_ARGS(c, &claims), NULL);
}

#define ROW_ARGS(c) DB_ID_ARRAY((c)->ids, (c)->count), DB_I64_ARRAY((c)->classes, (c)->count)

/* What is refused, or was there before, has lost its class (rows_drop). */
#define IS_FRESH "i.class > 0"
#define MESSAGE_COLUMNS                                                                                      \
    "tenant_id, id, channel_id, direction, kind, category, key_version, accepted_by, peer_index, peer_iv,"   \
    " peer_tag, content_iv, content_tag, peer_ct, content_ct, policy, status, told_xid"
/* `sealed`: peer index, IV and tag of peer and of content, and the peer. */
#define MESSAGE_VALUES                                                                                         \
    "($2::uuid[])[i.class], i.id, ($3::uuid[])[i.class], 'out', ($4::text[])[i.class],"                        \
    " ('{otp,transactional,service,promotional}'::text[])[($5::bigint[])[i.class] + 1],"                       \
    " ($6::bigint[])[i.class]::int, ($7::text[])[i.class], substr(i.sealed, 1, 32), substr(i.sealed, 33, 12)," \
    " substr(i.sealed, 45, 16), substr(i.sealed, 61, 12), substr(i.sealed, 73, 16), substr(i.sealed, 89),"     \
    " i.content_ct"
#define MESSAGE_POLICY "($12::bytea[])[i.class]"
#define MESSAGE_ARRAYS "$8::uuid[], $9::bigint[], $10::bytea[], $11::bytea[]"
#define MESSAGE_NAMES  "id, class, sealed, content_ct"

/*
 * A message that leaves at once and by one sender is its own event message.accepted: readers of event_log
 * find it by told_xid.
 */
static const struct db_stmt message_store_stmt = {
    "message_accept_store", "INSERT INTO message (" MESSAGE_COLUMNS ") SELECT " MESSAGE_VALUES
                            ", " MESSAGE_POLICY ", 'accepted', (SELECT event_xid())"
                            " FROM unnest(" MESSAGE_ARRAYS ") AS i (" MESSAGE_NAMES ") WHERE " IS_FRESH
};
/* The same of a batch in which some message has what few have. */
static const struct db_stmt message_store_rare_stmt = {
    "message_accept_store_rare",
    "INSERT INTO message (" MESSAGE_COLUMNS ", metadata_ct, metadata_iv, metadata_tag, reference, target_id,"
    " send_at, expires_at, tags, fallbacks, resent_from, purpose, dlt_template_id) SELECT " MESSAGE_VALUES
    ", coalesce(i.policy, " MESSAGE_POLICY "),"
    " CASE WHEN i.decision = 2 THEN 'blocked' WHEN i.send_at IS NULL THEN 'accepted' ELSE 'held' END,"
    " CASE WHEN i.send_at IS NULL AND coalesce(i.fallbacks, 0) = 0 AND i.decision IS DISTINCT FROM 2"
    " THEN (SELECT event_xid()) END,"
    " i.metadata_ct, substr(i.metadata_seal, 1, 12), substr(i.metadata_seal, 13, 16), i.reference,"
    " nullif(i.target_id, '00000000-0000-0000-0000-000000000000'), i.send_at, i.expires_at,"
    " CASE WHEN i.tags IS NULL THEN '{}' ELSE string_to_array(i.tags, E'\n') END, coalesce(i.fallbacks, 0),"
    " nullif(i.resent_from, '00000000-0000-0000-0000-000000000000'),"
    " nullif(($24::text[])[i.class], ('{otp,transactional,service,promotional}'::text[])[($5::bigint[])[i.class] + 1]),"
    " nullif(i.dlt_template_id, '00000000-0000-0000-0000-000000000000')"
    " FROM (SELECT i.*, nullif(i.sent_from, 'infinity') AS send_at, nullif(i.sent_until, 'infinity') AS expires_at"
    " FROM unnest(" MESSAGE_ARRAYS ", $13::uuid[], $14::text[], $15::bytea[], $16::bytea[], $17::text[],"
    " $18::timestamptz[], $19::timestamptz[], $20::bigint[], $21::uuid[], $22::bigint[], $23::bytea[],"
    " $25::uuid[]) AS i (" MESSAGE_NAMES
    ", target_id, reference, metadata_ct, metadata_seal, tags, sent_from, sent_until, fallbacks, resent_from, decision,"
    " policy, dlt_template_id)) i WHERE " IS_FRESH
};

#define MESSAGE_ARGS(c)                                                                                      \
    ACCEPT_CHANNELS(c), DB_TEXT_ARRAY((c)->class_kinds, (c)->class_count),                                   \
        DB_I64_ARRAY((c)->class_categories, (c)->class_count),                                               \
        DB_I64_ARRAY((c)->class_key_versions, (c)->class_count),                                             \
        DB_TEXT_ARRAY((c)->class_accepted_by, (c)->class_count), ROW_ARGS(c),                                \
        DB_BYTES_ARRAY((c)->sealed, (c)->count), DB_BYTES_ARRAY((c)->content_ct, (c)->count),                \
        DB_BYTES_ARRAY((c)->class_policies, (c)->class_count)

static enum err
send_messages(struct db_tx *tx, const struct accept_columns *c)
{
    if (!c->has_rare)
        return db_later(tx, &message_store_stmt, DB_ARGS(MESSAGE_ARGS(c)), NULL);
    return db_later(
        tx, &message_store_rare_stmt,
        DB_ARGS(MESSAGE_ARGS(c), DB_ID_ARRAY(c->targets, c->target_count),
                DB_TEXT_ARRAY(c->references, c->reference_count),
                DB_BYTES_ARRAY(c->metadata_ct, c->metadata_count),
                DB_BYTES_ARRAY(c->metadata_seals, c->metadata_count), DB_TEXT_ARRAY(c->tags, c->tag_count),
                DB_TIME_ARRAY(c->send_at, c->send_at_count),
                DB_TIME_ARRAY(c->expires_at, c->expires_at_count),
                DB_I64_ARRAY(c->fallbacks, c->fallback_count), DB_ID_ARRAY(c->resents, c->resent_count),
                DB_I64_ARRAY(c->decisions, c->decision_count), DB_BYTES_ARRAY(c->policies, c->policy_count),
                DB_TEXT_ARRAY(c->class_purposes, c->class_count),
                DB_ID_ARRAY(c->dlt_templates, c->dlt_template_count)),
        NULL);
}

/*
 * The webhooks processes are told of the messages, which are events, if they rest: looked up behind the
 * insert of messages, which had the transaction's number assigned (webhook_rest.h says why).
 */
#define QUEUED(columns, values, arrays, names, which)                                                        \
    "WITH queued AS (INSERT INTO dispatch_queue (tenant_id, message_id, channel_id, priority" columns        \
    ") SELECT ($2::uuid[])[i.class], i.id, ($3::uuid[])[i.class], ($4::bigint[])[i.class]::smallint" values  \
    " FROM unnest($5::uuid[], $6::bigint[]" arrays ") AS i (id, class" names ") WHERE " IS_FRESH which       \
    ") SELECT pg_notify('harkara_webhook', '') FROM consumer_cursor WHERE consumer = 'webhooks' AND is_resting"
static const struct db_stmt message_enqueue_stmt = { "message_accept_enqueue", QUEUED("", "", "", "", "") };
static const struct db_stmt message_enqueue_rare_stmt = {
    "message_accept_enqueue_rare",
    QUEUED(", state, due_at, expires_at, has_fallback",
           ", CASE WHEN coalesce(i.send_at, 'infinity') = 'infinity' THEN 'ready' ELSE 'held' END,"
           " coalesce(nullif(i.send_at, 'infinity'), now()), nullif(i.expires_at, 'infinity'),"
           " coalesce(i.fallbacks > 0, false)",
           ", $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::bigint[]",
           ", send_at, expires_at, fallbacks, decision", " AND i.decision IS DISTINCT FROM 2")
};
#define QUEUE_ARGS(c) ACCEPT_CHANNELS(c), DB_I64_ARRAY((c)->class_categories, (c)->class_count), ROW_ARGS(c)

static enum err
send_queue(struct db_tx *tx, const struct accept_columns *c)
{
    if (c->send_at_count + c->expires_at_count + c->fallback_count + c->decision_count == 0)
        return db_later(tx, &message_enqueue_stmt, DB_ARGS(QUEUE_ARGS(c)), NULL);
    return db_later(tx, &message_enqueue_rare_stmt,
                    DB_ARGS(QUEUE_ARGS(c), DB_TIME_ARRAY(c->send_at, c->send_at_count),
                            DB_TIME_ARRAY(c->expires_at, c->expires_at_count),
                            DB_I64_ARRAY(c->fallbacks, c->fallback_count),
                            DB_I64_ARRAY(c->decisions, c->decision_count)),
                    NULL);
}

/*
 * Of those messages that are held or blocked, or have further senders: what their event says changes in the
 * message later. What all of them have, event_data adds for who reads.
 */
static const struct db_stmt message_events_accept_stmt = {
    "message_accept_events",
    "INSERT INTO event (tenant_id, id, type, subject_id, channel_id, occurred_at, data)"
    " SELECT ($2::uuid[])[i.class], i.event_id, CASE WHEN i.decision = 2 THEN 'message.blocked'"
    " WHEN i.starts_at IS NULL THEN 'message.accepted' ELSE 'message.held' END, i.id, ($3::uuid[])[i.class], now(), jsonb_strip_nulls(jsonb_build_object("
    "'actor', CASE WHEN starts_with(($5::text[])[i.class], 'usr_') THEN 'person' ELSE 'api-key' END, 'category', ('{otp,transactional,service,promotional}'::text[])[($4::bigint[])[i.class] + 1],"
    " CASE WHEN starts_with(($5::text[])[i.class], 'usr_') THEN 'person_id' ELSE 'key_id' END, ($5::text[])[i.class],"
    " 'reference', i.reference, 'tags', string_to_array(i.tags, E'\n'), 'rule', i.rule, 'send_at',"
    " to_char(i.starts_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')))"
    " FROM (SELECT i.*, nullif(i.send_at, 'infinity') AS starts_at"
    " FROM unnest($6::uuid[], $7::bigint[], $8::uuid[], $9::text[], $10::text[], $11::timestamptz[], $12::bigint[],"
    " $13::bigint[], $14::text[])"
    " AS i (id, class, event_id, reference, tags, send_at, fallbacks, decision, rule)) i"
    " WHERE (i.starts_at IS NOT NULL OR i.fallbacks > 0 OR i.decision = 2) AND " IS_FRESH
};

static enum err
send_events(struct db_tx *tx, const struct accept_columns *c)
{
    if (c->send_at_count + c->fallback_count + c->decision_count == 0)
        return ERR_OK;
    return db_later(
        tx, &message_events_accept_stmt,
        DB_ARGS(ACCEPT_CHANNELS(c), DB_I64_ARRAY(c->class_categories, c->class_count),
                DB_TEXT_ARRAY(c->class_accepted_by, c->class_count), ROW_ARGS(c),
                DB_ID_ARRAY(c->events, c->count), DB_TEXT_ARRAY(c->references, c->reference_count),
                DB_TEXT_ARRAY(c->tags, c->tag_count), DB_TIME_ARRAY(c->send_at, c->send_at_count),
                DB_I64_ARRAY(c->fallbacks, c->fallback_count), DB_I64_ARRAY(c->decisions, c->decision_count),
                DB_TEXT_ARRAY(c->rules, c->decision_count)),
        NULL);
}

/* Of a batch that has any. Those whose message was not stored find none to join, here and below. */
static const struct db_stmt message_tags_accept_stmt = {
    "message_tags_accept",
    "INSERT INTO message_tag (tenant_id, tag, message_id) SELECT m.tenant_id, t, m.id"
    " FROM (SELECT i.*, ($2::uuid[])[i.class] AS tenant_id"
    " FROM unnest($3::uuid[], $4::bigint[], $5::text[]) AS i (id, class, tags) OFFSET 0) i"
    " JOIN message m ON m.tenant_id = i.tenant_id AND m.id = i.id"
    " CROSS JOIN unnest(string_to_array(i.tags, E'\n')) AS t ON CONFLICT DO NOTHING"
};

static enum err
send_tags(struct db_tx *tx, const struct accept_columns *c)
{
    return c->tag_count == 0 ? ERR_OK
                             : db_later(tx, &message_tags_accept_stmt,
                                        DB_ARGS(DB_ID_ARRAY(c->class_tenants, c->class_count), ROW_ARGS(c),
                                                DB_TEXT_ARRAY(c->tags, c->tag_count)),
                                        NULL);
}

static const struct db_stmt message_senders_accept_stmt = {
    "message_senders_accept",
    "INSERT INTO message_fallback (tenant_id, message_id, position, channel_id, kind, after_s, due_at, key_version,"
    " content_ct, content_iv, content_tag, dlt_template_id, policy, left_for, left_at)"
    " SELECT s.tenant_id, s.message_id, s.position, s.channel_id, s.kind, nullif(s.after_s, 0),"
    " CASE s.position WHEN 1 THEN coalesce(m.send_at, now()) + make_interval(secs => nullif(s.after_s, 0)) END,"
    " nullif(s.key_version, 0), s.content_ct, substr(s.seal, 1, 12), substr(s.seal, 13, 16),"
    " nullif(s.dlt_template_id, '00000000-0000-0000-0000-000000000000'), s.policy,"
    " CASE s.stopped WHEN 1 THEN 'blocked' END, CASE s.stopped WHEN 1 THEN now() END"
    " FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::bigint[], $8::bigint[], $9::bytea[],"
    " $10::bytea[], $11::uuid[], $12::bytea[], $13::bigint[]) AS s (tenant_id, message_id, position, channel_id, kind,"
    " after_s, key_version, content_ct, seal, dlt_template_id, policy, stopped)"
    " JOIN message m ON m.tenant_id = s.tenant_id AND m.id = s.message_id AND m.status <> 'blocked'"
};

static enum err
send_senders(struct db_tx *tx, const struct accept_columns *columns, const struct message_new *messages,
             struct arena *arena)
{
    struct accept_senders s;
    enum err err = accept_senders_fill(&s, columns, messages, arena);

    if (err != ERR_OK || s.count == 0)
        return err;
    return db_later(tx, &message_senders_accept_stmt,
                    DB_ARGS(DB_ID_ARRAY(s.tenants, s.count), DB_ID_ARRAY(s.messages, s.count),
                            DB_I64_ARRAY(s.positions, s.count), DB_ID_ARRAY(s.channels, s.count),
                            DB_TEXT_ARRAY(s.kinds, s.count), DB_I64_ARRAY(s.afters, s.count),
                            DB_I64_ARRAY(s.key_versions, s.count), DB_BYTES_ARRAY(s.cts, s.count),
                            DB_BYTES_ARRAY(s.seals, s.count), DB_ID_ARRAY(s.dlt_templates, s.count),
                            DB_BYTES_ARRAY(s.policies, s.count), DB_I64_ARRAY(s.stopped, s.count)),
                    NULL);
}

/* Begins the transaction and asks what is known: what a check does, and what comes before storing. */
static enum err
ask_once(struct db *db, const struct clock *clock, const struct message_new *messages,
         struct message_accepted *accepted, size_t count, struct arena *arena, struct accept_columns *columns,
         struct accept_facts *facts, struct db_tx *tx)
{
    enum err err = accept_columns_fill(columns, clock, messages, count, arena);

    if (err != ERR_OK)
        return err;
    err = db_begin_many(db, ACCEPT_ROLE, columns->tenants, columns->tenant_count, tx);
    if (err == ERR_DB_UNAVAILABLE) { /* nothing was done yet: a server that was started again may be back */
        err = db_reopen(db, 0);
        if (err == ERR_OK)
            err = db_begin_many(db, ACCEPT_ROLE, columns->tenants, columns->tenant_count, tx);
    }
    return err == ERR_OK ? accept_facts_read(tx, columns, messages, accepted, arena, facts) : err;
}

/* Who is refused, or was there before, is passed over by what stores. */
static void
rows_drop(struct accept_columns *c, const struct message_accepted *accepted)
{
    for (size_t i = 0; i < c->count; i++)
        if (accepted[i].err != ERR_OK)
            c->classes[i] = 0;
}

static enum err
send_all(struct db_tx *tx, const struct accept_columns *columns, const struct message_new *messages,
         struct arena *arena)
{
    enum err err = send_messages(tx, columns);

    if (err == ERR_OK)
        err = send_queue(tx, columns);
    if (err == ERR_OK)
        err = send_events(tx, columns);
    if (err == ERR_OK)
        err = send_tags(tx, columns);
    return err == ERR_OK ? send_senders(tx, columns, messages, arena) : err;
}

/*
 * What is known of the rows, what the gate says, and what becomes of them. `claims_first`: keys may be there.
 * Else ERR_EXISTS says that one was, and nothing happened.
 */
static enum err
accept_once(struct db *db, const struct clock *clock, const struct message_new *messages,
            struct message_accepted *accepted, size_t count, bool claims_first, struct arena *arena)
{
    struct accept_columns columns;
    struct accept_facts facts;
    struct db_tx tx = { .is_open = false };
    enum err err = ask_once(db, clock, messages, accepted, count, arena, &columns, &facts, &tx);

    if (err == ERR_OK && claims_first)
        err = claim_new(&tx, clock, &columns, messages, accepted, arena);
    if (err == ERR_OK)
        err = accept_policy_judge(&tx, &columns, clock, &facts, messages, accepted, arena);
    if (err == ERR_OK && !claims_first)
        err = send_claims(&tx, &columns, messages, accepted, arena);
    if (err == ERR_OK) {
        rows_drop(&columns, accepted);
        err = send_all(&tx, &columns, messages, arena);
    }
    bool is_at_commit = err == ERR_OK;
    if (err == ERR_OK)
        err = db_commit(&tx);
    for (size_t i = 0; i < count; i++)
        accepted[i].is_doubtful = is_at_commit && err == ERR_DB_UNAVAILABLE;
    db_rollback(&tx);
    return err;
}

/* Most batches repeat nothing. */
static enum err
accept_or_claim(struct db *db, const struct clock *clock, const struct message_new *messages,
                struct message_accepted *accepted, size_t count, struct arena *arena)
{
    if (!keys_may_repeat(clock)) {
        enum err err = accept_once(db, clock, messages, accepted, count, false, arena);
        if (err != ERR_EXISTS)
            return err;
    }
    return accept_once(db, clock, messages, accepted, count, true, arena);
}

enum err
message_accept_check(struct db *db, const struct clock *clock, const struct message_new *message,
                     struct arena *arena, struct message_checked *out)
{
    struct message_accepted accepted = { .err = ERR_OK };
    struct accept_columns columns;
    struct accept_facts facts;
    struct db_tx tx = { .is_open = false };

    *out = (struct message_checked){ .err = ERR_OK };
    enum err err = ask_once(db, clock, message, &accepted, 1, arena, &columns, &facts, &tx);
    if (err == ERR_OK)
        err = accept_policy_judge(&tx, &columns, clock, &facts, message, &accepted, arena);
    db_rollback(&tx);
    if (err != ERR_OK)
        return err;
    out->err = accepted.err;
    if (accepted.err != ERR_OK)
        return ERR_OK;
    err = policy_receipt_unpack(slice_of(accepted.policy, accepted.policy_bytes), &out->senders[0]);
    out->sender_count = 1;
    for (size_t i = 0; err == ERR_OK && i < columns.judge_count - columns.count; i++)
        err = policy_receipt_unpack(columns.furthers[i].packed, &out->senders[out->sender_count++]);
    return err;
}

static enum err
accepted_policy_put(struct message_accepted *accepted, struct slice packed)
{
    struct policy_receipt receipt;

    if (packed.len == 0) /* of before there was a gate, or its message is gone */
        return ERR_OK;
    enum err err = policy_receipt_unpack(packed, &receipt);
    if (err != ERR_OK || packed.len > sizeof(accepted->policy))
        return ERR_DB_DATA;
    memcpy(accepted->policy, packed.ptr, packed.len);
    accepted->policy_bytes = packed.len;
    accepted->decision = receipt.verdict.decision;
    return ERR_OK;
}

/* In the order of the keys that were asked for. */
static const struct db_stmt message_replay_stmt = {
    "message_replay_many",
    "SELECT i.n, k.fingerprint, k.message_id, m.policy FROM unnest($2::uuid[], $3::text[])"
    " WITH ORDINALITY AS i (tenant_id, key, n) JOIN idempotency_key k ON k.tenant_id = i.tenant_id AND k.key = i.key"
    " LEFT JOIN message m ON m.tenant_id = k.tenant_id AND m.id = k.message_id ORDER BY i.n LIMIT 5000"
};

/* What messages[at[0 .. count)] repeat. */
static enum err
read_replays(struct db *db, const struct message_new *messages, struct message_accepted *accepted,
             const size_t *at, size_t count, struct arena *arena)
{
    struct id *tenants = arena_array(arena, count, sizeof(*tenants)),
              *distinct = arena_array(arena, count, sizeof(*distinct));
    struct slice *keys = arena_array(arena, count, sizeof(*keys));
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    size_t tenant_count = 0;

    if (tenants == NULL || distinct == NULL || keys == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        tenants[i] = messages[at[i]].tenant;
        keys[i] = messages[at[i]].idempotency_key;
        if (tenant_count == 0 || !id_eq(distinct[tenant_count - 1], tenants[i]))
            distinct[tenant_count++] = tenants[i];
    }
    enum err err = db_begin_many(db, ACCEPT_ROLE, distinct, tenant_count, &tx);
    if (err == ERR_OK)
        err = db_later(&tx, &message_replay_stmt,
                       DB_ARGS(DB_ID_ARRAY(tenants, count), DB_TEXT_ARRAY(keys, count)), &rows);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    for (size_t row = 0; err == ERR_OK && row < db_rows_count(rows); row++) {
        const struct message_new *message = &messages[at[db_i64(rows, row, 0) - 1]];
        bool is_same =
            slice_eq(db_bytes(rows, row, 1), slice_of(message->fingerprint, MESSAGE_FINGERPRINT_BYTES));
        accepted[message - messages] =
            (struct message_accepted){ .err = is_same ? ERR_OK : ERR_IDEMPOTENCY_MISMATCH,
                                       .is_replay = is_same,
                                       .id = is_same ? db_id(rows, row, 2) : message->id };
        if (is_same)
            err = accepted_policy_put(&accepted[message - messages], db_bytes(rows, row, 3));
    }
    db_rows_free(rows);
    return err;
}

static enum err
accept_again(struct db *db, const struct clock *clock, const struct message_new *message,
             struct message_accepted *accepted, struct arena *arena)
{
    enum err err = accept_once(db, clock, message, accepted, 1, true, arena);

    if (err != ERR_OK)
        return err;
    return accepted->err == ERR_EXISTS ? ERR_BUSY : accepted->err; /* there once more */
}

/*
 * What was there before is answered as it was then: also where the channel or the window would refuse it now.
 * What was stored stays stored, so an error of this part is only that of the rows it was for.
 */
static void
settle_replays(struct db *db, const struct clock *clock, const struct message_new *messages,
               struct message_accepted *accepted, size_t count, struct arena *arena)
{
    size_t *at = arena_array(arena, count, sizeof(*at)), found = 0;
    enum err err = at == NULL ? ERR_NO_MEMORY : ERR_DB_CONFLICT;

    for (size_t i = 0; at != NULL && i < count; i++)
        if (accepted[i].err != ERR_OK && messages[i].idempotency_key.ptr != NULL)
            at[found++] = i;
    if (at != NULL && found == 0)
        return;
    for (int tries = 0; err == ERR_DB_CONFLICT && tries < DB_TRIES; tries++)
        err = read_replays(db, messages, accepted, at, found, arena);
    for (size_t i = 0; i < count; i++) {
        if (accepted[i].err == ERR_OK || messages[i].idempotency_key.ptr == NULL)
            continue;
        if (err != ERR_OK)
            accepted[i].err = err;
        else if (accepted[i].err == ERR_EXISTS) /* the key is gone meanwhile (retention): accepted anew */
            accepted[i].err = accept_again(db, clock, &messages[i], &accepted[i], arena);
    }
}

static int
message_order(const void *a, const void *b)
{
    const struct message_new *left = a, *right = b;
    int order = memcmp(left->tenant.bytes, right->tenant.bytes, ID_BYTES);

    if (order == 0)
        order = slice_compare(left->idempotency_key, right->idempotency_key);
    return order != 0 ? order : memcmp(left->id.bytes, right->id.bytes, ID_BYTES);
}

enum err
message_accept_batch(struct db *db, const struct clock *clock, struct message_new *messages,
                     struct message_accepted *accepted, size_t count, struct arena *arena)
{
    enum err err = ERR_DB_CONFLICT;

    if (count == 0)
        return ERR_OK;
    if (count > MESSAGE_BATCH_MAX)
        return ERR_LIMIT;
    qsort(messages, count, sizeof(*messages), message_order);
    for (int tries = 0; err == ERR_DB_CONFLICT && tries < DB_TRIES; tries++)
        err = accept_or_claim(db, clock, messages, accepted, count, arena);
    if (err == ERR_OK)
        settle_replays(db, clock, messages, accepted, count, arena);
    return err;
}

static const struct db_stmt message_batch_claim_stmt = {
    "message_batch_claim", "INSERT INTO idempotency_key (tenant_id, key, fingerprint, message_id)"
                           " VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, key) DO NOTHING"
};
static const struct db_stmt message_batch_same_stmt = {
    "message_batch_same", "SELECT FROM idempotency_key WHERE tenant_id = $1 AND key = $2 AND fingerprint = $3"
};

enum err
message_batch_claim(struct db_tx *tx, struct slice key,
                    const unsigned char fingerprint[MESSAGE_FINGERPRINT_BYTES], struct id batch)
{
    struct slice print = slice_of(fingerprint, MESSAGE_FINGERPRINT_BYTES);
    size_t claimed = 0;
    enum err err = db_exec(tx, &message_batch_claim_stmt,
                           DB_ARGS(DB_TEXT(key), DB_BYTES(print), DB_ID(batch)), &claimed);

    if (err != ERR_OK || claimed > 0)
        return err;
    err = db_exec_one(tx, &message_batch_same_stmt, DB_ARGS(DB_TEXT(key), DB_BYTES(print)));
    return err == ERR_NOT_FOUND ? ERR_IDEMPOTENCY_MISMATCH : err;
}
