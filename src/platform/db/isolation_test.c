/*
 * Two tenants with a row in every table, and every login role at every table that it reaches: by raw SQL,
 * without a WHERE that could hide a hole. What a role reaches is read from the catalogue (catalogue_test.c
 * holds that against what is declared), so a new table is tested without a line here, except that it wants
 * its sample rows.
 */
#include "core/num.h"
#include "platform/db/test_cluster.h"
#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#define REACH_MAX   1024u
#define SQL_BYTES   16384u
#define DENIED      "42501"
#define RLS_MESSAGE "row-level security"

/* One role at one table. */
struct reach {
    char role[64], table[64];
    char select_column[64];    /* one that it may read; empty: none */
    char update_column[64];    /* one that it may write; empty: none */
    char insert_columns[1024]; /* those that it may give; empty: none */
    bool reads_tenant, may_delete;
    PGconn *conn; /* of the role; borrowed */
};

static struct reach reaches[REACH_MAX];
static size_t reach_count;
/* Of the roles that nobody logs in as: they are turned to inside a transaction, for several tenants. */
static struct reach many[REACH_MAX];
static size_t many_count;
static struct {
    char role[64];
    PGconn *conn;
} roles[16];
static size_t role_count;
static PGconn *superuser;
static char acme[ID_UUID_BYTES], bolt[ID_UUID_BYTES];
static char sqlstate[6], message[512]; /* of the last statement; empty: it succeeded */

