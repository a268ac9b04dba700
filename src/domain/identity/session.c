#include "domain/identity/session.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "crypto/mac.h"
#include "crypto/random.h"

static const struct {
    enum session_factor factor;
    const char *word;
} factors[SESSION_FACTOR_COUNT] = { { SESSION_PASSKEY, "passkey" },
                                    { SESSION_FEDERATED, "federated" },
                                    { SESSION_TOTP, "totp" },
                                    { SESSION_RECOVERY_CODE, "recovery_code" } };

const char *
session_factor_word(enum session_factor factor)
{
    for (size_t i = 0; i < COUNT_OF(factors); i++)
        if (factors[i].factor == factor)
            return factors[i].word;
    bug("a factor that does not exist");
}

static const char *
end_word(enum session_end why)
{
    switch (why) {
    case SESSION_SIGNED_OUT:
        return "signed_out";
    case SESSION_REVOKED:
        return "revoked";
    case SESSION_REPLACED:
        return "replaced";
    }
    bug("an end that does not exist");
}

static size_t
factor_words(unsigned bits, struct slice out[static SESSION_FACTOR_COUNT])
{
    size_t count = 0;

    for (size_t i = 0; i < COUNT_OF(factors); i++)
        if ((bits & factors[i].factor) != 0)
            out[count++] = slice_text(factors[i].word);
    return count;
}

