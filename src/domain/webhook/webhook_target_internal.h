/* Where deliveries go and how, read for those that are claimed or handed over. */
#ifndef DOMAIN_WEBHOOK_WEBHOOK_TARGET_INTERNAL_H
#define DOMAIN_WEBHOOK_WEBHOOK_TARGET_INTERNAL_H
#include "domain/webhook/webhook_delivery.h"

#define WEBHOOK_TARGETS_MAX 256u

/*
 * These endpoints, at most WEBHOOK_TARGETS_MAX of them, with the keys that sign: in a transaction across
 * tenants, "webhook.claim" or "webhook.fanout". Those of any state; one that is gone is left out.
 */
MUST_CHECK enum err webhook_targets_read(struct db_tx *tx, struct arena *arena, const struct id *endpoints,
                                         size_t count, struct webhook_target **out, size_t *count_out);
/* NULL: it is not among them. */
const struct webhook_target *webhook_target_find(const struct webhook_target *targets, size_t count,
                                                 struct id endpoint);

#endif