/* One row in every table. Columns are what the table wants; nothing is opened here, so seals are zeros. */
static const char sample_sql[] =
    "do $$ declare"
    " t uuid := '%s'; s text := '%s'; k uuid := pg_temp.new_id(); c uuid := pg_temp.new_id(); m uuid := pg_temp.new_id();"
    " e uuid := pg_temp.new_id(); w uuid := pg_temp.new_id(); d uuid := pg_temp.new_id();"
    " b12 bytea := decode(repeat('00', 12), 'hex'); b16 bytea := decode(repeat('00', 16), 'hex');"
    " b32 bytea := decode(repeat('00', 32), 'hex'); "
    "begin"
    " insert into tenant (tenant_id, name, slug) values (t, s, s);"
    " insert into tenant_key values (t, 1, 1, 1, b32, b12, b16);"
    " insert into api_key (tenant_id, id, name, mode, salt, hash, last_four, scopes)"
    "  values (t, k, 'k', 'live', b16, b32, 'abcd', '{messages:send}');"
    " insert into channel (tenant_id, id, kind, name) values (t, c, 'whatsapp', 'c');"
    " insert into whatsapp_channel (tenant_id, channel_id, waba_id, phone_number_id, display_phone_number,"
    "  access_token_ct, access_token_iv, access_token_tag, access_token_key_version, app_secret_ct, app_secret_iv,"
    "  app_secret_tag, app_secret_key_version, verify_token_ct, verify_token_iv, verify_token_tag,"
    "  verify_token_key_version) values (t, c, '1', '2', '3', '', b12, b16, 1, '', b12, b16, 1, '', b12, b16, 1);"
    " insert into dispatch_lane (tenant_id, channel_id) values (t, c);"
    " insert into whatsapp_number (tenant_id, channel_id) values (t, c);"
    " insert into provider_task (tenant_id, id, channel_id, kind) values (t, pg_temp.new_id(), c, 'number.sync');"
    " insert into channel_window values (t, c, b32, now(), null, null);"
    " insert into template (tenant_id, id, channel_id, waba_id, name, language, category, is_named, state)"
    "  values (t, pg_temp.new_id(), c, '1', 'n', 'en', 'utility', false, 'approved');"
    " insert into message (tenant_id, id, channel_id, direction, kind, category, status, peer_index, key_version,"
    "  peer_ct, peer_iv, peer_tag, content_ct, content_iv, content_tag)"
    "  values (t, m, c, 'out', 'text', 'otp', 'queued', b32, 1, '', b12, b16, '', b12, b16);"
    " insert into message_tag values (t, 'tag', m);"
    " insert into message_fallback (tenant_id, message_id, position, channel_id, kind) values (t, m, 0, c, 'text');"
    " insert into message_settings values (t, 'resend', 'resend', 'leave', 'fail');"
    " insert into consent_notice values (t, k, 'n', 'en', 1, 'x', b32, '{}', now(), 'key', k);"
    " insert into consent_event (tenant_id, id, peer_index, channel_kind, purpose, state, source, has_evidence, actor_kind, at)"
    "  values (t, e, b32, 'sms', 'promotional', 'withdrawn', 'api', false, 'key', now());"
    " insert into consent_peer values (t, e, b32, 1, '', b12, b16);"
    " insert into consent_evidence values (t, e, 1, '', b12, b16);"
    " insert into consent_state values (t, b32, 'sms', 'promotional', 'withdrawn', now(), e);"
    " insert into suppression (tenant_id, peer_index, channel_kind, scope, reason, id, actor_kind, at)"
    "  values (t, b32, 'any', 'all', 'manual', e, 'key', now());"
    " insert into consent_follow_up (tenant_id, id, word, language, channel_id, message_id, peer_index)"
    "  values (t, e, 'stop', 'en', c, m, b32);"
    " insert into consent_settings values (t, 'unknown', 'unknown', 'unknown', 'unknown', 'promotional', '{}', '{}', '{}',"
    "  true, true, true);"
    " insert into policy_settings values (t, 136, 1, null, 0, false, 540, 0, 1440, 127, 30);"
    " insert into tenant_limit (tenant_id, messages_per_day) values (t, 1);"
    " insert into limit_setting (tenant_id, subject_id, messages_per_day) values (t, c, 1);"
    " insert into usage_day values (t, '2026-01-01', c, 1);"
    " insert into message_figure (tenant_id, at, channel_id) values (t, '2026-01-01', c);"
    " insert into quota_told values (t, c, 'sender-day', '2026-01-01', 80);"
    " insert into provider_ref values (t, c, 'wamid', m);"
    " insert into idempotency_key (tenant_id, key, fingerprint, message_id) values (t, 'key', b32, m);"
    " insert into dispatch_queue (tenant_id, message_id, channel_id, priority) values (t, m, c, 0);"
    " insert into event (tenant_id, id, type, subject_id, occurred_at) values (t, e, 'message.accepted', m, now());"
    " insert into provider_event (tenant_id, id, connector_id, digest, key_version, body_ct, body_iv, body_tag)"
    "  values (t, pg_temp.new_id(), k, b32, 1, '', b12, b16);"
    " insert into channel (tenant_id, id, kind, name) values (t, k, 'sms', 'h');"
    " insert into sms_channel (tenant_id, channel_id, sender, sender_kind) values (t, k, 'HRKARA', 'alphanumeric');"
    " insert into sms_connector (tenant_id, id, name, host, port, tls, system_id, password_key_version, password_ct,"
    "  password_iv, password_tag, transceivers, transmitters, receivers)"
    "  values (t, k, 'o', 'h', 2775, 'on', 's', 1, '', b12, b16, 1, 0, 0);"
    " insert into sms_route (tenant_id, id, prefix, connector_id) values (t, k, '91', k);"
    " insert into sms_link (tenant_id, connector_id, number, kind, state, since, told_at)"
    "  values (t, k, 0, 'transceiver', 'bound', now(), now());"
    " insert into sms_part values (t, m, 0, 1, 1, k, 'p', 'taken', null, now());"
    " insert into sms_receipt_parked values (t, k, 'q', 2, '', null, now());"
    " insert into sms_fragment values (t, k, k, b32, 0, 2, 1, e, now());"
    " insert into smpp_account (tenant_id, key_id, system_id, channel_id, category, binds_max, cost_n, salt, verifier)"
    "  values (t, k, substr(md5(t::text), 1, 12), c, 'otp', 1, 16384, b32, b32);"
    " insert into smpp_receipt (tenant_id, message_id, key_id, sender, sender_ton, sender_npi, failures_only)"
    "  values (t, m, k, 's', 5, 0, false);"
    " insert into smpp_group (tenant_id, id, key_id, identity, part_count, wants_receipt) values (t, e, k, b32, 2, true);"
    " insert into smpp_part values (t, e, 1, e, 4, 1, '', b12, b16);"
    " insert into smpp_inbound values (t, k, m);"
    " insert into provider_batch (tenant_id, id, events, due_at, attempt) values (t, pg_temp.new_id(), array[e], now(), 1);"
    " insert into webhook_endpoint (tenant_id, id, url, events) values (t, w, 'https://example.org', '{*}');"
    " insert into webhook_secret (tenant_id, endpoint_id, generation, secret_key_version, secret_ct, secret_iv, secret_tag)"
    "  values (t, w, 1, 1, '', b12, b16);"
    " insert into webhook_delivery (tenant_id, id, endpoint_id, event_id, event_type, key_version, body_ct, body_iv,"
    "  body_tag) values (t, d, w, e, 'message.accepted', 1, '', b12, b16);"
    " insert into media (tenant_id, id, direction, state, mime_type, bytes, expires_at)"
    "  values (t, w, 'out', 'ready', 'image/png', 1, now());"
    " insert into media_chunk values (t, w, 0, 1, '', b12, b16);"
    " insert into media_provider (tenant_id, media_id, channel_id, state, expires_at) values (t, w, c, 'pushing', now());"
    " insert into media_wait values (t, w, c, m);"
    " insert into webhook_attempt values (t, pg_temp.new_id(), d, 1, now(), 'delivered', 200, 5);"
    " insert into webhook_replay (tenant_id, id, endpoint_id, since, until, events, has_all, cursor_id)"
    "  values (t, pg_temp.new_id(), w, now(), now(), '{*}', false, e);"
    " insert into role (tenant_id, id, name, permissions) values (t, k, 'r', '{messages:read}');"
    " insert into person (tenant_id, id, key_version, name_ct, name_iv, name_tag) values (t, m, 1, '', b12, b16);"
    " insert into person_session (tenant_id, id, person_id, token_hash, factors, created_at, seen_at, expires_at, user_agent)"
    "  values (t, e, m, sha256(t::text::bytea), '{passkey}', now(), now(), now(), '');"
    " insert into email_change (tenant_id, id, person_id, key_version, email_ct, email_iv, email_tag, token_hash, is_mailed,"
    "  created_at, expires_at) values (t, e, m, 1, '', b12, b16, sha256(t::text::bytea), false, now(), now());"
    " insert into mail_notice (tenant_id, id, kind, language, data_key_version, data_ct, data_iv, data_tag, happened_at,"
    "  expires_at) values (t, e, 'removed', 'en', 1, '', b12, b16, now(), now());"
    " insert into ceremony (tenant_id, id) values (t, e);"
    " insert into enrolment (tenant_id, id, token_hash, workspace_id, created_at, expires_at)"
    "  values (t, e, sha256(t::text::bytea), t, now(), now());"
    " insert into throttle values (t, b32, 1, now());"
    " insert into membership (tenant_id, id, person_id, role_id, scope, joined_at) values (t, m, w, k, 'all', now());"
    " insert into team (tenant_id, id, name) values (t, e, 't');"
    " insert into team_member values (t, e, m);"
    " insert into invitation (tenant_id, id, key_version, email_ct, email_iv, email_tag, email_index, role, scope,"
    "  token_hash, invited_by_kind, invited_by, created_at, expires_at) values (t, k, 1, '', b12, b16, b32, 'agent', 'all',"
    "  decode(md5(s) || md5(s), 'hex'), 'key', k, now(), now());"
    " insert into access_review (tenant_id, id, due_at, created_at) values (t, k, now(), now());"
    " insert into access_review_item (tenant_id, review_id, membership_id, role_name, permissions, scope, key_count)"
    "  values (t, k, m, 'r', '{}', 'all', 0);"
    " insert into audit_entry (tenant_id, id, actor_kind, action, outcome) values (t, e, 'system', 'tenant.created', 'done');"
    " insert into audit_unsealed values (t, e);"
    " insert into audit_private values (t, pg_temp.new_id(), e, k, 1, '', b12, b16);"
    " insert into audit_tree (tenant_id) values (t);"
    " insert into audit_node values (t, 0, 0, b32, e);"
    " insert into audit_key values (t, 1, b32, 1, '', b12, b16);"
    " insert into audit_checkpoint values (t, 1, b32, now(), 1, b32 || b32);"
    " insert into passkey (tenant_id, id, person_id, credential_id, public_key, algorithm, sign_count, aaguid, transports,"
    "  is_backup_eligible, is_backed_up, name, created_at) values (t, k, m, b32, '', -7, 0, b16, 0, false, false, 'n', now());"
    " insert into totp (tenant_id, person_id, generation, secret_key_version, secret_ct, secret_iv, secret_tag, created_at)"
    "  values (t, m, 1, 1, '', b12, b16, now());"
    " insert into recovery_code values (t, m, b32, b16, now());"
    " insert into oidc_issuer (tenant_id, id, name, issuer, client_id, algorithm, domains, key_version, client_secret_ct,"
    "  client_secret_iv, client_secret_tag, created_at) values (t, k, 'n', 'https://a', 'c', 'RS256', '{}', 1, '', b12, b16,"
    "  now());"
    " insert into oidc_identity (tenant_id, id, person_id, issuer_id, subject_index, created_at)"
    "  values (t, k, m, k, b32, now());"
    " insert into dlt_entity values (t, k, '1101', 'n', 'active', now(), now());"
    " insert into dlt_chain values (t, k, k, b32, 'active', now(), now());"
    " insert into dlt_chain_member values (t, k, 1, '1302', '', 'delivery');"
    " insert into dlt_header (tenant_id, id, entity_id, name, created_at, updated_at) values (t, k, k, 'HRKARA', now(), now());"
    " insert into dlt_template (tenant_id, id, entity_id, kind, registered_id, name, category, text, lead, created_at, updated_at)"
    "  values (t, k, k, 'content', '1107', 'n', 'service', 'x', 'x', now(), now());"
    " insert into dlt_template_header values (t, k, k);"
    " insert into dlt_link (tenant_id, id, kind, value, created_at) values (t, k, 'number', '9876543210', now());"
    " insert into dlt_import values (t, k, 'links', b32, 1, 1, 0, 0, now());"
    " insert into platform_role values (t, m, 'auditor', now(), 'o');"
    " insert into oidc_task (tenant_id, id, issuer_id, kind) values (t, k, k, 'discovery');"
    "end $$";

