#include "domain/identity/oidc_task.h"
#include "core/buf.h"
#include "domain/tenant/sealed_column.h"
#include "domain/tenant/tenant.h"

#define REQUEST_BYTES    8192u /* a code has 4096 at most, the address that the browser came back to less */
#define ANSWER_BYTES_MAX 1024u

static struct vault_place
place_of(struct id task, const char *column)
{
    return (
        struct vault_place){ .tenant = tenant_platform, .table = "oidc_task", .column = column, .row = task };
}

/* What is sealed: fields, each with its length in two octets before it. */
static void
field_add(struct buf *out, struct slice field)
{
    buf_add_byte(out, (char)(field.len >> 8));
    buf_add_byte(out, (char)(field.len & 0xff));
    buf_add(out, field);
}

static bool
field_take(struct slice *input, struct slice *out)
{
    if (input->len < 2)
        return false;
    size_t len = (size_t)(unsigned char)input->ptr[0] << 8 | (unsigned char)input->ptr[1];
    if (len > input->len - 2)
        return false;
    *out = slice_of(input->ptr + 2, len);
    *input = slice_drop(*input, 2 + len);
    return true;
}

enum err
oidc_task_seal(const struct vault *vault, struct id task, const struct oidc_task_request *request,
               struct arena *arena, struct vault_sealed *out)
{
    const struct vault_place place = place_of(task, "request");
    struct buf plain;

    buf_init(&plain, REQUEST_BYTES);
    field_add(&plain, request->code);
    field_add(&plain, request->verifier);
    field_add(&plain, request->nonce);
    field_add(&plain, request->redirect_uri);
    enum err err = buf_done(&plain);
    if (err == ERR_OK)
        err = vault_seal(vault, VAULT_CREDENTIAL, &place, buf_slice(&plain), arena, out);
    buf_release_wiped(&plain);
    return err;
}

enum err
oidc_task_request_open(const struct vault *vault, const struct oidc_task_claim *claim,
                       struct secret **plain_out, struct oidc_task_request *out)
{
    const struct vault_place place = place_of(claim->id, "request");

    *plain_out = NULL;
    if (claim->request.cipher.ptr == NULL)
        return ERR_SEAL_CORRUPT;
    enum err err = vault_open(vault, VAULT_CREDENTIAL, &place, &claim->request, plain_out);
    if (err != ERR_OK)
        return err;
    struct slice rest = secret_slice(*plain_out);
    if (field_take(&rest, &out->code) && field_take(&rest, &out->verifier) &&
        field_take(&rest, &out->nonce) && field_take(&rest, &out->redirect_uri) && rest.len == 0)
        return ERR_OK;
    secret_free(*plain_out);
    *plain_out = NULL;
    return ERR_SEAL_CORRUPT;
}

enum err
oidc_task_answer_seal(const struct vault *vault, struct id task, const struct oidc_task_answer *answer,
                      struct arena *arena, struct vault_sealed *out)
{
    const struct vault_place place = place_of(task, "answer");
    struct buf plain;

    buf_init(&plain, ANSWER_BYTES_MAX);
    field_add(&plain, answer->subject);
    field_add(&plain, answer->email);
    field_add(&plain, answer->is_email_verified ? SLICE("verified") : SLICE_EMPTY);
    enum err err = buf_done(&plain);
    if (err == ERR_OK)
        err = vault_seal(vault, VAULT_CONTENT, &place, buf_slice(&plain), arena, out);
    buf_release_wiped(&plain);
    return err;
}

enum err
oidc_task_answer_open(const struct vault *vault, const struct oidc_task_answered *task, struct arena *arena,
                      struct oidc_task_answer *out)
{
    const struct vault_place place = place_of(task->id, "answer");
    struct slice rest, verified;

    if (task->sealed.cipher.ptr == NULL)
        return ERR_SEAL_CORRUPT;
    enum err err = vault_open_content(vault, &place, &task->sealed, arena, &rest);
    if (err == ERR_OK && !(field_take(&rest, &out->subject) && field_take(&rest, &out->email) &&
                           field_take(&rest, &verified) && rest.len == 0))
        err = ERR_SEAL_CORRUPT;
    if (err == ERR_OK)
        out->is_email_verified = verified.len != 0;
    return err;
}

