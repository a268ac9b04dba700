/* Endpoints in the tables, their revisions and secrets, and who may see them. */
#include "domain/webhook/webhook_testing.h"
#include <pthread.h>
#include <stdio.h>

static const char *const all[] = { "*", NULL };
static const char *const two[] = { "message.sent", "message.failed", NULL };
static struct id acme, bolt;

static void
tenants_make(void)
{
    if (!id_is_zero(acme))
        return;
    acme = vault_testing_tenant("acme");
    bolt = vault_testing_tenant("bolt");
}

static enum err
get(struct id tenant, struct id endpoint, struct webhook_endpoint *out)
{
    struct db_tx tx;

    assert_ok(db_begin(webhook_testing_gateway, tenant, &tx));
    enum err err = webhook_endpoint_get(&tx, endpoint, webhook_testing_arena, out);
    db_rollback(&tx);
    return err;
}

static enum err
update(struct id tenant, struct id endpoint, const struct webhook_endpoint_change *change,
       struct webhook_endpoint *out)
{
    struct db_tx tx;

    assert_ok(db_begin(webhook_testing_gateway, tenant, &tx));
    enum err err = webhook_endpoint_update(&tx, endpoint, change, webhook_testing_arena, out);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static enum err delete (struct id tenant, struct id endpoint, uint32_t revision) {
    struct db_tx tx;

    assert_ok(db_begin(webhook_testing_gateway, tenant, &tx));
    enum err err = webhook_endpoint_delete(&tx, endpoint, revision);
    if (err == ERR_OK) err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static enum err
rotate(struct id tenant, struct id endpoint, uint32_t generation, int64_t overlap_s,
       struct webhook_endpoint *out)
{
    struct webhook_keys keys;
    struct secret *text;
    struct db_tx tx;

    assert_ok(webhook_keys_make(&webhook_testing_sealer, tenant, endpoint, generation, true, true,
                                webhook_testing_arena, &keys, &text));
    secret_free(text);
    assert_ok(db_begin(webhook_testing_gateway, tenant, &tx));
    enum err err = webhook_endpoint_rotate(&tx, endpoint, &keys, overlap_s, webhook_testing_arena, out);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static void
an_endpoint_is_read_as_it_was_made(void **state UNUSED)
{
    struct webhook_endpoint found;

    tenants_make();
    struct webhook_endpoint made = webhook_testing_endpoint(acme, two);
    assert_ok(get(acme, made.id, &found));
    assert_true(slice_eq(found.url, SLICE("https://shop.example/hooks")));
    assert_true(slice_eq(found.description, SLICE("Orders")));
    assert_int_equal(found.event_count, 2);
    assert_true(slice_eq(found.events[1], SLICE("message.failed")));
    assert_int_equal(found.state, WEBHOOK_ENDPOINT_ENABLED);
    assert_int_equal(found.disabled_reason.len, 0);
    assert_false(found.is_failing);
    assert_int_equal(found.revision, 1);
    assert_int_equal(found.generation, 1);
}

static void
another_workspace_does_not_find_it(void **state UNUSED)
{
    struct webhook_endpoint_change change = { .description = SLICE("mine") };
    struct webhook_endpoint found;

    tenants_make();
    struct id id = webhook_testing_endpoint(acme, all).id;
    assert_int_equal(get(bolt, id, &found), ERR_NOT_FOUND);
    assert_int_equal(update(bolt, id, &change, &found), ERR_NOT_FOUND);
    assert_int_equal(delete (bolt, id, 0), ERR_NOT_FOUND);
    assert_int_equal(rotate(bolt, id, 2, 60, &found), ERR_HTTP_PRECONDITION); /* the handler looked before */
    assert_ok(get(acme, id, &found));
    assert_int_equal(found.revision, 1);
}

static void
a_change_touches_what_it_names_and_one_revision(void **state UNUSED)
{
    struct webhook_endpoint_change change = { .revision = 1, .description = SLICE("Sales") };
    struct webhook_endpoint shown;

    tenants_make();
    struct id id = webhook_testing_endpoint(acme, two).id;
    assert_ok(update(acme, id, &change, &shown));
    assert_int_equal(shown.revision, 2);
    assert_true(slice_eq(shown.description, SLICE("Sales")));
    assert_true(slice_eq(shown.url, SLICE("https://shop.example/hooks")));
    assert_int_equal(shown.event_count, 2);
    assert_int_equal(update(acme, id, &change, &shown), ERR_HTTP_PRECONDITION);
}

static void
disabling_cancels_what_waits_and_enabling_forgets_failures(void **state UNUSED)
{
    struct webhook_endpoint_change disable = { .has_state = true, .state = WEBHOOK_ENDPOINT_DISABLED };
    struct webhook_endpoint_change enable = { .has_state = true, .state = WEBHOOK_ENDPOINT_ENABLED };
    struct webhook_endpoint shown;
    size_t queued = 0;

    tenants_make();
    struct id id = webhook_testing_endpoint(acme, all).id;
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(webhook_testing_fan_out(&queued), 1);
    test_cluster_sql(
        "update webhook_endpoint set failing_since = now(), not_before = now() + interval '1 day'");
    assert_ok(update(acme, id, &disable, &shown));
    assert_true(slice_eq(shown.disabled_reason, SLICE("by-request")));
    assert_true(shown.is_failing);
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_delivery where state = 'canceled' and"
                              " finished_at is not null"),
        1);
    assert_ok(update(acme, id, &enable, &shown));
    assert_int_equal(shown.disabled_reason.len, 0);
    assert_false(shown.is_failing);
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_endpoint where not_before = '-infinity'"), 1);
}

static void
a_deleted_endpoint_is_gone_with_its_secret_and_what_waits(void **state UNUSED)
{
    struct webhook_endpoint found;
    size_t queued = 0;

    tenants_make();
    struct id id = webhook_testing_endpoint(acme, all).id;
    webhook_testing_event(acme, EVENT_MESSAGE_SENT, NULL);
    assert_int_equal(webhook_testing_fan_out(&queued), 1);
    assert_int_equal(delete (acme, id, 7), ERR_NOT_FOUND); /* another revision */
    assert_ok(delete (acme, id, 1));
    assert_int_equal(get(acme, id, &found), ERR_NOT_FOUND);
    assert_int_equal(delete (acme, id, 0), ERR_NOT_FOUND);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_delivery where state = 'pending'"),
                     0);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_secret"), 0);
}

