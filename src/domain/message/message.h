/*
 * Messages, outgoing and incoming. The recipient's (or sender's) address and the content are sealed with the
 * tenant's content key; equal addresses meet in a keyed blind index. Content is the JSON object of the API's
 * `content`.
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_H
#define DOMAIN_MESSAGE_MESSAGE_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "domain/event/event.h"
#include "domain/message/message_by.h"
#include "domain/message/message_status.h"
#include "domain/policy/phone_zone.h"
#include "domain/policy/policy_gate.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"
#include "platform/ipc/vault_many.h"

#define MESSAGE_LIST_MAX          100u
#define MESSAGE_REFERENCE_MAX     255u
#define MESSAGE_BATCH_MAX         5000u
#define MESSAGE_FINGERPRINT_BYTES 32u
#define MESSAGE_TAGS_MAX          10u
#define MESSAGE_RESENT_MAX        20u /* of one message, as they are listed */
#define MESSAGE_TAG_BYTES_MAX     64u
#define MESSAGE_SEND_AHEAD_S_MAX  (366 * 86400) /* how far ahead a message may be scheduled */
#define MESSAGE_EXPIRY_S_MAX      (30 * 86400)  /* how long after that it may still be sent */
#define MESSAGE_FALLBACKS_MAX     3u            /* senders after the first */
#define MESSAGE_SENDERS_MAX       (1u + MESSAGE_FALLBACKS_MAX)
#define MESSAGE_SEAL_ITEMS_MAX    (3u + MESSAGE_FALLBACKS_MAX)
#define MESSAGE_MARK_BYTES        (ID_TEXT_BYTES + 2u) /* with its terminating NUL */

enum message_direction { MESSAGE_OUT, MESSAGE_IN };
enum message_category { MESSAGE_OTP, MESSAGE_TRANSACTIONAL, MESSAGE_SERVICE, MESSAGE_PROMOTIONAL };
#define MESSAGE_CATEGORY_COUNT 4u

const char *message_direction_word(enum message_direction direction);
MUST_CHECK enum err message_direction_parse(struct slice word, enum message_direction *out);
/* Also the queue's priority: 0 goes first. */
const char *message_category_word(enum message_category category);
MUST_CHECK enum err message_category_parse(struct slice word, enum message_category *out);

/* Address and content, sealed for one message; and the sender's own metadata, when it gave any. */
struct message_sealed {
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct vault_sealed peer, content;
    unsigned content_of; /* whose content it is: 0 the message's, else that of the sender at this position */
    bool has_metadata;
    struct vault_sealed metadata;
    struct vault_sealed
        fallback[MESSAGE_FALLBACKS_MAX]; /* of senders with a content of their own; when sealed */
};
/* What is sealed of a message. `peer` is E.164 with '+', or a provider's user id; content and metadata are
 * JSON objects. */
struct message_plain {
    struct id message;
    struct slice peer, content, metadata;         /* metadata: NULL ptr: none */
    struct slice fallback[MESSAGE_FALLBACKS_MAX]; /* NULL ptr: none, or it sends the content */
};
/* One message on its way into the vault and back, with what became of it. */
struct message_seal {
    struct id tenant;
    const struct message_plain *plain;
    const unsigned char *request_hash; /* of its request, MESSAGE_FINGERPRINT_BYTES; NULL: it has no key */
    enum err err;                      /* out, with the next two */
    struct message_sealed sealed;
    unsigned char fingerprint[MESSAGE_FINGERPRINT_BYTES]; /* the keyed form of request_hash */
};
/*
 * Outside any transaction: all of them in one exchange with the vault, of any tenants; one that cannot be
 * sealed fails alone. Cipher texts live in the arena.
 */
void message_seal_many(const struct vault *vault, struct message_seal *seals, size_t count,
                       struct arena *arena);
/*
 * The same in two steps, for whoever asks the vault for more at once: what is to be sealed of one message, in
 * one request, so that all of its row have one key version; and what came of it.
 */
size_t message_seal_items(struct id tenant, const struct message_plain *plain,
                          struct vault_seal_item items[static MESSAGE_SEAL_ITEMS_MAX]);
void message_sealed_take(const struct message_plain *plain, const struct vault_seal_item *items,
                         struct message_sealed *out);
/* The same for messages of one tenant, without fingerprints: all or the first error. */
MUST_CHECK enum err message_seal(const struct vault *vault, struct id tenant,
                                 const struct message_plain *plain, size_t count, struct arena *arena,
                                 struct message_sealed *out);