/* Runs one statement; the number of rows it touched or, for a select, its first value. -1 and sqlstate on
 * error. */
static int64_t
try_sql(PGconn *conn, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    int64_t number = 0;

    snprintf(sqlstate, sizeof(sqlstate), "%s", state == NULL ? "" : state);
    snprintf(message, sizeof(message), "%s", PQresultErrorMessage(result));
    if (state != NULL)
        number = -1;
    else if (PQntuples(result) > 0)
        assert_true(num_i64_parse(slice_text(PQgetvalue(result, 0, 0)), &number) == ERR_OK);
    else if (PQcmdTuples(result)[0] != '\0')
        assert_true(num_i64_parse(slice_text(PQcmdTuples(result)), &number) == ERR_OK);
    PQclear(result);
    return number;
}

static int64_t
must_sql(PGconn *conn, const char *sql)
{
    int64_t number = try_sql(conn, sql);

    if (sqlstate[0] != '\0')
        fail_msg("%s: %s", message, sql);
    return number;
}

static void
enter(PGconn *conn, const char *tenant, const char *purpose)
{
    char sql[512];

    must_sql(conn, "begin");
    snprintf(
        sql, sizeof(sql),
        "select length(set_config('harkara.tenant', '%s', true) || set_config('harkara.across', '%s', true))",
        tenant, purpose);
    must_sql(conn, sql);
}