static void
a_secret_is_replaced_by_the_next_generation_only(void **state UNUSED)
{
    struct webhook_endpoint shown;

    tenants_make();
    struct id id = webhook_testing_endpoint(acme, all).id;
    assert_ok(rotate(acme, id, 2, 60, &shown));
    assert_int_equal(shown.generation, 2);
    assert_int_equal(shown.revision, 2);
    assert_int_equal(rotate(acme, id, 2, 60, &shown), ERR_HTTP_PRECONDITION); /* another came first */
}

static void
a_workspace_has_so_many_and_no_more(void **state UNUSED)
{
    struct webhook_endpoint_new with;
    struct webhook_endpoint shown;
    struct db_tx tx;

    tenants_make();
    for (unsigned i = 0; i < WEBHOOK_ENDPOINT_PER_TENANT_MAX; i++)
        webhook_testing_endpoint(acme, all);
    with = webhook_testing_endpoint_new(acme, all);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_int_equal(webhook_endpoint_create(&tx, &with, webhook_testing_arena, &shown), ERR_TOO_MANY);
    db_rollback(&tx);
    webhook_testing_endpoint(bolt, all); /* others are not concerned */
}

static void
the_newest_are_listed_first_page_by_page(void **state UNUSED)
{
    struct webhook_endpoint *page;
    struct id made[5], cursor = { { 0 } };
    size_t count = 0, seen = 0;
    struct db_tx tx;

    tenants_make();
    for (size_t i = 0; i < COUNT_OF(made); i++)
        made[i] = webhook_testing_endpoint(acme, all).id;
    webhook_testing_endpoint(bolt, all);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    do {
        assert_ok(webhook_endpoint_list(&tx, cursor, 2, webhook_testing_arena, &page, &count));
        for (size_t i = 0; i < count && i < 2; i++, seen++) {
            assert_true(id_eq(page[i].id, made[COUNT_OF(made) - 1 - seen]));
            cursor = page[i].id;
        }
    } while (count > 2);
    db_rollback(&tx);
    assert_int_equal(seen, COUNT_OF(made));
}

