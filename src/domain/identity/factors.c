#include "domain/identity/factors.h"
#include "domain/identity/session.h"

static const struct db_stmt factors_stmt = {
    "factors_of",
    "SELECT EXISTS (SELECT FROM passkey WHERE tenant_id = $1 AND person_id = $2),"
    " EXISTS (SELECT FROM totp WHERE tenant_id = $1 AND person_id = $2 AND confirmed_at IS NOT NULL),"
    " EXISTS (SELECT FROM recovery_code WHERE tenant_id = $1 AND person_id = $2 AND used_at IS NULL)"
};

enum err
factors_of(struct db_tx *tx, struct id person, unsigned *out)
{
    struct db_rows *rows = NULL;
    enum err err = db_query(tx, &factors_stmt, DB_ARGS(DB_ID(person)), &rows);

    if (err == ERR_OK)
        *out = (db_bool(rows, 0, 0) ? (unsigned)SESSION_PASSKEY : 0u) |
               (db_bool(rows, 0, 1) ? (unsigned)SESSION_TOTP : 0u) |
               (db_bool(rows, 0, 2) ? (unsigned)SESSION_RECOVERY_CODE : 0u);
    db_rows_free(rows);
    return err;
}
