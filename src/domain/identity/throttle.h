/*
 * Attempts to guess. Four failures are free; after that each asks for a pause, one second at first, doubled
 * up to a quarter of an hour, and an hour without any forgets them. What is held against an account counts
 * only what came after a first factor of its own, so nobody else can keep its owner out; what is held against
 * an address slows that address alone.
 */
#ifndef DOMAIN_IDENTITY_THROTTLE_H
#define DOMAIN_IDENTITY_THROTTLE_H
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"
#include "domain/tenant/tenant.h"
#include "platform/db/db.h"

#define THROTTLE_FREE      4
#define THROTTLE_MS_MAX    900000
#define THROTTLE_FORGET_MS 3600000

/*
 * Counts an attempt at once, before it is judged: so attempts side by side are not one. A transaction of its
 * own. `kind` is a literal, such as "code", `of` a person's id or an address. ERR_THROTTLED: too early, and
 * it was not counted; *wait_s_out says for how long.
 */
MUST_CHECK enum err throttle_take(struct db *db, const struct clock *clock, const char *kind, struct slice of,
                                  int *wait_s_out);
/* It went well: all is forgotten. In a transaction of tenant_platform. */
MUST_CHECK enum err throttle_clear(struct db_tx *tx, const char *kind, struct slice of);
/* How long a pause so many failures ask for. */
int64_t throttle_pause_ms(int64_t failures);

#endif
