/* For the tests of this room and of the process: a cluster and a vault, endpoints, and events to be told. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_TESTING_H
#define DOMAIN_WEBHOOK_WEBHOOK_TESTING_H
#include "domain/webhook/webhook_delivery.h"
#include "platform/db/test_cluster.h"
#include "program/vault/vault_testing.h"

/* Group fixtures: the cluster and the vault. */
int webhook_testing_setup(void **state);
int webhook_testing_teardown(void **state);
#define WEBHOOK_MAIN(...)                                                                                    \
    int main(void)                                                                                           \
    {                                                                                                        \
        const struct CMUnitTest tests[] = { __VA_ARGS__ };                                                   \
        return cmocka_run_group_tests(tests, webhook_testing_setup, webhook_testing_teardown);               \
    }

/* Opened before and closed after each test; the tables of webhooks and events are empty then. */
extern struct db *webhook_testing_gateway, *webhook_testing_webhooks;
extern struct vault webhook_testing_sealer, webhook_testing_signer; /* the gateway's, the webhooks role's */
extern struct arena *webhook_testing_arena;
int webhook_testing_open(void **state);
int webhook_testing_close(void **state);
#define WEBHOOK_TEST(name) cmocka_unit_test_setup_teardown(name, webhook_testing_open, webhook_testing_close)

/* As the gateway makes one: a secret of known octets, sealed for its place. `events` ends with NULL. */
struct webhook_endpoint_new webhook_testing_endpoint_new(struct id tenant, const char *const *events);
struct webhook_endpoint webhook_testing_endpoint(struct id tenant, const char *const *events);
/* An event of the tenant about a message, committed by the gateway; `content` NULL: nothing personal. */
struct id webhook_testing_event(struct id tenant, enum event_type type, const char *content);
/* A message that is its own event message.accepted, with the reference "ours". */
struct id webhook_testing_message(struct id tenant);
/* One fan-out; how many events were taken and deliveries made. */
size_t webhook_testing_fan_out(size_t *queued_out);
/* As the webhooks role: the body of what was claimed, and the value of webhook-signature. */
enum err webhook_testing_body(const struct webhook_claim *claim, struct slice *out);
enum err webhook_testing_sign(const struct webhook_target *target, struct slice content, struct buf *out);
int64_t webhook_testing_count(const char *format, ...) FORMAT_LIKE(1, 2);

/* The key of every endpoint made here: what a receiver verifies with. */
#define WEBHOOK_TESTING_KEY SLICE("0123456789abcdef0123456789abcdef")

#endif
