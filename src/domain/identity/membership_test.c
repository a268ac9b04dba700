/* Who may do what where, against a real PostgreSQL. */
#include "domain/identity/member_access.h"
#include "platform/db/test_cluster.h"
#include <stdio.h>

static struct db *db;
static struct arena *arena;
static struct id acme, bolt;
static struct clock_manual manual;

static int
opened(void **state UNUSED)
{
    if (id_is_zero(acme)) {
        acme = test_cluster_tenant("acme");
        bolt = test_cluster_tenant("bolt");
    }
    clock_manual_init(&manual, clock_wall(clock_system()));
    db = test_cluster_open("harkara_gateway");
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(db);
    arena_free(arena);
    return 0;
}

static const char *
uuid(struct id id)
{
    static char texts[8][ID_UUID_BYTES];
    static unsigned next;
    char *text = texts[next++ % COUNT_OF(texts)];

    id_uuid_print(id, text);
    return text;
}

static struct id
new_channel(struct id tenant)
{
    struct id channel = id_new(&manual.clock);
    char sql[512];

    snprintf(sql, sizeof(sql),
             "insert into harkara.channel (tenant_id, id, kind, name) values ('%s', '%s', 'whatsapp', 'c')",
             uuid(tenant), uuid(channel));
    test_cluster_sql(sql);
    return channel;
}

static enum err
add(struct id tenant, const struct membership_new *with, struct id *out)
{
    struct db_tx tx;

    assert_ok(db_begin(db, tenant, &tx));
    enum err err = membership_add(&tx, &manual.clock, with, out);
    if (err == ERR_OK)
        assert_ok(db_commit(&tx));
    db_rollback(&tx);
    return err;
}

static void
a_member_has_what_the_role_says_here_and_nothing_elsewhere(void **state UNUSED)
{
    struct membership_new with = { .person = id_new(&manual.clock), .role = { .word = ROLE_AGENT } };
    struct membership_principal may;
    struct id member;

    assert_int_equal(membership_principal(db, with.person, acme, arena, &may), ERR_NOT_FOUND);
    assert_ok(add(acme, &with, &member));
    assert_ok(membership_principal(db, with.person, acme, arena, &may));
    assert_true(id_eq(may.membership, member));
    assert_int_equal(may.permissions, role_word_permissions(ROLE_AGENT));
    assert_false(may.is_channel_limited);
    assert_int_equal(membership_principal(db, with.person, bolt, arena, &may), ERR_NOT_FOUND);
    assert_int_equal(may.permissions, 0);
    assert_int_equal(add(acme, &with, &member), ERR_EXISTS);
}

static void
a_custom_role_is_what_is_stored_and_unknown_words_grant_nothing(void **state UNUSED)
{
    struct id role = id_new(&manual.clock), member;
    struct membership_new with = { .person = id_new(&manual.clock),
                                   .role = { .is_custom = true, .id = role } };
    struct membership_principal may;
    char sql[512];

    assert_int_equal(add(acme, &with, &member), ERR_ROLE_UNKNOWN); /* no such role */
    snprintf(sql, sizeof(sql),
             "insert into harkara.role (tenant_id, id, name, permissions) values ('%s', '%s', 'Desk',"
             " '{messages:read,of:tomorrow}')",
             uuid(acme), uuid(role));
    test_cluster_sql(sql);
    assert_int_equal(add(bolt, &with, &member), ERR_ROLE_UNKNOWN); /* another workspace's */
    assert_ok(add(acme, &with, &member));
    assert_ok(membership_principal(db, with.person, acme, arena, &may));
    assert_int_equal(may.permissions, UINT64_C(1) << API_SCOPE_MESSAGES_READ);
    assert_true(may.role.is_custom);
}

static void
a_limit_to_channels_takes_what_reaches_the_whole_workspace(void **state UNUSED)
{
    struct id one = new_channel(acme), foreign = new_channel(bolt), member;
    struct membership_new with = { .person = id_new(&manual.clock),
                                   .role = { .word = ROLE_OWNER },
                                   .reach = MEMBERSHIP_CHANNELS,
                                   .channels = &foreign,
                                   .channel_count = 1 };
    struct membership_principal may;

    assert_int_equal(add(acme, &with, &member), ERR_CHANNEL_UNKNOWN);
    with.channels = &one;
    assert_ok(add(acme, &with, &member));
    assert_ok(membership_principal(db, with.person, acme, arena, &may));
    assert_true(may.is_channel_limited);
    assert_int_equal(may.channel_count, 1);
    assert_true(id_eq(may.channels[0], one));
    assert_int_equal(may.permissions, role_word_permissions(ROLE_OWNER) & ~role_whole_workspace());
}