static void
leave(PGconn *conn)
{
    must_sql(conn, "rollback");
}

/* What the statement does within such a transaction, which is then undone. */
static int64_t
within(PGconn *conn, const char *tenant, const char *purpose, const char *sql)
{
    enter(conn, tenant, purpose);
    int64_t number = try_sql(conn, sql);
    char state[6], text[sizeof(message)];
    memcpy(state, sqlstate, sizeof(state));
    memcpy(text, message, sizeof(text));
    leave(conn);
    memcpy(sqlstate, state, sizeof(state));
    memcpy(message, text, sizeof(text));
    return number;
}

static void
assert_number(const struct reach *reach, const char *what, int64_t number, int64_t expected)
{
    if (number != expected)
        fail_msg("%s at %s: %s: %lld instead of %lld %s", reach->role, reach->table, what, (long long)number,
                 (long long)expected, message);
}

/* How many rows of the tenant there are in truth; NULL: of all. */
static int64_t
truth(const struct reach *reach, const char *tenant)
{
    char sql[512];

    snprintf(sql, sizeof(sql),
             "select count(*) from %s where tenant_id = coalesce(nullif('%s', '')::uuid, tenant_id)",
             reach->table, tenant == NULL ? "" : tenant);
    return must_sql(superuser, sql);
}

static PGconn *
connection_of(const char *role)
{
    for (size_t i = 0; i < role_count; i++)
        if (strcmp(roles[i].role, role) == 0)
            return roles[i].conn;
    assert_true(role_count < COUNT_OF(roles));
    PGconn *conn = PQconnectdb(test_cluster_conninfo(role));
    assert_int_equal(PQstatus(conn), CONNECTION_OK);
    must_sql(conn, "set client_min_messages = 'error'");
    snprintf(roles[role_count].role, sizeof(roles[role_count].role), "%s", role);
    roles[role_count++].conn = conn;
    return conn;
}

static void
reaches_read(bool logs_in, struct reach *out, size_t *count_out)
{
    char sql[SQL_BYTES];

    snprintf(
        sql, sizeof(sql),
        "select rolname, relname,"
        " coalesce(min(attname::text) filter (where has_column_privilege(r.oid, c.oid, attnum, 'select')), ''),"
        " coalesce(min(attname::text) filter (where has_column_privilege(r.oid, c.oid, attnum, 'update') and attgenerated = ''), ''),"
        " coalesce(string_agg(attname::text, ', ') filter (where has_column_privilege(r.oid, c.oid, attnum, 'insert') and attgenerated = ''), ''),"
        " coalesce(bool_or(has_column_privilege(r.oid, c.oid, attnum, 'select')) filter (where attname = 'tenant_id'), false)::integer,"
        " has_table_privilege(r.oid, c.oid, 'delete')::integer"
        " from pg_roles r cross join pg_class c join pg_attribute a on attrelid = c.oid and attnum > 0 and not attisdropped"
        " where rolname like 'harkara\\_%%' and rolname <> 'harkara_owner' and rolcanlogin = %s"
        " and relnamespace = 'harkara'::regnamespace and relkind in ('r', 'p') and not relispartition and exists (select from pg_attribute where attrelid = c.oid and attname = 'tenant_id')"
        " group by r.oid, rolname, c.oid, relname order by rolname, relname",
        logs_in ? "true" : "false");
    PGresult *rows = PQexec(superuser, sql);
    assert_int_equal(PQresultStatus(rows), PGRES_TUPLES_OK);
    for (int row = 0; row < PQntuples(rows); row++) {
        assert_true(*count_out < REACH_MAX);
        struct reach *reach = &out[(*count_out)++];
        snprintf(reach->role, sizeof(reach->role), "%s", PQgetvalue(rows, row, 0));
        snprintf(reach->table, sizeof(reach->table), "%s", PQgetvalue(rows, row, 1));
        snprintf(reach->select_column, sizeof(reach->select_column), "%s", PQgetvalue(rows, row, 2));
        snprintf(reach->update_column, sizeof(reach->update_column), "%s", PQgetvalue(rows, row, 3));
        snprintf(reach->insert_columns, sizeof(reach->insert_columns), "%s", PQgetvalue(rows, row, 4));
        reach->reads_tenant = PQgetvalue(rows, row, 5)[0] == '1';
        reach->may_delete = PQgetvalue(rows, row, 6)[0] == '1';
        reach->conn = connection_of(logs_in ? reach->role : "harkara_gateway");
    }
    PQclear(rows);
}

