#include "domain/notice/notice.h"
#include "core/buf.h"
#include "domain/tenant/sealed_column.h"
#include "domain/tenant/tenant.h"

#define TEXT_COUNT   7u
#define ATTEMPTS_MAX 20

static const char *const kinds[NOTICE_KIND_COUNT] = {
#define NOTICE(name, word) word,
#include "domain/notice/notice.def"
#undef NOTICE
};

const char *
notice_kind_word(enum notice_kind kind)
{
    return kinds[kind];
}

enum err
notice_kind_parse(struct slice word, enum notice_kind *out)
{
    for (unsigned i = 0; i < NOTICE_KIND_COUNT; i++)
        if (slice_eq(word, slice_text(kinds[i]))) {
            *out = (enum notice_kind)i;
            return ERR_OK;
        }
    return ERR_STATE_CONFLICT;
}

const char *
notice_language_word(enum notice_language language)
{
    return language == NOTICE_HINDI ? "hi" : "en";
}

enum notice_language
notice_language_of(struct slice text)
{
    struct slice first = slice_first(text, slice_find(text, ','));

    first = slice_first(first, slice_find(first, ';'));
    first = slice_trim(slice_first(first, slice_find(first, '-')));
    return slice_eq_nocase(first, SLICE("hi")) ? NOTICE_HINDI : NOTICE_ENGLISH;
}

static struct vault_place
place_of(struct id notice)
{
    return (struct vault_place){
        .tenant = tenant_platform, .table = "mail_notice", .column = "data", .row = notice
    };
}

/* The texts one after the other, each with a NUL behind it. */
static enum err
data_print(const struct notice *notice, struct buf *out)
{
    const struct slice texts[TEXT_COUNT] = { notice->to,   notice->name,   notice->workspace, notice->by,
                                             notice->link, notice->detail, notice->address };

    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (texts[i].len > NOTICE_TEXT_BYTES_MAX)
            return ERR_LIMIT;
        if (slice_find(texts[i], '\0') != texts[i].len)
            return ERR_CONTRACT;
        buf_add(out, texts[i]);
        buf_add_byte(out, '\0');
    }
    return buf_done(out);
}

enum err
notice_seal(const struct vault *vault, const struct notice *notice, struct arena *arena,
            struct notice_sealed *out)
{
    struct vault_place place = place_of(notice->id);
    struct buf data;

    *out = (struct notice_sealed){ .notice = *notice };
    buf_init(&data, TEXT_COUNT * (NOTICE_TEXT_BYTES_MAX + 1));
    enum err err = data_print(notice, &data);
    if (err == ERR_OK)
        err = vault_seal(vault, VAULT_CREDENTIAL, &place, buf_slice(&data), arena, &out->data);
    buf_release_wiped(&data);
    return err;
}

static const struct db_stmt notice_withdraw_stmt = {
    "notice_withdraw", "DELETE FROM mail_notice WHERE tenant_id = $1 AND about = $2"
};

enum err
notice_withdraw(struct db_tx *tx, struct id about)
{
    return db_exec(tx, &notice_withdraw_stmt, DB_ARGS(DB_ID(about)), NULL);
}

static const struct db_stmt notice_insert_stmt = {
    "notice_insert",
    "WITH told AS (SELECT pg_notify('harkara_mail', '')) INSERT INTO mail_notice (tenant_id, id, kind, language,"
    " about, happened_at, expires_at, data_key_version, data_ct, data_iv, data_tag)"
    " SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM told"
};

enum err
notice_put(struct db_tx *tx, const struct notice_sealed *with)
{
    const struct notice *notice = &with->notice;
    bool is_about = !id_is_zero(notice->about);
    enum err err = is_about ? notice_withdraw(tx, notice->about) : ERR_OK;

    return err != ERR_OK ? err
                         : db_exec_one(tx, &notice_insert_stmt,
                                       DB_ARGS(DB_ID(notice->id), DB_TEXT_Z(notice_kind_word(notice->kind)),
                                               DB_TEXT_Z(notice_language_word(notice->language)),
                                               is_about ? DB_ID(notice->about) : DB_NULL, DB_TIME(notice->at),
                                               DB_TIME(notice->expires_at), DB_I64(with->data.key_version),
                                               SEALED_ARGS(&with->data)));
}

/* Two dispatchers never take the same one; what is over is left to the housekeeping. Materialized: a plan may
 * look into a subquery again and again, and would lock another row each time.
 * Lock order: mail_notice_due has it; what it passes by is over, and goes with the housekeeping. */
static const struct db_stmt notice_claim_stmt = {
    "notice_claim",
    "WITH due AS MATERIALIZED (SELECT id FROM mail_notice WHERE tenant_id = $1 AND due_at <= now()"
    " AND expires_at > now() ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " UPDATE mail_notice n SET fence = fence + 1, attempt = attempt + 1,"
    " due_at = now() + make_interval(secs => $2::bigint / 1000.0) FROM due WHERE n.tenant_id = $1 AND n.id = due.id"
    " RETURNING n.id, n.kind, n.language, n.fence, n.attempt, n.happened_at, n.expires_at,"
    " (extract(epoch FROM n.expires_at - now()) * 1000)::bigint, n.data_key_version, n.data_ct, n.data_iv,"
    " n.data_tag"
};
static const struct db_stmt notice_wait_stmt = {
    "notice_wait",
    "SELECT least($2, greatest(0, coalesce((extract(epoch FROM min(due_at) - now()) * 1000)::bigint, $2)))"
    " FROM mail_notice WHERE tenant_id = $1 AND expires_at > now()"
};

