/*
 * Who asks? From a presented key and an address to a principal. What the database said of a key is kept for
 * AUTHENTICATION_CACHE_MS, so a revocation is felt everywhere within a second without any message having to
 * arrive.
 */
#ifndef DOMAIN_IDENTITY_AUTHENTICATION_H
#define DOMAIN_IDENTITY_AUTHENTICATION_H
#include "domain/identity/api_key.h"

#define AUTHENTICATION_CACHE_MS      500
#define AUTHENTICATION_CACHE_ENTRIES 4096u
#define AUTHENTICATION_NOTE_MS       30000 /* how often a key's last use is written */

struct authentication; /* one per process; thread-safe */

MUST_CHECK enum err authentication_new(const struct clock *clock, struct authentication **out);
void authentication_free(struct authentication *authentication);

/*
 * `presented` is the credential after "Bearer "; `from` the peer's address as text (empty: unknown, which no
 * allow-list holds). ERR_KEY_INVALID, _EXPIRED, _REVOKED, _ADDRESS, ERR_SCOPE, ERR_TENANT_SUSPENDED. An
 * unknown id costs the same hash as a known one. Writes the key's last use now and then. `db` NULL: what is
 * remembered has to do, and ERR_WOULD_WAIT says that it does not. `scope` API_SCOPE_COUNT: any key
 * that has one will do.
 */
MUST_CHECK enum err authentication_check(struct authentication *authentication, struct db *db,
                                         struct slice presented, struct slice from, enum api_scope scope,
                                         struct api_principal *out);

/*
 * The same of a key that was shown in another way: whether it may be used now, from this address, with this
 * scope. Not its secret.
 */
MUST_CHECK enum err authentication_judge(const struct api_principal *principal, struct wall_time now,
                                         struct slice from, enum api_scope scope);

#endif