static int
setup(void **state)
{
    char sql[SQL_BYTES];

    if (test_cluster_setup(state) != 0)
        return -1;
    superuser = PQconnectdb(test_cluster_conninfo("postgres"));
    must_sql(superuser, "set search_path = harkara");
    must_sql(superuser,
             "create function pg_temp.new_id() returns uuid language sql volatile as $$ select"
             " (left(harkara.id_at(now())::text, 13) || substr(gen_random_uuid()::text, 14))::uuid $$");
    must_sql(superuser, "insert into kek values (1, 16384, 8, 1, decode(repeat('00', 32), 'hex'), '',"
                        " decode(repeat('00', 12), 'hex'), decode(repeat('00', 16), 'hex'))");
    id_uuid_print(id_new(clock_system()), acme);
    id_uuid_print(id_new(clock_system()), bolt);
    snprintf(sql, sizeof(sql), sample_sql, acme, "acme");
    must_sql(superuser, sql);
    snprintf(sql, sizeof(sql), sample_sql, bolt, "bolt");
    must_sql(superuser, sql);
    reaches_read(true, reaches, &reach_count);
    reaches_read(false, many, &many_count);
    return 0;
}

static int
teardown(void **state)
{
    for (size_t i = 0; i < role_count; i++)
        PQfinish(roles[i].conn);
    PQfinish(superuser);
    return test_cluster_teardown(state);
}

/* Else the other tests would prove nothing about it. */
static void
every_table_has_rows_of_both_tenants(void **state UNUSED)
{
    assert_true(reach_count > 30);
    for (size_t i = 0; i < reach_count; i++) {
        if (truth(&reaches[i], acme) == 0 || truth(&reaches[i], bolt) == 0)
            fail_msg("%s has no sample row: add one to sample_sql", reaches[i].table);
    }
}

static void
without_a_tenant_nothing_is_seen(void **state UNUSED)
{
    char sql[512];

    for (size_t i = 0; i < reach_count; i++) {
        const struct reach *reach = &reaches[i];
        if (reach->select_column[0] == '\0')
            continue;
        snprintf(sql, sizeof(sql), "select count(*) from %s", reach->table);
        assert_number(reach, "outside any transaction", must_sql(reach->conn, sql), 0);
        assert_number(reach, "with an empty tenant", within(reach->conn, "", "", sql), 0);
        assert_number(reach, "for a tenant that does not exist",
                      within(reach->conn, "00000000-0000-0000-0000-000000000000", "", sql), 0);
        assert_number(reach, "for a purpose that nobody declared", within(reach->conn, "", "everything", sql),
                      0);
        assert_number(reach, "for a tenant that is none", within(reach->conn, "acme", "", sql), -1);
        assert_string_equal(sqlstate, "22P02");
    }
}

static void
with_a_tenant_nothing_of_another_is_seen(void **state UNUSED)
{
    char sql[512];

    for (size_t i = 0; i < reach_count; i++) {
        const struct reach *reach = &reaches[i];
        if (reach->select_column[0] == '\0')
            continue;
        snprintf(sql, sizeof(sql), "select count(*) from %s", reach->table);
        assert_number(reach, "of its tenant", within(reach->conn, acme, "", sql), truth(reach, acme));
        assert_true(reach->reads_tenant);
        snprintf(sql, sizeof(sql), "select count(*) from %s where tenant_id <> '%s'", reach->table, acme);
        assert_number(reach, "of others", within(reach->conn, acme, "", sql), 0);
    }
}

/* A setting is the transaction's: the next one on the same connection begins with none. */
static void
a_tenant_ends_with_its_transaction(void **state UNUSED)
{
    char sql[512];

    for (size_t i = 0; i < reach_count; i++) {
        const struct reach *reach = &reaches[i];
        if (reach->select_column[0] == '\0')
            continue;
        snprintf(sql, sizeof(sql), "select count(*) from %s", reach->table);
        enter(reach->conn, acme, "");
        assert_true(must_sql(reach->conn, sql) > 0);
        must_sql(reach->conn, "commit");
        assert_number(reach, "after the commit", must_sql(reach->conn, sql), 0);
    }
}

/* A superuser's row as the role would insert it, in the name of `tenant`. */
static void
insert_sql(const struct reach *reach, const char *tenant, char *out, size_t max)
{
    char sql[SQL_BYTES];

    snprintf(sql, sizeof(sql), "select to_jsonb(t) from %s t where tenant_id = '%s' limit 1", reach->table,
             tenant);
    PGresult *row = PQexec(superuser, sql);
    assert_int_equal(PQntuples(row), 1);
    snprintf(out, max, "insert into %s (%s) select %s from jsonb_populate_record(null::%s, '%s')",
             reach->table, reach->insert_columns, reach->insert_columns, reach->table, PQgetvalue(row, 0, 0));
    PQclear(row);
}

static void
no_row_is_inserted_for_another_tenant(void **state UNUSED)
{
    static char sql[SQL_BYTES * 2];
    size_t tried = 0;

    for (size_t i = 0; i < reach_count; i++) {
        const struct reach *reach = &reaches[i];
        if (reach->insert_columns[0] == '\0')
            continue;
        tried++;
        insert_sql(reach, bolt, sql, sizeof(sql));
        const char *const strangers[] = { acme, "" };
        for (size_t s = 0; s < COUNT_OF(strangers); s++) {
            assert_number(reach, "inserts a foreign row", within(reach->conn, strangers[s], "", sql), -1);
            assert_string_equal(sqlstate, DENIED);
            assert_non_null(strstr(message, RLS_MESSAGE));
        }
        /* The statement itself is good: for its own tenant it gets as far as the key, which is there already.
         */
        within(reach->conn, bolt, "", sql);
        assert_string_equal(sqlstate, "23505");
    }
    assert_true(tried > 10);
}

