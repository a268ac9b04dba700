/*
 * For tests of any room: the real vault, in threads of the test, behind real links. Together with a test
 * cluster it gives tenants whose values are really sealed. Everything here fails the test rather than
 * returning an error. Open the secret pool first, with room for VAULT_TESTING_SECRET_BYTES besides the test's
 * own (the pool of a test cluster has it).
 */
#ifndef PROGRAM_VAULT_VAULT_TESTING_H
#define PROGRAM_VAULT_VAULT_TESTING_H
#include "core/id.h"
#include "platform/ipc/vault_client.h"

#define VAULT_TESTING_SECRET_BYTES 131072u

/* Starts it. One per executable at a time. */
void vault_testing_start(void);
/* Free the clients before. */
void vault_testing_stop(void);
/* A link in this role: for vault_client_new or vault_client_relink, which take it. */
int vault_testing_link(enum vault_role role);
/* A client in this role that gives up after timeout_ms; vault_client_free it. */
struct vault_client *vault_testing_client(enum vault_role role, int timeout_ms);
/* From now on links end at their next request, as if the vault had died; until a new link is made. */
void vault_testing_cut(void);
/* The three wrapped keys of a tenant. */
void vault_testing_make_keys(struct id tenant, struct vault_wrapped_key out[3]);
/* A new tenant of this slug in the test cluster, with its keys: its id. */
struct id vault_testing_tenant(const char *slug);

#endif
