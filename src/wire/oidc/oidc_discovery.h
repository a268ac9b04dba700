/* Where an issuer is to be asked: its discovery document (OpenID Connect Discovery 1.0, sections 3 and 4; RFC
 * 9207). */
#ifndef WIRE_OIDC_OIDC_DISCOVERY_H
#define WIRE_OIDC_OIDC_DISCOVERY_H
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/slice.h"

#define OIDC_DOCUMENT_BYTES_MAX (64u * 1024u)
#define OIDC_URL_BYTES_MAX      1024u

struct oidc_discovery { /* in the arena */
    struct slice authorization_endpoint, token_endpoint, jwks_uri;
    bool names_itself;      /* in the answer that the person brings: RFC 9207 */
    bool wants_secret_post; /* in the token request's body; else in its header */
};

/*
 * Whether it may be an issuer or one of its addresses: https, a host, no user, no fragment, printable ASCII;
 * with `allows_loopback` also http on 127.0.0.1 or [::1], for an issuer of a developer's own.
 */
bool oidc_url_is_fit(struct slice url, bool allows_loopback);
/* Where the document is: behind the issuer, whose last slash is left out. */
void oidc_discovery_url(struct buf *out, struct slice issuer);
/*
 * ERR_ENCODING: no such document, of another issuer (to the last octet), an address that is not fit or
 * missing, or it does not know PKCE with S256 while it says what it knows. ERR_NO_MEMORY.
 */
MUST_CHECK enum err oidc_discovery_read(struct slice json, struct slice issuer, bool allows_loopback,
                                        struct arena *arena, struct oidc_discovery *out);

#endif