/* Column grants: the gateway puts secrets in and never gets them back. */
static void
the_gateway_cannot_read_a_secret(void **state UNUSED)
{
    static const struct db_stmt read = { "test_read_secret",
                                         "select secret_ct from webhook_secret where tenant_id = $1" };
    static const struct db_stmt read_headers = {
        "test_read_headers", "select headers_ct from webhook_endpoint where tenant_id = $1"
    };
    struct db_tx tx;

    tenants_make();
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_int_equal(db_exec(&tx, &read, DB_NO_ARGS, NULL), ERR_DB_STATEMENT);
    db_rollback(&tx);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_int_equal(db_exec(&tx, &read_headers, DB_NO_ARGS, NULL), ERR_DB_STATEMENT);
    db_rollback(&tx);
}

/* Keys of before sign on beside the new ones, for so long and so many of them; and end at once when it is
 * asked. */
static void
keys_of_before_stay_for_the_overlap(void **state UNUSED)
{
    struct webhook_endpoint shown;
    struct db_tx tx;

    tenants_make();
    struct id id = webhook_testing_endpoint(acme, all).id;
    assert_ok(get(acme, id, &shown));
    assert_true(shown.has_secret && !shown.has_public_key && !shown.has_previous);
    assert_ok(rotate(acme, id, 2, 3600, &shown));
    assert_true(shown.has_secret && shown.has_public_key && shown.has_previous);
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_secret where generation = 1 and expires_at"
                              " between now() + interval '59 minutes' and now() + interval '61 minutes'"),
        1);
    assert_ok(rotate(acme, id, 3, 604800, &shown)); /* the first does not live longer for it */
    assert_int_equal(
        webhook_testing_count("select count(*) from webhook_secret where generation = 1 and expires_at <"
                              " now() + interval '61 minutes'"),
        1);
    assert_ok(rotate(acme, id, 4, 604800, &shown));
    assert_int_equal(webhook_testing_count("select min(generation) * 10 + count(*) from webhook_secret"), 23);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_secret where expires_at is null"),
                     1);
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_endpoint_revoke_previous(&tx, id, webhook_testing_arena, &shown));
    assert_ok(db_commit(&tx));
    assert_false(shown.has_previous);
    assert_int_equal(webhook_testing_count("select min(generation) * 10 + count(*) from webhook_secret"), 41);
    assert_ok(rotate(acme, id, 5, 0, &shown)); /* no overlap at all */
    assert_int_equal(webhook_testing_count("select min(generation) * 10 + count(*) from webhook_secret"), 51);
}

static void
what_is_chosen_is_kept_and_changed_one_by_one(void **state UNUSED)
{
    struct webhook_endpoint_new with;
    struct webhook_headers headers = { .names = { SLICE("X-Api-Key"), SLICE("X-Shop") }, .count = 2 };
    struct webhook_headers none = { .count = 0 };
    struct webhook_endpoint shown;
    struct webhook_keys keys;
    struct secret *text;
    struct db_tx tx;

    tenants_make();
    with = webhook_testing_endpoint_new(acme, all);
    struct vault_place place = webhook_headers_place(acme, with.id, 1);
    assert_ok(vault_seal(&webhook_testing_sealer, VAULT_CREDENTIAL, &place,
                         SLICE("X-Api-Key: a\0X-Shop: b\0"), webhook_testing_arena, &headers.sealed));
    with.headers = &headers;
    with.is_thin = true;
    struct id unknown = id_new(clock_system());
    with.channels = &unknown;
    with.channel_count = 1;
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_int_equal(webhook_endpoint_create(&tx, &with, webhook_testing_arena, &shown), ERR_CHANNEL_UNKNOWN);
    db_rollback(&tx);
    with.channel_count = 0;
    assert_ok(db_begin(webhook_testing_gateway, acme, &tx));
    assert_ok(webhook_endpoint_create(&tx, &with, webhook_testing_arena, &shown));
    assert_ok(db_commit(&tx));
    assert_true(shown.is_thin);
    assert_int_equal(shown.header_count, 2);
    assert_true(slice_eq(shown.header_names[1], SLICE("X-Shop")));
    assert_int_equal(shown.signing, WEBHOOK_SIGNING_HMAC);

    assert_ok(webhook_keys_make(&webhook_testing_sealer, acme, with.id, 1, false, true, webhook_testing_arena,
                                &keys, &text));
    assert_null(text);
    struct webhook_endpoint_change change = { .has_signing = true,
                                              .signing = WEBHOOK_SIGNING_BOTH,
                                              .keys = &keys,
                                              .headers = &none,
                                              .headers_generation = 1 };
    assert_ok(update(acme, with.id, &change, &shown));
    assert_int_equal(shown.signing, WEBHOOK_SIGNING_BOTH);
    assert_true(shown.has_secret && shown.has_public_key && shown.is_thin);
    assert_memory_equal(shown.public_key, keys.public_key, sizeof(keys.public_key));
    assert_int_equal(shown.header_count, 0);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_endpoint where headers_ct is null"),
                     1);
    assert_int_equal(update(acme, with.id, &change, &shown),
                     ERR_HTTP_PRECONDITION); /* it has a key, and newer fields */
}

