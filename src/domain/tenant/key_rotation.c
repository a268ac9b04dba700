#include "domain/tenant/key_rotation.h"
#include "domain/tenant/tenant_key.h"

#define PURPOSE "admin.key"

static const struct db_stmt action_stmt = {
    "key_action_note", "INSERT INTO key_action (id, action, subject, purpose, version, count, operator)"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7)"
};
static const struct db_stmt tenant_action_stmt = {
    "key_action_note_of_tenant",
    "INSERT INTO key_action (id, action, subject, purpose, version, count, operator)"
    " VALUES ($2, $3, $1, $4, $5, $6, $7)"
};

static enum err
note(struct db_tx *tx, const struct key_operator *operator, const char * action, enum vault_purpose purpose,
     uint32_t version, int64_t count)
{
    const struct key_act act = {
        .action = action, .tenant = tx->tenant, .purpose = purpose, .version = version
    };
    enum err err = db_exec_one(
        tx, &tenant_action_stmt,
        DB_ARGS(DB_ID(id_new(operator->clock)), DB_TEXT_Z(action), purpose == 0 ? DB_NULL : DB_I64(purpose),
                version == 0 ? DB_NULL : DB_I64(version), DB_I64(count), DB_TEXT(operator->name)));

    return err == ERR_OK && operator->tell != NULL ? operator->tell(tx, &act) : err;
}

enum err
key_action_note(struct db_tx *tx, const struct key_operator *operator, const char * action, uint32_t version)
{
    return db_exec_one(tx, &action_stmt,
                       DB_ARGS(DB_ID(id_new(operator->clock)), DB_TEXT_Z(action), DB_NULL, DB_NULL,
                               DB_I64(version), DB_NULL, DB_TEXT(operator->name)));
}

enum err
key_action_tell(struct db_tx *tx, const struct key_operator *operator, const char * action, uint32_t version)
{
    const struct key_act act = { .action = action, .version = version };

    return operator->tell == NULL ? ERR_OK : operator->tell(tx, &act);
}

/* Before the vault is asked: what is asked for and then lost has drawn its IV all the same. */
static const struct db_stmt wraps_stmt = {
    "kek_wraps_add", "UPDATE kek SET wraps = wraps + $1 WHERE version = (SELECT max(version) FROM kek)"
};

static enum err
wraps_add(struct db_tx *tx, void *ctx)
{
    return db_exec_one(tx, &wraps_stmt, DB_ARGS(DB_I64(*(const int64_t *)ctx)));
}

static enum err
wraps_count(struct db *db, int64_t count)
{
    return db_run_across(db, PURPOSE, wraps_add, &count);
}

/* Versions of one tenant's keys. */

static const struct db_stmt versions_stmt = {
    "key_versions", "SELECT purpose, version, kek_version, seals, opens, created_at, used_at FROM tenant_key"
                    " WHERE tenant_id = $1 ORDER BY purpose, version LIMIT 65"
};
_Static_assert(KEY_VERSIONS_MAX == 64, "the statement's limit");

struct versions {
    struct key_version *out;
    size_t count;
};

static enum err
versions_in(struct db_tx *tx, void *ctx)
{
    struct versions *to = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &versions_stmt, DB_NO_ARGS, &rows);

    to->count = err == ERR_OK ? db_rows_count(rows) : 0;
    if (to->count > KEY_VERSIONS_MAX)
        err = ERR_LIMIT;
    for (size_t i = 0; err == ERR_OK && i < to->count; i++) {
        to->out[i] = (struct key_version){ .version = (uint32_t)db_i64(rows, i, 1),
                                           .kek_version = (uint32_t)db_i64(rows, i, 2),
                                           .seals = db_i64(rows, i, 3),
                                           .opens = db_i64(rows, i, 4),
                                           .created_at = db_time(rows, i, 5),
                                           .is_used = !db_is_null(rows, i, 6) };
        if (to->out[i].is_used)
            to->out[i].used_at = db_time(rows, i, 6);
        err = vault_purpose_from((uint32_t)db_i64(rows, i, 0), &to->out[i].purpose);
    }
    db_rows_free(rows);
    return err;
}

