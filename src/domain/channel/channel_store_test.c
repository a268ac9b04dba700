/* Channels and their sealed credentials in the tables, against a real PostgreSQL. The seals are not real. */
#include "domain/channel/channel.h"
#include "platform/db/test_pair.h"
#include <stdio.h>

static int numbers;

static int
opened(void **state UNUSED)
{
    test_pair_open(NULL);
    return 0;
}

static struct vault_sealed
sealed(const char *text)
{
    return (struct vault_sealed){ .cipher = slice_text(text), .key_version = 1 };
}

static struct channel_new
new_channel(void)
{
    return (struct channel_new){ .id = id_new(clock_system()),
                                 .name = SLICE("Support"),
                                 .waba_id = SLICE("1"),
                                 .phone_number_id = arena_format(arena, "%d", ++numbers),
                                 .display_phone_number = SLICE("+1 555"),
                                 .sealed = { sealed("token"), sealed("secret"), sealed("verify") } };
}

static struct channel
create(struct id tenant, const struct channel_new *with)
{
    struct channel channel;
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(channel_create(&tx, clock_system(), with, arena, &channel));
    assert_ok(db_commit(&tx));
    return channel;
}

static enum err
update(struct id channel, const struct channel_change *change, struct channel *out)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    enum err err = channel_update(&tx, clock_system(), channel, change, arena, out);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static int64_t
events(struct id channel, const char *type)
{
    char query[256], id[ID_UUID_BYTES];

    id_uuid_print(channel, id);
    snprintf(query, sizeof(query),
             "select count(*) from harkara.event where subject_id = '%s' and type = '%s'", id, type);
    return test_cluster_number(query);
}

static void
a_new_channel_is_active_open_and_told(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with);

    assert_int_equal(channel.state, CHANNEL_ACTIVE);
    assert_int_equal(channel.revision, 1);
    assert_true(slice_eq(channel.phone_number_id, with.phone_number_id));
    assert_int_equal(events(channel.id, "channel.created"), 1);
}

static void
one_number_is_connected_once_in_a_workspace_and_may_be_in_another(void **state UNUSED)
{
    struct channel_new with = new_channel(), again;
    struct channel channel;
    struct db_tx tx;

    create(acme, &with);
    again = with;
    again.id = id_new(clock_system());
    assert_ok(db_begin(gateway, acme, &tx));
    assert_int_equal(channel_create(&tx, clock_system(), &again, arena, &channel), ERR_EXISTS);
    db_rollback(&tx);
    create(bolt, &again); /* that it exists elsewhere is told to nobody */
}

static void
the_dispatcher_reads_the_token_and_the_gateway_cannot(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with);
    struct vault_sealed found;
    struct slice number;
    uint32_t generation;
    struct db_tx tx;

    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(
        channel_credential_read(&tx, channel.id, CHANNEL_ACCESS_TOKEN, arena, &found, &generation, &number));
    assert_true(slice_eq(found.cipher, SLICE("token")));
    assert_int_equal(generation, 1);
    assert_true(slice_eq(number, with.phone_number_id));
    db_rollback(&tx);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_int_equal(
        channel_credential_read(&tx, channel.id, CHANNEL_APP_SECRET, arena, &found, &generation, &number),
        ERR_DB_STATEMENT);
    db_rollback(&tx);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_int_equal(
        channel_credential_read(&tx, channel.id, CHANNEL_ACCESS_TOKEN, arena, &found, &generation, &number),
        ERR_DB_STATEMENT);
    db_rollback(&tx);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(
        channel_credential_read(&tx, channel.id, CHANNEL_APP_SECRET, arena, &found, &generation, &number));
    assert_true(slice_eq(found.cipher, SLICE("secret")));
    db_rollback(&tx);
}

static void
a_change_is_made_once_for_the_revision_it_was_meant_for(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with), changed;
    struct channel_change rename = { .revision = 1, .name = SLICE("Sales") };

    assert_ok(update(channel.id, &rename, &changed));
    assert_true(slice_eq(changed.name, SLICE("Sales")));
    assert_int_equal(changed.revision, 2);
    assert_int_equal(update(channel.id, &rename, &changed), ERR_HTTP_PRECONDITION);
    rename.revision = 0; /* whatever it is now */
    assert_ok(update(channel.id, &rename, &changed));
    assert_int_equal(update(id_new(clock_system()), &rename, &changed), ERR_NOT_FOUND);
    assert_int_equal(events(channel.id, "channel.updated"), 2);
}

