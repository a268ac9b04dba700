/*
 * What people say themselves: a keyword in a message, of any kind of channel, or a preference that they set
 * at the provider. Applied in the transaction that stores what came in; what follows (keeping the address,
 * the answer) is a row of consent_follow_up, done once that has been committed.
 */
#ifndef DOMAIN_CONSENT_CONSENT_INBOUND_H
#define DOMAIN_CONSENT_CONSENT_INBOUND_H
#include "domain/consent/consent_settings.h"
#include "domain/consent/suppression.h"

/* A message that came in. What is borrowed lives for the call. */
struct consent_heard {
    struct id message, channel;
    struct slice channel_kind;       /* "whatsapp", "sms" */
    const unsigned char *peer_index; /* VAULT_INDEX_BYTES */
    struct slice folded;             /* consent_keyword_fold; empty: it cannot be a keyword */
    struct wall_time at;             /* when it was written, by the provider */
};
/*
 * Of the transaction's tenant, those that were stored just now, in the order in which they were written.
 * Costs nothing when none can be a keyword. *followed_out: there is something to follow.
 */
MUST_CHECK enum err consent_hear(struct db_tx *tx, const struct clock *clock,
                                 const struct consent_heard *heard, size_t count, struct arena *arena,
                                 bool *followed_out);

/* Somebody has stopped, or resumed, marketing at the provider. */
struct consent_preference {
    struct id entry, channel; /* `entry` is the ledger's id to be */
    struct slice channel_kind;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct vault_sealed peer; /* for consent_peer_place(tenant, entry) */
    bool is_stop;
    struct wall_time at;
};
MUST_CHECK enum err consent_preference_apply(struct db_tx *tx, const struct clock *clock,
                                             const struct consent_preference *preference,
                                             struct arena *arena);

/* What follows a keyword. */
struct consent_follow_up {
    struct id tenant, id, channel, message;
    enum consent_word word;
    char language[4];
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct wall_time created_at;
    int attempt;
};
/* What is due, of all tenants, the oldest first; at most `max`. */
MUST_CHECK enum err consent_follow_ups(struct db *db, size_t max, struct arena *arena,
                                       struct consent_follow_up **out, size_t *count_out);
/* In the tenant's transaction: it is done, or cannot be. */
MUST_CHECK enum err consent_follow_up_done(struct db_tx *tx, struct id id);
/* Again later: after a minute, doubled with each attempt. */
MUST_CHECK enum err consent_follow_up_postpone(struct db_tx *tx, struct id id);

#endif
