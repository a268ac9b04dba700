#include "domain/identity/api_key.h"
#include "crypto/encode.h"
#include "crypto/hash.h"
#include "crypto/random.h"

static const char *const scope_words[API_SCOPE_COUNT] = {
#define SCOPE(name, word) [API_SCOPE_##name] = word,
#include "domain/identity/scope.def"
#undef SCOPE
};

const char *
api_scope_word(enum api_scope scope)
{
    if ((unsigned)scope >= API_SCOPE_COUNT)
        bug("a scope outside scope.def");
    return scope_words[scope];
}

enum err
api_scope_parse(struct slice word, enum api_scope *out)
{
    for (unsigned i = 0; i < API_SCOPE_COUNT; i++)
        if (slice_eq(word, slice_text(scope_words[i]))) {
            *out = (enum api_scope)i;
            return ERR_OK;
        }
    return ERR_NOT_FOUND;
}

size_t
api_scopes_words(uint64_t scopes, struct slice out[static API_SCOPE_COUNT])
{
    size_t count = 0;

    for (unsigned i = 0; i < API_SCOPE_COUNT; i++)
        if (scopes & (UINT64_C(1) << i))
            out[count++] = slice_text(scope_words[i]);
    return count;
}

static struct slice
mode_word(enum api_key_mode mode)
{
    return mode == API_KEY_LIVE ? SLICE("live") : SLICE("test");
}

/* "hk_live_<id>_<secret>" into locked memory. */
static enum err
key_text(struct id id, enum api_key_mode mode, struct slice secret, struct secret **out)
{
    struct buf text;
    char id_text[ID_TEXT_BYTES];
    struct slice printed = id_print(ID_KEY, id, id_text);

    buf_init(&text, API_KEY_TEXT_BYTES);
    buf_add_text(&text, "hk_");
    buf_add(&text, mode_word(mode));
    buf_add_byte(&text, '_');
    buf_add(&text, slice_drop(printed, id_prefix(ID_KEY).len));
    buf_add_byte(&text, '_');
    encode_base64url(&text, secret);
    enum err err = buf_done(&text);
    if (err == ERR_OK) {
        *out = secret_copy(buf_slice(&text));
        err = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(&text);
    return err;
}

enum err
api_key_parse(struct slice text, struct id *id_out, enum api_key_mode *mode_out,
              unsigned char secret_out[API_KEY_SECRET_BYTES])
{
    static const struct slice prefixes[] = { { "hk_live_", 8 }, { "hk_test_", 8 } };
    char id_text[ID_TEXT_BYTES];
    unsigned char secret[48];
    size_t secret_len = 0;

    if (text.len != API_KEY_TEXT_BYTES - 1)
        return ERR_KEY_INVALID;
    if (slice_starts_with(text, prefixes[0]))
        *mode_out = API_KEY_LIVE;
    else if (slice_starts_with(text, prefixes[1]))
        *mode_out = API_KEY_TEST;
    else
        return ERR_KEY_INVALID;
    text = slice_drop(text, prefixes[0].len);
    struct slice prefix = id_prefix(ID_KEY);
    memcpy(id_text, prefix.ptr, prefix.len);
    memcpy(id_text + prefix.len, text.ptr, 26);
    if (id_parse(ID_KEY, slice_of(id_text, prefix.len + 26), id_out) != ERR_OK || text.ptr[26] != '_')
        return ERR_KEY_INVALID;
    enum err err = decode_base64url(slice_drop(text, 27), secret, &secret_len);
    if (err == ERR_OK && secret_len == API_KEY_SECRET_BYTES)
        memcpy(secret_out, secret, API_KEY_SECRET_BYTES);
    else
        err = ERR_KEY_INVALID;
    secret_wipe(secret, sizeof(secret));
    return err;
}

static const struct db_stmt api_key_count_stmt = {
    "api_key_count", "SELECT count(*) FROM api_key WHERE tenant_id = $1 AND revoked_at IS NULL"
                     " AND (expires_at IS NULL OR expires_at > now())"
};

static const struct db_stmt api_key_insert_stmt = {
    "api_key_insert",
    "INSERT INTO api_key (tenant_id, id, name, mode, salt, hash, last_four, scopes, cidrs, expires_at,"
    " created_by_kind, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::text[]::cidr[], $10, $11, $12)"
};

static enum err
key_limit_check(struct db_tx *tx)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &api_key_count_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && db_i64(rows, 0, 0) >= (int64_t)API_KEY_PER_TENANT_MAX)
        err = ERR_TOO_MANY;
    db_rows_free(rows);
    return err;
}

