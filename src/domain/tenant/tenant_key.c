#include "domain/tenant/tenant_key.h"

static const struct db_stmt tenant_key_fetch_stmt = {
    "tenant_key_fetch",
    "SELECT version, kek_version, wrapped_ct, wrapped_iv, wrapped_tag, seals FROM tenant_key"
    " WHERE tenant_id = $1 AND purpose = $2 AND ($3 = 0 OR version = $3) ORDER BY version DESC LIMIT 1"
};

struct fetch {
    enum vault_purpose purpose;
    uint32_t version;
    struct vault_wrapped_key *out;
};

static enum err
fetch_in(struct db_tx *tx, void *ctx)
{
    const struct fetch *fetch = ctx;
    struct vault_wrapped_key *key = fetch->out;
    struct db_rows *rows = NULL;
    enum err err =
        db_query(tx, &tenant_key_fetch_stmt, DB_ARGS(DB_I64(fetch->purpose), DB_I64(fetch->version)), &rows);

    if (err != ERR_OK)
        goto done;
    err = ERR_NOT_FOUND;
    if (db_rows_count(rows) == 0)
        goto done;
    struct slice cipher = db_bytes(rows, 0, 2), iv = db_bytes(rows, 0, 3), tag = db_bytes(rows, 0, 4);
    err = ERR_SEAL_CORRUPT;
    if (cipher.len != sizeof(key->cipher) || iv.len != sizeof(key->iv) || tag.len != sizeof(key->tag))
        goto done;
    *key = (struct vault_wrapped_key){ .tenant = tx->tenant,
                                       .purpose = fetch->purpose,
                                       .version = (uint32_t)db_i64(rows, 0, 0),
                                       .kek_version = (uint32_t)db_i64(rows, 0, 1),
                                       .seals = (uint64_t)db_i64(rows, 0, 5) };
    memcpy(key->cipher, cipher.ptr, cipher.len);
    memcpy(key->iv, iv.ptr, iv.len);
    memcpy(key->tag, tag.ptr, tag.len);
    err = ERR_OK;
done:
    db_rows_free(rows);
    return err;
}

enum err
tenant_key_fetch(void *db, struct id tenant, enum vault_purpose purpose, uint32_t version,
                 struct vault_wrapped_key *out)
{
    struct fetch fetch = { .purpose = purpose, .version = version, .out = out };

    return db_run(db, tenant, fetch_in, &fetch);
}

struct vault
tenant_vault(struct vault_client *client, struct db *db)
{
    return (struct vault){ .client = client, .key_source = tenant_key_fetch, .key_source_ctx = db };
}
