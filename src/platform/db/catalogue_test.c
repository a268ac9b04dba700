/*
 * The catalogue of a migrated database against what docs/database.md declares, both ways: nothing may be
 * there that is not written, and nothing written that is not there.
 */
#include "platform/db/test_cluster.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELLS_MAX 8u
#define SQL_BYTES 4096u

static char document[1 << 16];
static PGconn *superuser;

static PGresult *
query(const char *sql)
{
    PGresult *result = PQexec(superuser, sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(superuser));
    return result;
}

static void
run(const char *sql)
{
    PQclear(query(sql));
}

/* The query finds what is wrong: each row is printed, and the test fails if there is one. */
static void
assert_none(const char *claim, const char *sql)
{
    PGresult *result = query(sql);
    int rows = PQntuples(result), columns = PQnfields(result);

    for (int row = 0; row < rows; row++) {
        fprintf(stderr, "%s:", claim);
        for (int column = 0; column < columns; column++)
            fprintf(stderr, " %s", PQgetvalue(result, row, column));
        fputc('\n', stderr);
    }
    PQclear(result);
    assert_int_equal(rows, 0);
}

/* Without spaces and back quotes around it. */
static struct slice
bare(struct slice cell)
{
    cell = slice_trim(cell);
    if (cell.len >= 2 && cell.ptr[0] == '`' && cell.ptr[cell.len - 1] == '`')
        return slice_first(slice_drop(cell, 1), cell.len - 2);
    return cell;
}

/* Calls back for each row of the first table below "## heading". */
static void
each_row(const char *heading, void (*on)(const struct slice *cells))
{
    struct slice rest = slice_text(document);
    bool is_below = false;
    size_t lines = 0, rows = 0;

    while (rest.len > 0) {
        struct slice line = slice_take_until(&rest, '\n'), cells[CELLS_MAX] = { SLICE_EMPTY };
        if (slice_starts_with(line, SLICE("## "))) {
            is_below = slice_eq(slice_drop(line, 3), slice_text(heading));
            lines = 0;
        }
        if (!is_below || line.len == 0 || line.ptr[0] != '|')
            continue;
        if (++lines <= 2)
            continue; /* the header and its rule */
        line = slice_drop(line, 1);
        for (size_t i = 0; i < CELLS_MAX && line.len > 0; i++)
            cells[i] = bare(slice_take_until(&line, '|'));
        on(cells);
        rows++;
    }
    assert_true(rows > 0);
}

/* "`a`, `b`" to "{a,b}". */
static void
array_print(struct slice list, char *out, size_t max)
{
    size_t len = 0;

    out[len++] = '{';
    for (size_t i = 0; i < list.len && len + 2 < max; i++)
        if (list.ptr[i] != '`' && list.ptr[i] != ' ')
            out[len++] = list.ptr[i];
    out[len++] = '}';
    out[len] = '\0';
}

static void
declare_privilege(struct slice table, struct slice role, const char *privilege, struct slice cell)
{
    char sql[SQL_BYTES], columns[1024];
    bool is_all = slice_eq(cell, SLICE("all")), is_but = slice_starts_with(cell, SLICE("all but "));

    if (slice_eq(cell, SLICE("-")))
        return;
    array_print(is_all   ? SLICE_EMPTY
                : is_but ? slice_drop(cell, strlen("all but "))
                         : cell,
                columns, sizeof(columns));
    if (strcmp(privilege, "delete") == 0) {
        assert_true(is_all);
        snprintf(sql, sizeof(sql), "insert into declared_grant values ('%.*s', '%.*s', 'delete', '*')",
                 SLICE_FMT(table), SLICE_FMT(role));
        run(sql);
        return;
    }
    snprintf(sql, sizeof(sql),
             "insert into declared_grant select '%.*s', '%.*s', '%s', attname from pg_attribute"
             " where attrelid = 'harkara.%.*s'::regclass and attnum > 0 and not attisdropped"
             " and (%s attname = any ('%s'))",
             SLICE_FMT(table), SLICE_FMT(role), privilege, SLICE_FMT(table),
             is_all   ? "true or"
             : is_but ? "not"
                      : "",
             columns);
    run(sql);
    snprintf(sql, sizeof(sql),
             "select c as column from unnest('%s'::text[]) c where not exists (select from pg_attribute"
             " where attrelid = 'harkara.%.*s'::regclass and attname = c)",
             columns, SLICE_FMT(table));
    assert_none("a column that the table does not have", sql);
}

