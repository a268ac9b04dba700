/*
 * A sign-in by an OpenID provider that is under way. Nothing of it is kept: state, nonce and PKCE verifier
 * are blind indexes, made in the vault, of what it is for, whom it asks, which browser began it and when. So
 * they are that browser's, that purpose's and that provider's alone, for FEDERATION_MS, and beginning one
 * fills no table. That each is finished once is kept as of a ceremony (ceremony_use).
 */
#ifndef DOMAIN_IDENTITY_FEDERATION_H
#define DOMAIN_IDENTITY_FEDERATION_H
#include "core/clock.h"
#include "core/err.h"
#include "core/id.h"
#include "core/slice.h"
#include "platform/ipc/vault_client.h"

#define FEDERATION_MS             600000 /* the provider may ask for more than a ceremony of ours */
#define FEDERATION_SUBJECT_BYTES  32u
#define FEDERATION_STATE_BYTES    130u /* of base64url: 65 octets that say what it is, and 32 that prove it */
#define FEDERATION_NONCE_BYTES    43u
#define FEDERATION_VERIFIER_BYTES 32u /* as of oidc_pkce */

enum federation_purpose {
    FEDERATION_SIGN_IN = 1,
    FEDERATION_CONNECT, /* the subject is the session that asked */
    FEDERATION_ENROL,   /* the subject is the SHA-256 of a link's token */
};

struct federation {
    struct id id; /* of a ceremony: says when */
    enum federation_purpose purpose;
    struct id issuer;
    unsigned char subject[FEDERATION_SUBJECT_BYTES]; /* an id is filled up with zeros */
    struct slice browser;                            /* what the browser's cookie says; borrowed */
};

struct federation_secrets {
    char state[FEDERATION_STATE_BYTES], nonce[FEDERATION_NONCE_BYTES];
    unsigned char verifier[FEDERATION_VERIFIER_BYTES];
};
/* Asks the vault. ERR_CEREMONY: no browser. */
MUST_CHECK enum err federation_begin(const struct vault *vault, const struct federation *federation,
                                     struct federation_secrets *out);
/*
 * What a browser brings back. ERR_CEREMONY: it is none of ours, of another browser, or took too long.
 * out->browser is `browser`, borrowed. Asks the vault.
 */
MUST_CHECK enum err federation_read(const struct vault *vault, const struct clock *clock, struct slice state,
                                    struct slice browser, struct federation *out,
                                    struct federation_secrets *secrets_out);

#endif