/* A secret that was just drawn: what is kept of it, and the whole key to be shown. */
struct drawn {
    unsigned char salt[API_KEY_SALT_BYTES], hash[HASH_BYTES];
    char last_four[5];
    struct secret *text; /* owned */
};

static enum err
secret_draw(struct id key, enum api_key_mode mode, struct drawn *out)
{
    unsigned char secret[API_KEY_SECRET_BYTES];

    *out = (struct drawn){ .text = NULL };
    enum err err = random_fill(secret, sizeof(secret));
    if (err == ERR_OK)
        err = random_fill(out->salt, sizeof(out->salt));
    if (err == ERR_OK)
        err = hash_sha256_pieces((const struct slice[]){ slice_of(out->salt, sizeof(out->salt)),
                                                         slice_of(secret, sizeof(secret)) },
                                 2, out->hash);
    if (err == ERR_OK)
        err = key_text(key, mode, slice_of(secret, sizeof(secret)), &out->text);
    if (err == ERR_OK) {
        struct slice all = secret_slice(out->text);
        memcpy(out->last_four, all.ptr + all.len - 4, 4);
    }
    secret_wipe(secret, sizeof(secret));
    return err;
}

static enum err
cidrs_check(const struct slice *cidrs, size_t count)
{
    struct address_range range;

    for (size_t i = 0; i < count; i++)
        if (address_range_parse(cidrs[i], &range) != ERR_OK)
            return ERR_DB_DATA;
    return ERR_OK;
}

enum err
api_key_create(struct db_tx *tx, const struct clock *clock, const struct api_key_new *with,
               struct arena *arena, struct api_key *out, struct secret **text_out)
{
    struct slice scopes[API_SCOPE_COUNT];
    size_t scope_count = api_scopes_words(with->scopes, scopes);
    struct id id = id_new(clock);
    struct drawn drawn = { .text = NULL };

    if (with->has_expiry && with->expires_at.us <= clock_wall(clock).us)
        return ERR_DB_DATA;
    enum err err = cidrs_check(with->cidrs, with->cidr_count);
    if (err == ERR_OK)
        err = key_limit_check(tx);
    if (err == ERR_OK)
        err = secret_draw(id, with->mode, &drawn);
    if (err == ERR_OK)
        err = db_exec_one(tx, &api_key_insert_stmt,
                          DB_ARGS(DB_ID(id), DB_TEXT(with->name), DB_TEXT(mode_word(with->mode)),
                                  DB_BYTES(slice_of(drawn.salt, sizeof(drawn.salt))),
                                  DB_BYTES(slice_of(drawn.hash, sizeof(drawn.hash))),
                                  DB_TEXT(slice_of(drawn.last_four, 4)), DB_TEXT_ARRAY(scopes, scope_count),
                                  DB_TEXT_ARRAY(with->cidrs, with->cidr_count),
                                  with->has_expiry ? DB_TIME(with->expires_at) : DB_NULL,
                                  with->maker_kind == NULL ? DB_NULL : DB_TEXT_Z(with->maker_kind),
                                  id_is_zero(with->maker) ? DB_NULL : DB_ID(with->maker)));
    if (err == ERR_OK)
        err = api_key_get(tx, id, arena, out);
    if (err == ERR_OK) {
        *text_out = drawn.text;
        drawn.text = NULL;
    }
    secret_free(drawn.text);
    return err;
}

#define KEY_COLUMNS                                                                                          \
    "id, name, mode, last_four, scopes, cidrs::text[], created_at, expires_at, revoked_at, last_used_at,"    \
    " host(last_used_from), created_by_kind, created_by, rotated_at, previous_until"

enum err
api_scopes_from_row(const struct db_rows *rows, size_t row, int column, struct arena *arena, uint64_t *out)
{
    struct slice words[64];
    size_t count = 0;
    enum err err = db_text_array(rows, row, column, arena, words, COUNT_OF(words), &count);

    *out = 0;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        enum api_scope scope;
        if (api_scope_parse(words[i], &scope) == ERR_OK) /* one of a newer build grants nothing here */
            *out |= UINT64_C(1) << scope;
    }
    return err;
}

static enum err
key_from_row(const struct db_rows *rows, size_t row, struct id tenant, struct arena *arena,
             struct api_key *out)
{
    struct slice last_four = db_text(rows, row, 3);

