#include "core/unit.h"
#include "platform/db/conninfo.h"
#include <libpq-fe.h>
#include <string.h>

#define PASSWORD "p'a\\ss word"

/* What libpq reads out of our string: so quoting is right whatever the value holds. */
static void
assert_option(const struct secret *conninfo, const char *keyword, const char *expected)
{
    PQconninfoOption *options = PQconninfoParse(secret_slice(conninfo).ptr, NULL);
    const char *value = NULL;

    assert_non_null(options);
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++)
        if (strcmp(option->keyword, keyword) == 0)
            value = option->val;
    if (expected == NULL)
        assert_null(value);
    else
        assert_string_equal(value, expected);
    PQconninfoFree(options);
}

static void
a_role_gets_the_administrators_server_and_its_own_password(void **state UNUSED)
{
    const char *const urls[] = {
        "postgresql://adm%40in:s3cr3t@db.example.org:6432/har%27kara?sslmode=verify-full&sslcert=/adm.crt&"
        "options=-c%20a%3Db",
        "host=db.example.org port=6432 user='adm@in' password=s3cr3t dbname='har\\'kara' sslmode=verify-full"
        " options='-c a=b' passfile=/x sslkey=/adm.key",
    };
    struct db_problem problem;
    struct secret *out;

    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        assert_ok(conninfo_for_user(urls[i], "harkara_gateway", SLICE(PASSWORD), &out, &problem));
        assert_option(out, "host", "db.example.org");
        assert_option(out, "port", "6432");
        assert_option(out, "dbname", "har'kara");
        assert_option(out, "sslmode", "verify-full");
        assert_option(out, "options", "-c a=b");
        assert_option(out, "user", "harkara_gateway");
        assert_option(out, "password", PASSWORD);
        assert_option(out, "sslcert", NULL);
        assert_option(out, "sslkey", NULL);
        assert_option(out, "passfile", NULL);
        assert_null(strstr(secret_slice(out).ptr, "s3cr3t"));
        secret_free(out);
    }
}

static void
a_string_that_is_none_is_refused_without_being_quoted(void **state UNUSED)
{
    const struct {
        const char *conninfo, *detail;
    } rows[] = {
        { "postgresql://a:s3cr3t@[bad/x", "not a PostgreSQL connection string" },
        { "nonsense", "not a PostgreSQL connection string" },
        { "pasword=s3cr3t dbname=x", "not a PostgreSQL connection string" },
        { "postgresql://a:s3cr3t@host", "names no database" },
        { "host=x user=y password=s3cr3t", "names no database" },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct db_problem problem = { .detail = "" };
        struct secret *out;
        assert_int_equal(conninfo_for_user(rows[i].conninfo, "u", SLICE("p"), &out, &problem), ERR_CONFIG);
        assert_null(out);
        assert_non_null(strstr(problem.detail, rows[i].detail));
        assert_null(strstr(problem.detail, "s3cr3t"));
    }
}

static void
a_socket_folder_becomes_a_string(void **state UNUSED)
{
    struct secret *out;

    assert_ok(conninfo_of_socket("/run/it's here", 5432, "harkara", "postgres", SLICE(PASSWORD), &out));
    assert_option(out, "host", "/run/it's here");
    assert_option(out, "port", "5432");
    assert_option(out, "dbname", "harkara");
    assert_option(out, "user", "postgres");
    assert_option(out, "password", PASSWORD);
    secret_free(out);
    assert_ok(conninfo_of_socket("/run", 5432, "harkara", "postgres", SLICE_EMPTY, &out));
    assert_option(out, "password", NULL);
    secret_free(out);
}

static void
ports_are_those_that_tcp_needs(void **state UNUSED)
{
    const struct {
        const char *conninfo;
        size_t count;
        uint16_t ports[3];
    } rows[] = {
        { "postgresql://u@db.example.org/x", 1, { 5432 } },
        { "postgresql://u@db.example.org:6432/x", 1, { 6432 } },
        { "postgresql://u@a:1,b:2,c:1/x", 2, { 1, 2 } },
        { "host=a,b,c port=7 dbname=x", 1, { 7 } },
        { "host=a,/run,c port=7,8,9 dbname=x", 2, { 7, 9 } },
        { "host=a,b port=,9 dbname=x", 2, { 5432, 9 } },
        { "hostaddr=10.0.0.1 port=9 dbname=x", 1, { 9 } },
        { "host=/run/postgresql dbname=x", 0, { 0 } },
        { "host=@abstract dbname=x", 0, { 0 } },
        { "dbname=x", 0, { 0 } },
        { "nonsense", 0, { 0 } },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint16_t ports[3] = { 0 };
        assert_int_equal(conninfo_tcp_ports(rows[i].conninfo, ports, COUNT_OF(ports)), rows[i].count);
        for (size_t p = 0; p < rows[i].count; p++)
            assert_int_equal(ports[p], rows[i].ports[p]);
    }
    uint16_t one[1];
    assert_int_equal(conninfo_tcp_ports("postgresql://u@a:1,b:2/x", one, 1), 2);
}

static int
open_pool(void **state UNUSED)
{
    return secret_pool_open_unlocked(65536) == ERR_OK ? 0 : -1;
}

static int
pool_is_empty(void **state UNUSED)
{
    return secret_pool_used() == 0 ? 0 : -1;
}

static void
the_file_of_authorities_is_found(void **state UNUSED)
{
    char path[16];

    assert_true(conninfo_ca_file("postgresql://u@h/x?sslmode=verify-full&sslrootcert=/etc/a.pem", path,
                                 sizeof(path)));
    assert_string_equal(path, "/etc/a.pem");
    assert_true(conninfo_ca_file("host=h sslrootcert='/a b'", path, sizeof(path)));
    assert_string_equal(path, "/a b");
    assert_false(conninfo_ca_file("host=h", path, sizeof(path)));
    assert_false(conninfo_ca_file("host=h sslrootcert=relative", path, sizeof(path)));
    assert_false(conninfo_ca_file("host=h sslrootcert=/sixteen/octets/", path, sizeof(path)));
    assert_false(conninfo_ca_file("nonsense", path, sizeof(path)));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_role_gets_the_administrators_server_and_its_own_password),
        cmocka_unit_test(a_string_that_is_none_is_refused_without_being_quoted),
        cmocka_unit_test(a_socket_folder_becomes_a_string),
        cmocka_unit_test(ports_are_those_that_tcp_needs),
        cmocka_unit_test(the_file_of_authorities_is_found),
    };

    return cmocka_run_group_tests(tests, open_pool, pool_is_empty);
}
