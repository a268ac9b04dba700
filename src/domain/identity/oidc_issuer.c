#include "domain/identity/oidc_issuer.h"
#include "domain/tenant/sealed_column.h"
#include "domain/tenant/tenant.h"

struct vault_place
oidc_issuer_secret_place(struct id issuer)
{
    return (struct vault_place){
        .tenant = tenant_platform, .table = "oidc_issuer", .column = "client_secret", .row = issuer
    };
}

#define ISSUER_COLUMNS                                                                                       \
    "id, name, issuer, client_id, algorithm, domains, created_at, authorization_endpoint, names_itself,"     \
    " discovered_at"

static enum err
issuer_from_row(const struct db_rows *rows, size_t row, struct arena *arena, struct oidc_issuer *out)
{
    struct slice *domains = arena_array(arena, OIDC_ISSUER_DOMAINS_MAX, sizeof(*domains));

    if (domains == NULL)
        return ERR_NO_MEMORY;
    *out = (struct oidc_issuer){ .id = db_id(rows, row, 0),
                                 .name = arena_copy(arena, db_text(rows, row, 1)),
                                 .issuer = arena_copy(arena, db_text(rows, row, 2)),
                                 .client_id = arena_copy(arena, db_text(rows, row, 3)),
                                 .algorithm = arena_copy(arena, db_text(rows, row, 4)),
                                 .domains = domains,
                                 .created_at = db_time(rows, row, 6),
                                 .is_discovered = !db_is_null(rows, row, 9) };
    enum err err = db_text_array(rows, row, 5, arena, domains, OIDC_ISSUER_DOMAINS_MAX, &out->domain_count);
    if (err == ERR_OK && out->is_discovered) {
        out->authorization_endpoint = arena_copy(arena, db_text(rows, row, 7));
        out->names_itself = db_bool(rows, row, 8);
        out->discovered_at = db_time(rows, row, 9);
        err = out->authorization_endpoint.ptr == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    if (err == ERR_OK && (out->name.ptr == NULL || out->issuer.ptr == NULL || out->client_id.ptr == NULL ||
                          out->algorithm.ptr == NULL))
        err = ERR_NO_MEMORY;
    return err;
}

static const struct db_stmt list_stmt = { "oidc_issuer_list",
                                          "SELECT " ISSUER_COLUMNS " FROM oidc_issuer WHERE tenant_id = $1"
                                          " ORDER BY name, id LIMIT 32" };
_Static_assert(OIDC_ISSUERS_MAX == 32, "the statement's limit");

enum err
oidc_issuer_list(struct db_tx *tx, struct arena *arena, struct oidc_issuer **out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &list_stmt, DB_NO_ARGS, &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;
    struct oidc_issuer *all = err == ERR_OK ? arena_array(arena, count, sizeof(*all)) : NULL;

    if (err == ERR_OK && all == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < count; i++)
        err = issuer_from_row(rows, i, arena, &all[i]);
    if (err == ERR_OK) {
        *out = all;
        *count_out = count;
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt get_stmt = { "oidc_issuer_get", "SELECT " ISSUER_COLUMNS " FROM oidc_issuer"
                                                            " WHERE tenant_id = $1 AND id = $2" };

enum err
oidc_issuer_get(struct db_tx *tx, struct id issuer, struct arena *arena, struct oidc_issuer *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &get_stmt, DB_ARGS(DB_ID(issuer)), &rows);

    if (err == ERR_OK)
        err = db_rows_count(rows) == 0 ? ERR_NOT_FOUND : issuer_from_row(rows, 0, arena, out);
    db_rows_free(rows);
    return err;
}

bool
oidc_issuer_admits(const struct oidc_issuer *issuer, struct slice email, bool is_verified)
{
    size_t at = slice_find(email, '@');
    struct slice domain = slice_drop(email, at < email.len ? at + 1 : email.len);

    if (issuer->domain_count == 0)
        return true;
    for (size_t i = 0; is_verified && domain.len != 0 && i < issuer->domain_count; i++)
        if (slice_eq(domain, issuer->domains[i]))
            return true;
    return false;
}

/* Two that add at the same time may be one too many: the list shows all the same no more. */
static const struct db_stmt insert_stmt = {
    "oidc_issuer_insert",
    "INSERT INTO oidc_issuer (tenant_id, id, name, issuer, client_id, algorithm, domains, key_version, client_secret_ct,"
    " client_secret_iv, client_secret_tag, created_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12"
    " WHERE (SELECT count(*) FROM oidc_issuer WHERE tenant_id = $1) < 32"
};

enum err
oidc_issuer_insert(struct db_tx *tx, const struct oidc_issuer *issuer, const struct vault_sealed *secret)
{
    enum err err = db_exec_one(
        tx, &insert_stmt,
        DB_ARGS(DB_ID(issuer->id), DB_TEXT(issuer->name), DB_TEXT(issuer->issuer), DB_TEXT(issuer->client_id),
                DB_TEXT(issuer->algorithm), DB_TEXT_ARRAY(issuer->domains, issuer->domain_count),
                DB_I64(secret->key_version), SEALED_ARGS(secret), DB_TIME(issuer->created_at)));

    return err == ERR_NOT_FOUND ? ERR_TOO_MANY : err;
}

static const struct db_stmt end_stmt = {
    "oidc_issuer_end_sessions",
    "UPDATE person_session SET ended_at = $3, ended_why = 'revoked' WHERE tenant_id = $1 AND ended_at IS NULL"
    " AND expires_at > $3 AND 'federated' = ANY (factors) AND person_id IN"
    " (SELECT person_id FROM oidc_identity WHERE tenant_id = $1 AND issuer_id = $2)"
};
static const struct db_stmt delete_stmt = { "oidc_issuer_delete",
                                            "DELETE FROM oidc_issuer WHERE tenant_id = $1 AND id = $2" };

enum err
oidc_issuer_delete(struct db_tx *tx, const struct clock *clock, struct id issuer, size_t *sessions_ended_out)
{
    enum err err =
        db_exec(tx, &end_stmt, DB_ARGS(DB_ID(issuer), DB_TIME(clock_wall(clock))), sessions_ended_out);

    return err == ERR_OK ? db_exec_one(tx, &delete_stmt, DB_ARGS(DB_ID(issuer))) : err;
}

static const struct db_stmt people_stmt = {
    "oidc_issuer_people",
    "SELECT count(DISTINCT person_id) FROM oidc_identity WHERE tenant_id = $1 AND issuer_id = $2"
};

enum err
oidc_issuer_people(struct db_tx *tx, struct id issuer, size_t *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &people_stmt, DB_ARGS(DB_ID(issuer)), &rows);

    if (err == ERR_OK)
        *out = (size_t)db_i64(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt secret_stmt = {
    "oidc_issuer_secret",
    "SELECT key_version, client_secret_ct, client_secret_iv, client_secret_tag FROM oidc_issuer"
    " WHERE tenant_id = $1 AND id = $2"
};

enum err
oidc_issuer_secret_read(struct db_tx *tx, struct id issuer, struct arena *arena, struct vault_sealed *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &secret_stmt, DB_ARGS(DB_ID(issuer)), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        err = sealed_column_read(rows, 0, 1, (uint32_t)db_i64(rows, 0, 0), arena, out);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt discovered_stmt = {
    "oidc_issuer_discovered", "UPDATE oidc_issuer SET authorization_endpoint = $3, names_itself = $4,"
                              " discovered_at = $5 WHERE tenant_id = $1 AND id = $2"
};

enum err
oidc_issuer_discovered(struct db_tx *tx, struct id issuer, struct slice authorization_endpoint,
                       bool names_itself, struct wall_time now)
{
    return db_exec_one(
        tx, &discovered_stmt,
        DB_ARGS(DB_ID(issuer), DB_TEXT(authorization_endpoint), DB_BOOL(names_itself), DB_TIME(now)));
}
