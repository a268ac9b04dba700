/* What a provider posted: verified, stored sealed and raw, answered; interpreted afterwards, each exactly
 * once. */
#ifndef DOMAIN_MESSAGE_PROVIDER_EVENT_H
#define DOMAIN_MESSAGE_PROVIDER_EVENT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_many.h"

#define PROVIDER_EVENT_ATTEMPTS_MAX  10
#define PROVIDER_EVENT_CLAIMS_MAX    30 /* beyond, it is not even opened: nobody came back from it */
#define PROVIDER_EVENT_ATTEMPTS_MANY 3  /* from then on a body is read by itself */
#define PROVIDER_EVENT_LEASE_MS      20000
#define PROVIDER_EVENT_SMALL_BYTES   65536 /* what is larger is not read by the claim */

struct provider_event_new {
    struct id id, tenant, channel;
    unsigned char digest[VAULT_INDEX_BYTES]; /* keyed, of the raw bytes: the same bytes are stored once */
    struct vault_sealed body;
};
MUST_CHECK enum err provider_event_seal(const struct vault *vault, const struct clock *clock,
                                        struct id tenant, struct id channel, struct slice body,
                                        struct arena *arena, struct provider_event_new *out);
/* The same in two steps, for vault_ask_many: what is to be sealed, and what came of it. */
struct vault_seal_item provider_event_seal_item(struct id tenant, struct id event, struct slice body);
void provider_event_sealed(const struct vault_seal_item *item, struct provider_event_new *event);
/*
 * Events of the transaction's tenant, as one batch of this id, sent with its commit (db_later). *stored_out,
 * owned: free it when the transaction is closed; it has a row with the id of each that is new, in their
 * order: those whose bytes were stored before have none, and are answered 200 all the same. With is_in_hand
 * the caller is about to read them himself, and for PROVIDER_EVENT_LEASE_MS nobody else takes them: their
 * attempt is 1, their fence 0. Without, interpreters are told.
 */
MUST_CHECK enum err provider_events_store(struct db_tx *tx, const struct provider_event_new *events,
                                          size_t count, struct id batch, bool is_in_hand, struct arena *arena,
                                          struct db_rows **stored_out);
struct provider_event {
    struct id id, tenant;
    struct id channel;   /* whose callback it was; zero: */
    struct id connector; /* a PDU that came over this SMS connector's link (sms_event.h) */
    struct id batch;     /* it was stored with, or is tried again in */
    int64_t fence;       /* of the batch, as its attempt */
    int attempt;
    bool is_large; /* the body is not read yet */
    struct vault_sealed body;
};
/*
 * Claims batches that are due, oldest first, with about so many events at most; across tenants
 * ("provider.interpret"). Large bodies are left out. With is_alone one of those that nobody came back from
 * PROVIDER_EVENT_ATTEMPTS_MANY times, else none of them. When that is a batch of several, each gets its own,
 * and one more call is wanted: *count_out is 0 then, *is_split_out true.
 */
MUST_CHECK enum err provider_event_claim(struct db *db, size_t count_max, bool is_alone, struct arena *arena,
                                         struct provider_event **out, size_t *count_out, bool *is_split_out);
/* The body that the claim left out. */
MUST_CHECK enum err provider_event_body_read(struct db_tx *tx, struct arena *arena,
                                             struct provider_event *event);
/* The request that opens it, for vault_ask_many; the event must live as long. */
struct vault_ask provider_event_ask(const struct provider_event *event);
/* The raw bytes, in an arena that is wiped. Outside any transaction. */
MUST_CHECK enum err provider_event_open(const struct vault *vault, const struct provider_event *event,
                                        struct arena *arena, struct slice *body_out);
/* In the transaction that applied it. ERR_STATE_CONFLICT when the claim was lost: roll back. */
MUST_CHECK enum err provider_event_done(struct db_tx *tx, const struct provider_event *event);
/*
 * All that is left of their batches, of the transaction's tenant, before they are applied in it: held_out
 * says of each whether the claim still stands. What does not must not be applied.
 */
MUST_CHECK enum err provider_events_done(struct db_tx *tx, const struct provider_event *const *events,
                                         size_t count, struct arena *arena, bool *held_out);
/*
 * It could not be applied: again later, by itself, with growing gaps, or given up for good after
 * PROVIDER_EVENT_ATTEMPTS_MAX, and at once when the bytes will never read. While the vault or the database
 * are away nothing is counted: however long that takes, what was answered 200 is not lost.
 */
MUST_CHECK enum err provider_event_postpone(struct db_tx *tx, const struct clock *clock,
                                            const struct provider_event *event, enum err why);

#endif
