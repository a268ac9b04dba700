/*
 * Whom never to write to: by index, and channel kind or any. Who put himself here (by a keyword, or by his
 * preference at the provider) is taken off by his own word alone; what people of the workspace put here, they
 * may take off. The row says nothing but the index, so it stays when a person is erased.
 */
#ifndef DOMAIN_CONSENT_SUPPRESSION_H
#define DOMAIN_CONSENT_SUPPRESSION_H
#include "domain/consent/consent.h"

#define SUPPRESSION_ANY_KIND "any"

enum suppression_reason {
    SUPPRESSION_KEYWORD,
    SUPPRESSION_PREFERENCE,
    SUPPRESSION_COMPLAINT,
    SUPPRESSION_MANUAL,
    SUPPRESSION_IMPORT
};
const char *suppression_reason_word(enum suppression_reason reason);
MUST_CHECK enum err suppression_reason_parse(struct slice word, enum suppression_reason *out);
/* Whether the person said so, and nobody else may lift it. */
bool suppression_is_own(enum suppression_reason reason);

struct suppression_new {
    struct id id;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct slice channel_kind; /* or SUPPRESSION_ANY_KIND */
    bool is_all;               /* else promotional messages alone */
    enum suppression_reason reason;
    struct id entry;                 /* of the ledger; zero: none */
    const struct vault_sealed *peer; /* sealed for consent_peer_place(tenant, id); NULL: not now */
    enum consent_actor actor;
    struct id actor_id; /* zero: none */
    struct wall_time at;
    bool is_fresh; /* out; false: he was there, and `id` is that row */
};
/* Of the transaction's tenant. Tells suppression.added. A person's own reason replaces another's. */
MUST_CHECK enum err suppression_add(struct db_tx *tx, const struct clock *clock, struct suppression_new *rows,
                                    size_t count, struct arena *arena);

struct suppression {
    struct id id;
    struct slice channel_kind, scope, actor;
    enum suppression_reason reason;
    struct id entry, actor_id; /* zero: none */
    struct wall_time at;
    bool has_peer;
    struct id peer_row;
    struct vault_sealed peer;
};
struct suppression_filter {
    const unsigned char *peer_index;   /* NULL: anybody */
    struct slice channel_kind, reason; /* NULL ptr: any */
    struct id cursor;
};
/* Newest first, limit + 1 rows. */
MUST_CHECK enum err suppression_list(struct db_tx *tx, const struct suppression_filter *filter, size_t limit,
                                     struct arena *arena, struct suppression **out, size_t *count_out);
MUST_CHECK enum err suppression_get(struct db_tx *tx, struct id id, struct arena *arena,
                                    struct suppression *out);
MUST_CHECK enum err suppression_peers_open(const struct vault *vault, struct id tenant,
                                           const struct suppression *rows, size_t count, struct arena *arena,
                                           struct slice *peers_out);
/* Tells suppression.removed. ERR_NOT_FOUND; ERR_SUPPRESSION_OWN. */
MUST_CHECK enum err suppression_remove(struct db_tx *tx, const struct clock *clock, struct id id,
                                       struct arena *arena);
/*
 * By the person's own word, said at `at`: what that same way of saying so put here before. *was_lifted_out:
 * there was something.
 */
MUST_CHECK enum err suppression_lift(struct db_tx *tx, const struct clock *clock,
                                     const unsigned char peer_index[VAULT_INDEX_BYTES],
                                     struct slice channel_kind, enum suppression_reason reason,
                                     struct wall_time at, bool *was_lifted_out);

#endif