static const struct db_stmt waiting_stmt = {
    "oidc_task_waiting",
    "SELECT count(*), count(*) FILTER (WHERE address IS NOT DISTINCT FROM $2::text::inet)"
    " FROM oidc_task WHERE tenant_id = $1"
    " AND created_at > clock_timestamp() - interval '20 s'"
};
_Static_assert(OIDC_TASK_MS == 20000, "the statements' interval");
static const struct db_stmt ask_stmt = {
    "oidc_task_ask",
    "WITH told AS (SELECT pg_notify('" OIDC_TASK_ASKED "', ''))"
    " INSERT INTO oidc_task (tenant_id, id, issuer_id, kind, address, request_key_version, request_ct, request_iv,"
    " request_tag) SELECT $1, $2, $3, $4, $5::text::inet, $6, $7, $8, $9 FROM told"
};

enum err
oidc_task_ask(struct db_tx *tx, const struct oidc_task_new *task)
{
    const struct vault_sealed *sealed = &task->request;
    const struct slice none = SLICE_EMPTY;
    struct slice address = task->address.len == 0 ? none : task->address;
    bool has = sealed->cipher.ptr != NULL;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &waiting_stmt, DB_ARGS(DB_TEXT(address)), &rows);

    if (err == ERR_OK && db_i64(rows, 0, 0) >= (int64_t)OIDC_TASKS_MAX)
        err = ERR_BUSY;
    if (err == ERR_OK && db_i64(rows, 0, 1) >= (int64_t)OIDC_TASK_ADDRESS_MAX)
        err = ERR_RATE_LIMITED;
    db_rows_free(rows);
    if (err != ERR_OK)
        return err;
    err = db_exec(tx, &ask_stmt,
                  DB_ARGS(DB_ID(task->id), DB_ID(task->issuer),
                          DB_TEXT_Z(task->kind == OIDC_TASK_DISCOVERY ? "discovery" : "exchange"),
                          DB_TEXT(address), has ? DB_I64(sealed->key_version) : DB_NULL,
                          DB_BYTES(has ? sealed->cipher : none),
                          DB_BYTES(has ? slice_of(sealed->iv, VAULT_IV_BYTES) : none),
                          DB_BYTES(has ? slice_of(sealed->tag, VAULT_TAG_BYTES) : none)),
                  NULL);
    return err == ERR_DB_CONSTRAINT ? ERR_NOT_FOUND : err;
}

static const struct db_stmt collect_stmt = {
    "oidc_task_collect",
    "DELETE FROM oidc_task WHERE tenant_id = $1 AND id IN (SELECT id FROM oidc_task WHERE tenant_id = $1"
    " AND id = ANY ($2) AND state = 'done' ORDER BY id LIMIT 16)"
    " RETURNING id, outcome, answer_key_version, answer_ct, answer_iv, answer_tag"
};
_Static_assert(OIDC_TASK_ANSWERS_MAX == 16, "the statement's limit");

static const char *const outcome_words[] = {
    [OIDC_TASK_DONE] = "done", [OIDC_TASK_REFUSED] = "refused", [OIDC_TASK_FAILED] = "failed"
};

static enum oidc_task_outcome
outcome_of(struct slice word)
{
    for (unsigned i = 0; i < COUNT_OF(outcome_words); i++)
        if (slice_eq(word, slice_text(outcome_words[i])))
            return (enum oidc_task_outcome)i;
    bug("an outcome that the table does not allow");
}