static void
a_credential_is_replaced_alone_and_only_by_the_next_generation(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with), changed;
    struct channel_change replace = { .has_credential = { [CHANNEL_ACCESS_TOKEN] = true },
                                      .generation = { [CHANNEL_ACCESS_TOKEN] = 2 },
                                      .sealed = { [CHANNEL_ACCESS_TOKEN] = sealed("newer") } };
    uint32_t generations[CHANNEL_CREDENTIALS];
    struct db_tx tx;

    assert_ok(update(channel.id, &replace, &changed));
    assert_int_equal(update(channel.id, &replace, &changed), ERR_HTTP_PRECONDITION); /* another came first */
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_generations(&tx, channel.id, generations));
    db_rollback(&tx);
    assert_int_equal(generations[CHANNEL_ACCESS_TOKEN], 2);
    assert_int_equal(generations[CHANNEL_APP_SECRET], 1);
}

static void
a_broken_channel_is_told_once_and_mended_by_activating(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with), changed;
    struct channel_change activate = { .has_state = true, .state = CHANNEL_ACTIVE };
    struct db_tx tx;

    for (int i = 0; i < 2; i++) {
        assert_ok(db_begin(dispatcher, acme, &tx));
        assert_ok(channel_break(&tx, clock_system(), channel.id, 0, "The provider refused the access token.",
                                arena));
        assert_ok(db_commit(&tx));
    }
    assert_int_equal(events(channel.id, "channel.broken"), 1);
    char query[256], id[ID_UUID_BYTES];
    id_uuid_print(channel.id, id);
    snprintf(query, sizeof(query),
             "select count(*) from harkara.dispatch_lane where channel_id = '%s' and is_open", id);
    assert_int_equal(test_cluster_number(query), 0);
    assert_ok(update(channel.id, &activate, &changed));
    assert_int_equal(changed.state, CHANNEL_ACTIVE);
    assert_int_equal(changed.state_reason.len, 0);
    assert_int_equal(test_cluster_number(query), 1);
    assert_ok(db_begin(dispatcher, acme, &tx)); /* of a request that was under way before it was mended */
    assert_ok(channel_break(&tx, clock_system(), channel.id, channel.revision, "Too late.", arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(test_cluster_number(query), 1);
    assert_int_equal(events(channel.id, "channel.broken"), 1);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(channel_break(&tx, clock_system(), channel.id, changed.revision, "Again.", arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(test_cluster_number(query), 0);
}

static void
a_deleted_channel_is_gone_with_its_credentials(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with);
    struct id tenant;
    struct db_tx tx;

    assert_ok(channel_tenant(gateway, channel.id, &tenant));
    assert_true(id_eq(tenant, acme));
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_delete(&tx, clock_system(), channel.id, 0, arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(channel_tenant(gateway, channel.id, &tenant), ERR_NOT_FOUND);
    assert_int_equal(events(channel.id, "channel.deleted"), 1);
    char query[256], id[ID_UUID_BYTES];
    id_uuid_print(channel.id, id);
    snprintf(query, sizeof(query), "select count(*) from harkara.whatsapp_channel where channel_id = '%s'",
             id);
    assert_int_equal(test_cluster_number(query), 0);
    with.id = id_new(clock_system());
    create(acme, &with); /* the number may be connected again */
}

static void
another_tenants_channel_is_not_there(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with), *channels;
    struct channel_change rename = { .name = SLICE("Mine now") };
    size_t count;
    struct db_tx tx;

    assert_ok(db_begin(gateway, bolt, &tx));
    assert_int_equal(channel_get(&tx, channel.id, arena, &channel), ERR_NOT_FOUND);
    assert_int_equal(channel_update(&tx, clock_system(), channel.id, &rename, arena, &channel),
                     ERR_NOT_FOUND);
    assert_int_equal(channel_delete(&tx, clock_system(), channel.id, 0, arena), ERR_NOT_FOUND);
    assert_ok(channel_list(&tx, &(struct channel_filter){ .channels = NULL }, 100, arena, &channels, &count));
    for (size_t i = 0; i < count; i++)
        assert_false(id_eq(channels[i].id, channel.id));
    db_rollback(&tx);
}

static enum err
token_first(struct id channel)
{
    struct vault_sealed token = sealed("first token");
    struct db_tx tx;

    assert_ok(db_begin(dispatcher, acme, &tx));
    enum err err = channel_token_first(&tx, channel, &token);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static void
a_channel_that_connects_has_no_token_and_is_left_alone_until_it_has(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel_change activate = { .has_state = true, .state = CHANNEL_ACTIVE },
                          name = { .name = SLICE("Sales") };
    struct channel_access access;
    struct db_tx tx;

    with.is_connecting = true;
    struct channel channel = create(acme, &with);
    assert_int_equal(channel.state, CHANNEL_CONNECTING);
    assert_int_equal(update(channel.id, &activate, &channel), ERR_STATE_CONFLICT);
    assert_ok(update(channel.id, &name, &channel));
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(channel_access_read(&tx, channel.id, arena, &access));
    assert_false(access.has_token);
    db_rollback(&tx);
    assert_ok(token_first(channel.id));
    assert_int_equal(token_first(channel.id), ERR_STATE_CONFLICT);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(channel_access_read(&tx, channel.id, arena, &access));
    assert_true(access.has_token && slice_eq(access.token.cipher, SLICE("first token")));
    assert_int_equal(access.generation, 1);
    assert_ok(channel_connected(&tx, clock_system(), channel.id, arena));
    assert_ok(channel_connected(&tx, clock_system(), channel.id, arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(events(channel.id, "channel.updated"), 2);
    assert_ok(update(channel.id, &activate, &channel));
    assert_int_equal(channel.state, CHANNEL_ACTIVE);
}

static void
without_a_token_a_channel_is_not_made_active(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel_change activate = { .has_state = true, .state = CHANNEL_ACTIVE }, mend = activate;
    struct db_tx tx;

    with.is_connecting = true;
    struct channel channel = create(acme, &with);
    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(channel_break(&tx, clock_system(), channel.id, 0, "The signup failed.", arena));
    assert_ok(db_commit(&tx));
    assert_int_equal(update(channel.id, &activate, &channel), ERR_CHANNEL_NOT_READY);
    mend.has_credential[CHANNEL_ACCESS_TOKEN] = true;
    mend.generation[CHANNEL_ACCESS_TOKEN] = 1;
    mend.sealed[CHANNEL_ACCESS_TOKEN] = sealed("given");
    assert_ok(update(channel.id, &mend, &channel));
    assert_int_equal(channel.state, CHANNEL_ACTIVE);
}

/* Its grants would let it; a trigger does not. */
static void
a_dispatcher_never_replaces_a_token(void **state UNUSED)
{
    static const struct db_stmt replace = {
        "test_replace_token",
        "UPDATE whatsapp_channel SET access_token_ct = '' WHERE tenant_id = $1 AND channel_id = $2"
    };
    static const struct db_stmt forget = {
        "test_forget_token",
        "UPDATE whatsapp_channel SET access_token_generation = 0, access_token_ct = NULL,"
        " access_token_iv = NULL, access_token_tag = NULL, access_token_key_version = NULL"
        " WHERE tenant_id = $1 AND channel_id = $2"
    };
    const struct db_stmt *const tries[] = { &replace, &forget };
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with);
    struct db_tx tx;

    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        assert_ok(db_begin(dispatcher, acme, &tx));
        assert_int_equal(db_exec_one(&tx, tries[i], DB_ARGS(DB_ID(channel.id))), ERR_DB_CONSTRAINT);
        db_rollback(&tx);
    }
}

static void
a_pause_from_outside_is_told_once_and_only_of_an_active_channel(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with);
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_pause(&tx, clock_system(), channel.id, "Restricted.", arena));
    assert_ok(channel_pause(&tx, clock_system(), channel.id, "Again.", arena));
    assert_ok(channel_get(&tx, channel.id, arena, &channel));
    assert_ok(db_commit(&tx));
    assert_int_equal(channel.state, CHANNEL_PAUSED);
    assert_true(slice_eq(channel.state_reason, SLICE("Restricted.")));
    assert_int_equal(events(channel.id, "channel.updated"), 1);
}

static void
count_notice(void *ctx, struct slice name UNUSED, struct slice payload)
{
    assert_int_equal(payload.len, 0);
    ++*(int *)ctx;
}

/* So many notices that came with an answer. */
static int
told(void)
{
    static const struct db_stmt look = { "test_look", "SELECT FROM channel WHERE tenant_id = $1 LIMIT 1" };
    struct db_tx tx;
    int count = 0;

    assert_ok(db_begin(dispatcher, acme, &tx));
    assert_ok(db_exec(&tx, &look, DB_NO_ARGS, NULL));
    assert_ok(db_commit(&tx));
    assert_ok(db_notifications(dispatcher, count_notice, &count));
    return count;
}

static void
dispatchers_are_told_of_a_lane_that_opens(void **state UNUSED)
{
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with);
    struct channel_change change = { .has_state = true, .state = CHANNEL_PAUSED };

    assert_ok(db_listen(dispatcher, "harkara_dispatch"));
    assert_ok(update(channel.id, &change, &channel));
    assert_int_equal(told(), 0);
    change.state = CHANNEL_ACTIVE;
    assert_ok(update(channel.id, &change, &channel));
    assert_int_equal(told(), 1);
}

