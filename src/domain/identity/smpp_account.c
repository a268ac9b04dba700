#include "domain/identity/smpp_account.h"
#include "crypto/encode.h"
#include "crypto/kdf.h"
#include "crypto/random.h"
#include <stdio.h>

#define COST_N       (1u << 14) /* 16 MiB and some 40 ms for each try, of which one runs at a time */
#define RANDOM_BYTES 6u         /* eight characters of base64url */

struct verifier {
    struct kdf_scrypt with;
    unsigned char key[KDF_KEY_BYTES];
};

#define COLUMNS                                                                                              \
    "a.tenant_id, a.key_id, a.channel_id, a.system_id, a.category, a.binds_max::bigint, a.revision::bigint," \
    " a.created_at, a.updated_at, a.dedupe"

static enum err
text_take(struct slice text, char *out, size_t bytes)
{
    if (text.len >= bytes)
        return ERR_LIMIT;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return ERR_OK;
}

const char *
smpp_dedupe_word(enum smpp_dedupe dedupe)
{
    return dedupe == SMPP_DEDUPE_REFERENCE ? "reference" : "none";
}

enum err
smpp_dedupe_parse(struct slice word, enum smpp_dedupe *out)
{
    *out = slice_eq(word, SLICE("reference")) ? SMPP_DEDUPE_REFERENCE : SMPP_DEDUPE_NONE;
    return slice_eq(word, slice_text(smpp_dedupe_word(*out))) ? ERR_OK : ERR_CONTRACT;
}

static enum err
from_row(const struct db_rows *rows, struct smpp_account *out)
{
    *out = (struct smpp_account){ .tenant = db_id(rows, 0, 0),
                                  .key = db_id(rows, 0, 1),
                                  .channel = db_id(rows, 0, 2),
                                  .binds_max = (int)db_i64(rows, 0, 5),
                                  .revision = db_i64(rows, 0, 6),
                                  .created_at = db_time(rows, 0, 7),
                                  .updated_at = db_time(rows, 0, 8) };
    enum err err = text_take(db_text(rows, 0, 3), out->system_id, sizeof(out->system_id));
    if (err == ERR_OK)
        err = text_take(db_text(rows, 0, 4), out->category, sizeof(out->category));
    return err == ERR_OK ? smpp_dedupe_parse(db_text(rows, 0, 9), &out->dedupe) : err;
}

/* Eight characters, and what is kept of them. */
static enum err
password_make(struct verifier *verifier, struct secret **out)
{
    unsigned char bits[RANDOM_BYTES];
    struct buf text;

    verifier->with = (struct kdf_scrypt){ .n = COST_N, .r = KDF_SCRYPT_R, .p = KDF_SCRYPT_P };
    buf_init(&text, SMPP_ACCOUNT_PASSWORD_BYTES);
    enum err err = random_fill(bits, sizeof(bits));
    if (err == ERR_OK)
        err = random_fill(verifier->with.salt, sizeof(verifier->with.salt));
    if (err == ERR_OK) {
        encode_base64url(&text, slice_of(bits, sizeof(bits)));
        err = buf_done(&text);
    }
    if (err == ERR_OK)
        err = kdf_scrypt(buf_slice(&text), &verifier->with, verifier->key);
    if (err == ERR_OK) {
        *out = secret_copy(buf_slice(&text));
        err = *out == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    buf_release_wiped(&text);
    explicit_bzero(bits, sizeof(bits));
    return err;
}

/* Twelve of a-z and 2-7: nobody else's, and no telling whose. */
static enum err
name_make(char out[static SMPP_ACCOUNT_NAME_BYTES])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bits[SMPP_ACCOUNT_NAME_BYTES - 1];
    enum err err = random_fill(bits, sizeof(bits));

    for (size_t i = 0; i < sizeof(bits); i++)
        out[i] = letters[bits[i] & 31];
    out[sizeof(bits)] = '\0';
    return err;
}

/* An account that is there keeps its name: what is configured elsewhere wants another password alone. */
static const struct db_stmt smpp_account_put_stmt = {
    "smpp_account_put",
    "INSERT INTO smpp_account AS a (tenant_id, key_id, system_id, channel_id, category, binds_max, cost_n, salt,"
    " verifier, dedupe) SELECT $1, $2, $3, c.id, $5, $6::bigint, $7::bigint, $8, $9, $10 FROM channel c"
    " WHERE c.tenant_id = $1 AND c.id = $4 AND c.state <> 'deleted'"
    " ON CONFLICT (tenant_id, key_id) DO UPDATE SET channel_id = excluded.channel_id,"
    " category = excluded.category, binds_max = excluded.binds_max, cost_n = excluded.cost_n,"
    " salt = excluded.salt, verifier = excluded.verifier, dedupe = excluded.dedupe, updated_at = now(), revision = a.revision + 1"
    " RETURNING " COLUMNS
};

enum err
smpp_account_put(struct db_tx *tx, const struct smpp_account *with, uint64_t permissions, struct arena *arena,
                 struct smpp_account *out, struct secret **password_out)
{
    char name[SMPP_ACCOUNT_NAME_BYTES];
    struct verifier verifier;
    struct secret *password = NULL;
    struct db_rows *rows = NULL;
    struct api_key key;
    enum err err = api_key_get(tx, with->key, arena, &key);