static void
declare_grant(const struct slice *cells)
{
    static const char *const privileges[] = { "select", "insert", "update", "delete" };

    for (size_t i = 0; i < COUNT_OF(privileges); i++)
        declare_privilege(cells[0], cells[1], privileges[i], cells[2 + i]);
}

static void
declare_across(const struct slice *cells)
{
    struct slice commands = cells[3];
    char sql[SQL_BYTES];

    while (commands.len > 0) {
        struct slice command = slice_trim(slice_take_until(&commands, ','));
        snprintf(sql, sizeof(sql), "insert into declared_across values ('%.*s', '%.*s', '%.*s', '%.*s')",
                 SLICE_FMT(cells[0]), SLICE_FMT(cells[1]), SLICE_FMT(cells[2]), SLICE_FMT(command));
        run(sql);
    }
}

static void
declare_many(const struct slice *cells)
{
    struct slice commands = cells[3];
    char sql[SQL_BYTES];

    while (commands.len > 0) {
        struct slice command = slice_trim(slice_take_until(&commands, ','));
        snprintf(sql, sizeof(sql), "insert into declared_many values ('%.*s', '%.*s', '%.*s', '%.*s')",
                 SLICE_FMT(cells[0]), SLICE_FMT(cells[1]), SLICE_FMT(cells[2]), SLICE_FMT(command));
        run(sql);
    }
}

static void
declare_role(const struct slice *cells)
{
    char sql[SQL_BYTES];

    snprintf(sql, sizeof(sql), "insert into declared_role values ('%.*s', %s)", SLICE_FMT(cells[0]),
             slice_eq(cells[1], SLICE("yes")) ? "true" : "false");
    run(sql);
}

static void
declare_common_table(const struct slice *cells)
{
    char sql[SQL_BYTES];

    snprintf(sql, sizeof(sql), "insert into declared_common values ('%.*s')", SLICE_FMT(cells[0]));
    run(sql);
}

static void
declare_function(const struct slice *cells)
{
    char sql[SQL_BYTES];

    snprintf(sql, sizeof(sql), "insert into declared_function values ('%.*s', %s, replace('%.*s', '`', ''))",
             SLICE_FMT(cells[0]), slice_eq(cells[1], SLICE("owner")) ? "true" : "false", SLICE_FMT(cells[2]));
    run(sql);
}

