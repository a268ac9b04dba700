/* What an identity provider says of a person. Source: OpenID Connect Core 1.0, sections 2 and 3.1.3.7. */
#ifndef WIRE_OIDC_ID_TOKEN_H
#define WIRE_OIDC_ID_TOKEN_H
#include "core/arena.h"
#include "core/clock.h"
#include "core/err.h"
#include "core/slice.h"

#define ID_TOKEN_LEEWAY_S          60 /* for clocks that differ */
#define ID_TOKEN_SUBJECT_BYTES_MAX 255u
#define ID_TOKEN_EMAIL_BYTES_MAX   254u

enum id_token_fault { /* what was wrong: for the log and for tests */
                      ID_TOKEN_FAULT_NONE,
                      ID_TOKEN_FAULT_FORM, /* does not read, or lacks a claim */
                      ID_TOKEN_FAULT_ISSUER,
                      ID_TOKEN_FAULT_AUDIENCE, /* aud or azp */
                      ID_TOKEN_FAULT_NONCE,
                      ID_TOKEN_FAULT_EXPIRED,
                      ID_TOKEN_FAULT_FUTURE, /* iat or nbf */
};
const char *id_token_fault_word(enum id_token_fault fault);

struct id_token_expected {
    struct slice issuer, client_id;
    struct slice nonce; /* that was sent with the person; never empty */
    struct wall_time now;
};

struct id_token {         /* in the arena */
    struct slice subject; /* who it is, for this issuer and for good */
    struct slice email;   /* empty: it says none */
    bool is_email_verified;
};

/*
 * Judges the claims of a token whose signature was verified. ERR_IDENTITY_TOKEN: refused, and *fault_out says
 * why. An address counts as verified only when the issuer says `true`, not in a word. ERR_NO_MEMORY.
 */
MUST_CHECK enum err id_token_check(const struct id_token_expected *expected, struct slice payload,
                                   struct arena *arena, struct id_token *out, enum id_token_fault *fault_out);

#endif
