/* Who was told of an event: the deliveries that it has become. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_TOLD_H
#define DOMAIN_WEBHOOK_WEBHOOK_TOLD_H
#include "core/arena.h"
#include "core/err.h"
#include "core/id.h"
#include "platform/db/db.h"

/* Which deliveries an event has: for a message's timeline. */
struct webhook_told {
    struct id event, delivery, endpoint;
    struct slice state;
    int attempt_count;
};
#define WEBHOOK_TOLD_MAX 2000u
/* Those of any of these events, the oldest first, at most WEBHOOK_TOLD_MAX. */
MUST_CHECK enum err webhook_deliveries_of(struct db_tx *tx, const struct id *events, size_t event_count,
                                          struct arena *arena, struct webhook_told **out, size_t *count_out);

#endif
