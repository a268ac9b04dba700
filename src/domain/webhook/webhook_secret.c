#include "domain/webhook/webhook_secret.h"
#include "domain/tenant/sealed_column.h"
#include "domain/webhook/webhook_signature.h"

static const char *const signing_words[] = {
    [WEBHOOK_SIGNING_HMAC] = "hmac", [WEBHOOK_SIGNING_ED25519] = "ed25519", [WEBHOOK_SIGNING_BOTH] = "both"
};

const char *
webhook_signing_word(enum webhook_signing signing)
{
    return signing_words[signing];
}

enum webhook_signing
webhook_signing_from(struct slice word)
{
    for (size_t i = 0; i < COUNT_OF(signing_words); i++)
        if (slice_eq(word, slice_text(signing_words[i])))
            return (enum webhook_signing)i;
    return WEBHOOK_SIGNING_HMAC;
}

struct vault_place
webhook_secret_place(struct id tenant, struct id endpoint, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "webhook_endpoint",
                                 .column = "secret",
                                 .row = endpoint,
                                 .generation = generation };
}

struct vault_place
webhook_private_key_place(struct id tenant, struct id endpoint, uint32_t generation)
{
    return (struct vault_place){ .tenant = tenant,
                                 .table = "webhook_endpoint",
                                 .column = "private_key",
                                 .row = endpoint,
                                 .generation = generation };
}

enum err
webhook_keys_make(const struct vault *vault, struct id tenant, struct id endpoint, uint32_t generation,
                  bool wants_secret, bool wants_private_key, struct arena *arena, struct webhook_keys *out,
                  struct secret **text_out)
{
    struct secret *octets = NULL, *text = NULL;
    enum err err = ERR_OK;

    *text_out = NULL;
    *out = (struct webhook_keys){ .generation = generation };
    if (wants_secret) {
        struct vault_place place = webhook_secret_place(tenant, endpoint, generation);
        err = webhook_secret_make(&octets, &text);
        if (err == ERR_OK)
            err = vault_seal(vault, VAULT_CREDENTIAL, &place, secret_slice(octets), arena, &out->secret);
        secret_free(octets);
        out->has_secret = err == ERR_OK;
    }
    if (err == ERR_OK && wants_private_key) {
        struct vault_place place = webhook_private_key_place(tenant, endpoint, generation);
        err = vault_make_ed25519(vault, &place, arena, &out->private_key, out->public_key);
        out->has_private_key = err == ERR_OK;
    }
    if (err == ERR_OK) {
        *text_out = text;
        text = NULL;
    }
    secret_free(text);
    return err;
}

/* The nine columns of both, in the table's order; NULLs where there is none. */
#define KEYS_ARGS(keys)                                                                                      \
    (keys)->has_secret ? DB_I64((keys)->secret.key_version) : DB_NULL,                                       \
        (keys)->has_secret ? DB_BYTES((keys)->secret.cipher) : DB_NULL,                                      \
        (keys)->has_secret ? DB_BYTES(slice_of((keys)->secret.iv, VAULT_IV_BYTES)) : DB_NULL,                \
        (keys)->has_secret ? DB_BYTES(slice_of((keys)->secret.tag, VAULT_TAG_BYTES)) : DB_NULL,              \
        (keys)->has_private_key ? DB_BYTES(slice_of((keys)->public_key, VAULT_PUBLIC_KEY_BYTES)) : DB_NULL,  \
        (keys)->has_private_key ? DB_I64((keys)->private_key.key_version) : DB_NULL,                         \
        (keys)->has_private_key ? DB_BYTES((keys)->private_key.cipher) : DB_NULL,                            \
        (keys)->has_private_key ? DB_BYTES(slice_of((keys)->private_key.iv, VAULT_IV_BYTES)) : DB_NULL,      \
        (keys)->has_private_key ? DB_BYTES(slice_of((keys)->private_key.tag, VAULT_TAG_BYTES)) : DB_NULL

static const struct db_stmt keys_insert_stmt = {
    "webhook_keys_insert",
    "INSERT INTO webhook_secret (tenant_id, endpoint_id, generation, secret_key_version, secret_ct, secret_iv, secret_tag,"
    " public_key, private_key_key_version, private_key_ct, private_key_iv, private_key_tag)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
};

enum err
webhook_keys_insert(struct db_tx *tx, struct id endpoint, const struct webhook_keys *keys)
{
    return db_exec_one(tx, &keys_insert_stmt,
                       DB_ARGS(DB_ID(endpoint), DB_I64(keys->generation), KEYS_ARGS(keys)));
}

/* Whether a secret is there is told by its key version: the gateway does not read ciphertexts. */
static const struct db_stmt secret_add_stmt = {
    "webhook_secret_add",
    "UPDATE webhook_secret SET secret_key_version = $4, secret_ct = $5, secret_iv = $6, secret_tag = $7"
    " WHERE tenant_id = $1 AND endpoint_id = $2 AND generation = $3 AND expires_at IS NULL AND secret_key_version IS NULL"
};
static const struct db_stmt private_key_add_stmt = {
    "webhook_private_key_add",
    "UPDATE webhook_secret SET public_key = $4, private_key_key_version = $5, private_key_ct = $6, private_key_iv = $7,"
    " private_key_tag = $8"
    " WHERE tenant_id = $1 AND endpoint_id = $2 AND generation = $3 AND expires_at IS NULL AND public_key IS NULL"
};

