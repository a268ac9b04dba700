/*
 * OpenID providers that people may sign in by: rows of tenant_platform, added on the command line. The secret
 * that we have with one is sealed there and opened by the dispatcher alone, which also notes what the
 * provider's discovery document said last.
 */
#ifndef DOMAIN_IDENTITY_OIDC_ISSUER_H
#define DOMAIN_IDENTITY_OIDC_ISSUER_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define OIDC_ISSUERS_MAX          32u
#define OIDC_ISSUER_NAME_MAX      60u /* code points */
#define OIDC_ISSUER_DOMAINS_MAX   50u
#define OIDC_ISSUER_SECRET_MAX    512u
#define OIDC_ISSUER_DISCOVERED_MS 3600000 /* what it said of itself is asked again after */

struct oidc_issuer { /* slices in the arena */
    struct id id;
    struct slice name;      /* for a button: "Google" */
    struct slice issuer;    /* its URL, to the last octet */
    struct slice client_id; /* who we are to it */
    struct slice algorithm; /* that it signs by: "RS256" */
    struct slice *domains;  /* in lower case; of none, an address of any, or none at all, will do */
    size_t domain_count;
    struct wall_time created_at;
    bool is_discovered; /* the next three are known */
    struct slice authorization_endpoint;
    bool names_itself;
    struct wall_time discovered_at;
};

/* All in transactions of tenant_platform. By name; at most OIDC_ISSUERS_MAX. */
MUST_CHECK enum err oidc_issuer_list(struct db_tx *tx, struct arena *arena, struct oidc_issuer **out,
                                     size_t *count_out);
/* ERR_NOT_FOUND. */
MUST_CHECK enum err oidc_issuer_get(struct db_tx *tx, struct id issuer, struct arena *arena,
                                    struct oidc_issuer *out);
/*
 * Whether this issuer may say who has that address: it is verified and of one of the domains, or there are no
 * domains. An address as of person_email_read.
 */
bool oidc_issuer_admits(const struct oidc_issuer *issuer, struct slice email, bool is_verified);

/* As harkara_admin. `domains` as they are to be kept. ERR_EXISTS: there is one of this URL. ERR_TOO_MANY. */
MUST_CHECK enum err oidc_issuer_insert(struct db_tx *tx, const struct oidc_issuer *issuer,
                                       const struct vault_sealed *secret);
/*
 * As harkara_admin: with what people have there. Sessions of theirs that began by an issuer end.
 * ERR_NOT_FOUND.
 */
MUST_CHECK enum err oidc_issuer_delete(struct db_tx *tx, const struct clock *clock, struct id issuer,
                                       size_t *sessions_ended_out);
/* How many people have signed in by it, or may. As harkara_admin. */
MUST_CHECK enum err oidc_issuer_people(struct db_tx *tx, struct id issuer, size_t *out);

/* Where the secret is sealed (VAULT_CREDENTIAL). */
struct vault_place oidc_issuer_secret_place(struct id issuer);
/* As harkara_dispatcher. ERR_NOT_FOUND. */
MUST_CHECK enum err oidc_issuer_secret_read(struct db_tx *tx, struct id issuer, struct arena *arena,
                                            struct vault_sealed *out);
MUST_CHECK enum err oidc_issuer_discovered(struct db_tx *tx, struct id issuer,
                                           struct slice authorization_endpoint, bool names_itself,
                                           struct wall_time now);

#endif
