/*
 * Group commit: requests that accept a message hand it over as it is in the open and wait suspended. One
 * thread takes all that has queued, has it sealed in one exchange with the vault, stores it in one
 * transaction, and answers each request with its own result, after the commit.
 */
#ifndef PROGRAM_GATEWAY_COMMITTER_H
#define PROGRAM_GATEWAY_COMMITTER_H
#include "domain/message/message.h"
#include "platform/net/router.h"

struct committer;

/* One message on its way in. Lies in its request's arena, as all it points to. */
struct commit {
    struct http_request *request;
    struct message_new message;        /* the committer fills in `sealed` and `fingerprint` */
    const struct message_plain *plain; /* what is sealed of it */
    const unsigned char *request_hash; /* MESSAGE_FINGERPRINT_BYTES; used with an idempotency key only */
    /* Prints the answer for what the message finally is: itself, or that of the request that it repeats. */
    enum err (*print)(struct commit *commit, const struct message_accepted *accepted,
                      struct http_response *response);
    /* May be NULL: told what became of it, before it is answered. */
    void (*told)(struct commit *commit, const struct message_accepted *accepted);
    /*
     * For whoever answers by itself: called in place of print and answer, with what became of it; the commit
     * and all it points to are the caller's again.
     */
    void (*done)(struct commit *commit, const struct message_accepted *accepted);
    void *ctx;
    struct commit *next, *next_in_flight, *followers; /* the committer's own */
};

struct committer_config {
    const char *database;       /* its own connection; borrowed while it runs */
    struct vault_client *vault; /* borrowed */
    const struct clock *clock;
    size_t queue_max, batch_max;
};

MUST_CHECK enum err committer_new(const struct committer_config *config, struct committer **out);
/*
 * Commits and answers what is queued, and takes nothing more. Not yet the end: a worker that is still at a
 * request may come with it, and is told ERR_STOPPING. Accepts NULL.
 */
void committer_stop(struct committer *committer);
/* When nobody submits any more. Stops it first. Accepts NULL. */
void committer_free(struct committer *committer);
/*
 * Takes the commit: its request is answered later (return ERR_DEFERRED). While a request with the same key of
 * the same tenant waits here, the same request again gets that one's answer, as a replay; another one is
 * ERR_IDEMPOTENCY_IN_FLIGHT. ERR_BUSY: the queue is full. ERR_STOPPING.
 */
MUST_CHECK enum err committer_submit(struct committer *committer, struct commit *commit);
/*
 * Takes all of them, each with a `done`, which may come before this returns; or none: ERR_BUSY, ERR_STOPPING.
 * A queue that is empty takes as many as there are.
 */
MUST_CHECK enum err committer_submit_many(struct committer *committer, struct commit *const *commits,
                                          size_t count);
/* Whether `count` more would be taken now: to be asked before work is done for them. */
bool committer_has_room(struct committer *committer, size_t count);

#endif
