/*
 * Who a person is to an OpenID provider: its subject, kept as a blind index, and the address that it says, to
 * be shown. A subject is one person's for good. Nobody becomes a person by the address alone.
 */
#ifndef DOMAIN_IDENTITY_OIDC_IDENTITY_H
#define DOMAIN_IDENTITY_OIDC_IDENTITY_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define OIDC_IDENTITIES_MAX 10u /* of one person */

struct oidc_identity {
    struct id id, person, issuer;
    struct slice issuer_name, email; /* in the arena; email empty: the issuer said none */
    struct wall_time created_at;
    bool was_used;
    struct wall_time last_used_at; /* with was_used */
};

/* By what it is looked up. Asks the vault. */
MUST_CHECK enum err oidc_identity_index(const struct vault *vault, struct id issuer, struct slice subject,
                                        unsigned char out[static VAULT_INDEX_BYTES]);

struct oidc_identity_new {
    struct id id, person, issuer;
    unsigned char subject_index[VAULT_INDEX_BYTES];
    bool has_email;
    struct vault_sealed email;
};
/* `email` empty: none. Asks the vault. */
MUST_CHECK enum err oidc_identity_seal(const struct vault *vault, struct id id, struct id person,
                                       struct id issuer, struct slice subject, struct slice email,
                                       struct arena *arena, struct oidc_identity_new *out);

/* In transactions of tenant_platform. ERR_EXISTS: the subject is somebody's already. ERR_TOO_MANY.
 * ERR_NOT_FOUND: the issuer was taken away. */
MUST_CHECK enum err oidc_identity_insert(struct db_tx *tx, const struct oidc_identity_new *identity,
                                         struct wall_time now, bool is_used);
/* ERR_NOT_FOUND: nobody has it. */
MUST_CHECK enum err oidc_identity_find(struct db_tx *tx, struct id issuer,
                                       const unsigned char subject_index[static VAULT_INDEX_BYTES],
                                       struct id *identity_out, struct id *person_out);
/* ERR_NOT_FOUND: it was taken away meanwhile. */
MUST_CHECK enum err oidc_identity_used(struct db_tx *tx, struct id identity, struct wall_time now);
/*
 * ERR_NOT_FOUND: it is not this person's. ERR_STATE_CONFLICT: it is all that the person signs in with: no
 * passkey, no other identity.
 */
MUST_CHECK enum err oidc_identity_delete(struct db_tx *tx, struct id person, struct id identity);
/* Oldest first. A transaction of its own, then opens. */
MUST_CHECK enum err oidc_identity_list(struct db *db, const struct vault *vault, struct id person,
                                       struct arena *arena, struct oidc_identity **out, size_t *count_out);

#endif