/* A new token and its hash. */
static enum err
token_make(struct secret **text_out, unsigned char hash[HASH_BYTES])
{
    unsigned char token[SESSION_TOKEN_BYTES];
    struct buf text;

    buf_init(&text, SESSION_TEXT_BYTES);
    *text_out = NULL;
    enum err err = random_fill(token, sizeof(token));
    if (err == ERR_OK) {
        encode_base64url(&text, slice_of(token, sizeof(token)));
        err = buf_done(&text);
    }
    if (err == ERR_OK)
        err = hash_sha256(slice_of(token, sizeof(token)), hash);
    if (err == ERR_OK) {
        *text_out = secret_copy(buf_slice(&text));
        err = *text_out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(&text);
    secret_wipe(token, sizeof(token));
    return err;
}

static enum err
token_hash(struct slice text, unsigned char hash[HASH_BYTES])
{
    unsigned char token[SESSION_TEXT_BYTES / 4 * 3 + 3];
    size_t len = 0;

    if (text.len != SESSION_TEXT_BYTES)
        return ERR_SESSION;
    enum err err = decode_base64url(text, token, &len);
    if (err != ERR_OK || len != SESSION_TOKEN_BYTES)
        err = ERR_SESSION;
    else
        err = hash_sha256(slice_of(token, SESSION_TOKEN_BYTES), hash);
    secret_wipe(token, sizeof(token));
    return err;
}

enum err
session_csrf(struct slice token, char out[static SESSION_TEXT_BYTES])
{
    unsigned char mac[MAC_BYTES];
    struct buf text;
    enum err err = mac_sha256(token, SLICE("harkara csrf"), mac);

    buf_init(&text, SESSION_TEXT_BYTES);
    if (err == ERR_OK) {
        encode_base64url(&text, slice_of(mac, sizeof(mac)));
        err = buf_done(&text);
    }
    if (err == ERR_OK)
        memcpy(out, buf_slice(&text).ptr, SESSION_TEXT_BYTES);
    buf_release_wiped(&text);
    return err;
}

/* At the limit the one that was not used for the longest time goes. */
static const struct db_stmt session_room_stmt = {
    "session_room",
    "UPDATE person_session SET ended_at = $3, ended_why = 'replaced' WHERE tenant_id = $1 AND id IN (SELECT id FROM"
    " person_session WHERE tenant_id = $1 AND person_id = $2 AND ended_at IS NULL AND expires_at > $3"
    " ORDER BY seen_at DESC OFFSET 99)"
};
_Static_assert(SESSION_PER_PERSON_MAX == 100, "one less, with the one that is made");
static const struct db_stmt session_insert_stmt = {
    "session_insert",
    "INSERT INTO person_session (tenant_id, id, person_id, token_hash, acting_tenant, factors, created_at, seen_at,"
    " stepped_up_at, expires_at, address, user_agent)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $7, CASE WHEN $11 THEN $7 END, $8, $9::text::inet, $10)"
};

/* Cut between characters; what is no UTF-8 is left out as a whole. */
static struct slice
agent_cut(struct slice agent)
{
    if (!slice_is_utf8(agent) || agent.ptr == NULL)
        return SLICE("");
    agent = slice_first(agent, agent.len < SESSION_AGENT_MAX ? agent.len : SESSION_AGENT_MAX);
    while (!slice_is_utf8(agent))
        agent.len--;
    return agent;
}

enum err
session_begin(struct db_tx *tx, const struct clock *clock, const struct session_rules *rules,
              const struct session_new *with, struct session *out, struct secret **token_out)
{
    unsigned char hash[HASH_BYTES];
    struct slice words[SESSION_FACTOR_COUNT];
    size_t count = factor_words(with->factors, words);
    struct wall_time now = clock_wall(clock);
    struct slice address = with->address.len == 0 ? SLICE_EMPTY : with->address;

    *out = (struct session){ .id = id_new(clock),
                             .person = with->person,
                             .workspace = with->workspace,
                             .factors = with->factors,
                             .created_at = now,
                             .seen_at = now,
                             .idle_until = wall_after_ms(now, rules->idle_ms),
                             .expires_at = wall_after_ms(now, rules->absolute_ms),
                             .address = with->address,
                             .user_agent = agent_cut(with->user_agent) };
    if (!session_is_half(with->factors))
        out->stepped_up_until = wall_after_ms(now, rules->step_up_ms);
    enum err err = token_make(token_out, hash);
    if (err == ERR_OK)
        err = db_exec(tx, &session_room_stmt, DB_ARGS(DB_ID(with->person), DB_TIME(now)), NULL);
    if (err == ERR_OK)
        err = db_exec_one(tx, &session_insert_stmt,
                          DB_ARGS(DB_ID(out->id), DB_ID(with->person), DB_BYTES(slice_of(hash, sizeof(hash))),
                                  id_is_zero(with->workspace) ? DB_NULL : DB_ID(with->workspace),
                                  DB_TEXT_ARRAY(words, count), DB_TIME(now), DB_TIME(out->expires_at),
                                  DB_TEXT(address), DB_TEXT(out->user_agent),
                                  DB_BOOL(!session_is_half(with->factors))));
    if (err != ERR_OK) {
        secret_free(*token_out);
        *token_out = NULL;
    }
    return err;
}

#define SESSION_COLUMNS                                                                                      \
    "s.id, s.person_id, s.acting_tenant, s.factors, s.created_at, s.seen_at, s.expires_at, s.stepped_up_at," \
    " host(s.address), s.user_agent"

static enum err
session_from_row(const struct db_rows *rows, size_t row, const struct session_rules *rules,
                 struct wall_time now, struct arena *arena, struct session *out)
{
    struct slice words[SESSION_FACTOR_COUNT];
    size_t count = 0;

    *out = (struct session){ .id = db_id(rows, row, 0),
                             .person = db_id(rows, row, 1),
                             .created_at = db_time(rows, row, 4),
                             .seen_at = db_time(rows, row, 5),
                             .expires_at = db_time(rows, row, 6),
                             .address = arena_copy(arena, db_text(rows, row, 8)),
                             .user_agent = arena_copy(arena, db_text(rows, row, 9)) };
    if (!db_is_null(rows, row, 2))
        out->workspace = db_id(rows, row, 2);
    out->idle_until = wall_after_ms(out->seen_at, rules->idle_ms);
    if (out->idle_until.us > out->expires_at.us)
        out->idle_until = out->expires_at;
    if (!db_is_null(rows, row, 7)) {
        struct wall_time until = wall_after_ms(db_time(rows, row, 7), rules->step_up_ms);
        if (until.us > now.us)
            out->stepped_up_until = until;
    }
    enum err err = db_text_array(rows, row, 3, arena, words, COUNT_OF(words), &count);
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        for (size_t f = 0; f < COUNT_OF(factors); f++)
            if (slice_eq(words[i], slice_text(factors[f].word)))
                out->factors |= factors[f].factor;
    return err == ERR_OK && out->user_agent.ptr == NULL ? ERR_NO_MEMORY : err;
}

static const struct db_stmt session_look_stmt = {
    "session_look",
    "SELECT " SESSION_COLUMNS " FROM person_session s JOIN person p ON p.tenant_id = s.tenant_id"
    " AND p.id = s.person_id WHERE s.tenant_id = $1 AND s.token_hash = $2 AND s.ended_at IS NULL"
    " AND s.expires_at > $3 AND s.seen_at > $4 AND p.state = 'active'"
};
static const struct db_stmt session_seen_stmt = {
    "session_seen", "UPDATE person_session SET seen_at = $3, address = coalesce($4::text::inet, address)"
                    " WHERE tenant_id = $1 AND id = $2 AND seen_at < $3"
};

struct look {
    const struct session_rules *rules;
    struct wall_time now;
    unsigned char hash[HASH_BYTES];
    struct slice address;
    struct arena *arena;
    struct session session;
};

static enum err
look_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;
    struct session *session = &look->session;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &session_look_stmt,
                            DB_ARGS(DB_BYTES(slice_of(look->hash, sizeof(look->hash))), DB_TIME(look->now),
                                    DB_TIME(wall_after_ms(look->now, -look->rules->idle_ms))),
                            &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0
                  ? ERR_SESSION
                  : session_from_row(rows, 0, look->rules, look->now, look->arena, session);
    db_rows_free(rows);
    if (err != ERR_OK || look->rules->is_unattended ||
        session->seen_at.us > look->now.us - SESSION_SEEN_MS * 1000)
        return err;
    session->seen_at = look->now;
    session->idle_until = wall_after_ms(look->now, look->rules->idle_ms);
    if (session->idle_until.us > session->expires_at.us)
        session->idle_until = session->expires_at;
    return db_exec(tx, &session_seen_stmt,
                   DB_ARGS(DB_ID(session->id), DB_TIME(look->now),
                           DB_TEXT(look->address.len == 0 ? SLICE_EMPTY : look->address)),
                   NULL);
}

