/* Sessions live as long as they may, tokens change with what they may do, links work once, guesses cost time.
 */
#include "core/buf.h"
#include "domain/identity/enrolment.h"
#include "domain/identity/session.h"
#include "domain/identity/throttle.h"
#include "platform/db/test_cluster.h"

#define MINUTE_US INT64_C(60000000)

static const struct session_rules rules = { .idle_ms = 1800000,
                                            .absolute_ms = 43200000,
                                            .step_up_ms = 600000 };
static struct clock_manual manual;
static struct db *db, *admin;
static struct arena *arena;

static int
opened(void **state UNUSED)
{
    clock_manual_init(&manual, (struct wall_time){ clock_wall(clock_system()).us });
    db = test_cluster_open("harkara_gateway");
    admin = test_cluster_open("harkara_admin");
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    arena_free(arena);
    db_close(admin);
    db_close(db);
    return 0;
}

static struct id
person(void)
{
    struct id id = id_new(clock_system());
    char uuid[ID_UUID_BYTES];
    struct buf sql;

    id_uuid_print(id, uuid);
    buf_init(&sql, 1024);
    buf_add_format(
        &sql,
        "insert into harkara.person (tenant_id, id, key_version, name_ct, name_iv, name_tag) values"
        " ('00000000-0000-7000-8000-000000000000', '%s', 1, '', decode(repeat('00', 12), 'hex'),"
        " decode(repeat('00', 16), 'hex'))",
        uuid);
    buf_add_byte(&sql, '\0');
    assert_ok(buf_done(&sql));
    test_cluster_sql(buf_slice(&sql).ptr);
    buf_release(&sql);
    return id;
}

static struct secret *
begin(struct id of, struct session *out)
{
    struct session_new with = { .person = of,
                                .factors = SESSION_PASSKEY,
                                .address = SLICE("203.0.113.7"),
                                .user_agent = SLICE("Mozilla/5.0 (test)") };
    struct secret *token = NULL;
    struct db_tx tx;

    assert_ok(db_begin(db, tenant_platform, &tx));
    assert_ok(session_begin(&tx, &manual.clock, &rules, &with, out, &token));
    assert_ok(db_commit(&tx));
    assert_int_equal(secret_len(token), SESSION_TEXT_BYTES);
    return token;
}

static enum err
check(const struct secret *token, struct session *out)
{
    return session_check(db, &manual.clock, &rules, secret_slice(token), SLICE("198.51.100.1"), arena, out);
}

static void
a_token_is_good_while_it_is_used_and_not_for_ever(void **state UNUSED)
{
    struct session made, found;
    struct secret *token = begin(person(), &made);

    assert_ok(check(token, &found));
    assert_true(id_eq(found.id, made.id) && id_eq(found.person, made.person));
    assert_true(id_is_zero(found.workspace));
    assert_int_equal(found.factors, SESSION_PASSKEY);
    assert_true(slice_eq(found.user_agent, SLICE("Mozilla/5.0 (test)")));
    clock_manual_advance(&manual, 29 * MINUTE_US);
    assert_ok(check(token, &found)); /* seen: half an hour anew */
    clock_manual_advance(&manual, 29 * MINUTE_US);
    assert_ok(check(token, &found));
    assert_true(slice_eq(found.address, SLICE("198.51.100.1")));
    clock_manual_advance(&manual, 31 * MINUTE_US);
    assert_int_equal(check(token, &found), ERR_SESSION);
    secret_free(token);

    token = begin(person(), &made);
    for (int i = 0; i < 35; i++) { /* 11 h 40 min */
        clock_manual_advance(&manual, 20 * MINUTE_US);
        assert_ok(check(token, &found));
    }
    assert_true(found.idle_until.us == found.expires_at.us);
    clock_manual_advance(&manual, 21 * MINUTE_US);
    assert_int_equal(check(token, &found), ERR_SESSION);
    secret_free(token);
}

static void
what_is_no_token_is_refused(void **state UNUSED)
{
    static const char *const rows[] = { "",
                                        "a",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
                                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
                                        "' or '1'='1' or '1'='1' or '1'='1' or '1'='1" };
    struct session found;

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(
            session_check(db, &manual.clock, &rules, slice_text(rows[i]), SLICE_EMPTY, arena, &found),
            ERR_SESSION);
}

