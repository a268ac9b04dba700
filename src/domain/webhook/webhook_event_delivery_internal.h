/*
 * One event's deliveries, for whoever makes them (the fan-out, a replay): the event as it is read, who wants
 * it, the bodies, and the rows.
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_EVENT_DELIVERY_INTERNAL_H
#define DOMAIN_WEBHOOK_WEBHOOK_EVENT_DELIVERY_INTERNAL_H
#include "domain/webhook/webhook_delivery.h"
#include "platform/ipc/vault_many.h"

struct cursor {
    int64_t xid;
    struct id id;
};

/* An event as read, with its tenant and the endpoints that want it. */
struct taken {
    struct event event;
    struct id tenant;
    struct cursor cursor;        /* behind it */
    bool is_oversized;           /* its content was left where it is: no body could hold it */
    struct vault_sealed content; /* cipher.ptr NULL: none */
    struct id *endpoints;
    bool *is_thin; /* of the endpoint beside it */
    size_t endpoint_count;
    struct slice opened; /* of it */
    enum err err;        /* what kept a body from being made; is_lost */
    struct {
        struct id endpoint;
        struct vault_seal_item body; /* its place's row is the delivery */
    } * deliveries;
    size_t delivery_count;
};

/* What became of the rows: how many there are, and which of them are handed over. */
struct inserted {
    size_t queued;
    struct webhook_claim *claims; /* as long as all that was to be inserted */
    size_t claim_count;
};

/*
 * The columns tenant, id, xid, type, subject, channel, occurred_at, data, and of the content key version,
 * ciphertext (NULL when it is larger than a body may be), IV and tag. Unknown types (of a newer build) are
 * not *is_known.
 */
#define WEBHOOK_EVENT_COLUMNS(size_parameter)                                                                        \
    "e.tenant_id, e.id, e.xid, e.type, e.subject_id, e.channel_id, e.occurred_at, event_data(e.type, e.data)::text," \
    " e.key_version, CASE WHEN octet_length(e.content_ct) <= " size_parameter                                        \
    " THEN e.content_ct END, e.content_iv,"                                                                          \
    " e.content_tag"
MUST_CHECK enum err taken_from_row(const struct db_rows *rows, size_t row, struct arena *arena,
                                   struct taken *out, bool *is_known);

/* An endpoint's choice, while its row is looked at. */
struct wish {
    struct id tenant, endpoint;
    bool is_thin;
    struct slice *events, *channels; /* channels as text: few have any */
    size_t event_count, channel_count;
};

/* Room for the lists of one endpoint after the other. */
MUST_CHECK enum err wish_init(struct wish *wish, struct arena *arena);
/* The columns tenant, endpoint, events, channels as text[], payload. */
MUST_CHECK enum err wish_from_row(const struct db_rows *rows, size_t row, struct arena *arena,
                                  struct wish *out);
bool is_wished(const struct wish *wish, const struct taken *taken);
MUST_CHECK enum err taken_add(struct taken *taken, const struct wish *wish, struct arena *arena);

/*
 * Renders and seals for each endpoint of these events, in two exchanges with the vault. One that is_lost is
 * told on the log, and has no deliveries of what is lost; an error is of all of them.
 */
MUST_CHECK enum err deliveries_seal(const struct vault *vault, const struct clock *clock, struct arena *arena,
                                    struct taken *taken, size_t count);
/* Of the event, or of its tenant's keys, which may have been destroyed: it will not get better by itself. */
bool is_lost(enum err err);
/*
 * The rows of these events, in a transaction of their tenant. An endpoint that was disabled since it was read
 * gets none. Those to one of `targets`, which is well, for which `places` (may be NULL) has one, are inserted
 * as claimed; each in `out->claims` keeps its place, whatever becomes of the transaction.
 */
MUST_CHECK enum err deliveries_insert(struct db_tx *tx, struct arena *arena, const struct taken *const *taken,
                                      size_t taken_count, const struct webhook_places *places,
                                      const struct webhook_target *targets, size_t target_count,
                                      struct inserted *out);

#endif