struct claim {
    int64_t lease_ms, wait_ms;
    struct arena *arena;
    struct notice_claim *out;
    bool is_there;
};

static enum err
claim_read(const struct db_rows *rows, struct arena *arena, struct notice_claim *out)
{
    *out = (struct notice_claim){ .id = db_id(rows, 0, 0),
                                  .language = notice_language_of(db_text(rows, 0, 2)),
                                  .fence = db_i64(rows, 0, 3),
                                  .attempt = db_i64(rows, 0, 4),
                                  .at = db_time(rows, 0, 5),
                                  .expires_at = db_time(rows, 0, 6),
                                  .left_ms = db_i64(rows, 0, 7) };
    enum err err = notice_kind_parse(db_text(rows, 0, 1), &out->kind);
    return err == ERR_OK ? sealed_column_read(rows, 0, 9, (uint32_t)db_i64(rows, 0, 8), arena, &out->data)
                         : err;
}

static enum err
claim_in(struct db_tx *tx, void *ctx)
{
    struct claim *claim = ctx;
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &notice_claim_stmt, DB_ARGS(DB_I64(claim->lease_ms)), &rows);

    claim->is_there = err == ERR_OK && db_rows_count(rows) != 0;
    if (claim->is_there)
        err = claim_read(rows, claim->arena, claim->out);
    db_rows_free(rows);
    if (err != ERR_OK || claim->is_there)
        return err;
    rows = NULL;
    err = db_query(tx, &notice_wait_stmt, DB_ARGS(DB_I64(claim->lease_ms)), &rows);
    if (err == ERR_OK)
        claim->wait_ms = db_i64(rows, 0, 0);
    db_rows_free(rows);
    return err;
}

enum err
notice_claim(struct db *db, int64_t lease_ms, struct arena *arena, struct notice_claim *out,
             int64_t *wait_ms_out)
{
    struct claim claim = { .lease_ms = lease_ms, .arena = arena, .out = out };
    enum err err = db_run(db, tenant_platform, claim_in, &claim);

    *wait_ms_out = claim.wait_ms;
    return err == ERR_OK && !claim.is_there ? ERR_NOTHING : err;
}

enum err
notice_open(const struct vault *vault, const struct notice_claim *claim, struct secret **data_out,
            struct notice *out)
{
    struct vault_place place = place_of(claim->id);
    struct slice texts[TEXT_COUNT];
    enum err err = vault_open(vault, VAULT_CREDENTIAL, &place, &claim->data, data_out);

    if (err != ERR_OK)
        return err;
    struct slice rest = secret_slice(*data_out);
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        if (slice_find(rest, '\0') == rest.len)
            err = ERR_SEAL_CORRUPT;
        texts[i] = slice_take_until(&rest, '\0');
    }
    if (err != ERR_OK || rest.len != 0) {
        secret_free(*data_out);
        *data_out = NULL;
        return ERR_SEAL_CORRUPT;
    }
    *out = (struct notice){ .id = claim->id,
                            .kind = claim->kind,
                            .language = claim->language,
                            .at = claim->at,
                            .expires_at = claim->expires_at,
                            .to = texts[0],
                            .name = texts[1],
                            .workspace = texts[2],
                            .by = texts[3],
                            .link = texts[4],
                            .detail = texts[5],
                            .address = texts[6] };
    return ERR_OK;
}

static const struct db_stmt notice_end_stmt = {
    "notice_end", "DELETE FROM mail_notice WHERE tenant_id = $1 AND id = $2 AND fence = $3"
};
static const struct db_stmt notice_put_off_stmt = {
    "notice_put_off", "UPDATE mail_notice SET due_at = now() + make_interval(secs => $4::bigint / 1000.0)"
                      " WHERE tenant_id = $1 AND id = $2 AND fence = $3"
};

struct settle {
    const struct notice_claim *claim;
    int64_t delay_ms; /* below 0: it ends */
};

static enum err
settle_in(struct db_tx *tx, void *ctx)
{
    const struct settle *settle = ctx;
    const struct notice_claim *claim = settle->claim;

    return settle->delay_ms < 0
               ? db_exec(tx, &notice_end_stmt, DB_ARGS(DB_ID(claim->id), DB_I64(claim->fence)), NULL)
               : db_exec(tx, &notice_put_off_stmt,
                         DB_ARGS(DB_ID(claim->id), DB_I64(claim->fence), DB_I64(settle->delay_ms)), NULL);
}

enum err
notice_end(struct db *db, const struct notice_claim *claim)
{
    struct settle settle = { .claim = claim, .delay_ms = -1 };

    return db_run(db, tenant_platform, settle_in, &settle);
}

enum err
notice_put_off(struct db *db, const struct notice_claim *claim, int64_t delay_ms)
{
    struct settle settle = { .claim = claim, .delay_ms = delay_ms };

    return db_run(db, tenant_platform, settle_in, &settle);
}

int64_t
notice_delay_ms(int64_t attempt, int64_t left_ms)
{
    static const int64_t steps_s[] = { 5, 30, 120, 300, 900, 1800, 3600, 7200 };
    size_t step = attempt < 1 ? 0 : (size_t)attempt - 1;
    int64_t delay_ms = steps_s[step < COUNT_OF(steps_s) ? step : COUNT_OF(steps_s) - 1] * 1000;

    return attempt >= ATTEMPTS_MAX || delay_ms >= left_ms ? 0 : delay_ms;
}
