/*
 * Events of a time, made again for one endpoint in the background: deliveries that failed or were canceled,
 * those that never were because the endpoint was disabled, and on request those that were delivered. The
 * events' ids stay.
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_REPLAY_H
#define DOMAIN_WEBHOOK_WEBHOOK_REPLAY_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define WEBHOOK_REPLAY_DAYS     30 /* as long as deliveries are kept */
#define WEBHOOK_REPLAY_STEP_MAX 50 /* events that one step looks at: bodies are large */
#define WEBHOOK_REPLAY_PENDING_MAX                                                                           \
    1000 /* deliveries that may wait for the endpoint before a step waits for them */

struct webhook_replay {
    struct id id, endpoint;
    struct wall_time since, until; /* events that happened from `since` on and before `until` */
    struct slice *events;          /* words and groups; "*": whatever the endpoint wants */
    size_t event_count;
    bool has_all; /* those that were delivered, too */
    struct slice state;
    int64_t count; /* deliveries made or made again so far */
    struct wall_time created_at, finished_at;
    bool is_finished;
};

struct webhook_replay_new {
    struct id id, endpoint;
    struct wall_time since, until; /* cut to what is there: after the endpoint was made, 30 days, and now */
    const struct slice *events;
    size_t event_count;
    bool has_all;
};
/* ERR_NOT_FOUND; ERR_STATE_CONFLICT: the endpoint is not enabled, or one is running. */
MUST_CHECK enum err webhook_replay_create(struct db_tx *tx, const struct webhook_replay_new *with,
                                          struct arena *arena, struct webhook_replay *out);
MUST_CHECK enum err webhook_replay_get(struct db_tx *tx, struct id replay, struct arena *arena,
                                       struct webhook_replay *out);

/*
 * Takes one running replay a step further; *is_busy_out: there was one with something to do. Its place moves
 * in the transaction that makes the deliveries: two processes cannot both make them. As harkara_webhooks.
 */
MUST_CHECK enum err webhook_replay_step(struct db *db, const struct vault *vault, const struct clock *clock,
                                        struct arena *arena, bool *is_busy_out, size_t *queued_out);

#endif
