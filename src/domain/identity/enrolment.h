/*
 * Enrolment: a link that makes whoever opens it the owner of a workspace, once, while it is good. The token
 * has 256 random bits, stands in the link's fragment (which no server and no log sees) and is kept as its
 * SHA-256.
 */
#ifndef DOMAIN_IDENTITY_ENROLMENT_H
#define DOMAIN_IDENTITY_ENROLMENT_H
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/secret.h"
#include "domain/tenant/tenant.h"
#include "platform/db/db.h"

#define ENROLMENT_TEXT_BYTES 43u

struct enrolment {
    struct id id, workspace;
    struct wall_time expires_at;
};

/* In a transaction of tenant_platform, as harkara_admin. *token_out (owned): ENROLMENT_TEXT_BYTES of
 * base64url. */
MUST_CHECK enum err enrolment_create(struct db_tx *tx, const struct clock *clock, struct id workspace,
                                     int hours, struct enrolment *out, struct secret **token_out);
/* In a transaction of tenant_platform. ERR_LINK_INVALID: there is none, it was used, or it has expired. */
MUST_CHECK enum err enrolment_find(struct db_tx *tx, const struct clock *clock, struct slice token,
                                   struct enrolment *out);
/* The same by what is kept of the token (enrolment_token_hash). */
MUST_CHECK enum err enrolment_find_hashed(struct db_tx *tx, const struct clock *clock,
                                          const unsigned char hash[static 32], struct enrolment *out);
/* ERR_LINK_INVALID: somebody was faster. */
MUST_CHECK enum err enrolment_use(struct db_tx *tx, const struct clock *clock, struct id enrolment,
                                  struct id person);

/* A link's token, *token_out (owned), and what is kept of it. */
MUST_CHECK enum err enrolment_token_draw(struct secret **token_out, unsigned char hash[static 32]);
/* The SHA-256 of a link's token, by which all links are kept. ERR_LINK_INVALID: it is none. */
MUST_CHECK enum err enrolment_token_hash(struct slice token, unsigned char out[static 32]);

#endif