    *out = (struct api_key){ .id = db_id(rows, row, 0),
                             .tenant = tenant,
                             .name = arena_copy(arena, db_text(rows, row, 1)),
                             .mode =
                                 slice_eq(db_text(rows, row, 2), SLICE("live")) ? API_KEY_LIVE : API_KEY_TEST,
                             .created_at = db_time(rows, row, 6),
                             .has_expiry = !db_is_null(rows, row, 7),
                             .is_revoked = !db_is_null(rows, row, 8),
                             .was_used = !db_is_null(rows, row, 9),
                             .last_used_from = arena_copy(arena, db_text(rows, row, 10)) };
    if (out->has_expiry)
        out->expires_at = db_time(rows, row, 7);
    if (out->is_revoked)
        out->revoked_at = db_time(rows, row, 8);
    if (out->was_used)
        out->last_used_at = db_time(rows, row, 9);
    if (!db_is_null(rows, row, 11))
        out->maker_kind = arena_copy(arena, db_text(rows, row, 11));
    if (!db_is_null(rows, row, 12))
        out->maker = db_id(rows, row, 12);
    out->was_rotated = !db_is_null(rows, row, 13);
    if (out->was_rotated)
        out->rotated_at = db_time(rows, row, 13);
    out->has_previous = !db_is_null(rows, row, 14);
    if (out->has_previous)
        out->previous_until = db_time(rows, row, 14);
    memcpy(out->last_four, last_four.ptr, last_four.len < 4 ? last_four.len : 4);
    out->cidrs = arena_array(arena, API_KEY_CIDRS_MAX, sizeof(*out->cidrs));
    if (out->cidrs == NULL || out->name.ptr == NULL)
        return ERR_NO_MEMORY;
    enum err err = api_scopes_from_row(rows, row, 4, arena, &out->scopes);
    if (err == ERR_OK)
        err = db_text_array(rows, row, 5, arena, out->cidrs, API_KEY_CIDRS_MAX, &out->cidr_count);
    return err;
}

static const struct db_stmt api_key_list_stmt = {
    "api_key_list",
    "SELECT " KEY_COLUMNS " FROM api_key WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id < $2)"
    " ORDER BY id DESC LIMIT $3"
};

enum err
api_key_list(struct db_tx *tx, struct id before, size_t limit, struct arena *arena, struct api_key **out,
             size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &api_key_list_stmt,
                 DB_ARGS(id_is_zero(before) ? DB_NULL : DB_ID(before), DB_I64((int64_t)limit + 1)), &rows);

    if (err != ERR_OK)
        goto done;
    size_t count = db_rows_count(rows);
    struct api_key *keys = arena_array(arena, count, sizeof(*keys));
    err = keys == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = key_from_row(rows, i, tx->tenant, arena, &keys[i]);
    if (err == ERR_OK) {
        *out = keys;
        *count_out = count;
    }
done:
    db_rows_free(rows);
    return err;
}

static const struct db_stmt api_key_get_stmt = { "api_key_get", "SELECT " KEY_COLUMNS " FROM api_key"
                                                                " WHERE tenant_id = $1 AND id = $2" };

