#include "program/gateway/message_take.h"
#include "program/gateway/committer.h"
#include "program/gateway/gateway.h"
#include "program/gateway/limiter.h"

/* A message on its way in, with what its answer repeats of the request. */
struct taken {
    struct commit commit;
    struct message_ask *ask;
    struct limiter_share share;
    struct limiter_hold *hold; /* of its quotas */
};

static void
taken_told(struct commit *commit, const struct message_accepted *accepted)
{
    struct taken *taken = commit->ctx;

    taken->share.accepted = limiter_counts(accepted);
    limiter_settle(taken->hold);
}

static enum err
taken_print(struct commit *commit, const struct message_accepted *accepted, struct http_response *response)
{
    struct taken *taken = commit->ctx;
    struct buf text;

    gateway_locate(commit->request, response, "/v1/messages/", ID_MESSAGE, accepted->id);
    http_reply_begin(&text);
    message_ask_print(commit->request, taken->ask, accepted, &text);
    return http_reply_printed(commit->request, response, 202, &text);
}

enum err
message_take(struct http_request *request, struct message_ask *ask)
{
    struct taken *taken = arena_alloc(request->arena, sizeof(*taken));

    if (taken == NULL)
        return ERR_NO_MEMORY;
    taken->ask = ask;
    taken->share = (struct limiter_share){ .channel = ask->message.channel, .asked = 1 };
    enum err err = limiter_take(request, &taken->share, 1, request->arena, &taken->hold);
    if (err != ERR_OK)
        return err;
    taken->commit = (struct commit){ .request = request,
                                     .message = ask->message,
                                     .plain = &ask->plain,
                                     .request_hash = ask->request_hash,
                                     .print = taken_print,
                                     .told = taken_told,
                                     .ctx = taken };
    err = committer_submit(gateway_worker_of(request)->gateway->committer,
                           &taken->commit); /* from ERR_DEFERRED on it is the committer's */
    if (err != ERR_DEFERRED)
        limiter_settle(taken->hold);
    return err;
}