enum err
key_versions(struct db *db, struct id tenant, struct key_version out[KEY_VERSIONS_MAX], size_t *count_out)
{
    struct versions versions = { .out = out };
    enum err err = db_run(db, tenant, versions_in, &versions);

    *count_out = err == ERR_OK ? versions.count : 0;
    return err;
}

static const struct db_stmt totals_stmt = {
    "key_totals",
    "SELECT purpose, version, count(*), sum(seals)::bigint, sum(opens)::bigint, max(seals),"
    " min(created_at), max(created_at) FROM tenant_key GROUP BY 1, 2 ORDER BY 1, 2 DESC LIMIT 256"
};
_Static_assert(KEY_TOTALS_MAX == 256, "the statement's limit");

struct totals {
    struct key_total *out;
    size_t count;
};

static enum err
totals_in(struct db_tx *tx, void *ctx)
{
    struct totals *to = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &totals_stmt, DB_NO_ARGS, &rows);

    to->count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; err == ERR_OK && i < to->count; i++) {
        to->out[i] = (struct key_total){ .version = (uint32_t)db_i64(rows, i, 1),
                                         .keys = db_i64(rows, i, 2),
                                         .seals = db_i64(rows, i, 3),
                                         .opens = db_i64(rows, i, 4),
                                         .seals_most = db_i64(rows, i, 5),
                                         .oldest_at = db_time(rows, i, 6),
                                         .newest_at = db_time(rows, i, 7) };
        err = vault_purpose_from((uint32_t)db_i64(rows, i, 0), &to->out[i].purpose);
    }
    db_rows_free(rows);
    return err;
}

enum err
key_totals(struct db *db, struct key_total out[KEY_TOTALS_MAX], size_t *count_out)
{
    struct totals totals = { .out = out };
    enum err err = db_run_across(db, PURPOSE, totals_in, &totals);

    *count_out = err == ERR_OK ? totals.count : 0;
    return err;
}

static const struct db_stmt tenants_stmt = {
    "key_tenants", "SELECT DISTINCT tenant_id FROM tenant_key WHERE tenant_id > $1 ORDER BY 1 LIMIT 256"
};
_Static_assert(KEY_TENANTS_MAX == 256, "the statement's limit");

struct tenants {
    struct id after, *out;
    size_t count;
};

static enum err
tenants_in(struct db_tx *tx, void *ctx)
{
    struct tenants *to = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &tenants_stmt, DB_ARGS(DB_ID(to->after)), &rows);

    to->count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < to->count; i++)
        to->out[i] = db_id(rows, i, 0);
    db_rows_free(rows);
    return err;
}

enum err
key_tenants(struct db *db, struct id after, struct id out[KEY_TENANTS_MAX], size_t *count_out)
{
    struct tenants tenants = { .after = after, .out = out };
    enum err err = db_run_across(db, PURPOSE, tenants_in, &tenants);

    *count_out = err == ERR_OK ? tenants.count : 0;
    return err;
}

/* A further version. */

static const struct db_stmt insert_stmt = {
    "key_insert",
    "INSERT INTO tenant_key (tenant_id, purpose, version, kek_version, wrapped_ct, wrapped_iv, wrapped_tag)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
};

struct change {
    const struct key_operator *operator;
    const struct vault_wrapped_key *key;
    uint32_t old_kek_version;
    size_t changed;
};

#define WRAPPED_ARGS(key)                                                                                    \
    DB_I64((key)->kek_version), DB_BYTES(slice_of((key)->cipher, sizeof((key)->cipher))),                    \
        DB_BYTES(slice_of((key)->iv, sizeof((key)->iv))), DB_BYTES(slice_of((key)->tag, sizeof((key)->tag)))

static enum err
insert_in(struct db_tx *tx, void *ctx)
{
    const struct change *change = ctx;
    const struct vault_wrapped_key *key = change->key;
    enum err err =
        db_exec_one(tx, &insert_stmt, DB_ARGS(DB_I64(key->purpose), DB_I64(key->version), WRAPPED_ARGS(key)));

    return err == ERR_OK ? note(tx, change->operator, "key_made", key->purpose, key->version, 1) : err;
}