struct vault_ask message_peer_ask(struct id tenant, struct slice peer);
MUST_CHECK enum err message_peer_index(const struct vault *vault, struct id tenant, struct slice peer,
                                       unsigned char out[VAULT_INDEX_BYTES]);
/* The opened address and content, in an arena that is wiped. */
MUST_CHECK enum err message_open(const struct vault *vault, struct id tenant, struct id message,
                                 const struct message_sealed *sealed, struct arena *arena,
                                 struct slice *peer_out, struct slice *content_out);
/* As message_open, of many in one go: asks[0] is for the address, asks[1] for the content (vault_many.h). */
void message_open_asks(struct id tenant, struct id message, const struct message_sealed *sealed,
                       struct vault_ask asks[2]);

/* What is to be opened of one message, and what came of it. */
struct message_opening {
    struct id message;
    const struct message_sealed *sealed;  /* borrowed */
    bool wants_content, wants_metadata;   /* besides the address */
    enum err err;                         /* out, with the next three */
    struct slice peer, content, metadata; /* empty: not wanted, or there is none */
};
/* Messages of one tenant in few exchanges with the vault; one that does not open fails alone. */
void message_open_many(const struct vault *vault, struct id tenant, struct message_opening *openings,
                       size_t count, struct arena *arena);
MUST_CHECK enum err message_open_peer(const struct vault *vault, struct id tenant, struct id message,
                                      const struct message_sealed *sealed, struct arena *arena,
                                      struct slice *peer_out);
/* SLICE_EMPTY when there is none. */
MUST_CHECK enum err message_open_metadata(const struct vault *vault, struct id tenant, struct id message,
                                          const struct message_sealed *sealed, struct arena *arena,
                                          struct slice *metadata_out);

struct dnd_preference;

/* What the request has to say to the policy gate of one of its senders. */
struct message_asked {
    enum policy_template template_state; /* of its template, if it is one */
    enum policy_dlt dlt;                 /* what India's registry says of its text */
    struct id dlt_template;              /* its template there; zero: none */
    enum policy_dnd dnd;                 /* NONE; UNKNOWN; CLEAR, without a preference of the recipient's */
    const struct dnd_preference *preference; /* of the recipient, in India's DND registry; NULL: none */
    unsigned dnd_category;                   /* as which the message is judged there */
};

/* A sender that takes over when the one before it failed, or delivered nothing in time. */
struct message_fallback {
    struct id channel;
    struct slice kind; /* its content's type */
    int64_t after_s;   /* 0: only when the one before it failed */
    bool has_content;  /* sealed.fallback at its place; else it sends the message's */
    struct message_asked asked;
};

/* What a client asked to be sent, ready to be stored. All slices are borrowed for the call. */
struct message_new {
    struct id id, tenant, channel;
    enum message_category category;
    struct slice kind; /* content's type: "text" */
    struct message_sealed sealed;
    struct slice reference;      /* NULL ptr: none */
    struct id target;            /* the message it answers or reacts to; zero: none */
    struct id resent_from;       /* the earlier message that it repeats; zero: none */
    struct wall_time send_at;    /* us 0: at once */
    struct wall_time expires_at; /* us 0: never */
    const struct slice *tags;    /* at most MESSAGE_TAGS_MAX, without control characters */
    size_t tag_count;
    struct message_fallback fallbacks[MESSAGE_FALLBACKS_MAX]; /* in their order */
    size_t fallback_count;
    struct slice purpose; /* for which the recipient is asked for consent; NULL ptr: its category's word */
    struct message_asked asked;      /* of its first sender */
    enum policy_quota quota;         /* SPENT: whoever asks about it found none left */
    const struct phone_place *place; /* where the recipient is; NULL: quiet hours are not asked about */
    struct message_by by;            /* who asked */
    struct slice idempotency_key;    /* NULL ptr: none */
    unsigned char fingerprint[MESSAGE_FINGERPRINT_BYTES]; /* of the request, with an idempotency key */
    void *owner;                                          /* the caller's own: the batch is sorted in place */
};

/* What became of one of them. */
struct message_accepted {
    enum err err;     /* ERR_OK; ERR_CHANNEL_UNKNOWN, ERR_CHANNEL_NOT_READY, ERR_IDEMPOTENCY_MISMATCH;
                         ERR_WINDOW_CLOSED: without fallbacks, else it falls back at once */
    bool is_replay;   /* the same request was accepted before: `id` is that message */
    bool is_doubtful; /* ERR_DB_UNAVAILABLE: the connection broke in the commit, which may have happened */
    struct id id;
    enum policy_decision decision;           /* with ERR_OK: of the policy gate; so is the message's status */
    unsigned char policy[POLICY_PACKED_MAX]; /* its receipt, packed */
    size_t policy_bytes;                     /* 0: the message was accepted before there was a gate */
};

