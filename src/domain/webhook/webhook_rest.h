/*
 * When the webhooks role may sleep, and what wakes it: notices on the channel "harkara_webhook".
 *
 * Who writes events sends a notice only while somebody rests, which is a flag beside the cursor. The fan-out
 * takes the flag back in the transaction that moves the cursor; so under load there are no notices.
 */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_REST_H
#define DOMAIN_WEBHOOK_WEBHOOK_REST_H
#include "core/clock.h"
#include "core/err.h"
#include "platform/db/db.h"

#define WEBHOOK_CHANNEL "harkara_webhook"

/*
 * Raises the flag when nothing is behind the cursor, and says whether nothing can be missed from here on:
 * *is_quiet_out is false while an event waits for an older transaction to end, or while a transaction runs
 * that may have looked before the flag was up. Then look again in a moment. *horizon is the caller's, 0 at
 * first: the first transaction that must have seen the flag. As harkara_webhooks.
 */
MUST_CHECK enum err webhook_rest(struct db *db, int64_t *horizon, bool *is_quiet_out);
/* When the next delivery that nobody holds is due, its endpoint's hold included. ERR_NOTHING: none waits. */
MUST_CHECK enum err webhook_next_due(struct db *db, struct wall_time *out);
/* Has the role look when this transaction commits: for what becomes due without an event. */
MUST_CHECK enum err webhook_wake(struct db_tx *tx);

#endif
