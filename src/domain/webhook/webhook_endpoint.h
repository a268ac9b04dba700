/* Where a tenant wants to hear of its events, of which, and how. Its keys are webhook_secret.h's. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_ENDPOINT_H
#define DOMAIN_WEBHOOK_WEBHOOK_ENDPOINT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "crypto/certificate.h"
#include "domain/webhook/webhook_headers.h"
#include "domain/webhook/webhook_secret.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define WEBHOOK_ENDPOINT_PER_TENANT_MAX 50u
#define WEBHOOK_ENDPOINT_EVENTS_MAX     64u
#define WEBHOOK_ENDPOINT_CHANNELS_MAX   50u

enum webhook_endpoint_state { WEBHOOK_ENDPOINT_ENABLED, WEBHOOK_ENDPOINT_DISABLED };
const char *webhook_endpoint_state_word(enum webhook_endpoint_state state);

struct webhook_endpoint {
    struct id id;
    struct slice url, description, disabled_reason; /* reason: empty when there is none */
    struct slice *events;                           /* words, groups such as "message.*", or "*" */
    size_t event_count;
    struct id *channels; /* whose events it hears of; none: all */
    size_t channel_count;
    enum webhook_signing signing;
    bool is_thin; /* bodies have ids and status alone */
    struct slice *header_names;
    size_t header_count;
    bool has_secret, has_public_key; /* of the present generation */
    unsigned char public_key[VAULT_PUBLIC_KEY_BYTES];
    bool has_previous;               /* keys of earlier generations sign too ... */
    struct wall_time previous_until; /* ... at the latest until then */
    enum webhook_endpoint_state state;
    bool is_failing, is_held; /* held: nothing is posted before held_until */
    uint32_t failures;        /* since the last success; WEBHOOK_BREAKER_FAILURES open the breaker */
    uint32_t notices;         /* of its failing, that were told to the other endpoints */
    struct wall_time held_until, failing_since, created_at, updated_at;
    bool has_client; /* a client certificate: */
    struct slice client_subject, client_issuer;
    struct wall_time client_not_after;
    unsigned char client_fingerprint[CERTIFICATE_FINGERPRINT_BYTES];
    uint32_t revision, generation, headers_generation, client_generation;
};

/* Whether an endpoint with this filter wants this type: by its word, its group ("message.*") or "*". */
bool webhook_filter_wants(const struct slice *events, size_t count, struct slice type);

/* Fields for every delivery: names are shown, values sealed for webhook_headers_place. */
struct webhook_headers {
    struct slice names[WEBHOOK_HEADERS_MAX];
    size_t count;
    struct vault_sealed sealed; /* with one at the least */
};

/* What it shows to the endpoint's server; the key sealed for webhook_client_key_place. */
struct webhook_client {
    const struct certificate *certificate; /* borrowed; NULL: none, what was there is removed */
    struct vault_sealed key;
};
struct vault_place webhook_client_key_place(struct id tenant, struct id endpoint, uint32_t generation);

struct webhook_endpoint_new {
    struct id id;
    struct slice url, description;
    const struct slice *events;
    size_t event_count;
    const struct id *channels;
    size_t channel_count;
    enum webhook_signing signing;
    bool is_thin;
    const struct webhook_headers *headers; /* NULL: none; for headers_generation 1 */
    const struct webhook_client *client;   /* NULL: none; for client_generation 1 */
    struct webhook_keys keys;              /* generation 1 */
};
/*
 * ERR_TOO_MANY, exactly also when several are made at once. ERR_CHANNEL_UNKNOWN. The caller has checked URL,
 * events and fields.
 */
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
    const struct id *channels;
    size_t channel_count;
    bool has_channels, has_signing, has_payload;
    enum webhook_signing signing;
    bool is_thin;
    const struct webhook_headers *headers; /* NULL: as they were; for headers_generation + 1 */
    uint32_t headers_generation;           /* with `headers`: the present one */
    const struct webhook_client *client;   /* NULL: as it was; for client_generation + 1 */
    uint32_t client_generation;            /* with `client`: the present one */
    const struct webhook_keys *keys;       /* NULL: none; what the present generation lacks for `signing` */
    bool has_state;
    enum webhook_endpoint_state state; /* disabled cancels what waits; enabled forgets past failures */
};
/* ERR_HTTP_PRECONDITION when the revision moved on, or fields, keys or certificate were changed meanwhile.
 * ERR_CHANNEL_UNKNOWN. */
MUST_CHECK enum err webhook_endpoint_update(struct db_tx *tx, struct id endpoint,
                                            const struct webhook_endpoint_change *change, struct arena *arena,
                                            struct webhook_endpoint *out);
/* Its keys, fields and certificate are destroyed; what waits is canceled. */
MUST_CHECK enum err webhook_endpoint_delete(struct db_tx *tx, struct id endpoint, uint32_t revision);
/*
 * ERR_HTTP_PRECONDITION when another rotation came first (keys->generation is not one more than the present).
 * The keys of before sign for overlap_s more.
 */
MUST_CHECK enum err webhook_endpoint_rotate(struct db_tx *tx, struct id endpoint,
                                            const struct webhook_keys *keys, int64_t overlap_s,
                                            struct arena *arena, struct webhook_endpoint *out);
/* The keys of earlier generations are destroyed at once. ERR_NOT_FOUND. */
MUST_CHECK enum err webhook_endpoint_revoke_previous(struct db_tx *tx, struct id endpoint,
                                                     struct arena *arena, struct webhook_endpoint *out);

#endif
