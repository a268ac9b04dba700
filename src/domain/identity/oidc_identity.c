#include "domain/identity/oidc_identity.h"
#include "domain/tenant/sealed_column.h"
#include "domain/tenant/tenant.h"

#define SUBJECT_LABEL     "oidc_identity.subject"
#define SUBJECT_BYTES_MAX 255u

enum err
oidc_identity_index(const struct vault *vault, struct id issuer, struct slice subject,
                    unsigned char out[static VAULT_INDEX_BYTES])
{
    unsigned char all[ID_BYTES + SUBJECT_BYTES_MAX]; /* the first is of one length: nothing reads two ways */

    if (subject.len == 0 || subject.len > SUBJECT_BYTES_MAX)
        return ERR_IDENTITY_TOKEN;
    memcpy(all, issuer.bytes, ID_BYTES);
    memcpy(all + ID_BYTES, subject.ptr, subject.len);
    return vault_index(vault, tenant_platform, SUBJECT_LABEL, slice_of(all, ID_BYTES + subject.len), out);
}

static struct vault_place
email_place(struct id identity)
{
    return (struct vault_place){
        .tenant = tenant_platform, .table = "oidc_identity", .column = "email", .row = identity
    };
}

enum err
oidc_identity_seal(const struct vault *vault, struct id id, struct id person, struct id issuer,
                   struct slice subject, struct slice email, struct arena *arena,
                   struct oidc_identity_new *out)
{
    const struct vault_place place = email_place(id);

    *out = (struct oidc_identity_new){
        .id = id, .person = person, .issuer = issuer, .has_email = email.len != 0
    };
    enum err err = oidc_identity_index(vault, issuer, subject, out->subject_index);
    if (err == ERR_OK && out->has_email)
        err = vault_seal(vault, VAULT_CONTENT, &place, email, arena, &out->email);
    return err;
}

static const struct db_stmt insert_stmt = {
    "oidc_identity_insert",
    "INSERT INTO oidc_identity (tenant_id, id, person_id, issuer_id, subject_index, key_version, email_ct, email_iv,"
    " email_tag, created_at, last_used_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, CASE WHEN $11 THEN $10 END"
    " WHERE (SELECT count(*) FROM oidc_identity WHERE tenant_id = $1 AND person_id = $3) < 10"
};
_Static_assert(OIDC_IDENTITIES_MAX == 10, "the statement's limit");

enum err
oidc_identity_insert(struct db_tx *tx, const struct oidc_identity_new *identity, struct wall_time now,
                     bool is_used)
{
    const struct vault_sealed *email = &identity->email;
    bool has = identity->has_email;
    const struct slice none = SLICE_EMPTY;
    enum err err =
        db_exec_one(tx, &insert_stmt,
                    DB_ARGS(DB_ID(identity->id), DB_ID(identity->person), DB_ID(identity->issuer),
                            DB_BYTES(slice_of(identity->subject_index, VAULT_INDEX_BYTES)),
                            has ? DB_I64(email->key_version) : DB_NULL, DB_BYTES(has ? email->cipher : none),
                            DB_BYTES(has ? slice_of(email->iv, VAULT_IV_BYTES) : none),
                            DB_BYTES(has ? slice_of(email->tag, VAULT_TAG_BYTES) : none), DB_TIME(now),
                            DB_BOOL(is_used)));

    if (err == ERR_DB_CONSTRAINT)
        return ERR_NOT_FOUND;
    return err == ERR_NOT_FOUND ? ERR_TOO_MANY : err;
}

static const struct db_stmt find_stmt = { "oidc_identity_find",
                                          "SELECT id, person_id FROM oidc_identity"
                                          " WHERE tenant_id = $1 AND issuer_id = $2 AND subject_index = $3" };

