/* The tenant's event log: what is written is what is read, by its own tenant. */
#include "domain/event/event.h"
#include "platform/db/test_cluster.h"
#include <stdio.h>

static struct db *gateway;
static struct arena *arena;
static struct id acme, bolt;

static int
opened(void **state UNUSED)
{
    if (id_is_zero(acme)) {
        acme = test_cluster_tenant("acme");
        bolt = test_cluster_tenant("bolt");
    }
    gateway = test_cluster_open("harkara_gateway");
    arena = arena_new(1u << 20);
    return 0;
}

static int
closed(void **state UNUSED)
{
    db_close(gateway);
    arena_free(arena);
    return 0;
}

static enum err
append(struct id tenant, const struct event *event)
{
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    enum err err = event_append(&tx, event);
    if (err == ERR_OK)
        err = db_commit(&tx);
    db_rollback(&tx);
    return err;
}

static size_t
timeline(struct id tenant, struct id subject, struct event **out)
{
    size_t count = 0;
    struct db_tx tx;

    assert_ok(db_begin(gateway, tenant, &tx));
    assert_ok(event_timeline(&tx, subject, arena, out, &count));
    db_rollback(&tx);
    return count;
}

static struct event
event_of(enum event_type type, struct id subject)
{
    return (struct event){ .id = id_new(clock_system()),
                           .type = type,
                           .subject = subject,
                           .channel = id_new(clock_system()),
                           .occurred_at = { INT64_C(1795333730004000) },
                           .data = SLICE("{\"status\": \"sent\"}") };
}

static void
each_word_is_one_type(void **state UNUSED)
{
    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++) {
        enum event_type type = EVENT_TYPE_COUNT;
        assert_ok(event_type_parse(slice_text(event_type_word((enum event_type)i)), &type));
        assert_int_equal(type, i);
    }
    enum event_type type;
    assert_int_equal(event_type_parse(SLICE("message.teleported"), &type), ERR_NOT_FOUND);
    assert_int_equal(event_type_parse(SLICE(""), &type), ERR_NOT_FOUND);
    assert_true(event_type_is_public(EVENT_WEBHOOK_ENDPOINT_DISABLED));
}

/* It says only what not every accepted message says of itself; what it says goes before. */
static void
what_every_accepted_message_says_is_added_for_the_reader(void **state UNUSED)
{
    struct id subject = id_new(clock_system());
    struct event event = event_of(EVENT_MESSAGE_ACCEPTED, subject), *found;

    event.data = SLICE("{\"category\": \"otp\", \"tags\": [\"a\"]}");
    assert_ok(append(acme, &event));
    assert_int_equal(timeline(acme, subject, &found), 1);
    assert_true(slice_eq(
        found[0].data, SLICE("{\"tags\": [\"a\"], \"error\": null, \"status\": \"accepted\", \"attempt\": 0,"
                             " \"category\": \"otp\", \"direction\": \"outbound\", \"reference\": null,"
                             " \"provider_id\": null}")));
}

static void
a_timeline_is_read_in_order_and_by_its_tenant_only(void **state UNUSED)
{
    struct id subject = id_new(clock_system()), other = id_new(clock_system());
    static const enum event_type types[] = { EVENT_MESSAGE_QUEUED, EVENT_MESSAGE_EXPIRED,
                                             EVENT_MESSAGE_CANCELED };
    struct event *found;

    for (size_t i = 0; i < COUNT_OF(types); i++) {
        struct event event = event_of(types[i], subject), noise = event_of(EVENT_MESSAGE_READ, other);
        if (i == 0)
            event.channel = (struct id){ { 0 } };
        if (i == 1)
            event.data = SLICE_EMPTY;
        assert_ok(append(acme, &event));
        assert_ok(append(acme, &noise));
    }
    assert_int_equal(timeline(acme, subject, &found), COUNT_OF(types));
    for (size_t i = 0; i < COUNT_OF(types); i++) {
        assert_int_equal(found[i].type, types[i]);
        assert_int_equal(found[i].occurred_at.us, INT64_C(1795333730004000));
        assert_int_equal(id_is_zero(found[i].channel), i == 0);
        assert_true(slice_eq(found[i].data, i == 1 ? SLICE("{}") : SLICE("{\"status\": \"sent\"}")));
    }
    assert_int_equal(timeline(bolt, subject, &found), 0);
}

/* `data` of the caller's own making: what did not fit is no event. */
static void
what_is_told_is_an_event_of_now(void **state UNUSED)
{
    struct id subject = id_new(clock_system());
    struct wall_time before = clock_wall(clock_system());
    struct event *found;
    struct buf data;
    struct db_tx tx;

    assert_ok(db_begin(gateway, acme, &tx));
    buf_init(&data, 64);
    buf_add_text(&data, "{\"kind\": \"whatsapp\"}");
    assert_ok(event_tell(&tx, clock_system(), EVENT_CHANNEL_CREATED, subject, subject, &data));
    assert_null(data.ptr);
    buf_init(&data, 4);
    buf_add_text(&data, "{\"kind\": \"whatsapp\"}");
    assert_int_equal(event_tell(&tx, clock_system(), EVENT_CHANNEL_CREATED, subject, subject, &data),
                     ERR_LIMIT);
    assert_ok(db_commit(&tx));
    assert_int_equal(timeline(acme, subject, &found), 1);
    assert_true(slice_eq(found[0].data, SLICE("{\"kind\": \"whatsapp\"}")));
    assert_true(found[0].occurred_at.us >= before.us);
}

static void
a_word_of_a_newer_build_is_passed_over(void **state UNUSED)
{
    struct id subject = id_new(clock_system());
    struct event event = event_of(EVENT_MESSAGE_SENT, subject), last = event_of(EVENT_MESSAGE_READ, subject);
    char sql[256], id[ID_UUID_BYTES];
    struct event *found;

    assert_ok(append(acme, &event));
    assert_ok(append(acme, &last));
    id_uuid_print(event.id, id);
    snprintf(sql, sizeof(sql), "update event set type = 'message.teleported' where id = '%s'", id);
    test_cluster_sql(sql);
    assert_int_equal(timeline(acme, subject, &found), 1);
    assert_int_equal(found[0].type, EVENT_MESSAGE_READ);
}

static void
content_is_sealed_whole_or_not_at_all(void **state UNUSED)
{
    struct event event = event_of(EVENT_MESSAGE_RECEIVED, id_new(clock_system()));
    struct vault_sealed sealed = { .cipher = SLICE("sealed"), .key_version = 1 };
    char sql[256], id[ID_UUID_BYTES];

    event.content = &sealed;
    assert_ok(append(acme, &event));
    id_uuid_print(event.id, id);
    snprintf(
        sql, sizeof(sql),
        "select count(*) from event where id = '%s' and num_nonnulls(key_version, content_ct, content_iv,"
        " content_tag) = 4",
        id);
    assert_int_equal(test_cluster_number(sql), 1);
    assert_int_equal(append(acme, &event), ERR_EXISTS); /* nor is it written twice */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opened, closed)
CLUSTER_MAIN(TEST(each_word_is_one_type), TEST(what_every_accepted_message_says_is_added_for_the_reader),
             TEST(a_timeline_is_read_in_order_and_by_its_tenant_only), TEST(what_is_told_is_an_event_of_now),
             TEST(a_word_of_a_newer_build_is_passed_over), TEST(content_is_sealed_whole_or_not_at_all))
