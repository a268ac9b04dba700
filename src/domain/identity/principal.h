/*
 * Who asks: an API key or a person, in one workspace, with what it may do there. Scopes are the permissions
 * of scope.def, whichever of the two has them.
 */
#ifndef DOMAIN_IDENTITY_PRINCIPAL_H
#define DOMAIN_IDENTITY_PRINCIPAL_H
#include "domain/identity/api_key.h"

enum principal_kind { PRINCIPAL_KEY, PRINCIPAL_PERSON };

struct principal {
    enum principal_kind kind;
    struct id tenant;
    struct id actor;        /* the key or the person */
    struct id session;      /* of the person; zero for keys */
    uint64_t scopes;        /* bits of enum api_scope */
    enum api_key_mode mode; /* of the key */
    bool is_channel_limited;
    const struct id *channels; /* borrowed; with is_channel_limited the only ones it may reach */
    size_t channel_count;
    bool is_stepped_up; /* the person has shown a factor just now */
};

static inline bool
principal_may(const struct principal *principal, enum api_scope scope)
{
    return (principal->scopes & (UINT64_C(1) << scope)) != 0;
}

/* The asking key; zero when a person asks. */
static inline struct id
principal_key(const struct principal *principal)
{
    return principal->kind == PRINCIPAL_KEY ? principal->actor : (struct id){ { 0 } };
}

#endif