enum err
key_advance(struct db *db, const struct vault *vault, const struct key_operator *operator, struct id tenant,
            enum vault_purpose purpose, uint32_t *version_out)
{
    struct vault_wrapped_key newest, made;
    enum err err = tenant_key_fetch(db, tenant, purpose, 0, &newest);

    if (err == ERR_OK)
        err = wraps_count(db, 1);
    if (err == ERR_OK)
        err = vault_make_key(vault, tenant, purpose, newest.version + 1, &made);
    if (err != ERR_OK)
        return err;
    struct change change = { .operator= operator, .key = & made };
    err = db_run(db, tenant, insert_in, &change);
    if (err == ERR_OK)
        err = vault_key_load(vault, &made, true);
    *version_out = made.version;
    return err;
}

/* The same keys under another key-encryption key. */

static const struct db_stmt rewrap_stmt = {
    "key_rewrap", "UPDATE tenant_key SET kek_version = $5, wrapped_ct = $6, wrapped_iv = $7, wrapped_tag = $8"
                  " WHERE tenant_id = $1 AND purpose = $2 AND version = $3 AND kek_version = $4"
};

static enum err
rewrap_in(struct db_tx *tx, void *ctx)
{
    struct change *change = ctx;
    const struct vault_wrapped_key *key = change->key;

    return db_exec(tx, &rewrap_stmt,
                   DB_ARGS(DB_I64(key->purpose), DB_I64(key->version), DB_I64(change->old_kek_version),
                           WRAPPED_ARGS(key)),
                   &change->changed);
}

enum err
key_rewrap(struct db *db, const struct vault *vault, struct id tenant, uint32_t kek_version,
           size_t *count_out)
{
    struct key_version versions[KEY_VERSIONS_MAX];
    struct vault_wrapped_key old, fresh;
    size_t count = 0;
    enum err err = key_versions(db, tenant, versions, &count);

    *count_out = 0;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        if (versions[i].kek_version >= kek_version)
            continue;
        err = wraps_count(db, 1);
        if (err == ERR_OK)
            err = tenant_key_fetch(db, tenant, versions[i].purpose, versions[i].version, &old);
        if (err == ERR_OK)
            err = vault_rewrap(vault, &old, &fresh);
        struct change change = { .key = &fresh, .old_kek_version = old.kek_version };
        if (err == ERR_OK)
            err = db_run(db, tenant, rewrap_in, &change);
        *count_out += change.changed;
    }
    return err;
}

/* Destruction. */

/* Counting may take its time. */
static const struct db_stmt patience_stmt = {
    "key_patience", "SELECT set_config('statement_timeout', '0', true) WHERE $1::uuid IS NOT NULL"
};
static const struct db_stmt left_stmt = { "key_left",
                                          "SELECT rekey_left($2, $3) WHERE $1::uuid IS NOT NULL" };
/* `for update`: nobody makes a version above the newest, or destroys one, in between. */
static const struct db_stmt superseded_stmt = {
    "key_superseded",
    "SELECT created_at < now() - make_interval(secs => $4::bigint) FROM tenant_key"
    " WHERE tenant_id = $1 AND purpose = $2 AND version > $3 ORDER BY version LIMIT 1 FOR UPDATE"
};
static const struct db_stmt delete_stmt = {
    "key_delete", "DELETE FROM tenant_key WHERE tenant_id = $1 AND purpose = $2 AND version = $3"
};

struct destroy {
    const struct key_operator *operator;
    enum vault_purpose purpose;
    uint32_t version;
    int64_t grace_s, left;
};

