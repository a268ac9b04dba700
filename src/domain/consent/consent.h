/*
 * Consent: what each person allowed, by channel kind and purpose. A ledger that is only appended to; what it
 * amounts to is derived in the same transaction: the latest word counts, a withdrawal wins on equal time, and
 * `unknown` says nothing against a word that is known. Nothing becomes granted without evidence. People are
 * known by messages' keyed index; address and evidence lie sealed beside the ledger.
 */
#ifndef DOMAIN_CONSENT_CONSENT_H
#define DOMAIN_CONSENT_CONSENT_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "domain/event/event.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"
#include "platform/ipc/vault_many.h"

#define CONSENT_BATCH_MAX          5000u
#define CONSENT_LIST_MAX           100u
#define CONSENT_PERSON_MAX         200u /* entries of one person, as they are looked up */
#define CONSENT_EVIDENCE_BYTES_MAX 8192u
#define CONSENT_AHEAD_MS_MAX       60000 /* how far ahead of our clock a decision's time may be */

enum consent_state { CONSENT_GRANTED, CONSENT_WITHDRAWN, CONSENT_UNKNOWN };
const char *consent_state_word(enum consent_state state);
MUST_CHECK enum err consent_state_parse(struct slice word, enum consent_state *out);

/* Which way it came. */
enum consent_source { CONSENT_MANUAL, CONSENT_IMPORT, CONSENT_INBOUND, CONSENT_API, CONSENT_PROVIDER };
const char *consent_source_word(enum consent_source source);
MUST_CHECK enum err consent_source_parse(struct slice word, enum consent_source *out);

/* Who entered it: a person or a key of the workspace, or the one whose consent it is. */
enum consent_actor { CONSENT_BY_PERSON, CONSENT_BY_KEY, CONSENT_BY_CONTACT };
const char *consent_actor_word(enum consent_actor actor);

struct consent_new {
    struct id id;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct slice channel_kind, purpose;
    enum consent_state state;
    enum consent_source source;
    struct slice method, language;       /* NULL ptr: none */
    struct id notice;                    /* zero: none; one of the workspace's */
    struct id message, channel;          /* in which it was said, and to which sender; zero: none */
    const struct vault_sealed *peer;     /* sealed for consent_peer_place(tenant, id); NULL: not now */
    const struct vault_sealed *evidence; /* sealed for consent_evidence_place(tenant, id); NULL: none */
    enum consent_actor actor;
    struct id actor_id; /* zero: none */
    struct wall_time at;
    /* out: */
    enum err err;      /* ERR_OK; ERR_CONSENT_SUPPRESSED: a grant for somebody who must not be written to */
    bool is_fresh;     /* false: the same was said before: `id` is that entry */
    bool is_effective; /* what it says is what holds now */
};

struct vault_place consent_peer_place(struct id tenant, struct id entry);
struct vault_place consent_evidence_place(struct id tenant, struct id entry);

/*
 * Records all of them, of the transaction's tenant, by a few statements; what is refused fails alone. Tells
 * consent.granted and consent.withdrawn of what changes what holds. ERR_CONSENT_EVIDENCE: a grant without
 * evidence, which is a caller's mistake. A person's own word (source inbound or provider) is not held against
 * suppressions: it may lift them.
 */
MUST_CHECK enum err consent_record(struct db_tx *tx, const struct clock *clock, struct consent_new *entries,
                                   size_t count, struct arena *arena);

struct consent {
    struct id id;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct slice channel_kind, purpose, method, language;
    enum consent_state state;
    enum consent_source source;
    struct id notice, message, channel, actor_id; /* zero: none */
    bool has_evidence;                            /* it was given; it may have been erased */
    struct slice actor;                           /* "person", "key", "contact" */
    struct wall_time at, recorded_at;
    bool has_peer; /* false: the address is not known (any more) */
    struct id peer_row;
    struct vault_sealed peer;
    bool has_sealed_evidence; /* with consent_get */
    struct vault_sealed evidence;
};
/* ERR_NOT_FOUND. With the evidence. */
MUST_CHECK enum err consent_get(struct db_tx *tx, struct id id, struct arena *arena, struct consent *out);

struct consent_filter {
    const unsigned char *peer_index;                   /* NULL: anybody */
    struct slice channel_kind, purpose, state, source; /* NULL ptr: any */
    struct wall_time since, until;                     /* recorded; us 0: any */
    struct id cursor;                                  /* zero: from the newest */
};
/* Newest first, limit + 1 rows. */
MUST_CHECK enum err consent_list(struct db_tx *tx, const struct consent_filter *filter, size_t limit,
                                 struct arena *arena, struct consent **out, size_t *count_out);

/* What holds for a person: at most CONSENT_PERSON_MAX. */
struct consent_holding {
    struct slice channel_kind, purpose;
    enum consent_state state;
    struct wall_time at;
    struct id entry;
};
MUST_CHECK enum err consent_holdings(struct db_tx *tx, const unsigned char peer_index[VAULT_INDEX_BYTES],
                                     struct arena *arena, struct consent_holding **out, size_t *count_out);

/* The address of each, opened in one exchange; SLICE_EMPTY where it is not known. */
MUST_CHECK enum err consent_peers_open(const struct vault *vault, struct id tenant,
                                       const struct consent *entries, size_t count, struct arena *arena,
                                       struct slice *peers_out);
/* Keeps an address whose index the ledger has; does nothing when it is kept already. */
MUST_CHECK enum err consent_peer_keep(struct db_tx *tx, struct id row,
                                      const unsigned char peer_index[VAULT_INDEX_BYTES],
                                      const struct vault_sealed *peer);
/*
 * Erases what is personal about somebody: address and evidence. What was decided stays under the index, and
 * so do suppressions. *count_out: how many values went.
 */
MUST_CHECK enum err consent_erase(struct db_tx *tx, const unsigned char peer_index[VAULT_INDEX_BYTES],
                                  size_t *count_out);

#endif