static void
no_row_of_another_tenant_is_updated_or_deleted(void **state UNUSED)
{
    char sql[1024];
    size_t tried = 0;

    for (size_t i = 0; i < reach_count; i++) {
        const struct reach *reach = &reaches[i];
        for (int is_delete = 0; is_delete <= 1; is_delete++) {
            if (is_delete ? !reach->may_delete : reach->update_column[0] == '\0')
                continue;
            tried++;
            if (is_delete)
                snprintf(sql, sizeof(sql), "delete from %s", reach->table);
            else
                snprintf(sql, sizeof(sql), "update %s set %s = default", reach->table, reach->update_column);
            assert_number(reach, "changes without a tenant", within(reach->conn, "", "", sql), 0);
            size_t len = strlen(sql);
            snprintf(sql + len, sizeof(sql) - len, " where tenant_id = '%s'", bolt);
            assert_number(reach, "changes a foreign row", within(reach->conn, acme, "", sql), 0);
            /* For its own tenant the same statement finds the row: it changes it, or meets a constraint on
             * it. */
            if (within(reach->conn, bolt, "", sql) <= 0)
                assert_true(strncmp(sqlstate, "23", 2) == 0);
        }
    }
    assert_true(tried > 10);
}

/* Of the purposes and what they open: see docs/database.md; here that they open no more than their policies
 * say. */
static void
a_purpose_opens_what_it_declares_and_to_whom(void **state UNUSED)
{
    PGresult *purposes =
        PQexec(superuser, "select distinct substring(pg_get_expr(coalesce(polqual, polwithcheck),"
                          " polrelid) from '''([a-z.]+)''::text\\)$') from pg_policy where polname <>"
                          " 'one_tenant' and polname not like 'many\\_%'");
    char sql[1024];
    size_t opened = 0;

    assert_true(PQntuples(purposes) >= 8);
    for (int p = 0; p < PQntuples(purposes); p++) {
        const char *purpose = PQgetvalue(purposes, p, 0);
        for (size_t i = 0; i < reach_count; i++) {
            const struct reach *reach = &reaches[i];
            static const char *const commands[] = { "r", "w", "d" };
            const int64_t all = truth(reach, NULL);
            for (size_t c = 0; c < COUNT_OF(commands); c++) {
                if (c == 0   ? reach->select_column[0] == '\0'
                    : c == 1 ? reach->update_column[0] == '\0'
                             : !reach->may_delete)
                    continue;
                snprintf(
                    sql, sizeof(sql),
                    "select count(*) from pg_policy where polrelid = '%s'::regclass and polcmd = '%s' and '%s'::regrole ="
                    " any (polroles) and pg_get_expr(polqual, polrelid) like '%%''%s''::text)'",
                    reach->table, commands[c], reach->role, purpose);
                const bool is_open = must_sql(superuser, sql) == 1;
                opened += is_open;
                if (c == 0)
                    snprintf(sql, sizeof(sql), "select count(*) from %s", reach->table);
                else if (c == 1)
                    snprintf(sql, sizeof(sql), "update %s set %s = default", reach->table,
                             reach->update_column);
                else
                    snprintf(sql, sizeof(sql), "delete from %s", reach->table);
                int64_t touched = within(reach->conn, "", purpose, sql);
                if (is_open && touched < 0)
                    assert_true(strncmp(sqlstate, "23", 2) == 0);
                else
                    assert_number(reach, purpose, touched, is_open ? all : 0);
            }
        }
    }
    assert_true(opened >= 15);
    PQclear(purposes);
}

static void
no_purpose_lets_anybody_insert(void **state UNUSED)
{
    static char sql[SQL_BYTES * 2];
    PGresult *purposes =
        PQexec(superuser, "select distinct substring(pg_get_expr(polqual, polrelid) from"
                          " '''([a-z.]+)''::text\\)$') from pg_policy where polname <> 'one_tenant'"
                          " and polname not like 'many\\_%'");

    for (int p = 0; p < PQntuples(purposes); p++) {
        for (size_t i = 0; i < reach_count; i++) {
            if (reaches[i].insert_columns[0] == '\0')
                continue;
            insert_sql(&reaches[i], bolt, sql, sizeof(sql));
            within(reaches[i].conn, "", PQgetvalue(purposes, p, 0), sql);
            assert_string_equal(sqlstate, DENIED);
        }
    }
    PQclear(purposes);
}

/* FORCE: not even whoever owns the tables, and a partition no more than its parent. */
static void
the_owner_is_bound_too(void **state UNUSED)
{
    PGresult *tables =
        PQexec(superuser, "select relname from pg_class c where relnamespace = 'harkara'::regnamespace and"
                          " relkind in ('r', 'p') and exists (select from pg_attribute where attrelid ="
                          " c.oid and attname = 'tenant_id')");
    char sql[256];

    must_sql(superuser, "set role harkara_owner");
    for (int row = 0; row < PQntuples(tables); row++) {
        snprintf(sql, sizeof(sql), "select count(*) from %s", PQgetvalue(tables, row, 0));
        assert_int_equal(must_sql(superuser, sql), 0);
    }
    must_sql(superuser, "reset role");
    PQclear(tables);
}