static void
an_accounts_channels_are_its_own(void **state UNUSED)
{
    struct channel_new one = new_channel(), two = new_channel(), foreign = new_channel();
    struct channel *channels = NULL;
    struct db_tx tx;
    size_t count = 0;

    one.waba_id = two.waba_id = foreign.waba_id = SLICE("424242");
    create(acme, &one);
    create(acme, &two);
    create(bolt, &foreign);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_by_account(&tx, SLICE("424242"), arena, &channels, &count));
    db_rollback(&tx);
    assert_int_equal(count, 2);
    assert_true(id_eq(channels[0].id, one.id) && id_eq(channels[1].id, two.id));
}

static bool
fetches(struct slice phone_number_id, bool by_default)
{
    struct db_tx tx;
    bool does = !by_default;

    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_fetches_media(&tx, phone_number_id, by_default, &does));
    assert_ok(db_commit(&tx));
    return does;
}

static void
a_channel_fetches_media_as_it_says_or_as_all_do(void **state UNUSED)
{
    static const struct {
        const char *word;
        bool by_default, does;
    } rows[] = { { "never", true, false }, { "never", false, false }, { "always", false, true },
                 { "always", true, true }, { "default", true, true }, { "default", false, false } };
    struct channel_new with = new_channel();
    struct channel channel = create(acme, &with), theirs;

    assert_true(slice_eq(channel.fetch_media, SLICE("default")));
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct channel_change change = { .fetch_media = slice_text(rows[i].word) };
        assert_ok(update(channel.id, &change, &channel));
        assert_true(slice_eq(channel.fetch_media, change.fetch_media));
        assert_true(slice_eq(channel.window_check, SLICE("enforce")));
        assert_int_equal(fetches(with.phone_number_id, rows[i].by_default), rows[i].does);
    }
    assert_true(fetches(SLICE("404"), true)); /* nobody's */
    with = new_channel();
    with.fetch_media = SLICE("never");
    theirs = create(bolt, &with);
    assert_true(slice_eq(theirs.fetch_media, SLICE("never")));
    assert_true(fetches(with.phone_number_id, true)); /* another tenant's */
}

