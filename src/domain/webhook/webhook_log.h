/*
 * What became of each delivery, for the tenant to see: states, attempts, and what the endpoint answered. And
 * one of them made again.
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_LOG_H
#define DOMAIN_WEBHOOK_WEBHOOK_LOG_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define WEBHOOK_LOG_ATTEMPTS_LIST 8u  /* of each delivery in a list: the last */
#define WEBHOOK_LOG_ATTEMPTS_ONE  50u /* of a delivery by itself, likewise */

struct webhook_log_attempt {
    struct id id;
    unsigned number; /* from 1, through all times that it was made again */
    struct wall_time at;
    struct slice outcome, address; /* address: empty when none was spoken to */
    int status_code;               /* 0: none */
    int32_t latency_ms;
    bool has_answer; /* only in webhook_delivery_get; sealed for webhook_answer_place */
    struct vault_sealed answer;
};

struct webhook_delivery {
    struct id id, event, endpoint;
    struct slice event_type, state;
    bool is_finished, is_pending;
    struct wall_time created_at, finished_at, due_at;
    struct webhook_log_attempt *attempts; /* by number */
    size_t attempt_count;
};

struct webhook_delivery_filter {
    struct slice states, types; /* lists with commas; NULL ptr: any */
    struct id event;            /* zero: any */
    bool has_after, has_before;
    struct wall_time after, before; /* of created_at: from, and before */
};

/* An endpoint's log, newest first, limit + 1 rows. */
MUST_CHECK enum err webhook_delivery_list(struct db_tx *tx, struct id endpoint,
                                          const struct webhook_delivery_filter *filter, struct id before,
                                          size_t limit, struct arena *arena, struct webhook_delivery **out,
                                          size_t *count_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err webhook_delivery_get(struct db_tx *tx, struct id delivery, struct arena *arena,
                                         struct webhook_delivery *out);
/*
 * Due at once, with all attempts ahead of it, whatever became of it; the event's id stays. One that is under
 * way just now is left to it. ERR_NOT_FOUND; ERR_STATE_CONFLICT: its endpoint is not enabled.
 */
MUST_CHECK enum err webhook_delivery_again(struct db_tx *tx, struct id delivery, struct arena *arena,
                                           struct webhook_delivery *out);

#endif
