/*
 * The queue of outgoing messages. The owner of a lane (message_lane.h) looks what is due in it, and marks
 * what it is about to send as `sending`, with a lease and a new fence; the outcome is written by that fence.
 * When the lease runs out first, the outcome is unknown, and the message waits as `uncertain` for the
 * provider's event until its category's rule applies.
 */
#ifndef DOMAIN_MESSAGE_MESSAGE_QUEUE_H
#define DOMAIN_MESSAGE_MESSAGE_QUEUE_H
#include "domain/message/message.h"
#include "domain/policy/policy_settings.h"

#define MESSAGE_LOOK_MAX     8192u /* rows of one look */
#define MESSAGE_ATTEMPTS_MAX 12

/* One message as somebody is about to send it, or sends it. */
struct message_claim {
    struct id tenant, message, channel;
    int64_t fence; /* that it is marked with; its upper half is the sender's position: message_claim_sender */
    int attempt;   /* 1 for the first */
    enum message_category category;
    struct wall_time expires_at; /* not sent from then on; INT64_MAX: never */
};

/* Which of the message's senders the claim is for. */
unsigned message_claim_sender(const struct message_claim *claim);

/* What waits in a lane of one category. */
struct message_wanted {
    struct id channel;
    enum message_category category;
    struct wall_time since; /* what was due before has gone: it is not walked over again; 0: from the first */
};
struct message_found {
    struct message_claim claim; /* as it would be: nothing is marked yet */
    size_t wanted;              /* for which of them */
    int64_t due_in_us;          /* <= 0: it is due */
    struct wall_time due_at;    /* by the database's clock */
};
/*
 * Looks, without a lock: of each wanted the first `per_wanted_max` that are due, in the order of their time,
 * and the first one that is not due yet; in the order of `wanted`. Together at most MESSAGE_LOOK_MAX. Across
 * tenants
 * ("dispatch.claim").
 */
MUST_CHECK enum err message_look(struct db *db, const struct message_wanted *wanted, size_t count,
                                 size_t per_wanted_max, struct arena *arena, struct message_found **out,
                                 size_t *count_out);

/*
 * Locks these messages' rows of the queue, those there are, by id, before anything else that the transaction
 * does. Whoever changes several messages that may be queued, or one that he found otherwise than in the
 * queue, calls it first: what one transaction takes in one order and another in the other, both wait for.
 */
MUST_CHECK enum err message_queue_hold(struct db_tx *tx, const struct id *messages, size_t count);

/* What is needed to send it. */
struct message_job {
    struct message_claim claim;
    struct slice kind;
    struct slice target_provider_id; /* of the message it answers or reacts to; NULL ptr: none */
    struct message_sealed sealed;
    /* What the gate says of it now, by all that is known without its recipient's number and its registries:
     * who sends judges again with those (domain/sending/send_gate.h). */
    struct policy_receipt policy;
    const struct policy_settings *settings; /* of its workspace; borrowed: the arena's */
    struct id dlt_template; /* of India's registry, that its text was found to be; zero: none */
    bool is_window_over;    /* not a template, and the provider takes no other for this person now */
    bool is_mine;           /* false: it went, moved on, or the lane is closed or another's; leave it alone */
};
/*
 * Marks these (one tenant's, of lanes that `dispatcher` owns) as about to be sent: queue state `sending` with
 * the claim's fence and a lease, status `sending`, an event each; and loads their sealed parts, in the same
 * order. After the commit the requests may leave.
 *
 * Where the workspace has a cap, promotions to one person are counted one transaction after the other: what
 * others are sending or have sent. Those of the same call do not count each other; who sends does
 * (domain/sending/send_gate.h).
 */
MUST_CHECK enum err message_begin_sending(struct db_tx *tx, const struct clock *clock, struct id dispatcher,
                                          int64_t lease_ms, const struct message_claim *claims, size_t count,
                                          struct arena *arena, struct message_job **out);

enum message_verdict {
    MESSAGE_VERDICT_SENT,      /* the provider took it */
    MESSAGE_VERDICT_RETRY,     /* not taken; again at due_at */
    MESSAGE_VERDICT_FAILED,    /* refused for good */
    MESSAGE_VERDICT_UNCERTAIN, /* no answer: it may have been taken */
    MESSAGE_VERDICT_RETURNED,  /* never left: back to the queue, the attempt does not count */
    MESSAGE_VERDICT_HELD,      /* never left: the policy gate lets it go at due_at, and is asked again then */
    MESSAGE_VERDICT_BLOCKED,   /* never left, and never will: the policy gate forbids it */
};
struct message_outcome {
    struct message_claim claim;
    enum message_verdict verdict;
    struct wall_time at, due_at;          /* due_at with RETRY, UNCERTAIN, RETURNED, HELD */
    struct slice provider_id;             /* with SENT */
    struct slice error_code, error_title; /* with RETRY, FAILED, UNCERTAIN, RETURNED */
    const char *error_class;              /* likewise: "retry", "throttle", "permanent", "credential" */
    struct slice policy;                  /* the receipt of the gate, packed; NULL ptr: it was not asked */
    enum policy_rule rule;                /* with HELD, BLOCKED */
};
/*
 * One tenant's outcomes; the caller has locked their rows of the queue (message_queue_hold) where there are
 * several. An outcome whose fence is stale changes nothing but an already sent provider id is kept.
 */
MUST_CHECK enum err message_record_outcomes(struct db_tx *tx, const struct clock *clock,
                                            const struct message_outcome *outcomes, size_t count,
                                            struct arena *arena);

/*
 * `lease_ms` is the lease that the caller itself takes. One that ends more than twice as far from now was
 * given by a clock that has been set back since: it is over.
 *
 * Takes over what dead processes left: expired `leased` rows become ready; expired `sending` rows become
 * uncertain, due after `wait_ms` or as the workspace has it; uncertain rows whose wait is over go on by the
 * workspace's policy for the category: sent again, left as they are, or failed. Each way is told with its
 * cause.
 */
MUST_CHECK enum err message_take_over(struct db *db, const struct clock *clock, int64_t wait_ms,
                                      int64_t lease_ms, struct arena *arena, size_t *taken_out);
/*
 * What waits on a channel fails for good, with this code and title: the channel was deleted. At most 1,000
 * messages a call: come again until *count_out is 0.
 */
MUST_CHECK enum err message_fail_channel(struct db_tx *tx, const struct clock *clock, struct id channel,
                                         struct message_by by, const char *error_code,
                                         const char *error_title, struct arena *arena, size_t *count_out);

/*
 * What time alone decides: held messages whose time has come wait for their turn from now on, and what was
 * not sent in time expires, wherever it waits: for its time, a retry or an open lane. A message with an
 * earlier attempt whose outcome is not known does not expire: it is left uncertain. A message whose sender
 * delivered nothing in time, or whose channel is broken, goes over to its next one. At most some thousands a
 * call.
 */
MUST_CHECK enum err message_keep_times(struct db *db, const struct clock *clock, struct arena *arena,
                                       size_t *kept_out);

/* What they waited for has come: those that wait in the queue are due now. Of one tenant. */
MUST_CHECK enum err message_wake(struct db_tx *tx, const struct id *messages, size_t count);

/* The provider asked a lane to wait. */
MUST_CHECK enum err message_lane_hold(struct db_tx *tx, struct id channel, struct wall_time until);

#endif
