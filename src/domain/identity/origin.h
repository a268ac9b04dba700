/*
 * Where people sign in: the origin of the dashboard's pages ("https://app.example.org"), and the relying
 * party's id of their passkeys, which is its host (WebAuthn Level 3, 4). A passkey is good for one host for
 * ever: choose it well.
 */
#ifndef DOMAIN_IDENTITY_ORIGIN_H
#define DOMAIN_IDENTITY_ORIGIN_H
#include "core/err.h"
#include "core/slice.h"

#define ORIGIN_BYTES_MAX 300u

struct origin {
    char text[ORIGIN_BYTES_MAX]; /* with a NUL */
    struct slice whole, host;    /* point into it */
};

/*
 * The setting, or of an empty one the origin of the public URL, where 127.0.0.1 and [::1] are called
 * localhost: browsers make no passkeys for addresses. ERR_CONFIG: not http(s)://host[:port], upper case, an
 * address, or http of another host than localhost. `out` stays where it is.
 */
MUST_CHECK enum err origin_read(struct slice setting, struct slice public_url, struct origin *out);

#endif