enum err
oidc_task_collect(struct db_tx *tx, const struct id *ids, size_t count, struct arena *arena,
                  struct oidc_task_answered *out, size_t *count_out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &collect_stmt, DB_ARGS(DB_ID_ARRAY(ids, count)), &rows);
    size_t found = err == ERR_OK ? db_rows_count(rows) : 0;

    for (size_t i = 0; err == ERR_OK && i < found; i++) {
        out[i] = (struct oidc_task_answered){ .id = db_id(rows, i, 0),
                                              .outcome = outcome_of(db_text(rows, i, 1)) };
        if (!db_is_null(rows, i, 2))
            err = sealed_column_read(rows, i, 3, (uint32_t)db_i64(rows, i, 2), arena, &out[i].sealed);
    }
    *count_out = found;
    db_rows_free(rows);
    return err;
}

static const struct db_stmt forget_stmt = { "oidc_task_forget",
                                            "DELETE FROM oidc_task WHERE tenant_id = $1 AND id = ANY ($2)" };

enum err
oidc_task_forget(struct db_tx *tx, const struct id *ids, size_t count)
{
    return db_exec(tx, &forget_stmt, DB_ARGS(DB_ID_ARRAY(ids, count)), NULL);
}

/*
 * What it asks leaves the table with the claim: a code lies there for as long as nobody has it in hand.
 * Lock order: it is the claim's, by turns, which no index has; the table holds the sign-ins of some minutes.
 */
static const struct db_stmt take_stmt = {
    "oidc_task_take",
    "WITH next AS MATERIALIZED (SELECT w.id, w.issuer_id, w.kind, w.request_key_version, w.request_ct, w.request_iv, w.request_tag"
    " FROM oidc_task w WHERE w.tenant_id = $1 AND w.state = 'waiting'"
    " AND w.created_at > clock_timestamp() - interval '20 s'"
    " ORDER BY (SELECT count(*) FROM oidc_task o WHERE o.tenant_id = $1 AND o.issuer_id = w.issuer_id"
    "  AND o.state = 'taken' AND o.created_at > clock_timestamp() - interval '60 s'), w.id"
    " LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " UPDATE oidc_task t SET state = 'taken', request_key_version = NULL, request_ct = NULL, request_iv = NULL,"
    " request_tag = NULL FROM next n WHERE t.tenant_id = $1 AND t.id = n.id"
    " RETURNING n.id, n.issuer_id, n.kind, n.request_key_version, n.request_ct, n.request_iv, n.request_tag"
};

enum err
oidc_task_take(struct db_tx *tx, struct arena *arena, struct oidc_task_claim *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &take_stmt, DB_NO_ARGS, &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_NOTHING;
    if (err == ERR_OK) {
        *out = (struct oidc_task_claim){ .id = db_id(rows, 0, 0),
                                         .issuer = db_id(rows, 0, 1),
                                         .kind = slice_eq(db_text(rows, 0, 2), SLICE("discovery"))
                                                     ? OIDC_TASK_DISCOVERY
                                                     : OIDC_TASK_EXCHANGE };
        if (!db_is_null(rows, 0, 3))
            err = sealed_column_read(rows, 0, 4, (uint32_t)db_i64(rows, 0, 3), arena, &out->request);
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt settle_stmt = {
    "oidc_task_settle",
    "WITH told AS (SELECT pg_notify('" OIDC_TASK_ANSWERED "', ''))"
    " UPDATE oidc_task SET state = 'done', outcome = $3, answer_key_version = $4, answer_ct = $5, answer_iv = $6,"
    " answer_tag = $7 FROM told WHERE tenant_id = $1 AND id = $2 AND state = 'taken'"
};

enum err
oidc_task_settle(struct db_tx *tx, struct id task, enum oidc_task_outcome outcome,
                 const struct vault_sealed *sealed)
{
    const struct slice none = SLICE_EMPTY;
    bool has = sealed != NULL;

    return db_exec_one(tx, &settle_stmt,
                       DB_ARGS(DB_ID(task), DB_TEXT_Z(outcome_words[outcome]),
                               has ? DB_I64(sealed->key_version) : DB_NULL,
                               DB_BYTES(has ? sealed->cipher : none),
                               DB_BYTES(has ? slice_of(sealed->iv, VAULT_IV_BYTES) : none),
                               DB_BYTES(has ? slice_of(sealed->tag, VAULT_TAG_BYTES) : none)));
}
