/* Where a tenant wants to hear of its events. The secret must sign, so it is sealed, and shown once. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_ENDPOINT_H
#define DOMAIN_WEBHOOK_WEBHOOK_ENDPOINT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define WEBHOOK_ENDPOINT_PER_TENANT_MAX 50u
#define WEBHOOK_ENDPOINT_EVENTS_MAX     64u

enum webhook_endpoint_state { WEBHOOK_ENDPOINT_ENABLED, WEBHOOK_ENDPOINT_DISABLED };
const char *webhook_endpoint_state_word(enum webhook_endpoint_state state);

struct webhook_endpoint {
    struct id id;
    struct slice url, description, disabled_reason; /* reason: empty when there is none */
    struct slice *events;                           /* words, or "*" */
    size_t event_count;
    enum webhook_endpoint_state state;
    bool is_failing;
    struct wall_time failing_since, created_at, updated_at;
    uint32_t revision, generation;
};

/* Where the sealed key of an endpoint belongs. */
struct vault_place webhook_secret_place(struct id tenant, struct id endpoint, uint32_t generation);

struct webhook_endpoint_new {
    struct id id;
    struct slice url, description;
    const struct slice *events;
    size_t event_count;
    struct vault_sealed secret; /* for generation 1 */
};
/* ERR_TOO_MANY. The caller has checked URL and events. */
MUST_CHECK enum err webhook_endpoint_create(struct db_tx *tx, const struct webhook_endpoint_new *with,
                                            struct arena *arena, struct webhook_endpoint *out);
MUST_CHECK enum err webhook_endpoint_get(struct db_tx *tx, struct id endpoint, struct arena *arena,
                                         struct webhook_endpoint *out);
MUST_CHECK enum err webhook_endpoint_list(struct db_tx *tx, struct id before, size_t limit,
                                          struct arena *arena, struct webhook_endpoint **out,
                                          size_t *count_out);

struct webhook_endpoint_change {
    uint32_t revision;             /* If-Match; 0: any */
    struct slice url, description; /* NULL ptr: as it was */
    const struct slice *events;
    size_t event_count; /* 0: as they were */
    bool has_state;
    enum webhook_endpoint_state state; /* disabled cancels what waits; enabled forgets past failures */
};
/* ERR_HTTP_PRECONDITION when the revision moved on. */
MUST_CHECK enum err webhook_endpoint_update(struct db_tx *tx, struct id endpoint,
                                            const struct webhook_endpoint_change *change, struct arena *arena,
                                            struct webhook_endpoint *out);
/* Its secret goes with its row's use; what waits is canceled. */
MUST_CHECK enum err webhook_endpoint_delete(struct db_tx *tx, struct id endpoint, uint32_t revision);
/* ERR_HTTP_PRECONDITION when another rotation came first (generation is not one more than the present). */
MUST_CHECK enum err webhook_endpoint_rotate(struct db_tx *tx, struct id endpoint, uint32_t generation,
                                            const struct vault_sealed *secret, struct arena *arena,
                                            struct webhook_endpoint *out);

#endif
