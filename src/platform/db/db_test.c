#include "platform/db/test_cluster.h"

static void
it_starts(void **state UNUSED)
{
    struct db *db = test_cluster_open("harkara_gateway");
    struct id t = test_cluster_tenant("acme");
    struct db_tx tx;
    static const struct db_stmt s = { "s", "select tenant_id, name from tenant where tenant_id = $1" };
    struct db_rows *rows;
    assert_ok(db_begin(db, t, &tx));
    assert_ok(db_query(&tx, &s, DB_NO_ARGS, &rows));
    assert_int_equal(db_rows_count(rows), 1);
    db_rows_free(rows);
    assert_ok(db_commit(&tx));
    db_close(db);
}
CLUSTER_MAIN(cmocka_unit_test(it_starts))