enum err
session_check(struct db *db, const struct clock *clock, const struct session_rules *rules, struct slice token,
              struct slice address, struct arena *arena, struct session *out)
{
    struct look look = { .rules = rules, .now = clock_wall(clock), .address = address, .arena = arena };
    enum err err = token_hash(token, look.hash);

    if (err == ERR_OK)
        err = db_run(db, tenant_platform, look_in, &look);
    if (err == ERR_OK)
        *out = look.session;
    return err;
}

static const struct db_stmt session_switch_stmt = {
    "session_switch", "UPDATE person_session SET token_hash = $3, acting_tenant = $4"
                      " WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL"
};

enum err
session_switch(struct db_tx *tx, struct id session, struct id workspace, struct secret **token_out)
{
    unsigned char hash[HASH_BYTES];
    enum err err = token_make(token_out, hash);

    if (err == ERR_OK)
        err = db_exec_one(tx, &session_switch_stmt,
                          DB_ARGS(DB_ID(session), DB_BYTES(slice_of(hash, sizeof(hash))), DB_ID(workspace)));
    if (err != ERR_OK) {
        secret_free(*token_out);
        *token_out = NULL;
    }
    return err;
}

static const struct db_stmt session_step_up_stmt = {
    "session_step_up",
    "UPDATE person_session SET token_hash = $3, stepped_up_at = $4, factors = CASE WHEN $5 = ANY(factors) THEN factors"
    " ELSE factors || $5 END WHERE tenant_id = $1 AND id = $2 AND ended_at IS NULL"
};

enum err
session_step_up(struct db_tx *tx, const struct clock *clock, struct id session, enum session_factor factor,
                struct secret **token_out)
{
    unsigned char hash[HASH_BYTES];
    enum err err = token_make(token_out, hash);

