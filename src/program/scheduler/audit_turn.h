/* Audit entries get their places, and each workspace's tree a signed checkpoint, every HARKARA_AUDIT_SEAL_MS.
 */
#ifndef PROGRAM_SCHEDULER_AUDIT_TURN_H
#define PROGRAM_SCHEDULER_AUDIT_TURN_H
#include "core/clock.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define AUDIT_TENANTS_MAX  200u /* workspaces of one turn; more at the next, which comes at once */
#define AUDIT_TURN_BATCHES 20u  /* batches of one workspace in one turn: others wait */

struct audit_turn_result {
    size_t sealed, signed_trees, failed;
    bool has_more;
};
/*
 * Whatever is wrong with one workspace's log stops no other's: it is counted, and told on the log. An error:
 * the database or the vault is away. Several schedulers may do this at once.
 */
MUST_CHECK enum err audit_turn(struct db *db, const struct vault *vault, const struct clock *clock,
                               struct audit_turn_result *out);

#endif