/* Whoever knew the token before knows nothing after it. */
static void
a_change_of_rights_changes_the_token(void **state UNUSED)
{
    struct session made, found;
    struct secret *first = begin(person(), &made), *second, *third;
    struct id workspace = test_cluster_tenant("switched");
    char csrf[2][SESSION_TEXT_BYTES];
    struct db_tx tx;

    clock_manual_advance(&manual, 11 * MINUTE_US);
    assert_ok(check(first, &found));
    assert_int_equal(found.stepped_up_until.us, 0);
    assert_ok(db_begin(db, tenant_platform, &tx));
    assert_ok(session_switch(&tx, made.id, workspace, &second));
    assert_ok(db_commit(&tx));
    assert_int_equal(check(first, &found), ERR_SESSION);
    assert_ok(check(second, &found));
    assert_true(id_eq(found.workspace, workspace) && id_eq(found.id, made.id));
    assert_ok(db_begin(db, tenant_platform, &tx));
    assert_ok(session_step_up(&tx, &manual.clock, made.id, SESSION_TOTP, &third));
    assert_ok(db_commit(&tx));
    assert_int_equal(check(second, &found), ERR_SESSION);
    assert_ok(check(third, &found));
    assert_int_equal(found.factors, SESSION_PASSKEY | SESSION_TOTP);
    assert_true(found.stepped_up_until.us > clock_wall(&manual.clock).us);
    assert_ok(session_csrf(secret_slice(second), csrf[0]));
    assert_ok(session_csrf(secret_slice(third), csrf[1]));
    assert_memory_not_equal(csrf[0], csrf[1], SESSION_TEXT_BYTES);
    secret_free(first);
    secret_free(second);
    secret_free(third);
}

static void
sessions_are_listed_and_ended_by_their_person_alone(void **state UNUSED)
{
    struct id ada = person(), eve = person();
    struct session made[3], *list, found;
    struct secret *tokens[3];
    size_t count = 0;
    struct db_tx tx;

    for (size_t i = 0; i < 3; i++)
        tokens[i] = begin(ada, &made[i]);
    assert_ok(db_begin(db, tenant_platform, &tx));
    assert_ok(session_list(&tx, &manual.clock, &rules, ada, arena, &list, &count));
    assert_int_equal(count, 3);
    assert_true(id_eq(list[0].id, made[2].id));
    assert_ok(session_list(&tx, &manual.clock, &rules, eve, arena, &list, &count));
    assert_int_equal(count, 0);
    assert_int_equal(session_end(&tx, &manual.clock, eve, made[0].id, SESSION_REVOKED), ERR_NOT_FOUND);
    assert_ok(session_end(&tx, &manual.clock, ada, made[0].id, SESSION_REVOKED));
    assert_int_equal(session_end(&tx, &manual.clock, ada, made[0].id, SESSION_REVOKED), ERR_NOT_FOUND);
    assert_ok(db_commit(&tx));
    assert_int_equal(check(tokens[0], &found), ERR_SESSION);
    assert_ok(check(tokens[1], &found));
    assert_ok(db_begin(db, tenant_platform, &tx));
    assert_ok(session_end_all(&tx, &manual.clock, ada, made[2].id, SESSION_REVOKED, &count));
    assert_ok(db_commit(&tx));
    assert_int_equal(count, 1);
    assert_int_equal(check(tokens[1], &found), ERR_SESSION);
    assert_ok(check(tokens[2], &found));
    for (size_t i = 0; i < 3; i++)
        secret_free(tokens[i]);
}

static void
a_person_who_has_left_has_no_session(void **state UNUSED)
{
    struct session made, found;
    struct secret *token = begin(person(), &made);

    assert_ok(check(token, &found));
    test_cluster_sql("update harkara.person set state = 'left'");
    assert_int_equal(check(token, &found), ERR_SESSION);
    test_cluster_sql("update harkara.person set state = 'active'");
    secret_free(token);
}

static void
there_is_an_end_to_how_many_live(void **state UNUSED)
{
    struct id ada = person();
    struct session first, made, found;
    struct secret *oldest = begin(ada, &first), *token;

    for (size_t i = 0; i < SESSION_PER_PERSON_MAX - 1; i++) {
        clock_manual_advance(&manual, 1000);
        token = begin(ada, &made);
        secret_free(token);
    }
    assert_ok(check(oldest, &found));
    token = begin(ada, &made);
    assert_int_equal(check(oldest, &found), ERR_SESSION);
    assert_ok(check(token, &found));
    secret_free(token);
    secret_free(oldest);
}

static void
a_long_agent_is_cut_between_characters(void **state UNUSED)
{
    static char agent[SESSION_AGENT_MAX + 10];
    struct session_new with = { .person = person(), .factors = SESSION_PASSKEY };
    static const char *const odd[] = { "\xff\xfe", NULL };
    struct session made;
    struct secret *token = NULL;
    struct db_tx tx;

    memset(agent, 'a', sizeof(agent) - 1);
    memcpy(agent + SESSION_AGENT_MAX - 1, "\xc3\xa4", 2);
    assert_ok(db_begin(db, tenant_platform, &tx));
    with.user_agent = slice_text(agent);
    assert_ok(session_begin(&tx, &manual.clock, &rules, &with, &made, &token));
    assert_int_equal(made.user_agent.len, SESSION_AGENT_MAX - 1);
    secret_free(token);
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        with.user_agent = slice_text(odd[i]);
        assert_ok(session_begin(&tx, &manual.clock, &rules, &with, &made, &token));
        assert_int_equal(made.user_agent.len, 0);
        secret_free(token);
    }
    assert_ok(db_commit(&tx));
}

