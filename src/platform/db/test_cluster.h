/*
 * For tests: a PostgreSQL of their own, migrated, with every role's password set. It starts with the test
 * executable and is gone with it, also when that aborts or is killed. Everything here fails the test (or
 * aborts) rather than returning an error.
 *
 *     CLUSTER_MAIN(cmocka_unit_test(a_message_is_stored_once), ...)      instead of UNIT_MAIN
 *
 *     struct id tenant = test_cluster_tenant("acme");
 *     struct db *db = test_cluster_open("harkara_gateway");
 *
 * The secret pool and the log (to standard error, from warnings up) are open.
 */
#ifndef PLATFORM_DB_TEST_CLUSTER_H
#define PLATFORM_DB_TEST_CLUSTER_H
#include "core/id.h"
#include "core/unit.h"
#include "platform/db/db.h"
#include "platform/db/embedded_postgres.h"

/* Group fixtures of cmocka; the cluster is one per executable. */
int test_cluster_setup(void **state);
int test_cluster_teardown(void **state);
#define CLUSTER_MAIN(...)                                                                                    \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                   \
        return cmocka_run_group_tests(tests, test_cluster_setup, test_cluster_teardown);                     \
    }

/* The connection string of a login role ("harkara_gateway") or of the superuser ("postgres"). Borrowed. */
const char *test_cluster_conninfo(const char *role);
/* A new connection as that role; db_close it. */
struct db *test_cluster_open(const char *role);
/* Runs SQL (several statements may follow each other) as the superuser, whom row-level security does not
 * bind. */
void test_cluster_sql(const char *sql);
/* The first column of the first row of a query as the superuser; a number. */
int64_t test_cluster_number(const char *sql);
/* A new tenant of this slug, without keys: its id. */
struct id test_cluster_tenant(const char *slug);

/* For tests of the cluster itself. */
struct embedded_postgres *test_cluster_postgres(void);
/* A folder that is removed with everything in it when the executable ends, in whatever way. Borrowed. */
const char *test_cluster_folder(void);
/* Where initdb and postgres are: HARKARA_POSTGRES_BIN, else the newest below /usr/lib/postgresql. */
const char *test_cluster_bin(void);
/* The user for PostgreSQL when the tests run as root; else NULL. */
const char *test_cluster_user(void);

#endif