static int
setup(void **state)
{
    char path[4096];
    const char *root = getenv("HARKARA_SOURCE");

    if (test_cluster_setup(state) != 0 || root == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/docs/database.md", root);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    document[fread(document, 1, sizeof(document) - 1, file)] = '\0';
    fclose(file);
    superuser = PQconnectdb(test_cluster_conninfo("postgres"));
    run("create temp table declared_grant (tab text, role text, privilege text, col text);"
        "create temp table declared_across (purpose text, role text, tab text, command text);"
        "create temp table declared_many (role text, taker text, tab text, command text);"
        "create temp table declared_role (name text, logs_in boolean);"
        "create temp table declared_common (tab text);"
        "create temp table declared_function (name text, is_definer boolean, callers text)");
    /* What the tests ask about: our tables, partitions apart; views; and who may log in. */
    run("create temp view tabs as select oid, relname::text as tab, relkind, relispartition, relowner, relrowsecurity,"
        " relforcerowsecurity, exists (select from pg_attribute where attrelid = c.oid and attname = 'tenant_id') as"
        " has_tenant from pg_class c where relnamespace = 'harkara'::regnamespace and relkind not in ('i', 'I', 'v');"
        "create temp view views as select oid, relname::text as tab, reloptions from pg_class"
        " where relnamespace = 'harkara'::regnamespace and relkind = 'v';"
        "create temp view logins as select * from pg_roles where rolcanlogin and not rolsuper;"
        /* Those who do something: not the owner, whom nobody becomes. */
        "create temp view doers as select * from pg_roles where rolname like 'harkara%' and rolname <> 'harkara_owner'");
    each_row("Grants", declare_grant);
    each_row("Work across tenants", declare_across);
    each_row("Work for several tenants", declare_many);
    each_row("Roles", declare_role);
    each_row("The tenant is in the transaction", declare_common_table);
    each_row("Functions", declare_function);
    return 0;
}

static int
teardown(void **state)
{
    PQfinish(superuser);
    return test_cluster_teardown(state);
}

static void
every_tenant_table_has_forced_row_security(void **state UNUSED)
{
    assert_none("row-level security is not enabled and forced",
                "select tab from tabs where has_tenant and not (relrowsecurity and relforcerowsecurity)");
    assert_none("a table without a tenant that is not declared",
                "select tab from tabs where not has_tenant except select tab from declared_common");
    assert_none("a declared table that is not there, or has a tenant",
                "select tab from declared_common except select tab from tabs where not has_tenant");
    assert_none(
        "a nullable tenant_id",
        "select tab from tabs join pg_attribute on attrelid = tabs.oid where attname = 'tenant_id' and not attnotnull");
    assert_none(
        "a primary key that does not begin with the tenant",
        "select tab from tabs where has_tenant and not exists (select from pg_index i join pg_attribute a on"
        " a.attrelid = tabs.oid and a.attnum = i.indkey[0] where i.indrelid = tabs.oid and i.indisprimary and"
        " a.attname = 'tenant_id')");
    /* Partitions are counted, too: the list is not empty by mistake. */
    assert_none("no partitions were looked at",
                "select 'none' where (select count(*) from tabs where relispartition and has_tenant) < 10");
}

static void
there_is_nothing_that_row_security_does_not_bind(void **state UNUSED)
{
    assert_none("neither table nor partitioned table",
                "select tab, relkind from tabs where relkind not in ('r', 'p')");
    assert_none(
        "a view that reads with another's rights than those of who asks",
        "select tab from views where not coalesce('security_invoker=true' = any (reloptions), false)");
    assert_none(
        "an object of another schema that a login role reaches",
        "select n.nspname, c.relname, l.rolname from pg_class c join pg_namespace n on n.oid = relnamespace"
        " cross join logins l where n.nspname not in ('harkara', 'pg_catalog', 'information_schema', 'pg_toast')"
        " and n.nspname not like 'pg_temp%' and relkind in ('r', 'p', 'v', 'm', 'f')"
        " and has_schema_privilege(l.oid, n.oid, 'usage') and has_any_column_privilege(l.oid, c.oid, 'select')");
}

static void
every_policy_is_the_tenant_rule_or_declared(void **state UNUSED)
{
    assert_none(
        "a tenant table without exactly the tenant rule",
        "select tab from tabs where has_tenant and (select count(*) from pg_policy where polrelid = tabs.oid and"
        " polname = 'one_tenant' and polcmd = '*' and polpermissive and polroles = '{0}' and polwithcheck is null"
        " and pg_get_expr(polqual, polrelid) = '(tenant_id = ( SELECT (NULLIF(current_setting("
        "''harkara.tenant''::text, true), ''''::text))::uuid AS \"nullif\"))') <> 1");
    run("create temp view across as select p.polname, tab, r.rolname::text as role,"
        " case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'"
        " else '*' end as command, polpermissive, cardinality(polroles) as role_count, relispartition,"
        " pg_get_expr(case polcmd when 'a' then polwithcheck else polqual end, polrelid) as rule,"
        " (case polcmd when 'a' then polqual else polwithcheck end) is null as is_plain"
        " from pg_policy p join tabs on tabs.oid = polrelid left join pg_roles r on r.oid = polroles[1]"
        " where polname <> 'one_tenant' and polname not like 'many\\_%'");
    assert_none(
        "a policy that is not declared",
        "select polname, tab, role, command, rule from across where relispartition or not polpermissive or not"
        " is_plain or role_count <> 1 or not exists (select from declared_across d where d.tab = across.tab and"
        " d.role = across.role and d.command = across.command and across.rule = format('(( SELECT"
        " current_setting(''harkara.across''::text, true) AS current_setting) = %L::text)', d.purpose))");
    assert_none(
        "a declared opening that is not there",
        "select purpose, role, tab, command from declared_across d where not exists (select from across where"
        " across.tab = d.tab and across.role = d.role and across.command = d.command and"
        " position(quote_literal(d.purpose) in rule) > 0)");
    assert_none(
        "as many policies as openings",
        "select 'differ' where (select count(*) from across) <> (select count(*) from declared_across)");
}

static void
every_policy_for_several_tenants_is_declared(void **state UNUSED)
{
    run("create temp view many as select p.polname, tab, r.rolname::text as role,"
        " case polcmd when 'r' then 'select' when 'a' then 'insert' else '*' end as command, polpermissive,"
        " cardinality(polroles) as role_count, relispartition,"
        " pg_get_expr(case polcmd when 'a' then polwithcheck else polqual end, polrelid) as rule,"
        " (case polcmd when 'a' then polqual else polwithcheck end) is null as is_plain"
        " from pg_policy p join tabs on tabs.oid = polrelid left join pg_roles r on r.oid = polroles[1]"
        " where polname like 'many\\_%'");
    assert_none(
        "a policy for several tenants that is not declared",
        "select polname, tab, role, command, rule from many where relispartition or not polpermissive or not is_plain"
        " or role_count <> 1 or (role, tab, command) not in (select role, tab, command from declared_many) or rule <>"
        " '(tenant_id = ANY (( SELECT (NULLIF(current_setting(''harkara.tenants''::text, true), ''''::text))::uuid[] AS"
        " \"nullif\")::uuid[]))'");
    assert_none("declared for several tenants and not there",
                "select role, tab, command from declared_many except select role, tab, command from many");
    assert_none(
        "somebody else may become another role",
        "select member::regrole::text, roleid::regrole::text from pg_auth_members where member in (select oid from"
        " pg_roles where rolname like 'harkara%') except select taker, role from declared_many");
    assert_none(
        "who is declared may not become it",
        "select taker, role from declared_many except select member::regrole::text, roleid::regrole::text from"
        " pg_auth_members");
    assert_none("a role for several tenants that logs in",
                "select rolname from logins where rolname in (select role from declared_many)");
    /* So whoever is in the taker's place gains nothing by it. */
    assert_none(
        "a right of such a role that its taker has not",
        "select m.role, privilege, tab, col from (select distinct role, taker from declared_many) m join declared_grant g"
        " on g.role = m.role where not exists (select from declared_grant h where h.role = m.taker and h.privilege ="
        " g.privilege and h.tab = g.tab and h.col = g.col)");
    assert_none("a right to change what is there",
                "select * from declared_grant where role in (select role from declared_many) and privilege in"
                " ('update', 'delete')");
}

static void
grants_are_exactly_what_is_declared(void **state UNUSED)
{
    run("create temp view all_of_them as select oid, tab from tabs union all select oid, tab from views;"
        "create temp view granted as"
        " select tab, rolname::text as role, privilege, attname::text as col from all_of_them t cross join doers l"
        " cross join (values ('select'), ('insert'), ('update')) as p (privilege)"
        " join pg_attribute a on a.attrelid = t.oid and attnum > 0 and not attisdropped"
        " where has_column_privilege(l.oid, t.oid, attnum, privilege)"
        " union all"
        " select tab, rolname::text, privilege, '*' from all_of_them t cross join doers l"
        " cross join (values ('delete'), ('truncate'), ('references'), ('trigger')) as p (privilege)"
        " where has_table_privilege(l.oid, t.oid, privilege)");
    assert_none("granted and not declared",
                "select * from granted except select * from declared_grant order by 1, 2, 3");
    assert_none("declared and not granted",
                "select * from declared_grant except select * from granted order by 1, 2, 3");
    assert_none(
        "a right that can be passed on",
        "select tab, grantee::regrole from tabs, pg_class c, aclexplode(c.relacl) where c.oid = tabs.oid and"
        " is_grantable and grantee <> c.relowner");
    assert_none(
        "granted to everybody",
        "select c.relname from pg_class c, aclexplode(c.relacl) a where c.relnamespace = 'harkara'::regnamespace"
        " and a.grantee = 0 union all select t.attrelid::regclass::name from pg_attribute t, aclexplode(t.attacl) a"
        " where t.attrelid in (select oid from tabs) and a.grantee = 0");
}

/* The words of the design, spelt out once more: they must not fade when the table above is edited. */
static void
what_the_design_forbids_is_not_granted(void **state UNUSED)
{
    assert_none(
        "the gateway reads a credential",
        "select tab, col from declared_grant where role = 'harkara_gateway' and privilege = 'select' and"
        " (col like 'access_token\\_ct' or (tab = 'webhook_endpoint' and col like 'headers\\_ct') or (tab = 'webhook_secret' and col like '%\\_ct'))");
    assert_none(
        "a role other than the sender reads access tokens",
        "select tab, role from declared_grant where col = 'access_token_ct' and privilege = 'select' and role <>"
        " 'harkara_dispatcher'");
    assert_none(
        "a role other than the signer reads webhook secrets",
        "select tab, role from declared_grant where tab in ('webhook_secret', 'webhook_endpoint') and col like '%\\_ct' and privilege ="
        " 'select' and role <> 'harkara_webhooks'");
    assert_none(
        "the scheduler reads content", /* what signs the audit log, it hands to the vault; a node is no content */
        "select tab, col from declared_grant where role = 'harkara_scheduler' and (col like '%\\_ct' or col like"
        " 'peer%' or col = 'hash' or col = 'fingerprint') and tab not in ('tenant_key', 'audit_key', 'audit_node')");
    assert_none(
        "the command line reads content",
        "select tab, col from declared_grant where role = 'harkara_admin' and tab in ('message', 'event',"
        " 'provider_event', 'webhook_delivery', 'whatsapp_channel')");
    assert_none(
        "a key can be changed",
        "select tab, role, col from declared_grant where privilege = 'update' and (col = 'tenant_id' or exists"
        " (select from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)"
        " where i.indisprimary and i.indrelid = ('harkara.' || tab)::regclass and a.attname = col))");
    assert_none(
        "the event log can be changed",
        "select role, privilege from declared_grant where tab in ('event', 'event_log') and privilege in ('update', 'delete')");
}

static void
roles_are_exactly_what_is_declared(void **state UNUSED)
{
    assert_none(
        "a role that is not declared",
        "select rolname from pg_roles where rolname like 'harkara%' and (rolname::text, rolcanlogin) not in"
        " (select name, logs_in from declared_role)");
    assert_none("a declared role that is not there",
                "select name from declared_role where name not in (select rolname from pg_roles)");
    assert_none("somebody else logs in",
                "select rolname from logins except select name from declared_role where logs_in");
    assert_none(
        "a role with powers",
        "select rolname from pg_roles where rolname like 'harkara%' and (rolsuper or rolbypassrls or rolcreaterole"
        " or rolcreatedb or rolreplication or rolinherit)");
    assert_none(
        "a role without its limits",
        "select name, setting from declared_role cross join (values ('search_path=harkara'),"
        " ('idle_in_transaction_session_timeout=60s'), ('statement_timeout=30s'), ('lock_timeout=20s'), ('jit=off')) as s"
        " (setting) where logs_in and not exists (select from pg_db_role_setting join pg_roles on pg_roles.oid ="
        " setrole where rolname = name and setting = any (setconfig))");
    assert_none(
        "a reader of queues that may sort them instead",
        "select name from (values ('harkara_dispatcher'), ('harkara_webhooks')) as reader (name) where not exists"
        " (select from pg_db_role_setting join pg_roles on pg_roles.oid = setrole where rolname = name and"
        " 'enable_sort=off' = any (setconfig))");
}

static void
nobody_who_logs_in_owns_or_makes_anything(void **state UNUSED)
{
    assert_none(
        "an object that the owner does not own",
        "select tab, relowner::regrole from tabs where relowner <> 'harkara_owner'::regrole"
        " union all select proname, proowner::regrole from pg_proc where pronamespace = 'harkara'::regnamespace and"
        " proowner <> 'harkara_owner'::regrole union all select nspname, nspowner::regrole from pg_namespace where"
        " nspname = 'harkara' and nspowner <> 'harkara_owner'::regrole");
    assert_none(
        "something that a login role owns",
        "select classid::regclass, objid, rolname from pg_shdepend join logins on logins.oid = refobjid and"
        " refclassid = 'pg_authid'::regclass where deptype = 'o'");
    assert_none(
        "a place where a login role may create",
        "select rolname, nspname from logins cross join pg_namespace n where has_schema_privilege(logins.oid, n.oid,"
        " 'create') union all select rolname, datname from logins cross join pg_database d where"
        " has_database_privilege(logins.oid, d.oid, 'create') or (datname = 'harkara' and"
        " has_database_privilege(logins.oid, d.oid, 'temporary'))");
    assert_none(
        "everybody may connect",
        "select a.privilege_type from pg_database d, aclexplode(d.datacl) a where datname = 'harkara' and a.grantee = 0");
    assert_none(
        "a schema that a login role uses and does not need",
        "select rolname, nspname from logins cross join pg_namespace n where nspname = 'harkara_meta' and"
        " has_schema_privilege(logins.oid, n.oid, 'usage')");
}

static void
functions_are_exactly_what_is_declared(void **state UNUSED)
{
    run("create temp view functions as select p.oid, proname::text as name, prosecdef,"
        " case when exists (select from aclexplode(proacl) where grantee = 0) then 'everybody' else"
        " coalesce((select string_agg(grantee::regrole::text, ', ' order by 1) from aclexplode(proacl) where grantee <>"
        " proowner), 'nobody') end as callers, proacl, proconfig from pg_proc p where pronamespace = 'harkara'::regnamespace");
    assert_none("a function that is not declared",
                "select name, prosecdef, callers from functions except select name, is_definer, callers from"
                " declared_function");
    assert_none(
        "a declared function that is not there",
        "select name, is_definer, callers from declared_function except select name, prosecdef, callers from"
        " functions");
    assert_none("rights by default, which are everybody's",
                "select name from functions where proacl is null");
    assert_none("a function of the owner's whose names a caller could redirect",
                "select name from functions where prosecdef and not coalesce('search_path=harkara, pg_temp' ="
                " any (proconfig), false)");
    assert_none("two functions of one name", "select name from functions group by name having count(*) > 1");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tenant_table_has_forced_row_security),
        cmocka_unit_test(there_is_nothing_that_row_security_does_not_bind),
        cmocka_unit_test(every_policy_is_the_tenant_rule_or_declared),
        cmocka_unit_test(every_policy_for_several_tenants_is_declared),
        cmocka_unit_test(grants_are_exactly_what_is_declared),
        cmocka_unit_test(what_the_design_forbids_is_not_granted),
        cmocka_unit_test(roles_are_exactly_what_is_declared),
        cmocka_unit_test(nobody_who_logs_in_owns_or_makes_anything),
        cmocka_unit_test(functions_are_exactly_what_is_declared),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