static void
a_link_lets_one_person_in_once(void **state UNUSED)
{
    struct id workspace = test_cluster_tenant("linked"), ada = person();
    struct enrolment made, found;
    struct secret *token;
    struct db_tx tx;

    assert_ok(db_begin(admin, tenant_platform, &tx));
    assert_ok(enrolment_create(&tx, &manual.clock, workspace, 48, &made, &token));
    assert_ok(db_commit(&tx));
    assert_int_equal(secret_len(token), ENROLMENT_TEXT_BYTES);
    assert_ok(db_begin(db, tenant_platform, &tx));
    assert_ok(enrolment_find(&tx, &manual.clock, secret_slice(token), &found));
    assert_true(id_eq(found.id, made.id) && id_eq(found.workspace, workspace));
    assert_int_equal(
        enrolment_find(&tx, &manual.clock, SLICE("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &found),
        ERR_LINK_INVALID);
    assert_int_equal(enrolment_find(&tx, &manual.clock, SLICE("short"), &found), ERR_LINK_INVALID);
    clock_manual_advance(&manual, 48 * 60 * MINUTE_US);
    assert_int_equal(enrolment_find(&tx, &manual.clock, secret_slice(token), &found), ERR_LINK_INVALID);
    assert_int_equal(enrolment_use(&tx, &manual.clock, made.id, ada), ERR_LINK_INVALID);
    clock_manual_advance(&manual, -MINUTE_US);
    assert_ok(enrolment_use(&tx, &manual.clock, made.id, ada));
    assert_int_equal(enrolment_use(&tx, &manual.clock, made.id, ada), ERR_LINK_INVALID);
    assert_int_equal(enrolment_find(&tx, &manual.clock, secret_slice(token), &found), ERR_LINK_INVALID);
    assert_ok(db_commit(&tx));
    secret_free(token);
}

static void
guesses_cost_more_and_more_time(void **state UNUSED)
{
    static const int64_t pauses[] = { 0, 0, 0, 0, 0, 1000, 2000, 4000, 8000 };
    struct slice who = SLICE("203.0.113.9");
    struct db_tx tx;
    int wait_s = 0;

    for (size_t i = 0; i < COUNT_OF(pauses); i++)
        assert_int_equal(throttle_pause_ms((int64_t)i), pauses[i]);
    assert_int_equal(throttle_pause_ms(1000000), THROTTLE_MS_MAX);
    for (size_t i = 0; i < 5; i++)
        assert_ok(throttle_take(db, &manual.clock, "code", who, &wait_s));
    for (int64_t pause = 1; pause <= 8; pause *= 2) {
        assert_int_equal(throttle_take(db, &manual.clock, "code", who, &wait_s), ERR_THROTTLED);
        assert_int_equal(wait_s, pause);
        clock_manual_advance(&manual, pause * 1000000);
        assert_ok(throttle_take(db, &manual.clock, "code", who, &wait_s));
    }
    /* another one, and another kind, are not held up by it */
    assert_ok(throttle_take(db, &manual.clock, "code", SLICE("203.0.113.10"), &wait_s));
    assert_ok(throttle_take(db, &manual.clock, "address", who, &wait_s));
    assert_int_equal(throttle_take(db, &manual.clock, "code", who, &wait_s), ERR_THROTTLED);
    assert_ok(db_begin(db, tenant_platform, &tx));
    assert_ok(throttle_clear(&tx, "code", who));
    assert_ok(db_commit(&tx));
    for (size_t i = 0; i < 5; i++)
        assert_ok(throttle_take(db, &manual.clock, "code", who, &wait_s));
    assert_int_equal(throttle_take(db, &manual.clock, "code", who, &wait_s), ERR_THROTTLED);
    clock_manual_advance(&manual, 60 * MINUTE_US);
    for (size_t i = 0; i < 5; i++)
        assert_ok(throttle_take(db, &manual.clock, "code", who, &wait_s));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(a_token_is_good_while_it_is_used_and_not_for_ever), TEST(what_is_no_token_is_refused),
             TEST(a_change_of_rights_changes_the_token),
             TEST(sessions_are_listed_and_ended_by_their_person_alone),
             TEST(a_person_who_has_left_has_no_session), TEST(there_is_an_end_to_how_many_live),
             TEST(a_long_agent_is_cut_between_characters), TEST(a_link_lets_one_person_in_once),
             TEST(guesses_cost_more_and_more_time))