static void
a_list_for_some_channels_leaves_the_others_out(void **state UNUSED)
{
    struct channel_new with = new_channel();
    const struct id ours = create(acme, &with).id;
    struct channel *found;
    struct db_tx tx;
    size_t count;

    with = new_channel();
    (void)create(acme, &with);
    assert_ok(db_begin(gateway, acme, &tx));
    assert_ok(channel_list(&tx, &(struct channel_filter){ .channels = &ours, .channel_count = 1 }, 100, arena,
                           &found, &count));
    assert_int_equal(count, 1);
    assert_true(id_eq(found[0].id, ours));
    assert_ok(channel_list(&tx, &(struct channel_filter){ .channels = &ours, .channel_count = 0 }, 100, arena,
                           &found, &count));
    assert_int_equal(count, 0); /* a list of none is not no list */
    db_rollback(&tx);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, test_pair_close)
CLUSTER_MAIN(TEST(a_new_channel_is_active_open_and_told),
             TEST(one_number_is_connected_once_in_a_workspace_and_may_be_in_another),
             TEST(the_dispatcher_reads_the_token_and_the_gateway_cannot),
             TEST(a_change_is_made_once_for_the_revision_it_was_meant_for),
             TEST(a_credential_is_replaced_alone_and_only_by_the_next_generation),
             TEST(a_broken_channel_is_told_once_and_mended_by_activating),
             TEST(a_channel_that_connects_has_no_token_and_is_left_alone_until_it_has),
             TEST(without_a_token_a_channel_is_not_made_active), TEST(a_dispatcher_never_replaces_a_token),
             TEST(a_pause_from_outside_is_told_once_and_only_of_an_active_channel),
             TEST(dispatchers_are_told_of_a_lane_that_opens),
             TEST(a_channel_fetches_media_as_it_says_or_as_all_do), TEST(an_accounts_channels_are_its_own),
             TEST(a_deleted_channel_is_gone_with_its_credentials), TEST(another_tenants_channel_is_not_there),
             TEST(a_list_for_some_channels_leaves_the_others_out))
