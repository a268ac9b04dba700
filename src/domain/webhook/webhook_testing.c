#include "domain/webhook/webhook_testing.h"
#include "domain/tenant/tenant_key.h"
#include <stdio.h>

#define ARENA_BYTES (128u * 1024u * 1024u)

struct db *webhook_testing_gateway, *webhook_testing_webhooks;
struct vault webhook_testing_sealer, webhook_testing_signer;
struct arena *webhook_testing_arena;
static struct vault_client *sealer, *signer;

int
webhook_testing_setup(void **state)
{
    int failed = test_cluster_setup(state);

    vault_testing_start();
    sealer = vault_testing_client(VAULT_ROLE_GATEWAY, 5000);
    signer = vault_testing_client(VAULT_ROLE_WEBHOOKS, 5000);
    return failed;
}

int
webhook_testing_teardown(void **state)
{
    vault_client_free(sealer);
    vault_client_free(signer);
    vault_testing_stop();
    return test_cluster_teardown(state);
}

int
webhook_testing_open(void **state UNUSED)
{
    test_cluster_sql(
        "delete from harkara.webhook_replay; delete from harkara.webhook_delivery; delete from harkara.webhook_secret; delete from harkara.webhook_endpoint;"
        "delete from harkara.event; delete from harkara.message; update harkara.consumer_cursor set xid = '0'");
    webhook_testing_gateway = test_cluster_open("harkara_gateway");
    webhook_testing_webhooks = test_cluster_open("harkara_webhooks");
    webhook_testing_sealer = tenant_vault(sealer, webhook_testing_gateway);
    webhook_testing_signer = tenant_vault(signer, webhook_testing_webhooks);
    webhook_testing_arena = arena_new(ARENA_BYTES);
    return webhook_testing_arena == NULL;
}

int
webhook_testing_close(void **state UNUSED)
{
    db_close(webhook_testing_gateway);
    db_close(webhook_testing_webhooks);
    arena_free(webhook_testing_arena);
    return 0;
}

struct webhook_endpoint_new
webhook_testing_endpoint_new(struct id tenant, const char *const *events)
{
    struct webhook_endpoint_new with = { .id = id_new(clock_system()),
                                         .url = SLICE("https://shop.example/hooks"),
                                         .description = SLICE("Orders") };
    struct vault_place place = webhook_secret_place(tenant, with.id, 1);
    struct slice *words =
        arena_array(webhook_testing_arena, WEBHOOK_ENDPOINT_EVENTS_MAX, sizeof(struct slice));

    for (; events[with.event_count] != NULL; with.event_count++)
        words[with.event_count] = slice_text(events[with.event_count]);
    with.events = words;
    with.keys = (struct webhook_keys){ .generation = 1, .has_secret = true };
    assert_ok(vault_seal(&webhook_testing_sealer, VAULT_CREDENTIAL, &place, WEBHOOK_TESTING_KEY,
                         webhook_testing_arena, &with.keys.secret));
    return with;
}

struct webhook_endpoint
webhook_testing_endpoint(struct id tenant, const char *const *events)
{
    struct webhook_endpoint_new with = webhook_testing_endpoint_new(tenant, events);
    struct webhook_endpoint endpoint;
    struct db_tx tx;

    assert_ok(db_begin(webhook_testing_gateway, tenant, &tx));
    assert_ok(webhook_endpoint_create(&tx, &with, webhook_testing_arena, &endpoint));
    assert_ok(db_commit(&tx));
    return endpoint;
}

struct id
webhook_testing_event(struct id tenant, enum event_type type, const char *content)
{
    struct vault_sealed sealed;
    struct event event = { .id = id_new(clock_system()),
                           .type = type,
                           .subject = id_new(clock_system()),
                           .channel = id_new(clock_system()),
                           .occurred_at = clock_wall(clock_system()),
                           .data = SLICE("{\"direction\": \"outbound\", \"cause\": \"a test\"}") };
    struct vault_place place = event_content_place(tenant, event.id);
    struct db_tx tx;

    if (content != NULL) {
        assert_ok(vault_seal(&webhook_testing_sealer, VAULT_CONTENT, &place, slice_text(content),
                             webhook_testing_arena, &sealed));
        event.content = &sealed;
    }
    assert_ok(db_begin(webhook_testing_gateway, tenant, &tx));
    assert_ok(event_append(&tx, &event));
    assert_ok(db_commit(&tx));
    return event.id;
}

struct id
webhook_testing_message(struct id tenant)
{
    struct id id = id_new(clock_system());
    char sql[1024], tenant_text[ID_UUID_BYTES], id_text[ID_UUID_BYTES];

    id_uuid_print(tenant, tenant_text);
    id_uuid_print(id, id_text);
    snprintf(
        sql, sizeof(sql),
        "insert into harkara.message (tenant_id, id, channel_id, direction, kind, category, status, peer_index,"
        " key_version, peer_ct, peer_iv, peer_tag, content_ct, content_iv, content_tag, reference, accepted_by,"
        " told_xid) select '%s', '%s', '%s', 'out', 'text', 'service', 'sent', z, 1, z, z, z, z, z, z, 'ours',"
        " 'key_1', harkara.event_xid() from (select decode(repeat('00', 32), 'hex') z) v",
        tenant_text, id_text, id_text);
    test_cluster_sql(sql);
    return id;
}

size_t
webhook_testing_fan_out(size_t *queued_out)
{
    struct webhook_fanned fanned;

    /* Until then events wait, as behind any transaction that has begun before theirs. */
    while (
        webhook_testing_count("select count(*) from pg_stat_activity where backend_type = 'autovacuum worker'"
                              " and backend_xid is not null") > 0)
        ;
    assert_ok(webhook_fan_out(webhook_testing_webhooks, &webhook_testing_signer, clock_system(),
                              webhook_testing_arena, NULL, &fanned));
    assert_int_equal(fanned.claim_count, 0);
    *queued_out = fanned.queued;
    return fanned.taken;
}

enum err
webhook_testing_body(const struct webhook_claim *claim, struct slice *out)
{
    struct vault_ask ask = webhook_body_ask(claim);

    vault_ask_many(&webhook_testing_signer, &ask, 1, webhook_testing_arena);
    *out = ask.plain;
    return ask.err;
}

enum err
webhook_testing_sign(const struct webhook_target *target, struct slice content, struct buf *out)
{
    struct vault_ask asks[WEBHOOK_SIGN_ASKS_MAX];
    size_t count = webhook_sign_asks(target->tenant, target->endpoint, target->keys, target->key_count,
                                     target->signing, content, asks);

    vault_ask_many(&webhook_testing_signer, asks, count, webhook_testing_arena);
    return webhook_signatures_add(asks, count, out);
}

int64_t
webhook_testing_count(const char *format, ...)
{
    char text[1024];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof(text), format, values);
    va_end(values);
    return test_cluster_number(text);
}