enum err
api_key_get(struct db_tx *tx, struct id key, struct arena *arena, struct api_key *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &api_key_get_stmt, DB_ARGS(DB_ID(key)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : key_from_row(rows, 0, tx->tenant, arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt api_key_lock_stmt = { "api_key_lock",
                                                  "SELECT " KEY_COLUMNS " FROM api_key"
                                                  " WHERE tenant_id = $1 AND id = $2 FOR UPDATE" };

/* The key that is to be changed. Whoever changes a key, or is given its new secret, could use it. */
static enum err
key_lock(struct db_tx *tx, struct id key, uint64_t permissions, struct arena *arena, struct api_key *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &api_key_lock_stmt, DB_ARGS(DB_ID(key)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : key_from_row(rows, 0, tx->tenant, arena, out);
    db_rows_free(rows);
    if (err == ERR_OK && (out->scopes & ~permissions) != 0)
        err = ERR_AUTHORITY;
    return err == ERR_OK && out->is_revoked ? ERR_STATE_CONFLICT : err;
}

static const struct db_stmt api_key_change_stmt = {
    "api_key_change", "UPDATE api_key SET name = $3, scopes = $4, cidrs = $5::text[]::cidr[], expires_at = $6"
                      " WHERE tenant_id = $1 AND id = $2"
};

enum err
api_key_change(struct db_tx *tx, const struct clock *clock, struct id key, uint64_t permissions,
               const struct api_key_change *change, struct arena *arena, struct api_key *out)
{
    struct slice scopes[API_SCOPE_COUNT];
    enum err err = key_lock(tx, key, permissions, arena, out);

    if (err != ERR_OK)
        return err;
    uint64_t wanted = change->has_scopes ? change->scopes : out->scopes;
    bool has_expiry = change->has_expires_at ? change->has_expiry : out->has_expiry;
    struct wall_time expires_at = change->has_expires_at ? change->expires_at : out->expires_at;
    const struct slice *cidrs = change->has_cidrs ? change->cidrs : out->cidrs;
    size_t cidr_count = change->has_cidrs ? change->cidr_count : out->cidr_count;
    if ((wanted & ~permissions) != 0)
        return ERR_AUTHORITY;
    if (change->has_expires_at && has_expiry && expires_at.us <= clock_wall(clock).us)
        return ERR_DB_DATA;
    err = cidrs_check(cidrs, cidr_count);
    if (err == ERR_OK)
        err = db_exec_one(tx, &api_key_change_stmt,
                          DB_ARGS(DB_ID(key), DB_TEXT(change->name.ptr == NULL ? out->name : change->name),
                                  DB_TEXT_ARRAY(scopes, api_scopes_words(wanted, scopes)),
                                  DB_TEXT_ARRAY(cidrs, cidr_count),
                                  has_expiry ? DB_TIME(expires_at) : DB_NULL));
    return err == ERR_OK ? api_key_get(tx, key, arena, out) : err;
}

/* An overlap of nothing keeps nothing. */
static const struct db_stmt api_key_rotate_stmt = {
    "api_key_rotate",
    "UPDATE api_key SET salt = $3, hash = $4, last_four = $5, rotated_at = $6, previous_until = $7,"
    " previous_salt = CASE WHEN $7::timestamptz IS NULL THEN NULL ELSE salt END,"
    " previous_hash = CASE WHEN $7::timestamptz IS NULL THEN NULL ELSE hash END WHERE tenant_id = $1 AND id = $2"
};

enum err
api_key_rotate(struct db_tx *tx, const struct clock *clock, struct id key, uint64_t permissions,
               int64_t overlap_s, struct arena *arena, struct api_key *out, struct secret **text_out)
{
    struct wall_time now = clock_wall(clock);
    struct drawn drawn = { .text = NULL };
    enum err err = key_lock(tx, key, permissions, arena, out);

    if (err == ERR_OK && out->has_expiry && out->expires_at.us <= now.us)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = secret_draw(key, out->mode, &drawn);
    if (err == ERR_OK)
        err = db_exec_one(tx, &api_key_rotate_stmt,
                          DB_ARGS(DB_ID(key), DB_BYTES(slice_of(drawn.salt, sizeof(drawn.salt))),
                                  DB_BYTES(slice_of(drawn.hash, sizeof(drawn.hash))),
                                  DB_TEXT(slice_of(drawn.last_four, 4)), DB_TIME(now),
                                  overlap_s > 0 ? DB_TIME(wall_after_ms(now, overlap_s * 1000)) : DB_NULL));
    if (err == ERR_OK)
        err = api_key_get(tx, key, arena, out);
    if (err == ERR_OK) {
        *text_out = drawn.text;
        drawn.text = NULL;
    }
    secret_free(drawn.text);
    return err;
}

static const struct db_stmt api_key_revoke_stmt = {
    "api_key_revoke",
    "UPDATE api_key SET revoked_at = coalesce(revoked_at, $3) WHERE tenant_id = $1 AND id = $2"
};

enum err
api_key_revoke(struct db_tx *tx, const struct clock *clock, struct id key)
{
    return db_exec_one(tx, &api_key_revoke_stmt, DB_ARGS(DB_ID(key), DB_TIME(clock_wall(clock))));
}

static const struct db_stmt api_principal_load_stmt = {
    "api_principal_load",
    "SELECT k.tenant_id, k.mode, t.state, k.scopes, k.salt, k.hash, k.expires_at, k.revoked_at IS NOT NULL,"
    " k.cidrs::text[], k.previous_salt, k.previous_hash, k.previous_until FROM api_key k JOIN tenant t USING (tenant_id) WHERE k.id = $1"
};

static enum err
principal_from_row(const struct db_rows *rows, struct arena *arena, struct api_principal *out)
{
    struct slice salt = db_bytes(rows, 0, 4), hash = db_bytes(rows, 0, 5);
    struct slice cidrs[API_KEY_CIDRS_MAX];

    out->tenant = db_id(rows, 0, 0);
    out->mode = slice_eq(db_text(rows, 0, 1), SLICE("live")) ? API_KEY_LIVE : API_KEY_TEST;
    enum err err = tenant_state_parse(db_text(rows, 0, 2), &out->tenant_state);
    if (err == ERR_OK)
        err = api_scopes_from_row(rows, 0, 3, arena, &out->scopes);
    if (err == ERR_OK && (salt.len != sizeof(out->salt) || hash.len != sizeof(out->hash)))
        err = ERR_KEY_INVALID;
    if (err != ERR_OK)
        return err;
    memcpy(out->salt, salt.ptr, salt.len);
    memcpy(out->hash, hash.ptr, hash.len);
    out->has_expiry = !db_is_null(rows, 0, 6);
    if (out->has_expiry)
        out->expires_at = db_time(rows, 0, 6);
    out->is_revoked = db_bool(rows, 0, 7);
    struct slice before_salt = db_bytes(rows, 0, 9), before_hash = db_bytes(rows, 0, 10);
    out->has_previous = before_salt.len == sizeof(out->previous_salt) &&
                        before_hash.len == sizeof(out->previous_hash) && !db_is_null(rows, 0, 11);
    if (out->has_previous) {
        memcpy(out->previous_salt, before_salt.ptr, before_salt.len);
        memcpy(out->previous_hash, before_hash.ptr, before_hash.len);
        out->previous_until = db_time(rows, 0, 11);
    }
    err = db_text_array(rows, 0, 8, arena, cidrs, COUNT_OF(cidrs), &out->range_count);
    for (size_t i = 0; err == ERR_OK && i < out->range_count; i++)
        err = address_range_parse(cidrs[i], &out->ranges[i]);
    return err;
}

enum err
api_principal_load(struct db *db, struct id key, struct api_principal *out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    struct arena *arena = arena_new(64 * 1024); /* 64 CIDRs and 32 scopes fit many times */
    enum err err = arena == NULL ? ERR_NO_MEMORY : db_begin_across(db, "authenticate", &tx);

    *out = (struct api_principal){ .key = key };
    if (err == ERR_OK)
        err = db_query(&tx, &api_principal_load_stmt, DB_ARGS(DB_ID(key)), &rows);
    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_KEY_INVALID : principal_from_row(rows, arena, out);
    db_rows_free(rows);
    db_rollback(&tx);
    arena_free(arena);
    return err;
}

static const struct db_stmt api_keys_alive_stmt = {
    "api_keys_alive",
    "SELECT k.id FROM api_key k JOIN tenant t USING (tenant_id) WHERE k.id = ANY ($1::uuid[]) AND k.revoked_at IS NULL"
    " AND (k.expires_at IS NULL OR k.expires_at > $2) AND t.state = 'active' ORDER BY k.id LIMIT 10000"
};

enum err
api_keys_alive(struct db *db, const struct clock *clock, const struct id *keys, size_t count,
               struct arena *arena, struct id **out, size_t *count_out)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "authenticate", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &api_keys_alive_stmt,
                       DB_ARGS(DB_ID_ARRAY(keys, count), DB_TIME(clock_wall(clock))), &rows);
    size_t alive = err == ERR_OK ? db_rows_count(rows) : 0;
    *out = arena_array(arena, alive, sizeof(**out));
    if (err == ERR_OK && *out == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < alive; i++)
        (*out)[i] = db_id(rows, i, 0);
    *count_out = alive;
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

static const struct db_stmt api_key_note_use_stmt = {
    "api_key_note_use", "UPDATE api_key SET last_used_at = greatest(last_used_at, $3), last_used_from = "
                        "coalesce($4::text::inet, last_used_from)"
                        " WHERE tenant_id = $1 AND id = $2"
};

struct note_use {
    struct id key;
    struct wall_time at;
    struct slice from;
};

static enum err
note_use(struct db_tx *tx, void *ctx)
{
    const struct note_use *use = ctx;
    struct slice from = use->from.len == 0 ? SLICE_EMPTY : use->from;

    return db_exec(tx, &api_key_note_use_stmt, DB_ARGS(DB_ID(use->key), DB_TIME(use->at), DB_TEXT(from)),
                   NULL);
}

enum err
api_key_note_use(struct db *db, struct id tenant, struct id key, struct wall_time at, struct slice from)
{
    struct note_use use = { .key = key, .at = at, .from = from };

    return db_run(db, tenant, note_use, &use);
}