static enum err
destroy_in(struct db_tx *tx, void *ctx)
{
    struct destroy *destroy = ctx;
    struct db_rows *rows = NULL, *left = NULL;
    enum err err = db_query(
        tx, &superseded_stmt,
        DB_ARGS(DB_I64(destroy->purpose), DB_I64(destroy->version), DB_I64(destroy->grace_s)), &rows);

    if (err != ERR_OK)
        goto done;
    bool is_due = db_rows_count(rows) == 1 && db_bool(rows, 0, 0);
    err = db_exec_one(tx, &patience_stmt, DB_NO_ARGS);
    if (err == ERR_OK)
        err = db_query(tx, &left_stmt, DB_ARGS(DB_I64(destroy->purpose), DB_I64(destroy->version)), &left);
    if (err != ERR_OK)
        goto done;
    destroy->left = db_i64(left, 0, 0);
    err = ERR_NOTHING;
    if (!is_due || destroy->left > 0)
        goto done;
    err = db_exec_one(tx, &delete_stmt, DB_ARGS(DB_I64(destroy->purpose), DB_I64(destroy->version)));
    if (err == ERR_OK)
        err = note(tx, destroy->operator, "key_destroyed", destroy->purpose, destroy->version, 1);
done:
    db_rows_free(left);
    db_rows_free(rows);
    return err;
}

enum err
key_destroy(struct db *db, const struct vault *vault, const struct key_operator *operator, struct id tenant,
            enum vault_purpose purpose, uint32_t version, int64_t grace_s, int64_t *left_out)
{
    struct destroy destroy = {
        .operator= operator, .purpose = purpose, .version = version, .grace_s = grace_s
    };
    enum err err = db_run(db, tenant, destroy_in, &destroy);

    *left_out = destroy.left;
    return err == ERR_OK ? vault_forget_key(vault, tenant, purpose, version) : err;
}

/* The row is locked, so that the tenant is not opened again in between. */
static const struct db_stmt shred_state_stmt = {
    "key_shred_state", "SELECT state, shredded_at FROM tenant WHERE tenant_id = $1 FOR UPDATE"
};
static const struct db_stmt shred_keys_stmt = { "key_shred_keys",
                                                "DELETE FROM tenant_key WHERE tenant_id = $1" };
static const struct db_stmt shred_api_keys_stmt = {
    "key_shred_api_keys", "UPDATE api_key SET revoked_at = now() WHERE tenant_id = $1 AND revoked_at IS NULL"
};
static const struct db_stmt shred_settle_stmt = { "key_shred_settle",
                                                  "SELECT tenant_settle(true) WHERE $1::uuid IS NOT NULL" };
static const struct db_stmt shred_mark_stmt = {
    "key_shred_mark", "UPDATE tenant SET shredded_at = now() WHERE tenant_id = $1"
};

static enum err
shred_in(struct db_tx *tx, void *ctx)
{
    struct db_rows *rows = NULL;
    size_t destroyed = 0;
    enum err err = db_query(tx, &shred_state_stmt, DB_NO_ARGS, &rows);

    if (err != ERR_OK)
        goto done;
    err = ERR_STATE_CONFLICT;
    if (db_rows_count(rows) != 1 || !slice_eq(db_text(rows, 0, 0), SLICE("closed")))
        goto done;
    bool is_done = !db_is_null(rows, 0, 1);
    err = db_exec(tx, &shred_keys_stmt, DB_NO_ARGS, &destroyed);
    if (err == ERR_OK)
        err = db_exec(tx, &shred_api_keys_stmt, DB_NO_ARGS, NULL);
    if (err == ERR_OK)
        err = db_exec_one(tx, &shred_settle_stmt, DB_NO_ARGS);
    if (err != ERR_OK || is_done)
        goto done;
    err = db_exec_one(tx, &shred_mark_stmt, DB_NO_ARGS);
    if (err == ERR_OK)
        err = note(tx, ctx, "shredded", (enum vault_purpose)0, 0, (int64_t)destroyed);
done:
    db_rows_free(rows);
    return err;
}

enum err
key_shred(struct db *db, const struct vault *vault, const struct key_operator *operator, struct id tenant)
{
    struct key_operator copy = *operator;
    enum err err = db_run(db, tenant, shred_in, &copy);

    return err == ERR_OK ? vault_forget_tenant(vault, tenant) : err;
}

/* Key-encryption keys. */

static const struct db_stmt keks_stmt = {
    "kek_versions", "SELECT * FROM (SELECT version, scrypt_n, wraps, (SELECT count(*) FROM tenant_key k"
                    " WHERE k.kek_version = kek.version), created_at, retired_at, made_of FROM kek"
                    " ORDER BY version DESC LIMIT 64) newest ORDER BY version"
};
_Static_assert(KEK_VERSIONS_MAX == 64, "the statement's limit");