static void
teams_add_their_channels_up_and_no_team_is_no_channel(void **state UNUSED)
{
    struct id one = new_channel(acme), two = new_channel(acme), member;
    struct membership_new with = { .person = id_new(&manual.clock),
                                   .role = { .word = ROLE_AGENT },
                                   .reach = MEMBERSHIP_TEAMS };
    struct membership_principal may;
    char sql[1024];

    assert_ok(add(acme, &with, &member));
    assert_ok(membership_principal(db, with.person, acme, arena, &may));
    assert_true(may.is_channel_limited);
    assert_int_equal(may.channel_count, 0);
    struct id a = id_new(&manual.clock), b = id_new(&manual.clock);
    snprintf(sql, sizeof(sql),
             "insert into harkara.team (tenant_id, id, name, channels) values ('%s', '%s', 'A', '{%s}'),"
             " ('%s', '%s', 'B', '{%s,%s}')",
             uuid(acme), uuid(a), uuid(one), uuid(acme), uuid(b), uuid(one), uuid(two));
    test_cluster_sql(sql);
    snprintf(sql, sizeof(sql),
             "insert into harkara.team_member values ('%s', '%s', '%s'), ('%s', '%s', '%s')", uuid(acme),
             uuid(a), uuid(member), uuid(acme), uuid(b), uuid(member));
    test_cluster_sql(sql);
    assert_ok(membership_principal(db, with.person, acme, arena, &may));
    assert_int_equal(may.channel_count, 2);
    assert_true(id_eq(may.channels[0], one) && id_eq(may.channels[1], two));
}

static void
who_is_suspended_or_left_or_whose_workspace_rests_may_nothing(void **state UNUSED)
{
    struct id tenant = test_cluster_tenant("resting"), member, again;
    struct membership_new with = { .person = id_new(&manual.clock), .role = { .word = ROLE_OWNER } };
    struct membership_principal may;
    struct membership_place *places;
    size_t count;
    char sql[256];

    assert_ok(add(tenant, &with, &member));
    for (size_t i = 0; i < 2; i++) {
        snprintf(sql, sizeof(sql), "update harkara.membership set state = '%s' where id = '%s'",
                 i == 0 ? "suspended" : "left", uuid(member));
        test_cluster_sql(sql);
        assert_int_equal(membership_principal(db, with.person, tenant, arena, &may), ERR_NOT_FOUND);
        assert_ok(membership_list_of(db, with.person, arena, &places, &count));
        assert_int_equal(count, 0);
    }
    assert_ok(add(tenant, &with, &again)); /* who left may come again, as the same member */
    assert_true(id_eq(member, again));
    assert_ok(membership_principal(db, with.person, tenant, arena, &may));
    snprintf(sql, sizeof(sql), "update harkara.tenant set state = 'suspended' where tenant_id = '%s'",
             uuid(tenant));
    test_cluster_sql(sql);
    assert_int_equal(membership_principal(db, with.person, tenant, arena, &may), ERR_TENANT_SUSPENDED);
    assert_ok(membership_list_of(db, with.person, arena, &places, &count));
    assert_int_equal(count, 0);
}

static void
one_person_has_several_workspaces_in_the_order_of_joining(void **state UNUSED)
{
    struct membership_new with = { .person = id_new(&manual.clock), .role = { .word = ROLE_AUDITOR } };
    struct membership_place *places;
    struct id in_bolt, in_acme;
    size_t count;

    assert_ok(add(bolt, &with, &in_bolt));
    clock_manual_advance(&manual, 1000000);
    with.role.word = ROLE_OWNER;
    assert_ok(add(acme, &with, &in_acme));
    assert_ok(membership_list_of(db, with.person, arena, &places, &count));
    assert_int_equal(count, 2);
    assert_true(id_eq(places[0].tenant, bolt) && id_eq(places[1].tenant, acme));
    assert_true(slice_eq(places[0].role_name, SLICE("auditor")));
    assert_true(slice_eq(places[1].tenant_slug, SLICE("acme")));
    assert_ok(membership_list_of(db, id_new(&manual.clock), arena, &places, &count));
    assert_int_equal(count, 0);
}

