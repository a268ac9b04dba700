/*
 * What the gateway limits: requests by address, key and workspace, before they are looked at; messages by
 * sender and workspace, before they are committed. docs/limits.md has the whole.
 */
#ifndef PROGRAM_GATEWAY_LIMITER_H
#define PROGRAM_GATEWAY_LIMITER_H
#include "domain/limit/limit_book.h"
#include "domain/message/message.h"
#include "program/gateway/gateway.h"
#include "program/gateway/usage_keeper.h"

struct limiter; /* one per process; thread-safe */

struct limiter_config {
    struct limit_backend local;  /* of this host: addresses before anything else; borrowed while it runs */
    struct limit_backend shared; /* the same, or of several hosts */
    bool is_shared;              /* it is the latter: asked over a connection, so not on the loop */
    const struct clock *clock;
    const char *database;
};

/* What every workspace is given. */
struct limit_values limiter_defaults(const struct config *config);

MUST_CHECK enum err limiter_new(const struct limiter_config *with, const struct config *config,
                                struct limiter **out);
/* When nothing is answered any more: what was accepted is written. Accepts NULL. */
void limiter_free(struct limiter *limiter);

/* The router's limit hook. */
enum err limiter_judge(struct http_request *request, enum http_limit_step step);
/* A provider's callback for this channel of request->tenant whose signature is good: no stranger's any more.
 */
MUST_CHECK enum err limiter_judge_callback(struct limiter *limiter, struct http_request *request,
                                           struct id channel);
/* The request was no stranger's, or what became of it is not his fault. Once; more often does no harm. */
void limiter_clear(struct limiter *limiter, struct http_request *request);

/* Messages of one request through one sender. */
struct limiter_share {
    struct id channel;
    uint64_t asked, accepted; /* accepted: set before limiter_settle */
};
/* Units of quotas that a request holds until it is known what became of its messages. */
struct limiter_hold;
/*
 * Takes all shares, each channel once, in one decision, or none. The hold and `shares` (borrowed by it) lie
 * in `arena` and live as long as the hold does. ERR_RATE_LIMITED, ERR_QUOTA_EXCEEDED (request->problem says
 * which), ERR_LIMITS_UNAVAILABLE, ERR_WOULD_WAIT on the loop; then nothing was taken.
 */
MUST_CHECK enum err limiter_take(struct http_request *request, struct limiter_share *shares, size_t count,
                                 struct arena *arena, struct limiter_hold **out);
/* From any thread, once: counts what was accepted, gives back the rest. Afterwards the hold says nothing any
 * more. */
void limiter_settle(struct limiter_hold *hold);
/* Whether a message counts that this became of: also when nobody knows whether its commit happened. */
bool limiter_counts(const struct message_accepted *accepted);

/*
 * Whether a message through this channel of request->tenant would find a quota used up: its sender's or its
 * workspace's, of the day or month. Takes nothing. Errors as of limiter_take, but for the refusals.
 */
MUST_CHECK enum err limiter_quota(struct http_request *request, struct id channel, enum policy_quota *out);

/* How counters of request->tenant stand; those of quotas may be unknown. Takes nothing. */
MUST_CHECK enum err limiter_look(struct http_request *request, struct limit_counter *counters, size_t count);
/* What applies to a channel or key of request->tenant, or to the workspace alone (zero). */
MUST_CHECK enum err limiter_values(struct http_request *request, struct id subject, struct limit_values *out);

#endif
