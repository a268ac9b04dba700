#include "domain/limit/limit_book.h"
#include <pthread.h>
#include <stdlib.h>

/* Direct-mapped: a clash only costs a look-up. */
struct entry {
    struct id tenant, subject;
    struct limit_values values;
    struct mono_time read_at;
    bool is_filled;
    /* It will be too old soon: somebody was sent to wait for the database, and somebody reads it anew. */
    bool is_sent, is_reading;
};

struct limit_book {
    const struct clock *clock;
    struct limit_values defaults;
    pthread_mutex_t lock;
    struct entry *entries; /* under lock */
};

#define GRANT_COLUMNS                                                                                        \
    "requests_per_second, key_requests_per_second, sender_per_second, sender_per_day, sender_per_month,"     \
    " messages_per_day, messages_per_month"

/* In the order of the columns. */
static void
grant_list(struct limit_grant *grant, uint64_t *out[static 7])
{
    uint64_t *all[] = { &grant->requests_per_second, &grant->key_requests_per_second,
                        &grant->sender_per_second,   &grant->sender_per_day,
                        &grant->sender_per_month,    &grant->messages_per_day,
                        &grant->messages_per_month };

    memcpy(out, all, sizeof(all));
}

static uint64_t
number_or_0(const struct db_rows *rows, int column)
{
    return db_is_null(rows, 0, column) ? 0 : (uint64_t)db_i64(rows, 0, column);
}

static const struct db_stmt limit_grant_read_stmt = { "limit_grant_read",
                                                      "SELECT " GRANT_COLUMNS
                                                      " FROM tenant_limit WHERE tenant_id = $1" };

enum err
limit_grant_read(struct db_tx *tx, struct limit_grant *out)
{
    struct db_rows *rows = NULL;
    uint64_t *all[7];
    enum err err = db_query(tx, &limit_grant_read_stmt, DB_NO_ARGS, &rows);

    *out = (struct limit_grant){ 0 };
    grant_list(out, all);
    for (int i = 0; err == ERR_OK && db_rows_count(rows) > 0 && i < (int)COUNT_OF(all); i++)
        *all[i] = number_or_0(rows, i);
    db_rows_free(rows);
    return err;
}

static const struct db_stmt limit_grant_write_stmt = {
    "limit_grant_write",
    "INSERT INTO tenant_limit (tenant_id, " GRANT_COLUMNS
    ") VALUES ($1, nullif($2, 0), nullif($3, 0), nullif($4, 0),"
    " nullif($5, 0), nullif($6, 0), nullif($7, 0), nullif($8, 0)) ON CONFLICT (tenant_id) DO UPDATE"
    " SET requests_per_second = excluded.requests_per_second,"
    " key_requests_per_second = excluded.key_requests_per_second, sender_per_second = excluded.sender_per_second,"
    " sender_per_day = excluded.sender_per_day, sender_per_month = excluded.sender_per_month,"
    " messages_per_day = excluded.messages_per_day, messages_per_month = excluded.messages_per_month, updated_at = now()"
};

enum err
limit_grant_write(struct db_tx *tx, const struct limit_grant *grant)
{
    struct limit_grant copy = *grant;
    struct db_arg args[7];
    uint64_t *all[7];

    grant_list(&copy, all);
    for (size_t i = 0; i < COUNT_OF(args); i++) {
        if (*all[i] > LIMIT_QUOTA_MAX)
            return ERR_DB_CONSTRAINT;
        args[i] = DB_I64((int64_t)*all[i]);
    }
    return db_exec_one(tx, &limit_grant_write_stmt, (struct db_args){ args, COUNT_OF(args) });
}

static const struct db_stmt limit_setting_read_stmt = {
    "limit_setting_read",
    "SELECT requests_per_second, messages_per_second, messages_per_day, messages_per_month, revision, updated_at"
    " FROM limit_setting WHERE tenant_id = $1 AND subject_id = $2"
};

enum err
limit_setting_read(struct db_tx *tx, struct id subject, struct limit_setting *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &limit_setting_read_stmt, DB_ARGS(DB_ID(subject)), &rows);

    *out = (struct limit_setting){ .subject = subject };
    if (err == ERR_OK && db_rows_count(rows) > 0) {
        out->requests_per_second = number_or_0(rows, 0);
        out->messages_per_second = number_or_0(rows, 1);
        out->messages_per_day = number_or_0(rows, 2);
        out->messages_per_month = number_or_0(rows, 3);
        out->revision = (uint32_t)db_i64(rows, 0, 4);
        out->updated_at = db_time(rows, 0, 5);
    }
    db_rows_free(rows);
    return err;
}

static const struct db_stmt limit_setting_write_stmt = {
    "limit_setting_write",
    "INSERT INTO limit_setting AS s (tenant_id, subject_id, requests_per_second, messages_per_second, messages_per_day,"
    " messages_per_month) VALUES ($1, $2, nullif($3, 0), nullif($4, 0), nullif($5, 0), nullif($6, 0))"
    " ON CONFLICT (tenant_id, subject_id) DO UPDATE SET requests_per_second = excluded.requests_per_second,"
    " messages_per_second = excluded.messages_per_second, messages_per_day = excluded.messages_per_day,"
    " messages_per_month = excluded.messages_per_month, revision = s.revision + 1, updated_at = now()"
    " WHERE s.revision = $7 RETURNING revision, updated_at"
};

