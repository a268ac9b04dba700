/* What follows a keyword once it has been committed: the address is kept for the ledger, and the answer goes
 * out as any message does. Done by the interpreter's thread. */
#ifndef PROGRAM_GATEWAY_CONSENT_FOLLOW_H
#define PROGRAM_GATEWAY_CONSENT_FOLLOW_H
#include "core/clock.h"
#include "core/err.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

/*
 * What is due, of all workspaces; one that fails is put off, and after a day given up. May be done by several
 * gateways at once: an answer goes by an idempotency key, so it is sent once. ERR_DB_UNAVAILABLE: the rest
 * waits.
 */
MUST_CHECK enum err consent_follow(struct db *db, const struct vault *vault, const struct clock *clock);

#endif
