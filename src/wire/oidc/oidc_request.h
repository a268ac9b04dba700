/*
 * The code flow with PKCE: what the person's browser is sent with, and what the code is exchanged by.
 * Sources: OpenID Connect Core 1.0, section 3.1; RFC 6749, sections 2.3.1 and 4.1; RFC 7636; RFC 9207.
 */
#ifndef WIRE_OIDC_OIDC_REQUEST_H
#define WIRE_OIDC_OIDC_REQUEST_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"
#include "wire/oidc/oidc_discovery.h"

#define OIDC_VERIFIER_BYTES         43u /* 32 random octets in base64url, as is the challenge that is made of it */
#define OIDC_CODE_BYTES_MAX         4096u
#define OIDC_TOKEN_ANSWER_BYTES_MAX (64u * 1024u)

/* The verifier of 32 octets, and base64url(SHA-256(verifier)) (RFC 7636, 4). ERR_CRYPTO. */
MUST_CHECK enum err oidc_pkce(const unsigned char random[static 32],
                              char verifier_out[static OIDC_VERIFIER_BYTES],
                              char challenge_out[static OIDC_VERIFIER_BYTES]);

struct oidc_authorization {
    struct slice client_id, redirect_uri, state, nonce, challenge;
};
/* Where the browser is sent: asks for `openid email`. */
void oidc_authorization_url(struct buf *out, struct slice endpoint, const struct oidc_authorization *with);

/*
 * Against mix-up (RFC 9207): the issuer that the person's answer names is the one that was asked. `named`
 * with a NULL ptr: the answer names none, which an issuer that says it would may not do.
 */
bool oidc_answer_is_of(struct slice named, struct slice issuer, bool names_itself);

struct oidc_exchange {
    struct slice client_id, client_secret, redirect_uri, code, verifier;
};
/*
 * The body of the token request (application/x-www-form-urlencoded), and the value of its Authorization,
 * which stays empty when the issuer wants the secret in the body. Both hold secrets: wipe the buffers.
 */
void oidc_token_request(const struct oidc_exchange *with, bool wants_secret_post, struct buf *body_out,
                        struct buf *authorization_out);
/* The ID token of the answer, in the arena. ERR_ENCODING: there is none. ERR_NO_MEMORY. */
MUST_CHECK enum err oidc_token_answer(struct slice json, struct arena *arena, struct slice *id_token_out);

#endif