static void
what_is_not_granted_is_refused(void **state UNUSED)
{
    PGresult *columns =
        PQexec(superuser,
               "select rolname, relname, attname from pg_roles r cross join pg_class c join pg_attribute a"
               " on attrelid = c.oid and attnum > 0 and not attisdropped where rolname like 'harkara\\_%'"
               " and rolcanlogin and relnamespace = 'harkara'::regnamespace and relkind in ('r', 'p') and"
               " not has_column_privilege(r.oid, c.oid, attnum, 'select')");
    char sql[256];
    size_t credentials = 0;

    for (int row = 0; row < PQntuples(columns); row++) {
        const char *role = PQgetvalue(columns, row, 0), *column = PQgetvalue(columns, row, 2);
        snprintf(sql, sizeof(sql), "select count(%s) from %s", column, PQgetvalue(columns, row, 1));
        within(connection_of(role), acme, "", sql);
        assert_string_equal(sqlstate, DENIED);
        credentials += strcmp(role, "harkara_gateway") == 0 &&
                       (strcmp(column, "access_token_ct") == 0 || strcmp(column, "secret_ct") == 0);
    }
    assert_int_equal(credentials, 2);
    PQclear(columns);
}

/* Turning the policies off is an error for those whom they bind, not a way around them. */
static void
row_security_cannot_be_turned_off(void **state UNUSED)
{
    char sql[512];

    for (size_t i = 0; i < reach_count; i++) {
        if (reaches[i].select_column[0] == '\0')
            continue;
        snprintf(sql, sizeof(sql), "set local row_security = off; select count(*) from %s", reaches[i].table);
        within(reaches[i].conn, acme, "", sql);
        assert_string_equal(sqlstate, DENIED);
    }
}

/* A condition is not tried on rows that may not be seen: else its error would tell of them. */
static void
a_condition_cannot_feel_for_foreign_rows(void **state UNUSED)
{
    PGconn *conn = connection_of("harkara_gateway");
    static const char sql[] =
        "select count(*) from tenant where 1 / (case slug when 'bolt' then 0 else 1 end) = 1";

    assert_int_equal(within(conn, acme, "", sql), 1);
    assert_int_equal(within(conn, bolt, "", sql), -1);
    assert_string_equal(sqlstate, "22012"); /* division by zero: on its own row it is tried */
}

/* As `within`, for the tenants of an array ("{...}"; empty: none) and, unless `role` is NULL, as that role.
 */
static int64_t
within_many(PGconn *conn, const char *tenants, const char *role, const char *sql)
{
    char begin[512];

    must_sql(conn, "begin");
    snprintf(begin, sizeof(begin), "select length(set_config('harkara.tenants', '%s', true))", tenants);
    must_sql(conn, begin);
    snprintf(begin, sizeof(begin), "set local role %s", role == NULL ? "none" : role);
    must_sql(conn, begin);
    int64_t number = try_sql(conn, sql);
    char state[6], text[sizeof(message)];
    memcpy(state, sqlstate, sizeof(state));
    memcpy(text, message, sizeof(text));
    leave(conn);
    memcpy(sqlstate, state, sizeof(state));
    memcpy(message, text, sizeof(text));
    return number;
}

static void
of_several_tenants_those_that_were_named_are_seen(void **state UNUSED)
{
    char sql[512], one[64], both[128];
    size_t tried = 0;

    snprintf(one, sizeof(one), "{%s}", acme);
    snprintf(both, sizeof(both), "{%s,%s}", acme, bolt);
    for (size_t i = 0; i < many_count; i++) {
        const struct reach *reach = &many[i];
        snprintf(sql, sizeof(sql), "select count(*) from %s", reach->table);
        if (reach->select_column[0] == '\0') {
            within_many(reach->conn, both, reach->role, sql);
            assert_string_equal(sqlstate, DENIED);
            continue;
        }
        tried++;
        assert_number(reach, "of one", within_many(reach->conn, one, reach->role, sql), truth(reach, acme));
        assert_number(reach, "of both", within_many(reach->conn, both, reach->role, sql),
                      truth(reach, acme) + truth(reach, bolt));
        assert_number(reach, "of none", within_many(reach->conn, "{}", reach->role, sql), 0);
        assert_number(reach, "without a list", within_many(reach->conn, "", reach->role, sql), 0);
        assert_number(reach, "in the role that named them", within_many(reach->conn, both, NULL, sql), 0);
        assert_number(reach, "in the next transaction", must_sql(reach->conn, sql), 0);
    }
    assert_true(tried >= 5);
}