    if (err == ERR_OK)
        err = db_exec_one(tx, &session_step_up_stmt,
                          DB_ARGS(DB_ID(session), DB_BYTES(slice_of(hash, sizeof(hash))),
                                  DB_TIME(clock_wall(clock)), DB_TEXT_Z(session_factor_word(factor))));
    if (err != ERR_OK) {
        secret_free(*token_out);
        *token_out = NULL;
    }
    return err;
}

static const struct db_stmt session_list_stmt = {
    "session_list",
    "SELECT " SESSION_COLUMNS " FROM person_session s WHERE s.tenant_id = $1 AND s.person_id = $2"
    " AND s.ended_at IS NULL AND s.expires_at > $3 AND s.seen_at > $4 ORDER BY s.id DESC LIMIT 100"
};

enum err
session_list(struct db_tx *tx, const struct clock *clock, const struct session_rules *rules, struct id person,
             struct arena *arena, struct session **out, size_t *count_out)
{
    struct wall_time now = clock_wall(clock);
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &session_list_stmt,
                 DB_ARGS(DB_ID(person), DB_TIME(now), DB_TIME(wall_after_ms(now, -rules->idle_ms))), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct session *sessions = arena_array(arena, count, sizeof(*sessions));

    if (err == ERR_OK && sessions == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = session_from_row(rows, i, rules, now, arena, &sessions[i]);
    db_rows_free(rows);
    *out = sessions;
    *count_out = count;
    return err;
}

static const struct db_stmt session_alive_stmt = {
    "session_alive",
    "SELECT s.id, coalesce(s.acting_tenant, '00000000-0000-0000-0000-000000000000') FROM person_session s"
    " JOIN person p ON p.tenant_id = s.tenant_id AND p.id = s.person_id WHERE s.tenant_id = $1 AND s.id = ANY ($2::uuid[])"
    " AND s.ended_at IS NULL AND s.expires_at > $3 AND s.seen_at > $4 AND p.state = 'active' ORDER BY s.id LIMIT 10000"
};

enum err
session_alive(struct db_tx *tx, const struct clock *clock, const struct session_rules *rules,
              const struct id *sessions, size_t count, struct arena *arena, struct session_alive **out,
              size_t *count_out)
{
    struct wall_time now = clock_wall(clock);
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &session_alive_stmt,
        DB_ARGS(DB_ID_ARRAY(sessions, count), DB_TIME(now), DB_TIME(wall_after_ms(now, -rules->idle_ms))),
        &rows);
    size_t alive = err == ERR_OK ? db_rows_count(rows) : 0;

    *out = arena_array(arena, alive, sizeof(**out));
    if (err == ERR_OK && *out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < alive; i++)
        (*out)[i] = (struct session_alive){ db_id(rows, i, 0), db_id(rows, i, 1) };
    *count_out = alive;
    db_rows_free(rows);
    return err;
}

static const struct db_stmt session_end_stmt = {
    "session_end",
    "UPDATE person_session SET ended_at = $4, ended_why = $5 WHERE tenant_id = $1 AND person_id = $2"
    " AND id = $3 AND ended_at IS NULL"
};
static const struct db_stmt session_end_all_stmt = {
    "session_end_all",
    "UPDATE person_session SET ended_at = $4, ended_why = $5 WHERE tenant_id = $1 AND person_id = $2"
    " AND id <> $3 AND ended_at IS NULL"
};

enum err
session_end(struct db_tx *tx, const struct clock *clock, struct id person, struct id session,
            enum session_end why)
{
    return db_exec_one(
        tx, &session_end_stmt,
        DB_ARGS(DB_ID(person), DB_ID(session), DB_TIME(clock_wall(clock)), DB_TEXT_Z(end_word(why))));
}

enum err
session_end_all(struct db_tx *tx, const struct clock *clock, struct id person, struct id except,
                enum session_end why, size_t *count_out)
{
    return db_exec(
        tx, &session_end_all_stmt,
        DB_ARGS(DB_ID(person), DB_ID(except), DB_TIME(clock_wall(clock)), DB_TEXT_Z(end_word(why))),
        count_out);
}