enum err
webhook_keys_add(struct db_tx *tx, struct id endpoint, const struct webhook_keys *keys)
{
    enum err err = ERR_OK;

    if (keys->has_secret)
        err = db_exec_one(tx, &secret_add_stmt,
                          DB_ARGS(DB_ID(endpoint), DB_I64(keys->generation), DB_I64(keys->secret.key_version),
                                  SEALED_ARGS(&keys->secret)));
    if (err == ERR_OK && keys->has_private_key)
        err = db_exec_one(tx, &private_key_add_stmt,
                          DB_ARGS(DB_ID(endpoint), DB_I64(keys->generation),
                                  DB_BYTES(slice_of(keys->public_key, VAULT_PUBLIC_KEY_BYTES)),
                                  DB_I64(keys->private_key.key_version), SEALED_ARGS(&keys->private_key)));
    return err;
}

static const struct db_stmt keys_destroy_stmt = {
    "webhook_keys_destroy",
    "DELETE FROM webhook_secret WHERE tenant_id = $1 AND endpoint_id = $2 AND generation < $3"
};
static const struct db_stmt keys_expire_stmt = {
    "webhook_keys_expire",
    "UPDATE webhook_secret SET expires_at = least(expires_at, now() + make_interval(secs => $4))"
    " WHERE tenant_id = $1 AND endpoint_id = $2 AND generation < $3"
};

enum err
webhook_keys_retire(struct db_tx *tx, struct id endpoint, uint32_t generation, int64_t overlap_s)
{
    int64_t kept_from = overlap_s <= 0 ? generation : (int64_t)generation - (WEBHOOK_GENERATIONS_MAX - 1);
    enum err err = db_exec(tx, &keys_destroy_stmt, DB_ARGS(DB_ID(endpoint), DB_I64(kept_from)), NULL);

    if (err == ERR_OK && overlap_s > 0)
        err = db_exec(tx, &keys_expire_stmt, DB_ARGS(DB_ID(endpoint), DB_I64(generation), DB_I64(overlap_s)),
                      NULL);
    return err;
}

static const struct db_stmt keys_live_stmt = {
    "webhook_keys_live",
    "SELECT endpoint_id, generation, secret_key_version, secret_ct, secret_iv, secret_tag, public_key,"
    " private_key_key_version, private_key_ct, private_key_iv, private_key_tag FROM webhook_secret"
    " WHERE endpoint_id = ANY ($1) AND (expires_at IS NULL OR expires_at > now())"
    " ORDER BY endpoint_id, generation DESC LIMIT 1000" /* WEBHOOK_CLAIM_MAX endpoints of
                                                           WEBHOOK_GENERATIONS_MAX */
};

static enum err
keys_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct webhook_keys *out)
{
    enum err err = ERR_OK;

    *out = (struct webhook_keys){ .generation = (uint32_t)db_i64(rows, row, 1),
                                  .has_secret = !db_is_null(rows, row, 2),
                                  .has_private_key = !db_is_null(rows, row, 7) };
    if (out->has_secret)
        err = sealed_column_read(rows, row, 3, (uint32_t)db_i64(rows, row, 2), arena, &out->secret);
    if (err == ERR_OK && out->has_private_key) {
        memcpy(out->public_key, db_bytes(rows, row, 6).ptr,
               sizeof(out->public_key)); /* the table holds its width */
        err = sealed_column_read(rows, row, 8, (uint32_t)db_i64(rows, row, 7), arena, &out->private_key);
    }
    return err;
}

enum err
webhook_keys_live(struct db_tx *tx, const struct id *endpoints, size_t count, struct arena *arena,
                  struct id **endpoints_out, struct webhook_keys **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &keys_live_stmt, DB_ARGS(DB_ID_ARRAY(endpoints, count)), &rows);

    *count_out = 0;
    if (err != ERR_OK)
        goto done;
    size_t found = db_rows_count(rows);
    *endpoints_out = arena_array(arena, found, sizeof(**endpoints_out));
    *out = arena_array(arena, found, sizeof(**out));
    err = *endpoints_out == NULL || *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < found; i++) {
        (*endpoints_out)[i] = db_id(rows, i, 0);
        err = keys_from_row(rows, i, arena, &(*out)[i]);
    }
    if (err == ERR_OK)
        *count_out = found;
done:
    db_rows_free(rows);
    return err;
}

size_t
webhook_sign_asks(struct id tenant, struct id endpoint, const struct webhook_keys *keys, size_t count,
                  enum webhook_signing signing, struct slice content,
                  struct vault_ask asks[static WEBHOOK_SIGN_ASKS_MAX])
{
    size_t asked = 0;

    for (size_t i = 0; i < count && i < WEBHOOK_GENERATIONS_MAX; i++) {
        if (keys[i].has_secret && webhook_signing_has_hmac(signing)) {
            struct vault_place place = webhook_secret_place(tenant, endpoint, keys[i].generation);
            asks[asked++] = vault_ask_sign_mac(&place, &keys[i].secret, content);
        }
        if (keys[i].has_private_key && webhook_signing_has_ed25519(signing)) {
            struct vault_place place = webhook_private_key_place(tenant, endpoint, keys[i].generation);
            asks[asked++] = vault_ask_sign_ed25519(&place, &keys[i].private_key, content);
        }
    }
    return asked;
}

enum err
webhook_signatures_add(const struct vault_ask *asks, size_t count, struct buf *out)
{
    enum err err = count == 0 ? ERR_STATE_CONFLICT : vault_asks_err(asks, count);

    for (size_t i = 0; err == ERR_OK && i < count; i++)
        if (asks[i].op == VAULT_OP_SIGN_MAC)
            webhook_signature_add(out, "v1", slice_of(asks[i].mac, sizeof(asks[i].mac)));
        else
            webhook_signature_add(out, "v1a", slice_of(asks[i].signature, sizeof(asks[i].signature)));
    return err == ERR_OK ? buf_done(out) : err;
}