enum err
oidc_identity_find(struct db_tx *tx, struct id issuer,
                   const unsigned char subject_index[static VAULT_INDEX_BYTES], struct id *identity_out,
                   struct id *person_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &find_stmt, DB_ARGS(DB_ID(issuer), DB_BYTES(slice_of(subject_index, VAULT_INDEX_BYTES))), &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK) {
        *identity_out = db_id(rows, 0, 0);
        *person_out = db_id(rows, 0, 1);
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt used_stmt = {
    "oidc_identity_used", "UPDATE oidc_identity SET last_used_at = $3 WHERE tenant_id = $1 AND id = $2"
};

enum err
oidc_identity_used(struct db_tx *tx, struct id identity, struct wall_time now)
{
    return db_exec_one(tx, &used_stmt, DB_ARGS(DB_ID(identity), DB_TIME(now)));
}

/* The person's rows are held, so that of two that go at once one stays. */
static const struct db_stmt lock_stmt = { "oidc_identity_lock",
                                          "SELECT id FROM oidc_identity WHERE tenant_id = $1"
                                          " AND person_id = $2 FOR UPDATE" };
static const struct db_stmt has_passkey_stmt = {
    "oidc_identity_has_passkey", "SELECT EXISTS (SELECT FROM passkey WHERE tenant_id = $1 AND person_id = $2)"
};
static const struct db_stmt delete_stmt = {
    "oidc_identity_delete", "DELETE FROM oidc_identity WHERE tenant_id = $1 AND person_id = $2 AND id = $3"
};

enum err
oidc_identity_delete(struct db_tx *tx, struct id person, struct id identity)
{
    struct db_rows *rows = NULL, *passkeys = NULL;
    bool is_there = false;
    enum err err = db_query(tx, &lock_stmt, DB_ARGS(DB_ID(person)), &rows);
    size_t count = err == ERR_OK ? db_rows_count(rows) : 0;

    for (size_t i = 0; i < count; i++)
        is_there = is_there || id_eq(db_id(rows, i, 0), identity);
    if (err == ERR_OK && !is_there)
        err = ERR_NOT_FOUND;
    if (err == ERR_OK && count == 1)
        err = db_query(tx, &has_passkey_stmt, DB_ARGS(DB_ID(person)), &passkeys);
    if (err == ERR_OK && count == 1 && !db_bool(passkeys, 0, 0))
        err = ERR_STATE_CONFLICT;
    db_rows_free(passkeys);
    db_rows_free(rows);
    return err == ERR_OK ? db_exec_one(tx, &delete_stmt, DB_ARGS(DB_ID(person), DB_ID(identity))) : err;
}

struct list {
    struct id person;
    struct arena *arena;
    struct oidc_identity *identities;
    struct vault_sealed *emails; /* cipher NULL: none */
    size_t count;
};

static const struct db_stmt list_stmt = {
    "oidc_identity_list",
    "SELECT d.id, d.issuer_id, i.name, d.created_at, d.last_used_at, d.key_version, d.email_ct, d.email_iv, d.email_tag"
    " FROM oidc_identity d JOIN oidc_issuer i ON i.tenant_id = d.tenant_id AND i.id = d.issuer_id"
    " WHERE d.tenant_id = $1 AND d.person_id = $2 ORDER BY d.id LIMIT 10"
};

static enum err
list_in(struct db_tx *tx, void *ctx)
{
    struct list *list = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &list_stmt, DB_ARGS(DB_ID(list->person)), &rows);

    list->count = err == ERR_OK ? db_rows_count(rows) : 0;
    if (err == ERR_OK) {
        list->identities = arena_array(list->arena, list->count, sizeof(*list->identities));
        list->emails = arena_array(list->arena, list->count, sizeof(*list->emails));
        err = list->identities == NULL || list->emails == NULL ? ERR_NO_MEMORY : ERR_OK;
    }
    for (size_t i = 0; err == ERR_OK && i < list->count; i++) {
        struct oidc_identity *identity = &list->identities[i];
        *identity = (struct oidc_identity){ .id = db_id(rows, i, 0),
                                            .person = list->person,
                                            .issuer = db_id(rows, i, 1),
                                            .issuer_name = arena_copy(list->arena, db_text(rows, i, 2)),
                                            .created_at = db_time(rows, i, 3),
                                            .was_used = !db_is_null(rows, i, 4) };
        list->emails[i] = (struct vault_sealed){ .cipher = SLICE_EMPTY };
        if (identity->issuer_name.ptr == NULL)
            err = ERR_NO_MEMORY;
        if (identity->was_used)
            identity->last_used_at = db_time(rows, i, 4);
        if (err == ERR_OK && !db_is_null(rows, i, 5))
            err = sealed_column_read(rows, i, 6, (uint32_t)db_i64(rows, i, 5), list->arena, &list->emails[i]);
    }
    db_rows_free(rows);
    return err;
}

enum err
oidc_identity_list(struct db *db, const struct vault *vault, struct id person, struct arena *arena,
                   struct oidc_identity **out, size_t *count_out)
{
    struct list list = { .person = person, .arena = arena };
    enum err err = db_run(db, tenant_platform, list_in, &list);

    for (size_t i = 0; err == ERR_OK && i < list.count; i++) {
        const struct vault_place place = email_place(list.identities[i].id);
        if (list.emails[i].cipher.ptr != NULL)
            err = vault_open_content(vault, &place, &list.emails[i], arena, &list.identities[i].email);
    }
    if (err == ERR_OK) {
        *out = list.identities;
        *count_out = list.count;
    }
    return err;
}