static void
being_seen_is_noted_and_not_with_every_look(void **state UNUSED)
{
    struct membership_new with = { .person = id_new(&manual.clock), .role = { .word = ROLE_AGENT } };
    struct membership_principal may;
    struct id member;
    char sql[256];

    assert_ok(add(acme, &with, &member));
    snprintf(sql, sizeof(sql),
             "select count(*) from harkara.membership where id = '%s' and last_seen_at is null",
             uuid(member));
    assert_int_equal(test_cluster_number(sql), 1);
    assert_ok(membership_principal(db, with.person, acme, arena, &may));
    assert_int_equal(test_cluster_number(sql), 0);
    snprintf(sql, sizeof(sql), "select xmin::text::bigint from harkara.membership where id = '%s'",
             uuid(member));
    int64_t written_by = test_cluster_number(sql);
    assert_ok(membership_principal(db, with.person, acme, arena, &may));
    assert_int_equal(test_cluster_number(sql), written_by);
}

static const struct authority owner = { .permissions = UINT64_MAX, .is_owner = true, .kind = "person" };

static enum err
change(struct id tenant, const struct authority *who, struct id member, const struct membership_change *what)
{
    struct db_tx tx;

    assert_ok(db_begin(db, tenant, &tx));
    enum err err = membership_update(&tx, &manual.clock, who, member, what, arena);
    if (err == ERR_OK)
        assert_ok(db_commit(&tx));
    db_rollback(&tx);
    return err;
}

static enum err
end(struct id tenant, const struct authority *who, struct id member)
{
    struct db_tx tx;
    size_t keys;

    assert_ok(db_begin(db, tenant, &tx));
    enum err err = membership_end(&tx, &manual.clock, who, member, arena, &keys);
    if (err == ERR_OK)
        assert_ok(db_commit(&tx));
    db_rollback(&tx);
    return err;
}

static void
the_last_owner_stays_one(void **state UNUSED)
{
    struct id tenant = test_cluster_tenant("owned"), first, second;
    struct membership_new with = { .person = id_new(&manual.clock), .role = { .word = ROLE_OWNER } };
    const struct membership_change ways[] = {
        { .has_role = true, .role = { .word = ROLE_ADMIN } },
        { .has_state = true, .state = MEMBERSHIP_SUSPENDED },
        { .has_reach = true, .reach = MEMBERSHIP_TEAMS },
    };

    assert_ok(add(tenant, &with, &first));
    for (size_t i = 0; i < COUNT_OF(ways); i++)
        assert_int_equal(change(tenant, &owner, first, &ways[i]), ERR_LAST_OWNER);
    assert_int_equal(end(tenant, &owner, first), ERR_LAST_OWNER);
    with.person = id_new(&manual.clock);
    assert_ok(add(tenant, &with, &second));
    assert_ok(change(tenant, &owner, second, &ways[1])); /* a suspended owner is none */
    assert_int_equal(end(tenant, &owner, first), ERR_LAST_OWNER);
    assert_ok(change(tenant, &owner, second, &(struct membership_change){ .has_state = true }));
    assert_ok(end(tenant, &owner, first));
    assert_ok(end(tenant, &owner, first)); /* again */
    assert_int_equal(change(tenant, &owner, first, &ways[0]), ERR_STATE_CONFLICT);
}

/* Each built-in role, with the right to manage people, at each other one. */
static void
nobody_gives_or_takes_more_than_he_has(void **state UNUSED)
{
    struct id tenant = test_cluster_tenant("ranks"), members[ROLE_WORD_COUNT], keeper;
    struct membership_new with = { .person = id_new(&manual.clock), .role = { .word = ROLE_OWNER } };

    assert_ok(add(tenant, &with, &keeper));
    for (unsigned to = 0; to < ROLE_WORD_COUNT; to++) {
        with = (struct membership_new){ .person = id_new(&manual.clock),
                                        .role = { .word = (enum role_word)to } };
        assert_ok(add(tenant, &with, &members[to]));
    }
    for (unsigned by = 0; by < ROLE_WORD_COUNT; by++) {
        const struct authority who = { .permissions = role_word_permissions((enum role_word)by),
                                       .is_owner = by == ROLE_OWNER,
                                       .kind = "person" };
        for (unsigned to = 0; to < ROLE_WORD_COUNT; to++) {
            uint64_t wanted = role_word_permissions((enum role_word)to);
            bool may = (wanted & ~who.permissions) == 0 && (to != ROLE_OWNER || by == ROLE_OWNER);
            const struct membership_change same = { .has_role = true,
                                                    .role = { .word = (enum role_word)to } };
            assert_int_equal(change(tenant, &who, members[to], &same), may ? ERR_OK : ERR_AUTHORITY);
            bool may_both = may && (role_word_permissions(ROLE_BILLING) & ~who.permissions) == 0;
            assert_int_equal(change(tenant, &who, members[ROLE_BILLING], &same),
                             may_both ? ERR_OK : ERR_AUTHORITY);
            const struct membership_change back = { .has_role = true, .role = { .word = ROLE_BILLING } };
            assert_ok(change(tenant, &owner, members[ROLE_BILLING], &back));
        }
    }
}

