#include "domain/identity/throttle.h"
#include "crypto/hash.h"

int64_t
throttle_pause_ms(int64_t failures)
{
    int64_t ms = 1000;

    if (failures <= THROTTLE_FREE)
        return 0;
    for (int64_t i = THROTTLE_FREE + 1; i < failures && ms < THROTTLE_MS_MAX; i++)
        ms *= 2;
    return ms < THROTTLE_MS_MAX ? ms : THROTTLE_MS_MAX;
}

static enum err
subject_of(const char *kind, struct slice of, unsigned char out[HASH_BYTES])
{
    return hash_sha256_pieces((const struct slice[]){ slice_text(kind), slice_of("", 1), of }, 3, out);
}

/* Made when it is missing, and held to the end of the transaction: attempts side by side wait for each other.
 */
static const struct db_stmt throttle_lock_stmt = {
    "throttle_lock", "INSERT INTO throttle (tenant_id, subject, failures, failed_at) VALUES ($1, $2, 0, $3)"
                     " ON CONFLICT (tenant_id, subject) DO UPDATE SET failures = throttle.failures"
                     " RETURNING failures, failed_at"
};
static const struct db_stmt throttle_count_stmt = {
    "throttle_count",
    "UPDATE throttle SET failures = $3, failed_at = $4 WHERE tenant_id = $1 AND subject = $2"
};

struct take {
    struct wall_time now;
    unsigned char subject[HASH_BYTES];
    int wait_s;
};

static enum err
take_in(struct db_tx *tx, void *ctx)
{
    struct take *take = ctx;
    struct slice subject = slice_of(take->subject, sizeof(take->subject));
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &throttle_lock_stmt, DB_ARGS(DB_BYTES(subject), DB_TIME(take->now)), &rows);
    int64_t failures = 0, since_ms = 0;

    if (err == ERR_OK) {
        failures = db_i64(rows, 0, 0);
        since_ms = (take->now.us - db_time(rows, 0, 1).us) / 1000;
    }
    db_rows_free(rows);
    if (err != ERR_OK)
        return err;
    if (since_ms >= THROTTLE_FORGET_MS)
        failures = 0;
    int64_t pause_ms = throttle_pause_ms(failures);
    if (pause_ms > 0 && since_ms < pause_ms) { /* whoever waited for the row may have read the clock before */
        take->wait_s = (int)((pause_ms - since_ms + 999) / 1000);
        return ERR_THROTTLED;
    }
    return db_exec_one(tx, &throttle_count_stmt,
                       DB_ARGS(DB_BYTES(subject), DB_I64(failures + 1), DB_TIME(take->now)));
}

enum err
throttle_take(struct db *db, const struct clock *clock, const char *kind, struct slice of, int *wait_s_out)
{
    struct take take = { .now = clock_wall(clock) };
    enum err err = subject_of(kind, of, take.subject);

    if (err == ERR_OK)
        err = db_run(db, tenant_platform, take_in, &take);
    *wait_s_out = take.wait_s;
    return err;
}

static const struct db_stmt throttle_clear_stmt = {
    "throttle_clear", "DELETE FROM throttle WHERE tenant_id = $1 AND subject = $2"
};

enum err
throttle_clear(struct db_tx *tx, const char *kind, struct slice of)
{
    unsigned char subject[HASH_BYTES];
    enum err err = subject_of(kind, of, subject);

    return err == ERR_OK ? db_exec(tx, &throttle_clear_stmt,
                                   DB_ARGS(DB_BYTES(slice_of(subject, sizeof(subject)))), NULL)
                         : err;
}
