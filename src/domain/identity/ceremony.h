/*
 * Ceremonies: what a browser is asked with a passkey is asked once, within five minutes, of the browser that
 * asked, for the one thing that it was about. A challenge is not kept: it is a blind index, made in the
 * vault, of all of that, so it cannot be known before it was given out, nor serve another ceremony. Kept is
 * which ones ended well.
 */
#ifndef DOMAIN_IDENTITY_CEREMONY_H
#define DOMAIN_IDENTITY_CEREMONY_H
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "domain/tenant/tenant.h"
#include "platform/db/db.h"
#include "platform/ipc/vault_client.h"

#define CEREMONY_MS              300000
#define CEREMONY_CHALLENGE_BYTES VAULT_INDEX_BYTES

enum ceremony_kind { CEREMONY_SIGN_IN = 1, CEREMONY_ADD_PASSKEY, CEREMONY_STEP_UP, CEREMONY_ENROL };

struct ceremony {
    struct id id;
    enum ceremony_kind kind;
    struct id subject;    /* the session or the enrolment that it is for; zero: none yet */
    struct slice browser; /* what the browser's cookie says; borrowed */
};

MUST_CHECK enum err ceremony_challenge(const struct vault *vault, const struct ceremony *ceremony,
                                       unsigned char out[static CEREMONY_CHALLENGE_BYTES]);
/* By its id, which nobody can have made up: its challenge would not be known. ERR_CEREMONY: too long ago. */
MUST_CHECK enum err ceremony_check_time(const struct clock *clock, struct id ceremony);
/* In a transaction of tenant_platform. ERR_CEREMONY: it was done before. */
MUST_CHECK enum err ceremony_use(struct db_tx *tx, struct id ceremony);

#endif