enum err
limit_setting_write(struct db_tx *tx, struct limit_setting *setting)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &limit_setting_write_stmt,
                            DB_ARGS(DB_ID(setting->subject), DB_I64((int64_t)setting->requests_per_second),
                                    DB_I64((int64_t)setting->messages_per_second),
                                    DB_I64((int64_t)setting->messages_per_day),
                                    DB_I64((int64_t)setting->messages_per_month), DB_I64(setting->revision)),
                            &rows);

    if (err == ERR_OK && db_rows_count(rows) == 0)
        err = ERR_DB_CONFLICT;
    if (err == ERR_OK) {
        setting->revision = (uint32_t)db_i64(rows, 0, 0);
        setting->updated_at = db_time(rows, 0, 1);
    }
    db_rows_free(rows);
    return err;
}

static void
value_give(struct limit_values *values, enum limit_name name, uint64_t given)
{
    if (given != 0)
        values->of[name] = given;
}

static void
value_tighten(struct limit_values *values, enum limit_name name, uint64_t own)
{
    if (own != 0 && own < values->of[name])
        values->of[name] = own;
}

enum err
limit_values_read(struct db_tx *tx, const struct limit_values *defaults, struct id subject,
                  struct limit_values *out)
{
    struct limit_setting setting = { .revision = 0 };
    struct limit_grant grant;
    enum err err = limit_grant_read(tx, &grant);

    if (err == ERR_OK && !id_is_zero(subject))
        err = limit_setting_read(tx, subject, &setting);
    *out = *defaults;
    value_give(out, LIMIT_WORKSPACE, grant.requests_per_second);
    value_give(out, LIMIT_KEY, grant.key_requests_per_second);
    value_give(out, LIMIT_SENDER_SECOND, grant.sender_per_second);
    value_give(out, LIMIT_SENDER_DAY, grant.sender_per_day);
    value_give(out, LIMIT_SENDER_MONTH, grant.sender_per_month);
    value_give(out, LIMIT_WORKSPACE_DAY, grant.messages_per_day);
    value_give(out, LIMIT_WORKSPACE_MONTH, grant.messages_per_month);
    value_tighten(out, LIMIT_KEY, setting.requests_per_second);
    value_tighten(out, LIMIT_SENDER_SECOND, setting.messages_per_second);
    value_tighten(out, LIMIT_SENDER_DAY, setting.messages_per_day);
    value_tighten(out, LIMIT_SENDER_MONTH, setting.messages_per_month);
    return err;
}

enum err
limit_book_new(const struct clock *clock, const struct limit_values *defaults, struct limit_book **out)
{
    struct limit_book *book = calloc(1, sizeof(*book));

    if (book == NULL)
        return ERR_NO_MEMORY;
    book->entries = calloc(LIMIT_BOOK_ENTRIES, sizeof(*book->entries));
    if (book->entries == NULL) {
        free(book);
        return ERR_NO_MEMORY;
    }
    book->clock = clock;
    book->defaults = *defaults;
    pthread_mutex_init(&book->lock, NULL);
    *out = book;
    return ERR_OK;
}

void
limit_book_free(struct limit_book *book)
{
    if (book == NULL)
        return;
    free(book->entries);
    pthread_mutex_destroy(&book->lock);
    free(book);
}

/* By the random tails of both ids. */
static struct entry *
entry_for(struct limit_book *book, struct id tenant, struct id subject)
{
    size_t slot =
        (size_t)(tenant.bytes[14] ^ subject.bytes[14]) << 8 | (tenant.bytes[15] ^ subject.bytes[15]);

    return &book->entries[slot % LIMIT_BOOK_ENTRIES];
}

struct look {
    const struct limit_values *defaults;
    struct id subject;
    struct limit_values *out;
};

static enum err
look_in(struct db_tx *tx, void *ctx)
{
    struct look *look = ctx;

    return limit_values_read(tx, look->defaults, look->subject, look->out);
}

/* Under the lock. Shortly before it is too old one of those who ask reads it anew, so that they need not all.
 */
static bool
is_fresh_for(struct entry *entry, struct mono_time now, bool has_db)
{
    int64_t age_us = now.us - entry->read_at.us;
    bool *is_taken = has_db ? &entry->is_reading : &entry->is_sent;

    if (age_us >= INT64_C(1000) * LIMIT_BOOK_MS)
        return false;
    if (age_us < INT64_C(1000) * (LIMIT_BOOK_MS - LIMIT_BOOK_EARLY_MS) || *is_taken)
        return true;
    *is_taken = true;
    return false;
}

enum err
limit_book_look(struct limit_book *book, struct db *db, struct id tenant, struct id subject,
                struct limit_values *out)
{
    struct mono_time now = clock_mono(book->clock);
    bool is_fresh = false;

    pthread_mutex_lock(&book->lock);
    struct entry *entry = entry_for(book, tenant, subject);
    if (entry->is_filled && id_eq(entry->tenant, tenant) && id_eq(entry->subject, subject) &&
        is_fresh_for(entry, now, db != NULL)) {
        *out = entry->values;
        is_fresh = true;
    }
    pthread_mutex_unlock(&book->lock);
    if (is_fresh)
        return ERR_OK;
    if (db == NULL)
        return ERR_WOULD_WAIT;
    enum err err = db_run(db, tenant, look_in,
                          &(struct look){ .defaults = &book->defaults, .subject = subject, .out = out });
    if (err != ERR_OK)
        return err;
    pthread_mutex_lock(&book->lock);
    *entry_for(book, tenant, subject) = (struct entry){
        .tenant = tenant, .subject = subject, .values = *out, .read_at = now, .is_filled = true
    };
    pthread_mutex_unlock(&book->lock);
    return ERR_OK;
}
