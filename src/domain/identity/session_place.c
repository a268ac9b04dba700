#include "domain/identity/session_place.h"

/* A browser's words are kept up to 256 octets (session.h), and most have none that are not ASCII. */
static const struct db_stmt session_place_stmt = {
    "session_place",
    "SELECT EXISTS (SELECT FROM person_session WHERE tenant_id = $1 AND person_id = $2 AND user_agent = left($4, 256)"
    " AND (address IS NULL AND $3 = '' OR address <<= network(set_masklen(nullif($3, '')::inet,"
    " CASE family(nullif($3, '')::inet) WHEN 4 THEN 24 ELSE 48 END))))"
};

enum err
session_place_is_known(struct db_tx *tx, struct id person, struct slice address, struct slice user_agent,
                       bool *out)
{
    struct slice agent = slice_is_utf8(user_agent) && user_agent.ptr != NULL ? user_agent : SLICE("");
    struct db_rows *rows = NULL;
    enum err err = db_query(
        tx, &session_place_stmt,
        DB_ARGS(DB_ID(person), DB_TEXT(address.ptr == NULL ? SLICE("") : address), DB_TEXT(agent)), &rows);

    *out = err == ERR_OK && db_bool(rows, 0, 0);
    db_rows_free(rows);
    return err;
}