struct creation {
    struct webhook_endpoint_new with;
    enum err err;
};

static void *
create_one(void *ctx)
{
    struct creation *creation = ctx;
    struct db *db = test_cluster_open("harkara_gateway");
    struct arena *arena = arena_new(1u << 20);
    struct webhook_endpoint shown;
    struct db_tx tx;

    creation->err = db_begin(db, acme, &tx);
    if (creation->err == ERR_OK)
        creation->err = webhook_endpoint_create(&tx, &creation->with, arena, &shown);
    if (creation->err == ERR_OK)
        creation->err = db_commit(&tx);
    db_rollback(&tx);
    arena_free(arena);
    db_close(db);
    return NULL;
}

static void
so_many_and_no_more_also_at_once(void **state UNUSED)
{
    struct creation creations[8];
    pthread_t threads[COUNT_OF(creations)];
    size_t made = 0;

    tenants_make();
    for (unsigned i = 0; i < WEBHOOK_ENDPOINT_PER_TENANT_MAX - 3; i++)
        webhook_testing_endpoint(acme, all);
    for (size_t i = 0; i < COUNT_OF(creations); i++)
        creations[i].with = webhook_testing_endpoint_new(acme, all);
    for (size_t i = 0; i < COUNT_OF(creations); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, create_one, &creations[i]), 0);
    for (size_t i = 0; i < COUNT_OF(creations); i++) {
        pthread_join(threads[i], NULL);
        made += creations[i].err == ERR_OK;
        if (creations[i].err != ERR_OK)
            assert_int_equal(creations[i].err, ERR_TOO_MANY);
    }
    assert_int_equal(made, 3);
    assert_int_equal(webhook_testing_count("select count(*) from webhook_endpoint"),
                     WEBHOOK_ENDPOINT_PER_TENANT_MAX);
}

static void
filters_are_types_groups_or_all(void **state UNUSED)
{
    static const struct {
        struct slice word, type;
        bool is_wanted;
    } rows[] = {
        { { "*", 1 }, { "message.sent", 12 }, true },
        { { "message.sent", 12 }, { "message.sent", 12 }, true },
        { { "message.*", 9 }, { "message.sent", 12 }, true },
        { { "message.*", 9 }, { "channel.updated", 15 }, false },
        { { "message.sent", 12 }, { "message.read", 12 }, false },
        { { "message.se", 10 }, { "message.sent", 12 }, false },
        { { "message.sent", 12 }, { "message.se", 10 }, false },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(webhook_filter_wants(&rows[i].word, 1, rows[i].type), rows[i].is_wanted);
    assert_false(webhook_filter_wants(NULL, 0, SLICE("message.sent")));
}

WEBHOOK_MAIN(
    WEBHOOK_TEST(an_endpoint_is_read_as_it_was_made), WEBHOOK_TEST(another_workspace_does_not_find_it),
    WEBHOOK_TEST(a_change_touches_what_it_names_and_one_revision),
    WEBHOOK_TEST(disabling_cancels_what_waits_and_enabling_forgets_failures),
    WEBHOOK_TEST(a_deleted_endpoint_is_gone_with_its_secret_and_what_waits),
    WEBHOOK_TEST(a_secret_is_replaced_by_the_next_generation_only),
    WEBHOOK_TEST(a_workspace_has_so_many_and_no_more), WEBHOOK_TEST(the_newest_are_listed_first_page_by_page),
    WEBHOOK_TEST(the_gateway_cannot_read_a_secret), WEBHOOK_TEST(keys_of_before_stay_for_the_overlap),
    WEBHOOK_TEST(what_is_chosen_is_kept_and_changed_one_by_one),
    WEBHOOK_TEST(so_many_and_no_more_also_at_once), cmocka_unit_test(filters_are_types_groups_or_all))