    if (err == ERR_OK && (key.scopes & ~permissions) != 0)
        err = ERR_AUTHORITY;
    if (err == ERR_OK && key.is_revoked)
        err = ERR_STATE_CONFLICT;
    if (err == ERR_OK)
        err = name_make(name);
    if (err == ERR_OK)
        err = password_make(&verifier, &password);
    if (err == ERR_OK)
        err = db_query(tx, &smpp_account_put_stmt,
                       DB_ARGS(DB_ID(with->key), DB_TEXT_Z(name), DB_ID(with->channel),
                               DB_TEXT_Z(with->category), DB_I64(with->binds_max), DB_I64(verifier.with.n),
                               DB_BYTES(slice_of(verifier.with.salt, sizeof(verifier.with.salt))),
                               DB_BYTES(slice_of(verifier.key, sizeof(verifier.key))),
                               DB_TEXT_Z(smpp_dedupe_word(with->dedupe))),
                       &rows);
    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_CHANNEL_UNKNOWN : from_row(rows, out);
    if (err == ERR_OK) {
        *password_out = password;
        password = NULL;
    }
    db_rows_free(rows);
    secret_free(password);
    return err;
}

static const struct db_stmt smpp_account_get_stmt = {
    "smpp_account_get", "SELECT " COLUMNS " FROM smpp_account a WHERE tenant_id = $1 AND key_id = $2"
};

enum err
smpp_account_get(struct db_tx *tx, struct id key, struct smpp_account *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &smpp_account_get_stmt, DB_ARGS(DB_ID(key)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : from_row(rows, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt smpp_account_delete_stmt = {
    "smpp_account_delete", "DELETE FROM smpp_account WHERE tenant_id = $1 AND key_id = $2"
};

enum err
smpp_account_delete(struct db_tx *tx, struct id key)
{
    return db_exec_one(tx, &smpp_account_delete_stmt, DB_ARGS(DB_ID(key)));
}

static const struct db_stmt smpp_account_load_stmt = {
    "smpp_account_load", "SELECT " COLUMNS ", a.cost_n::bigint, a.salt, a.verifier FROM smpp_account a"
                         " WHERE system_id = $1"
};

static enum err
load(struct db *db, struct slice system_id, struct smpp_account *out, struct verifier *verifier)
{
    struct db_tx tx = { .is_open = false };
    struct db_rows *rows = NULL;
    enum err err = db_begin_across(db, "authenticate", &tx);

    if (err == ERR_OK)
        err = db_query(&tx, &smpp_account_load_stmt, DB_ARGS(DB_TEXT(system_id)), &rows);
    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_KEY_INVALID : from_row(rows, out);
    if (err == ERR_OK && verifier != NULL) {
        struct slice salt = db_bytes(rows, 0, 11), key = db_bytes(rows, 0, 12);
        verifier->with.n = (uint32_t)db_i64(rows, 0, 10);
        if (salt.len == sizeof(verifier->with.salt) && key.len == sizeof(verifier->key)) {
            memcpy(verifier->with.salt, salt.ptr, salt.len);
            memcpy(verifier->key, key.ptr, key.len);
        } else {
            err = ERR_KEY_INVALID;
        }
    }
    db_rows_free(rows);
    db_rollback(&tx);
    return err;
}

enum err
smpp_account_load(struct db *db, struct slice system_id, struct smpp_account *out)
{
    return load(db, system_id, out, NULL);
}

enum err
smpp_account_verify(struct db *db, struct slice system_id, struct slice password, struct smpp_account *out)
{
    struct verifier verifier = { .with = { .n = COST_N, .r = KDF_SCRYPT_R, .p = KDF_SCRYPT_P } };
    unsigned char shown[KDF_KEY_BYTES];
    enum err loaded = load(db, system_id, out, &verifier);

    if (loaded != ERR_OK && loaded != ERR_KEY_INVALID)
        return loaded;
    enum err err = kdf_scrypt(password, &verifier.with, shown);
    if (err == ERR_OK && (loaded != ERR_OK || !secret_eq(slice_of(shown, sizeof(shown)),
                                                         slice_of(verifier.key, sizeof(verifier.key)))))
        err = ERR_KEY_INVALID;
    explicit_bzero(shown, sizeof(shown));
    return err;
}

static const struct db_stmt smpp_account_channel_stmt = {
    "smpp_account_channel",
    "SELECT s.channel_id FROM sms_channel s JOIN channel c ON c.tenant_id = s.tenant_id AND c.id = s.channel_id"
    " WHERE s.tenant_id = $1 AND upper(s.sender) = upper($2) AND c.state <> 'deleted'"
};

enum err
smpp_account_channel(struct db_tx *tx, const struct smpp_account *account, struct slice sender,
                     struct id *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &smpp_account_channel_stmt, DB_ARGS(DB_TEXT(sender)), &rows);

    *out = account->channel;
    if (err == ERR_OK && db_rows_count(rows) == 1)
        *out = db_id(rows, 0, 0);
    db_rows_free(rows);
    return err;
}