static void
of_several_tenants_no_row_is_inserted_for_another(void **state UNUSED)
{
    static char sql[SQL_BYTES * 2];
    char one[64], both[128];
    size_t tried = 0;

    snprintf(one, sizeof(one), "{%s}", acme);
    snprintf(both, sizeof(both), "{%s,%s}", acme, bolt);
    for (size_t i = 0; i < many_count; i++) {
        const struct reach *reach = &many[i];
        if (reach->insert_columns[0] == '\0')
            continue;
        tried++;
        insert_sql(reach, bolt, sql, sizeof(sql));
        const char *const strangers[] = { one, "{}", "" };
        for (size_t s = 0; s < COUNT_OF(strangers); s++) {
            assert_number(reach, "inserts a foreign row",
                          within_many(reach->conn, strangers[s], reach->role, sql), -1);
            assert_string_equal(sqlstate, DENIED);
            assert_non_null(strstr(message, RLS_MESSAGE));
        }
        within_many(reach->conn, both, NULL, sql); /* the list opens nothing to the role that logs in */
        assert_string_equal(sqlstate, DENIED);
        assert_non_null(strstr(message, RLS_MESSAGE));
        within_many(reach->conn, both, reach->role, sql);
        assert_string_equal(sqlstate, "23505"); /* the statement is good: its key is there */
    }
    assert_true(tried >= 6);
}

static void
of_several_tenants_nothing_is_changed(void **state UNUSED)
{
    char sql[512], both[128];

    assert_true(many_count > 20);
    snprintf(both, sizeof(both), "{%s,%s}", acme, bolt);
    for (size_t i = 0; i < many_count; i++) {
        const struct reach *reach = &many[i];
        snprintf(sql, sizeof(sql), "update %s set tenant_id = default", reach->table);
        within_many(reach->conn, both, reach->role, sql);
        assert_string_equal(sqlstate, DENIED);
        snprintf(sql, sizeof(sql), "delete from %s", reach->table);
        within_many(reach->conn, both, reach->role, sql);
        assert_string_equal(sqlstate, DENIED);
    }
}

static void
only_who_is_declared_turns_to_a_role_for_several(void **state UNUSED)
{
    static const char *const others[] = { "harkara_admin", "harkara_dispatcher", "harkara_webhooks",
                                          "harkara_scheduler" };

    for (size_t i = 0; i < COUNT_OF(others); i++) {
        try_sql(connection_of(others[i]), "set role harkara_accept");
        assert_string_equal(sqlstate, DENIED);
    }
    try_sql(connection_of("harkara_gateway"), "set role harkara_owner");
    assert_string_equal(sqlstate, DENIED);
}

static void
a_partition_is_made_protected_and_without_holding_up_inserts(void **state UNUSED)
{
    static char insert[SQL_BYTES * 2];
    PGconn *gateway = connection_of("harkara_gateway"), *scheduler = connection_of("harkara_scheduler");
    const struct reach *message_reach = NULL;

    for (size_t i = 0; i < reach_count; i++)
        if (strcmp(reaches[i].role, "harkara_gateway") == 0 && strcmp(reaches[i].table, "message") == 0)
            message_reach = &reaches[i];
    assert_non_null(message_reach);
    insert_sql(message_reach, acme, insert, sizeof(insert));
    size_t len = strlen(insert);
    snprintf(insert + len, sizeof(insert) - len, " on conflict do nothing");
    enter(gateway, acme, "");
    must_sql(gateway, insert); /* and stays open, with its lock on the table */
    must_sql(scheduler, "set lock_timeout = '2s'");
    must_sql(scheduler, "select ensure_month_partition('message', now() + interval '5 months')::integer");
    leave(gateway);
    assert_int_equal(
        must_sql(scheduler, "select ensure_month_partition('message', now() + interval '5 months')::integer"),
        0);
    assert_int_equal(
        must_sql(superuser,
                 "select count(*) from pg_inherits i join pg_class c on c.oid = inhrelid where"
                 " inhparent = 'message'::regclass and relrowsecurity and relforcerowsecurity and"
                 " (select count(*) from pg_policy where polrelid = c.oid) = 1 and (select count(*)"
                 " from pg_index where indrelid = c.oid) = 7"),
        6);
    try_sql(scheduler, "select ensure_month_partition('tenant', now())::integer");
    assert_string_equal(sqlstate, "P0001");
    try_sql(gateway, "select ensure_month_partition('message', now())::integer");
    assert_string_equal(sqlstate, DENIED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_has_rows_of_both_tenants),
        cmocka_unit_test(without_a_tenant_nothing_is_seen),
        cmocka_unit_test(with_a_tenant_nothing_of_another_is_seen),
        cmocka_unit_test(a_tenant_ends_with_its_transaction),
        cmocka_unit_test(no_row_is_inserted_for_another_tenant),
        cmocka_unit_test(no_row_of_another_tenant_is_updated_or_deleted),
        cmocka_unit_test(a_purpose_opens_what_it_declares_and_to_whom),
        cmocka_unit_test(no_purpose_lets_anybody_insert),
        cmocka_unit_test(the_owner_is_bound_too),
        cmocka_unit_test(what_is_not_granted_is_refused),
        cmocka_unit_test(row_security_cannot_be_turned_off),
        cmocka_unit_test(a_condition_cannot_feel_for_foreign_rows),
        cmocka_unit_test(of_several_tenants_those_that_were_named_are_seen),
        cmocka_unit_test(of_several_tenants_no_row_is_inserted_for_another),
        cmocka_unit_test(of_several_tenants_nothing_is_changed),
        cmocka_unit_test(only_who_is_declared_turns_to_a_role_for_several),
        cmocka_unit_test(a_partition_is_made_protected_and_without_holding_up_inserts),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
