/* From SQLSTATE (PostgreSQL 15, appendix A) to the result type. */
#include "core/log.h"
#include "core/metric.h"
#include "platform/db/db_internal.h"

static const struct {
    const char *prefix; /* five characters name one condition, two its class; the first match counts */
    enum err err;
} sqlstate_rows[] = {
    { "40001", ERR_DB_CONFLICT }, /* serialization_failure */
    { "40P01", ERR_DB_CONFLICT }, /* deadlock_detected */
    { "55P03", ERR_DB_CONFLICT }, /* lock_not_available */
    { "23505", ERR_EXISTS },      /* unique_violation */
    { "23", ERR_DB_CONSTRAINT },  /* integrity_constraint_violation */
    { "22", ERR_DB_DATA },        /* data_exception */
    { "08", ERR_DB_UNAVAILABLE }, /* connection_exception */
    { "53", ERR_DB_UNAVAILABLE }, /* insufficient_resources: the disk is full, too many connections */
    { "57P",
      ERR_DB_UNAVAILABLE }, /* admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout */
    { "25P03", ERR_DB_UNAVAILABLE }, /* idle_in_transaction_session_timeout: the session is gone */
    { "25006", ERR_DB_UNAVAILABLE }, /* read_only_sql_transaction: we are on a standby */
    { "57014", ERR_TIMEOUT },        /* query_canceled: statement_timeout */
};

enum err
db_err_of_sqlstate(const char *sqlstate)
{
    if (sqlstate == NULL)
        return ERR_DB_UNAVAILABLE; /* libpq's own: the connection broke */
    for (size_t i = 0; i < COUNT_OF(sqlstate_rows); i++)
        if (slice_starts_with(slice_text(sqlstate), slice_text(sqlstate_rows[i].prefix)))
            return sqlstate_rows[i].err;
    return ERR_DB_STATEMENT;
}

/* What a caller expects to happen now and then is no news. */
static enum log_level
level_of(enum err err)
{
    if (err == ERR_EXISTS || err == ERR_DB_CONFLICT)
        return LOG_DEBUG;
    return err == ERR_DB_UNAVAILABLE ? LOG_WARN : LOG_ERROR;
}

enum err
db_err_of_result(const PGresult *result, const char *statement)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    enum err err = db_err_of_sqlstate(sqlstate);

    metric_add(METRIC_DB_ERRORS, 1);
    log_event(level_of(err), "db.error", LOG_WORD("statement", statement),
              LOG_SQLSTATE(sqlstate == NULL ? "" : sqlstate), LOG_ERR(err));
    return err;
}