/* A key of somebody, made by `maker`. */
static struct id
new_key(struct id tenant, const char *maker_kind, struct id maker, const char *more)
{
    struct id key = id_new(&manual.clock);
    char sql[768];

    snprintf(
        sql, sizeof(sql),
        "insert into harkara.api_key (tenant_id, id, name, mode, salt, hash, last_four, scopes, created_by_kind,"
        " created_by) values ('%s', '%s', 'Shop', 'live', '\\x%032d', '\\x%064d', 'wxyz', '{messages:read}', '%s',"
        " '%s'); update harkara.api_key set %s where id = '%s'",
        uuid(tenant), uuid(key), 0, 0, maker_kind, uuid(maker), more, uuid(key));
    test_cluster_sql(sql);
    return key;
}

static struct member_access
access_of(struct id tenant, struct id person)
{
    struct member_access access;
    struct db_tx tx;

    assert_ok(db_begin(db, tenant, &tx));
    assert_ok(member_access_read(&tx, &manual.clock, person, arena, &access));
    db_rollback(&tx);
    return access;
}

/* Keys that are good, also those that such keys have made; not another's, and not those that have ended. */
static void
what_a_member_has_is_named_and_ends_with_him(void **state UNUSED)
{
    struct id tenant = test_cluster_tenant("leaving"), keeper, member, other;
    struct membership_new with = { .person = id_new(&manual.clock), .role = { .word = ROLE_OWNER } };

    assert_ok(add(tenant, &with, &keeper));
    with = (struct membership_new){ .person = id_new(&manual.clock), .role = { .word = ROLE_DEVELOPER } };
    assert_ok(add(tenant, &with, &member));
    struct id person = with.person;
    assert_int_equal(access_of(tenant, person).key_count, 0);
    struct id first = new_key(tenant, "person", person, "last_used_at = now()");
    struct id second = new_key(tenant, "key", first, "name = 'By a key'");
    new_key(tenant, "person", person, "revoked_at = now()");
    new_key(tenant, "person", person, "expires_at = now() - interval '1 day'");
    with.person = id_new(&manual.clock);
    assert_ok(add(tenant, &with, &other));
    new_key(tenant, "person", with.person, "name = 'Stays'");

    struct member_access access = access_of(tenant, person);
    assert_int_equal(access.key_count, 2);
    assert_true(id_eq(access.keys[0].id, second) && access.keys[0].is_by_key);
    assert_true(id_eq(access.keys[1].id, first) && !access.keys[1].is_by_key);
    assert_true(access.keys[0].last_used_at.us == 0 && access.keys[1].last_used_at.us != 0);
    assert_true(slice_eq(access.keys[0].name, SLICE("By a key")));
    assert_ok(end(tenant, &owner, member));
    assert_int_equal(access_of(tenant, person).key_count, 0);
    assert_int_equal(access_of(tenant, with.person).key_count, 1);
}

#define MEMBER_TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(MEMBER_TEST(a_member_has_what_the_role_says_here_and_nothing_elsewhere),
             MEMBER_TEST(a_custom_role_is_what_is_stored_and_unknown_words_grant_nothing),
             MEMBER_TEST(a_limit_to_channels_takes_what_reaches_the_whole_workspace),
             MEMBER_TEST(teams_add_their_channels_up_and_no_team_is_no_channel),
             MEMBER_TEST(who_is_suspended_or_left_or_whose_workspace_rests_may_nothing),
             MEMBER_TEST(one_person_has_several_workspaces_in_the_order_of_joining),
             MEMBER_TEST(being_seen_is_noted_and_not_with_every_look), MEMBER_TEST(the_last_owner_stays_one),
             MEMBER_TEST(nobody_gives_or_takes_more_than_he_has),
             MEMBER_TEST(what_a_member_has_is_named_and_ends_with_him))