/*
 * The group commit: stores all of them, of whatever tenants, with queue entry, event and idempotency key, in
 * one transaction; rows whose key was there take a second one. Sorts `messages` in place
 * by tenant and key; accepted[i] belongs to messages[i] afterwards. When it fails as a whole nothing was
 * stored, unless it is ERR_DB_UNAVAILABLE: then it is not known, and a client's retry with its idempotency
 * key tells; an accepted[i].err of the second transaction says no more than that of its own row. Two messages
 * with one key must not be in one batch.
 */
MUST_CHECK enum err message_accept_batch(struct db *db, const struct clock *clock,
                                         struct message_new *messages, struct message_accepted *accepted,
                                         size_t count, struct arena *arena);

/* What the gate says of a message, for each of its senders. */
struct message_checked {
    enum err err; /* as in message_accepted; without an idempotency key */
    struct policy_receipt senders[MESSAGE_SENDERS_MAX]; /* by position; of the first: the message's */
    size_t sender_count;                                /* with ERR_OK: one, and its fallbacks */
};
/*
 * What message_accept_batch would decide at this moment, by the same statements and the same judging, without
 * storing anything: the transaction is rolled back. Of `message` the address' index must be there; its
 * idempotency key is not looked at.
 */
MUST_CHECK enum err message_accept_check(struct db *db, const struct clock *clock,
                                         const struct message_new *message, struct arena *arena,
                                         struct message_checked *out);

/*
 * Marks a batch of messages as one request under an idempotency key. ERR_OK: new, or the same batch again:
 * then its messages, each with a key of its own, tell what they became. ERR_IDEMPOTENCY_MISMATCH.
 */
MUST_CHECK enum err message_batch_claim(struct db_tx *tx, struct slice key,
                                        const unsigned char fingerprint[MESSAGE_FINGERPRINT_BYTES],
                                        struct id batch);

struct message {
    struct id id, channel, target; /* target zero: none */
    struct id resent_from;         /* zero: it repeats no other */
    enum message_direction direction;
    enum message_category category;
    enum message_status status;
    struct slice kind, reference, provider_id, error_code, error_title, error_class; /* NULL ptr: none */
    struct slice pricing;             /* JSON, as the API shows it; NULL ptr: not known */
    struct slice purpose;             /* NULL ptr: its category's word */
    struct slice policy, policy_sent; /* receipts, packed: when it was accepted, when it was stopped before it
                                         left; NULL ptr: none */
    int attempt_count;
    unsigned sender, fallback_count; /* the position of the one in use: its is the channel; how many in all */
    struct wall_time created_at, updated_at;
    struct wall_time send_at, expires_at; /* us 0: none */
    const struct slice *tags;
    size_t tag_count;
    struct message_sealed sealed;
};

/* ERR_NOT_FOUND. */
MUST_CHECK enum err message_get(struct db_tx *tx, struct id message, struct arena *arena,
                                struct message *out);

/* The messages that repeat this one, the oldest first. `out` has room for MESSAGE_RESENT_MAX. */
MUST_CHECK enum err message_resent_as(struct db_tx *tx, struct id message,
                                      struct id out[static MESSAGE_RESENT_MAX], size_t *count_out);

struct message_filter {
    bool has_direction, has_category, has_peer, has_after, has_before;
    enum message_status statuses[MESSAGE_STATUS_COUNT]; /* any of these; none: any */
    size_t status_count;
    enum message_direction direction;
    enum message_category category;
    struct id channel;         /* zero: any */
    const struct id *channels; /* of these alone, also when they are none; NULL: any. Borrowed */
    size_t channel_count;
    unsigned char peer_index[VAULT_INDEX_BYTES];
    struct slice reference, tag;                    /* NULL ptr: any */
    struct wall_time created_after, created_before; /* after: inclusive; before: exclusive */
    struct id cursor;                               /* zero: from the newest; else older than this one */
};
/* Newest first, limit + 1 rows to tell whether more follow (limit <= MESSAGE_LIST_MAX). */
MUST_CHECK enum err message_list(struct db_tx *tx, const struct message_filter *filter, size_t limit,
                                 struct arena *arena, struct message **out, size_t *count_out);

