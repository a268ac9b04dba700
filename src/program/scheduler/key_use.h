/* What the vault says of its keys' use, added up in the database: each batch once, whatever breaks in
 * between. */
#ifndef PROGRAM_SCHEDULER_KEY_USE_H
#define PROGRAM_SCHEDULER_KEY_USE_H
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

/* Takes all that the vault has to tell. ERR_VAULT_UNAVAILABLE, or the database's errors: what was not taken
 * comes again.
 */
MUST_CHECK enum err key_use_take(struct db *db, const struct vault *vault, size_t *count_out);

/* One batch: for the above, and tests. One that is known already changes nothing. */
MUST_CHECK enum err key_use_store(struct db *db, const struct vault_uses *uses);

#endif
