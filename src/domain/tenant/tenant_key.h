/* Where a process finds the wrapped data keys that the vault asks for. */
#ifndef DOMAIN_TENANT_TENANT_KEY_H
#define DOMAIN_TENANT_TENANT_KEY_H
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

/*
 * A vault_key_source over a database connection (ctx is a struct db *). It opens a transaction of its own, so
 * the vault is never asked from within one: seal before, open after.
 */
enum err tenant_key_fetch(void *db, struct id tenant, enum vault_purpose purpose, uint32_t version,
                          struct vault_wrapped_key *out);

/* A worker's way to the vault: the shared client with this connection as its key source. */
struct vault tenant_vault(struct vault_client *client, struct db *db);

#endif