/*
 * A provider's word on a message's fate, applied forward only. Locks the row; when the status moves, writes
 * it, the event, and (from `uncertain` or earlier) takes the message out of the queue. *moved_out tells. What
 * it says for the first time and too late to move the status is told as message.reported: so whatever the
 * order and however often reports come, the message ends at the same status with the same facts told. A
 * failure of the sender in use makes the message fall back where it can. Of a sender that was left, only what
 * it delivered moves the message; the rest is told. ERR_NOT_FOUND.
 */
struct message_report {
    struct id message, channel;
    unsigned sender; /* the position of the sender that is reported on */
    enum message_status status;
    struct wall_time at;
    struct slice provider_id;             /* NULL ptr: as it was */
    struct slice error_code, error_title; /* with MESSAGE_FAILED */
    const char *error_class;              /* likewise: "permanent", ... */
    struct slice errors; /* all errors, the first one too: a JSON array; NULL ptr: there is no other */
};
MUST_CHECK enum err message_report_apply(struct db_tx *tx, const struct clock *clock,
                                         const struct message_report *report, struct arena *arena,
                                         bool *moved_out);
/* What the provider says of a message's price, in its own words; any of them may be empty. Kept once. */
struct message_pricing {
    bool is_billable;
    bool is_final; /* it came with proof of delivery: it replaces what was said before */
    struct slice model, type, category;
    struct slice conversation_id, conversation_origin;
};
MUST_CHECK enum err message_pricing_keep(struct db_tx *tx, struct id message, struct id channel,
                                         const struct message_pricing *pricing, struct arena *arena);

/*
 * Withdraws a message that has not left: one that is held or waits, with no earlier attempt whose outcome is
 * not known. The dispatcher's claim and this meet at the queue's row: one of them wins. A message that is
 * canceled already is so again. ERR_NOT_FOUND; ERR_STATE_CONFLICT: *status_out says how it stands.
 */
MUST_CHECK enum err message_cancel(struct db_tx *tx, const struct clock *clock, struct id message,
                                   struct message_by by, struct arena *arena,
                                   enum message_status *status_out);

/* Another time for a held message; as message_cancel. ERR_TIME_ORDER: it would expire before. */
struct message_reschedule {
    struct id message;
    struct message_by by;
    struct wall_time send_at; /* us 0: now */
    bool sets_expiry;
    struct wall_time expires_at; /* with sets_expiry; us 0: never */
};
MUST_CHECK enum err message_reschedule(struct db_tx *tx, const struct clock *clock,
                                       const struct message_reschedule *change, struct arena *arena,
                                       enum message_status *status_out);

/* The provider's id of a message of this channel that can be answered or reacted to; ERR_NOT_FOUND. */
MUST_CHECK enum err message_target_check(struct db_tx *tx, struct id channel, struct id target);
/* Whether a message was accepted under this idempotency key: the same request is answered as it was then. */
MUST_CHECK enum err message_key_is_used(struct db_tx *tx, struct slice key, bool *is_used_out);
/* Which message, and which of its senders, has this provider id on this channel; ERR_NOT_FOUND. */
MUST_CHECK enum err message_by_provider_id(struct db_tx *tx, struct id channel, struct slice provider_id,
                                           struct id *out, unsigned *sender_out);

/*
 * What a provider is given with a message and repeats in its reports: the message's id, and when the sender
 * is not the first, a dot and its position.
 */
struct slice message_mark_print(struct id message, unsigned sender, char out[static MESSAGE_MARK_BYTES]);
/* ERR_ID_SYNTAX for what is none of ours. */
MUST_CHECK enum err message_mark_parse(struct slice mark, struct id *message_out, unsigned *sender_out);

struct message_received {
    struct id id, channel, event_id;
    bool is_echo; /* not received but sent, by the business itself and elsewhere: outbound, and `sent` */
    struct slice kind, provider_id;
    struct slice quoted_id; /* the provider's, of the message that it answers; empty: none */
    struct message_sealed sealed;
    struct vault_sealed event_content; /* sealed for event_content_place(tenant, event_id) */
    struct wall_time at;               /* by the provider */
    bool is_fresh; /* out: it is stored and told; false: its provider id was seen before, nothing changes */
};
/*
 * Incoming messages of the transaction's tenant, each once, by a few statements for all of them; the last is
 * sent with what comes next (db_later), and its error is that one's.
 */
MUST_CHECK enum err message_receive_many(struct db_tx *tx, struct message_received *const *messages,
                                         size_t count, struct arena *arena);

#endif