struct keks {
    struct kek_version *out;
    size_t count;
};

static enum err
keks_in(struct db_tx *tx, void *ctx)
{
    struct keks *to = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &keks_stmt, DB_NO_ARGS, &rows);

    to->count = err == ERR_OK ? db_rows_count(rows) : 0;
    for (size_t i = 0; i < to->count; i++) {
        to->out[i] = (struct kek_version){ .version = (uint32_t)db_i64(rows, i, 0),
                                           .scrypt_n = (uint32_t)db_i64(rows, i, 1),
                                           .wraps = db_i64(rows, i, 2),
                                           .keys = db_i64(rows, i, 3),
                                           .created_at = db_time(rows, i, 4),
                                           .is_retired = !db_is_null(rows, i, 5),
                                           .made_of = db_is_null(rows, i, 6) ? -1 : db_i64(rows, i, 6) };
        if (to->out[i].is_retired)
            to->out[i].retired_at = db_time(rows, i, 5);
    }
    db_rows_free(rows);
    return err;
}

enum err
kek_versions(struct db *db, struct kek_version out[KEK_VERSIONS_MAX], size_t *count_out)
{
    struct keks keks = { .out = out };
    enum err err = db_run_across(db, PURPOSE, keks_in, &keks);

    *count_out = err == ERR_OK ? keks.count : 0;
    return err;
}

/* `for update` waits for who is storing a key under it, and holds off who wants to (refuse_retired_kek). */
static const struct db_stmt retire_lock_stmt = { "kek_retire_lock",
                                                 "SELECT version FROM kek WHERE version = $1 FOR UPDATE" };
static const struct db_stmt retire_stmt = {
    "kek_retire", "UPDATE kek SET retired_at = now() WHERE version = $1 AND retired_at IS NULL"
                  " AND NOT EXISTS (SELECT FROM tenant_key k WHERE k.kek_version = $1)"
};

struct retire {
    const struct key_operator *operator;
    uint32_t version;
    size_t changed;
};

static enum err
retire_in(struct db_tx *tx, void *ctx)
{
    struct retire *retire = ctx;
    enum err err = db_exec_one(tx, &retire_lock_stmt, DB_ARGS(DB_I64(retire->version)));

    if (err == ERR_OK)
        err = db_exec(tx, &retire_stmt, DB_ARGS(DB_I64(retire->version)), &retire->changed);
    if (err != ERR_OK || retire->changed != 1)
        return err;
    err = key_action_note(tx, retire->operator, "kek_retired", retire->version);
    return err == ERR_OK ? key_action_tell(tx, retire->operator, "kek_retired", retire->version) : err;
}

enum err
kek_retire(struct db *db, const struct vault *vault, const struct key_operator *operator, uint32_t version,
           size_t *count_out)
{
    struct kek_version keks[KEK_VERSIONS_MAX];
    size_t count = 0;
    enum err err = kek_versions(db, keks, &count);

    *count_out = 0;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct retire retire = { .operator= operator, .version = keks[i].version };
        if (keks[i].version >= version)
            continue;
        if (!keks[i].is_retired)
            err = db_run_across(db, PURPOSE, retire_in, &retire);
        if (err == ERR_OK &&
            (keks[i].is_retired || retire.changed == 1)) /* also one that a kill came before */
            err = vault_forget_kek(vault, keks[i].version);
        *count_out += retire.changed;
    }
    return err;
}

static enum err
made_in(struct db_tx *tx, void *ctx)
{
    const struct retire *made = ctx;
    enum err err = key_action_note(tx, made->operator, "kek_made", made->version);

    return err == ERR_OK ? key_action_tell(tx, made->operator, "kek_made", made->version) : err;
}

enum err
kek_note_made(struct db *db, const struct key_operator *operator, uint32_t version)
{
    struct retire made = { .operator= operator, .version = version };

    return db_run_across(db, PURPOSE, made_in, &made);
}
